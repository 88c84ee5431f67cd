//! REFER to a room (RFC 3515, RFC 4579 §5.5, §5.11): somebody is to be called to it, or to be removed; or several (RFC 5368).
//!
//! All of a REFER is weighed before anything of it is done: what is refused leaves no trace. Of the URI in it only what is
//! known to do no harm reaches the INVITE.

use std::sync::Arc;
use std::time::Instant;

use room::Address;
use sip::typed::{CSeq, NameAddr, Uri};
use sip::{Answer, DialogId, Request, Source, TransactionId};

use super::admission::{Call, Caller, Purpose};
use super::calls::Invitation;
use super::join::{own_contact, wants_privacy};
use super::media::Unfit;
use super::rooms::room_name;
use super::seat::Ending;
use super::uri_list::UriList;
use super::{Phase, Signalling, bodies};

/// The header fields that the URI in Refer-To may have for an INVITE (RFC 3261 §19.1.5); with others it is refused.
const PASSED_ON: [&str; 2] = ["Replaces", "Subject"];

const FORBIDDEN: Unfit = Unfit { code: 403, reason: "" };
const NOT_FOUND: Unfit = Unfit { code: 404, reason: "" };
const MALFORMED: Unfit = Unfit { code: 400, reason: "Malformed Refer-To" };

/// A REFER by somebody who is known.
struct Referral<'a> {
    transaction: TransactionId,
    request: &'a Request,
    source: Source,
    user: &'a Caller,
    /// The room that it is about.
    name: String,
    contact: String,
}

/// What it asks for.
struct Wish {
    asked: Asked,
    /// Whether nobody wants to know what comes of it (RFC 4488).
    quiet: bool,
    referred_by: Option<String>,
}

enum Asked {
    One(Box<Target>),
    Several(UriList),
}

