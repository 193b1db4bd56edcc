//! Reading the trail: what is searched, counted, exported and judged again.

use serde_json::Value;

use super::{hook, some_decisions};
use crate::world::World;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn records_are_found_by_all_that_is_said_of_them() {
    let mut world = World::new();
    some_decisions(&mut world);
    hook(&world, "s2", "curl https://api.example.com/v1");
    let commands = |args: &[&str]| -> Vec<String> {
        let ran = world.run(&[&["audit", "search", "--json", "--type", "decision"], args].concat());
        assert_eq!(ran.code, Some(i32::from(ran.stdout.is_empty())), "as grep: {ran:?}");
        lines(&ran.stdout).iter().map(|r| r["action"]["command"].as_str().unwrap().to_owned()).collect()
    };
    let all = commands(&[]);
    assert_eq!(all.len(), 5, "{all:?}");
    let table: [(&[&str], &[usize]); 16] = [
        (&["--decision", "deny"], &[1, 3]),
        (&["--session", "s2"], &[4]),
        (&["--tool", "exec", "--agent", "claude-code", "--session", "s1"], &[0, 1, 2, 3]),
        (&["--tool", "read"], &[]),
        (&["--host", "api.example.com"], &[4]),
        (&["--host", "*.example.com"], &[4]),
        (&["--host", "example.com"], &[]),
        (&["--path", "~/.ssh"], &[3]),
        (&["--text", "GIT STATUS"], &[0]),
        (&["git status"], &[0]),
        (&["--since", "7d"], &[0, 1, 2, 3, 4]),
        (&["--since", "2020-01-01", "--until", "2020-12-31"], &[]),
        (&["--until", "1h"], &[]),
        (&["--since", "2020-01-01T00:00:00Z"], &[0, 1, 2, 3, 4]),
        (&["-n", "2"], &[3, 4]),
        (&["--rule", "default"], &[0, 2, 4]),
    ];
    for (args, wanted) in table {
        let wanted: Vec<&String> = wanted.iter().map(|&nth| &all[nth]).collect();
        assert_eq!(commands(args).iter().collect::<Vec<_>>(), wanted, "{args:?}");
    }
    let rule = lines(&world.run(&["log", "--deny", "--json", "-n", "1"]).stdout)[0]["rule"]["policy"].clone();
    assert!(!commands(&["--rule", rule.as_str().unwrap()]).is_empty());
    for bad in [&["--since", "yesterday"][..], &["--decision", "no"], &["--type", "calls"]] {
        world.run(&[&["audit", "search"], bad].concat()).expect(2);
    }
    let people = world.run(&["audit", "search", "--session", "s2", "--type", "decision"]).expect(0);
    assert!(
        people.stdout.contains("curl https://api.example.com/v1") && people.stdout.lines().count() < 3,
        "{people:?}"
    );
    assert!(world.run(&["--color", "always", "audit", "search", "curl"]).stdout.contains('\u{1b}'));
    let tail = world.run(&["audit", "tail", "-n", "1", "--decision", "deny", "--json"]).expect(0);
    assert_eq!(lines(&tail.stdout)[0]["action"]["command"], all[3].as_str());
}

#[test]
fn the_trail_is_counted_alike_by_the_program_and_the_api() {
    let mut world = World::new();
    some_decisions(&mut world);
    let stats = world.run(&["audit", "stats", "--json"]).expect(0).json();
    assert_eq!((&stats["types"]["decision"], &stats["outcomes"]["deny"]), (&4.into(), &2.into()), "{stats:#}");
    assert_eq!(stats["agents"][0]["name"], "claude-code");
    assert_eq!(stats["sessions"], serde_json::json!([{"name": "s1", "calls": 4, "denied": 2}]));
    assert!(stats["micros"]["most"].as_u64() >= stats["micros"]["median"].as_u64());
    let none = world.run(&["audit", "stats", "--json", "--since", "2020-01-01", "--until", "2020-01-01"]).expect(0);
    assert_eq!(none.json()["records"], 0);
    let people = world.run(&["audit", "stats"]).expect(0).stdout;
    for words in ["4 decisions in ", "claude-code", "50.0 %", "time of a decision"] {
        assert!(people.contains(words), "{words}: {people}");
    }
}

