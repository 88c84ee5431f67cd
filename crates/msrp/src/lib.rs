//! The Message Session Relay Protocol (RFC 4975) without sockets, threads, a clock or chance of its own.
//!
//! Octets come in as slices, frames go out into a `Vec<u8>`; time and randomness are arguments. The crate knows frames,
//! URIs, chunks, reports, the NICKNAME request of RFC 7701, and what RFC 4975 §8, RFC 6135 and RFC 7701 §8 say in SDP.
//!
//! Two kinds of user are served. A switch, which forwards while octets arrive, takes [`parse::Parser`], [`chunk::Inflow`] and
//! [`encode`] and keeps its own sessions. An endpoint takes [`connection::Connection`], which gathers whole messages.
//!
//! What it deliberately lacks: sockets and TLS, name resolution, SIP, and any knowledge of what a body says.

pub mod chunk;
pub mod connection;
pub mod encode;
pub mod frame;
pub mod parse;
pub mod report;
pub mod sdp;
pub mod session;
pub mod uri;

mod ident;
