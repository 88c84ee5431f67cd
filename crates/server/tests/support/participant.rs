//! A participant made of two sockets: it joins a room over SIP, talks over MSRP, and believes nothing.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{Server, read_until};

/// A stream in clear or under TLS.
pub enum Stream {
    Clear(TcpStream),
    Secure(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// Connects; with TLS it trusts the certificate that the server has made for itself.
    pub fn connect(server: &Server, service: &str, secure: bool) -> Self {
        match secure {
            false => Stream::Clear(server.connect(&format!("{service} tcp://"))),
            true => Self::secure(server, server.connect(&format!("{service} tls://"))),
        }
    }

    pub fn secure(server: &Server, mut socket: TcpStream) -> Self {
        let made = server.directory.path().join("tertulia-data/certificate.pem");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(made).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
        let mut connection = ClientConnection::new(config, ServerName::try_from("chat.test").unwrap()).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).unwrap();
        }
        Stream::Secure(Box::new(StreamOwned::new(connection, socket)))
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Stream::Clear(socket) => socket.read(buffer),
            Stream::Secure(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        match self {
            Stream::Clear(socket) => socket.write(octets),
            Stream::Secure(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Stream::Clear(socket) => socket.flush(),
            Stream::Secure(stream) => stream.flush(),
        }
    }
}

pub struct Participant {
    name: String,
    room: String,
    pub sip: Stream,
    pub msrp: Stream,
    path: String,
    own_path: String,
    came: Vec<u8>,
    said: u32,
}

impl Participant {
    /// Joins a room and binds its session, over TLS or not, on this MSRP connection. Who is `anonymous` says so in From.
    pub fn join(server: &Server, name: &str, room: &str, secure: bool) -> Self {
        let msrp = Stream::connect(server, "msrp", secure);
        Self::join_on(server, name, room, secure, msrp)
    }

    pub fn join_on(server: &Server, name: &str, room: &str, secure: bool, msrp: Stream) -> Self {
        let (scheme, protocol) = if secure { ("msrps", "TCP/TLS/MSRP") } else { ("msrp", "TCP/MSRP") };
        let own_path = format!("{scheme}://127.0.0.1:9/session-of-{name};tcp");
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 9 {protocol} *\r\n\
             a=accept-types:message/cpim\r\na=accept-wrapped-types:*\r\na=setup:active\r\na=path:{own_path}\r\n\
             a=chatroom:nickname private-messages\r\n"
        );
        let mut sip = Stream::connect(server, "sip", secure);
        let request = |method: &str, to: &str, body: &str| {
            let typed = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
            let transport = if secure { "TLS" } else { "TCP" };
            let host = if name == "anonymous" { "anonymous.invalid" } else { "chat.test" };
            format!(
                "{method} sip:{room}@chat.test SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:9;branch=z9hG4bK{name}{method}\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:{name}@{host}>;tag={name}\r\nTo: {to}\r\nCall-ID: {name}\r\nCSeq: 1 {method}\r\n\
                 Contact: <sip:{name}@127.0.0.1:9;transport=tcp>\r\n{typed}Content-Length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        let to = format!("<sip:{room}@chat.test>");
        sip.write_all(request("INVITE", &to, &sdp).as_bytes()).unwrap();
        let mut head = read_until(&mut sip, "\r\n\r\n");
        while head.starts_with("SIP/2.0 1") {
            head = read_until(&mut sip, "\r\n\r\n");
        }
        assert!(head.starts_with("SIP/2.0 200 "), "{head}");
        let mut answer = vec![0; header(&head, "Content-Length").parse().unwrap()];
        sip.read_exact(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        sip.write_all(request("ACK", header(&head, "To"), "").as_bytes()).unwrap();

        let path = answer.lines().find_map(|line| line.strip_prefix("a=path:")).unwrap().to_owned();
        let (name, room) = (name.to_owned(), room.to_owned());
        let mut participant = Self { name, room, sip, msrp, path, own_path, came: Vec::new(), said: 0 };
        participant.send("");
        assert_eq!(participant.hear_response(), "200");
        participant
    }

    /// Says something to the room.
    pub fn say(&mut self, text: &str) {
        let Self { name, room, .. } = self;
        let cpim = format!(
            "From: <sip:{name}@chat.test>\r\nTo: <sip:{room}@chat.test>\r\n\r\nContent-Type: text/plain\r\n\r\n{text}"
        );
        self.send(&cpim);
    }

    fn send(&mut self, body: &str) {
        self.said += 1;
        let id = format!("t{:07}", self.said);
        let content = match body {
            "" => String::new(),
            body => format!("Failure-Report: no\r\nContent-Type: message/cpim\r\n\r\n{body}\r\n"),
        };
        let (path, own_path, length) = (&self.path, &self.own_path, body.len());
        let frame = format!(
            "MSRP {id} SEND\r\nTo-Path: {path}\r\nFrom-Path: {own_path}\r\nMessage-ID: m{id}\r\n\
             Byte-Range: 1-{length}/{length}\r\n{content}-------{id}$\r\n"
        );
        self.msrp.write_all(frame.as_bytes()).unwrap();
        self.msrp.flush().unwrap();
    }

    fn hear_response(&mut self) -> String {
        let frame = self.hear_frame();
        frame.split(' ').nth(2).unwrap().trim_end().to_owned()
    }

    /// The text of the next message that comes.
    pub fn hear(&mut self) -> String {
        let frame = self.hear_frame();
        assert!(frame.contains(" SEND\r\n"), "{frame}");
        frame.rsplit("\r\n\r\n").next().unwrap().to_owned()
    }

    /// The next frame, without its end-line.
    fn hear_frame(&mut self) -> String {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            if let Some(frame) = self.take_frame() {
                return frame;
            }
            let count = self.msrp.read(&mut buffer).unwrap();
            assert_ne!(count, 0, "{} was cut off", self.name);
            self.came.extend_from_slice(&buffer[..count]);
        }
    }

    fn take_frame(&mut self) -> Option<String> {
        let start = self.came.windows(2).position(|pair| pair == b"\r\n")?;
        let id = std::str::from_utf8(&self.came[..start]).unwrap().split(' ').nth(1).unwrap();
        let end_line = format!("\r\n-------{id}$\r\n");
        let end = self.came.windows(end_line.len()).position(|octets| octets == end_line.as_bytes())?;
        let frame = self.came.drain(..end + end_line.len()).collect::<Vec<_>>();
        Some(String::from_utf8(frame[..end].to_vec()).unwrap())
    }
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let value = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.unwrap_or_else(|| panic!("no {name} in {head}"))
}
