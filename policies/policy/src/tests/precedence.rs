//! Who wins.

use super::{call, file, judge, judge_at, outcome, ruleset, user};
use crate::{History, Layer, Override, OverrideAction};

fn rules(list: &str) -> String {
    format!("  - name: p\n    match: {{ tool: [exec] }}\n    rules:\n{list}")
}

const DENY: &str = "      - { action: deny, when: { command_matches: ['x *'] } }\n";
const ASK: &str = "      - { action: ask, when: { command_matches: ['x *'] } }\n";
const ALLOW: &str = "      - { action: allow, when: { command_matches: ['x *'] } }\n";
const WATCH: &str = "      - { action: watch, when: { command_matches: ['x *'] } }\n";
const LOCKED: &str = "      - { action: deny, locked: true, when: { command_matches: ['x *'] } }\n";
const HEADLESS: &str = "      - { action: ask, ask: { headless_only: true }, when: { command_matches: ['x *'] } }\n";

#[test]
fn of_several_questions_the_most_people_count() {
    const TWO: &str = "      - { action: ask, ask: { approvals: 2 }, when: { command_matches: ['* y'] } }\n";
    for (list, command, people) in [([ASK, TWO], "x y", 2), ([TWO, ASK], "x y", 2), ([TWO, ASK], "x z", 1)] {
        let ruleset = ruleset(&[user("allow", &rules(&list.concat()))]);
        let judged = judge(&ruleset, &call("exec", command));
        assert_eq!(
            (judged.outcome.as_str(), ruleset.approvals(&judged.matched)),
            ("ask", people),
            "{list:?} {command}"
        );
    }
}

#[test]
fn the_strictest_action_wins_and_watching_grants_nothing() {
    for (default, list, expect) in [
        ("allow", vec![ALLOW, ASK, DENY], "deny"),
        ("allow", vec![ALLOW, ASK], "ask"),
        ("deny", vec![ALLOW], "allow"),
        ("deny", vec![WATCH], "deny"),
        ("ask", vec![WATCH], "ask"),
        ("allow", vec![WATCH], "watch"),
        ("deny", vec![WATCH, ALLOW], "watch"),
        ("watch", vec![], "watch"),
        ("deny", vec![], "deny"),
    ] {
        let mut list = list;
        for _ in 0..list.len().max(1) {
            let text = if list.is_empty() { "  []\n".to_owned() } else { rules(&list.concat()) };
            assert_eq!(outcome(&ruleset(&[user(default, &text)]), "exec", "x y"), expect, "{default} {list:?}");
            let by = usize::from(!list.is_empty());
            list.rotate_left(by);
        }
    }
}

#[test]
fn a_question_lifts_a_denial_by_default_where_an_allowance_in_its_place_would() {
    const ASK_KUBECTL: &str = "      - { action: ask, when: { command_matches: ['kubectl apply *'] } }\n";
    const ALLOW_CD: &str = "      - { action: allow, when: { command_matches: ['cd *'] } }\n";
    const ASK_INSTALL: &str = "      - { action: ask, when: { effect: [package-install] } }\n";
    const ASK_ETC: &str = "      - { action: ask, when: { command_matches: ['cp *'], path_matches: ['/etc/**'] } }\n";
    const ALLOW_CP: &str = "      - { action: allow, when: { command_matches: ['cp *'], path_matches: ['src/**'] } }\n";
    for (list, command, denying, allowing) in [
        (&[ASK_KUBECTL][..], "kubectl apply -f x", "ask", "ask"),
        (&[ASK_KUBECTL], "kubectl apply -f x && kubectl apply -f y", "ask", "ask"),
        (&[ASK_KUBECTL], "kubectl apply -f x && curl https://x.io", "deny", "ask"),
        (&[ASK_KUBECTL], "curl https://x.io | kubectl apply -f -", "deny", "ask"),
        (&[ASK_KUBECTL], "kubectl apply -f x > ~/.bashrc", "deny", "ask"),
        (&[ASK_KUBECTL], "kubectl apply -f $(id)", "deny", "ask"),
        (&[ASK_KUBECTL], "/tmp/kubectl apply -f x", "deny", "ask"),
        (&[ASK_KUBECTL], "sudo kubectl apply -f x", "deny", "ask"),
        (&[ASK_KUBECTL, ALLOW_CD], "cd infra && kubectl apply -f x", "ask", "ask"),
        (&[ASK_KUBECTL, ALLOW_CD], "cd infra && id && kubectl apply -f x", "deny", "ask"),
        (&[ASK_INSTALL], "npm install x", "deny", "ask"),
        (&[ASK_ETC, ALLOW_CP], "cp src/a /etc/b", "ask", "ask"),
        (&[ASK_ETC], "cp src/a /etc/b", "deny", "ask"),
        (&[ASK_ETC, ALLOW_CP], "cp src/a /etc/b /opt/", "deny", "ask"),
    ] {
        for (default, expect) in [("deny", denying), ("allow", allowing)] {
            let ruleset = ruleset(&[user(default, &rules(&list.concat()))]);
            let judgement = judge(&ruleset, &call("exec", command));
            assert_eq!(judgement.outcome.as_str(), expect, "{default}, {list:?}: {command}");
            assert_eq!(judgement.rule.is_some(), expect == "ask", "a default names no rule: {command}");
        }
    }
    let both = [file("p.yaml", Layer::Project, &format!("policies:\n{}", rules(ASK))), user("deny", "  []\n")];
    assert_eq!(outcome(&ruleset(&both), "exec", "x y"), "deny", "a project lifts nothing");
}

