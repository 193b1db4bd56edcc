//! Calls that turn off what protects others or watches over them.

use rampart_shell::verbs::{any, words};
use serde_json::{Map, Value};

use super::{LONGEST, rights, said::plain};

/// What protects or watches, by a word of its name.
const GUARDS: &[&str] = &[
    "2fa",
    "antivirus",
    "audit",
    "auditing",
    "backups",
    "brute",
    "captcha",
    "cloudtrail",
    "ddos",
    "defender",
    "dlp",
    "edr",
    "encryption",
    "guardduty",
    "guardian",
    "mfa",
    "protection",
    "restrictions",
    "scanning",
    "securityhub",
    "totp",
    "versioning",
    "waf",
];

/// What is a guard where a name says that it is of a site or of an account.
const OF_SITES: (&[&str], &[&str]) =
    (&["zone", "zones", "domain", "domains"], &["ssl", "tls", "hsts", "https", "security", "firewall"]);
const OF_BUCKETS: (&[&str], &[&str]) = (&["public"], &["block", "prevention"]);
const OF_TENANTS: (&[&str], &[&str]) = (&["security"], &["defaults"]);
const OF_SIGN_IN: (&[&str], &[&str]) = (&["conditional"], &["access"]);
const OF_ACCOUNTS: (&[&str], &[&str]) = (
    &["auth", "auth0", "authentication", "authenticator", "clerk", "entra", "keycloak", "okta", "user", "users"],
    &["factor", "factors", "otp", "authenticator", "authenticators"],
);

/// Words with which such a thing ends.
const ENDS: &[&str] = &["bypass", "deactivate", "disable", "off", "remove", "suspend", "unenroll", "unenrol"];

/// Words with which a setting is changed.
const SETS: &[&str] =
    &["apply", "change", "configure", "edit", "modify", "patch", "put", "replace", "set", "toggle", "update", "write"];

/// Names of tools whose arguments say which setting is meant.
const SETTINGS: &[&str] = &["config", "configuration", "preferences", "setting", "settings"];

/// Arguments that name a setting, and switches of whatever is meant.
const NAMES: &[&str] = &["configkey", "feature", "id", "key", "name", "setting", "settingid"];
const SWITCHES: &[&str] = &[
    "active",
    "enable",
    "enabled",
    "enforced",
    "enforcement",
    "isenabled",
    "mode",
    "newvalue",
    "on",
    "required",
    "state",
    "status",
    "value",
];

/// Flags of protected branches, which are weaker with them.
const OPENINGS: &[&str] = &["allowforcepushes", "allowforcepush", "allowdeletions"];

/// How deep arguments are looked at.
const MAX_DEPTH: usize = 8;

/// Whether the words of a name are of something that protects or watches.
fn is_guard(words: &[String]) -> bool {
    let together = |(place, what): (&[&str], &[&str])| any(words, place) && any(words, what);
    any(words, GUARDS)
        || together(OF_SITES)
        || together(OF_ACCOUNTS)
        || together(OF_SIGN_IN)
        || together(OF_TENANTS)
        || together(OF_BUCKETS)
}

/// Who is told that something is wrong, by a word of their names.
const WATCHERS: &[&str] = &[
    "alertmanager",
    "betterstack",
    "datadog",
    "incident",
    "oncall",
    "opsgenie",
    "pagerduty",
    "squadcast",
    "victorops",
];

/// What tells that something is wrong.
const WATCHES: &[&str] = &["alarm", "alarms", "alert", "alerts", "monitor", "monitors", "notifications"];

/// Whether doors are opened, or what keeps machines and houses safe is put out of work.
fn lets_in(tool: &[String]) -> bool {
    any(tool, &["disarm"])
        || any(tool, &["unlock"]) && any(tool, &["door", "doors", "gate", "lock", "vehicle", "car"])
        || any(tool, &["open"]) && any(tool, &["door", "garage", "gate"])
        || any(tool, &["bypass", "defeat", "disable", "inhibit", "override"])
            && any(tool, &["estop", "failsafe", "interlock", "interlocks", "safety"])
}

