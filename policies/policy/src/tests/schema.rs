//! The JSON Schema of policy files says what the reader takes: the same keys, words and shapes.

use std::collections::BTreeSet;

use jsonschema::Validator;
use serde_json::Value;

use crate::{Layer, SCHEMA, Severity, SourceFile, lint, packs};

fn schema() -> (Value, Validator) {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    (schema, validator)
}

fn reads(text: &str) -> Result<(), String> {
    let file = SourceFile { name: "f".into(), text: text.into(), layer: Layer::User };
    let errors = lint(&[file]).into_iter().filter(|found| found.severity == Severity::Error);
    let told: Vec<String> = errors.map(|error| format!("{} {:?}", error.message, error.help)).collect();
    if told.is_empty() { Ok(()) } else { Err(told.join("; ")) }
}

fn fits(validator: &Validator, text: &str) -> Result<(), String> {
    let value: Value = serde_yaml::from_str(text).unwrap();
    let told: Vec<String> = validator.iter_errors(&value).map(|e| format!("{} at {}", e, e.instance_path())).collect();
    if told.is_empty() { Ok(()) } else { Err(told.join("; ")) }
}

#[test]
fn every_pack_is_what_the_schema_says() {
    let (_, validator) = schema();
    for name in packs::names() {
        let pack = packs::builtin(name).unwrap();
        assert_eq!(fits(&validator, &pack.text), Ok(()), "{name}");
    }
}

/// Whoever writes a key that there is not is told those that there are: they are those of the schema.
#[test]
fn every_mapping_has_the_keys_of_the_schema_and_no_others() {
    let (schema, validator) = schema();
    let rule = |more: &str| format!("policies: [{{name: a, match: {{surface: hook}}, rules: [{{action: {more}}}]}}]");
    for (place, text) in [
        ("", "policies: []\nno-such-key: 1".to_owned()),
        (
            "/$defs/policy",
            "policies: [{name: a, no-such-key: 1, rules: [{action: deny, when: {default: true}}]}]".into(),
        ),
        ("/$defs/match", "policies: [{name: a, match: {tool: exec, no-such-key: 1}, rules: [{action: deny}]}]".into()),
        ("/$defs/rule", rule("deny, no-such-key: 1")),
        ("/$defs/when", rule("deny, when: {default: true, no-such-key: 1}")),
        ("/$defs/rule/properties/ask", rule("ask, ask: {no-such-key: 1}")),
        ("/$defs/rule/properties/webhook", rule("webhook, webhook: {url: 'https://a.example/', no-such-key: 1}")),
        ("/$defs/when/properties/budget", rule("deny, when: {budget: {window: 1h, requests: 1, no-such-key: 1}}")),
        ("/$defs/when/properties/call_count", rule("deny, when: {call_count: {gte: 1, window: 1h, no-such-key: 1}}")),
        ("/$defs/bounds/anyOf/1", rule("deny, when: {agent_depth: {gte: 1, no-such-key: 1}}")),
        ("/properties/notify", "policies: []\nnotify: {url: 'https://a.example/', on: deny, no-such-key: 1}".into()),
        ("/$defs/test", "policies: []\ntests: [{exec: ls, expect: deny, no-such-key: 1}]".into()),
    ] {
        let told = reads(&text).unwrap_err();
        let known = told.split("the keys are ").nth(1).unwrap_or_else(|| panic!("{text}: {told}"));
        let known: BTreeSet<&str> = known.split('`').skip(1).step_by(2).collect();
        let properties = schema.pointer(place).and_then(|of| of["properties"].as_object()).unwrap();
        assert_eq!(properties.keys().map(String::as_str).collect::<BTreeSet<_>>(), known, "{place}");
        fits(&validator, &text).expect_err(&text);
        let without =
            text.replace(", no-such-key: 1", "").replace("no-such-key: 1, ", "").replace("\nno-such-key: 1", "");
        let without = without.replace("no-such-key: 1", "audit: true");
        assert_eq!((reads(&without), fits(&validator, &without)), (Ok(()), Ok(())), "{without}");
    }
}

#[test]
fn what_the_reader_refuses_the_schema_does_not_take() {
    let (_, validator) = schema();
    let rule = |rule: &str| format!("policies: [{{name: a, match: {{surface: hook}}, rules: [{{{rule}}}]}}]");
    let when = |when: &str| rule(&format!("action: deny, when: {{{when}}}"));
    for (text, takes) in [
        (when("command_matches: 'ls *'"), true),
        (when("command_matches: [ls, 7]"), true),
        (when("command_matches: []"), false),
        (when("command_matches: ['']"), false),
        (when("command_matches: {a: b}"), false),
        (when("port: [443, 8000-8999]"), true),
        (when("effect: read"), true),
        (when("effect: [read, reed]"), false),
        (when("effect: [net], scope: moon"), false),
        (when("header_matches: {x-team: [a, b]}"), true),
        (when("header_matches: x-team"), false),
        (when("body_size: {gte: 1MB, lt: 2gib}"), true),
        (when("body_size: {gte: big}"), false),
        (when("agent_depth: 2"), true),
        (when("agent_depth: {}"), false),
        (when("tool_param_range: {/limit: {gt: 100}}"), true),
        (when("first_seen: ever"), true),
        (when("first_seen: never"), false),
        (when("budget: {window: 1h30m, sent: 10MB}"), true),
        (when("budget: {window: 1h}"), false),
        (when("budget: {window: 1 hour, requests: 1}"), false),
        (when("call_count: {gte: 0, window: 1h}"), false),
        (when("confined: true"), true),
        (when("confined: 'yes'"), false),
        (when("denied_when_run: true"), true),
        (when("denied_when_run: often"), false),
        (when("default: true"), true),
        (when("default: false"), false),
        (when(""), false),
        (rule("action: deny"), true),
        (rule("action: forbid"), false),
        (rule("when: {default: true}"), false),
        (rule("action: ask, ask: {approvals: 9}"), true),
        (rule("action: ask, ask: {approvals: 10}"), false),
        (rule("action: deny, once: sometimes"), false),
        (rule("action: deny, locked: true, expires_at: '2031-01-01T00:00:00Z'"), true),
        ("policies: [{name: a, rules: []}]".to_owned(), false),
        ("policies: [{rules: [{action: deny, when: {default: true}}]}]".to_owned(), false),
        ("policies: [{name: a, match: {}, rules: [{action: deny, when: {default: true}}]}]".to_owned(), false),
        ("policies: [{name: a, match: {surface: moon}, rules: [{action: deny}]}]".to_owned(), false),
        ("policies: [{name: a, match: {phase: before}, rules: [{action: deny}]}]".to_owned(), true),
        ("version: '2'\npolicies: []".to_owned(), false),
        ("version: 1\npolicies: []".to_owned(), true),
        ("default_action: deny".to_owned(), false),
        ("default_action: maybe\npolicies: []".to_owned(), false),
        ("policies: []\ntests: [{exec: [ls, pwd], expect: pass}]".to_owned(), true),
        ("policies: []\ntests: [{call: {tool: fetch, url: 'https://a.example/', server: s, called: [t]}, expect: stop}]".into(), true),
        ("policies: []\ntests: [{exec: ls, expect: perhaps}]".to_owned(), false),
        ("policies: []\ntests: [{exec: ls}]".to_owned(), false),
    ] {
        assert_eq!(reads(&text).is_ok(), takes, "the reader, of {text}: {:?}", reads(&text));
        assert_eq!(fits(&validator, &text).is_ok(), takes, "the schema, of {text}: {:?}", fits(&validator, &text));
    }
}
