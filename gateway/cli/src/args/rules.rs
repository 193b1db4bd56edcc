//! What can be typed about rules: adding, listing, taking over from elsewhere, measuring.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Json;

#[derive(Debug, Args)]
pub(crate) struct Allow {
    #[command(flatten)]
    pub(crate) rule: NewRule,
}

#[derive(Debug, Args)]
pub(crate) struct Block {
    #[command(flatten)]
    pub(crate) rule: NewRule,
    /// Ask a human instead of refusing
    #[arg(long)]
    pub(crate) ask: bool,
}

#[derive(Debug, Args)]
pub(crate) struct NewRule {
    /// The command, path, host, URL or `server/tool` it is about; `*` stands for any text
    pub(crate) pattern: String,
    /// What kind of call: exec, read, write, edit, fetch, connect, mcp or a host's own tool [default: exec]
    #[arg(long, value_name = "TOOL")]
    pub(crate) tool: Option<String>,
    /// Only where this parameter of an MCP or host tool matches; more with the same name are choices
    #[arg(long = "param", value_name = "NAME=PATTERN")]
    pub(crate) params: Vec<String>,
    /// How long it holds, such as 30m, 1h or 7d
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) lasting: Option<String>,
    /// It holds for one call
    #[arg(long)]
    pub(crate) once: bool,
    /// Write it into `.rampart/policy.yaml` of this project, which holds for everybody and may only restrict
    #[arg(long)]
    pub(crate) project: bool,
    /// What to tell the agent and people
    #[arg(long, value_name = "TEXT")]
    pub(crate) message: Option<String>,
    /// Go on without a terminal
    #[arg(long, short)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Rules {
    #[command(subcommand)]
    pub(crate) verb: Option<RulesVerb>,
    #[command(flatten)]
    pub(crate) list: Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesVerb {
    /// List what `allow` and `block` added
    List(Json),
    /// Take one back
    Remove {
        /// Its number in the list
        number: usize,
        /// Go on without a terminal
        #[arg(long, short)]
        yes: bool,
    },
    /// Take all back; a copy of the file is kept
    Reset {
        /// Go on without a terminal
        #[arg(long, short)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Files of labelled actions, one JSON object a line
    #[arg(required = true, value_name = "CORPUS")]
    pub(crate) corpora: Vec<PathBuf>,
    /// Fail when less than this share of what must be stopped is stopped
    #[arg(long, value_name = "PERCENT")]
    pub(crate) min: Option<f64>,
    /// Fail when more than this share of what must pass is disturbed
    #[arg(long, value_name = "PERCENT")]
    pub(crate) max_disturbed: Option<f64>,
    /// Judge by this file instead of the policies in force (may be repeated)
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Vec<PathBuf>,
    /// The home directory the actions were written for
    #[arg(long, value_name = "DIR", default_value = "/home/dev")]
    pub(crate) home: String,
    /// The project the actions were written for
    #[arg(long, value_name = "DIR", default_value = "/home/dev/project")]
    pub(crate) workspace: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// Settings of Claude Code, such as `.claude/settings.json`
    pub(crate) file: PathBuf,
}

/// Which registry, and whose signature counts.
#[derive(Debug, Args)]
pub(crate) struct Trusted {
    /// Address of a registry's list [default: `registry.url` in config.yaml]
    #[arg(long, value_name = "URL")]
    pub(crate) registry: Option<String>,
    /// Public key that must have signed the list [default: `registry.key` in config.yaml]
    #[arg(long, value_name = "ed25519:HEX")]
    pub(crate) key: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) from: Trusted,
    /// Show a list that is older than one seen before
    #[arg(long)]
    pub(crate) force: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Fetch {
    /// The policy, as `rampart policy list` names it
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) from: Trusted,
    /// Replace a file that was edited, and go by a list that is older than one seen before
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// The folder with the policies, each a `NAME.yaml`
    pub(crate) folder: PathBuf,
    /// The file with the private key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Make that file, with a new key
    #[arg(long)]
    pub(crate) new_key: bool,
}
