//! Events over HTTP: `POST /events` takes them, `GET /healthz` says that the listener is there.
//!
//! ```text
//! head (in time, in bounds) ─► who, what ─► body, share of the queue by share ─► unpacked ─► lines ─► queue ─► 202
//! ```
//! 202 is said when what came is durable, if a journal makes it so, and otherwise when it is in the queue. A body is
//! taken whole or not at all: 4xx and 5xx mean that nothing of it was. A body takes its share of the queue as it comes
//! in, not as it is announced, so whoever wants to fill the queue has to send.

pub mod body;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use http_body_util::{BodyExt, Full as FullBody};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, ORIGIN, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use ring::hmac;
use ring::rand::SystemRandom;

use super::queue::{Full, Share};
use super::server::{Duplex, Protocol, Shared};
use crate::io::sink::secret::Secret;
use body::{Media, Packing};

/// Bytes of the head of a request at most.
const HEAD: usize = 16 << 10;
/// What a client that is too fast waits before it tries again, in seconds.
const RETRY: &str = "1";

/// What a listener for HTTP asks of its clients.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Whoever knows this may send.
    pub token: Option<Arc<Token>>,
    /// Bytes of a body at most, packed and unpacked.
    pub max_body: usize,
}

/// A bearer token, kept as a keyed hash. Comparing takes as long for any guess.
#[derive(Clone)]
pub struct Token {
    key: hmac::Key,
    tag: hmac::Tag,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// The token that a secret is.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new(secret: &Secret) -> Result<Self, String> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        let key = key.map_err(|_| "the system gives no random numbers".to_owned())?;
        let tag = hmac::sign(&key, secret.reveal().as_bytes());
        Ok(Self { key, tag })
    }

    fn is(&self, given: &[u8]) -> bool {
        hmac::verify(&self.key, given, self.tag.as_ref()).is_ok()
    }
}

/// Why a request is turned away.
struct Refusal {
    status: StatusCode,
    /// For the counts.
    reason: &'static str,
    /// For the client: a sentence.
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self { status, reason, message: message.into() }
    }
}

impl From<Full> for Refusal {
    fn from(_: Full) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "requests while the queue was full",
            "the queue is full; send again later",
        )
    }
}

