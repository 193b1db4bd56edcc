//! The profile `standard` on labelled actions.

use rampart_call::{Action, Call, Origin, Outcome, Phase};

use super::{judge, ruleset};
use crate::packs;

#[test]
fn standard_stops_what_must_stop_and_lets_the_rest_pass() {
    let ruleset = ruleset(&[packs::builtin("standard").unwrap().to_file()]);
    let (mut stop, mut missed, mut pass, mut disturbed) = (0, Vec::new(), 0, Vec::new());
    for line in include_str!("../../fixtures/corpus/actions.jsonl").lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let action = Action::from_tool(row["tool"].as_str().unwrap(), &row["params"]).unwrap();
        let origin =
            Origin { workspace: Some("/home/u/proj".into()), home: Some("/home/u".into()), ..Origin::default() };
        let call = Call { origin, phase: Phase::Before, action, response: None };
        let outcome = judge(&ruleset, &call).outcome;
        let subject = call.action.subject();
        match row["expect"].as_str().unwrap() {
            "allow" | "pass" => {
                pass += 1;
                disturbed.extend((!outcome.passes()).then_some(subject));
            }
            wanted => {
                stop += 1;
                let weak = outcome.passes() || (wanted == "ask" && outcome != Outcome::Ask);
                missed.extend(weak.then_some(subject));
            }
        }
    }
    assert!(stop > 200 && pass > 100, "the corpus is whole");
    assert!(missed.len() * 100 <= stop * 3, "{} of {stop} missed:\n{}", missed.len(), missed.join("\n"));
    assert!(disturbed.len() * 100 <= pass, "{} of {pass} disturbed:\n{}", disturbed.len(), disturbed.join("\n"));
}
