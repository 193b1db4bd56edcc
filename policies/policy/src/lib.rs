//! Policy files in, a `Ruleset` out; a `Ruleset` and a call in, a judgement out.
//! Not a gateway: it reads no file, clock or environment, asks nobody and remembers nothing but what it is handed.

mod closed;
mod condition;
mod context;
mod diagnostic;
mod explain;
mod facts;
mod history;
mod index;
mod joint;
mod judge;
mod lint;
mod notify;
mod overrides;
pub mod packs;
mod pattern;
mod read;
mod rule;
mod ruleset;
mod sets;
mod source;
mod spelling;
mod suggest;
mod testing;
mod tool;
mod yaml;

pub use context::Context;
pub use diagnostic::{Diagnostic, Severity};
pub use explain::{ExplainedComponent, ExplainedRule, Explanation, NearMiss, explain};
pub use facts::Known;
pub use history::{History, LONGEST_WINDOW_MS, Per};
pub use lint::lint;
pub use notify::Notify;
pub use overrides::{Override, OverrideAction};
/// The command analysis knows it; a rule that is drafted from what was seen asks for it.
pub use rampart_shell::runs_its_words;
pub use read::parse_duration;
pub use rule::{AskOptions, Rule, Webhook};
pub use ruleset::{Layer, Loaded, Policy, Ruleset, SourceFile, load};
pub use testing::{TestOutcome, run_tests};

/// What a policy file may hold, as JSON Schema 2020-12, for editors. [`lint()`] knows more.
pub const SCHEMA: &str = include_str!("../policy.schema.json");

#[cfg(test)]
mod tests;
