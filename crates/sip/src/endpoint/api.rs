//! The vocabulary between an endpoint, its shell and its user.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::auth::Credentials;
use crate::locate;
use crate::message::{Body, Method, Request, Response};
use crate::slots::Id;
use crate::transport::{ConnectionId, Destination, Hop, Source, Transport};

pub use crate::dialog::DialogId;

/// A request of a peer that wants an answer.
pub type TransactionId = Id<crate::transaction::server::ServerTransaction>;

/// A request of our own, through all its attempts (a challenge answered, for example).
pub type ClientId = Id<super::uac::Attempt>;

/// What the shell tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A datagram came.
    Datagram {
        /// The socket's address.
        local: SocketAddr,
        /// The sender's.
        remote: SocketAddr,
        /// All of it.
        octets: Vec<u8>,
    },
    /// A connection is open: one accepted, or one that [`Output::Connect`] asked for.
    Opened {
        /// Its id.
        connection: ConnectionId,
        /// Its transport.
        transport: Transport,
        /// Our address.
        local: SocketAddr,
        /// The peer's.
        remote: SocketAddr,
    },
    /// Octets came on a stream, cut anywhere; or one whole WebSocket message.
    Received {
        /// The connection.
        connection: ConnectionId,
        /// What came.
        octets: Vec<u8>,
    },
    /// A connection is gone, or could not be opened.
    Closed {
        /// Its id, never used again.
        connection: ConnectionId,
    },
    /// What the DNS says to [`Output::Ask`]; an empty answer where it cannot say. One that comes too late is passed over.
    Answer {
        /// The question's id.
        id: QueryId,
        /// What it says.
        answer: locate::Answer,
    },
}

/// What the shell and the user are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send these octets.
    Transmit {
        /// Where.
        hop: Hop,
        /// What.
        octets: Vec<u8>,
    },
    /// Open a connection; [`Input::Opened`] or [`Input::Closed`] tells how it went. Octets for it may follow at once.
    Connect {
        /// The id it shall have.
        connection: ConnectionId,
        /// The transport.
        transport: Transport,
        /// The address.
        remote: SocketAddr,
        /// The name that the peer's certificate must show; `None`: the address itself.
        server_name: Option<String>,
    },
    /// Send what is queued, then close. [`Input::Closed`] need not follow.
    Close {
        /// The connection.
        connection: ConnectionId,
    },
    /// Ask the DNS; [`Input::Answer`] is awaited, for 64·T1 from the first question for a request.
    Ask {
        /// Names the question in its answer. Never used again.
        id: QueryId,
        /// What is asked.
        query: locate::Query,
    },
    /// For the user.
    Event(Event),
}

/// A question to the DNS that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub u64);

