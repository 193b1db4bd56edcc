//! The audit trail.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use rampart_call::Outcome;
use rampart_gateway::audit::{
    Kind,
    read::{Edge, Filter, moment},
};

/// Which records are wanted. All that is given must hold.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which records")]
pub(crate) struct Wanted {
    /// What policy said: allow, watch, ask, webhook or deny
    #[arg(long, value_name = "DECISION", value_parser = outcome)]
    pub(crate) decision: Option<Outcome>,
    /// Of this tool: exec, read, write, edit, fetch, connect, mcp, or a tool's own name
    #[arg(long, value_name = "NAME")]
    pub(crate) tool: Option<String>,
    /// Of this agent
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// Of this session
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,
    /// Decided by a rule of this policy, or for this reason
    #[arg(long, value_name = "POLICY")]
    pub(crate) rule: Option<String>,
    /// That would reach this host; `*.x.io` for all below x.io
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// That concern this file, or files below this folder
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<String>,
    /// With this somewhere in their texts
    #[arg(long, value_name = "TEXT")]
    pub(crate) text: Option<String>,
    /// Of these types, such as decision,approval
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',', value_parser = kind)]
    pub(crate) kinds: Vec<Kind>,
    /// Not before: 12h or 7d ago, 2026-01-31, "2026-01-31 09:30", or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub(crate) since: Option<u64>,
    /// Not after, written alike; a day counts to its end
    #[arg(long, value_name = "TIME", value_parser = until)]
    pub(crate) until: Option<u64>,
}

impl Wanted {
    /// The same for the trail, where `~` is written out.
    pub(crate) fn filter(self, user_home: &Path) -> Filter {
        let Self { decision, tool, agent, session, rule, host, path, text, kinds, since, until } = self;
        let path = path.map(|path| match path.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{}{rest}", user_home.display()),
            _ => path,
        });
        Filter { kinds, decision, tool, agent, session, rule, host, path, text, since_ms: since, until_ms: until }
    }
}

pub(super) fn outcome(word: &str) -> Result<Outcome, &'static str> {
    serde_json::from_value(word.into()).map_err(|_| "write allow, watch, ask, webhook or deny")
}

fn kind(word: &str) -> Result<Kind, String> {
    let all = || Kind::ALL.map(Kind::as_str).join(", ");
    Kind::from_word(word).ok_or_else(|| format!("the types are {}", all()))
}

fn since(text: &str) -> Result<u64, &'static str> {
    time(text, Edge::Begin)
}

fn until(text: &str) -> Result<u64, &'static str> {
    time(text, Edge::End)
}

fn time(text: &str, edge: Edge) -> Result<u64, &'static str> {
    let wanted = "write 12h or 7d, 2026-01-31, \"2026-01-31 09:30\" or 2026-01-31T09:30:00Z";
    moment(text, edge, &jiff::Zoned::now()).ok_or(wanted)
}

#[derive(Debug, Args)]
pub(crate) struct Log {
    /// Only denials
    #[arg(long, conflicts_with = "decision")]
    pub(crate) deny: bool,
    /// How many
    #[arg(long, short = 'n', default_value_t = 20, value_name = "COUNT")]
    pub(crate) lines: usize,
    /// Print JSON Lines
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) wanted: Wanted,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditVerb {
    /// Show the newest records
    Tail(Tail),
    /// Find records
    Search(Search),
    /// Count decisions
    Stats(Stats),
    /// Write records for other programs
    Export(Export),
    /// Judge the recorded calls by changed policies and show what would be decided otherwise
    Replay(Replay),
    /// Check that nobody changed the trail
    Verify(Verify),
}

#[derive(Debug, Args)]
pub(crate) struct Tail {
    /// Go on as records are written
    #[arg(long, short = 'f')]
    pub(crate) follow: bool,
    /// How many to begin with
    #[arg(long, short = 'n', default_value_t = 20, value_name = "COUNT")]
    pub(crate) lines: usize,
    /// Print the records as they are
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) wanted: Wanted,
}

#[derive(Debug, Args)]
pub(crate) struct Search {
    /// Something that stands in the records
    #[arg(value_name = "TEXT", conflicts_with = "text")]
    pub(crate) subject: Option<String>,
    /// At most so many, the newest [default: all]
    #[arg(long, short = 'n', value_name = "COUNT")]
    pub(crate) lines: Option<usize>,
    /// Print the records as they are
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) wanted: Wanted,
}

#[derive(Debug, Args)]
pub(crate) struct Stats {
    /// How many tools, agents, sessions and rules to list
    #[arg(long, default_value_t = 10, value_name = "COUNT")]
    pub(crate) top: usize,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) wanted: Wanted,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// What the records become
    #[arg(long, value_name = "FORMAT", default_value = "jsonl")]
    pub(crate) format: ExportFormat,
    /// Write them into this new file instead of standard output
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Say how many there were as JSON; needs --output
    #[arg(long, requires = "output")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) wanted: Wanted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// One record a line, as it stands in the trail
    Jsonl,
    /// One JSON array
    Json,
    /// A table (RFC 4180)
    Csv,
    /// The Common Event Format
    Cef,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Judge by this file instead of the policies in force (may be repeated)
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Vec<PathBuf>,
    /// How many differences to show; all count
    #[arg(long, short = 'n', default_value_t = 50, value_name = "COUNT")]
    pub(crate) lines: usize,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) wanted: Wanted,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Folder of the trail [default: that of this home]
    pub(crate) dir: Option<PathBuf>,
    /// What a witness kept: checkpoints, or the lines of a syslog collector. Finds a trail cut short or written anew
    #[arg(long, value_name = "FILE")]
    pub(crate) witness: Vec<PathBuf>,
    /// The hash that the last record must have
    #[arg(long, value_name = "HASH")]
    pub(crate) expect_head: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
