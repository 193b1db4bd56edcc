//! One piece of work, so many times: `workload NAME TIMES`. For counting instructions; see `tests/bench/instructions.py`.

#![expect(clippy::print_stdout, reason = "a program for people")]

use std::{collections::BTreeSet, hint::black_box};

use rampart_call::{Action, Call, CommandLine, Located, Origin, Phase, Response};
use rampart_policy::{Context, History, Layer, SourceFile, load, packs};

fn main() {
    let mut args = std::env::args().skip(1);
    let (name, times) = (args.next().unwrap_or_default(), args.next().and_then(|t| t.parse().ok()).unwrap_or(1));
    let Some(work) = work(&name) else {
        println!("workload NAME TIMES");
        return;
    };
    (0..times).for_each(|_| work());
}

fn work(name: &str) -> Option<Box<dyn Fn()>> {
    let files = vec![packs::builtin("standard")?.to_file()];
    let exec = |text: &str| Action::Exec {
        command: CommandLine::Command(text.to_owned()),
        cwd: Some("/home/dev/project".to_owned()),
    };
    let action = match name {
        "decide-git-status" => exec("git status"),
        "decide-compound" => {
            exec("cd src && git add -A && git commit -m 'mend the parser; rm nothing' && git push origin HEAD")
        }
        "decide-denied-read" => Action::Read { paths: vec![Located::written("/home/dev/.ssh/id_ed25519")] },
        "decide-fetch" | "decide-fetched" => Action::Fetch {
            method: "GET".to_owned(),
            url: "https://docs.example.com/guide/first-steps?lang=en".to_owned(),
            headers: [("host", "docs.example.com"), ("user-agent", "curl/8.5.0"), ("accept", "*/*")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            body: None,
            body_size: None,
            addresses: vec![[93, 184, 215, 14].into()],
        },
        "decide-match-of-50000-rules" => exec("tool77 run --now /srv/77/x"),
        "load-standard" => {
            return Some(Box::new(move || {
                let _ = black_box(load(black_box(&files)));
            }));
        }
        "scan-1kb-json" => {
            let line =
                r#"{"role":"user","content":"Please run the tests and tell me which of them fail, then mend them."}"#;
            let text = line.repeat(11);
            return Some(Box::new(move || {
                black_box(rampart_scan::scan(black_box(&text)));
            }));
        }
        _ => return None,
    };
    let files = if name.ends_with("-rules") { vec![many()] } else { files };
    let ruleset = load(&files).ok()?.ruleset;
    let origin = Origin {
        home: Some("/home/dev".to_owned()),
        workspace: Some("/home/dev/project".to_owned()),
        ..Origin::default()
    };
    let mut call = Call { origin, phase: Phase::Before, action, response: None };
    if name == "decide-fetched" {
        call.phase = Phase::After;
        call.response = Some(Response {
            status: Some(200),
            headers: vec![("content-type".to_owned(), "application/octet-stream".to_owned())],
            truncated: true,
            ..Response::default()
        });
    }
    let (labels, history) = (BTreeSet::new(), History::default());
    Some(Box::new(move || {
        let context = Context {
            now_ms: 1_767_225_600_000,
            headless: false,
            labels: &labels,
            confined: false,
            called: &[],
            history: &history,
            counted: false,
            rampart_home: None,
        };
        black_box(ruleset.judge(black_box(&call), &context));
    }))
}

/// Ten thousand policies of five rules, over every kind of pattern.
fn many() -> SourceFile {
    let mut text = "version: \"1\"\ndefault_action: allow\npolicies:\n".to_owned();
    for i in 0..10_000 {
        text.push_str(&format!(
            "  - name: policy-{i}\n    match: {{ tool: [exec] }}\n    rules:\n      \
             - {{ action: deny, when: {{ command_matches: ['tool{i} run *'] }} }}\n      \
             - {{ action: ask, when: {{ command_contains: ['--danger-{i}'] }} }}\n      \
             - {{ action: deny, when: {{ path_matches: ['/srv/{i}/**', '**/secret-{i}.*'] }} }}\n      \
             - {{ action: deny, when: {{ domain_matches: ['*.h{i}.example.com'] }} }}\n      \
             - {{ action: allow, when: {{ command_matches: ['tool{i} status *', 'tool{i} list'] }} }}\n"
        ));
    }
    SourceFile { name: "many.yaml".to_owned(), text, layer: Layer::User }
}
