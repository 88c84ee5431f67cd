//! What the server says about itself, on standard error: one line an event, from the level that `TERTULIA_LOG` names.
//!
//! Who talks to whom is nobody's business at the levels that are on by default: identities stand at `debug` and below only. What
//! peers have written gets into a line escaped and cut (threat T32), whoever logs it and however. Nobody waits for whoever reads
//! the lines: a reader that does not keep up loses some, and is told how many (fault F15).

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

/// The variable that names the level.
const VARIABLE: &str = "TERTULIA_LOG";
/// Lines that wait for a slow reader.
const LINES: usize = 1024;
/// Octets of a line; what is beyond is cut.
const LINE: usize = 1024;

/// How long the end may wait for the last lines to be read.
const PARTING: Duration = Duration::from_millis(200);

/// What the thread that writes is handed.
enum Entry {
    Line(Vec<u8>),
    /// To be told when everything before it is written.
    Mark(SyncSender<()>),
}

/// The log. Dropped, it sees to it that the last lines get out.
pub(crate) struct Log {
    entries: SyncSender<Entry>,
}

impl Drop for Log {
    fn drop(&mut self) {
        let (written, mark) = sync_channel(1);
        if self.entries.try_send(Entry::Mark(written)).is_ok() {
            let _ = mark.recv_timeout(PARTING);
        }
    }
}

/// Begins to log.
///
/// # Errors
///
/// `TERTULIA_LOG` names no level.
pub(crate) fn begin() -> anyhow::Result<Log> {
    let level = match std::env::var(VARIABLE) {
        Err(_) => LevelFilter::INFO,
        Ok(text) => text.parse().map_err(|_| {
            anyhow!("{VARIABLE}: {text:?} is no level; right would be off, error, warn, info, debug or trace")
        })?,
    };
    let (entries, waiting) = sync_channel(LINES);
    let lost = Arc::new(AtomicU64::new(0));
    let lines = Lines { entries: entries.clone(), lost: lost.clone() };
    std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write_entries(&waiting, &lost))
        .context("cannot start the thread that logs")?;
    tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_target(false).with_writer(lines).init();
    Ok(Log { entries })
}

/// Writes what waits. Nobody is left to be told that standard error fails.
fn write_entries(waiting: &Receiver<Entry>, lost: &AtomicU64) {
    while let Ok(entry) = waiting.recv() {
        let mut stderr = io::stderr().lock();
        match entry {
            Entry::Line(line) => drop(stderr.write_all(&line)),
            Entry::Mark(written) => drop(written.send(())),
        }
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = writeln!(stderr, "{lost} lines were lost: they were not read in time");
        }
    }
}

struct Lines {
    entries: SyncSender<Entry>,
    lost: Arc<AtomicU64>,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Lines;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &Lines {
    /// One event, as `tracing_subscriber::fmt` hands it over.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        if self.entries.try_send(Entry::Line(line(event))).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An event as one line: nothing in it ends the line or steers a terminal, and it is not long.
fn line(event: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(event.strip_suffix(b"\n").unwrap_or(event));
    let mut line = String::new();
    for character in text.chars() {
        if line.len() >= LINE {
            line.push('…');
            break;
        }
        // Beside the controls, what turns the direction of text.
        let steers = character.is_control()
            || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if steers {
            line.extend(character.escape_unicode());
        } else {
            line.push(character);
        }
    }
    line.push('\n');
    line.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    // THREATS T32
    #[test]
    fn an_event_is_one_line_that_steers_nothing() {
        let event = "INFO from=\"a\r\nERROR forged\u{1b}[2J\u{202e}\u{9b}\"\n";
        let expected = "INFO from=\"a\\u{d}\\u{a}ERROR forged\\u{1b}[2J\\u{202e}\\u{9b}\"\n";
        assert_eq!(String::from_utf8(line(event.as_bytes())).unwrap(), expected);
    }

    // THREATS T32
    #[test]
    fn a_line_is_cut() {
        let line = line("ä".repeat(5_000_000).as_bytes());
        assert!(line.len() < LINE + 8 && line.ends_with("ä…\n".as_bytes()));
    }
}
