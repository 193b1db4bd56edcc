//! Request bodies: JSON that means one thing, of bounded length, read in bounded time.

use std::{sync::LazyLock, time::Duration};

use axum::{
    BoxError,
    body::Body,
    extract::{FromRequest, Request},
};
use http::{StatusCode, header};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use rampart_call::strict;
use serde::de::DeserializeOwned;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use crate::error::Error;

/// Longest body of an ordinary request, in bytes.
pub(crate) const LIMIT: usize = 1 << 20;
/// Longest call: a message of the MCP road may have 4 MiB, and JSON inside JSON grows.
pub(crate) const CALL_LIMIT: usize = 16 << 20;
/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// Most bytes of large bodies that are worked on at the same time.
const BUDGET: u64 = CALL_LIMIT as u64;
/// Reading, judging and recording a body takes up to so many times its length.
const AMPLIFIED: u64 = 16;
/// Bodies up to here count for nothing: as many as there may be connections still fit into little memory.
const SMALL: u64 = 64 << 10;
/// How long a large body waits for others.
const QUEUE: Duration = Duration::from_secs(1);

/// The budget in KiB, smaller where the process may have little memory (`ulimit -v`), and what is left of it.
static ROOM: LazyLock<(u64, Semaphore)> = LazyLock::new(|| {
    let memory = rustix::process::getrlimit(rustix::process::Resource::As).current.unwrap_or(u64::MAX);
    let budget = BUDGET.min(memory / AMPLIFIED) >> 10;
    (budget, Semaphore::new(usize::try_from(budget).unwrap_or(0)))
});

/// Room for a request whose body is at most so long, where that is known; to be kept until it is answered.
///
/// # Errors
/// When there is not so much, or others take it for too long.
pub(crate) async fn room(length: Option<u64>) -> Result<Option<SemaphorePermit<'static>>, Error> {
    let (budget, left) = &*ROOM;
    let wanted = length.unwrap_or(BUDGET);
    if wanted <= SMALL {
        return Ok(None);
    }
    // What is longer than any call is read only so far and then refused.
    let wanted = wanted.min(BUDGET) >> 10;
    let unavailable = |text: String| Error::new(StatusCode::SERVICE_UNAVAILABLE, "busy", text);
    if wanted > *budget {
        return Err(unavailable(format!("a body of {wanted} KiB is too much for the memory this gateway may use")));
    }
    match timeout(QUEUE, left.acquire_many(u32::try_from(wanted).unwrap_or(u32::MAX))).await {
        Ok(Ok(room)) => Ok(Some(room)),
        _ => Err(unavailable("too many large requests at once; try again in a moment".to_owned())),
    }
}

/// A JSON body of at most `LIMIT` bytes, read as [`strict`] reads.
#[derive(Debug)]
pub(crate) struct Strict<T, const LIMIT: usize = { self::LIMIT }>(pub(crate) T);

impl<S, T, const LIMIT: usize> FromRequest<S> for Strict<T, LIMIT>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        check_type(&request)?;
        let bytes = match timeout(PATIENCE, collected(request.into_body(), LIMIT)).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(e)) if e.is::<LengthLimitError>() => {
                let text = format!("the body is longer than {} MiB", LIMIT >> 20);
                return Err(Error::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", text));
            }
            Ok(Err(e)) => return Err(Error::malformed(format!("the body broke off: {e}"))),
            Err(_) => return Err(Error::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the body took too long")),
        };
        strict::from_slice(&bytes).map(Self).map_err(|e| Error::malformed(e.to_string()))
    }
}

/// A body as a whole, written where it stays: put together at its end, a large one would be there twice.
async fn collected(body: Body, limit: usize) -> Result<Vec<u8>, BoxError> {
    let told = usize::try_from(body.size_hint().lower()).map_or(limit, |told| told.min(limit));
    let mut body = Limited::new(body, limit);
    let mut whole = Vec::with_capacity(told);
    while let Some(frame) = body.frame().await {
        whole.extend_from_slice(frame?.data_ref().map_or(&[], |data| data));
    }
    Ok(whole)
}

/// JSON, or what curl calls a body when nobody says: that is how people try things out, and it needs the token, which
/// no form on a foreign page can send.
fn check_type(request: &Request) -> Result<(), Error> {
    let Some(value) = request.headers().get(header::CONTENT_TYPE) else { return Ok(()) };
    let name = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if matches!(name.as_str(), "application/json" | "application/x-www-form-urlencoded") {
        return Ok(());
    }
    let text = format!("send JSON as `Content-Type: application/json`, not as {name:?}");
    Err(Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", text))
}
