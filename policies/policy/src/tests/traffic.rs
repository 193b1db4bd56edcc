//! Rules about what goes over the network, one condition at a time.

use std::collections::BTreeSet;

use rampart_call::{Action, Call, Origin, Phase, Response, Usage};

use super::{in_context, judge, judge_at, ruleset, user};
use crate::{Context, History};

fn post(url: &str, kind: &str, body: &str) -> Call {
    let origin = Origin { agent: "bot".into(), session: "s".into(), ..Origin::default() };
    let action = Action::Fetch {
        method: "POST".into(),
        url: url.into(),
        headers: vec![("content-type".into(), kind.into()), ("x-team".into(), "red".into())],
        body: Some(body.into()),
        body_size: Some(body.len() as u64),
        addresses: vec!["203.0.113.7".parse().unwrap()],
    };
    Call { origin, phase: Phase::Before, action, response: None }
}

fn answered(kind: &str, text: &str) -> Call {
    let headers = vec![("content-type".into(), kind.into()), ("x-served-by".into(), "edge".into())];
    let response = Some(Response { text: text.into(), status: Some(200), headers, ..Response::default() });
    Call { phase: Phase::After, response, ..post("https://api.example:8443/v1/items", "application/json", "{}") }
}

#[test]
fn every_condition_about_a_request_can_hold_and_can_fail() {
    let request =
        post("https://api.example:8443/v1/items?q=1", "Application/JSON; charset=utf-8", "{\"name\":\"Sesame\"}");
    for (condition, holds) in [
        ("domain_matches: ['*.example', api.example]", true),
        ("domain_matches: [other.example]", false),
        ("url_path_matches: [/v1/*]", true),
        ("url_path_matches: [/v2/*]", false),
        ("method: [POST]", true),
        ("method: [GET]", false),
        ("port: [8000-8999]", true),
        ("port: [443]", false),
        ("ip_in: [203.0.113.0/24]", true),
        ("ip_in: [private]", false),
        ("header_matches: {X-Team: [red, blue]}", true),
        ("header_matches: {x-team: blue}", false),
        ("header_not_matches: {x-team: blue}", true),
        ("body_contains: [sesame]", true),
        ("body_contains: [open]", false),
        ("body_matches: ['Ses.me']", true),
        ("body_size: {gte: 10, lt: 100}", true),
        ("body_size: {gt: 1KB}", false),
        ("content_type_matches: [application/json]", true),
        ("content_type_matches: ['text/*']", false),
        ("content_type_not_matches: ['text/*']", true),
        ("label: [secret-read]", true),
        ("label: [untrusted-content]", false),
        ("first_seen: session", true),
        ("budget: {window: 1h, requests: 0}", true),
        ("budget: {window: 1h, requests: 1}", false),
        ("budget: {window: 1h, sent: 10}", true),
        ("budget: {window: 1h, sent: 1KB}", false),
    ] {
        let rules = ruleset(&[user(
            "allow",
            &format!(
                "  - name: p\n    match: {{ tool: fetch }}\n    rules:\n      - {{ action: deny, when: {{ {condition} }} }}\n"
            ),
        )]);
        assert_eq!(judge(&rules, &request).outcome.as_str() == "deny", holds, "{condition}");
    }
}

#[test]
fn rules_about_answers_look_at_the_answer() {
    let answer = answered("text/html; charset=utf-8", "<p>hello</p>");
    for (condition, holds) in [
        ("content_type_matches: [text/html]", true),
        ("content_type_matches: [application/json]", false),
        ("header_matches: {x-served-by: edge}", true),
        ("header_matches: {x-team: red}", false),
        ("body_size: {lt: 100}", true),
        ("body_size: {gt: 100}", false),
        ("response_matches: ['hel+o']", true),
        ("method: [POST]", true),
    ] {
        let rules = ruleset(&[user(
            "allow",
            &format!(
                "  - name: p\n    match: {{ tool: fetch, phase: after }}\n    rules:\n      - {{ action: deny, when: {{ {condition} }} }}\n"
            ),
        )]);
        assert_eq!(judge(&rules, &answer).outcome.as_str() == "deny", holds, "{condition}");
    }
}

#[test]
fn a_budget_is_kept_for_each_host_and_runs_out() {
    let limits = "  - name: p\n    rules:\n      - { action: deny, when: { budget: { window: 1m, requests: 3, received: 1KB, time: 10s } } }\n";
    let rules = ruleset(&[user("allow", limits)]);
    let (a, b) = (post("https://a.example/", "text/plain", ""), post("https://b.example/", "text/plain", ""));
    let mut history = History::default();
    let mut go = |call: &Call, usage: Usage, now: i64| {
        let outcome = judge_at(&rules, call, now, &history, false).outcome.as_str();
        history.record(call, now);
        history.record_usage(call, usage, now);
        outcome
    };
    let nothing = Usage::default();
    let seen: Vec<_> = (0..4).map(|_| go(&a, nothing, 0)).collect();
    assert_eq!(seen, ["allow", "allow", "allow", "deny"]);
    assert_eq!(go(&b, Usage { received: 1024, ..nothing }, 0), "allow");
    assert_eq!(go(&b, nothing, 1_000), "deny", "all that may come back has come");
    assert_eq!(go(&b, Usage { millis: 10_000, ..nothing }, 200_000), "allow", "a minute later");
    assert_eq!(go(&b, nothing, 201_000), "deny", "the time is used up");
}