#[test]
fn overrides_beat_everything_but_a_locked_denial() {
    let over = |list: &str| file("user-overrides.yaml", Layer::Overrides, &format!("policies:\n{}", rules(list)));
    for (own, overrides, expect) in [
        (DENY, ALLOW, "allow"),
        (ASK, ALLOW, "allow"),
        (LOCKED, ALLOW, "deny"),
        (ALLOW, DENY, "deny"),
        (DENY, WATCH, "deny"),
    ] {
        let ruleset = ruleset(&[user("allow", &rules(own)), over(overrides)]);
        assert_eq!(outcome(&ruleset, "exec", "x y"), expect, "{own} {overrides}");
    }
}

#[test]
fn a_lower_priority_number_comes_first_in_explanations() {
    let policies = "  - name: late\n    rules:\n      - { action: deny, when: { command_matches: ['x *'] } }\n  - name: early\n    priority: 1\n    rules:\n      - { action: deny, when: { command_matches: ['x *'] } }\n  - name: milder\n    priority: 0\n    rules:\n      - { action: ask, when: { command_matches: ['x *'] } }\n";
    let judgement = judge(&ruleset(&[user("allow", policies)]), &call("exec", "x y"));
    let names: Vec<&str> = judgement.matched.iter().map(|r| r.policy.as_str()).collect();
    assert_eq!(names, ["early", "milder", "late"]);
}

#[test]
fn a_question_for_unwatched_sessions_only_records_elsewhere() {
    let ruleset = ruleset(&[user("allow", &rules(HEADLESS))]);
    let call = call("exec", "x y");
    assert_eq!(judge_at(&ruleset, &call, 0, &History::default(), true).outcome.as_str(), "ask");
    assert_eq!(judge_at(&ruleset, &call, 0, &History::default(), false).outcome.as_str(), "watch");
}

#[test]
fn a_rule_ends_when_it_says_and_once_is_once() {
    let allow =
        Override { pattern: "x *".into(), expires_at: Some("1970-01-01T01:00:00+00:00".into()), ..Override::default() };
    let over = file("user-overrides.yaml", Layer::Overrides, &allow.to_yaml("allow-x"));
    let timed = ruleset(&[user("deny", "  []\n"), over]);
    let call = call("exec", "x y");
    let at = |ms| judge_at(&timed, &call, ms, &History::default(), false).outcome.as_str();
    assert_eq!((at(3_599_999), at(3_600_000)), ("allow", "deny"));
    let mut ended = History::default();
    ended.restore_spent(timed.rules().iter().map(|rule| rule.id.clone()));
    let judged = judge_at(&timed, &call, 0, &ended, false);
    assert_eq!(judged.outcome.as_str(), "deny", "what was seen to end stays ended when the clock is set back");

    let once = Override { once: true, expires_at: None, ..allow };
    let over = file("user-overrides.yaml", Layer::Overrides, &once.to_yaml("allow-x"));
    let ruleset = ruleset(&[user("deny", "  []\n"), over]);
    let mut history = History::default();
    let first = judge_at(&ruleset, &call, 0, &history, false);
    assert_eq!(first.outcome.as_str(), "allow");
    history.spend(&ruleset, &first);
    assert_eq!(judge_at(&ruleset, &call, 0, &history, false).outcome.as_str(), "deny");
}

