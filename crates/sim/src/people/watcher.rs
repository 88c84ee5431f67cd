//! A subscriber who holds every NOTIFY against the rules, and puts the picture of the room together (RFC 4575 §4.6, RFC 6502 §5.2).

use std::time::{Duration, Instant};

use conference_info::read::{self, Limits, State};
use conference_info::view::{Outcome, View, XconView};
use conference_info::{CONFERENCE_INFO, Conference, XCON_CONFERENCE_INFO, XCON_CONFERENCE_INFO_DIFF};

use super::{Chat, Person, SipMessage};

/// How long a NOTIFY waits for its answer before the subscription is gone (RFC 3261 §17.1.2.2, timer F).
const NO_ANSWER: Duration = Duration::from_secs(32);

/// The documents that a watcher asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asks {
    /// Nothing in particular.
    Nothing,
    /// Those of RFC 4575, by name.
    Plain,
    /// Those of RFC 6501.
    Xcon,
    /// The same, and patches.
    Patches,
}

impl Asks {
    fn accept(self) -> Option<String> {
        let list = match self {
            Self::Nothing => return None,
            Self::Plain => CONFERENCE_INFO.to_owned(),
            Self::Xcon => XCON_CONFERENCE_INFO.to_owned(),
            Self::Patches => format!("{XCON_CONFERENCE_INFO}, {XCON_CONFERENCE_INFO_DIFF}"),
        };
        Some(format!("Accept: {list}"))
    }

    /// Whether the documents are those of RFC 4575.
    #[must_use]
    pub fn is_plain(self) -> bool {
        matches!(self, Self::Nothing | Self::Plain)
    }
}

/// What a watcher does about a NOTIFY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It takes it.
    Takes,
    /// It takes it, and says so after so long.
    TakesLate(Duration),
    /// It says 500, and has not read it.
    Refuses,
    /// It gets lost.
    Loses,
}

/// A NOTIFY that has come.
#[derive(Clone, Debug)]
pub struct Told {
    /// When.
    pub at: Instant,
    /// The type of its document, if it has one.
    pub content_type: Option<&'static str>,
    /// The octets of its document.
    pub body: String,
}

/// A subscription and what is known by it.
pub struct Watcher {
    /// In whose dialog.
    pub person: Person,
    /// What is asked for.
    pub asks: Asks,
    /// How far changes must be apart.
    pub interval: Duration,
    /// Which NOTIFYs have come, in order.
    pub told: Vec<Told>,
    event: String,
    picture: Picture,
    /// Of the last document that was sent.
    version: u32,
    state: Subscription,
    /// Nothing but everything is to come next.
    wants_all: bool,
    last_change: Option<Instant>,
    /// Those that are answered late, and whether that is of interest still: a refresh gets a NOTIFY at once.
    unanswered: Vec<(Instant, SipMessage, bool)>,
    /// Since when a NOTIFY is under way that will have no answer.
    lost: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subscription {
    None,
    Until(Instant),
}

enum Picture {
    Plain(View),
    Xcon(XconView),
}

impl Picture {
    fn new(asks: Asks) -> Self {
        if asks.is_plain() { Self::Plain(View::new()) } else { Self::Xcon(XconView::new()) }
    }

    /// Takes a document; its version, and whether it tells everything.
    fn take(&mut self, content_type: &str, body: &str) -> (Outcome, Option<u32>, bool) {
        let limits = Limits::default();
        let document = || read::document(body.as_bytes(), &limits).unwrap_or_else(|error| panic!("{error}: {body}"));
        match (self, content_type) {
            (Self::Plain(view), CONFERENCE_INFO) => {
                let document = document();
                let (version, is_full) = (document.version, document.state == State::Full);
                (view.apply(document), version, is_full)
            }
            (Self::Xcon(view), XCON_CONFERENCE_INFO) => {
                let document = document();
                let version = document.version;
                (view.replace(document), version, true)
            }
            (Self::Xcon(view), XCON_CONFERENCE_INFO_DIFF) => {
                let diff = read::diff(body.as_bytes(), &limits).unwrap_or_else(|error| panic!("{error}: {body}"));
                let version = diff.version;
                (view.patch(diff), version, false)
            }
            (_, other) => panic!("a document of a type that was not asked for: {other}"),
        }
    }
}

impl Watcher {
    /// Somebody who is in a room, and has not subscribed yet.
    #[must_use]
    pub fn new(person: Person, asks: Asks, interval: Duration) -> Self {
        Self {
            person,
            asks,
            interval,
            told: Vec::new(),
            event: "conference".to_owned(),
            picture: Picture::new(asks),
            version: 0,
            state: Subscription::None,
            wants_all: true,
            last_change: None,
            unanswered: Vec::new(),
            lost: None,
        }
    }

