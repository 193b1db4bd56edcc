//! The laws of the language, on random policies and calls.

use proptest::prelude::*;

use super::{call, file, judge, reference, ruleset};
use crate::{Layer, SourceFile};

const COMMANDS: [&str; 15] = [
    "git status",
    "git push origin main",
    "npm install lodash",
    "cat src/a.rs",
    "cat /etc/hosts",
    "cat ~/.ssh/id_rsa",
    "rm -rf build",
    "rm -rf /srv/data",
    "curl https://evil.io/x",
    "curl https://api.good.io/",
    "sudo npm install x",
    "/bin/rm -rf x",
    "echo hi",
    "A=1 npm install y",
    "cat /etc/hosts src/a.rs",
];
const PATTERNS: [&str; 10] =
    ["git *", "git status", "npm install *", "cat *", "rm -rf *", "rm -rf build", "curl *", "*", "*evil*", "echo *"];
const PATHS: [&str; 8] = ["/etc/**", "/etc/*", "**/.ssh/id_*", "~/.ssh/**", "src/**", "*.rs", "**", "/srv/data"];
const DOMAINS: [&str; 5] = ["evil.io", "*.good.io", "good.io", "*.io", "api.good.io"];
const KINDS: [&str; 5] = ["read", "write", "delete", "net", "exec"];
const ACTIONS: [&str; 4] = ["allow", "watch", "ask", "deny"];

fn list(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(words), 1..3)
        .prop_map(|w| format!("[{}]", w.iter().map(|w| format!("'{w}'")).collect::<Vec<_>>().join(", ")))
}

/// One condition and the key it stands under.
fn condition() -> impl Strategy<Value = (&'static str, String)> {
    prop_oneof![
        list(&PATTERNS).prop_map(|l| ("command_matches", l)),
        list(&PATTERNS).prop_map(|l| ("command_not_matches", l)),
        list(&PATHS).prop_map(|l| ("path_matches", l)),
        list(&PATHS).prop_map(|l| ("path_not_matches", l)),
        list(&DOMAINS).prop_map(|l| ("domain_matches", l)),
        list(&DOMAINS).prop_map(|l| ("domain_not_matches", l)),
        list(&KINDS).prop_map(|l| ("effect", l)),
    ]
}

fn rule() -> impl Strategy<Value = String> {
    rule_of(&ACTIONS)
}

fn rule_of(actions: &'static [&'static str]) -> impl Strategy<Value = String> {
    (prop::sample::select(actions), prop::collection::vec(condition(), 1..3), any::<bool>()).prop_map(
        |(action, conditions, lock)| {
            let mut keys: Vec<(&str, String)> = Vec::new();
            for (key, value) in conditions {
                if keys.iter().all(|(k, _)| *k != key) {
                    keys.push((key, value));
                }
            }
            let when: Vec<String> = keys.iter().map(|(k, v)| format!("{k}: {v}")).collect();
            let locked = if lock && action == "deny" { "locked: true, " } else { "" };
            format!("      - {{ action: {action}, {locked}when: {{ {} }} }}\n", when.join(", "))
        },
    )
}

fn policies() -> impl Strategy<Value = String> {
    let tool = prop::sample::select(
        &[
            "",
            "    match: { tool: [exec] }\n",
            "    match: { tool: [read] }\n",
            "    match: { tool: [exec, fetch, read] }\n",
        ][..],
    );
    prop::collection::vec((tool, prop::collection::vec(rule(), 1..4)), 1..4).prop_map(|all| {
        let all = all.into_iter().enumerate();
        let texts: Vec<String> =
            all.map(|(i, (tool, rules))| format!("  - name: p{i}\n{tool}    rules:\n{}", rules.concat())).collect();
        texts.concat()
    })
}

fn files() -> impl Strategy<Value = Vec<SourceFile>> {
    (prop::sample::select(&["allow", "watch", "ask", "deny"][..]), policies(), policies()).prop_map(
        |(default, a, b)| {
            vec![
                file("a.yaml", Layer::User, &format!("version: \"1\"\ndefault_action: {default}\npolicies:\n{a}")),
                file("o.yaml", Layer::Overrides, &format!("policies:\n{b}")),
            ]
        },
    )
}

fn subject() -> impl Strategy<Value = (&'static str, String)> {
    let command = prop::sample::select(&COMMANDS[..]);
    prop_oneof![
        prop::collection::vec(command, 1..4).prop_map(|c| ("exec", c.join(" && "))),
        prop::sample::select(&["src/a.rs", "/etc/hosts", "~/.ssh/id_rsa", "/srv/data"][..])
            .prop_map(|p| ("read", p.to_owned())),
        prop::sample::select(&["https://evil.io/x", "https://api.good.io/", "https://good.io/"][..])
            .prop_map(|u| ("fetch", u.to_owned())),
    ]
}

/// Only files that load are of interest: a random rule may be one that can never match.
fn loads(files: &[SourceFile]) -> bool {
    crate::load(files).is_ok()
}

