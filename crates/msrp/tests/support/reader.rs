//! Octets read by the parser, and what was seen in them.

#![allow(dead_code, unreachable_pub, reason = "not every test needs everything")]

use msrp::frame::Flag;
use msrp::parse::{Event, Fatal, Limits, Parser};

/// What was read, with the octets of a body together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Head(String),
    Body(Vec<u8>),
    End(Flag),
    Malformed(String),
    Fatal(Fatal),
}

#[derive(Default)]
pub struct Reader {
    parser: Option<Parser>,
    pub unread: Vec<u8>,
    pub seen: Vec<Seen>,
}

impl Reader {
    pub fn new(limits: Limits) -> Reader {
        Reader { parser: Some(Parser::new(limits)), ..Reader::default() }
    }

    pub fn reads(&mut self, octets: &[u8]) {
        self.unread.extend_from_slice(octets);
        let mut used = 0;
        while let Some(parser) = &mut self.parser {
            match parser.next(&self.unread[used..]) {
                Ok((n, Some(event))) => {
                    used += n;
                    let seen = seen(&event);
                    match (self.seen.last_mut(), seen) {
                        (Some(Seen::Body(before)), Seen::Body(more)) => before.extend(more),
                        (_, seen) => self.seen.push(seen),
                    }
                }
                Ok((n, None)) => {
                    used += n;
                    break;
                }
                Err(fatal) => {
                    self.seen.push(Seen::Fatal(fatal));
                    self.parser = None;
                }
            }
        }
        self.unread.drain(..used);
    }
}

pub fn seen(event: &Event<'_>) -> Seen {
    match event {
        Event::Head(head) => Seen::Head(format!("{head:?}")),
        Event::Body(octets) => {
            assert!(!octets.is_empty(), "a body event is never empty");
            Seen::Body(octets.to_vec())
        }
        Event::End(flag) => Seen::End(*flag),
        malformed @ Event::Malformed { .. } => Seen::Malformed(format!("{malformed:?}")),
    }
}

pub fn at_once(octets: &[u8]) -> Vec<Seen> {
    let mut reader = Reader::new(Limits::default());
    reader.reads(octets);
    reader.seen
}

pub fn in_pieces(octets: &[u8], sizes: impl IntoIterator<Item = usize>) -> Vec<Seen> {
    let mut reader = Reader::new(Limits::default());
    let mut rest = octets;
    for size in sizes {
        let (piece, after) = rest.split_at(size.min(rest.len()));
        reader.reads(piece);
        rest = after;
    }
    reader.reads(rest);
    reader.seen
}

pub fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

pub const PATHS: &str = "To-Path: msrp://a.example.com:1/x;tcp\nFrom-Path: msrp://b.example.com:2/y;tcp\n";
