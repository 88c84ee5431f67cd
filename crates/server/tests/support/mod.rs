//! A server as its users meet it: the binary, on free ports, in a directory of its own.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

pub mod chat;
pub mod participant;

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Everything on free ports of loopback, everybody believed.
pub const EVERYTHING: &str = r#"
domain = "chat.test"
[sip]
listen = ["udp://127.0.0.1:0", "tcp://127.0.0.1:0", "tls://127.0.0.1:0"]
[msrp]
listen = ["tcp://127.0.0.1:0", "tls://127.0.0.1:0"]
[http]
listen = ["http://127.0.0.1:0"]
[auth]
mode = "open"
[[room]]
name = "lobby"
"#;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A directory that goes with the test.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tertulia-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// `tertulia serve` with this configuration.
    pub fn serve(&self, config: &str) -> Command {
        std::fs::write(self.0.join("tertulia.toml"), config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tertulia"));
        command.args(["serve", "--config", "tertulia.toml"]).current_dir(&self.0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What becomes of a server that cannot start.
    pub fn refused(&self, config: &str) -> Output {
        self.serve(config).output().unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server that runs until it is dropped.
pub struct Server {
    pub child: Child,
    pub directory: Directory,
    /// What it has said before it was ready, line by line.
    pub lines: Vec<String>,
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    pub fn start(config: &str) -> Self {
        let directory = Directory::new();
        let command = directory.serve(config);
        Self::start_with(command, directory)
    }

    pub fn start_with(mut command: Command, directory: Directory) -> Self {
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if stdout.read_line(&mut line).unwrap() == 0 {
                let mut said = String::new();
                child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                panic!("the server ended before it was ready: {said}");
            }
            match line.trim_end() {
                "ready" => break,
                line => lines.push(line.to_owned()),
            }
        }
        Self { child, directory, lines, _stdout: stdout }
    }

    /// Where it listens, by what stands before the address: `sip udp://`.
    pub fn address(&self, prefix: &str) -> SocketAddr {
        let line = self.lines.iter().find_map(|line| line.strip_prefix("listening ")?.strip_prefix(prefix));
        line.unwrap().parse().unwrap()
    }

    pub fn connect(&self, prefix: &str) -> TcpStream {
        connect(self.address(prefix))
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection that does not wait for ever.
pub fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Reads until what came ends with `mark`.
pub fn read_until(stream: &mut impl Read, mark: &str) -> String {
    let mut came = Vec::new();
    let mut octet = [0];
    while !came.ends_with(mark.as_bytes()) {
        let count = stream.read(&mut octet).unwrap_or_else(|error| {
            panic!("{error} while waiting for {mark:?} after {:?}", String::from_utf8_lossy(&came))
        });
        assert_ne!(count, 0, "closed while waiting for {mark:?} after {:?}", String::from_utf8_lossy(&came));
        came.push(octet[0]);
    }
    String::from_utf8(came).unwrap()
}
