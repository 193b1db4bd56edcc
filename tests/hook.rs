//! The exec road through an agent's hook, and the one gateway behind it.

use std::{
    io::Write as _,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::world::{Ran, World};

const HOOK: &[&str] = &["hook", "--format", "claude-code"];

fn pre_tool_use(tool: &str, input: Value) -> Vec<u8> {
    json!({
        "session_id": "39b10d93", "cwd": "/home/dev/project", "permission_mode": "default",
        "hook_event_name": "PreToolUse", "tool_name": tool, "tool_input": input, "tool_use_id": "toolu_1"
    })
    .to_string()
    .into_bytes()
}

fn bash(command: &str) -> Vec<u8> {
    pre_tool_use("Bash", json!({ "command": command }))
}

/// Claude Code's own denial: JSON, exit status 2 and the reason on standard error together.
#[track_caller]
fn denied(ran: &Ran, why: &str) {
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let answer = &ran.json()["hookSpecificOutput"];
    assert_eq!(answer["permissionDecision"], "deny", "{ran:?}");
    let reason = answer["permissionDecisionReason"].as_str().unwrap();
    assert!(reason.contains(why), "`{reason}` does not say `{why}`");
    assert!(ran.stderr.contains(why), "{ran:?}");
}

#[track_caller]
fn no_opinion(ran: &Ran) {
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
}

#[test]
fn a_hook_without_a_gateway_starts_one_and_gets_its_answer() {
    let world = World::new();
    no_opinion(&world.run_with(HOOK, &bash("git status")));
    denied(&world.run_with(HOOK, &bash("rm -rf /")), "Rampart");
    denied(&world.run_with(HOOK, &pre_tool_use("Read", json!({"file_path": "/home/dev/.ssh/id_ed25519"}))), "Rampart");
    let decisions = world.decisions();
    assert_eq!(decisions.len(), 3, "{decisions:#?}");
    let last = &decisions[2];
    assert_eq!(last["actor"]["agent"], "claude-code", "{last:#}");
    assert_eq!(last["actor"]["session"], "39b10d93", "{last:#}");
    assert_eq!(last["outcome"], "deny", "{last:#}");
}

#[test]
fn ten_hooks_at_once_start_one_gateway() {
    let world = World::new();
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| no_opinion(&world.run_with(HOOK, &bash("git status"))));
        }
    });
    assert_eq!(world.decisions().len(), 10);
    assert_eq!(world.records().iter().filter(|r| r["type"] == "open").count(), 1);
}

#[test]
fn input_that_cannot_be_understood_is_denied() {
    let world = World::new();
    let good = bash("git status");
    let mut twice = String::from_utf8(good.clone()).unwrap();
    twice.insert_str(1, r#""tool_name":"Read","#);
    let huge = bash(&"a".repeat(20 << 20));
    for (input, why) in [
        (&b""[..], "empty"),
        (&good[..good.len() / 2], "JSON"),
        (twice.as_bytes(), "twice"),
        (b"{\"tool_name\":\"\xff\"}", "UTF-8"),
        (&huge, "larger"),
        (b"[1,2]", "Rampart"),
    ] {
        denied(&world.run_with(HOOK, input), why);
    }
}

/// The failpoint is in debug builds only.
#[cfg(debug_assertions)]
#[test]
fn a_hook_that_crashes_denies_in_the_agents_own_words() {
    let world = World::new();
    denied(&world.run_with(HOOK, b"rampart-failpoint"), "please report this");
    let shim = world.command(crate::world::bin("rampart-shim"));
    for (agent, says) in [
        ("codex", "\"permissionDecision\":\"deny\""),
        ("cline", "\"cancel\":true"),
        ("gemini-cli", "\"decision\":\"deny\""),
    ] {
        let mut hook = world.command(shim.get_program());
        hook.args(["hook", agent]);
        let ran = crate::world::run_with(hook, b"rampart-failpoint");
        assert!(ran.stdout.contains(says) && ran.stderr.contains("please report this"), "{agent}: {ran:?}");
    }
}

#[test]
fn an_unknown_agent_is_an_error_that_lists_the_known_ones() {
    let ran = World::new().run_with(&["hook", "--format", "clyde"], &bash("ls"));
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("claude-code"), "{ran:?}");
}

#[test]
fn without_a_gateway_and_forbidden_to_start_one_a_hook_denies() {
    let world = World::new();
    let mut command = world.rampart(HOOK);
    command.env("RAMPART_AUTOSTART", "0");
    let ran = crate::world::run_with(command, &bash("git status"));
    denied(&ran, "gateway");
}

#[test]
fn a_gateway_that_stops_answering_is_a_denial_within_two_seconds() {
    let mut world = World::new();
    world.serve(&[]);
    world.freeze();
    let begun = Instant::now();
    let ran = world.run_with(HOOK, &bash("git status"));
    let took = begun.elapsed();
    world.thaw();
    denied(&ran, "gateway");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_gateway_killed_in_the_middle_of_a_question_is_a_denial_within_two_seconds() {
    let mut world = World::with_policy(
        "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: ask-everything\n    match: { tool: exec }\n    rules:\n      - action: ask\n        when: { default: true }\n        message: Everything is asked\n",
    );
    world.serve(&[]);
    // The shell road holds the question open, since a shell has no prompt of its own.
    let mut shell = world.rampart(&["wrap", "--", "sh", "-c", "sh -c true"]);
    let child = shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while world.run(&["pending", "--json"]).stdout.lines().count() == 0 {
        assert!(Instant::now() < deadline, "no question waits");
    }
    world.gateway().kill().unwrap();
    let begun = Instant::now();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(ran.code, Some(126), "{ran:?}");
    assert!(ran.stderr.contains("gateway"), "{ran:?}");
}

#[test]
fn a_second_gateway_on_the_same_home_refuses_and_names_the_first() {
    let mut world = World::new();
    world.serve(&[]);
    let pid = world.gateway().id();
    let second = world.run(&["serve"]).expect(2);
    assert!(second.stderr.contains(&pid.to_string()), "{second:?}");
    assert!(second.stderr.contains("rampart serve stop"), "{second:?}");
    world.run(&["serve", "stop"]).expect(0);
    assert!(world.gateway().wait().unwrap().success());
}

#[test]
fn a_taken_port_is_an_error_that_names_it_and_the_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let ran = World::new().run(&["serve", "--port", &port.to_string()]).expect(2);
    assert!(ran.stderr.contains(&port.to_string()), "{ran:?}");
    assert!(ran.stderr.contains("--port"), "{ran:?}");
}

#[test]
fn a_home_that_cannot_be_written_is_a_clear_error() {
    let world = World::new();
    let mut command = world.rampart(&["serve"]);
    command.env("RAMPART_HOME", "/proc/rampart");
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("/proc/rampart"), "{ran:?}");
}

#[test]
fn a_client_that_hangs_up_in_the_middle_harms_nobody() {
    let mut world = World::new();
    world.serve(&[]);
    for _ in 0..20 {
        let mut child = world.rampart(HOOK).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let _ = stdin.write_all(&bash("git status"));
        drop(stdin);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    no_opinion(&world.run_with(HOOK, &bash("git status")));
    world.run(&["audit", "verify"]).expect(0);
}
