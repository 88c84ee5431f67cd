//! What is in the body of a request: a session description, a list of people, or both (RFC 5621, RFC 5363).

use std::borrow::Cow;

use sip::multipart::Part;
use sip::typed::{Disposition, MediaType};
use sip::{Headers, Request};

use super::media::Unfit;
use super::uri_list::{UriList, UriListError};

const MALFORMED: Unfit = Unfit { code: 400, reason: "Malformed Body" };
const LIST: &str = "application/resource-lists+xml";
const SDP: &str = "application/sdp";

/// The session description of a body, empty where there is none.
pub(super) fn session<'a>(headers: &'a Headers, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Unfit> {
    let Some(whole) = Part::of_message(headers, body).map_err(|_| MALFORMED)? else { return Ok(Cow::Borrowed(&[])) };
    if !whole.media_type.is_multipart() && !whole.media_type.is(LIST) {
        // Of its type the endpoint has seen to it.
        return Ok(Cow::Borrowed(body));
    }
    let mut parts = understood(&whole)?.into_iter().filter(|part| part.media_type.is(SDP));
    match (parts.next(), parts.next()) {
        (Some(part), None) => part.decoded().map(|octets| octets.into_owned().into()).map_err(|_| MALFORMED),
        (None, _) => Ok(Cow::Borrowed(&[])),
        (Some(_), Some(_)) => Err(Unfit { code: 400, reason: "Several Session Descriptions" }),
    }
}

/// The people who are listed in a body for the request itself (RFC 5366 §5.1); nothing where nobody asks for that.
pub(super) fn recipients(request: &Request) -> Result<Option<UriList>, Unfit> {
    if !requires(request, "recipient-list-invite") {
        return Ok(None);
    }
    list(request, |part| part.disposition.kind == "recipient-list").map(Some)
}

/// The people who are listed in the part that a `cid:` URL names (RFC 2392, RFC 5368 §7).
pub(super) fn list_named(request: &Request, content_id: &str) -> Result<UriList, Unfit> {
    list(request, |part| part.content_id() == Some(content_id))
}

/// Whether a request says that an extension must be understood.
pub(super) fn requires(request: &Request, tag: &str) -> bool {
    request.headers.list("Require").any(|required| required.eq_ignore_ascii_case(tag))
}

fn list(request: &Request, is_it: impl Fn(&Part<'_>) -> bool) -> Result<UriList, Unfit> {
    const NONE: Unfit = Unfit { code: 400, reason: "No List Of Recipients" };
    let whole = Part::of_message(&request.headers, &request.body).map_err(|_| MALFORMED)?.ok_or(NONE)?;
    let mut parts = understood(&whole)?.into_iter().filter(|part| part.media_type.is(LIST) && is_it(part));
    let (Some(part), None) = (parts.next(), parts.next()) else { return Err(NONE) };
    let octets = part.decoded().map_err(|_| MALFORMED)?;
    let list = UriList::parse(&octets).map_err(|error| match error {
        UriListError::TooLong => Unfit { code: 413, reason: "" },
        // No RFC has a code of its own for that; it is the policy of this server.
        UriListError::TooMany => Unfit { code: 403, reason: "Too Many Recipients" },
        UriListError::Malformed => Unfit { code: 400, reason: "Malformed List Of Recipients" },
    })?;
    if list.entries.is_empty() { Err(NONE) } else { Ok(list) }
}

fn understood<'p, 'a>(whole: &'p Part<'a>) -> Result<Vec<&'p Part<'a>>, Unfit> {
    let known = |media_type: &MediaType, disposition: &Disposition| {
        let kind = disposition.kind.as_str();
        (media_type.is(SDP) && kind == "session")
            || (media_type.is(LIST) && ["recipient-list", "by-reference", "render"].contains(&kind))
    };
    whole.chosen(&known).map_err(|_| Unfit { code: 415, reason: "" })
}
