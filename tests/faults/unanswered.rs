//! The gateway dies or hangs, and what it said before lets calls go on: monitor mode, surfaces that may fail open (row D1).

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{HOOK, bash};
use crate::world::{Ran, Talk, World, bin, run_with};

fn hook(world: &World, command: &str) -> Ran {
    let mut hook = world.rampart(HOOK);
    hook.env("RAMPART_AUTOSTART", "0");
    run_with(hook, &bash(command))
}

fn shell(world: &World) -> Ran {
    let mut shell = world.command(bin("rampart-shim"));
    shell.args(["--shell", "sh", "-c", "echo ran"]).env("RAMPART_AUTOSTART", "0");
    Ran::from(shell.stdin(Stdio::null()).output().unwrap())
}

/// The calls that surfaces wrote down, as far as the trail has them by now; waits until there are so many.
fn taken_in(world: &World, count: usize) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let records = world.records().into_iter().filter(|record| record["reason"] == "unanswered");
        let gaps: Vec<Value> = records.collect();
        let calls = gaps.iter().flat_map(|gap| gap["calls"].as_array().unwrap());
        if calls.clone().count() >= count && !gaps.is_empty() {
            return gaps;
        }
        assert!(Instant::now() < deadline, "{gaps:#?}\n{}", world.gateway_log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn d1_a_surface_that_only_watches_goes_on_without_its_gateway_and_the_trail_hears_of_it() {
    for frozen in [false, true] {
        let mut world = World::new();
        world.serve(&["--mode", "monitor"]);
        let server = r#"while read l; do echo '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'; done"#;
        let mut mcp = Talk::start(world.rampart(&[
            "mcp",
            "--session-id",
            "ghp_1234567890abcdefABCDEF1234567890abcd",
            "--",
            "sh",
            "-c",
            server,
        ]));
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"k":"s3cr3t-of-mine"}}}"#;
        mcp.say(call);
        assert!(mcp.hear_json()["result"]["content"].is_array());
        if frozen {
            world.freeze();
        } else {
            world.gateway().kill().unwrap();
            world.gateway().wait().unwrap();
        }
        let begun = Instant::now();
        let ran = hook(&world, "rm -rf / # s3cr3t-of-mine").expect(0);
        assert!(ran.stdout.is_empty() && begun.elapsed() < Duration::from_secs(2), "{:?} {ran:?}", begun.elapsed());
        assert_eq!(shell(&world).expect(0).stdout, "ran\n");
        mcp.say(call);
        assert!(mcp.hear_json()["result"]["content"].is_array());
        mcp.finish();
        let file = world.home().join("state/lost.jsonl");
        let left = std::fs::read_to_string(&file).unwrap();
        assert!(left.lines().count() >= 3 && !left.contains("s3cr3t") && !left.contains("ghp_"), "{left}");
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        if frozen {
            world.thaw();
        } else {
            world.serve(&["--mode", "monitor"]);
        }
        let gaps = taken_in(&world, left.lines().count());
        let calls: Vec<&Value> = gaps.iter().flat_map(|gap| gap["calls"].as_array().unwrap()).collect();
        for surface in ["hook", "shell", "mcp-stdio"] {
            let call = calls.iter().find(|call| call["surface"] == surface).unwrap_or_else(|| panic!("{gaps:#?}"));
            let why: &[&str] = if frozen { &["silent"] } else { &["unreachable", "hung_up"] };
            assert!(why.iter().any(|why| call["why"] == *why), "{call}");
        }
        let passed: u64 = gaps.iter().map(|gap| gap["passed"].as_u64().unwrap()).sum();
        assert_eq!(passed, calls.len() as u64);
        assert!(!file.exists());
        world.run(&["serve", "stop"]).expect(0);
        world.run(&["audit", "verify"]).expect(0);
        let stats = world.run(&["audit", "stats", "--json"]).expect(0).json();
        assert_eq!(stats["passed_unrecorded"], passed, "{stats:#}");
    }
}

