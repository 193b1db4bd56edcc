//! `POST /v1/test` and `/v1/scan`: what would be, without a trace.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use http::StatusCode;
use rampart_client::wire::{Decision, ScanRequest, Scanned, TestRequest, ToolRequest};
use rampart_gateway::{Diagnostic, redact, scan};

use super::tool::call;
use crate::{Api, access::Caller, body::Strict, error::Error};

/// What is decided about a call by the rules in force, or by a policy that comes with it.
pub(super) async fn test(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Strict(TestRequest { tool, params, agent, session, workspace, home, policy }): Strict<TestRequest>,
) -> Result<Json<Decision>, Error> {
    let call = call(&tool, ToolRequest { agent, session, params, workspace, home }, &caller, &api)?;
    let judgement = match policy {
        None => api.gateway().decide_only(&call),
        Some(policy) => {
            // Compiling may take a while, and decisions go on meanwhile.
            let judged = tokio::task::spawn_blocking(move || api.gateway().decide_by(&call, &policy)).await;
            let judged = judged.map_err(|e| Error::new(StatusCode::INTERNAL_SERVER_ERROR, "broken", e.to_string()))?;
            judged.map_err(|wrong| {
                let text = wrong.iter().map(Diagnostic::to_string).collect::<Vec<_>>().join("\n");
                Error::new(StatusCode::UNPROCESSABLE_ENTITY, "policy", text)
            })?
        }
    };
    let allowed = judgement.outcome.passes();
    Ok(Json(Decision::of(judgement, allowed, None)))
}

/// What is found in a text: secrets, personal data, instructions to the model, hidden characters.
pub(super) async fn find(Strict(ScanRequest { text }): Strict<ScanRequest>) -> Json<Scanned> {
    let findings = scan(&text);
    let redacted = redact(&text, &findings, |finding, _| format!("[{}]", finding.detector));
    Json(Scanned { findings, redacted })
}
