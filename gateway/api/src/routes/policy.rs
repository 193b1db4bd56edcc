//! `/v1/policies` and `/v1/policy/reload`: what is in force.

use std::sync::Arc;

use axum::{Json, extract::State};
use http::StatusCode;
use rampart_client::wire::{Policy, PolicyStatus};
use rampart_gateway::{Gateway, Layer};

use crate::{Api, error::Error};

pub(super) async fn list(State(api): State<Arc<Api>>) -> Json<Vec<Policy>> {
    let rules = api.gateway().rules_in_force();
    let policies = rules.ruleset.policies().iter().cloned();
    Json(policies.map(listed).collect())
}

/// Loads the files again, now.
pub(super) async fn reload(State(api): State<Arc<Api>>) -> Result<Json<PolicyStatus>, Error> {
    api.gateway().reload().await.map_err(|diagnostics| {
        let text = diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        Error::new(StatusCode::UNPROCESSABLE_ENTITY, "policy", text)
    })?;
    Ok(Json(in_force(api.gateway())))
}

/// Earlier versions answered here with the policy's text.
pub(super) async fn gone() -> Error {
    let text =
        "`GET /v1/policy` is no more: ask `/v1/status` how the gateway is, and `/v1/policies` for what is in force";
    Error::new(StatusCode::GONE, "gone", text)
}

fn listed(policy: rampart_gateway::Policy) -> Policy {
    let rampart_gateway::Policy { name, description, file, layer, priority, enabled, rules } = policy;
    let layer = match layer {
        Layer::Profile => "profile",
        Layer::User => "user",
        Layer::Overrides => "overrides",
        Layer::Project => "project",
    };
    Policy { name, description, file, layer: layer.to_owned(), priority, enabled, rules }
}

pub(super) fn in_force(gateway: &Gateway) -> PolicyStatus {
    let rules = gateway.rules_in_force();
    let error = rules.rejected.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    PolicyStatus {
        hash: rules.ruleset.hash().to_owned(),
        policies: rules.ruleset.policies().len(),
        rules: rules.ruleset.rule_count(),
        files: rules.files,
        loaded: rules.loaded,
        error: (!error.is_empty()).then_some(error),
        warnings: rules.warnings.iter().map(ToString::to_string).collect(),
    }
}
