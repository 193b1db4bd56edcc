//! Tests of the whole: files in, judgements out.

mod arguments;
mod closed;
mod conduct;
mod corpus;
mod effects;
mod explaining;
mod grants;
mod laws;
mod loading;
mod precedence;
mod reference;
mod responses;
mod schema;
mod seed;
mod shipped;
mod traffic;

use std::collections::BTreeSet;

use rampart_call::{Action, Call, Judgement, Origin, Phase};
use serde_json::json;

use crate::{Context, History, Layer, Ruleset, SourceFile, load};

/// A file in memory.
pub(crate) fn file(name: &str, layer: Layer, text: &str) -> SourceFile {
    SourceFile { name: name.to_owned(), text: text.to_owned(), layer }
}

/// The user's rules `rules`, indented by two, under `default_action`.
pub(crate) fn user(default: &str, policies: &str) -> SourceFile {
    file("user.yaml", Layer::User, &format!("version: \"1\"\ndefault_action: {default}\npolicies:\n{policies}"))
}

#[track_caller]
pub(crate) fn ruleset(files: &[SourceFile]) -> Ruleset {
    match load(files) {
        Ok(loaded) => loaded.ruleset,
        Err(errors) => panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

pub(crate) fn call(tool: &str, subject: &str) -> Call {
    let params = match tool {
        "exec" => json!({ "command": subject }),
        "fetch" => json!({ "url": subject }),
        "connect" => {
            let (host, port) = subject.rsplit_once(':').unwrap();
            json!({ "host": host, "port": port.parse::<u16>().unwrap() })
        }
        _ => json!({ "path": subject }),
    };
    let origin = Origin { workspace: Some("/home/u/proj".into()), home: Some("/home/u".into()), ..Origin::default() };
    Call { origin, phase: Phase::Before, action: Action::from_tool(tool, &params).unwrap(), response: None }
}

pub(crate) fn judge(ruleset: &Ruleset, call: &Call) -> Judgement {
    judge_at(ruleset, call, 0, &History::default(), false)
}

/// A context in which nothing went before.
pub(crate) fn in_context<T>(confined: bool, then: impl FnOnce(&Context<'_>) -> T) -> T {
    let (labels, history) = (BTreeSet::new(), History::default());
    then(&Context {
        now_ms: 0,
        headless: false,
        labels: &labels,
        confined,
        called: &[],
        history: &history,
        counted: false,
        rampart_home: None,
    })
}

pub(crate) fn judge_at(ruleset: &Ruleset, call: &Call, now_ms: i64, history: &History, headless: bool) -> Judgement {
    let labels = BTreeSet::from(["secret-read".to_owned()]);
    ruleset.judge(
        call,
        &Context {
            now_ms,
            headless,
            labels: &labels,
            confined: false,
            called: &[],
            history,
            counted: false,
            rampart_home: None,
        },
    )
}

/// Judges a call and returns the outcome's word.
#[track_caller]
pub(crate) fn outcome(ruleset: &Ruleset, tool: &str, subject: &str) -> &'static str {
    judge(ruleset, &call(tool, subject)).outcome.as_str()
}
