//! Request bodies: JSON that means one thing, of bounded length, read in bounded time.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use http::{StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use rampart_call::strict;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::error::Error;

/// Longest body of an ordinary request, in bytes.
pub(crate) const LIMIT: usize = 1 << 20;
/// Longest call: a message of the MCP road may have 4 MiB, and JSON inside JSON grows.
pub(crate) const CALL_LIMIT: usize = 16 << 20;
/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

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
        let body = Limited::new(request.into_body(), LIMIT).collect();
        let bytes = match timeout(PATIENCE, body).await {
            Ok(Ok(body)) => body.to_bytes(),
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
