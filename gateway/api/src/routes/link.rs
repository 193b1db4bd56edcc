//! `/approvals/{id}/{end}/{signature}`: the page behind a signed link. Looking at it changes nothing; its form answers the
//! question, once. Why a signature may stand in a URL here is said where links are made.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use rampart_gateway::Reply;

use super::approvals::LONGEST_REASON;
use crate::{Api, error::Error};

mod page;

/// Where such links lead.
pub(crate) const PREFIX: &str = "/approvals/";
/// Longest form, in bytes: percent-encoding makes three of one.
const LONGEST_FORM: usize = 3 * LONGEST_REASON + 1024;

type Link = Path<(String, u64, String)>;

/// Shows the question.
pub(super) async fn look(State(api): State<Arc<Api>>, Path((id, end, signature)): Link) -> Response {
    match api.gateway().look(&id, end, &signature) {
        Ok(look) => html(StatusCode::OK, page::question(&look, |text| api.gateway().without_secrets(text))),
        Err(not_taken) => over(&not_taken.into()),
    }
}

/// Answers it.
pub(super) async fn answer(
    State(api): State<Arc<Api>>,
    Path((id, end, signature)): Link,
    request: Request,
) -> Response {
    let look = match api.gateway().look(&id, end, &signature) {
        Ok(look) => look,
        Err(not_taken) => return over(&not_taken.into()),
    };
    let form = match form(request).await {
        Ok(form) => form,
        Err(error) => return over(&error),
    };
    if !api.gateway().came_from_the_page(&look.question, &form.token) {
        let text = "this answer did not come from the page of the question; open the link again";
        return over(&Error::new(StatusCode::FORBIDDEN, "forged", text));
    }
    let reply = Reply {
        approve: form.approve,
        by: "whoever holds the link".to_owned(),
        from: "link",
        reason: form.reason,
        payload: Some(look.question.payload.clone()),
        scope: "once".to_owned(),
    };
    match api.gateway().resolve(&id, reply).await {
        Ok(_) => html(StatusCode::OK, page::answered(form.approve)),
        Err(error) => over(&error.into()),
    }
}

/// What the page sends back.
struct Form {
    token: String,
    approve: bool,
    reason: String,
}

async fn form(request: Request) -> Result<Form, Error> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if kind != Some("application/x-www-form-urlencoded") {
        return Err(Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "no_form", "send the form of the page"));
    }
    let body = Limited::new(request.into_body(), LONGEST_FORM).collect().await;
    let bytes: Bytes = body.map_err(|e| Error::malformed(format!("the form cannot be read: {e}")))?.to_bytes();
    let (mut token, mut decision, mut reason) = (None, None, None);
    for (name, value) in form_urlencoded::parse(&bytes) {
        let field = match name.as_ref() {
            "token" => &mut token,
            "decision" => &mut decision,
            "reason" => &mut reason,
            other => return Err(Error::malformed(format!("the form has no field {other:?}"))),
        };
        if field.replace(value.into_owned()).is_some() {
            return Err(Error::malformed(format!("the field `{name}` stands twice")));
        }
    }
    let approve = match decision.as_deref() {
        Some("approve") => true,
        Some("deny") => false,
        _ => return Err(Error::malformed("`decision` is `approve` or `deny`")),
    };
    let reason = reason.unwrap_or_default();
    if reason.len() > LONGEST_REASON {
        return Err(Error::malformed(format!("a reason has at most {LONGEST_REASON} bytes")));
    }
    Ok(Form { token: token.unwrap_or_default(), approve, reason })
}

fn over(error: &Error) -> Response {
    html(error.status, page::over(error))
}

/// A page that runs nothing, loads nothing, stands in no frame, is kept nowhere, and tells nobody else where it was.
/// `same-origin` rather than `no-referrer`, which would make browsers send the form with `Origin: null` (Fetch standard,
/// "append a request Origin header").
fn html(status: StatusCode, text: String) -> Response {
    let mut headers = HeaderMap::new();
    let csp = format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        page::style_hash()
    );
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CONTENT_SECURITY_POLICY, &csp),
        (header::HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    (status, headers, text).into_response()
}
