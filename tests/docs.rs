//! What the documents say is true.

use std::collections::BTreeSet;

use crate::world::root;

#[test]
fn every_reason_code_has_its_line_and_no_line_is_of_the_past() {
    let source = std::fs::read_to_string(root().join("policies/call/src/verdict.rs")).unwrap();
    let body = source.split("impl Reason {").nth(1).unwrap().split("\n}\n").next().unwrap();
    let codes: BTreeSet<&str> = body.lines().filter_map(|l| l.split("=> \"").nth(1)?.split('"').next()).collect();
    let page = std::fs::read_to_string(root().join("docs/reasons.md")).unwrap();
    let lines: BTreeSet<&str> =
        page.lines().filter_map(|l| l.strip_prefix("| `")?.split('`').next()).filter(|l| *l != "code").collect();
    assert_eq!(codes, lines);
}
