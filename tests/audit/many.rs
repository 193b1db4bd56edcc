//! A trail of a million records: starting, reading and checking stay quick, and memory stays small.

use std::{
    fmt::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};

use crate::world::{World, memory};

/// Records a segment.
const SEGMENT: u64 = 50_000;

/// Writes a trail of so many records: every tenth a denial of session `s-7`. It holds no checkpoints, which a trail of a
/// gateway that was killed early need not.
fn write_trail(world: &World, records: u64) {
    let folder = world.home().join("audit");
    std::fs::DirBuilder::new().mode(0o700).recursive(true).create(&folder).unwrap();
    let mut head = [0_u8; 32];
    let mut peaks: Vec<[u8; 32]> = Vec::new();
    let hash =
        |parts: &[&[u8]]| -> [u8; 32] { parts.iter().fold(Sha256::new(), Sha256::chain_update).finalize().into() };
    let hex = |bytes: &[u8]| {
        bytes.iter().fold(String::new(), |mut out, b| {
            write!(out, "{b:02x}").unwrap();
            out
        })
    };
    let (mut text, mut first) = (String::new(), 1);
    for seq in 1..=records {
        let at = format!("2026-01-{:02}T09:{:02}:{:02}.000Z", 1 + seq * 27 / records, seq / 60 % 60, seq % 60);
        let body = if (seq - 1) % SEGMENT == 0 {
            let peaks: Vec<String> = peaks.iter().map(|peak| format!("\"{}\"", hex(peak))).collect();
            format!(
                r#"{{"v":"rampart.audit.v2","seq":{seq},"type":"open","at":"{at}","boot_ms":{seq},"reason":"failure","prev":"{}","peaks":[{}],"key":"{}","program":"test","pid":1"#,
                hex(&head),
                peaks.join(","),
                "0".repeat(64)
            )
        } else {
            let (session, outcome) = if seq % 10 == 0 { ("s-7", "deny") } else { ("s-1", "allow") };
            format!(
                r#"{{"v":"rampart.audit.v2","seq":{seq},"type":"decision","at":"{at}","boot_ms":{seq},"actor":{{"agent":"claude-code","session":"{session}","surface":"hook","depth":0,"pid":4711,"uid":1000,"workspace":"/home/alice/project"}},"tool":"exec","action":{{"command":"cargo test --workspace -- {seq}","cwd":"/home/alice/project","type":"exec"}},"effects":[{{"certainty":"proven","kind":"exec","reversibility":"unknown","span":{{"end":23,"start":0}},"target":{{"argv":["cargo","test","--workspace"],"is":"program","name":"cargo"}}}}],"outcome":"{outcome}","verdict":"{outcome}","reason":"default","message":"","ruleset":"5c5b6c9f3d1e4a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d","mode":"enforce","micros":9"#
            )
        };
        head = hash(&[b"rampart/audit/v2\n", &head, body.as_bytes()]);
        let mut node = hash(&[&[0], &head]);
        for _ in 0..(seq - 1).trailing_ones() {
            node = hash(&[&[1], &peaks.pop().unwrap(), &node]);
        }
        peaks.push(node);
        writeln!(text, r#"{body},"h":"{}"}}"#, hex(&head)).unwrap();
        if seq % SEGMENT == 0 || seq == records {
            let path = folder.join(format!("audit-{first:016}.jsonl"));
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
            std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
            // As a gateway leaves it. Otherwise the first start waits for the disk, which takes all of this first.
            file.sync_all().unwrap();
            text.clear();
            first = seq + 1;
        }
    }
}

#[test]
fn a_million_records_are_started_on_read_and_searched_quickly() {
    // What is not optimised is slower, and a busy machine slower still.
    let (records, patience) = if cfg!(debug_assertions) { (100_000, 10) } else { (1_000_000, 1) };
    let mut world = World::new();
    write_trail(&world, records);
    let within = |what: &str, limit: Duration, work: &mut dyn FnMut()| {
        let began = Instant::now();
        work();
        let took = began.elapsed();
        println!("{what}: {took:?}");
        assert!(took < limit * patience, "{what} took {took:?}");
    };
    let second = Duration::from_secs(1);
    within("a start", second, &mut || {
        world.serve(&[]);
    });
    let before = memory(world.gateway().id()).1;
    let tail = |world: &World| world.run(&["audit", "tail", "-n", "100"]).expect(0);
    within("the newest hundred", second / 5, &mut || assert!(tail(&world).stdout.lines().count() >= 100));
    within("a search by session", 5 * second, &mut || {
        let found = world.run(&["audit", "search", "--session", "s-7", "--decision", "deny", "--json"]).expect(0);
        assert_eq!(found.stdout.lines().count() as u64, records / 10);
    });
    within("numbers", 8 * second, &mut || {
        let stats = world.run(&["audit", "stats", "--json"]).expect(0).json();
        assert_eq!(stats["outcomes"]["deny"].as_u64(), Some(records / 10), "{stats:#}");
    });
    let grown = memory(world.gateway().id()).1 - before;
    assert!(grown < 40_000, "the gateway grew by {grown} kB");
    world.run(&["serve", "stop"]).expect(0);
    within("verify", 3 * second, &mut || {
        let report = world.run(&["audit", "verify", "--json"]);
        // its segments are not vouched for: keys of no gateway
        let report = report.json();
        assert!(report["records"].as_u64() > Some(records), "{report:#}");
        let problems = report["problems"].as_array().unwrap();
        assert!(problems.iter().all(|p| p["message"].as_str().unwrap().contains("vouched for")), "{report:#}");
    });
}
