//! What is switched where customers are: feature flags, versions, how many machines serve them.

use rampart_shell::verbs::{any, words};
use serde_json::Value;

use super::{rights, said::one_of};

const TURNS: &[&str] = &["change", "disable", "enable", "patch", "set", "switch", "toggle", "turn", "update"];
const FLAGS: &[&str] = &["flag", "flags", "toggle", "toggles", "featureflag", "killswitch"];
/// Services that keep little else than such flags.
const KEEPERS: &[&str] = &["configcat", "flagsmith", "launchdarkly", "optimizely", "split", "statsig", "unleash"];
const LIVE: &[&str] = &["live", "prd", "prod", "production"];

/// Arguments that say how many machines there are.
const SIZES: &[&str] =
    &["desiredcapacity", "desiredcount", "desiredsize", "instancecount", "numreplicas", "quantity", "replicas"];

/// How deep arguments are looked at.
const MAX_DEPTH: usize = 6;

/// Whether a call switches a flag of production, puts a version there, or leaves no machine for it.
pub(super) fn are_turned(server: &[String], tool: &[String], arguments: &Value) -> bool {
    let flag = any(tool, FLAGS) || any(server, KEEPERS) && any(tool, &["feature", "features", "gate", "gates"]);
    let live = || any(tool, LIVE) || is_live(arguments, 0);
    let version =
        any(tool, &["model", "release", "version"]) && any(tool, &["alias", "promote", "stage", "transition"]);
    !rights::asks(tool)
        && (flag && any(tool, TURNS) && live()
            || version && live()
            || any(tool, &["create"]) && any(tool, &["deployments", "projects"]) && any(tool, &["promote", "rollback"])
            || any(tool, LIVE) && any(tool, TURNS) && is_none(arguments, 0))
}

/// `quantity: 0`
fn is_none(value: &Value, depth: usize) -> bool {
    match value {
        Value::Object(map) if depth <= MAX_DEPTH => {
            map.iter().any(|(key, value)| one_of(key, SIZES) && value.as_u64() == Some(0) || is_none(value, depth + 1))
        }
        Value::Array(list) => list.iter().any(|value| is_none(value, depth + 1)),
        _ => false,
    }
}

/// `environment: production`, `path: /environments/production/on`
fn is_live(value: &Value, depth: usize) -> bool {
    match value {
        Value::Object(map) if depth <= MAX_DEPTH => map.iter().any(|(key, value)| {
            let named =
                one_of(key, &["env", "environment", "environmentid", "environmentkey", "path", "stage", "tostage"]);
            named && value.as_str().is_some_and(|text| text.len() <= 256 && any(&words(text), LIVE))
                || is_live(value, depth + 1)
        }),
        Value::Array(list) => list.iter().any(|value| is_live(value, depth + 1)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_production_has_is_turned() {
        let patch = json!({"patch": [{"op": "replace", "path": "/environments/production/on", "value": false}]});
        for (server, tool, arguments, expect) in [
            ("launchdarkly", "update_feature_flag", patch, true),
            ("unleash", "toggle_feature", json!({"environment": "production", "enabled": true}), true),
            ("unleash", "toggle_feature", json!({"environment": "development", "enabled": true}), false),
            ("launchdarkly", "get_feature_flag", json!({"env": "production"}), false),
            ("launchdarkly", "create_feature_flag", json!({"key": "new-cart"}), false),
            ("mlflow", "transition_model_stage", json!({"name": "m", "stage": "Production"}), true),
            ("mlflow", "transition_model_stage", json!({"name": "m", "stage": "Staging"}), false),
            ("api", "update apps shop-production formation", json!({"updates": [{"quantity": 0}]}), true),
            ("api", "update apps shop-production formation", json!({"updates": [{"quantity": 2}]}), false),
            ("api", "create v10 projects prj promote dpl", json!({}), true),
        ] {
            assert_eq!(are_turned(&words(server), &words(tool), &arguments), expect, "{server} {tool} {arguments}");
        }
    }
}
