//! Feature flags that are switched where customers are.

use rampart_shell::verbs::{any, words};
use serde_json::Value;

use super::{rights, said::one_of};

const TURNS: &[&str] = &["change", "disable", "enable", "patch", "set", "switch", "toggle", "turn", "update"];
const FLAGS: &[&str] = &["flag", "flags", "toggle", "toggles", "featureflag", "killswitch"];
/// Services that keep little else than such flags.
const KEEPERS: &[&str] = &["configcat", "flagsmith", "launchdarkly", "optimizely", "split", "statsig", "unleash"];
const LIVE: &[&str] = &["live", "prd", "prod", "production"];

/// How deep arguments are looked at.
const MAX_DEPTH: usize = 6;

/// Whether a call switches a flag of production, or changes who has it.
pub(super) fn are_turned(server: &[String], tool: &[String], arguments: &Value) -> bool {
    let flag = any(tool, FLAGS) || any(server, KEEPERS) && any(tool, &["feature", "features", "gate", "gates"]);
    flag && any(tool, TURNS) && !rights::asks(tool) && (any(tool, LIVE) || is_live(arguments, 0))
}

/// `environment: production`, `path: /environments/production/on`
fn is_live(value: &Value, depth: usize) -> bool {
    match value {
        Value::Object(map) if depth <= MAX_DEPTH => map.iter().any(|(key, value)| {
            let named = one_of(key, &["env", "environment", "environmentid", "environmentkey", "path", "stage"]);
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
    fn flags_of_production_are_turned() {
        let patch = json!({"patch": [{"op": "replace", "path": "/environments/production/on", "value": false}]});
        for (server, tool, arguments, expect) in [
            ("launchdarkly", "update_feature_flag", patch, true),
            ("unleash", "toggle_feature", json!({"environment": "production", "enabled": true}), true),
            ("unleash", "toggle_feature", json!({"environment": "development", "enabled": true}), false),
            ("launchdarkly", "get_feature_flag", json!({"env": "production"}), false),
            ("launchdarkly", "create_feature_flag", json!({"key": "new-cart"}), false),
        ] {
            assert_eq!(are_turned(&words(server), &words(tool), &arguments), expect, "{server} {tool} {arguments}");
        }
    }
}