#[test]
fn d1_what_a_gateway_said_before_is_no_longer_heeded_when_the_next_one_says_otherwise() {
    let mut world = World::new();
    world.serve(&["--mode", "monitor"]);
    world.gateway().kill().unwrap();
    world.gateway().wait().unwrap();
    hook(&world, "git status").expect(0);
    world.serve(&[]);
    world.gateway().kill().unwrap();
    world.gateway().wait().unwrap();
    hook(&world, "git status").expect(2);
}

#[test]
fn d1_a_surface_that_may_fail_open_does_and_no_other() {
    let mut world = World::new();
    world.config("listen: 127.0.0.1:0\negress:\n  listen: 127.0.0.1:0\nsurfaces: {fail_open: [shell]}\n");
    world.serve(&[]);
    world.gateway().kill().unwrap();
    world.gateway().wait().unwrap();
    assert_eq!(shell(&world).expect(0).stdout, "ran\n");
    hook(&world, "git status").expect(2);
    world.serve(&[]);
    let gaps = taken_in(&world, 1);
    assert_eq!(gaps[0]["calls"][0]["surface"], "shell", "{gaps:#?}");
}

#[test]
fn d1_what_no_surface_wrote_down_is_counted_or_refused_and_not_repeated() {
    let mut world = World::new();
    world.serve(&["--mode", "monitor"]);
    world.gateway().kill().unwrap();
    world.gateway().wait().unwrap();
    hook(&world, "git status").expect(0);
    let file = world.home().join("state/lost.jsonl");
    let honest = std::fs::read_to_string(&file).unwrap();
    let forged = honest.replace("claude-code", "AKIAIOSFODNN7EXAMPLE");
    std::fs::write(&file, format!("{honest}{forged}{{\"garbled\n{honest}")).unwrap();
    world.serve(&["--mode", "monitor"]);
    let gaps = taken_in(&world, 2);
    assert_eq!((&gaps[0]["passed"], &gaps[0]["garbled"]), (&2.into(), &2.into()), "{gaps:#?}");
    assert!(gaps[0]["cause"].as_str().unwrap().contains("nothing proves it"));

    // A link leads nowhere.
    let elsewhere = world.write("elsewhere", &honest);
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let refused = || world.records().into_iter().find(|record| record["cause"].to_string().contains("symbolic link"));
    while refused().is_none() {
        assert!(Instant::now() < deadline, "{}", world.gateway_log());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(refused().unwrap()["passed"], 0);
    assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), honest);
    world.run(&["serve", "stop"]).expect(0);
    world.run(&["audit", "verify"]).expect(0);
    assert!(!crate::audit::all_text(&world).contains("AKIAIOSFODNN7EXAMPLE"));
}

#[test]
fn d3_each_surface_waits_for_a_sign_of_life_as_long_as_it_was_told() {
    for (told, seconds) in [("1s", 1), ("3s", 3)] {
        let mut world = World::new();
        world.config(&format!(
            "listen: 127.0.0.1:0\negress: {{listen: '127.0.0.1:0'}}\nsurfaces: {{deadline: {told}}}\n"
        ));
        world.serve(&[]);
        assert!(world.run(&["config", "show"]).stdout.contains(&format!("{seconds}000ms")));
        let server = "while read l; do :; done";
        let mut mcp = Talk::start(world.rampart(&["mcp", "--", "sh", "-c", server]));
        mcp.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        while world.decisions().is_empty() {
            std::thread::sleep(Duration::from_millis(20));
        }
        world.freeze();
        let mut asked = |surface: &str| match surface {
            "hook" => hook(&world, "git status").expect(2).stderr,
            "shell" => shell(&world).expect(126).stderr,
            _ => {
                mcp.say(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{}}}"#);
                mcp.hear_json()["result"].to_string()
            }
        };
        for surface in ["hook", "shell", "mcp"] {
            let begun = Instant::now();
            let said = asked(surface);
            assert!(said.contains(&format!("no sign of life for {told}")), "{surface}: {said}");
            assert!(begun.elapsed() >= Duration::from_secs(seconds), "{surface}: {:?}", begun.elapsed());
        }
    }
}