/// `add_permitted_sender` with `*@*`: nothing is looked at any more.
fn permits_all(tool: &[String], arguments: &Value) -> bool {
    let all = |value: &Value| matches!(value.as_str(), Some("*" | "*@*" | "*.*" | "@*"));
    let whom = any(tool, &["allowed", "allowlist", "bypass", "permitted", "safe", "safelist", "trusted", "whitelist"])
        && any(
            tool,
            &["domain", "domains", "list", "sender", "senders", "recipient", "safelist", "allowlist", "whitelist"],
        );
    whom && any(tool, &["add", "create", "set", "update"])
        && arguments
            .as_object()
            .into_iter()
            .flatten()
            .any(|(_, value)| all(value) || value.as_array().is_some_and(|list| list.iter().any(all)))
}

/// `domain: lock, service: unlock, target: {entity_id: lock.front_door}`: what a house is told to do, as words.
fn told_to_house(arguments: &Value) -> Vec<String> {
    let at = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(words).unwrap_or_default();
    let target = arguments.get("target").unwrap_or(arguments);
    [at(arguments, "domain"), at(arguments, "service"), at(arguments, "action"), at(target, "entity_id")].concat()
}

/// `lock_id: 1`
fn holds_door(arguments: &Value) -> bool {
    let doors = ["doorid", "lockid", "smartlockid", "vehicleid"];
    arguments.as_object().into_iter().flatten().any(|(key, _)| doors.contains(&plain(key).as_str()))
}

/// Whether all that watches is told to be silent: `mute_all_monitors`, `create_silence` with `.*`.
fn silences(tool: &[String], arguments: &Value) -> bool {
    fn every(value: &Value, depth: usize) -> bool {
        match value {
            Value::Object(map) if depth <= MAX_DEPTH => map.iter().any(|(key, value)| {
                let all = matches!(value.as_str(), Some("*" | ".*" | ".+"));
                let listed = value.as_array().is_some_and(|list| list.iter().any(|one| one.as_str() == Some("*")));
                (all || listed)
                    && matches!(
                        plain(key).as_str(),
                        "scope" | "value" | "matcher" | "filter" | "alertname" | "monitorid" | "monitortags"
                    )
                    || every(value, depth + 1)
            }),
            Value::Array(list) if depth <= MAX_DEPTH => list.iter().any(|value| every(value, depth + 1)),
            _ => false,
        }
    }
    let silent = any(tool, &["silence", "silences", "mute", "snooze", "downtime", "downtimes"])
        && !any(tool, &["cancel", "delete", "expire", "unmute"]);
    silent && (any(tool, &["all"]) && any(tool, WATCHES) || every(arguments, 0))
        || any(tool, &["disable", "pause"]) && any(tool, &["all"]) && any(tool, WATCHES)
}

/// Whether the words of a tool's name say that it may change a guard, or a setting of whatever is named.
fn is_about(tool: &[String]) -> bool {
    any(tool, SETS) && (is_guard(tool) || any(tool, SETTINGS))
}

/// Whether a guard is named among the arguments.
fn is_named(value: &Value, depth: usize) -> bool {
    match value {
        Value::Object(map) if depth <= MAX_DEPTH => {
            map.iter().any(|(key, value)| is_guard(&words(key)) || is_named(value, depth + 1))
        }
        Value::Array(list) if depth <= MAX_DEPTH => list.iter().any(|value| is_named(value, depth + 1)),
        _ => false,
    }
}

