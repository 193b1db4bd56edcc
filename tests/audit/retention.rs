//! What `audit.retention` removes, and what is left: a trail that holds and says what is gone.

use std::{
    os::unix::fs::MetadataExt as _,
    time::{Duration, Instant},
};

use super::{hook, newest_segment, script_agrees};
use crate::{approvals::Wall, world::World};

const LISTEN: &str = "listen: 127.0.0.1:0\negress:\n  listen: 127.0.0.1:0\n";

/// Files of the trail.
fn segments(world: &World) -> Vec<(String, u64)> {
    let folder = std::fs::read_dir(world.home().join("audit")).unwrap().map(|entry| entry.unwrap());
    let kept = folder.filter(|entry| entry.path().extension().is_some_and(|end| end == "jsonl"));
    let mut all: Vec<_> =
        kept.map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len())).collect();
    all.sort();
    all
}

/// Waits until no more than so many files are left.
fn retired(world: &World, left: usize) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while segments(world).len() > left {
        assert!(Instant::now() < deadline, "{}\n{}", world.gateway_log(), super::all_text(world));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn records_older_than_the_retention_go_and_the_trail_holds_and_says_so() {
    let test = "records_older_than_the_retention_go_and_the_trail_holds_and_says_so";
    let mut world = World::new();
    let Some(wall) = Wall::new(&world, test) else { return };
    for (offset, command) in [("-40d", "echo forty"), ("-35d", "echo thirtyfive"), ("-1d", "echo one")] {
        wall.set(offset);
        wall.serve(&mut world, &[]);
        hook(&world, "s", command).expect(0);
        let mut stop = world.rampart(&["serve", "stop"]);
        assert!(stop.status().unwrap().success());
    }
    let witness = world.path("witness");
    std::fs::copy(world.home().join("audit/checkpoint"), &witness).unwrap();
    assert_eq!(segments(&world).len(), 3);
    world.config(&format!("{LISTEN}audit: {{retention: {{age: 30d}}}}\n"));
    world.serve(&[]);
    retired(&world, 2);
    let found = |text: &str| world.run(&["audit", "search", text]).code == Some(0);
    assert!(!found("echo forty") && !found("echo thirtyfive") && found("echo one"));
    let names: Vec<String> = segments(&world).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    hook(&world, "s", "echo today").expect(0);
    // While it runs, after a kill, and after an end in order.
    let holds = |world: &World| {
        let verified = world.run(&["audit", "verify", "--witness", witness.to_str().unwrap()]).expect(0);
        assert!(verified.stdout.contains("were removed by the retention setting"), "{verified:?}");
        script_agrees(test, world, true);
    };
    holds(&world);
    world.gateway().kill().unwrap();
    world.gateway().wait().unwrap();
    holds(&world);
    world.serve(&[]);
    world.run(&["serve", "stop"]).expect(0);
    holds(&world);
    // What retention did not remove is missed as ever.
    std::fs::remove_file(world.home().join("audit").join(&names[0])).unwrap();
    let verified = world.run(&["audit", "verify"]).expect(1);
    assert!(verified.stdout.contains("are missing"), "{verified:?}");
    script_agrees(test, &world, false);
}

/// Beside a segment that is closed stands what it holds, for searches; it is made again and it goes with the segment.
#[test]
fn a_closed_segment_is_summed_up_and_what_sums_it_up_goes_with_it() {
    let mut world = World::new();
    world.serve(&[]);
    for n in 0..40 {
        hook(&world, "s", &format!("echo {n} {}", "x".repeat(15_000))).expect(0);
    }
    hook(&world, "rare", "echo needle").expect(0);
    let summary = world.home().join("audit").join(segments(&world)[0].0.replace(".jsonl", ".summary"));
    let long = || summary.metadata().map_or(0, |meta| meta.len());
    let becomes = |there: bool| {
        let deadline = Instant::now() + Duration::from_secs(20);
        while (long() > 10_000) != there {
            assert!(Instant::now() < deadline, "{} is {} bytes long", summary.display(), long());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let searched = |world: &World| {
        for (args, count) in [(&["NEEDLE"][..], 1), (&["--session", "rare"], 1), (&["echo 7 "], 1), (&["nowhere"], 0)] {
            let found = world.run(&[&["audit", "search", "--type", "decision", "--json"], args].concat()).stdout;
            assert_eq!(found.lines().count(), count, "{args:?}: {found}");
        }
    };
    assert!(!summary.exists(), "the segment is being written");
    searched(&world);
    world.run(&["serve", "stop"]).expect(0);
    for damaged in [false, true] {
        if damaged {
            std::fs::write(&summary, "no summary").unwrap();
        }
        searched(&world);
        world.serve(&[]);
        becomes(true);
        assert_eq!(summary.metadata().unwrap().mode() & 0o777, 0o600);
        searched(&world);
        world.run(&["serve", "stop"]).expect(0);
    }
    world.run(&["audit", "verify"]).expect(0);
    world.config(&format!("{LISTEN}audit: {{retention: {{size: 64kb}}}}\n"));
    world.serve(&[]);
    becomes(false);
    assert!(!summary.exists());
    world.run(&["audit", "verify"]).expect(0);
}

#[test]
fn a_trail_that_grows_over_its_size_loses_its_oldest_files_and_never_the_newest() {
    let test = "a_trail_that_grows_over_its_size_loses_its_oldest_files_and_never_the_newest";
    let mut world = World::new();
    world.config(&format!("{LISTEN}audit: {{segment: {{size: 64kb}}, retention: {{size: 200kb}}}}\n"));
    world.serve(&[]);
    // An agent that runs a script of many lines, again and again.
    let script = format!("echo {}", "x".repeat(8000));
    while segments(&world).len() < 8 {
        hook(&world, "s", &script).expect(0);
    }
    world.run(&["serve", "stop"]).expect(0);
    world.serve(&[]);
    retired(&world, 5);
    let left = segments(&world);
    let size: u64 = left.iter().map(|(_, size)| size).sum();
    assert!(size <= (200 << 10) + 4096 && left.len() > 2, "{left:?}");
    assert!(newest_segment(&world).ends_with(&left.last().unwrap().0));
    world.run(&["serve", "stop"]).expect(0);
    world.run(&["audit", "verify"]).expect(0);
    script_agrees(test, &world, true);
    let records = world.records();
    let retire = records.iter().find(|record| record["type"] == "retire").expect("it is on record");
    let gone = retire["segments"].as_array().unwrap();
    assert!(gone.iter().all(|name| !left.iter().any(|(kept, _)| name == kept)), "{retire}");
}