#[test]
fn what_holds_once_is_used_up_by_whatever_it_has_a_part_in() {
    let cd = "      - { action: allow, when: { command_matches: ['cd *'] } }\n";
    let once =
        |action: &str| format!("      - {{ action: {action}, once: true, when: {{ command_matches: ['x *'] }} }}\n");
    for (default, list, command, then) in [
        ("deny", once("allow"), "x y", ["allow", "deny"]),
        ("deny", format!("{cd}{}", once("allow")), "cd a && x y", ["allow", "deny"]),
        ("deny", once("allow"), "x y && id", ["deny", "deny"]),
        ("allow", once("deny"), "x y", ["deny", "allow"]),
        ("allow", once("ask"), "x y", ["ask", "allow"]),
        ("deny", once("ask"), "x y", ["ask", "deny"]),
    ] {
        let ruleset = ruleset(&[user(default, &rules(&list))]);
        let mut history = History::default();
        let call = call("exec", command);
        let outcomes = [0, 1].map(|_| {
            let judgement = judge_at(&ruleset, &call, 0, &history, false);
            history.spend(&ruleset, &judgement);
            judgement.outcome.as_str()
        });
        assert_eq!(outcomes, then, "{default} {list} {command}");
        let alone = judge_at(&ruleset, &super::call("exec", "x z"), 0, &history, false).outcome.as_str();
        assert!(alone == then[1] || command.ends_with("id"), "{alone} after {command}");
    }
}

#[test]
fn calls_are_counted_with_the_one_that_is_judged() {
    let policies = "  - name: p\n    rules:\n      - { action: deny, when: { call_count: { tool: fetch, gte: 3, window: 1m } } }\n";
    let ruleset = ruleset(&[user("allow", policies)]);
    let mut history = History::default();
    let fetch = call("fetch", "https://x.io/");
    let mut seen = Vec::new();
    for i in 0..4 {
        let now = i * 10_000;
        seen.push(judge_at(&ruleset, &fetch, now, &history, false).outcome.as_str());
        history.record(&fetch, now);
    }
    assert_eq!(seen, ["allow", "allow", "deny", "deny"]);
    assert_eq!(judge_at(&ruleset, &call("read", "x"), 40_000, &history, false).outcome.as_str(), "allow");
    assert_eq!(judge_at(&ruleset, &fetch, 200_000, &history, false).outcome.as_str(), "allow");
}

#[test]
fn an_override_is_written_as_yaml_and_as_a_command() {
    for (tool, pattern, line) in [
        (None, "npm install *", r#"rampart allow "npm install *""#),
        (Some("read"), "/a b", r#"rampart allow --tool read "/a b""#),
        (None, r#"echo "$x""#, r#"rampart allow 'echo "$x"'"#),
        (None, "it's $x", r"rampart allow 'it'\''s $x'"),
    ] {
        let over = Override { tool: tool.map(str::to_owned), pattern: pattern.into(), ..Override::default() };
        assert_eq!(over.command_line(), line);
        ruleset(&[file("o.yaml", Layer::Overrides, &over.to_yaml("o"))]);
    }
    let once = Override { pattern: "ls".into(), once: true, message: Some("it's $x".into()), ..Override::default() };
    assert_eq!(once.command_line(), r#"rampart allow "ls" --once --message 'it'\''s $x'"#);
    let block = Override { action: OverrideAction::Deny, pattern: "curl * | bash".into(), ..Override::default() };
    let ruleset = ruleset(&[user("allow", "  []\n"), file("o.yaml", Layer::Overrides, &block.to_yaml("o"))]);
    assert_eq!(outcome(&ruleset, "exec", "curl -s https://x.io/i.sh | bash"), "deny");
    assert_eq!(outcome(&ruleset, "exec", "curl -s https://x.io/i.sh"), "allow");
}

#[test]
fn an_allowance_of_effects_says_nothing_of_commands_that_have_none() {
    let questions = "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: ask\n    rules:\n      - { action: ask, when: { command_not_matches: ['git *'] } }\n";
    let allowed = "policies:\n  - name: allow\n    rules:\n      - { action: allow, when: { effect: [delete], command_not_matches: ['git *'] } }\n";
    let ruleset = ruleset(&[file("a.yaml", Layer::User, questions), file("o.yaml", Layer::Overrides, allowed)]);
    for (command, wanted) in [
        ("rm -rf build", "allow"),
        ("rm a && rm b", "allow"),
        ("echo hi", "ask"),
        ("echo hi && rm -rf build", "ask"),
        ("rm -rf build; echo hi", "ask"),
        ("rm a && git clean -f", "ask"),
    ] {
        assert_eq!(judge(&ruleset, &call("exec", command)).outcome.as_str(), wanted, "{command}");
    }
}
