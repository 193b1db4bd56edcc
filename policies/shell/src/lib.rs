//! A command line in, the effects it would have out.
//! Not a judge: it neither knows policy nor runs, opens or asks anything.

#![expect(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "what ends here are names of calls, settings and paths already in lower case"
)]
#![expect(
    clippy::single_match_else,
    clippy::needless_for_each,
    reason = "both forms are read more easily where they stand"
)]

mod analysis;
mod code;
mod decode;
mod glob;
pub mod graphql;
mod host;
mod knowledge;
mod notes;
mod place;
mod programs;
pub mod service;
mod syntax;
mod value;
pub mod verbs;
mod walk;

/// Reads all that is known of programs, calls and places now, and not at the first question.
///
/// # Panics
/// Where one of the data files that are part of the program is broken: nothing should start that judges without it.
pub fn ready() {
    knowledge::ready();
    code::ready();
    place::ready();
    host::ready();
    service::ready();
}

/// Whether a program runs what its operands name or hold (`python3`, `bash`, `npx`), so that what one use of it did says
/// nothing about another. `name` is written without directories; a program that is not known runs nothing.
pub fn runs_its_words(name: &str) -> bool {
    knowledge::program(name).is_some_and(knowledge::Program::runs_its_words)
}

/// What base64 says, in either alphabet, where it is a text.
#[must_use]
pub fn decoded(text: &str) -> Option<String> {
    decode::base64(text)
}

/// Reads one of the data files that are part of the program. A broken one is no answer to any question: nothing is judged
/// without it.
#[expect(clippy::panic, reason = "the text is part of the program, and the tests read all of it")]
fn embedded<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> T {
    toml::from_str(text).unwrap_or_else(|e| panic!("the data file `{file}` of this program cannot be read: {e}"))
}

pub use analysis::{Analysis, Component, Pipeline, Surroundings, analyze, request};
pub use notes::NOTES;
pub use place::locate;