/// What happened, for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A request wants an answer by [`super::Endpoint::respond`] or, for what begins a usage, [`super::Endpoint::accept`].
    /// ACK and CANCEL never come this way, nor what the rules of RFC 3261 §8.2 refuse; BYE only as
    /// [`super::Config::judge_foreign_bye`] says.
    Request {
        /// Answer to this.
        transaction: TransactionId,
        /// The request; `received` and `rport` are filled in (RFC 3581).
        request: Arc<Request>,
        /// Where it came from.
        source: Source,
        /// The dialog it is in; an INVITE with one is a re-INVITE.
        dialog: Option<DialogId>,
    },
    /// The peer took back its INVITE by CANCEL or BYE, or let it expire, and it got its 487; the transaction is gone.
    Cancelled {
        /// Which.
        transaction: TransactionId,
    },
    /// The ACK to an accepted INVITE came (once for each).
    Acknowledged {
        /// The dialog.
        dialog: DialogId,
        /// The ACK; its body is the answer where the 200 made the offer.
        request: Arc<Request>,
    },
    /// The session of a dialog is over. The id is gone, unless the dialog is held ([`super::Endpoint::hold`]).
    Ended {
        /// Which.
        dialog: DialogId,
        /// Why.
        cause: Cause,
    },
    /// After a 491 to a re-INVITE or UPDATE of ours the time came that it may be tried again (RFC 3261 §14.1), if it is
    /// still wanted. The peer's own may have changed the session meanwhile.
    MayRetry {
        /// The dialog.
        dialog: DialogId,
    },
    /// The session wants a re-INVITE that refreshes it (RFC 4028), for the peer takes no UPDATE; without one it ends.
    RefreshDue {
        /// The dialog.
        dialog: DialogId,
    },
    /// A 101–199 to an INVITE of ours came.
    Provisional {
        /// The INVITE.
        client: ClientId,
        /// What came.
        response: Arc<Response>,
    },
    /// A request of ours that begins a usage was accepted. The client id is gone.
    ///
    /// An INVITE: the ACK is sent; but where the INVITE made no offer and the 2xx does, it waits for the answer
    /// ([`super::Endpoint::acknowledge`]). A SUBSCRIBE or REFER outside of a dialog: the dialog is held as by
    /// [`super::Endpoint::hold`]; NOTIFYs may have come in it before.
    Accepted {
        /// The request.
        client: ClientId,
        /// The dialog; the one it was sent in, for a re-INVITE.
        dialog: DialogId,
        /// The 2xx.
        response: Arc<Response>,
    },
    /// The final answer to a request of ours, unless it is [`Event::Accepted`]. The client id is gone.
    Answered {
        /// The request.
        client: ClientId,
        /// The answer; challenges that could be met are not among them.
        response: Arc<Response>,
    },
    /// A request of ours ended without an answer. The client id is gone.
    Failed {
        /// The request.
        client: ClientId,
        /// Why.
        failure: Failure,
    },
}

/// Why a dialog is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The peer sent this BYE; it got its 200.
    Bye(Arc<Request>),
    /// [`super::Endpoint::bye`] was called and the BYE is through: the status code, or `None` without an answer.
    HungUp(Option<u16>),
    /// No ACK came for 64·T1; a BYE was sent (RFC 3261 §13.3.1.4).
    NoAck,
    /// The peer did not refresh the session in time (RFC 4028 §10), or we could not; a BYE was sent.
    Unrefreshed,
    /// The peer answered a request of the session with 481 or 408, or not at all (RFC 3261 §12.2.1.2), or one in the
    /// dialog with a code that ends it (RFC 5057 §5.1); a BYE was sent.
    PeerGone,
}

/// Why a request got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Timer B or F ran out (to be treated as a 408, RFC 3261 §8.1.3.1).
    Timeout,
    /// The connection failed, or there is no way to where it should go (to be treated as a 503).
    Transport,
    /// It was cancelled, and the 2xx that crossed the CANCEL was hung up; or the peer never answered the CANCEL.
    Cancelled,
    /// The dialog it was to be sent in ended.
    DialogOver,
}

/// An answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The status code, 101 to 699.
    pub code: u16,
    /// The reason phrase; `None`: the usual one.
    pub reason: Option<String>,
    /// The value of Contact, `<sip:room@host>;isfocus`; needed to accept.
    pub contact: Option<String>,
    /// Further rows. Allow, Supported, Accept and Server are filled in where due unless they stand here.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Body>,
}

impl Answer {
    /// An answer with nothing but a status code.
    #[must_use]
    pub fn new(code: u16) -> Self {
        Self { code, ..Self::default() }
    }

    /// With this reason phrase.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// With this Contact.
    #[must_use]
    pub fn contact(mut self, contact: impl Into<String>) -> Self {
        self.contact = Some(contact.into());
        self
    }

    /// With one row more.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, content_type: impl Into<String>, octets: impl Into<Vec<u8>>) -> Self {
        self.body = Some(Body { content_type: content_type.into(), octets: octets.into() });
        self
    }
}

