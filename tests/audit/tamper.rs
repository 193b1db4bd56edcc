//! Every way of changing a trail is found by `audit verify`, at its place, from outside.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{hook, script_agrees};
use crate::world::World;

fn edit(path: &Path, change: impl Fn(&mut Vec<String>)) {
    let mut lines: Vec<String> = std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
    change(&mut lines);
    std::fs::write(path, lines.join("\n") + "\n").unwrap();
}

fn change(lines: &mut [String], change: impl Fn(&str) -> String) {
    let at = one(lines);
    lines[at] = change(&lines[at]);
}

/// Links the lines from the second on anew, as somebody does who has read `docs/audit.md`.
fn chain_anew(lines: &mut [String]) {
    let seal = r#","h":""#;
    let hash_of = |line: &str| line.rsplit_once(seal).unwrap().1[..64].to_owned();
    let mut head = hash_of(&lines[0]);
    for line in &mut lines[1..] {
        let body = line.rsplit_once(seal).unwrap().0.to_owned();
        let raw: Vec<u8> = (0..64).step_by(2).map(|at| u8::from_str_radix(&head[at..at + 2], 16).unwrap()).collect();
        let hash = Sha256::new().chain_update(b"rampart/audit/v2\n").chain_update(raw).chain_update(&body).finalize();
        head = hash.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        *line = format!("{body}{seal}{head}\"}}");
    }
}

/// Where in its file the first problem is.
#[derive(Clone, Copy)]
enum At {
    File,
    Start,
    /// The decision that is tampered with, or the line after it.
    Decision(u64),
    Checkpoint,
}

/// Name, what is done, whether `docs/verify.py` can see it, segment, place and kind of the first problem, words of it.
type Row = (&'static str, fn(&[PathBuf]), bool, usize, At, &'static str, &'static str);

/// The line of the decision that is tampered with.
fn one(lines: &[String]) -> usize {
    lines.iter().position(|line| line.contains("# one")).unwrap()
}

const TABLE: [Row; 14] = [
    (
        "an edit",
        |s| edit(&s[1], |l| change(l, |line| line.replace("rm -rf", "ls -la"))),
        true,
        1,
        At::Decision(0),
        "edited",
        "is not as it was written",
    ),
    (
        "an insertion",
        |s| edit(&s[1], |l| l.insert(one(l), l[one(l)].replace("rm", "ls"))),
        true,
        1,
        At::Decision(0),
        "edited",
        "record ",
    ),
    ("a deletion", |s| edit(&s[1], |l| drop(l.remove(one(l)))), true, 1, At::Decision(0), "missing", "is missing"),
    (
        "a reordering",
        |s| {
            edit(&s[1], |l| {
                let at = one(l);
                l.swap(at, at + 1);
            });
        },
        true,
        1,
        At::Decision(0),
        "missing",
        "is missing",
    ),
    (
        "a duplicate",
        |s| edit(&s[1], |l| l.insert(one(l) + 1, l[one(l)].clone())),
        true,
        1,
        At::Decision(1),
        "misplaced",
        "stands where record",
    ),
    ("a cut end", |s| edit(&s[2], |l| l.truncate(3)), false, 2, At::File, "truncated", "the trail ends with record"),
    ("a cut middle", |s| edit(&s[1], |l| l.truncate(3)), true, 2, At::Start, "missing", "are missing before this file"),
    (
        "a cut line",
        |s| edit(&s[1], |l| change(l, |line| line[..line.len() - 9].to_owned())),
        true,
        1,
        At::Decision(0),
        "edited",
        "is not as it was written",
    ),
    ("a missing segment", |s| std::fs::remove_file(&s[1]).unwrap(), true, 2, At::Start, "missing", "are missing"),
    (
        "a missing first segment",
        |s| std::fs::remove_file(&s[0]).unwrap(),
        true,
        1,
        At::Start,
        "missing",
        "records 1 to",
    ),
    (
        "swapped segments",
        |s| {
            let other = std::fs::read(&s[0]).unwrap();
            std::fs::copy(&s[1], &s[0]).unwrap();
            std::fs::write(&s[1], other).unwrap();
        },
        true,
        0,
        At::Start,
        "misplaced",
        "exchanged or renamed",
    ),
    (
        "a duplicated key",
        |s| edit(&s[1], |l| change(l, |line| line.replacen(r#""outcome":"#, r#""outcome":"allow","outcome":"#, 1))),
        true,
        1,
        At::Decision(0),
        "edited",
        "is not as it was written",
    ),
    ("an emptied segment", |s| std::fs::write(&s[1], "").unwrap(), true, 1, At::File, "missing", "the file is empty"),
    (
        "history that was written anew",
        |s| {
            edit(&s[1], |l| {
                change(l, |line| line.replace("rm -rf", "ls -la"));
                chain_anew(l);
            });
        },
        true,
        1,
        At::Checkpoint,
        "rewritten",
        "",
    ),
];

#[test]
fn every_tampering_is_found_at_its_place() {
    let mut world = World::new();
    for _ in 0..3 {
        world.serve(&[]);
        hook(&world, "s", "rm -rf / # one");
        hook(&world, "s", "rm -rf / # two");
        world.run(&["serve", "stop"]).expect(0);
    }
    let folder = world.home().join("audit");
    let mut segments: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|e| e == "jsonl"));
    segments.sort();
    assert_eq!(segments.len(), 3);
    let sound: Vec<Vec<u8>> = segments.iter().map(|path| std::fs::read(path).unwrap()).collect();
    world.run(&["audit", "verify"]).expect(0);
    for (name, tamper, script_sees, segment, at, what, words) in TABLE {
        let lines: Vec<String> =
            String::from_utf8(sound[segment].clone()).unwrap().lines().map(str::to_owned).collect();
        let line = match at {
            At::File => 0,
            At::Start => 1,
            At::Decision(after) => one(&lines) as u64 + 1 + after,
            // the first after it, which covers it
            At::Checkpoint => {
                let rest = lines.iter().skip(one(&lines));
                let covers = rest.take_while(|line| !line.contains(r#""type":"checkpoint""#)).count();
                (one(&lines) + covers) as u64 + 1
            }
        };
        tamper(&segments);
        let report = world.run(&["audit", "verify", "--json"]).expect(1).json();
        let first = &report["problems"][0];
        let file = segments[segment].file_name().unwrap().to_str().unwrap();
        assert_eq!((&first["file"], &first["what"]), (&file.into(), &what.into()), "{name}: {report:#}");
        assert_eq!(first["line"], line, "{name}: {report:#}");
        assert!(first["message"].as_str().unwrap().contains(words), "{name}: {report:#}");
        let people = world.run(&["audit", "verify"]).expect(1);
        assert!(people.stdout.contains(&format!("{file}:{}: ", first["line"])), "{name}: {people:?}");
        script_agrees("every_tampering_is_found_at_its_place", &world, !script_sees);
        segments.iter().zip(&sound).for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
    }
    world.run(&["audit", "verify"]).expect(0);
    world.run(&["audit", "verify", "/nowhere"]).expect(2);
}
