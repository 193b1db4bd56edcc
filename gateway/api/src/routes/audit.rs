//! `GET /v1/audit/events`: records of the audit trail, looked up.

use std::sync::Arc;

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use rampart_call::Outcome;
use rampart_gateway::{Lookup, audit::read::Filter};
use serde::Deserialize;

use crate::{Api, error::Error};

/// Most records of one answer.
const MOST: usize = 1000;

/// What is looked for; all that is given must hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// What policy said.
    decision: Option<Outcome>,
    tool: Option<String>,
    agent: Option<String>,
    session: Option<String>,
    /// Not before this time, in milliseconds since 1970 UTC.
    since_ms: Option<u64>,
    /// Only after this number, oldest first; without it the newest come first.
    after: Option<u64>,
    limit: Option<usize>,
}

/// Answers with the lines as they stand in the trail, so that every byte a hash covers can be seen.
pub(super) async fn events(
    State(api): State<Arc<Api>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Error> {
    let Query(Wanted { decision, tool, agent, session, since_ms, after, limit }) =
        wanted.map_err(|e| Error::malformed(e.body_text()))?;
    let filter = Filter { decision, tool, agent, session, since_ms };
    let lookup = Lookup { filter, after, limit: limit.unwrap_or(100).min(MOST) };
    let unreadable = |e: String| Error::new(StatusCode::INTERNAL_SERVER_ERROR, "audit_unreadable", e);
    let records = tokio::task::spawn_blocking(move || api.gateway().records(&lookup)).await;
    let records = records.map_err(|e| unreadable(e.to_string()))?;
    let records = records.map_err(|e| unreadable(format!("the audit trail cannot be read: {e}")))?;
    let lines: Vec<&str> = records.iter().map(|record| record.line.as_str()).collect();
    let body = format!("{{\"events\":[{}]}}", lines.join(","));
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}
