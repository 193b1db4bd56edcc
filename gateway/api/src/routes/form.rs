//! Forms of our own pages. Strict: what no page of ours sends is refused.

use std::collections::BTreeMap;

use axum::{body::Bytes, extract::Request};
use http::{StatusCode, header};
use http_body_util::{BodyExt as _, Limited};

use super::approvals::LONGEST_REASON;
use crate::error::Error;

/// Longest form, in bytes: percent-encoding makes three of one.
const LONGEST: usize = 3 * LONGEST_REASON + 1024;

/// What the page of a question sends back.
pub(super) struct Answer {
    pub(super) token: String,
    pub(super) approve: bool,
    pub(super) reason: String,
}

impl Answer {
    pub(super) async fn read(request: Request) -> Result<Self, Error> {
        let mut fields = read(request, &["token", "decision", "reason"]).await?;
        let approve = match fields.get("decision").map(String::as_str) {
            Some("approve") => true,
            Some("deny") => false,
            _ => return Err(Error::malformed("`decision` is `approve` or `deny`")),
        };
        let mut take = |name: &str| fields.remove(name).unwrap_or_default();
        let (token, reason) = (take("token"), take("reason"));
        if reason.len() > LONGEST_REASON {
            return Err(Error::malformed(format!("a reason has at most {LONGEST_REASON} bytes")));
        }
        Ok(Self { token, approve, reason })
    }
}

/// The fields of a form, each of which stands there at most once.
pub(super) async fn read(request: Request, known: &[&str]) -> Result<BTreeMap<String, String>, Error> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if kind != Some("application/x-www-form-urlencoded") {
        return Err(Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "no_form", "send the form of the page"));
    }
    let body = Limited::new(request.into_body(), LONGEST).collect().await;
    let bytes: Bytes = body.map_err(|e| Error::malformed(format!("the form cannot be read: {e}")))?.to_bytes();
    let mut fields = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(&bytes) {
        if !known.contains(&name.as_ref()) {
            return Err(Error::malformed(format!("the form has no field {name:?}")));
        }
        if fields.insert(name.to_string(), value.into_owned()).is_some() {
            return Err(Error::malformed(format!("the field `{name}` stands twice")));
        }
    }
    Ok(fields)
}