/// Whether a call weakens what protects others: by the name of its tool, or by a switch among its arguments. `server` adds to
/// what the name is about.
pub(super) fn weakens(server: &[String], tool: &[String], arguments: &Value) -> bool {
    if rights::asks(tool) {
        return false;
    }
    let all: Vec<String> = server.iter().chain(tool).cloned().collect();
    let ends = any(tool, ENDS) || any(tool, &["stop"]) && any(&all, &["audit", "cloudtrail", "guardduty", "logging"]);
    let again = any(tool, &["reset"]) && any(tool, OF_ACCOUNTS.1);
    let watched = || any(tool, &["firewall"]) && any(tool, &["disable", "deactivate", "off"]);
    let stops = any(tool, &["stop"]) && ends;
    any(tool, &["unprotect"])
        || stops
        || (ends || again) && (is_guard(tool) || any(tool, OF_ACCOUNTS.1) && is_guard(&all))
        || watched()
        || lets_in(tool)
        || silences(tool, arguments)
        || any(server, WATCHERS) && any(tool, &["disable"]) && any(tool, WATCHES)
        || any(tool, &["clear", "delete", "disable", "expire", "lift", "release", "remove"])
            && (any(tool, &["hold", "holds"]) && any(tool, &["legal", "litigation", "preservation"])
                || any(tool, &["retention"]) && any(tool, &["policy", "lock", "rule"]))
        || permits_all(tool, arguments)
        || any(tool, &["unlock"]) && holds_door(arguments)
        || any(tool, &["service", "action"]) && lets_in(&told_to_house(arguments))
        || any(server, WATCHERS)
            && any(tool, SETS)
            && any(tool, &["service", "services", "schedule", "escalation"])
            && off(arguments, true, false, 0)
        || any(tool, SETS) && off(arguments, is_guard(tool) || any(server, GUARDS), any(tool, SETTINGS), 0)
}

/// Whether a switch of a guard is off. `guard` says that all are of one, `settings` that arguments name what is meant.
fn off(value: &Value, guard: bool, settings: bool, depth: usize) -> bool {
    if depth > MAX_DEPTH {
        return false;
    }
    match value {
        Value::Object(map) => {
            let named = settings && map.iter().any(|(key, value)| names(key, value));
            listed(map)
                || patched(map)
                || guard && map.iter().any(|(key, value)| taken(key, value))
                || guard && disables(map)
                || map.iter().any(|(key, value)| {
                    let own = guard || named || is_guard(&words(key));
                    let switch = (guard || named) && SWITCHES.contains(&plain(key).as_str()) || is_guard(&words(key));
                    let review = guard && plain(key) == "requiredpullrequestreviews";
                    // `ssoProtection: null`
                    let none = value.is_null() && words(key).last().is_some_and(|word| word == "protection");
                    own && switch && (is_off(value) || none)
                        || review && (value.is_null() || is_off(value))
                        || guard && OPENINGS.contains(&plain(key).as_str()) && *value == Value::Bool(true)
                        || off(value, own, settings, depth + 1)
                })
        }
        Value::Array(list) => list.iter().any(|value| off(value, guard, settings, depth + 1)),
        Value::String(text) if text.len() <= LONGEST && text.trim_start().starts_with(['{', '[']) => {
            serde_json::from_str(text)
                .is_ok_and(|value: Value| !value.is_string() && off(&value, guard, settings, depth + 4))
        }
        _ => false,
    }
}

/// `remove: [..]` of what restricts others.
fn taken(key: &str, value: &Value) -> bool {
    matches!(plain(key).as_str(), "delete" | "remove") && value.as_array().is_some_and(|list| !list.is_empty())
}

/// `{"op": "replace", "path": "/signon/requireFactor", "value": false}` (RFC 6902).
fn patched(map: &Map<String, Value>) -> bool {
    let path = map.get("path").and_then(Value::as_str).filter(|_| map.contains_key("op")).map(words);
    path.is_some_and(|path| is_guard(&path) || any(&path, &["factor"]))
        && map.get("value").is_some_and(|value| {
            is_off(value) || value.as_object().into_iter().flatten().any(|(_, value)| is_off(value))
        })
}

