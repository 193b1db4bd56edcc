//! How long decisions and loading take. `cargo bench -p rampart-policy`.

use std::{collections::BTreeSet, hint::black_box, time::Duration};

use rampart_call::{Action, Call, CommandLine, Origin, Phase};
use rampart_policy::{Context, History, Layer, Ruleset, SourceFile, load, packs};

fn main() {
    let standard = packs::builtin("standard").map_or_else(|| policy(0), |p| p.to_file());
    let files = [standard];
    let loading = each(50, || {
        black_box(load(&files).is_ok());
    });
    report("load standard", &loading);
    let Ok(loaded) = load(&files) else { return };
    let standard = loaded.ruleset;

    for (name, command) in [
        ("git status", "git status".to_owned()),
        ("typical command", "cargo test --workspace 2>&1 | tail -20".to_owned()),
        ("compound command", "cd src && grep -rn 'foo' . | head -5 && git add -A && git commit -m 'x'".to_owned()),
        ("rm -rf /", "rm -rf /".to_owned()),
        ("cat ~/.ssh/id_rsa", "cat ~/.ssh/id_rsa".to_owned()),
        ("8 KB command", format!("echo {}", "word ".repeat(1_630))),
        ("8 KB of commands", "ls -la src; ".repeat(680)),
        ("depth 1000", format!("{}ls{}", "$(".repeat(1_000), ")".repeat(1_000))),
    ] {
        report(name, &decide(&standard, &exec(&command), 2_000));
    }

    let many: Vec<SourceFile> = vec![policy(10_000)];
    let loading = each(1, || {
        black_box(load(&many).is_ok());
    });
    report("load 10,000 policies of 5 rules", &loading);
    let Ok(loaded) = load(&many) else { return };
    for (name, command) in [
        ("10,000 policies, git status", "git status"),
        ("10,000 policies, a match", "tool77 run --now /srv/77/x"),
        ("10,000 policies, compound", "cat /srv/5/data/x | grep y > out; curl https://h99.example.com/a"),
    ] {
        report(name, &decide(&loaded.ruleset, &exec(command), 5_000));
    }
}

/// A file of policies with five rules each, over every kind of pattern.
fn policy(count: usize) -> SourceFile {
    let mut text = "version: \"1\"\ndefault_action: allow\npolicies:\n".to_owned();
    for i in 0..count {
        text.push_str(&format!(
            "  - name: policy-{i}\n    match: {{ tool: [exec] }}\n    rules:\n      \
             - {{ action: deny, when: {{ command_matches: ['tool{i} run *'] }} }}\n      \
             - {{ action: ask, when: {{ command_contains: ['--danger-{i}'] }} }}\n      \
             - {{ action: deny, when: {{ path_matches: ['/srv/{i}/**', '**/secret-{i}.*'] }} }}\n      \
             - {{ action: deny, when: {{ domain_matches: ['*.h{i}.example.com'] }} }}\n      \
             - {{ action: allow, when: {{ command_matches: ['tool{i} status *', 'tool{i} list'] }} }}\n"
        ));
    }
    if count == 0 {
        text.push_str("  []\n");
    }
    SourceFile { name: "many.yaml".to_owned(), text, layer: Layer::User }
}

fn exec(command: &str) -> Call {
    let origin = Origin { workspace: Some("/home/u/proj".into()), home: Some("/home/u".into()), ..Origin::default() };
    let action = Action::Exec { command: CommandLine::Command(command.to_owned()), cwd: None };
    Call { origin, phase: Phase::Before, action, response: None }
}

fn decide(ruleset: &Ruleset, call: &Call, times: usize) -> Vec<Duration> {
    let (labels, history) = (BTreeSet::new(), History::default());
    let context = Context {
        now_ms: 0,
        headless: false,
        labels: &labels,
        confined: false,
        called: &[],
        history: &history,
        counted: false,
        rampart_home: None,
    };
    each(times, || {
        black_box(ruleset.judge(black_box(call), &context));
    })
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn each(times: usize, mut run: impl FnMut()) -> Vec<Duration> {
    let mut taken: Vec<Duration> = (0..times)
        .map(|_| {
            let start = std::time::Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    taken.sort_unstable();
    taken
}

#[expect(clippy::print_stdout, reason = "a benchmark reports")]
fn report(name: &str, taken: &[Duration]) {
    let at = |percent: usize| taken.get(taken.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default();
    println!("{name:32} p50 {:>9} ns   p99 {:>9} ns", at(50).as_nanos(), at(99).as_nanos());
}
