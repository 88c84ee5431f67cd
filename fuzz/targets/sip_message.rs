//! One read that is one message: it is read or refused, and what was read is written so that it reads the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sip::multipart::Part;
use sip::{Message, Request, Response, parse};

fuzz_target!(|octets: &[u8]| {
    match parse(octets) {
        Ok(message) => {
            let written = message.encode();
            let again = parse(&written).expect("what was written is sound");
            assert_eq!(again.encode(), written);
            let (headers, body) = match &message {
                Message::Request(request) => (&request.headers, &request.body),
                Message::Response(response) => (&response.headers, &response.body),
            };
            let _ = Part::of_message(headers, body).map(|part| part.map(|part| part.all().count()));
            if let Message::Request(request) = &message {
                let answer = answer(request, 200);
                assert!(parse(&answer).is_ok(), "the answer to a sound request is sound");
            }
        }
        Err(malformed) => {
            assert!(matches!(malformed.code, 400 | 413 | 501 | 505 | 513));
            if let Some(request) = malformed.request {
                let _ = answer(&request, malformed.code);
            }
        }
    }
});

fn answer(request: &Request, code: u16) -> Vec<u8> {
    assert!(request.method.as_str().bytes().all(|octet| octet.is_ascii_graphic()));
    Response::to(request, code, Some("tag")).encode()
}