/// The files, and one more of one rule.
fn and_rule(files: &[SourceFile], layer: Layer, rule: &str) -> Vec<SourceFile> {
    let text = format!("version: \"1\"\npolicies:\n  - name: more\n    rules:\n{rule}");
    [files, &[file("more.yaml", layer, &text)]].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_global_rejects: 8_192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_compiled_ruleset_agrees_with_the_naive_one(files in files(), (tool, subject) in subject()) {
        prop_assume!(loads(&files));
        let call = call(tool, &subject);
        let judgement = judge(&ruleset(&files), &call);
        let (outcome, lines) = reference::judge(&files, &call);
        let matched = judgement.matched.iter().map(|r| (r.file.clone(), r.line)).collect();
        prop_assert_eq!(lines, matched, "{} {}\n{}\n{}", tool, subject, files[0].text, files[1].text);
        prop_assert_eq!(outcome, judgement.outcome, "{} {}\n{}\n{}", tool, subject, files[0].text, files[1].text);
    }

    #[test]
    fn another_command_never_weakens_a_decision(files in files(), first in prop::sample::select(&COMMANDS[..]), second in prop::sample::select(&COMMANDS[..])) {
        prop_assume!(loads(&files));
        let ruleset = ruleset(&files);
        let alone = judge(&ruleset, &call("exec", first)).outcome;
        for joined in [format!("{first} && {second}"), format!("{second}; {first}"), format!("{first} | {second}")] {
            let both = judge(&ruleset, &call("exec", &joined)).outcome;
            // Watching is no weaker than allowing, nor stricter: both pass.
            prop_assert!(both >= alone || (both.passes() && alone.passes()), "{joined}: {both} after {alone}\n{}\n{}", files[0].text, files[1].text);
        }
    }

    #[test]
    fn another_denial_never_weakens_a_decision(files in files(), extra in rule_of(&["deny"]), (tool, subject) in subject()) {
        let with = and_rule(&files, Layer::User, &extra);
        prop_assume!(loads(&files) && loads(&with));
        let call = call(tool, &subject);
        let (before, after) = (judge(&ruleset(&files), &call).outcome, judge(&ruleset(&with), &call).outcome);
        prop_assert!(after >= before || (before.passes() && after.passes()), "{after} after {before}");
    }

    #[test]
    fn another_question_lifts_no_rule_and_of_a_default_no_more_than_an_allowance(files in files(), extra in rule_of(&["ask"]), (tool, subject) in subject()) {
        let (asking, allowing) = (and_rule(&files, Layer::User, &extra), and_rule(&files, Layer::User, &extra.replace("action: ask", "action: allow")));
        prop_assume!(loads(&files) && loads(&asking) && loads(&allowing));
        let call = call(tool, &subject);
        let first = judge(&ruleset(&files), &call);
        let (before, after) = (first.outcome, judge(&ruleset(&asking), &call).outcome);
        if after < before && !(before.passes() && after.passes()) {
            prop_assert_eq!(first.reason, rampart_call::Reason::Default, "{} after {}", after, before);
            // Where others ask about the rest of the call, the allowance alone makes a question of it.
            let allowed = judge(&ruleset(&allowing), &call).outcome;
            prop_assert!(allowed < before, "asking: {after}, allowing: {allowed}\n{}\n{extra}", files[0].text);
        }
    }

    #[test]
    fn a_project_never_weakens_a_decision(files in files(), extra in rule_of(&ACTIONS), (tool, subject) in subject()) {
        let with = and_rule(&files, Layer::Project, &extra.replace("locked: true, ", ""));
        prop_assume!(loads(&files) && loads(&with));
        let call = call(tool, &subject);
        let (before, after) = (judge(&ruleset(&files), &call).outcome, judge(&ruleset(&with), &call).outcome);
        prop_assert!(after >= before || (before.passes() && after.passes()), "{after} after {before}");
    }

    #[test]
    fn quoting_a_literal_differently_changes_nothing(files in files(), command in prop::sample::select(&COMMANDS[..])) {
        prop_assume!(loads(&files) && !command.contains(['~', '=']));
        let ruleset = ruleset(&files);
        let plain = judge(&ruleset, &call("exec", command)).outcome;
        let words: Vec<&str> = command.split(' ').collect();
        let single = words.iter().map(|w| format!("'{w}'")).collect::<Vec<_>>().join(" ");
        let double = words.iter().map(|w| format!("\"{w}\"")).collect::<Vec<_>>().join("  ");
        let split = words.iter().map(|w| format!("{}''{}", &w[..1], &w[1..])).collect::<Vec<_>>().join(" ");
        for spelling in [single, double, split] {
            prop_assert_eq!(judge(&ruleset, &call("exec", &spelling)).outcome, plain, "{} {}", spelling, files[0].text);
        }
    }

    #[test]
    fn the_order_of_files_and_policies_changes_nothing(files in files(), (tool, subject) in subject()) {
        prop_assume!(loads(&files));
        let turned: Vec<SourceFile> = files.iter().rev().cloned().collect();
        let call = call(tool, &subject);
        prop_assert_eq!(judge(&ruleset(&files), &call), judge(&ruleset(&turned), &call));
    }

    #[test]
    fn any_text_is_a_policy_file_or_an_error(text in "[ -~\n]{0,200}") {
        let _ = crate::load(&[file("x.yaml", Layer::User, &text)]);
        let _ = crate::load(&[file("x.yaml", Layer::User, &format!("version: \"1\"\npolicies:\n{text}"))]);
    }

    #[test]
    fn a_suggestion_that_is_followed_works(files in files(), (tool, subject) in subject()) {
        prop_assume!(loads(&files));
        let call = call(tool, &subject);
        for line in judge(&ruleset(&files), &call).suggestions {
            let words = line.strip_prefix("rampart allow ").unwrap_or_default();
            let (tool, pattern) = match words.strip_prefix("--tool ") {
                Some(rest) => rest.split_once(' ').map(|(t, p)| (Some(t.to_owned()), p)).unwrap(),
                None => (None, words),
            };
            let pattern = pattern[1..pattern.len() - 1].to_owned();
            let over = crate::Override { tool, pattern, ..crate::Override::default() };
            let more = file("z.yaml", Layer::Overrides, &over.to_yaml("z"));
            let with = [files.clone(), vec![more]].concat();
            prop_assert_eq!(judge(&ruleset(&with), &call).outcome.as_str(), "allow", "{}", line);
        }
    }
}
