//! `POST /v1/judge`: a surface in another process has a call decided.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use http::header;
use rampart_call::{Call, Gate as _, Refused};
use rampart_client::wire::{Closed, ClosedRequest, Noted};
use tokio::time::timeout;

use crate::{
    Api,
    access::Caller,
    at_once::{Answering, Begun, FIRST},
    body::{CALL_LIMIT, Strict},
};

/// How often a caller that waits for a human gets a sign of life.
const BEAT: Duration = Duration::from_millis(500);

/// Answers at once where that is possible. Otherwise the body begins with line ends, one each half second, so that the
/// caller can tell a gateway that waits for a human from one that hangs; JSON may begin with space. Whoever heard that comes back
/// when the gateway goes away.
pub(super) async fn judge(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    begun: Option<Extension<Begun>>,
    Strict(mut call): Strict<Call, CALL_LIMIT>,
) -> Response {
    if let Err(error) = caller.sign(&mut call.origin, &api) {
        return error.into_response();
    }
    let content_type = [(header::CONTENT_TYPE, "application/json")];
    if let Some(answering) = begun.and_then(|Extension(begun)| begun.take()) {
        // It was waited for already. The next question may be one to be answered at once again, which is not done in the
        // middle of a connection.
        let body = Body::from_stream(stream::unfold(Some(answering), beat));
        return ([(header::CONNECTION, "close")], content_type, body).into_response();
    }
    let mut answering: Answering = Box::pin(async move { api.gateway().answer(call).await });
    if let Ok(answer) = timeout(FIRST, &mut answering).await {
        return Json(answer).into_response();
    }
    (content_type, Body::from_stream(stream::unfold(Some(answering), beat))).into_response()
}

/// Records what the surface has refused by itself. Nobody is asked, so the answer comes at once.
pub(super) async fn refused(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Strict(refused): Strict<Refused, CALL_LIMIT>,
) -> Response {
    let (mut call, refusal) = refused.into_parts();
    if let Err(error) = caller.sign(&mut call.origin, &api) {
        return error.into_response();
    }
    Json(api.gateway().refused(call, refusal).await).into_response()
}

/// Takes note that a call gets no answer any more.
pub(super) async fn over(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Strict(mut call): Strict<Call, CALL_LIMIT>,
) -> Response {
    if let Err(error) = caller.sign(&mut call.origin, &api) {
        return error.into_response();
    }
    api.gateway().over(call).await;
    Json(Noted {}).into_response()
}

/// Says which calls of tools are refused whatever their arguments, and records nothing.
pub(super) async fn closed(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Strict(ClosedRequest { mut calls }): Strict<ClosedRequest, CALL_LIMIT>,
) -> Response {
    for call in &mut calls {
        if let Err(error) = caller.sign(&mut call.origin, &api) {
            return error.into_response();
        }
    }
    Json(Closed { closed: calls.iter().map(|call| api.gateway().closes(call)).collect() }).into_response()
}

type Beat = Option<(Result<Bytes, serde_json::Error>, Option<Answering>)>;

async fn beat(answering: Option<Answering>) -> Beat {
    let mut answering = answering?;
    match timeout(BEAT, &mut answering).await {
        Ok(answer) => Some((serde_json::to_vec(&answer).map(Bytes::from), None)),
        Err(_) => Some((Ok(Bytes::from_static(b"\n")), Some(answering))),
    }
}
