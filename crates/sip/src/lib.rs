//! A SIP user agent core without sockets, threads or a clock
