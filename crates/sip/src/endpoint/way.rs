//! The way of a request of ours: known, or sought by RFC 3263; and the next one when it leads nowhere (§4.3).

use std::time::Instant;

use super::Endpoint;
use super::api::{ClientId, DialogId, Failure, Outgoing, Output, QueryId, Refused};
use super::uac::Attempt;
use super::wire::Path;
use crate::locate::{Answer, Candidate, Locator, Step, Supported};
use crate::network::Network;
use crate::timer::{Timer, TimerKey};
use crate::transport::Destination;
use crate::typed::{self, Uri};

/// Where a request of ours goes.
#[derive(Debug)]
pub(super) enum Way {
    /// It goes there.
    Path(Path),
    /// It waits until that is known.
    Sought(Box<Search>),
}

/// A search that is under way, or about to begin.
#[derive(Debug)]
pub(super) struct Search {
    locator: Locator,
    asked: Option<(QueryId, TimerKey)>,
}

impl Way {
    fn sought(uri: &Uri, supported: &Supported) -> Self {
        Self::Sought(Box::new(Search { locator: Locator::new(uri, supported), asked: None }))
    }

    /// The path, where it is known.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            Self::Sought(_) => None,
        }
    }
}

impl Attempt {
    /// Whether another candidate may get it: not what was taken back, nor what has somebody's attention already.
    fn may_go_elsewhere(&self) -> bool {
        !self.is_cancelled() && self.early.is_empty() && !self.is_accepted()
    }
}

impl Endpoint {
    /// The way of a request outside of a dialog. Where it is to be located, the outbound proxy comes first; where that is was
    /// the operator's choice, so that no network is barred.
    pub(super) fn way_out(&mut self, outgoing: &mut Outgoing) -> Result<Way, Refused> {
        if outgoing.destination != Destination::Located {
            return self.wire.path(&outgoing.destination).map(Way::Path);
        }
        let proxy = self.config.outbound_proxy.as_ref().filter(|_| outgoing.route.is_empty());
        if let Some(proxy) = proxy {
            let loose = if proxy.param("lr").is_some() { "" } else { ";lr" };
            outgoing.route.push(format!("<{proxy}{loose}>"));
            let networks = Network::EVERYWHERE.to_vec();
            return Ok(Way::sought(proxy, &Supported { networks, ..self.config.outbound.clone() }));
        }
        let text = outgoing.route.first().map_or(Ok(&*outgoing.target), |route| typed::uri_text(route));
        let uri = Uri::parse(text.unwrap_or_default()).map_err(|_| Refused::Unfit("Route"))?;
        Ok(Way::sought(&uri, &self.config.outbound))
    }

    /// The way to the peer of a dialog. Only where nothing better is known than a name, that is looked for: the connection that
    /// the peer came over is gone, and it may listen there. A WebSocket client does not.
    pub(super) fn dialog_way(&mut self, id: DialogId) -> Result<Way, Refused> {
        match self.dialog_path(id) {
            Ok(path) => Ok(Way::Path(path)),
            Err(Refused::NoConnection) => {
                let dialog = self.dialogs.get(id).ok_or(Refused::NoDialog)?;
                let listens = !dialog.peer.transport.carries_one_message_a_read();
                let named = dialog.next_hop().filter(|uri| listens && uri.is_sip() && uri.ip().is_none());
                let named = named.ok_or(Refused::NoConnection)?;
                Ok(Way::sought(&named, &self.config.outbound))
            }
            Err(refused) => Err(refused),
        }
    }

    /// Sends a request whose way is known, and looks for it where it is not.
    pub(super) fn set_out(&mut self, now: Instant, id: ClientId) {
        let Some(attempt) = self.attempts.get_mut(id) else { return };
        let Way::Sought(search) = &mut attempt.way else { return self.send(now, id) };
        match search.locator.step() {
            Step::Ask(question) => {
                let query = QueryId(self.queries);
                self.queries += 1;
                let end = now + self.config.timers.timeout();
                let timer = match search.asked {
                    Some((_, timer)) => timer,
                    None => self.timers.set(end, Timer::Unlocated(id)),
                };
                search.asked = Some((query, timer));
                self.asked.insert(query, id);
                self.wire.ask(Output::Ask { id: query, query: question });
            }
            Step::Candidates(found) => {
                self.end_search(id);
                self.try_all(now, id, found);
            }
            Step::Failed(_) => self.fail_attempt(now, id, Failure::Transport),
        }
    }

    fn try_all(&mut self, now: Instant, id: ClientId, mut found: Vec<Candidate>) {
        found.reverse();
        if let Some(attempt) = self.attempts.get_mut(id) {
            attempt.elsewhere = found;
        }
        if !self.try_elsewhere(now, id) {
            self.fail_attempt(now, id, Failure::Transport);
        }
    }

    /// Sends a request by the next of the ways that were found for it. `false`: there is none.
    pub(super) fn try_elsewhere(&mut self, now: Instant, id: ClientId) -> bool {
        let Some(attempt) = self.attempts.get_mut(id).filter(|attempt| attempt.may_go_elsewhere()) else {
            return false;
        };
        let path = loop {
            let Some(candidate) = attempt.elsewhere.pop() else { return false };
            if let Ok(path) = self.wire.path(&candidate.into()) {
                break path;
            }
        };
        attempt.way = Way::Path(path);
        attempt.datagram = None;
        self.send(now, id);
        true
    }

    /// The DNS has said something, or that it has nothing to say.
    pub(super) fn located(&mut self, now: Instant, query: QueryId, answer: Answer) {
        let Some(id) = self.asked.remove(&query) else { return };
        if let Some(Way::Sought(search)) = self.attempts.get_mut(id).map(|attempt| &mut attempt.way) {
            search.locator.answered(answer, &mut *self.random);
        }
        self.set_out(now, id);
    }

    /// Nothing is awaited of the DNS any more for this request.
    fn end_search(&mut self, id: ClientId) {
        let Some(attempt) = self.attempts.get_mut(id) else { return };
        if let Way::Sought(search) = &mut attempt.way
            && let Some((query, timer)) = search.asked.take()
        {
            self.asked.remove(&query);
            self.timers.stop(timer);
        }
    }

    /// The request ends; what was asked for it is of no interest.
    pub(super) fn forget_search(&mut self, attempt: &Attempt) {
        if let Way::Sought(search) = &attempt.way
            && let Some((query, timer)) = search.asked
        {
            self.asked.remove(&query);
            self.timers.stop(timer);
        }
    }
}