/// `name: DisableRealtimeMonitoring, value: true`
fn disables(map: &Map<String, Value>) -> bool {
    let disables = |name: &str| words(name).first().is_some_and(|word| word == "disable");
    let on = |value: &Value| *value == Value::Bool(true) || value.as_u64() == Some(1);
    let name = map.iter().find(|(key, _)| NAMES.contains(&plain(key).as_str())).and_then(|(_, value)| value.as_str());
    name.is_some_and(disables) && map.get("value").is_some_and(on)
        || map.iter().any(|(key, value)| disables(key) && on(value))
}

/// `id: waf`
fn names(key: &str, value: &Value) -> bool {
    let short = |text: &&str| text.len() <= 64;
    let site = |words: &[String]| is_guard(words) || matches!(words, [word, ..] if OF_SITES.1.contains(&word.as_str()));
    NAMES.contains(&plain(key).as_str()) && value.as_str().filter(short).is_some_and(|text| site(&words(text)))
}

/// `key: blockedCommands, value: []`: a tool's own list of what it refuses is emptied, or of where it may go is without end.
fn listed(map: &Map<String, Value>) -> bool {
    let named = map.iter().find(|(key, _)| NAMES.contains(&plain(key).as_str())).and_then(|(_, value)| value.as_str());
    let list = map.get("value").or_else(|| map.get("newValue")).and_then(Value::as_array);
    let (Some(name), Some(list)) = (named, list) else { return false };
    let words = words(name);
    let everywhere = || list.is_empty() || list.iter().any(|place| matches!(place.as_str(), Some("/" | "~" | "*")));
    list.is_empty() && any(&words, &["blocked", "denied", "blocklist", "denylist"])
        || any(&words, &["allowed"]) && any(&words, &["directories", "paths", "folders"]) && everywhere()
}

fn is_off(value: &Value) -> bool {
    match value {
        Value::Bool(on) => !on,
        Value::String(text) => {
            matches!(
                text.to_ascii_lowercase().as_str(),
                "off"
                    | "false"
                    | "disabled"
                    | "disable"
                    | "none"
                    | "suspended"
                    | "inactive"
                    | "essentially_off"
                    | "inherited"
            )
        }
        _ => false,
    }
}

