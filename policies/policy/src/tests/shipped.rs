//! Every pack loads, alone and with every other, and its own tests pass.

use super::{call, file, in_context, judge, ruleset};
use crate::{Layer, SourceFile, lint, packs, run_tests};

fn pack(name: &str) -> SourceFile {
    packs::builtin(name).unwrap_or_else(|| panic!("no pack {name}")).to_file()
}

#[test]
fn every_pack_loads_with_every_other() {
    for a in packs::names() {
        for b in packs::names() {
            ruleset(&[pack(a), pack(b)]);
        }
    }
    let all: Vec<SourceFile> = packs::all().map(|p| p.to_file()).collect();
    assert!(ruleset(&all).rule_count() > 100);
}

#[test]
fn every_pack_passes_its_own_tests() {
    let mut failed = String::new();
    for pack in packs::all() {
        // A pack that is no profile is tested on top of the standard one.
        let mut files = vec![pack.to_file()];
        if !pack.profile {
            let standard = packs::builtin("standard").unwrap().text;
            let rules = standard.split("\ntests:\n").next().unwrap_or_default();
            files.push(file("standard.yaml", Layer::Profile, rules));
        }
        let outcomes = run_tests(&files).unwrap_or_else(|e| panic!("{}: {e:#?}", pack.name));
        assert!(outcomes.len() > 4, "{} has {} tests", pack.name, outcomes.len());
        for test in outcomes.iter().filter(|t| !t.passed) {
            let j = &test.judgement;
            let subject = test.call.action.subject();
            failed.push_str(&format!(
                "{}:{}: {subject} is {} by {}, expected {}\n",
                test.file,
                test.line,
                j.outcome,
                j.decided_by(),
                test.expected
            ));
        }
    }
    assert!(failed.is_empty(), "\n{failed}");
}

#[test]
fn no_pack_has_anything_to_complain_of() {
    for pack in packs::all() {
        let notes = lint(&[pack.to_file()]);
        assert!(notes.is_empty(), "{}: {notes:#?}", pack.name);
    }
}

#[test]
fn the_profiles_are_ordered_by_strictness() {
    let [yolo, standard, ci, paranoid] = ["yolo", "standard", "ci", "paranoid"].map(|n| ruleset(&[pack(n)]));
    for (tool, subject) in [
        ("exec", "git status"),
        ("exec", "npm install lodash"),
        ("exec", "sudo ls"),
        ("exec", "rm -rf /"),
        ("exec", "rampart allow x"),
        ("read", "src/main.rs"),
        ("read", ".env"),
        ("read", "~/.ssh/id_rsa"),
        ("write", "src/main.rs"),
        ("write", "/etc/hosts"),
        ("fetch", "https://example.com/"),
        ("fetch", "https://webhook.site/x"),
    ] {
        let of = |r| judge(r, &call(tool, subject)).outcome;
        assert!(of(&yolo).passes(), "yolo blocks nothing: {tool} {subject}");
        assert!(of(&yolo) <= of(&standard).max(rampart_call::Outcome::Watch), "{tool} {subject}");
        assert!(of(&standard) <= of(&ci), "{tool} {subject}");
        assert!(of(&standard) <= of(&paranoid), "{tool} {subject}");
        assert_ne!(of(&ci), rampart_call::Outcome::Ask, "{tool} {subject}");
    }
}

#[test]
fn code_that_a_script_loads_is_asked_about_unless_a_jail_sees_what_it_does() {
    let standard = ruleset(&[pack("standard")]);
    let judged = |command: &str, confined| {
        in_context(confined, |context| standard.judge(&call("exec", command), context).outcome.as_str())
    };
    for (command, open, confined) in [
        ("enable -f ./realpath.dylib realpath", "ask", "allow"),
        ("LD_PRELOAD=./x.so git status", "deny", "deny"),
        ("git status", "allow", "allow"),
    ] {
        assert_eq!((judged(command, false), judged(command, true)), (open, confined), "{command}");
    }
}
