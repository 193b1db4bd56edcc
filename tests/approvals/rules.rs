//! `approve --always` and `--for`: a rule for exactly this, and the one command that takes it back. And who may answer.

use super::*;

fn overrides(world: &World) -> String {
    std::fs::read_to_string(world.home().join("policies/user-overrides.yaml")).unwrap_or_default()
}

#[test]
fn an_answer_for_always_is_an_exact_rule_that_one_command_takes_back() {
    let mut world = asking();
    world.serve(&[]);
    let held = Held::start(&world, "s1", "a*b");
    let question = only(&world);
    let done = world.run(&["approve", &question, "--always", "--reason", "it is harmless"]).expect(0);
    assert!(held.ran());
    let granted = world.records().into_iter().find(|r| r["event"] == "granted").unwrap();
    assert_eq!((granted["scope"].as_str(), granted["message"].as_str()), (Some("always"), Some("it is harmless")));
    let written = overrides(&world);
    assert!(written.contains(&question) && written.contains(r"touch a\\*b"), "{written}");
    // That and nothing else.
    std::fs::remove_file(world.project().join("a*b")).unwrap();
    assert!(Held::start(&world, "s2", "a*b").ran());
    let held = Held::start(&world, "s1", "axb");
    world.run(&["deny", &only(&world)]).expect(0);
    assert!(!held.ran());
    // The log says of each how it ended, and as JSON what is on record.
    let log = world.run(&["log"]).expect(0).stdout;
    let endings: Vec<&str> = log.lines().filter(|l| l.contains("→ granted") || l.contains("→ denied")).collect();
    assert_eq!(endings.len(), 2, "{log}");
    assert!(endings[0].contains("→ granted by ") && endings[0].ends_with(" (cli), always: it is harmless"), "{log}");
    assert!(endings[1].contains("→ denied by ") && endings[1].ends_with(" (cli)"), "{log}");
    assert_eq!(world.run(&["log", "--json", "--type", "decision"]).expect(0).stdout.lines().count(), 3);
    assert_eq!(world.run(&["log", "--json", "--type", "approval"]).expect(0).stdout, "");
    // Back.
    let back = done.stderr.lines().find_map(|l| l.split("rampart rules remove ").nth(1)).unwrap();
    let number = back.split(|c: char| !c.is_ascii_digit()).next().unwrap();
    world.run(&["rules", "remove", number, "--yes"]).expect(0);
    std::fs::remove_file(world.project().join("a*b")).unwrap();
    let held = Held::start(&world, "s1", "a*b");
    world.run(&["deny", &only(&world)]).expect(0);
    assert!(!held.ran());
}

#[test]
fn an_answer_for_a_time_is_a_rule_that_ends() {
    let mut world = asking();
    world.serve(&[]);
    let held = Held::start(&world, "s1", "made");
    let question = only(&world);
    let wrong = world.run(&["approve", &question, "--for", "a while"]).expect(2);
    assert!(wrong.stderr.contains("30m, 1h or 7d"), "{wrong:?}");
    world.run(&["approve", &question, "--for", "1h", "--always"]).expect(2);
    assert_eq!(only(&world), question, "and nothing was answered by that");
    world.run(&["approve", &question, "--for", "1h"]).expect(0);
    assert!(held.ran());
    assert!(overrides(&world).contains("expires_at"), "{}", overrides(&world));
    let granted = world.records().into_iter().find(|r| r["event"] == "granted").unwrap();
    assert_eq!(granted["scope"], "1h");
    assert!(Held::start(&world, "s1", "made").ran());
}

#[test]
fn an_answer_for_once_writes_no_rule_and_an_agent_answers_nothing() {
    let mut world = asking();
    world.serve(&[]);
    let held = Held::start(&world, "s1", "made");
    let question = only(&world);
    for verb in ["approve", "deny"] {
        let mut agent = world.rampart(&[verb, &question]);
        let refused = Ran::from(agent.env("RAMPART_SESSION", "s1").output().unwrap()).expect(2);
        assert!(refused.stderr.contains("inside a session"), "{refused:?}");
    }
    assert_eq!(only(&world), question);
    world.run(&["approve", &question, "--once"]).expect(0);
    assert!(held.ran());
    assert_eq!(overrides(&world), "");
    let held = Held::start(&world, "s1", "made");
    assert_ne!(only(&world), question);
    held.kill();
}
