//! Responses are calls, too.

use rampart_call::{Phase, Response};

use super::{call, judge, ruleset, user};
use crate::load;

fn came_back(text: &str) -> rampart_call::Call {
    let response = Some(Response { text: text.to_owned(), ..Response::default() });
    rampart_call::Call { phase: Phase::After, response, ..call("read", "notes.txt") }
}

#[test]
fn a_rule_about_responses_judges_only_responses() {
    let policies = "  - name: leak\n    rules:\n      - { action: deny, when: { response_matches: ['AKIA[0-9A-Z]{16}'] } }\n  - name: reads\n    rules:\n      - { action: ask, when: { path_matches: ['**/notes.txt'] } }\n";
    let ruleset = ruleset(&[user("allow", policies)]);
    assert_eq!(judge(&ruleset, &call("read", "notes.txt")).outcome.as_str(), "ask");
    assert_eq!(
        judge(&ruleset, &came_back("nothing here")).outcome.as_str(),
        "allow",
        "what was let pass is not asked again"
    );
    assert_eq!(judge(&ruleset, &came_back("key AKIAABCDEFGHIJKLMNOP")).outcome.as_str(), "deny");
}

#[test]
fn redaction_cuts_what_was_found_and_lets_the_rest_pass() {
    let policies =
        "  - name: mask\n    rules:\n      - { action: redact, when: { response_matches: ['s[0-9]+', 's1[0-9]*'] } }\n";
    let ruleset = ruleset(&[user("deny", policies)]);
    let judgement = judge(&ruleset, &came_back("a s123 b s4"));
    assert_eq!(judgement.outcome.as_str(), "watch");
    let cuts: Vec<(usize, usize)> = judgement.edits.iter().map(|e| (e.span.start, e.span.end)).collect();
    assert_eq!(cuts, [(2, 6), (9, 11)]);
}

#[test]
fn what_a_tool_is_told_is_cut_where_a_policy_says_so() {
    let secret = ["ghp_", "1B4a2e77838347a7E420", "ce178F2E7c", "05URMu"].concat();
    let policy = |default: &str, matching: &str| {
        user(
            default,
            &format!(
                "  - name: mask\n    match: {{ {matching} }}\n    rules:\n      - {{ action: redact, when: {{ detects: [secret] }} }}\n"
            ),
        )
    };
    let action = rampart_call::Action::Mcp {
        server: "s".into(),
        method: "tools/call".into(),
        tool: "t".into(),
        arguments: serde_json::json!({"a": {"text": format!("key {secret} end")}}).into(),
        beside: serde_json::json!({"requestState": secret}),
    };
    let call = rampart_call::Call { action, ..call("read", "x") };
    let text = call.action.mcp_text().unwrap();
    for (default, outcome) in [("allow", "watch"), ("deny", "deny")] {
        let judgement = judge(&ruleset(&[policy(default, "tool: mcp, phase: before")]), &call);
        assert_eq!(judgement.outcome.as_str(), outcome, "a redaction allows nothing");
        let cut: Vec<&str> = judgement.edits.iter().map(|e| &text[e.span.start..e.span.end]).collect();
        assert_eq!(cut, [secret.as_str(), secret.as_str()]);
    }
    assert!(judge(&ruleset(&[policy("allow", "tool: mcp, phase: after")]), &call).edits.is_empty());
    for matching in ["phase: before", "tool: [mcp, fetch], phase: before"] {
        assert!(load(&[policy("allow", matching)]).is_err(), "{matching}");
    }
}

#[test]
fn detectors_look_at_what_is_sent_and_at_what_came_back() {
    let secret = "ghp_0123456789abcdefghijklmnopqrstuvwx01";
    let policies = "  - name: secrets\n    match: { phase: after }\n    rules:\n      - { action: redact, when: { detects: [secret] } }\n";
    let ruleset = ruleset(&[user("allow", policies)]);
    let text = format!("token: {secret} end");
    let judgement = judge(&ruleset, &came_back(&text));
    if rampart_scan::scan(&text).is_empty() {
        return;
    }
    assert_eq!(judgement.edits.len(), 1);
    assert!(!text[..judgement.edits[0].span.start].contains("ghp_"));
}
