//! The audit trail at full speed: how many durable records a second it takes from 256 waiting callers, and how fast a
//! million records are verified and read. `cargo bench -p rampart-gateway --bench audit`

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark prints, and ends when it cannot go on")]

use std::time::{Duration, Instant};

use rampart_call::{
    Action, Call, CommandLine, Effect, EffectKind, Judgement, Origin, Outcome, Phase, Reason, RuleRef, Surface, Target,
};
use rampart_gateway::audit::{Decision, Entry, Settings, Trail, verify};

const CALLERS: usize = 256;
const RECORDS: u64 = 1_000_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let home = tempfile::tempdir_in(".").expect("a directory on a disk");
    let dir = home.path().join("audit");
    let trail = Trail::open(&dir, Settings::default()).expect("a trail");
    for (name, verdict) in [("denials, each on disk before its answer", Outcome::Deny), ("allowances", Outcome::Allow)]
    {
        let start = Instant::now();
        let latencies = runtime.block_on(append(&trail, RECORDS / 2, verdict));
        let rate = (RECORDS / 2) as f64 / start.elapsed().as_secs_f64();
        println!(
            "append, {CALLERS} callers, {name}: {rate:.0} records/s, median {:?}, 99 % under {:?}",
            latencies[latencies.len() / 2],
            latencies[latencies.len() / 100 * 99]
        );
    }
    let mut alone = runtime.block_on(async {
        let mut latencies = Vec::new();
        for _ in 0..200 {
            let start = Instant::now();
            decide(&trail, Outcome::Deny).await;
            latencies.push(start.elapsed());
        }
        latencies
    });
    alone.sort_unstable();
    println!("append, one caller, denials: median {:?}, 99 % under {:?}", alone[100], alone[198]);
    runtime.block_on(trail.close());
    let bytes: u64 = std::fs::read_dir(&dir).expect("files").filter_map(|f| Some(f.ok()?.metadata().ok()?.len())).sum();
    let start = Instant::now();
    let report = verify::verify(&dir, &verify::Options::default(), |_| {}).expect("a report");
    let took = start.elapsed();
    assert!(report.ok, "{report:#?}");
    println!(
        "verify: {} records of {} bytes in {took:?}, {:.0} records/s",
        report.records,
        bytes / report.records,
        report.records as f64 / took.as_secs_f64()
    );
    let start = Instant::now();
    drop(Trail::open(&dir, Settings::default()).expect("a trail"));
    println!("restart with {} records: {:?}", report.records, start.elapsed());
}

/// Appends from many callers at once and returns how long each waited, sorted.
async fn append(trail: &Trail, records: u64, verdict: Outcome) -> Vec<Duration> {
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let trail = trail.clone();
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                for _ in 0..records / CALLERS as u64 {
                    let start = Instant::now();
                    decide(&trail, verdict).await;
                    latencies.push(start.elapsed());
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for caller in callers {
        latencies.extend(caller.await.expect("a caller"));
    }
    latencies.sort_unstable();
    latencies
}

async fn decide(trail: &Trail, verdict: Outcome) {
    let call = Call {
        origin: Origin {
            surface: Surface::Hook,
            agent: "claude-code".into(),
            session: "0196f1c2-7b1e-7c3a-9d55-2f1f0a5d8e11".into(),
            pid: Some(4711),
            uid: Some(1000),
            workspace: Some("/home/alice/project".into()),
            ..Origin::default()
        },
        phase: Phase::Before,
        action: Action::Exec {
            command: CommandLine::Command("rm -rf ./target/debug".into()),
            cwd: Some("/home/alice/project".into()),
        },
        response: None,
    };
    let target = Target::Program { name: "rm".into(), argv: vec!["rm".into(), "-rf".into(), "./target/debug".into()] };
    let judgement = Judgement {
        outcome: verdict,
        rule: Some(RuleRef {
            policy: "block-destructive".into(),
            index: 3,
            action: verdict,
            file: "standard.yaml".into(),
            line: 120,
        }),
        effects: vec![Effect::new(EffectKind::Exec, Some(target))],
        ruleset: "5c5b6c9f3d1e4a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d".into(),
        micros: 9,
        ..Judgement::refused(Reason::Rule, "Recursive delete")
    };
    let entry = Entry::Decision(Decision { call: &call, judgement: &judgement, verdict, mode: "enforce" });
    trail.append(entry).await.expect("a record");
}
