//! When a request is answered and reported on, and to which path (RFC 4975 §7.1.3, §7.1.4, §7.2).

use crate::frame::{FailureReport, Head, Method, Start};

/// Whether a response with this code may go out to a request of that method and wish: never to a REPORT, no 200 to
/// `partial`, nothing to `no`. Methods other than SEND are always answered: their Failure-Report has no meaning.
pub fn is_answered(method: Method<'_>, failure_report: FailureReport, code: u16) -> bool {
    match (method, failure_report) {
        (Method::Report, _) => false,
        (Method::Send, FailureReport::No) => false,
        (Method::Send, FailureReport::Partial) => code != 200,
        _ => true,
    }
}

/// The To-Path of a response: only the first URI of a SEND's From-Path, as each hop answers a SEND itself; the whole
/// From-Path of any other request (RFC 4975 §7.2).
pub fn response_to_path<'a>(method: Method<'_>, from_path: &'a str) -> &'a str {
    match method {
        Method::Send => from_path.split(' ').find(|uri| !uri.is_empty()).unwrap_or(from_path),
        _ => from_path,
    }
}

/// Whether a SEND asks for a success REPORT, and can have one: it needs a Message-ID to be told apart by.
pub fn wants_success(head: &Head<'_>) -> bool {
    head.success_report && head.message_id.is_some() && head.start == Start::Request(Method::Send)
}

/// Whether a failure that is found after the response went out is to be told in a REPORT.
pub fn wants_failure(head: &Head<'_>) -> bool {
    head.failure_report != FailureReport::No && head.message_id.is_some() && head.start == Start::Request(Method::Send)
}
