//! A command line in, the effects it would have out.
//! Not a judge: it neither knows policy nor runs, opens or asks anything.

mod analysis;
mod notes;

pub use analysis::{Analysis, Component, Pipeline, Surroundings, analyze, locate};
pub use notes::NOTES;
