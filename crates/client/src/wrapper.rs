//! The Message/CPIM wrapper of all that is said (RFC 7701 §6, RFC 3862).

use std::time::Instant;

use cpim::{Message, Party};
use sip::typed::Uri;

use crate::api::{Said, WallClock};

/// The media type of a wrapped message.
pub(crate) const CPIM: &str = "message/cpim";

/// A new message in its wrapper.
pub(crate) fn wrap(from: &str, to: &str, date_time: Option<&str>, content_type: &str, content: &[u8]) -> Vec<u8> {
    let (from, to) = (Party::new(from), Party::new(to));
    Message { from, to, date_time, subject: None, content_type, content }.encode()
}

/// What a message says, that came as a body of this type for a participant of the room; without the Message-ID. `None`
/// where it is not wrapped, or the wrapper is broken or does not say from whom and to whom.
pub(crate) fn unwrap(content_type: &str, mut octets: Vec<u8>, room: &Uri) -> Option<Said> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case(CPIM) {
        return None;
    }
    let head = cpim::parse_head(&octets).ok()??;
    let (from, to) = head.from.first().zip(head.to.first())?;
    let said = Said {
        from: from.uri.to_owned(),
        from_name: from.display_name().map(std::borrow::Cow::into_owned),
        to: to.uri.to_owned(),
        private: !is_room(to.uri, room),
        date_time: head.date_time.map(str::to_owned),
        content_type: head.content_type.to_owned(),
        octets: Vec::new(),
        message_id: String::new(),
    };
    let content_at = head.content_at;
    octets.drain(..content_at);
    Some(Said { octets, ..said })
}

/// RFC 7701 §6.1 has the recipient look at To first: the room's URI, perhaps with parameters as in §9.3.
fn is_room(to: &str, room: &Uri) -> bool {
    to == room.as_str() || Uri::parse(to).is_ok_and(|to| to.same_address(room))
}

impl WallClock {
    /// The time of the world at `now`, as RFC 3339 writes it, in UTC.
    pub(crate) fn date_time(&self, now: Instant) -> String {
        let unix = self.unix_seconds.saturating_add(now.saturating_duration_since(self.at).as_secs());
        let (days, seconds) = (unix / 86_400, unix % 86_400);
        let (year, month, day) = civil(days);
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}Z")
    }
}

/// Year, month and day of the Gregorian calendar, so many days after 1970-01-01. Years are counted from March, so that
/// the leap day is the last one; 146 097 days are 400 years.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(719_468);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day_of_month)
}
