//! Agents that are started under Rampart.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, ValueEnum};

use super::{Mode, WhenDone};

/// What becomes of the refusals in one session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SessionMode {
    /// Decide, record and refuse
    #[default]
    Enforce,
    /// Decide and record, refuse nothing; where an agent's process says this it is enforced all the same
    Monitor,
}

/// `rampart wrap`.
#[derive(Debug, Args)]
pub(crate) struct Wrap {
    /// Name of the agent in rules and the audit trail [default: the program's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// What to do with refusals in this session
    #[arg(long, value_enum, value_name = "MODE", default_value_t)]
    pub(crate) mode: SessionMode,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// `rampart run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Name of the agent in rules and the audit trail [default: the program's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// Also judge files that are opened, removed, renamed, linked or cut
    #[arg(long)]
    pub(crate) files: bool,
    /// Also judge connections where they are made
    #[arg(long)]
    pub(crate) net: bool,
    /// What to do with refusals in this session
    #[arg(long, value_enum, value_name = "MODE", default_value_t)]
    pub(crate) mode: SessionMode,
    /// A further file or folder that the agent may change; may be given several times
    #[arg(long, value_name = "PATH")]
    pub(crate) allow_write: Vec<PathBuf>,
    /// A socket of another program that the agent may connect to, such as an SSH agent's; may be given several times
    #[arg(long, value_name = "PATH")]
    pub(crate) allow_socket: Vec<PathBuf>,
    /// A port of this machine's loopback that the agent reaches at the same port; may be given several times
    #[arg(long, value_name = "PORT")]
    pub(crate) allow_host_port: Vec<u16>,
    /// Have the agent change a copy of the project; at its end show what changed, and ask whether to accept or discard that
    #[arg(long, value_enum, value_name = "WHEN-DONE", num_args = 0..=1, require_equals = true, default_missing_value = "ask")]
    pub(crate) overlay: Option<WhenDone>,
    /// Do without the jail: a program that wants to can then get around everything else
    #[arg(long, conflicts_with_all = ["allow_write", "allow_socket", "allow_host_port", "overlay"])]
    pub(crate) no_jail: bool,
    /// Do not say what holds
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// `rampart preload`.
#[derive(Debug, Args)]
pub(crate) struct Preload {
    /// Name of the agent in rules and the audit trail [default: the program's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// What to do with refusals: carry them out, only record them, or do without the library
    #[arg(long, value_name = "MODE", default_value = "enforce")]
    pub(crate) mode: Mode,
    /// Also ask before files are opened, deleted, renamed or cut
    #[arg(long)]
    pub(crate) files: bool,
    /// Also ask before a connection is made
    #[arg(long)]
    pub(crate) net: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}
