//! `/approvals/{id}/{end}/{signature}`: the page behind a signed link. Looking at it changes nothing; its form answers the
//! question, once. Why a signature may stand in a URL here is said where links are made.

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State},
    response::Response,
};
use http::StatusCode;
use rampart_gateway::Reply;

use super::{form::Answer, page};
use crate::{Api, error::Error};

/// Where such links lead.
pub(crate) const PREFIX: &str = "/approvals/";

type Link = Path<(String, u64, String)>;

/// Shows the question.
pub(super) async fn look(State(api): State<Arc<Api>>, Path((id, end, signature)): Link) -> Response {
    match api.gateway().look(&id, end, &signature) {
        Ok(look) => {
            let redact = |text: &str| api.gateway().without_secrets(text);
            page::html(StatusCode::OK, page::question(&look.question, &look.token, page::Entrance::Link, redact))
        }
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
    let form = match Answer::read(request).await {
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
        person: None,
        from: "link",
        reason: form.reason,
        payload: Some(look.question.payload.clone()),
        scope: "once".to_owned(),
    };
    match api.gateway().resolve(&id, reply).await {
        Ok(done) => page::html(StatusCode::OK, page::answered(form.approve, done.missing, page::Entrance::Link)),
        Err(error) => over(&error.into()),
    }
}

fn over(error: &Error) -> Response {
    page::html(error.status, page::over(error))
}
