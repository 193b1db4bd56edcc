//! `rampart doctor`: what it says is what it saw.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::world::{Ran, World};

fn look(world: &World, code: i32) -> Value {
    world.run(&["doctor", "--json"]).expect(code).json()
}

fn check<'a>(report: &'a Value, id: &str) -> &'a Value {
    let found = report["checks"].as_array().unwrap().iter().find(|check| check["id"] == id);
    found.unwrap_or_else(|| panic!("no check `{id}`: {report:#}"))
}

fn road<'a>(report: &'a Value, name: &str) -> &'a Value {
    let found = report["roads"].as_array().unwrap().iter().find(|road| road["road"] == name);
    found.unwrap_or_else(|| panic!("no road `{name}`: {report:#}"))
}

#[test]
fn a_sound_home_passes_and_says_what_is_only_advisory() {
    let mut world = World::new();
    world.serve(&[]);
    let report = look(&world, 0);
    assert_eq!(report["schema"], "rampart.doctor.v1");
    for id in ["home", "config", "policies", "audit", "gateway", "mode", "ruleset", "recording"] {
        assert_eq!(check(&report, id)["state"], "ok", "{report:#}");
    }
    assert_eq!(road(&report, "http")["protection"], "open", "no variable names the proxy: {report:#}");
    let status = world.status();
    let mut through = world.rampart(&["doctor", "--json"]);
    through.env("HTTPS_PROXY", format!("http://{}", status["egress"].as_str().unwrap()));
    let report = Ran::from(through.output().unwrap()).expect(0).json();
    assert_eq!(road(&report, "http")["protection"], "advisory", "{report:#}");
    let text = world.run(&["doctor"]).expect(0);
    assert!(text.stdout.contains("Roads") && !text.stdout.contains('\u{1b}'), "plain in a pipe: {text:?}");
    let before = world.decisions().len();
    look(&world, 0);
    assert_eq!(world.decisions().len(), before, "looking leaves no decision");
}

#[test]
fn what_is_wrong_fails_and_fix_mends_what_is_safe() {
    let world = World::with_policy("version: \"1\"\npolicies: []\n");
    let set = |path: &str, mode| {
        std::fs::set_permissions(world.path(path), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set("home/.rampart", 0o755);
    set("home/.rampart/policies/custom.yaml", 0o666);
    let report = look(&world, 1);
    assert_eq!((&report["ok"], &check(&report, "home")["fixable"]), (&false.into(), &true.into()), "{report:#}");
    let fixed = world.run(&["doctor", "--fix", "--json"]).expect(0).json();
    assert_eq!(fixed["fixed"].as_array().unwrap().len(), 3, "two modes and the folders: {fixed:#}");
    assert_eq!(check(&look(&world, 0), "home")["state"], "ok");

    world.write("home/.rampart/policies/custom.yaml", "version: \"1\"\npolicies:\n  - nam: x\n");
    let report = look(&world, 1);
    assert_eq!(check(&report, "policies")["state"], "fail", "{report:#}");
    world.config("lisen: 127.0.0.1:0\n");
    assert_eq!(check(&look(&world, 1), "config")["state"], "fail");
}

#[test]
fn a_trail_that_was_changed_fails() {
    let mut world = World::new();
    world.serve(&[]);
    let folder = std::fs::read_dir(world.home().join("audit")).unwrap();
    let names = folder.map(|entry| entry.unwrap().path());
    let segment = names.into_iter().find(|path| path.extension().is_some_and(|end| end == "jsonl")).unwrap();
    let text = std::fs::read_to_string(&segment).unwrap();
    std::fs::write(&segment, text.replacen("\"start\"", "\"stort\"", 1)).unwrap();
    assert_eq!(check(&look(&world, 1), "audit")["state"], "fail");
}

#[test]
fn servers_and_agents_that_are_not_guarded_are_named() {
    let world = World::new();
    world.write("home/.claude/settings.json", "{}");
    let servers = |command: &str, args: &str| {
        world.write(
            "project/.mcp.json",
            format!(r#"{{"mcpServers":{{"files":{{"command":"{command}","args":{args}}}}}}}"#),
        );
    };
    servers("npx", r#"["server"]"#);
    let report = look(&world, 0);
    assert_eq!(road(&report, "mcp")["protection"], "open", "{report:#}");
    assert!(road(&report, "mcp")["evidence"].as_str().unwrap().contains("files in"), "{report:#}");
    assert_eq!(road(&report, "claude-code")["protection"], "open", "{report:#}");

    servers("/usr/bin/rampart", r#"["mcp","--","npx","server"]"#);
    let hook =
        r#"{"hooks":{"PreToolUse":[{"hooks":[{"type":"command","command":"rampart hook --format claude-code"}]}]}}"#;
    world.write("home/.claude/settings.json", hook);
    let report = look(&world, 0);
    assert_eq!(road(&report, "mcp")["protection"], "advisory", "{report:#}");
    assert_eq!(road(&report, "claude-code")["protection"], "advisory", "{report:#}");
}

/// How a machine is protected is where it can be attacked: an agent is told that it is not told.
#[test]
fn an_agent_is_told_that_people_are_told() {
    let mut world = World::new();
    world.serve(&[]);
    for (args, says) in [
        (&["doctor"][..], "how this machine is protected, and where it is not, is told to people"),
        (&["doctor", "--json"], "look in a terminal of your own"),
        (&["doctor", "--fix"], "what is in force is changed by people"),
    ] {
        let mut doctor = world.rampart(args);
        let ran =
            Ran::from(doctor.env("RAMPART_SESSION", "s1").env("RAMPART_AGENT", "bot").output().unwrap()).expect(2);
        assert!(ran.stdout.is_empty() && ran.stderr.contains("inside a session of bot"), "{ran:?}");
        assert!(ran.stderr.contains(says), "{args:?}: {ran:?}");
    }
    // What it asks the gateway past this program gets the same answer.
    let rampart = crate::world::bin("rampart");
    let ran = world.run(&["wrap", "--agent", "bot", "--", rampart.to_str().unwrap(), "status"]);
    assert!(ran.stderr.contains("what is in force, asked and recorded is told to people"), "{ran:?}");
}
