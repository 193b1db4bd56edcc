//! Which tools of MCP servers are closed.

use rampart_call::{Action, Call, Phase};
use serde_json::{Value, json};

use super::{call, file, in_context, judge, ruleset, user};
use crate::{Layer, Ruleset};

fn of_tool(tool: &str, arguments: Value) -> Call {
    let action = Action::Mcp {
        server: "git".into(),
        method: "tools/call".into(),
        tool: tool.to_owned(),
        arguments: arguments.into(),
        beside: Value::Null,
    };
    Call { phase: Phase::Before, action, ..call("read", "x") }
}

fn closes(ruleset: &Ruleset, call: &Call) -> bool {
    in_context(false, |context| ruleset.closes(call, context))
}

const DENY: &str = "  - { name: no, match: { tool: 'mcp__git__push' }, rules: [{ action: deny }] }\n";
const DENY_ALL: &str = "  - { name: none, match: { server: git }, rules: [{ action: deny }] }\n";
const DENY_FORCE: &str = "  - { name: no-force, match: { tool: 'mcp__git__push' }, rules: [{ action: deny, when: \
                          { tool_param_matches: { force: 'true' } } }] }\n";
const ALLOW: &str = "  - { name: yes, match: { tool: 'mcp__git__push' }, rules: [{ action: allow }] }\n";
const ALLOW_MAIN: &str = "  - { name: main, match: { tool: 'mcp__git__push' }, rules: [{ action: allow, when: \
                          { tool_param_matches: { branch: 'main' } } }] }\n";
const ASK: &str = "  - { name: ask, match: { tool: 'mcp__git__push' }, rules: [{ action: ask }] }\n";
const OTHER: &str = "  - { name: other, match: { server: files }, rules: [{ action: allow }] }\n";

#[test]
fn a_tool_is_closed_where_no_arguments_let_it_pass() {
    for (default, rules, expect) in [
        ("allow", vec![DENY], true),
        ("ask", vec![DENY_ALL], true),
        ("allow", vec![DENY, ALLOW], true),
        ("allow", vec![], false),
        ("ask", vec![], false),
        // Some calls pass.
        ("allow", vec![DENY_FORCE], false),
        ("deny", vec![DENY_FORCE, ALLOW], false),
        ("deny", vec![ALLOW_MAIN], false),
        ("deny", vec![ASK], false),
        // No rule is about it.
        ("deny", vec![], true),
        ("deny", vec![OTHER], true),
        ("deny", vec![DENY_FORCE], true),
    ] {
        let text = if rules.is_empty() { "  []\n".to_owned() } else { rules.concat() };
        let ruleset = ruleset(&[user(default, &text)]);
        for arguments in [json!({}), json!({"branch": "main", "force": "true"})] {
            let call = of_tool("push", arguments);
            assert_eq!(closes(&ruleset, &call), expect, "{default} {rules:?} {call:?}");
            // What is closed is refused.
            assert!(!expect || judge(&ruleset, &call).outcome.as_str() == "deny", "{default} {rules:?} {call:?}");
        }
    }
}

#[test]
fn an_override_opens_what_only_rules_below_it_close() {
    let overrides = |rules: &str| {
        let text = format!("version: \"1\"\npolicies:\n{rules}");
        ruleset(&[user("allow", DENY), file("user-overrides.yaml", Layer::Overrides, &text)])
    };
    let push = of_tool("push", json!({}));
    assert!(!closes(&overrides(ALLOW_MAIN), &push));
    assert!(closes(&overrides(OTHER), &push));
    let locked = user("deny", &DENY.replace("deny }", "deny, locked: true }"));
    assert!(closes(
        &ruleset(&[locked, file("o.yaml", Layer::Overrides, &format!("version: \"1\"\npolicies:\n{ALLOW}"))]),
        &push
    ));
    assert!(!closes(&ruleset(&[user("deny", "  []\n")]), &call("read", "x")), "no tool of a server");
}
