//! Prints the time of an analysis: typical commands in nanoseconds, worst cases in microseconds.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark measures time and prints it")]

use std::hint::black_box;
use std::time::Instant;

use rampart_call::CommandLine;
use rampart_shell::{Surroundings, analyze};

fn measure(name: &str, text: &str, rounds: u32) {
    let command = CommandLine::Command(text.to_owned());
    let around = Surroundings {
        cwd: Some("/home/u/project"),
        home: Some("/home/u"),
        workspace: Some("/home/u/project"),
        rampart_home: None,
    };
    let mut times: Vec<u128> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            black_box(analyze(black_box(&command), &around));
            start.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or(0);
    println!("{name:<28} p50 {:>9} ns  p99 {:>9} ns", at(50), at(99));
}

fn main() {
    for text in [
        "ls -la",
        "git status",
        "cargo test --workspace",
        "git commit -m \"fix: a thing\" && git push origin feature",
        "cd src && for f in *.txt; do wc -l \"$f\"; done | sort -n > out",
        "find . -name '*.pyc' -delete",
        "curl -s https://api.github.com/x | jq .",
        "python3 -c \"import json,sys; print(json.load(sys.stdin)['x'])\" < a.json",
        "rm -rf ./node_modules",
    ] {
        measure(text.get(..27.min(text.len())).unwrap_or(text), text, 2000);
    }
    let long = |piece: &str| piece.repeat(8192 / piece.len());
    for (name, text) in [
        ("8 KB word", format!("echo {}", long("a"))),
        ("8 KB quoted", format!("echo '{}'", long("rm -rf / ; "))),
        ("8 KB of commands", long("rm -rf a; ")),
        ("8 KB of subshells", long("(a);")),
        ("8 KB of substitutions", format!("echo {}", long("$(a)"))),
        ("8 KB of variables", long("a=$a$a;")),
        ("8 KB of braces", long("{a,b}")),
        ("8 KB python", format!("python3 -c '{}'", long("print(1)\n"))),
        ("8 KB of python parentheses", format!("python3 -c '{}'", long("("))),
        ("8 KB of backquotes", long("`")),
        ("8 KB of brackets", long("a[")),
        ("8 KB of dollars", long("$[")),
        ("8 KB of stars", format!("rm {}", long("*a"))),
        ("8 KB of paths", format!("cat {}", long("a/../b/*/"))),
        ("8 KB of eval", long("eval ")),
        ("8 KB of sudo", long("sudo ")),
        ("8 KB of here-documents", long("cat <<A\n")),
        ("depth 1000 of $(", "$(".repeat(1000)),
        ("depth 1000 closed", format!("{}rm -rf /{}", "$(".repeat(1000), ")".repeat(1000))),
        ("depth 1000 of (", "(".repeat(1000)),
        ("depth 1000 of {", "{ ".repeat(1000)),
        ("depth 1000 of quotes", "\"$(".repeat(1000)),
        ("depth 1000 of if", "if ".repeat(1000)),
        ("depth 1000 of ${", "${a:-".repeat(1000)),
        ("depth 1000 of $((", "$((".repeat(1000)),
        ("nested eval", format!("{}x{}", "eval $(".repeat(14), ")".repeat(14))),
        ("nested quoted eval", format!("{}x{}", "eval \"$(".repeat(30), ")\"".repeat(30))),
        (
            "nested sh -c",
            (0..12).fold("x".to_owned(), |t, _| format!("sh -c {}", CommandLine::Argv(vec![t]).to_line())),
        ),
        (
            "function calls function",
            (0..60).map(|n| format!("f{n}(){{ f{};f{}; }};", n + 1, n + 1)).collect::<Vec<_>>().concat() + "f0",
        ),
        ("doubling variable", (0..60).map(|n| format!("a{}=$a{n}$a{n};", n + 1)).collect::<Vec<_>>().concat()),
    ] {
        measure(name, &text, 20);
    }
}
