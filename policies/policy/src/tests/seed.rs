//! Every YAML example of the user's guide loads and decides as its text says.

use super::{call, file, judge, ruleset};
use crate::{Layer, SourceFile, run_tests};

const EXAMPLES: [(&str, &str); 4] = [
    ("writing-policies", include_str!("../../fixtures/seed/writing-policies.yaml")),
    ("approval-flow", include_str!("../../fixtures/seed/approval-flow.yaml")),
    ("webhook", include_str!("../../fixtures/seed/webhook.yaml")),
    ("migration", include_str!("../../fixtures/seed/migration.yaml")),
];

#[test]
fn every_example_of_the_guide_decides_as_it_says() {
    for (name, text) in EXAMPLES {
        let file = SourceFile { name: name.to_owned(), text: text.to_owned(), layer: Layer::User };
        let outcomes = run_tests(&[file]).unwrap_or_else(|errors| panic!("{name}: {errors:#?}"));
        assert!(!outcomes.is_empty(), "{name}");
        for test in outcomes {
            let j = &test.judgement;
            assert!(test.passed, "{name}:{}: {:?} is {} by {:?}", test.line, test.call.action, j.outcome, j.rule);
        }
    }
}

#[test]
fn what_a_webhook_and_a_notification_need_is_read() {
    let ruleset = ruleset(&[file("webhook.yaml", Layer::User, EXAMPLES[2].1)]);
    let judgement = judge(&ruleset, &call("exec", "./deploy.sh production"));
    let webhook = ruleset.rule(&judgement.rule.unwrap()).unwrap().webhook.clone().unwrap();
    assert_eq!(
        (webhook.url.as_str(), webhook.timeout_ms, webhook.fail_open),
        ("http://localhost:8090/verify", 5_000, true)
    );
    assert_eq!(ruleset.notify()[0].on, [rampart_call::Outcome::Deny]);
}

#[test]
fn a_denied_install_is_allowed_by_the_suggested_command() {
    let ruleset = ruleset(&[super::user("deny", "  []\n")]);
    let judgement = judge(&ruleset, &call("exec", "npm install lodash"));
    assert_eq!(judgement.suggestions[0], "rampart allow \"npm install *\"");
}

#[test]
fn nobody_is_offered_to_allow_every_command_like_one_that_cannot_be_taken_back() {
    let ruleset = ruleset(&[super::user("deny", "  []\n")]);
    for command in ["rm -rf /", "rm -rf ~", "dd if=/dev/zero of=/dev/sda"] {
        let judgement = judge(&ruleset, &call("exec", command));
        assert_eq!(judgement.suggestions, [format!("rampart allow \"{command}\"")]);
    }
}
