//! D6: the gateway is killed in the middle of an answer, and of a rule that it writes.

use std::path::Path;

use super::*;
use crate::world::{have, skip};

/// Attaches a strace that kills the running gateway at its next such system call on these paths. None where it may not.
fn kill_at(world: &mut World, call: &str, paths: &[&Path]) -> Option<Child> {
    let pid = world.gateway().id().to_string();
    let mut strace = world.command("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-p", &pid, "-e", &format!("trace={call}")]);
    strace.args(["-e", &format!("inject={call}:signal=KILL")]);
    for path in paths {
        strace.arg("-P").arg(path);
    }
    let mut strace = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status =
        |task: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(task.unwrap().path().join("status"));
    let traced = || {
        let mut tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        // A thread that ended meanwhile needs none.
        tasks.all(|task| status(task).map_or(true, |status| !status.contains("TracerPid:\t0\n")))
    };
    let deadline = Instant::now() + PATIENCE;
    while !traced() {
        if strace.try_wait().unwrap().is_some() {
            return None;
        }
        assert!(Instant::now() < deadline, "it is not traced");
        std::thread::sleep(Duration::from_millis(10));
    }
    Some(strace)
}

/// Lets go of the gateway. True when it was killed.
fn was_killed(world: &mut World, mut strace: Child) -> bool {
    std::thread::sleep(Duration::from_millis(300));
    let ended = world.gateway().try_wait().unwrap().is_some();
    if !ended {
        let _ = Command::new("kill").arg(strace.id().to_string()).status();
    }
    let _ = strace.wait();
    ended
}

#[test]
fn d6_a_kill_at_any_step_of_an_answer_leaves_it_given_or_not() {
    let test = "d6_a_kill_at_any_step_of_an_answer_leaves_it_given_or_not";
    if !have(test, &["strace"]) {
        return;
    }
    let (mut killed, mut given) = (0, 0);
    for call in ["openat", "write", "fsync", "fdatasync", "renameat", "unlinkat"] {
        let mut world = asking();
        world.serve(&[]);
        let held = Held::start(&world, "s1", "made");
        let question = only(&world);
        let (kept, segment) = (world.home().join("state/approvals"), crate::audit::newest_segment(&world));
        let file = kept.join(format!("{question}.json"));
        let Some(strace) = kill_at(&mut world, call, &[&kept, &file, &segment]) else {
            return skip(test, "a strace that may trace what runs already");
        };
        world.run(&["approve", &question]);
        if !was_killed(&mut world, strace) {
            held.kill();
            continue;
        }
        killed += 1;
        let ran = held.child.wait_with_output().unwrap().status.success();
        let there = held.file.exists();
        assert_eq!(ran, there, "{call}");
        world.serve(&[]);
        let events = steps(&world, Some(&question));
        if events.contains(&"granted".to_owned()) {
            // Given: it waits no more. The answer goes to one call at most: to this one, or to nobody where it was taken for the
            // one that died with the gateway, and then it is asked anew.
            given += 1;
            pending(&world, 0);
            let again = Held::start(&world, "s1", "made");
            if ran {
                assert_ne!(only(&world), question, "{call}: once");
                again.kill();
            } else {
                until("it goes on or is asked anew", || again.file.exists() || world.status()["pending"] == 1);
                if !again.file.exists() {
                    let anew = only(&world);
                    assert_ne!(anew, question, "{call}");
                    world.run(&["approve", &anew]).expect(0);
                }
                assert!(again.ran(), "{call}");
            }
        } else {
            assert!(!ran, "{call}: nothing goes on without a record");
            let again = Held::start(&world, "s1", "made");
            assert_eq!(only(&world), question, "{call}: it waits as before");
            world.run(&["approve", &question]).expect(0);
            assert!(again.ran(), "{call}");
        }
        world.run(&["serve", "stop"]).expect(0);
        world.run(&["audit", "verify"]).expect(0);
    }
    assert!(killed >= 2, "only {killed} were killed, {given} of them after the answer was given");
}

#[test]
fn d6_a_kill_at_any_step_of_a_rule_leaves_the_rules_before_or_after() {
    let test = "d6_a_kill_at_any_step_of_a_rule_leaves_the_rules_before_or_after";
    if !have(test, &["strace"]) {
        return;
    }
    let mut killed = 0;
    for call in ["write", "fsync", "renameat"] {
        let mut world = asking();
        world.serve(&[]);
        world.run(&["block", "first", "--yes"]).expect(0);
        let file = world.home().join("policies/user-overrides.yaml");
        let before = std::fs::read_to_string(&file).unwrap();
        let folder = file.parent().unwrap().to_owned();
        // The draft bears the number of the process.
        let draft = folder.join(format!(".user-overrides.yaml.{}", world.gateway().id()));
        let Some(strace) = kill_at(&mut world, call, &[&folder, &file, &draft]) else {
            return skip(test, "a strace that may trace what runs already");
        };
        let blocked = world.run(&["block", "second", "--yes"]);
        if !was_killed(&mut world, strace) {
            continue;
        }
        killed += 1;
        assert!(!blocked.success(), "{call}: nobody was told that it is done: {blocked:?}");
        let now = std::fs::read_to_string(&file).unwrap();
        assert!(now == before || now.contains("second") && now.contains("first"), "{call}: {now}");
        world.serve(&[]);
        assert!(world.status()["policy"]["error"].is_null(), "{call}");
        world.run(&["block", "second", "--yes"]).expect(0);
        assert_eq!(world.run(&["rules"]).expect(0).stdout.matches("second").count(), 1, "{call}");
    }
    assert!(killed >= 2, "only {killed} were killed");
}