    /// What is known of the room.
    #[must_use]
    pub fn conference(&self) -> Option<&Conference> {
        match &self.picture {
            Picture::Plain(view) => view.conference(),
            Picture::Xcon(view) => view.conference(),
        }
    }

    /// Whether there is a subscription that tells what happens.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.state != Subscription::None && self.lost.is_none()
    }

    /// When it runs out.
    #[must_use]
    pub fn until(&self) -> Option<Instant> {
        match self.state {
            Subscription::None => None,
            Subscription::Until(until) => Some(until),
        }
    }

    /// When the next late answer is due.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.unanswered.iter().map(|(due, ..)| *due).min()
    }

    /// Subscribes, or refreshes: everything is told at once.
    ///
    /// # Panics
    /// When it is not.
    pub fn subscribe(&mut self, chat: &mut Chat, asks: Asks, seconds: u32, reply: Reply) {
        self.take(chat, |_| Reply::Takes);
        let now = chat.stage.now;
        // A notifier gives a subscription up whose NOTIFY has no answer, and so begins anew.
        let is_gone = self.state == Subscription::None || self.lost.is_some_and(|since| since + NO_ANSWER <= now);
        if is_gone {
            (self.version, self.lost, self.last_change) = (0, None, None);
        }
        // Who says nothing of it in a refresh gets what they got.
        let form = if asks == Asks::Nothing && !is_gone { self.asks } else { asks };
        if is_gone || form.is_plain() != self.asks.is_plain() {
            self.picture = Picture::new(form);
        }
        self.asks = form;
        self.wants_all = true;
        let lines = [Some(format!("Event: {}", self.event)), asks.accept(), Some(format!("Expires: {seconds}"))];
        let lines: Vec<&str> = lines.iter().flatten().map(String::as_str).collect();
        let answer = chat.subscribe(self.person, &lines);
        let seconds = answer.header("Expires").and_then(|value| value.parse::<u64>().ok());
        assert_eq!((answer.code(), seconds.is_some()), (200, true), "{answer:?}");
        self.state = Subscription::Until(now + Duration::from_secs(seconds.unwrap_or_default()));
        let notify = chat.next_sip(self.person).expect("a SUBSCRIBE is followed by a NOTIFY at once");
        self.lost = None;
        self.unanswered.iter_mut().for_each(|(.., counts)| *counts = false);
        self.notified(chat, &notify, true, reply);
    }

    /// What the focus says now to who asks without staying (`Expires: 0`).
    ///
    /// # Panics
    /// When it is not everything.
    pub fn fetch(&self, chat: &mut Chat) -> Conference {
        let accept = self.asks.accept();
        let lines = [Some("Event: conference;id=fetch"), accept.as_deref(), Some("Expires: 0")];
        let lines: Vec<&str> = lines.into_iter().flatten().collect();
        assert_eq!(chat.subscribe(self.person, &lines).code(), 200);
        let notify = chat.next_sip(self.person).expect("a SUBSCRIBE is followed by a NOTIFY at once");
        assert_eq!(notify.header("Subscription-State"), Some("terminated;reason=timeout"));
        chat.answer_to(self.person, &notify, "200 OK");
        let mut picture = Picture::new(self.asks);
        let told = picture.take(notify.header("Content-Type").unwrap_or_default(), &notify.body);
        assert_eq!(told, (Outcome::Applied, Some(1), true));
        match picture {
            Picture::Plain(view) => view.conference().cloned(),
            Picture::Xcon(view) => view.conference().cloned(),
        }
        .expect("a full document was taken")
    }

    /// Takes what has come, each as `reply` says, and gives the answers that are due. Whether a BYE came.
    pub fn take(&mut self, chat: &mut Chat, mut reply: impl FnMut(&SipMessage) -> Reply) -> bool {
        let now = chat.stage.now;
        for (_, notify, _) in self.unanswered.extract_if(.., |(due, ..)| *due <= now) {
            chat.answer_to(self.person, &notify, "200 OK");
        }
        let mut is_dismissed = false;
        while let Some(request) = chat.next_sip(self.person) {
            if request.start.starts_with("BYE ") {
                chat.answer_to(self.person, &request, "200 OK");
                is_dismissed = true;
                continue;
            }
            let reply = reply(&request);
            self.notified(chat, &request, false, reply);
        }
        is_dismissed
    }

    /// A NOTIFY has come, asked for or not.
    fn notified(&mut self, chat: &mut Chat, notify: &SipMessage, is_answer: bool, reply: Reply) {
        let now = chat.stage.now;
        assert!(notify.start.starts_with("NOTIFY "), "{notify:?}");
        assert_eq!(notify.header("Event"), Some(self.event.as_str()));
        let until = self.until().unwrap_or_else(|| panic!("told without a subscription: {notify:?}"));
        let state = notify.header("Subscription-State").unwrap_or_default();
        let known_type = [CONFERENCE_INFO, XCON_CONFERENCE_INFO, XCON_CONFERENCE_INFO_DIFF];
        let content_type =
            notify.header("Content-Type").and_then(|it| known_type.into_iter().find(|known| *known == it));
        self.told.push(Told { at: now, content_type, body: notify.body.clone() });
        if state.starts_with("terminated") {
            assert_eq!(notify.body, "", "the last NOTIFY of a room that goes on tells nothing");
            assert!(state.ends_with("=noresource") || (state.ends_with("=timeout") && until <= now), "{state}");
            chat.answer_to(self.person, notify, "200 OK");
            (self.state, self.lost) = (Subscription::None, None);
            return self.unanswered.clear();
        }
        assert_eq!(state, format!("active;expires={}", (until - now).as_secs()), "{notify:?}");
        if !is_answer {
            let is_under_way = self.lost.is_some() || self.unanswered.iter().any(|(.., counts)| *counts);
            assert!(!is_under_way, "a second NOTIFY is under way: {notify:?}");
            let is_due = self.last_change.is_none_or(|last| last + self.interval <= now);
            assert!(is_due, "a change is told {:?} after another", self.last_change.map(|last| now - last));
            self.last_change = Some(now);
        }
        self.version += 1;
        self.read(notify, reply);
        match reply {
            Reply::Takes => chat.answer_to(self.person, notify, "200 OK"),
            Reply::TakesLate(time) => self.unanswered.push((now + time, notify.clone(), true)),
            Reply::Refuses => chat.answer_to(self.person, notify, "500 Server Internal Error"),
            Reply::Loses => self.lost = Some(now),
        }
    }

    /// Reads a document, unless it is refused or lost.
    fn read(&mut self, notify: &SipMessage, reply: Reply) {
        let content_type = notify.header("Content-Type").unwrap_or_default();
        if matches!(reply, Reply::Refuses | Reply::Loses) {
            // Whatever was in it, only a full document helps now.
            self.wants_all = true;
            return;
        }
        let (outcome, version, is_full) = self.picture.take(content_type, &notify.body);
        assert_eq!(version, Some(self.version), "versions grow by one:\n{}", notify.body);
        assert!(is_full || !self.wants_all, "{:?} misses what was before:\n{}", self.person, notify.body);
        assert_eq!(outcome, Outcome::Applied, "{:?} cannot take\n{}", self.person, notify.body);
        self.wants_all = false;
    }
}
