//! One request to a server that runs, and its answer.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;

use super::{Answer, LINE, PATIENCE, Request, socket};
use crate::serve;

/// The longest answer, in octets: a list of all the rooms that there can be.
const ANSWER: u64 = 256 * 1024 * 1024;

/// Which server, and how its answer is told.
#[derive(Debug, Args)]
pub(crate) struct Desk {
    /// The configuration of the server, which says where its data are
    #[arg(long, value_name = "FILE", global = true, conflicts_with = "data_dir")]
    config: Option<PathBuf>,
    /// Where its data are [default: tertulia-data]
    #[arg(long, value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
    /// Answer in a line of JSON
    #[arg(long, global = true)]
    json: bool,
}

impl Desk {
    /// Asks, and tells the answer: by `show` where it is to be read by people. 0 where all is well, 1 where the server refuses.
    ///
    /// # Errors
    ///
    /// No server is there to ask, or it cannot be understood.
    pub(crate) fn ask(&self, request: &Request, show: impl FnOnce(&Answer) -> String) -> anyhow::Result<ExitCode> {
        let answer = self.answer(request)?;
        let code = ExitCode::from(u8::from(matches!(answer, Answer::Refused(_))));
        let mut stdout = std::io::stdout();
        // A reader that has gone has seen enough.
        let _ = match &answer {
            _ if self.json => writeln!(stdout, "{}", serde_json::to_string(&answer)?),
            Answer::Refused(why) => writeln!(std::io::stderr(), "tertulia: {why}"),
            answer => write!(stdout, "{}", show(answer)),
        };
        Ok(code)
    }

    fn answer(&self, request: &Request) -> anyhow::Result<Answer> {
        let data_dir = match (&self.config, &self.data_dir) {
            (Some(file), _) => serve::read(file)?.data_dir,
            (None, Some(directory)) => directory.clone(),
            (None, None) => "tertulia-data".into(),
        };
        let socket = socket(&data_dir);
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        if line.len() > LINE {
            bail!("that is too much for one request: {LINE} octets at most");
        }
        let mut stream = UnixStream::connect(&socket).map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => anyhow!(
                "no server runs on {}: nobody answers at {}; --config or --data-dir says where its data are",
                data_dir.display(),
                socket.display()
            ),
            ErrorKind::PermissionDenied => {
                anyhow!("{} is for the user alone who runs the server", socket.display())
            }
            _ => anyhow!(error).context(format!("cannot speak to {}", socket.display())),
        })?;
        // The server gives up first, where it can.
        stream.set_read_timeout(Some(2 * PATIENCE))?;
        stream.set_write_timeout(Some(2 * PATIENCE))?;
        let mut answer = String::new();
        let exchanged = stream
            .write_all(line.as_bytes())
            .and_then(|()| BufReader::new(&stream).take(ANSWER).read_line(&mut answer));
        exchanged.context("the server did not answer")?;
        if !answer.ends_with('\n') {
            bail!("the server did not answer in time; what was asked may yet be done");
        }
        serde_json::from_str(&answer).context("the server answered something else: is it of another version?")
    }
}

/// What there is to say of what was done.
pub(crate) fn said(answer: &Answer) -> String {
    match answer {
        Answer::Done(text) => format!("{}\n", crate::chat::plain(text)),
        other => format!("{other:?}\n"),
    }
}
