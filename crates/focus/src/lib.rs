//! RFC 7701: what turns SIP and MSRP into a chat room, without sockets, threads or a clock
