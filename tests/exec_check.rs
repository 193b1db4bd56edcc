//! The exec check of `rampart run`, with the whole program: what is started in roundabout ways is judged when it starts.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::world::{Ran, World};

const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: tests
    rules:
      - action: deny
        when: {command_matches: ["truncate *", "*/truncate *"]}
        message: nothing is cut
"#;

/// A name, and a script that ends in `truncate -s 7 marker`.
fn payloads() -> Vec<(&'static str, &'static str)> {
    let all = include_str!("exec_check/payloads.sh").split("## ").skip(1);
    all.map(|payload| payload.split_once('\n').unwrap()).collect()
}

fn run(mut command: Command) -> Ran {
    Ran::from(command.stdin(Stdio::null()).output().unwrap())
}

#[test]
fn what_a_policy_denies_is_stopped_however_it_comes_about() {
    let mut world = World::with_policy(POLICY);
    world.serve(&[]);
    let payloads = payloads();
    assert_eq!(payloads.len(), 50);
    let (mut does_nothing, mut missed) = (Vec::new(), Vec::new());
    for (number, (name, script)) in payloads.iter().enumerate() {
        let place = format!("project/{number}");
        let within = |world: &World, mut command: Command| {
            // Past the shells that ask by themselves.
            let path = format!("PATH={}", std::env::var("PATH").unwrap());
            command.current_dir(world.path(&place)).args(["/usr/bin/env", &path, "/bin/bash", "payload"]);
            command
        };
        let reset = |world: &World| {
            let _ = std::fs::remove_dir_all(world.path(&place));
            world.write(&format!("{place}/payload"), script);
        };
        let marker = world.path(&place).join("marker");
        reset(&world);
        // It works, where nothing stands in its way.
        let alone = run(within(&world, world.command("nice")));
        if !marker.exists() {
            does_nothing.push((name, alone));
        }
        reset(&world);
        let before = refusals(&world);
        let ran = run(within(&world, world.rampart(&["run", "-q", "--"])));
        let stopped: Vec<Value> = refusals(&world).split_off(before.len());
        let at_its_exec = |refused: &Value| refused["actor"]["surface"] == "supervisor";
        if marker.exists() || !stopped.iter().any(at_its_exec) {
            missed.push((name, marker.exists(), ran.stderr, stopped.len()));
        }
    }
    assert!(does_nothing.is_empty(), "{does_nothing:#?}");
    assert!(missed.is_empty(), "{missed:#?}");
}

const FILES: &str = r#"
version: "1"
default_action: allow
policies:
  - name: tests
    rules:
      - action: deny
        when: {path_matches: ["**/notes"]}
        message: notes are not for agents
"#;

/// Neither libc nor a variable of Rampart's is needed for it: a static program, an empty environment.
#[test]
fn files_are_judged_whoever_opens_them_and_in_a_jail_no_more_is_open_than_without() {
    let mut world = World::with_policy(FILES);
    world.serve(&[]);
    for name in ["project/notes", "project/plain", "beside"] {
        world.write(name, "text\n");
    }
    let program = world.path("project/static");
    world.write("project/static.c", include_str!("exec_check/cat.c"));
    let built = Command::new("cc").args(["-static", "-o"]).arg(&program).arg(world.path("project/static.c")).output();
    assert!(built.unwrap().status.success());
    let beside = world.path("beside").display().to_string();
    let script = format!(
        "env -i ./static notes; env -i ./static plain; ln -s notes other; cat other; \
         rm notes; echo more >> notes; mv notes x; echo more >> {beside}; echo more >> plain; ls"
    );
    for flags in [&["-q", "--files"][..], &["-q", "--files", "--net", "--no-jail"]] {
        world.write("project/plain", "text\n");
        world.write("beside", "text\n");
        let _ = std::fs::remove_file(world.path("project/other"));
        let before = refusals(&world).len();
        let mut command = world.rampart(&[&["run"], flags, &["--", "sh", "-c", &script]].concat());
        command.current_dir(world.path("project"));
        let ran = run(command);
        assert_eq!(ran.stdout, "text\nnotes\nother\nplain\nstatic\nstatic.c\n", "{flags:?} {ran:?}");
        let stopped = refusals(&world).split_off(before);
        let held = |refused: &&Value| refused["actor"]["surface"] == "supervisor" && refused["reason"] == "rule";
        assert!(stopped.iter().filter(held).count() >= 5, "{flags:?} {stopped:#?}");
        assert_eq!(std::fs::read_to_string(world.path("project/notes")).unwrap(), "text\n");
        assert_eq!(std::fs::read_to_string(world.path("project/plain")).unwrap(), "text\nmore\n");
        // What is beside the project is the jail's to refuse, which holds for what is done in a process's place too.
        let is_open = std::fs::read_to_string(world.path("beside")).unwrap() == "text\nmore\n";
        assert_eq!(is_open, flags.contains(&"--no-jail"), "{ran:?}");
    }
}

fn refusals(world: &World) -> Vec<Value> {
    world.decisions().into_iter().filter(|decision| decision["outcome"] == "deny").collect()
}
