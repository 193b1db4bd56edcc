//! `rampart watch`: decisions as they are made and the questions that wait, on a terminal.
//!
//! Not here: any decision, and anything that the API does not offer to every other face. What is shown was written by
//! agents and servers, so no text reaches the terminal but through `text`.

mod details;
mod draw;
mod filter;
mod keys;
mod list;
mod look;
mod questions;
mod row;
mod shell;
mod state;
mod tally;
#[cfg(test)]
mod tests;
mod text;

pub use filter::Filter;
use rampart_client::Settings;
pub use shell::run;

/// How to watch.
#[derive(Debug)]
pub struct Options {
    /// How the gateway is asked.
    pub settings: Settings,
    /// Which decisions are shown at first.
    pub filter: Filter,
    /// Meanings have colours too; without, words and bold type carry them alone.
    pub color: bool,
}