#[test]
fn the_trail_is_exported_for_other_programs() {
    let mut world = World::new();
    some_decisions(&mut world);
    let export = |args: &[&str]| world.run(&[&["audit", "export", "--type", "decision"], args].concat());
    let plain = export(&[]).expect(0).stdout;
    assert_eq!(lines(&plain).len(), 4);
    let array = export(&["--format", "json"]).expect(0).json();
    assert_eq!(array.as_array().unwrap().len(), 4);
    let table = export(&["--format", "csv", "--decision", "deny"]).expect(0).stdout;
    let rows: Vec<&str> = table.split("\r\n").filter(|row| !row.is_empty()).collect();
    assert!(rows.len() == 3 && rows[0].starts_with("seq,at,type,") && rows[1].contains("rm -rf /"), "{rows:?}");
    assert_eq!(export(&["--format", "cef"]).expect(0).stdout.matches("CEF:0|Rampart|").count(), 4);
    let said = export(&["-o", "out.jsonl", "--json"]).expect(0).json();
    assert_eq!(said["records"], 4);
    let file = world.project().join("out.jsonl");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), plain);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let again = export(&["-o", "out.jsonl"]).expect(2);
    assert!(again.stderr.contains("out.jsonl"), "nothing is overwritten: {again:?}");
}

#[test]
fn a_changed_policy_is_tried_on_what_was_called() {
    let mut world = World::new();
    some_decisions(&mut world);
    hook(&world, "s1", "git status");
    let token = ["ghp_", "1B4a2e77838347a7E420", "ce178F2E7c", "05URMu"].concat();
    hook(&world, "s1", &format!("git clone https://{token}@github.com/a/b"));
    world.run(&["serve", "stop"]).expect(0);
    world.write(
        "project/strict.yaml",
        "version: '1'\ndefault_action: allow\npolicies:\n- name: no-git\n  match: {tool: exec}\n  rules:\n  - action: deny\n    when: {command_matches: ['git status']}\n    message: Not here\n",
    );
    for verb in [&["replay"][..], &["audit", "replay"]] {
        let report = world.run(&[verb, &["--policy", "strict.yaml", "--json"]].concat()).expect(1).json();
        assert_eq!((&report["calls"], &report["differ"]), (&5.into(), &4.into()), "{report:#}");
        let changes = report["changes"].as_array().unwrap();
        assert!(changes.contains(&serde_json::json!({"from": "allow", "to": "deny", "calls": 2})), "{report:#}");
        assert!(changes.contains(&serde_json::json!({"from": "deny", "to": "allow", "calls": 2})), "{report:#}");
        let status = report["differences"].as_array().unwrap().iter().find(|d| d["subject"] == "git status").unwrap();
        assert_eq!((&status["rule"], &status["calls"]), (&"no-git".into(), &2.into()));
        assert_eq!(report["left_out"]["redacted"]["calls"], 1, "{report:#}");
    }
    let people = world.run(&["replay", "--policy", "strict.yaml"]).expect(1);
    assert!(people.stdout.contains("5 calls judged again, 4 would be decided differently"), "{people:?}");
    assert!(people.stdout.contains("git status") && people.stdout.contains("→ Not here"), "{people:?}");
    assert!(people.stderr.contains("1 call left out, because secrets in them are not in the trail"), "{people:?}");
    let same = world.run(&["replay", "--json"]).expect(0).json();
    assert_eq!((&same["calls"], &same["differ"]), (&5.into(), &0.into()), "the policies in force: {same:#}");
    let one = world.run(&["replay", "--policy", "strict.yaml", "--text", "rm -rf", "--json"]).expect(1).json();
    assert_eq!((&one["calls"], &one["differ"]), (&1.into(), &1.into()));
}
