//! `rampart report`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// One page that can be read, printed and sent anywhere: nothing is loaded, nothing runs
    #[arg(long, conflicts_with = "json")]
    pub(crate) html: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// About this time, such as 24h, 7d or 90d
    #[arg(long, value_name = "TIME", default_value = "7d")]
    pub(crate) last: String,
    /// Write it into this new file instead of standard output
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}
