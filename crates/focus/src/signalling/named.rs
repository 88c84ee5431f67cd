//! Requests that name a dialog: Join (RFC 3911), Replaces (RFC 3891), Target-Dialog (RFC 4538).

use room::SeatId;
use sip::typed::{Params, is_token};
use sip::{DialogId, Request};

use super::Signalling;
use super::admission::Caller;
use super::media::Unfit;

const UNKNOWN: Unfit = Unfit { code: 481, reason: "" };
const FORBIDDEN: Unfit = Unfit { code: 403, reason: "" };

/// What an INVITE says of a dialog of this server.
pub(super) enum Named {
    /// Nothing.
    Nothing,
    /// It wants to be where that seat is.
    Join(SeatId),
    /// It wants to be in the place of that seat.
    Replace(SeatId),
}

/// The name of a dialog, the tags seen from here.
struct DialogName<'a> {
    call_id: &'a str,
    local_tag: &'a str,
    remote_tag: &'a str,
    early_only: bool,
}

impl<'a> DialogName<'a> {
    /// Reads a value whose parameters for the own tag and the peer's are these.
    fn parse(value: &'a str, local: &str, remote: &str) -> Option<Self> {
        let (call_id, params) = value.split_at(value.find(';').unwrap_or(value.len()));
        let call_id = call_id.trim();
        let (mut local_tag, mut remote_tag, mut early_only) = (None, None, false);
        for param in Params(params) {
            match param.ok()? {
                (name, Some(tag)) if name.eq_ignore_ascii_case(local) && is_token(tag) && local_tag.is_none() => {
                    local_tag = Some(tag);
                }
                (name, Some(tag)) if name.eq_ignore_ascii_case(remote) && is_token(tag) && remote_tag.is_none() => {
                    remote_tag = Some(tag);
                }
                (name, _) if name.eq_ignore_ascii_case(local) || name.eq_ignore_ascii_case(remote) => return None,
                (name, None) if name.eq_ignore_ascii_case("early-only") => early_only = true,
                _ => {}
            }
        }
        let is_call_id = !call_id.is_empty() && !call_id.contains(char::is_whitespace);
        let (local_tag, remote_tag) = (local_tag?, remote_tag?);
        is_call_id.then_some(Self { call_id, local_tag, remote_tag, early_only })
    }
}

impl Signalling {
    /// What an INVITE that makes a dialog says of another one. `has_room`: its Request-URI is that of a room that is there.
    pub(super) fn named(&self, request: &Request, user: &Caller, has_room: bool) -> Result<Named, Unfit> {
        const MALFORMED: Unfit = Unfit { code: 400, reason: "Malformed Join Or Replaces" };
        let values = |name| request.headers.list(name).collect::<Vec<_>>();
        let (value, replaces) = match (&values("Join")[..], &values("Replaces")[..]) {
            ([], []) => return Ok(Named::Nothing),
            ([value], []) => (*value, false),
            ([], [value]) => (*value, true),
            _ => return Err(MALFORMED),
        };
        // Both are compared as the tags of a request that comes in: To's is our own.
        let name = DialogName::parse(value, "to-tag", "from-tag").ok_or(MALFORMED)?;
        let Some(dialog) = self.find_named(&name) else {
            // RFC 3911 §4: at the URI of a conference a Join that names nothing is nothing.
            return if has_room && !replaces { Ok(Named::Nothing) } else { Err(UNKNOWN) };
        };
        if self.ending.contains(&dialog) {
            return Err(Unfit { code: 603, reason: "" });
        }
        let id = *self.dialogs.get(&dialog).ok_or(UNKNOWN)?;
        let seat = self.seats.get(&id).ok_or(UNKNOWN)?;
        let is_own = seat.user.is_same(user);
        if replaces {
            return match name.early_only {
                _ if !is_own => Err(FORBIDDEN),
                true => Err(Unfit { code: 486, reason: "" }),
                false => Ok(Named::Replace(id)),
            };
        }
        // Who knows the room may call it; who does not gets in by a dialog of their own alone.
        let knows_room = super::rooms::room_name(&self.settings, &request.uri).is_some_and(|name| name == seat.name);
        if knows_room || is_own { Ok(Named::Join(id)) } else { Err(FORBIDDEN) }
    }

    /// The seat in whose dialog the sender of a request is, as it says (RFC 4538). What names no seat says nothing.
    pub(super) fn target_dialog(&self, request: &Request) -> Option<SeatId> {
        let mut values = request.headers.list("Target-Dialog");
        let (value, None) = (values.next()?, values.next()) else { return None };
        // The tags are those that its recipient sees.
        let name = DialogName::parse(value, "local-tag", "remote-tag")?;
        self.dialogs.get(&self.find_named(&name)?).copied()
    }

    fn find_named(&self, name: &DialogName<'_>) -> Option<DialogId> {
        self.endpoint.find_dialog_of(name.call_id, name.local_tag, name.remote_tag)
    }
}
