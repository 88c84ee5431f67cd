//! What responses and requests of ours say about us.

use super::api::Answer;
use super::config::Config;
use crate::message::{Headers, Method, Request, Response};
use crate::token::Token;

/// The values that follow from the configuration, put together once.
pub(super) struct Presets {
    agent: String,
    allow: String,
    supported: String,
    accept: String,
    capabilities: Vec<(String, String)>,
}

impl Presets {
    pub(super) fn new(config: &Config) -> Self {
        let allow: Vec<&str> = config.allow.iter().map(Method::as_str).collect();
        Self {
            agent: config.agent.clone(),
            allow: allow.join(", "),
            supported: config.supported.join(", "),
            accept: config.accept.join(", "),
            capabilities: config.capabilities.clone(),
        }
    }

    /// The response that this answer is to that request.
    pub(super) fn respond(&self, request: &Request, to_tag: &Token, answer: Answer) -> Response {
        let mut response = Response::to(request, answer.code, Some(to_tag.as_str()));
        if let Some(reason) = answer.reason {
            response.reason = reason;
        }
        let headers = &mut response.headers;
        if let Some(contact) = answer.contact {
            headers.push("Contact", contact);
        }
        for (name, value) in answer.headers {
            headers.push(name, value);
        }
        self.describe_response(&request.method, answer.code, headers);
        if let Some(body) = answer.body {
            headers.push("Content-Type", body.content_type);
            response.body = body.octets;
        }
        response
    }

    /// RFC 3261 §13.3.1.4, §11.2, §8.2.1, §8.2.2.3, §8.2.3: what is due in which response.
    fn describe_response(&self, method: &Method, code: u16, headers: &mut Headers) {
        let success = (200..300).contains(&code);
        let (invite, options) = (*method == Method::INVITE, *method == Method::OPTIONS);
        let opens = success && (invite || options || *method == Method::UPDATE);
        if opens || code == 405 {
            fill(headers, "Allow", &self.allow);
        }
        if opens {
            fill(headers, "Supported", &self.supported);
            for (name, value) in &self.capabilities {
                fill(headers, name, value);
            }
        }
        if (success && (invite || options)) || code == 415 {
            fill(headers, "Accept", &self.accept);
        }
        fill(headers, "Server", &self.agent);
    }

    /// RFC 3261 §13.2.1, §11.1: what a request of ours says.
    pub(super) fn describe_request(&self, method: &Method, headers: &mut Headers) {
        let (invite, options) = (*method == Method::INVITE, *method == Method::OPTIONS);
        if invite || options || *method == Method::UPDATE {
            fill(headers, "Allow", &self.allow);
            for (name, value) in &self.capabilities {
                fill(headers, name, value);
            }
        }
        // RFC 4028 §7.1 wants its tag in every request.
        fill(headers, "Supported", &self.supported);
        if invite || options {
            fill(headers, "Accept", &self.accept);
        }
        fill(headers, "User-Agent", &self.agent);
    }
}

/// A row unless the user wrote one, or there is nothing to say.
fn fill(headers: &mut Headers, name: &str, value: &str) {
    if !value.is_empty() && headers.get(name).is_none() {
        headers.push(name.to_owned(), value);
    }
}
