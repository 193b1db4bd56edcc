//! Copies of projects that agents changed.

use clap::{Args, Subcommand, ValueEnum};

/// What becomes of the changes when the agent ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WhenDone {
    /// Show them, and ask at the terminal; without one they are kept
    Ask,
    /// Make them the project's; where others changed the same meanwhile, keep them
    Accept,
    /// Throw them away
    Discard,
    /// Keep them for `rampart overlay`
    Keep,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OverlayVerb {
    /// The copies that are kept
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// What one changes, all of it
    Show(OneOverlay),
    /// Make the changes of one the project's
    Accept(AcceptOverlay),
    /// Throw one away
    Discard(OneOverlay),
}

#[derive(Debug, Args)]
pub(crate) struct OneOverlay {
    /// Its name, or how that begins
    pub(crate) copy: String,
}

#[derive(Debug, Args)]
pub(crate) struct AcceptOverlay {
    /// Its name, or how that begins
    pub(crate) copy: String,
    /// Also where others changed the same meanwhile
    #[arg(long)]
    pub(crate) force: bool,
}
