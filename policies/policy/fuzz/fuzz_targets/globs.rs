//! The engine's automata and indexes match what a naive backtracking matcher does.
//!
//! An input is a letter for the kind of pattern, the pattern, a newline, and what it is tried on.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rampart_call::Action;
use rampart_policy_fuzz::{connect, denies, denying, fetch, naive, naive::Reading, read, run};

fuzz_target!(|bytes: &[u8]| {
    let Ok(input) = std::str::from_utf8(bytes) else { return };
    let Some((pattern, subject)) = input.split_once('\n') else { return };
    // Backtracking takes a power of the text's length, one for each star.
    if input.len() > 256 || pattern.matches('*').count() > 5 {
        return;
    }
    let mut pattern = pattern.chars();
    match pattern.next() {
        Some('c') => command(pattern.as_str(), subject),
        Some('p') => path(pattern.as_str(), subject),
        Some('d') => domain(pattern.as_str(), subject),
        Some('u') => url(pattern.as_str(), subject),
        _ => {}
    }
});

fn command(pattern: &str, subject: &str) {
    // A pattern with an operator is tried on whole lines, a program with directories by its name, too.
    let plain = !subject.contains(['/', '\\', '~']) && !subject.trim().is_empty();
    if plain && !pattern.contains(['|', '>', '<', '&', ';']) {
        let words = ["program", subject];
        let expect = naive::text(pattern, &words.join(" "));
        agree("command", pattern, &run(&words), [expect, expect]);
    }
}

fn path(pattern: &str, subject: &str) {
    let rooted = subject == "~" || subject.strip_prefix("~/").or(subject.strip_prefix('/')).is_some();
    let names = || subject.strip_prefix('/').unwrap_or(subject).split('/');
    let normal = subject == "/" || names().all(|name| !matches!(name, "" | "." | ".."));
    // A path that is a pattern itself meets more than it matches; `/proc/self/root` is the root.
    let plain = !subject.contains(['*', '?', '[', '\\']) && !subject.starts_with("/proc/");
    if rooted && normal && plain && !pattern.contains('\\') {
        let expect = [Reading::Broad, Reading::Exact].map(|reading| naive::path(pattern, subject, reading));
        agree("path", pattern, &read(subject), expect);
    }
}

fn domain(pattern: &str, subject: &str) {
    let Some(host) = naive::fold(subject) else { return };
    let expect = [Reading::Broad, Reading::Exact].map(|reading| naive::domain(pattern, &host, reading));
    agree("domain", pattern, &connect(subject), expect);
}

fn url(pattern: &str, subject: &str) {
    let Ok(url) = url::Url::parse(subject) else { return };
    if url.has_host() && matches!(url.scheme(), "http" | "https" | "ws" | "wss" | "ftp") {
        let expect = [Reading::Broad, Reading::Exact].map(|reading| naive::url(pattern, &url, reading));
        agree("url", pattern, &fetch(subject), expect);
    }
}

/// `expect` says whether the pattern matches when read broadly, and exactly, as an exception is.
fn agree(kind: &str, pattern: &str, action: &Action, expect: [bool; 2]) {
    let [broad, exact] = expect;
    if let Some(ruleset) = denying(&format!("{kind}_matches"), pattern) {
        assert_eq!(denies(&ruleset, action.clone()), broad, "{kind} `{pattern}` on {action:?}, read broadly");
    }
    if let Some(ruleset) = denying(&format!("{kind}_not_matches"), pattern) {
        assert_eq!(denies(&ruleset, action.clone()), !exact, "{kind} `{pattern}` on {action:?}, read exactly");
    }
}
