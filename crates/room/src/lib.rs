//! A chat room: roster, nicknames, policy and routing, free of any protocol