/// Serves a connection to its end.
pub(super) async fn serve<S: Duplex + 'static>(stream: S, shared: Shared) {
    let Protocol::Http(options) = &shared.protocol else { return };
    let (options, mut closing) = (Arc::new(options.clone()), shared.closing.clone());
    let timeout = shared.bounds.timeout;
    let service = service_fn(move |request| {
        let (options, shared) = (Arc::clone(&options), shared.clone());
        async move { Ok::<_, Infallible>(respond(request, &options, &shared).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(timeout).max_buf_size(HEAD).half_close(false);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // What went wrong on a connection is its client's to know.
        _ = connection.as_mut() => return,
        _ = closing.wait_for(|closing| *closing) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn respond(request: Request<Incoming>, options: &HttpOptions, shared: &Shared) -> Response<FullBody<Bytes>> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answer = match (path.as_str(), &method) {
        ("/healthz", &Method::GET | &Method::HEAD) => return text(StatusCode::OK, "text/plain", "ok\n"),
        ("/events", &Method::POST) => take(request, options, shared).await,
        ("/healthz" | "/events", _) => {
            let allowed = if path == "/events" { "POST" } else { "GET, HEAD" };
            let message = format!("{path} takes {allowed} only\n");
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", message);
            response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static(allowed));
            return response;
        }
        _ => {
            let message = "there is nothing here; events go to POST /events";
            Err(Refusal::new(StatusCode::NOT_FOUND, "requests for other paths", message))
        }
    };
    match answer {
        Ok(accepted) => text(StatusCode::ACCEPTED, "application/json", format!("{{\"accepted\":{accepted}}}\n")),
        Err(Refusal { status, reason, message }) => {
            shared.counts.add(reason, 1);
            let mut response = text(status, "text/plain; charset=utf-8", format!("{message}\n"));
            let headers = response.headers_mut();
            let value = hyper::header::HeaderValue::from_static;
            match status {
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                    headers.insert(RETRY_AFTER, value(RETRY));
                }
                StatusCode::UNAUTHORIZED => {
                    headers.insert(hyper::header::WWW_AUTHENTICATE, value("Bearer"));
                }
                // The rest of the body is not waited for.
                StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE => {
                    headers.insert(CONNECTION, value("close"));
                }
                _ => {}
            }
            response
        }
    }
}

fn text(status: StatusCode, media: &'static str, body: impl Into<Bytes>) -> Response<FullBody<Bytes>> {
    let mut response = Response::new(FullBody::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(media));
    response
}

/// Takes the events of a request, and says how many lines they are.
async fn take(request: Request<Incoming>, options: &HttpOptions, shared: &Shared) -> Result<u64, Refusal> {
    let (head, incoming) = request.into_parts();
    authorize(&head.headers, options)?;
    let (media, packing) = forms(&head.headers)?;
    let mut share = Share::default();
    let packed = tokio::time::timeout(shared.bounds.timeout, collect(incoming, options.max_body, shared, &mut share));
    let packed = packed.await.map_err(|_| {
        Refusal::new(StatusCode::REQUEST_TIMEOUT, "bodies that did not come in time", "the body did not come in time")
    })??;
    let broken = |message| Refusal::new(StatusCode::BAD_REQUEST, "broken bodies", message);
    let (lines, events) = {
        let held = packed.len();
        let unpacked = body::unpack(packed, packing, options.max_body).map_err(|error| match error {
            body::UnpackError::TooLarge => too_large(options.max_body),
            body::UnpackError::Broken(message) => broken(message),
        })?;
        if let Some(more) = unpacked.len().checked_sub(held).filter(|more| *more > 0) {
            shared.intake.try_share(&mut share, more)?;
        }
        body::lines(unpacked, media).map_err(broken)?
    };
    if lines.is_empty() {
        return Ok(0);
    }
    let lost = || {
        let message = "the events could not be kept; send them again later";
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "requests that could not be kept", message)
    };
    if let Some(receipt) = shared.intake.hand_over(lines, share).map_err(|_| lost())? {
        receipt.await.map_err(|_| lost())?;
    }
    Ok(events)
}

fn authorize(headers: &HeaderMap, options: &HttpOptions) -> Result<(), Refusal> {
    let Some(token) = &options.token else {
        // Without a token a page in a browser on this machine could send events in its user's name.
        return match headers.contains_key(ORIGIN) {
            true => {
                let message = "pages in browsers may send events only with a token; set `token` for this input";
                Err(Refusal::new(StatusCode::FORBIDDEN, "requests of pages in browsers", message))
            }
            false => Ok(()),
        };
    };
    let given = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
    let scheme = |value: &[u8]| value.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"bearer "));
    let given = given.filter(|value| scheme(value)).map_or(&[][..], |value| &value[7..]);
    if token.is(given) {
        return Ok(());
    }
    let message = "this needs the header `Authorization: Bearer TOKEN` with the right token";
    Err(Refusal::new(StatusCode::UNAUTHORIZED, "requests without the token", message))
}

fn forms(headers: &HeaderMap) -> Result<(Media, Packing), Refusal> {
    let word = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let refuse = |message| Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "bodies of another type", message);
    let media = word(CONTENT_TYPE).and_then(Media::of).ok_or_else(|| {
        refuse("send Content-Type: application/x-ndjson with a JSON object a line, or application/json with an array")
    })?;
    let packing =
        Packing::of(word(CONTENT_ENCODING)).ok_or_else(|| refuse("Content-Encoding is gzip, zstd or none"))?;
    Ok((media, packing))
}

fn too_large(most: usize) -> Refusal {
    let message = format!("the body is larger than {most} bytes; send it in parts");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "bodies that were too large", message)
}

async fn collect(mut body: Incoming, most: usize, shared: &Shared, share: &mut Share) -> Result<Vec<u8>, Refusal> {
    if hyper::body::Body::size_hint(&body).lower() > most as u64 {
        return Err(too_large(most));
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            Refusal::new(StatusCode::BAD_REQUEST, "bodies that were cut off", "the body ended before its end")
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > most {
            return Err(too_large(most));
        }
        shared.intake.try_share(share, data.len())?;
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}
