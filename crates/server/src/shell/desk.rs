//! The server's end of the operator's desk: a Unix socket that its owner alone may use (threat T35), beside signalling's loop.
//!
//! Connections are few and short: each has a bounded line to say what it wants, and a deadline. The clerk takes their requests one
//! after the other.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::clerk::Errand;
use crate::desk::{Answer, LINE, PATIENCE, Request, socket};
use crate::listen::PAUSE;

/// Connections served at once; the others wait to be accepted.
const CONNECTIONS: usize = 8;
/// Connections that the kernel keeps until then.
const BACKLOG: i32 = 16;

/// A socket that is bound. Dropped, it leaves nothing behind.
pub(crate) struct Desk {
    listener: net::UnixListener,
    path: PathBuf,
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Desk {
    /// Binds the socket in a directory that is this process's alone: one that is there is a dead server's.
    ///
    /// # Errors
    ///
    /// It cannot be bound, or there is something else of its name.
    pub(crate) fn bind(data_dir: &Path) -> anyhow::Result<Self> {
        let path = socket(data_dir);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.file_type().is_socket() => {
                fs::remove_file(&path).with_context(|| format!("cannot replace {}", path.display()))?;
            }
            Ok(_) => bail!("{} is no socket; right would be nothing there", path.display()),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot look at {}", path.display())),
        }
        let listener = listener(&path).with_context(|| format!("cannot listen at {}", path.display()))?;
        Ok(Self { listener, path })
    }

    /// Serves until it is dropped. To be run in a `LocalSet`.
    pub(crate) async fn serve(self, errands: mpsc::Sender<Errand>) {
        let Ok(listener) = self.listener.try_clone().and_then(UnixListener::from_std) else {
            return tracing::error!("the desk is not served: its socket has failed");
        };
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let Ok((stream, _)) = listener.accept().await else {
                // Most likely there are no descriptors left (fault F8).
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let errands = errands.clone();
            spawn_local(async move {
                if timeout(PATIENCE, converse(stream, errands)).await.is_err() {
                    tracing::debug!("a request at the desk took too long");
                }
                drop(place);
            });
        }
    }
}

/// Nobody can connect before it listens, and by then it is its owner's alone.
fn listener(path: &Path) -> std::io::Result<net::UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

async fn converse(mut stream: UnixStream, errands: mpsc::Sender<Errand>) {
    let mut line = Vec::new();
    let read = BufReader::new(&mut stream).take(LINE as u64).read_until(b'\n', &mut line).await;
    if read.is_err() || line.is_empty() {
        return;
    }
    let answer = match request(&line) {
        Ok(request) => carried_out(request, &errands).await,
        Err(why) => Answer::Refused(why),
    };
    let mut text = serde_json::to_string(&answer).unwrap_or_default();
    text.push('\n');
    // Who has gone does not want the answer.
    let _ = stream.write_all(text.as_bytes()).await;
}

fn request(line: &[u8]) -> Result<Request, String> {
    if !line.ends_with(b"\n") {
        return Err(format!("a request is a line of at most {LINE} octets"));
    }
    // What stands there is not told again: it may be a password.
    serde_json::from_slice(line).map_err(|_| "this request is unknown here: are the two of one version?".to_owned())
}

async fn carried_out(request: Request, errands: &mpsc::Sender<Errand>) -> Answer {
    let (tell, told) = oneshot::channel();
    let _ = errands.send(Errand::Asked(request, tell)).await;
    told.await.unwrap_or_else(|_| Answer::Refused("the server is ending".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::task::LocalSet;

    /// A desk in a directory of its own, whose clerk says "done", and what is said to it.
    fn at_a_desk<F: Future<Output = ()>>(test: impl FnOnce(PathBuf) -> F) {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("tertulia-desk-{}-{number}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let desk = Desk::bind(&directory).unwrap();
            let (errands, mut asked) = mpsc::channel(1);
            spawn_local(desk.serve(errands));
            spawn_local(async move {
                while let Some(Errand::Asked(_, tell)) = asked.recv().await {
                    let _ = tell.send(Answer::Done("done".to_owned()));
                }
            });
            test(socket(&directory)).await;
        });
        let _ = fs::remove_dir_all(&directory);
    }

    async fn answer(stream: &mut UnixStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    // THREATS T35
    #[test]
    fn the_socket_is_its_owner_s_and_takes_bounded_lines() {
        at_a_desk(|path| async move {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            for (said, told) in [
                ("{\"user\":\"list\"}\n".to_owned(), "{\"done\":\"done\"}\n"),
                ("{\"user\":\"dance\"}\n".to_owned(), "unknown here"),
                ("\u{0}\n".to_owned(), "unknown here"),
                ("x".repeat(LINE), "at most 65536 octets"),
            ] {
                let mut stream = UnixStream::connect(&path).await.unwrap();
                stream.write_all(said.as_bytes()).await.unwrap();
                let answer = answer(&mut stream).await;
                assert!(answer.contains(told), "{answer}");
            }
        });
    }

    #[test]
    fn who_says_nothing_is_shown_out_and_holds_up_nobody_for_longer() {
        at_a_desk(|path| async move {
            let mut silent = Vec::new();
            for _ in 0..CONNECTIONS {
                let mut stream = UnixStream::connect(&path).await.unwrap();
                stream.write_all(b"{").await.unwrap();
                silent.push(stream);
            }
            let begun = tokio::time::Instant::now();
            let mut late = UnixStream::connect(&path).await.unwrap();
            late.write_all(b"{\"user\":\"list\"}\n").await.unwrap();
            assert_eq!(answer(&mut late).await, "{\"done\":\"done\"}\n");
            assert_eq!(begun.elapsed().as_secs(), PATIENCE.as_secs());
            for mut stream in silent {
                assert_eq!(answer(&mut stream).await, "");
            }
        });
    }

    #[test]
    fn what_is_no_socket_is_left_alone_and_a_dead_server_s_is_replaced() {
        at_a_desk(|path| async move {
            let directory = path.parent().unwrap();
            // The file stays, though nobody listens any more.
            drop(Desk::bind(directory).map(|desk| std::mem::ManuallyDrop::new(desk).listener.try_clone()));
            assert!(Desk::bind(directory).is_ok());
            fs::write(&path, "precious").unwrap();
            let told = Desk::bind(directory).err().unwrap().to_string();
            assert!(told.contains("desk.sock is no socket"), "{told}");
            assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        });
    }
}
