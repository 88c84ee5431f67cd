//! Where a password comes from: a file, a terminal that does not show it, or a pipe. Never the command line, which everybody on
//! the machine can read.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::Secret;

/// What a terminal sends for an interrupt while it may not send the signal.
const INTERRUPT: char = '\u{3}';

/// The first line of a file; without one, what is typed twice, or the first line of standard input.
///
/// # Errors
///
/// There is none, or the two are not the same.
pub(crate) fn read(file: Option<&Path>) -> anyhow::Result<Secret> {
    let stdin = std::io::stdin();
    let password = match file {
        Some(file) => first_line(file)?,
        None if stdin.is_terminal() => {
            let first = typed("password: ")?;
            if typed("once more: ")? != first {
                bail!("the two are not the same");
            }
            first
        }
        None => line()?,
    };
    if password.is_empty() {
        bail!("a password is needed: the first line of --password-file or of standard input");
    }
    Ok(Secret(password))
}

/// The password in a file.
///
/// # Errors
///
/// The file cannot be read.
pub(crate) fn first_line(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// What is typed where nobody sees it.
fn typed(prompt: &str) -> anyhow::Result<String> {
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "{prompt}").and_then(|()| stderr.flush());
    let text = {
        let _hidden = Hidden::begin()?;
        line()
    };
    let _ = writeln!(stderr);
    let text = text?;
    if text.contains(INTERRUPT) {
        bail!("interrupted");
    }
    Ok(text)
}

fn line() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().lock().read_line(&mut text).context("cannot read standard input")?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// A terminal that shows nothing and sends no signals, so that none can leave it like that.
struct Hidden {
    before: Termios,
}

impl Hidden {
    fn begin() -> anyhow::Result<Self> {
        let before = tcgetattr(std::io::stdin()).context("cannot read the terminal")?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &hidden).context("cannot hide what is typed")?;
        Ok(Self { before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.before);
    }
}
