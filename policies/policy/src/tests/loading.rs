//! What does not load, and what it says.

use super::{call, file, judge, ruleset, user};
use crate::{Layer, Severity, lint, load};

/// Loads one user's file and returns what is wrong, with the text that is underlined.
fn wrong(text: &str) -> Vec<(String, String, String)> {
    let errors = match load(&[file("x.yaml", Layer::User, text)]) {
        Ok(loaded) => loaded.warnings,
        Err(errors) => errors,
    };
    let underlined = |span: Option<std::ops::Range<usize>>| span.map(|s| text[s].to_owned()).unwrap_or_default();
    errors.into_iter().map(|e| (e.code.to_owned(), underlined(e.span.clone()), e.help.unwrap_or_default())).collect()
}

fn rule(rule: &str) -> String {
    format!(
        "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: p\n    match: {{ tool: [exec] }}\n    rules:\n      - {rule}\n"
    )
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_a_way_out() {
    for (text, code, underlined, help) in [
        (rule("{ action: deny, when: { comand_matches: [x] } }"), "unknown-key", "comand_matches", "`command_matches`"),
        (
            rule("{ action: require_approval, when: { default: true } }"),
            "old-action",
            "require_approval",
            "action: ask",
        ),
        (rule("{ action: dney, when: { default: true } }"), "unknown-word", "dney", "`deny`"),
        (rule("{ action: log, when: { default: true } }"), "old-action", "log", "`watch`"),
        (rule("{ action: deny, when: {} }"), "empty-when", "{", "default: true"),
        (rule("{ action: deny, when: }"), "empty-when", "when", "default: true"),
        (rule("{ action: deny, when: { command_matches: [] } }"), "empty-list", "[", "remove the key"),
        (rule("{ action: deny, when: { command_matches: [''] } }"), "empty-pattern", "''", ""),
        (rule("{ action: deny, when: { default: false } }"), "never-true", "false", "remove"),
        (rule("{ action: deny, when: { path_matches: ['a/[b'] } }"), "bad-glob", "'a/[b'", ""),
        (rule("{ action: deny, when: { domain_matches: ['https://x.io'] } }"), "bad-domain", "'https://x.io'", ""),
        (rule("{ action: deny, when: { effect: [delet] } }"), "unknown-word", "delet", "`delete`"),
        (rule("{ action: deny, when: { note: [download-runn] } }"), "unknown-word", "download-runn", "`download-run`"),
        (rule("{ action: deny, when: { detects: [secrets] } }"), "unknown-word", "secrets", "`secret`"),
        (rule("{ action: deny, when: { port: [70000] } }"), "bad-port", "70000", "443"),
        (rule("{ action: deny, when: { ip_in: [10.0.0.0/40] } }"), "bad-network", "10.0.0.0/40", "loopback"),
        (rule("{ action: ask, ask: { approvals: 0 }, when: { default: true } }"), "bad-number", "0", ""),
        (rule("{ action: ask, ask: { approvals: 10 }, when: { default: true } }"), "bad-number", "10", ""),
        (rule("{ action: ask, ask: { approvals: two }, when: { default: true } }"), "wrong-type", "two", ""),
        (rule("{ action: deny, ask: { approvals: 2 }, when: { default: true } }"), "not-here", "ask", ""),
        (rule("{ action: webhook, when: { default: true } }"), "missing-key", "{ action", "webhook"),
        (rule("{ action: allow, locked: true, when: { default: true } }"), "not-here", "locked", "remove"),
        (rule("{ action: deny, expires_at: tomorrow, when: { default: true } }"), "bad-time", "tomorrow", "2026"),
        (rule("{ action: deny, when: { call_count: { gte: 3 } } }"), "missing-key", "{ gte: 3", "window"),
        (rule("{ action: deny, when: { agent_depth: { gte: 3, lt: 2 } } }"), "never-true", "{ gte: 3, lt: 2", ""),
        (rule("{ action: redact, when: { command_matches: [x] } }"), "nothing-to-redact", "{ action", "detects"),
        (rule("{ action: deny, when: { header_matches: { a: b } } }"), "never-true", "{ action", "tool"),
        (rule("{ action: deny, when: { default: yes } }"), "wrong-type", "yes", ""),
        ("version: \"1\"\ndefault_action: allow\n".to_owned(), "missing-key", "", "policies: []"),
        ("version: \"2\"\ndefault_action: allow\npolicies: []\n".to_owned(), "unknown-version", "\"2\"", "version"),
        ("default_action: allow\npolicies: []\npolicies: []\n".to_owned(), "malformed-yaml", "policies", ""),
        (String::new(), "wrong-type", "", ""),
        ("version: \"1\"\npolicies: [{ name: a, rules: [] }]\n".to_owned(), "empty-list", "[", ""),
    ] {
        let found = wrong(&text);
        let fits = |(c, u, h): &(String, String, String)| c == code && u.starts_with(underlined) && h.contains(help);
        assert!(found.iter().any(fits), "{text}\nwants {code} at {underlined:?}\ngot {found:#?}");
    }
}

#[test]
fn every_error_is_told_not_only_the_first() {
    let text = rule("{ action: dney, mesage: x, when: { comand_matches: [x], path_match: [y] } }");
    assert_eq!(wrong(&text).len(), 4, "{:#?}", wrong(&text));
}

#[test]
fn a_key_that_is_spelled_wrong_is_one_error_and_not_missing_as_well() {
    for text in
        [rule("{ acton: deny, when: { default: true } }"), rule("{ action: deny, wehn: { command_matches: [x] } }")]
    {
        let wrong = wrong(&text);
        assert_eq!(wrong.iter().map(|(id, ..)| id.as_str()).collect::<Vec<_>>(), ["unknown-key"], "{text}");
    }
}

#[test]
fn a_rule_without_conditions_needs_a_match() {
    let bare = "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: p\n    rules:\n      - action: deny\n";
    assert_eq!(wrong(bare)[0].0, "missing-when");
    let ruleset =
        ruleset(&[user("allow", "  - name: p\n    match: { tool: write }\n    rules:\n      - action: deny\n")]);
    assert_eq!(judge(&ruleset, &call("write", "x")).outcome.as_str(), "deny");
    assert_eq!(judge(&ruleset, &call("read", "x")).outcome.as_str(), "allow");
}

#[test]
fn a_project_may_only_restrict() {
    let project = |rule: &str, head: &str| {
        file(
            "p.yaml",
            Layer::Project,
            &format!("version: \"1\"\n{head}policies:\n  - name: p\n    rules:\n      - {rule}\n"),
        )
    };
    let base = user("deny", "  []\n");
    let loaded = load(&[base.clone(), project("{ action: allow, when: { default: true } }", "")]).unwrap();
    assert_eq!(loaded.warnings[0].code, "project-grant");
    assert_eq!(super::outcome(&loaded.ruleset, "read", "x"), "deny");
    let loaded = load(&[base, project("{ action: ask, when: { default: true } }", "default_action: allow\n")]).unwrap();
    assert_eq!(super::outcome(&loaded.ruleset, "read", "x"), "deny", "a project's question lifts no default");
    let loaded = load(&[user("allow", "  []\n"), project("{ action: ask, when: { default: true } }", "")]).unwrap();
    assert_eq!(super::outcome(&loaded.ruleset, "read", "x"), "ask");
    for (rule, head) in [
        ("{ action: deny, locked: true, when: { default: true } }", ""),
        ("{ action: deny, when: { default: true } }", "notify: { url: 'https://x.io' }\n"),
    ] {
        let errors = load(&[project(rule, head)]).unwrap_err();
        assert_eq!((errors[0].code, errors[0].severity), ("not-here", Severity::Error));
    }
}

#[test]
fn the_order_of_files_changes_nothing() {
    let a = file("a.yaml", Layer::User, "version: \"1\"\ndefault_action: allow\npolicies: []\n");
    let b = file("b.yaml", Layer::User, "version: \"1\"\ndefault_action: deny\npolicies: []\n");
    let (one, two) = (ruleset(&[a.clone(), b.clone()]), ruleset(&[b, a]));
    assert_eq!(one.hash(), two.hash());
    assert_eq!(one.default_action().as_str(), "deny", "the strictest default holds");
    assert_eq!(two.default_action().as_str(), "deny");
}

#[test]
fn lint_finds_what_nobody_can_mean() {
    for (policies, code) in [
        ("  - name: p\n    rules:\n      - { action: allow, when: { command_matches: ['*'] } }\n", "over-broad"),
        ("  - name: p\n    rules:\n      - { action: allow, when: { command_matches: ['bash *'] } }\n", "over-broad"),
        ("  - name: p\n    rules:\n      - { action: allow, when: { path_matches: ['/**'] } }\n", "over-broad"),
        ("  - name: p\n    rules:\n      - { action: allow, when: { domain_matches: ['*.com'] } }\n", "over-broad"),
        (
            "  - name: p\n    rules:\n      - { action: deny, when: { command_matches: ['git *'] } }\n      - { action: allow, when: { command_matches: ['git status *'] } }\n",
            "shadowed-grant",
        ),
        (
            "  - name: p\n    rules:\n      - { action: ask, when: { path_matches: ['/etc/ssh/**'] } }\n      - { action: deny, when: { path_matches: ['/etc/**'] } }\n",
            "unreachable",
        ),
        (
            "  - name: p\n    rules:\n      - { action: deny, when: { command_matches: ['git push *'], command_not_matches: ['git *'] } }\n",
            "never-true",
        ),
        (
            "  - name: p\n    rules:\n      - { action: deny, locked: true, when: { domain_matches: ['*.x.io'] } }\n      - { action: deny, locked: true, when: { domain_matches: ['a.x.io'] } }\n",
            "overlapping-locked",
        ),
        (
            "  - name: p\n    match: { tool: [exec, read] }\n    rules:\n      - { action: deny, when: { command_matches: ['x'] } }\n",
            "cannot-meet-tool",
        ),
        ("  - name: p\n    match: { tool: [exce] }\n    rules:\n      - { action: deny }\n", "odd-tool"),
    ] {
        let notes = lint(&[user("allow", policies)]);
        assert!(notes.iter().any(|n| n.code == code), "{policies}\nwants {code}, got {notes:#?}");
    }
    let clean = "  - name: p\n    match: { tool: [exec] }\n    rules:\n      - { action: allow, when: { command_matches: ['git status *'] } }\n      - { action: deny, when: { command_matches: ['git push *'] } }\n";
    assert_eq!(lint(&[user("allow", clean)]), []);
    // What a server offers is one thing, and what it does by itself another.
    let policy = |name: &str, matching: &str| {
        format!("  - name: {name}\n    match: {matching}\n    rules: [{{ action: deny }}]\n")
    };
    for (first, second, covered) in [
        ("{ server: web }", "{ server: web, method: tools/call }", true),
        ("{ server: web }", "{ server: web, tool: fetch }", false),
        ("{ server: web, tool: '*' }", "{ server: web, tool: [connect, mcp] }", false),
        ("{ server: web, tool: [fetch, connect] }", "{ server: web, tool: fetch }", true),
        ("{ tool: '*' }", "{ server: web, tool: fetch }", true),
    ] {
        let notes = lint(&[user("allow", &(policy("p", first) + &policy("q", second)))]);
        assert_eq!(notes.iter().any(|n| n.code == "unreachable"), covered, "{first} {second}: {notes:#?}");
    }
}
