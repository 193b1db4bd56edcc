//! MCP over Streamable HTTP, of both eras: stands in front of servers that have a URL, and of servers on standard input
//! and output. What is allowed goes on as the bytes that came.

mod access;
pub(crate) mod events;
mod front;
pub(crate) mod headers;
mod held;
mod judge;
mod legacy;
mod listener;
mod oauth;
mod open;
mod processes;
mod sessions;
mod stream;
mod whose;

use std::{borrow::Cow, convert::Infallible};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, future::BoxFuture};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full, Limited, StreamBody, combinators::UnsyncBoxBody};
use sha2::{Digest as _, Sha256};
use tower::{BoxError, util::BoxCloneSyncService};

use crate::{
    answer,
    message::{self, Id},
};
pub use access::Access;
pub use front::{Error, Front, Options};
#[cfg(feature = "fuzz")]
pub(crate) use headers::agree;
pub use listener::Endpoints;
pub use processes::{Hosting, Processes};
use sessions::Key;
use whose::Caller;
pub use whose::{Clients, Opening};

/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// Sends a request to the server. Whoever makes one decides how names are resolved and whom TLS believes.
pub type Upstream = BoxCloneSyncService<Request<Full<Bytes>>, Response<Body>, BoxError>;

/// Bounds of size and number.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest message in bytes.
    pub message: usize,
    /// The most connections at a time.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message: 16 << 20, connections: 1_024 }
    }
}

/// Why a request was not answered by the server.
struct Failed(StatusCode, Bytes);

impl Failed {
    fn new(status: StatusCode, id: Option<&Id>, code: i64, why: &str) -> Self {
        Self(status, answer::error(id, code, why))
    }
}

/// Whose request this is: everything that it shows of who sends it, and the session that it belongs to. Those of different
/// owners share no connection to the server, which may tie a login to one.
pub fn owner(headers: &HeaderMap) -> String {
    let mut names: Vec<_> = headers.keys().filter(|name| !headers::is_of_the_message(name)).collect();
    names.sort_unstable_by_key(|name| name.as_str());
    let mut shown = Sha256::new();
    for name in names {
        for value in headers.get_all(name) {
            shown.update((name.as_str().len() as u64).to_le_bytes());
            shown.update(name.as_str());
            shown.update((value.len() as u64).to_le_bytes());
            shown.update(value.as_bytes());
        }
    }
    hex::encode(shown.finalize())
}

/// The session and whose it is.
fn key(caller: Caller, headers: &HeaderMap) -> Key {
    let bytes = |name| headers.get(name).map(|v: &HeaderValue| v.as_bytes().to_vec()).unwrap_or_default();
    Key { session: bytes(headers::SESSION), shown: bytes(header::AUTHORIZATION), caller }
}

/// Whether a body is said to be of this type, and of no other.
fn is(headers: &HeaderMap, wanted: &str) -> bool {
    let mut told = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(told), None) = (told.next().and_then(|v| v.to_str().ok()), told.next()) else { return false };
    told.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
}

fn collected<B>(body: B, limit: usize) -> BoxFuture<'static, Result<Bytes, BoxError>>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    Box::pin(async move {
        let told = usize::try_from(body.size_hint().lower()).map_or(limit, |told| told.min(limit));
        let mut body = std::pin::pin!(Limited::new(body, limit));
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            if whole.is_empty() && data.len() >= told {
                // Most come in one piece.
                whole = BytesMut::from(data);
                continue;
            }
            // A large one is written where it stays, while its pieces go.
            whole.reserve(told.saturating_sub(whole.len()).max(data.len()));
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    })
}

/// A JSON text on one line: between tokens a line end means no more than a space, and inside of one there is none. Every
/// byte stays in its place.
fn flattened(text: &str) -> Cow<'_, str> {
    match memchr::memchr2(b'\n', b'\r', text.as_bytes()) {
        None => Cow::Borrowed(text),
        Some(_) => Cow::Owned(text.replace(['\n', '\r'], " ")),
    }
}

fn json(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn full(body: Bytes) -> Body {
    Full::new(body).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// A sign of life on a stream, which is no event.
const ALIVE: Bytes = Bytes::from_static(b": waiting\n\n");

/// A message as an event.
fn event(message: &[u8]) -> Bytes {
    let message = String::from_utf8_lossy(message);
    format!("data: {}\n\n", flattened(message.trim_end())).into()
}

/// A stream of events.
fn streamed(events: impl Stream<Item = Bytes> + Send + 'static) -> Response<Body> {
    let frames = events.map(|bytes| Ok::<_, BoxError>(Frame::data(bytes)));
    let mut response = Response::new(BodyExt::boxed_unsync(StreamBody::new(frames)));
    let told = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache, no-transform"),
        (headers::UNBUFFERED, "no"),
    ];
    for (name, value) in told {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A name for a session that nobody guesses.
fn unguessable() -> Result<String, Failed> {
    let mut random = [0; 16];
    match getrandom::fill(&mut random) {
        Ok(()) => Ok(hex::encode(random)),
        Err(error) => {
            let why = format!("the system gives no random numbers: {error}");
            Err(Failed::new(StatusCode::INTERNAL_SERVER_ERROR, None, message::INTERNAL_ERROR, &why))
        }
    }
}

fn empty() -> Body {
    full(Bytes::new())
}
