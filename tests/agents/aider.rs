//! Aider has no hooks. On a terminal it runs commands by `$SHELL`, in whose place `rampart wrap` puts a shell that asks; without
//! a terminal by `/bin/sh`, which only `rampart run` and the library see. Its edits are writes of its own process.

use std::{
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use super::{
    POLICY, ended,
    model::{LAST_WORDS, Model},
    origin, real, run,
};
use crate::world::{World, bin, have};

/// Two whole files, as Aider takes them from an answer.
const EDITS: &str = "by-tool.txt\n```\nno\n```\n\nedited.txt\n```\nyes\n```\n";

fn world() -> World {
    let mut world = World::with_policy(POLICY);
    world.config("listen: 127.0.0.1:0\negress: {listen: '127.0.0.1:0', resolve: ['origin.test:127.0.0.1']}\n");
    world.serve(&[]);
    world
}

/// What starts it behind `before`: it carries out these commands of its own first, and asks its model then.
fn started(world: &World, program: &std::path::Path, model: &Model, before: &[&str], own: &[&str]) -> Vec<String> {
    world.write("home/own", own.join("\n"));
    let model = format!("http://127.0.0.1:{}/v1", model.port);
    let arguments = [
        "--model",
        "openai/mock-model",
        "--openai-api-base",
        &model,
        "--openai-api-key",
        "dummy",
        "--edit-format",
        "whole",
        "--no-git",
        "--yes-always",
        "--no-check-update",
        "--no-show-model-warnings",
        "--analytics-disable",
        "--disable-playwright",
        "--load",
        world.path("home/own").to_str().unwrap(),
        "--message",
        "go",
    ]
    .map(str::to_owned);
    let rampart = bin("rampart").to_str().unwrap().to_owned();
    let words = before.iter().map(|word| if *word == "rampart" { rampart.clone() } else { (*word).to_owned() });
    words.chain([program.to_str().unwrap().to_owned()]).chain(arguments).collect()
}

/// A command in the world in which Aider fetches no list of models.
fn command(world: &World, program: &str) -> Command {
    let mut command = world.command(program);
    command.env("LITELLM_LOCAL_MODEL_COST_MAP", "True").env("TERM", "dumb").env("SHELL", "/bin/bash");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The same words on a terminal.
fn on_a_terminal(world: &World, words: &[String]) -> Command {
    let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    let mut command = command(world, "script");
    command.args(["-qec", &quoted.join(" "), "/dev/null"]);
    command
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_terminal_its_commands_edits_and_requests_are_judged_in_a_jail() {
    let test = "agents::aider::without_a_terminal_its_commands_edits_and_requests_are_judged_in_a_jail";
    let Some(program) = real::aider(test) else { return };
    let (port, visits) = origin();
    let world = world();
    let model = Model::saying(EDITS);
    let [good, bad] = ["allowed", "denied"].map(|page| format!("/web http://origin.test:{port}/{page}"));
    let at = model.port.to_string();
    let before = ["rampart", "run", "--files", "--allow-host-port", &at, "--agent", "aider", "--"];
    let own = ["/run echo yes > allowed", "/run touch by-command", &bad, &good];
    let words = started(&world, &program, &model, &before, &own);
    let mut outer = command(&world, &words[0]);
    outer.args(&words[1..]);
    let ran = run(outer, 300);
    let there = |name: &str| world.project().join(name).exists();
    assert!(there("allowed") && there("edited.txt"), "what is allowed happens: {ran:?}");
    assert!(!there("by-command") && !there("by-tool.txt"), "what is denied does not: {ran:?}");
    assert_eq!(visits.load(Ordering::SeqCst), 1, "what is allowed arrives");
    let told = model.asked().concat();
    assert!(told.contains("Operation not permitted: '/bin/sh'"), "{ran:?}\n{told}");
    assert!(ran.stdout.contains("Forbidden: no fetching (Rampart: tests)"), "{ran:?}");
    let denied: Vec<_> = world.decisions().into_iter().filter(|d| d["outcome"] == "deny").collect();
    for tool in ["exec", "write", "fetch"] {
        let of_it: Vec<_> = denied.iter().filter(|d| d["tool"] == tool).collect();
        assert!(!of_it.is_empty() && of_it.iter().all(|d| d["rule"]["policy"] == "tests"), "{tool}: {denied:#?}");
    }
    let actors: Vec<_> = denied.iter().map(|d| (&d["actor"]["agent"], &d["actor"]["session"])).collect();
    assert!(actors.iter().all(|(agent, session)| *agent == "aider" && !session.is_null()), "{actors:?}");
}

#[test]
fn on_a_terminal_its_shell_asks() {
    let test = "agents::aider::on_a_terminal_its_shell_asks";
    if !have(test, &["script"]) {
        return;
    }
    let Some(program) = real::aider(test) else { return };
    let world = world();
    let model = Model::saying(LAST_WORDS);
    let own = ["/run echo yes > allowed", "/run touch by-command"];
    let words = started(&world, &program, &model, &["rampart", "wrap", "--"], &own);
    let ran = run(on_a_terminal(&world, &words), 300);
    let there = |name: &str| world.project().join(name).exists();
    assert!(there("allowed") && !there("by-command"), "{ran:?}");
    assert!(model.asked().concat().contains("rampart: refused: no touching"), "{ran:?}");
    assert!(ran.stdout.contains(LAST_WORDS), "it goes on: {ran:?}");
}

#[test]
fn d1_a_gateway_that_is_killed_under_it_refuses() {
    let test = "agents::aider::d1_a_gateway_that_is_killed_under_it_refuses";
    if !have(test, &["script"]) {
        return;
    }
    let Some(program) = real::aider(test) else { return };
    let mut world = world();
    let model = Model::saying(LAST_WORDS);
    let own = ["/run echo warm > warm; until [ -e killed ]; do sleep 0.1; done", "/run touch asked"];
    let words = started(&world, &program, &model, &["rampart", "wrap", "--"], &own);
    let mut outer = on_a_terminal(&world, &words);
    let spawned = outer.env("RAMPART_AUTOSTART", "0").process_group(0).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_mins(4);
    while !world.project().join("warm").exists() {
        assert!(Instant::now() < deadline, "the first command runs");
        std::thread::sleep(Duration::from_millis(5));
    }
    world.gateway().kill().unwrap();
    world.gateway().wait().unwrap();
    world.write("project/killed", "");
    let ran = ended(spawned, Duration::from_mins(4));
    assert!(ran.stdout.contains("Executing: /run touch asked"), "{ran:?}");
    assert!(!world.project().join("asked").exists(), "{ran:?}");
    // pexpect reads no more of a shell that has ended, which on a busy machine it has; what it does hear is the reason.
    let told = model.asked().concat();
    assert!(told.contains("gateway_unreachable") || !told.contains("rampart: "), "{ran:?}\n{told}");
}