/// A request of our own outside of a dialog (RFC 3261 §8.1.1); an INVITE makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// The Request-URI.
    pub target: String,
    /// The value of From, without a tag.
    pub from: String,
    /// The value of To.
    pub to: String,
    /// The value of Contact; needed for an INVITE.
    pub contact: Option<String>,
    /// Where it goes.
    pub destination: Destination,
    /// Values of Route, in order.
    pub route: Vec<String>,
    /// The Call-ID; `None`: a new one.
    pub call_id: Option<String>,
    /// The CSeq number of the first attempt, below 2^31 − 1; one more for each challenge answered.
    pub cseq: u32,
    /// Further rows.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Body>,
    /// What 401s and 407s are answered with, each realm once; kept for the requests in the dialog that follows. Credentials for
    /// one realm go first ([`Credentials::for_realm`]); those for any serve one realm of the server and one of proxies.
    pub credentials: Vec<Credentials>,
}

impl Outgoing {
    /// A request with what every request needs. `from` and `to` are header field values: `"A" <sip:a@host>`.
    #[must_use]
    pub fn new(
        method: Method,
        target: impl Into<String>,
        from: impl Into<String>,
        to: impl Into<String>,
        destination: Destination,
    ) -> Self {
        Self {
            method,
            target: target.into(),
            from: from.into(),
            to: to.into(),
            contact: None,
            destination,
            route: Vec::new(),
            call_id: None,
            cseq: 1,
            headers: Vec::new(),
            body: None,
            credentials: Vec::new(),
        }
    }

    /// With this Contact.
    #[must_use]
    pub fn contact(mut self, contact: impl Into<String>) -> Self {
        self.contact = Some(contact.into());
        self
    }

    /// With one row more.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, content_type: impl Into<String>, octets: impl Into<Vec<u8>>) -> Self {
        self.body = Some(Body { content_type: content_type.into(), octets: octets.into() });
        self
    }

    /// With these credentials beside others.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials.push(credentials);
        self
    }
}

/// A request of our own within a dialog (RFC 3261 §12.2.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Within {
    /// The method; INVITE for a re-INVITE. For BYE call [`super::Endpoint::bye`].
    pub method: Method,
    /// The value of Contact; `None`: the dialog's own for what refreshes the target, else none.
    pub contact: Option<String>,
    /// Further rows.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Body>,
}

impl Within {
    /// A request with nothing but its method.
    #[must_use]
    pub fn new(method: Method) -> Self {
        Self { method, contact: None, headers: Vec::new(), body: None }
    }

    /// With one row more.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, content_type: impl Into<String>, octets: impl Into<Vec<u8>>) -> Self {
        self.body = Some(Body { content_type: content_type.into(), octets: octets.into() });
        self
    }
}

/// Why a call on the endpoint did nothing: the caller's fault, or a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The transaction has its final answer, was cancelled, or is gone.
    #[error("the transaction is answered, cancelled or gone")]
    NoTransaction,
    /// The dialog is gone or ending.
    #[error("the dialog is gone or ending")]
    NoDialog,
    /// The request of our own is gone.
    #[error("the request is gone")]
    NoRequest,
    /// The connection is gone.
    #[error("the connection is gone")]
    NoConnection,
    /// A re-INVITE is under way in this dialog already (RFC 3261 §14.1).
    #[error("an INVITE is under way in this dialog")]
    Pending,
    /// A bound of [`super::Limits`] is reached.
    #[error("a table is full")]
    Full,
    /// A value handed in breaks its grammar or does not fit.
    #[error("unfit {0}")]
    Unfit(&'static str),
}

/// How much an endpoint holds at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Server transactions.
    pub server_transactions: usize,
    /// Requests of our own under way; an INVITE that was accepted counts for 64·T1 more (RFC 6026).
    pub client_transactions: usize,
    /// Dialogs, early ones too.
    pub dialogs: usize,
    /// Connections, those being opened too.
    pub connections: usize,
}