/// Whether what is turned off stands in the argument.
pub(super) fn decides(tool: &[String], key: &str, value: &Value) -> bool {
    !value.is_number() && (is_about(tool) || any(tool, SETS) && (is_guard(&words(key)) || is_named(value, 0)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn guards_are_turned_off_by_name_and_by_switch() {
        for (server, tool, arguments, expect) in [
            ("gitlab", "unprotect_branch", json!({"name": "main"}), true),
            ("gitlab", "protect_branch", json!({"name": "main"}), false),
            ("okta", "reset_all_factors", json!({"user_id": "x"}), true),
            ("game", "reset_factor", json!({"id": 1}), false),
            ("vault", "disable_audit_device", json!({"path": "file/"}), true),
            ("vault", "enable_audit_device", json!({"path": "file/"}), false),
            ("vault", "list_audit_devices", json!({}), false),
            ("auth0", "update_guardian_factor", json!({"name": "otp", "body": {"enabled": false}}), true),
            ("auth0", "update_guardian_factor", json!({"name": "otp", "body": {"enabled": true}}), false),
            ("github", "update_branch_protection", json!({"allow_force_pushes": true}), true),
            ("github", "update_branch_protection", json!({"required_pull_request_reviews": null}), true),
            (
                "github",
                "update_branch_protection",
                json!({"required_pull_request_reviews": {"count": 2}, "enforce_admins": false, "restrictions": null}),
                false,
            ),
            ("cloudflare", "zone_settings_edit", json!({"items": [{"id": "waf", "value": "off"}]}), true),
            ("cloudflare", "zone_settings_edit", json!({"items": [{"id": "waf", "value": "on"}]}), false),
            ("cloudflare", "zone_settings_edit", json!({"items": [{"id": "minify", "value": "off"}]}), false),
            ("desktop-commander", "set_config_value", json!({"key": "blockedCommands", "value": []}), true),
            ("desktop-commander", "set_config_value", json!({"key": "blockedCommands", "value": ["rm"]}), false),
            ("desktop-commander", "set_config_value", json!({"key": "allowedDirectories", "value": ["/"]}), true),
            ("desktop-commander", "set_config_value", json!({"key": "telemetryEnabled", "value": false}), false),
            ("rds", "modify_instance_settings", json!({"DeletionProtection": false}), true),
            ("editor", "update_settings", json!({"minimap": {"enabled": false}}), false),
            ("keycloak", "update_realm", json!({"representation": {"bruteForceProtected": false}}), true),
            ("github", "update_repo", json!({"secret_scanning": {"status": "disabled"}}), true),
            ("entra", "update_conditional_access_policy", json!({"patch": {"state": "disabled"}}), true),
            ("cloudtrail", "manage_trail stop_logging", json!({"Name": "org"}), true),
            ("guardduty", "update_detector", json!({"Enable": false}), true),
            ("guardduty", "update_detector", json!({"Enable": true}), false),
            (
                "defender",
                "set_policy",
                json!({"settings": [{"name": "DisableRealtimeMonitoring", "value": true}]}),
                true,
            ),
            (
                "okta",
                "update_rule",
                json!({"patch": [{"op": "replace", "path": "/on/requireFactor", "value": false}]}),
                true,
            ),
            (
                "okta",
                "update_rule",
                json!({"patch": [{"op": "replace", "path": "/on/requireFactor", "value": true}]}),
                false,
            ),
            ("house", "alarm_disarm", json!({"code": "1"}), true),
            ("house", "alarm_arm_away", json!({}), false),
            ("house", "unlock_door", json!({}), true),
            ("nuki", "unlock", json!({"lock_id": "1"}), true),
            ("opsgenie", "disable_team_notifications", json!({"team": "ops"}), true),
            ("github", "unlock_issue", json!({}), false),
            ("lab", "overrideInterlock", json!({"state": "bypass"}), true),
            ("datadog", "mute_all_monitors", json!({}), true),
            ("datadog", "schedule_downtime", json!({"scope": "*", "start": 1}), true),
            ("api", "create v1 downtime", json!({"scope": ["*"]}), true),
            ("datadog", "schedule_downtime", json!({"scope": "service:web", "start": 1}), false),
            ("datadog", "cancel_downtime", json!({"scope": "*"}), false),
            ("api", "update v9 projects a", json!({"ssoProtection": null}), true),
            ("api", "update v9 projects a", json!({"framework": null}), false),
            ("api", "create v1 users a lifecycle reset_factors", Value::Null, true),
            (
                "aws",
                "update_resource",
                json!({"patch": [{"op": "replace", "path": "/PublicAccessBlockConfiguration", "value": {"BlockPublicAcls": false}}]}),
                true,
            ),
            (
                "aws",
                "update_resource",
                json!({"patch": "[{\"op\": \"replace\", \"path\": \"/PublicAccessBlockConfiguration/BlockPublicAcls\", \"value\": false}]"}),
                true,
            ),
            ("aws", "put_public_access_block", json!({"BlockPublicAcls": true}), false),
            ("datadog", "mute_monitor", json!({"monitor_id": 1, "scope": "env:staging"}), false),
            ("grafana", "create_silence", json!({"matchers": [{"name": "alertname", "value": ".*"}]}), true),
            ("grafana", "create_silence", json!({"matchers": [{"name": "alertname", "value": "Disk"}]}), false),
            ("pagerduty", "update_service", json!({"service": {"status": "disabled"}}), true),
            ("pagerduty", "update_service", json!({"service": {"status": "active"}}), false),
            ("x", "update policies identity security defaults", json!({"isEnabled": false}), true),
            ("jira", "update_issue", json!({"fields": {"status": "inactive", "audit": "none yet"}}), false),
            ("github", "update_issue", json!({"title": "turn MFA off", "state": "disabled"}), false),
        ] {
            assert_eq!(weakens(&words(server), &words(tool), &arguments), expect, "{server} {tool} {arguments}");
        }
    }
}