#[test]
fn a_part_of_a_call_is_not_another_call() {
    let limits = "  - name: p\n    rules:\n      - { action: deny, when: { call_count: { tool: fetch, gte: 2, window: 1m, per: host } } }\n      - { action: deny, when: { first_seen: ever, domain_matches: [new.example] } }\n";
    let rules = ruleset(&[user("allow", limits)]);
    let call = post("https://a.example/", "text/plain", "");
    let mut history = History::default();
    history.record(&call, 0);
    history.record(&answered("text/plain", "x"), 0);
    let labels = BTreeSet::new();
    let context = Context {
        now_ms: 0,
        headless: false,
        labels: &labels,
        confined: false,
        called: &[],
        history: &history,
        counted: true,
        rampart_home: None,
    };
    assert_eq!(rules.judge(&call, &context).outcome.as_str(), "allow");
    assert_eq!(judge_at(&rules, &call, 0, &history, false).outcome.as_str(), "deny");
}

#[test]
fn a_host_is_new_until_an_allowed_call_has_named_it() {
    let policies =
        "  - name: p\n    match: { tool: fetch }\n    rules:\n      - { action: ask, when: { first_seen: session } }\n";
    let rules = ruleset(&[user("allow", policies)]);
    let call = post("https://new.example/", "text/plain", "");
    let mut history = History::default();
    let effects = judge(&rules, &call).effects;
    let connect =
        Call { action: Action::Connect { host: "new.example".into(), port: 443, addresses: vec![] }, ..call.clone() };
    assert_eq!(history.reached(&connect, &effects, false), [("new.example".to_owned(), "connect".to_owned())]);
    assert_eq!(judge_at(&rules, &call, 0, &history, false).outcome.as_str(), "ask", "a connection is no request");
    history.reached(&call, &effects, false);
    assert_eq!(judge_at(&rules, &call, 0, &history, false).outcome.as_str(), "allow");
    let mut other = call.clone();
    other.origin.session = "other".into();
    assert_eq!(judge_at(&rules, &other, 0, &history, false).outcome.as_str(), "ask", "another session");
    history.reached(&Call { origin: other.origin.clone(), ..connect }, &effects, true);
    assert_eq!(judge_at(&rules, &other, 0, &history, false).outcome.as_str(), "allow", "a human answered for it");
}

#[test]
fn what_an_mcp_server_does_by_itself_is_told_from_the_rest_of_its_session() {
    let policies = r#"  - name: web-reaches
    match: { server: web, tool: [fetch, connect] }
    rules:
      - { action: deny, when: { domain_not_matches: [docs.example, "*.docs.example", api.example] } }
      - { action: allow, when: { domain_matches: [docs.example, "*.docs.example"] } }
      - { action: allow, when: { domain_matches: [api.example], during_matches: ["post_*"] } }
      - { action: deny, when: { domain_matches: [api.example], during_not_matches: ["post_*"] } }
  - name: web-offers
    match: { server: web }
    rules: [{ action: allow }]
  - name: all-of-web
    match: { server: web, tool: "*" }
    rules: [{ action: allow }]
"#;
    let ruleset = ruleset(&[user("ask", policies)]);
    for (server, url, called, expect) in [
        (Some("web"), "https://docs.example/a", &[][..], "allow"),
        (Some("web"), "https://evil.example/a", &[], "deny"),
        (Some("web"), "https://api.example/a", &["post_item"], "allow"),
        (Some("web"), "https://api.example/a", &["Post_Item", "post_other"], "allow"),
        // It may be for the one or for the other.
        (Some("web"), "https://api.example/a", &["post_item", "read"], "deny"),
        (Some("web"), "https://api.example/a", &["read"], "deny"),
        (Some("web"), "https://api.example/a", &[], "deny"),
        // Of others no rule speaks, and those about what the server offers are not about this.
        (Some("other"), "https://docs.example/a", &[], "ask"),
        (Some("other"), "https://api.example/a", &["post_item"], "ask"),
        (None, "https://docs.example/a", &[], "ask"),
    ] {
        let mut call = post(url, "text/plain", "x");
        call.origin.server = server.map(str::to_owned);
        let called: Vec<String> = called.iter().map(|tool| (*tool).to_owned()).collect();
        let judged = in_context(false, |context| ruleset.judge(&call, &Context { called: &called, ..*context }));
        assert_eq!(judged.outcome.as_str(), expect, "{server:?} {url} {called:?}");
    }
    // What a tool is called with counts like what the server does for it.
    let arguments = serde_json::json!({"url": "https://evil.example/x"});
    let (server, method, tool, beside) = ("web".into(), "tools/call".into(), "get".into(), serde_json::Value::Null);
    let action = Action::Mcp { server, method, tool, arguments: arguments.into(), beside };
    assert_eq!(judge(&ruleset, &Call { action, ..post("https://x.example", "", "") }).outcome.as_str(), "deny");
}
