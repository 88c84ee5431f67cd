//! HTTP: whether the server is well. The web client and the programming interface will stand here.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;
use tokio::task::spawn_local;

use crate::capacity::Capacity;
use crate::listen;

/// How long a request's head may take (threat T5), and how long a connection may say nothing.
const HEAD: Duration = Duration::from_secs(10);
/// Octets of a request's head; hyper allows nothing smaller.
const BUFFER: usize = 8 * 1024;
/// Connections served at once; the others wait to be accepted.
const CONNECTIONS: usize = 256;

/// Serves on this listener, for ever. To be run in a `LocalSet`.
pub(crate) async fn serve(listener: TcpListener, capacity: Capacity) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return tracing::error!("HTTP is not served: its listener has failed");
    };
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let (socket, _, pass) = listen::accept(&listener, &capacity).await;
        spawn_local(async move {
            let service = service_fn(|request| async move { Ok::<_, Infallible>(answer(&request)) });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .max_buf_size(BUFFER)
                .serve_connection(TokioIo::new(socket), service)
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, "an HTTP connection ended");
            }
            drop((place, pass));
        });
    }
}

fn answer(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let (method, path) = (request.method(), request.uri().path());
    match (path, method) {
        ("/healthz", &Method::GET | &Method::HEAD) => text(StatusCode::OK, "ok\n"),
        ("/healthz", _) => {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "right would be GET or HEAD\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
        _ => text(StatusCode::NOT_FOUND, "nothing is here\n"),
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
