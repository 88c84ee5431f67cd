//! A chat-room user agent without sockets, threads or a clock
