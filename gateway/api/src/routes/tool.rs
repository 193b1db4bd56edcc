//! `POST /v1/tool/{tool}` and `/v1/preflight/{tool}`: a call by its tool's name, decided, with or without a record.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use http::HeaderMap;
use rampart_call::{Action, Answer, Call, Origin, Phase, Surface, TraceParent};
use rampart_client::wire::{Decision, ToolRequest};

use crate::{Api, access::Caller, body::Strict, error::Error};

/// Decides and records. A question is held until it is answered or expires.
pub(super) async fn decide(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(tool): Path<String>,
    headers: HeaderMap,
    Strict(request): Strict<ToolRequest>,
) -> Result<Json<Decision>, Error> {
    let mut call = call(&tool, request, &caller, &api)?;
    let parent = headers.get("traceparent").and_then(|value| TraceParent::parse(value.to_str().ok()?));
    call.origin.trace = parent;
    let Answer { verdict, judgement, seq } = api.gateway().answer(call).await;
    Ok(Json(Decision::of(judgement, verdict.passes(), seq)))
}

/// Says what would be decided.
pub(super) async fn preflight(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(tool): Path<String>,
    Strict(request): Strict<ToolRequest>,
) -> Result<Json<Decision>, Error> {
    let judgement = api.gateway().decide_only(&call(&tool, request, &caller, &api)?);
    let allowed = judgement.outcome.passes();
    Ok(Json(Decision::of(judgement, allowed, None)))
}

pub(super) fn call(tool: &str, request: ToolRequest, caller: &Caller, api: &Api) -> Result<Call, Error> {
    // A fault on purpose, for the test of what a fault does; no release has it.
    #[cfg(debug_assertions)]
    assert_ne!(tool, "rampart-failpoint", "a fault on purpose");
    let ToolRequest { agent, session, params, workspace, home } = request;
    let action = Action::from_tool(tool, &params).map_err(|e| Error::malformed(e.to_string()))?;
    let mut origin = Origin { surface: Surface::Api, agent, session, workspace, home, ..Origin::default() };
    caller.sign(&mut origin, api)?;
    Ok(Call { origin, phase: Phase::Before, action, response: None })
}
