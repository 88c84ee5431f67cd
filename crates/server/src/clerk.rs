//! The clerk at the operator's desk: what is asked there is held against the configuration and the store, written down, carried out by
//! signalling, and only then answered. One request after the other.

mod rooms;
mod users;

use std::sync::Arc;

use focus::Settings;
use focus::desk::{self, Command};
use focus::room::{Address, Scheme};
use focus::signalling::News;
use store::{Store, StoredRoom};
use tokio::sync::{mpsc, oneshot};

use crate::config::{Config, value};
use crate::desk::{Answer, Request, RoomRequest, UserRequest};
use crate::shell::Line;

pub(crate) use rooms::{create_stored, possible};
pub(crate) use users::accounts;

/// Requests that wait for the clerk; whoever brings more waits as well.
const ERRANDS: usize = 16;

/// What the clerk is to do.
pub(crate) enum Errand {
    /// Somebody at the desk wants something.
    Asked(Request, oneshot::Sender<Answer>),
    /// A room has been made by calling it, and is to last.
    Keep(String),
    /// Such a room has been ended by who may.
    Forget(String),
    /// Something of what the node does for its owner, if it has one.
    Tell(News),
}

/// Where errands are brought to.
pub(crate) fn errands() -> (mpsc::Sender<Errand>, mpsc::Receiver<Errand>) {
    mpsc::channel(ERRANDS)
}

/// What is answered to whom it cannot be done for: why not.
type Outcome = Result<Answer, String>;

/// The clerk.
pub(crate) struct Clerk {
    pub(crate) config: Config,
    pub(crate) settings: Arc<Settings>,
    pub(crate) store: Store,
    /// To signalling.
    pub(crate) line: Line,
}

impl Clerk {
    /// Does what there is to do, until nobody can bring more.
    pub(crate) async fn work(self, mut errands: mpsc::Receiver<Errand>) {
        while let Some(errand) = errands.recv().await {
            match errand {
                Errand::Asked(request, tell) => {
                    let answer = self.serve(request).await;
                    // Whoever has gone meanwhile finds it done.
                    let _ = tell.send(answer);
                }
                Errand::Forget(room) => self.forget_called(&room).await,
                // A server is nobody's own.
                Errand::Tell(_) => {}
                Errand::Keep(room) => self.keep_called(&room).await,
            }
        }
    }

    async fn serve(&self, request: Request) -> Answer {
        tracing::debug!(?request, "asked at the desk");
        let kind = kind(&request);
        let outcome = match request {
            Request::User(request) => self.user(request).await,
            Request::Room(request) => self.room(request).await,
        };
        tracing::info!(request = kind, done = outcome.is_ok(), "the desk was asked");
        outcome.unwrap_or_else(Answer::Refused)
    }

    /// The address of a user: as a URI, or as a user part in our domain.
    fn person(&self, text: &str) -> Result<Address, String> {
        let whole = if text.contains(':') { text.to_owned() } else { format!("sip:{text}@{}", self.config.domain) };
        let domain = &self.config.domain;
        let wrong = |error| format!("{text:?} is no user: {error}; right would be NAME or sip:NAME@{domain}");
        let address = Address::parse(&whole).map_err(wrong)?;
        // By whatever name of this server it is said, it is the same user who is meant.
        let is_ours = address.scheme() == Scheme::Sip && self.settings.is_ours(address.host_without_port());
        if is_ours { address.with_host(domain).map_err(wrong) } else { Ok(address) }
    }

    /// The name of a room: as a URI, or as its user part.
    fn room_name(&self, text: &str) -> Result<String, String> {
        let name = match Address::parse(text) {
            Ok(address) if self.settings.is_ours(address.host_without_port()) => Some(address.user().to_owned()),
            Ok(_) => None,
            Err(_) => Some(text.to_owned()),
        };
        let right = || format!("{text:?} is no room; right would be NAME or sip:NAME@{}", self.config.domain);
        name.as_deref().and_then(value::user_part).ok_or_else(right)
    }

    /// The address of a name in our domain.
    fn own(&self, name: &str) -> Result<Address, String> {
        self.person(name)
    }

    async fn stored_room(&self, name: &str) -> Result<Option<StoredRoom>, String> {
        self.store.room(&self.own(name)?).await.map_err(failed)
    }

    /// Has signalling carry out a command.
    async fn tell(&self, command: Command) -> Result<desk::Answer, String> {
        self.line.order(command).await.ok_or_else(|| desk::Refusal::Ending.to_string())
    }
}

/// What the store could not do.
fn failed(error: store::Error) -> String {
    tracing::error!(%error, "the store has failed");
    error.to_string()
}

/// What the log may say of a request: whom it is about is nobody's business.
fn kind(request: &Request) -> &'static str {
    match request {
        Request::User(UserRequest::Add { .. }) => "user add",
        Request::User(UserRequest::Password { .. }) => "user password",
        Request::User(UserRequest::List) => "user list",
        Request::User(UserRequest::Delete { .. }) => "user delete",
        Request::Room(RoomRequest::List) => "room list",
        Request::Room(RoomRequest::Show { .. }) => "room show",
        Request::Room(RoomRequest::Create { .. }) => "room create",
        Request::Room(RoomRequest::Delete { .. }) => "room delete",
        Request::Room(RoomRequest::Set { .. }) => "room set",
        Request::Room(RoomRequest::Kick { .. }) => "room kick",
        Request::Room(RoomRequest::Ban { .. }) => "room ban",
        Request::Room(RoomRequest::Unban { .. }) => "room unban",
        Request::Room(RoomRequest::Mute { .. }) => "room mute",
        Request::Room(RoomRequest::Unmute { .. }) => "room unmute",
        Request::Room(RoomRequest::Password { .. }) => "room password",
        Request::Room(RoomRequest::Moderator { .. }) => "room moderator",
        Request::Room(RoomRequest::Member { .. }) => "room member",
        Request::Room(RoomRequest::Open { .. }) => "room open",
    }
}
