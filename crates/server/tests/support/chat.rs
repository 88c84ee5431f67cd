//! `tertulia chat` as people use it: a process, lines and an exit code.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::Server;

/// Nothing takes this long: who waits for it has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// `tertulia chat` with its lines.
pub struct Chat {
    pub name: String,
    child: Child,
    pub stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Chat {
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        Self::start_command("chat", name, arguments)
    }

    /// Another command that is used like it.
    pub fn start_command(subcommand: &str, name: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tertulia"));
        command.arg(subcommand).args(arguments).env_remove("TERTULIA_PASSWORD").env_remove("TERTULIA_ROOM_PASSWORD");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (tell, lines) = channel();
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for stream in streams {
            let tell = tell.clone();
            std::thread::spawn(move || {
                BufReader::new(stream).lines().map_while(Result::ok).all(|line| tell.send(line).is_ok())
            });
        }
        let stdin = child.stdin.take();
        Self { name: name.to_owned(), child, stdin, lines }
    }

    /// Calls the lobby of a server, and does not ask who is there: what is told depends on nobody's coming and going.
    pub fn call(server: &Server, who: &str, transport: &str, more: &[&str]) -> Self {
        Self::call_asking(server, who, transport, &[&["--quiet"], more].concat())
    }

    /// Calls the lobby of a server.
    pub fn call_asking(server: &Server, who: &str, transport: &str, more: &[&str]) -> Self {
        let identity = format!("sip:{who}@chat.test");
        let address = server.address(&format!("sip {transport}://")).to_string();
        let where_to = ["sip:lobby@chat.test", "--as", &identity, "--server", &address, "--transport", transport];
        Self::start(who, &[&where_to, more].concat())
    }

    /// The same, quietly, until it is in the room.
    pub fn join(server: &Server, who: &str, transport: &str, more: &[&str]) -> Self {
        let chat = Self::call(server, who, transport, more);
        chat.expect(&format!("* in sip:lobby@chat.test as sip:{who}@chat.test (nicknames, private messages)"));
        chat
    }

    #[track_caller]
    pub fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{} says nothing more", self.name))
    }

    #[track_caller]
    pub fn expect(&self, line: &str) {
        assert_eq!(self.line(), line, "{}", self.name);
    }

    pub fn types(&mut self, line: &str) {
        writeln!(self.stdin.as_ref().unwrap(), "{line}").unwrap();
    }

    pub fn interrupt(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    }

    /// The line that says how it ended, but for what may come before it of the connection for messages.
    #[track_caller]
    pub fn left(&self) -> String {
        let line = self.line();
        if line.starts_with("! the connection for messages broke") { self.line() } else { line }
    }

    /// Ends the standard input. Gives what is still said, and the exit code.
    pub fn end(mut self) -> (Vec<String>, Option<i32>) {
        drop(self.stdin.take());
        let rest = std::iter::from_fn(|| self.lines.recv_timeout(PATIENCE).ok()).collect();
        (rest, self.child.wait().unwrap().code())
    }

    #[track_caller]
    pub fn expect_end(self, lines: &[&str], code: i32) {
        let name = self.name.clone();
        assert_eq!(self.end(), (lines.iter().map(|line| (*line).to_owned()).collect(), Some(code)), "{name}");
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
