//! A command line in, the effects it would have out.
//! Not a judge: it neither knows policy nor runs, opens or asks anything.

mod analysis;
mod code;
mod glob;
mod host;
mod knowledge;
mod notes;
mod place;
mod programs;
mod syntax;
mod value;
mod walk;

pub use analysis::{Analysis, Component, Pipeline, Surroundings, analyze};
pub use notes::NOTES;
pub use place::locate;
