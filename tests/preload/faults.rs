//! What the library does when nobody answers.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::{Duration, Instant},
};

use super::{POLICY, preload, ready, run};
use crate::world::{Ran, World};

#[test]
fn d2_a_process_whose_gateway_is_killed_gets_eperm() {
    let policy = POLICY.replace(
        "action: deny\n        when: {command_matches: [\"touch *\"",
        "action: ask\n        when: {command_matches: [\"touch *\"",
    );
    let mut world = World::with_policy(&policy);
    world.serve(&[]);
    let mut command = preload(&world, &[], &["sh", "-c", "/usr/bin/touch marker; echo $?"]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while world.status()["pending"] != 1 {
        assert!(Instant::now() < deadline, "nobody asks");
    }
    let begun = Instant::now();
    world.gateway().kill().unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.stdout, "126\n", "{ran:?}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert!(!world.project().join("marker").exists());
}

#[test]
fn d3_a_process_whose_gateway_stands_still_gets_eperm_within_two_seconds_and_when_watched_goes_on() {
    let mut world = ready();
    // The session is opened first, and then nobody answers.
    world.write("project/slow", "read line; echo go; /bin/true; echo $?");
    let mut children: Vec<_> = ["enforce", "monitor"]
        .iter()
        .map(|mode| {
            let mut command = preload(&world, &["--mode", mode], &["sh", "slow"]);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    let socket =
        |e: std::io::Result<std::fs::DirEntry>| e.unwrap().file_name().to_string_lossy().starts_with("preload-");
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::fs::read_dir(world.home().join("run")).unwrap().map(socket).filter(|is| *is).count() < 2 {
        assert!(Instant::now() < deadline, "nobody listens");
    }
    std::thread::sleep(Duration::from_millis(100));
    world.freeze();
    let begun = Instant::now();
    for (child, expected) in children.iter_mut().zip([["go", "126"], ["go", "0"]]) {
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"\n").unwrap();
        // Not to the end: that waits for a summary from the gateway, which stands still.
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().take(2);
        assert_eq!(lines.map(Result::unwrap).collect::<Vec<_>>(), expected);
    }
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    world.thaw();
    for mut child in children {
        child.wait().unwrap();
    }
}

#[test]
fn d2_a_process_that_outlives_rampart_starts_nothing_more() {
    let world = ready();
    world.write(
        "project/late",
        "sleep 0.2; while kill -0 $1 2>/dev/null; do :; done; /usr/bin/id > by-id; echo $? > ended",
    );
    let mut command = preload(&world, &[], &["sh", "-c", "sh late $PPID & sleep 0.1"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    let ended = world.project().join("ended");
    let deadline = Instant::now() + Duration::from_secs(10);
    while !std::fs::read_to_string(&ended).is_ok_and(|text| !text.is_empty()) {
        assert!(Instant::now() < deadline, "it goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(std::fs::read_to_string(ended).unwrap(), "126\n");
}

#[test]
fn many_at_once_are_all_answered() {
    let world = ready();
    let script = "for i in $(/usr/bin/seq 200); do /bin/true & done; wait; /usr/bin/touch marker";
    let ran = run(preload(&world, &[], &["sh", "-c", script]));
    assert!(ran.stderr.contains("202 calls judged, 1 refused"), "{ran:?}");
    assert!(!world.project().join("marker").exists());
}

#[test]
fn g7_no_environment_that_is_stripped_takes_the_library_away() {
    let world = ready();
    for script in [
        "/usr/bin/env -i /usr/bin/touch marker",
        "/usr/bin/env -u LD_PRELOAD -u RAMPART_PRELOAD /bin/sh -c '/usr/bin/touch marker'",
        "unset LD_PRELOAD; /usr/bin/touch marker",
        "LD_PRELOAD=/nowhere.so /bin/sh -c '/usr/bin/touch marker'",
        "RAMPART_PRELOAD=m:/nowhere /bin/sh -c '/usr/bin/touch marker'",
    ] {
        let ran = run(preload(&world, &[], &["/bin/sh", "-c", script]));
        assert!(!world.project().join("marker").exists(), "{script}: {ran:?}");
    }
}

/// What FAULTS calls a documented bypass is one, and stands on the page.
#[test]
fn g7_what_does_not_use_libc_passes_and_the_page_says_so() {
    let page = std::fs::read_to_string(crate::world::root().join("docs/preload.md")).unwrap();
    for hole in ["a system call made by hand | **no**", "a static program | **no**"] {
        assert!(page.contains(hole), "{hole}");
    }
}
