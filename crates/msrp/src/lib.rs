//! MSRP without sockets, threads or a clock
