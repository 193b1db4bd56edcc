//! What the fuzz targets of the policy engine share: one-rule policies, calls, and a naive reading of patterns.
//! Not a second engine: it knows one condition at a time.

pub mod naive;

use std::collections::BTreeSet;

use rampart_call::{Action, Call, CommandLine, Located, Origin, Outcome, Phase};
use rampart_policy::{Context, Diagnostic, History, Layer, Loaded, Ruleset, SourceFile, load};

/// Loads one file of the user's own.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_text(text: &str) -> Result<Loaded, Vec<Diagnostic>> {
    load(&[SourceFile { name: "custom.yaml".to_owned(), text: text.to_owned(), layer: Layer::User }])
}

/// A policy that allows everything but what `condition: [pattern]` holds for; none where the pattern is refused.
pub fn denying(condition: &str, pattern: &str) -> Option<Ruleset> {
    let text = format!(
        "default_action: allow\npolicies:\n- name: fuzzed\n  rules:\n  - action: deny\n    when:\n      {condition}: [{}]\n",
        quoted(pattern)
    );
    load_text(&text).ok().map(|loaded| loaded.ruleset)
}

/// The text in YAML's double quotes, all but plain characters escaped.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        ' '..='~' => c.to_string(),
        other => format!("\\U{:08x}", u32::from(other)),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// Whether the ruleset refuses the action, asked for by an agent of which nothing else is known.
pub fn denies(ruleset: &Ruleset, action: Action) -> bool {
    judge(ruleset, action) == Outcome::Deny
}

/// Judges an action, asked for by an agent of which nothing else is known.
pub fn judge(ruleset: &Ruleset, action: Action) -> Outcome {
    let call = Call { origin: Origin::default(), phase: Phase::Before, action, response: None };
    let (labels, history) = (BTreeSet::new(), History::default());
    let context = Context { now_ms: 0, headless: false, labels: &labels, confined: false, called: &[], history: &history, counted: false, rampart_home: None };
    ruleset.judge(&call, &context).outcome
}

/// One program, run without a shell.
pub fn run(words: &[&str]) -> Action {
    let words = words.iter().map(|w| (*w).to_owned()).collect();
    Action::Exec { command: CommandLine::Argv(words), cwd: None }
}

/// One file, read.
pub fn read(path: &str) -> Action {
    Action::Read { paths: vec![Located::written(path)] }
}

/// One request.
pub fn fetch(url: &str) -> Action {
    Action::Fetch {
        method: "GET".to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: None,
        body_size: None,
        addresses: Vec::new(),
    }
}

/// One connection.
pub fn connect(host: &str) -> Action {
    Action::Connect { host: host.to_owned(), port: 443, addresses: Vec::new() }
}
