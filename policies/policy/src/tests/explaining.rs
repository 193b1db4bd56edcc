//! An explanation tells what enforcement does, and why.

use super::{call, in_context, judge, ruleset, user};
use crate::explain;

#[test]
fn an_explanation_names_the_deciding_rule_and_what_nearly_matched() {
    let policies = "  - name: keys\n    match: { tool: [read] }\n    rules:\n      - { action: deny, when: { path_matches: ['~/.ssh/**'] } }\n  - name: cats\n    match: { tool: [exec] }\n    rules:\n      - { action: ask, when: { command_matches: ['cat *'] } }\n      - { action: deny, when: { command_matches: ['cat *'], label: [untrusted-content] } }\n";
    let ruleset = ruleset(&[user("allow", policies)]);
    let call = call("exec", "cd /tmp && cat ~/.ssh/id_rsa");
    let explanation = in_context(false, |context| explain(&ruleset, &call, context));
    assert_eq!(explanation.judgement, judge(&ruleset, &call), "explaining and enforcing are one");
    let texts: Vec<&str> = explanation.components.iter().map(|c| c.text.as_str()).collect();
    assert_eq!((texts.len(), texts[0]), (2, "cd /tmp"));
    let matched: Vec<(&str, bool)> = explanation.matched.iter().map(|m| (m.rule.policy.as_str(), m.decides)).collect();
    assert_eq!(matched, [("keys", true), ("cats", false)]);
    assert_eq!(explanation.matched[0].rule.line, 7);
    assert_eq!(explanation.matched[1].component, Some(1));
    let near: Vec<(&str, usize, &str)> =
        explanation.nearly.iter().map(|n| (n.rule.policy.as_str(), n.rule.index, n.missing)).collect();
    assert_eq!(near, [("cats", 1, "label")]);
    let effect = explanation.matched[0].effect.as_ref().unwrap();
    let span = effect.span.unwrap();
    assert!("cd /tmp && cat ~/.ssh/id_rsa"[span.start..span.end].contains("id_rsa"));
}