/// Somebody whom it is about.
struct Target {
    uri: Uri,
    method: TargetMethod,
    headers: Vec<(String, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TargetMethod {
    Invite,
    Bye,
}

/// What is to be done, as it was found to be allowed.
enum Deed {
    Call(Box<Target>),
    Remove(Vec<room::SeatId>),
    Delete,
}

impl Signalling {
    /// A REFER outside of a dialog. Who names the dialog of a seat of theirs has proven who they are (RFC 4538 §4), as its tag is
    /// not to be guessed; others prove it like callers.
    pub(super) fn referred(&mut self, now: Instant, call: Call) {
        let proof = self.target_dialog(&call.request).and_then(|id| self.seats.get(&id));
        let Some(user) = proof.map(|seat| seat.user.clone()) else { return self.called(now, call) };
        let from = call.request.from().ok().and_then(|from| Address::parse(from.uri.as_str()).ok());
        if !from.is_some_and(|from| user.is_known_as(&from)) {
            return self.refuse(now, call.transaction, FORBIDDEN);
        }
        if self.is_within_rate(now, call.transaction, &call.source)
            && let Err(unfit) = self.refer(now, &call, &user)
        {
            self.refuse(now, call.transaction, unfit);
        }
    }

    /// A REFER outside of a dialog, by somebody who is known.
    pub(super) fn refer(&mut self, now: Instant, call: &Call, user: &Caller) -> Result<(), Unfit> {
        let name = room_name(&self.settings, &call.request.uri).ok_or(NOT_FOUND)?;
        let contact = own_contact(&self.settings, &name, Some(call.source.transport));
        let Call { transaction, request, source, .. } = call;
        self.weigh(now, &Referral { transaction: *transaction, request, source: *source, user, name, contact })
    }

    /// A REFER in a dialog: in that of a seat it is by who has the seat.
    pub(super) fn referred_within(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        request: &Arc<Request>,
        (dialog, source): (DialogId, Source),
    ) {
        let Some(seat) = self.dialogs.get(&dialog).and_then(|id| self.seats.get(id)) else {
            return self.called(now, Call { purpose: Purpose::Refer, transaction, request: request.clone(), source });
        };
        let (user, name, contact) = (seat.user.clone(), seat.name.clone(), seat.contact.clone());
        if !self.is_within_rate(now, transaction, &source) {
            return;
        }
        let referral = Referral { transaction, request, source, user: &user, name, contact };
        if let Err(unfit) = self.weigh(now, &referral) {
            self.refuse(now, transaction, unfit);
        }
    }

    /// Whether a request is within the rate of its source; else it gets 503.
    fn is_within_rate(&mut self, now: Instant, transaction: TransactionId, source: &Source) -> bool {
        let open = self.phase == Phase::Open && self.sources.admit(now, source.remote.ip(), self.settings.join_rate);
        if !open {
            self.refuse_for_now(now, transaction);
        }
        open
    }

    /// Weighs a REFER, and does what it asks for.
    fn weigh(&mut self, now: Instant, referral: &Referral<'_>) -> Result<(), Unfit> {
        let entry = self.rooms.get(&referral.name).ok_or(NOT_FOUND)?;
        let room = entry.id;
        if !entry.is_ruled_by(referral.user) && !self.is_in(entry, referral.user) {
            // Of a hidden room nobody else learns that there is it.
            return Err(if entry.standing.hidden { NOT_FOUND } else { FORBIDDEN });
        }
        let Wish { quiet, referred_by, asked } = Wish::of(referral)?;
        // Who is private in the room, or wants to be in this, is not named to who is called, nor to others (RFC 7701 §5.2).
        let is_private = self.seats_of(room, &referral.user.identity).any(|seat| seat.is_private);
        let is_discreet = wants_privacy(referral.request);
        let referred_by = referred_by.filter(|_| !is_private && !is_discreet);
        let shown = match is_discreet && !is_private {
            true => format!("sip:{}@{}", referral.name, self.settings.domain),
            false => self.shown_as(room, &referral.user.identity),
        };
        let (targets, history) = match asked {
            Asked::One(target) => (vec![*target], None),
            Asked::Several(list) => {
                let list = self.once_each(list);
                let targets: Result<Vec<_>, _> = list.entries.iter().map(|entry| Target::read(&entry.uri)).collect();
                (targets?, list.history().map(Arc::from))
            }
        };
        let mut deeds = Vec::new();
        for target in targets {
            deeds.push(self.deed(referral, target)?);
        }
        let calls = deeds.iter().filter(|deed| matches!(deed, Deed::Call(_))).count();
        self.has_room_for_calls(room, &referral.user.identity, calls)?;
        let accepted = Answer::new(202).contact(referral.contact.clone());
        let report = if quiet {
            self.respond(now, referral.transaction, accepted.header("Refer-Sub", "false"));
            None
        } else {
            let full = |_| Unfit { code: 503, reason: "" };
            let dialog = self.endpoint.accept(now, referral.transaction, accepted).map_err(full)?;
            let cseq = referral.request.header("CSeq").and_then(|cseq| CSeq::parse(cseq).ok());
            Some(self.open_report(now, dialog, cseq.map_or(0, |cseq| cseq.number)))
        };
        for deed in deeds {
            match deed {
                Deed::Call(target) => {
                    let Target { uri: target, mut headers, .. } = *target;
                    headers.extend(referred_by.clone().map(|value| ("Referred-By".to_owned(), value)));
                    let referrer = referral.user.identity.clone();
                    let at = self.sources.turn(now, referral.source.remote.ip(), self.settings.join_rate);
                    let history = history.clone();
                    let shown = shown.clone();
                    let invitation = Invitation { target, headers, history, referrer, shown, report };
                    self.call_out(now, at, &referral.name, invitation);
                }
                Deed::Remove(seats) => {
                    seats.into_iter().for_each(|seat| self.hang_up(now, seat, Ending::Removed));
                    self.tell_outcome(now, report, 200);
                }
                Deed::Delete => {
                    self.delete_room(now, &referral.name);
                    self.tell_outcome(now, report, 200);
                }
            }
        }
        Ok(())
    }

    /// What is to be done about somebody, if it may be.
    fn deed(&self, referral: &Referral<'_>, target: Target) -> Result<Deed, Unfit> {
        let entry = self.rooms.get(&referral.name).ok_or(NOT_FOUND)?;
        if target.method == TargetMethod::Invite {
            self.may_invite(entry, referral.user, false)?;
            self.check_callable(&target.uri, referral.user)?;
            return Ok(Deed::Call(Box::new(target)));
        }
        if room_name(&self.settings, target.uri.as_str()).as_ref() == Some(&referral.name) {
            return if entry.is_ruled_by(referral.user) { Ok(Deed::Delete) } else { Err(FORBIDDEN) };
        }
        let who = self.at_home(&target.uri).ok_or(MALFORMED)?;
        self.removable(entry, referral.user, &who).map(Deed::Remove)
    }

    /// A list in which nobody is twice, by whatever name of this server.
    pub(super) fn once_each(&self, list: UriList) -> UriList {
        let meant = |uri: &str| Uri::parse(uri).ok().and_then(|uri| self.at_home(&uri));
        list.merged_by(|uri| meant(uri).map_or_else(|| uri.to_owned(), |address| address.as_str().to_owned()))
    }

    /// The address that a URI means: at the domain's own name, if it is at any of its names.
    fn at_home(&self, uri: &Uri) -> Option<Address> {
        let address = Address::parse(uri.as_str()).ok()?;
        let ours = self.settings.is_ours(address.host_without_port());
        if ours { address.with_host(&self.settings.domain).ok() } else { Some(address) }
    }

    /// Has those called who were listed in an INVITE that has been answered (RFC 5366 §5.2): not who is there already.
    pub(super) fn invite_listed(&mut self, now: Instant, name: &str, listed: Listed) {
        let Listed { targets, history, user, source } = listed;
        let Some(room) = self.rooms.get(name).map(|entry| entry.id) else { return };
        let shown = self.shown_as(room, &user.identity);
        for Target { uri: target, headers, .. } in targets {
            let Some(who) = self.at_home(&target) else { continue };
            if self.rooms.get(name).is_none_or(|entry| self.is_there(entry, &who)) {
                continue;
            }
            // Others may have been listed since this list was weighed.
            if self.has_room_for_calls(room, &user.identity, 1).is_err() {
                return;
            }
            let at = self.sources.turn(now, source.remote.ip(), self.settings.join_rate);
            let (history, referrer, shown) = (history.clone(), user.identity.clone(), shown.clone());
            self.call_out(now, at, name, Invitation { target, headers, history, referrer, shown, report: None });
        }
    }
}

/// Who is to be called once an INVITE has been answered.
pub(super) struct Listed {
    targets: Vec<Target>,
    history: Option<Arc<str>>,
    user: Arc<Caller>,
    source: Source,
}

impl Listed {
    /// The people on a list, if they can be called at all.
    pub(super) fn of(
        list: &UriList,
        user: Arc<Caller>,
        source: Source,
        check: impl Fn(&Uri) -> Result<(), Unfit>,
    ) -> Result<Self, Unfit> {
        let mut targets = Vec::new();
        for entry in &list.entries {
            let target = Target::read(&entry.uri)?;
            if target.method != TargetMethod::Invite {
                return Err(MALFORMED);
            }
            check(&target.uri)?;
            targets.push(target);
        }
        Ok(Self { targets, history: list.history().map(Into::into), user, source })
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.targets.len()
    }
}

impl Wish {
    fn of(referral: &Referral<'_>) -> Result<Self, Unfit> {
        let request = referral.request;
        let mut values = request.headers.list("Refer-To");
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(Unfit { code: 400, reason: "One Refer-To Is Needed" });
        };
        let refer_to = NameAddr::parse(value).map_err(|_| MALFORMED)?;
        let quiet = refer_sub(request)?;
        let referred_by = referred_by(request, referral.user)?;
        if !bodies::requires(request, "multiple-refer") {
            let asked = Asked::One(Box::new(Target::read(refer_to.uri.as_str())?));
            return Ok(Self { asked, quiet, referred_by });
        }
        if !quiet {
            // One subscription cannot tell of many (RFC 5368 §5).
            return Err(Unfit { code: 400, reason: "Refer-Sub False Is Needed" });
        }
        let text = refer_to.uri.as_str();
        let is_pointer = refer_to.uri.scheme().eq_ignore_ascii_case("cid");
        let pointer = text.split_once(':').filter(|_| is_pointer).map(|(_, id)| unescape(id));
        let list = bodies::list_named(request, &pointer.flatten().ok_or(MALFORMED)?)?;
        Ok(Self { asked: Asked::Several(list), quiet, referred_by })
    }
}

impl Target {
    /// Reads a URI with its method parameter and its header part, which are not passed on as they are.
    fn read(text: &str) -> Result<Self, Unfit> {
        let uri = Uri::parse(text).map_err(|_| MALFORMED)?;
        if !uri.is_sip() {
            return Err(Unfit { code: 416, reason: "" });
        }
        let method = match uri.param("method") {
            None => TargetMethod::Invite,
            Some(method) if method.eq_ignore_ascii_case("INVITE") => TargetMethod::Invite,
            Some(method) if method.eq_ignore_ascii_case("BYE") => TargetMethod::Bye,
            Some(_) => return Err(Unfit { code: 501, reason: "" }),
        };
        // Only the user part could have such characters otherwise.
        let host_at = text.find('@').unwrap_or(0);
        let (user, rest) = text.split_at_checked(host_at).ok_or(MALFORMED)?;
        let (rest, rows) = rest.split_once('?').unwrap_or((rest, ""));
        let is_method = |param: &&str| param.split('=').next().unwrap_or_default().eq_ignore_ascii_case("method");
        let kept: Vec<&str> = rest.split(';').filter(|param| !is_method(param)).collect();
        let uri = Uri::parse(&format!("{user}{}", kept.join(";"))).map_err(|_| MALFORMED)?;
        let rows = rows.split('&').filter(|row| !row.is_empty());
        let headers: Result<Vec<_>, _> = rows.map(header_of_uri).collect();
        let headers = headers?;
        let fits = method == TargetMethod::Invite && headers.len() <= PASSED_ON.len();
        if !headers.is_empty() && !fits {
            return Err(FORBIDDEN);
        }
        Ok(Self { uri, method, headers })
    }
}

/// A header field of a URI, if it may be passed on.
fn header_of_uri(row: &str) -> Result<(String, String), Unfit> {
    let (name, value) = row.split_once('=').ok_or(MALFORMED)?;
    let (name, value) = (unescape(name).ok_or(MALFORMED)?, unescape(value).ok_or(MALFORMED)?);
    let known = PASSED_ON.into_iter().find(|known| known.eq_ignore_ascii_case(&name));
    let known = known.ok_or(Unfit { code: 403, reason: "Header Field Not Allowed" })?;
    if value.chars().any(char::is_control) {
        return Err(MALFORMED);
    }
    Ok((known.to_owned(), value))
}

/// Whether the sender wants no subscription (RFC 4488 §4).
fn refer_sub(request: &Request) -> Result<bool, Unfit> {
    let value = request.header("Refer-Sub").map(|value| value.split(';').next().unwrap_or_default().trim());
    match value {
        None => Ok(false),
        Some(value) if value.eq_ignore_ascii_case("true") => Ok(false),
        Some(value) if value.eq_ignore_ascii_case("false") => Ok(true),
        Some(_) => Err(Unfit { code: 400, reason: "Malformed Refer-Sub" }),
    }
}

/// By whom the callee is told to be referred (RFC 3892 §2.2): as the sender says, but only in their own name.
fn referred_by(request: &Request, user: &Caller) -> Result<Option<String>, Unfit> {
    let mut values = request.headers("Referred-By");
    let (Some(value), None) = (values.next(), values.next()) else {
        return if request.headers("Referred-By").next().is_none() { Ok(None) } else { Err(MALFORMED_REFERRER) };
    };
    let referrer = NameAddr::parse(value).map_err(|_| MALFORMED_REFERRER)?;
    let address = Address::parse(referrer.uri.as_str()).map_err(|_| MALFORMED_REFERRER)?;
    if user.is_known_as(&address) { Ok(Some(value.to_owned())) } else { Err(FORBIDDEN) }
}

const MALFORMED_REFERRER: Unfit = Unfit { code: 400, reason: "Malformed Referred-By" };

/// A text with its percent signs resolved.
fn unescape(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut pieces = text.split('%');
    octets.extend_from_slice(pieces.next()?.as_bytes());
    for piece in pieces {
        let (escape, rest) = piece.split_at_checked(2)?;
        octets.push(u8::from_str_radix(escape, 16).ok()?);
        octets.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(octets).ok()
}
