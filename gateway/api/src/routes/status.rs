//! `GET /healthz`, `/metrics`, `/v1/status`: how the gateway is.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use rampart_client::wire::{
    AuditStatus, BoundCredential, ConfigStatus, Health, Status, TelemetryStatus, WitnessStatus,
};
use rampart_gateway::{FileStatus, audit::Attested, config::Credential, metrics::CONTENT_TYPE};

use crate::{Api, routes::policy};

/// 200 when decisions can be made and recorded, otherwise 503. Says no more than that: it asks for no token.
pub(super) async fn health(State(api): State<Arc<Api>>) -> Response {
    let audit = api.gateway().audit_health().error.is_none();
    let rules = api.gateway().rules_in_force().rejected.is_empty();
    let word = |good| if good { "ok" } else { "degraded" }.to_owned();
    // Rules that were refused leave the last good ones in force, so the gateway still does its work.
    let status = if audit { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Health { status: word(audit && rules), audit: word(audit), policy: word(rules) })).into_response()
}

/// For Prometheus, which sends the token as `authorization` of its scrape configuration.
pub(super) async fn metrics(State(api): State<Arc<Api>>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], api.gateway().metrics()).into_response()
}

pub(super) async fn status(State(api): State<Arc<Api>>) -> Json<Status> {
    Json(now(&api))
}

/// How it is at this moment.
pub(super) fn now(api: &Api) -> Status {
    let gateway = api.gateway();
    let health = gateway.audit_health();
    let FileStatus { rejected, waiting, mode } = gateway.config_file();
    Status {
        version: api.version().to_owned(),
        pid: std::process::id(),
        mode: gateway.mode().to_string(),
        home: gateway.home().root().display().to_string(),
        started: gateway.started(),
        listen: api.listen().map(|address| address.to_string()),
        egress: api.egress().map(|address| address.to_string()),
        policy: policy::in_force(gateway),
        audit: AuditStatus {
            healthy: health.error.is_none(),
            problem: health.error,
            seq: Some(health.records),
            witnesses: gateway.witnesses().into_iter().map(witness).collect(),
        },
        pending: gateway.pending_count(),
        sessions: gateway.session_count(),
        jailed: api.jailed().count(),
        fail_open: gateway.config().surfaces.fail_open.iter().map(ToString::to_string).collect(),
        config: ConfigStatus {
            error: rejected,
            waiting: waiting.into_iter().map(str::to_owned).collect(),
            mode: mode.map(|mode| mode.to_string()),
        },
        telemetry: gateway.losses().map(|losses| {
            let [spans_lost, log_records_lost, requests_lost] = losses.counted();
            TelemetryStatus { spans_lost, log_records_lost, requests_lost }
        }),
    }
}

/// What is bound to hosts, by name.
pub(super) async fn credentials(State(api): State<Arc<Api>>) -> Json<Vec<BoundCredential>> {
    let bound = api.gateway().config().credentials.clone().into_iter();
    let bound = bound.map(|Credential { name, hosts, methods, paths, env, .. }| BoundCredential {
        name,
        hosts,
        methods,
        paths,
        env,
    });
    Json(bound.collect())
}

fn witness(Attested { witness, size, problem }: Attested) -> WitnessStatus {
    WitnessStatus { witness, size, problem }
}
