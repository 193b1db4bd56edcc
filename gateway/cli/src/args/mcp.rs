//! What can be typed about MCP servers: standing in front of them, and looking at what they offer.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf};

use clap::{Args, Subcommand};

use super::SessionMode;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, arg_required_else_help = true)]
pub(crate) struct Mcp {
    #[command(subcommand)]
    pub(crate) verb: Option<McpVerb>,
    /// Name of the server in rules and the audit trail [default: from the command]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Name of the agent in rules and the audit trail
    #[arg(long, value_name = "NAME", default_value = "mcp-client")]
    pub(crate) agent_id: String,
    /// Session in rules and the audit trail [default: a new one]
    #[arg(long, value_name = "ID")]
    pub(crate) session_id: Option<String>,
    /// What to do with refusals in this session
    #[arg(long, value_enum, value_name = "MODE", default_value_t)]
    pub(crate) mode: SessionMode,
    /// Hand this variable to the server (NAME or NAME=VALUE; may be repeated)
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// Let the server's own traffic go past the egress proxy
    #[arg(long)]
    pub(crate) no_proxy: bool,
    /// What of the server's tools, prompts and instructions may be seen and called
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = Pinning::FirstUse)]
    pub(crate) pins: Pinning,
    /// Whether arguments and results must be what the schemas of the server's tools say
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = Shapes::Off)]
    pub(crate) schemas: Shapes,
    /// Leave tools out of the list that policy refuses whatever they are called with
    #[arg(long)]
    pub(crate) filter_tools: bool,
    /// Seconds that the server may be silent about a request before that gets an error [default: no limit]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: Option<u64>,
    /// The MCP server's command; put `--` in front of it
    // Some clients take the `--` for themselves, so it is no condition.
    #[arg(trailing_var_arg = true, required = true, value_name = "SERVER")]
    pub(crate) server: Vec<OsString>,
}

/// What of a server's offer passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Pinning {
    /// What it offers the first time, and what was approved since
    FirstUse,
    /// What was approved, and nothing else
    Approved,
    /// Everything
    Off,
}

/// What calls and results are held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Shapes {
    /// They may be anything
    Off,
    /// They must be what the schemas say
    Check,
    /// The same, and no argument that the schema does not name
    Closed,
}

#[derive(Debug, Subcommand)]
pub(crate) enum McpVerb {
    /// Say what a server offers and risks, and write a least-privilege policy for it
    Scan(Scan),
    /// Serve MCP over HTTP (Streamable HTTP), in front of a server that has a URL or is started by a command
    Serve(Box<McpServe>),
    /// Review what servers offer otherwise than approved
    Pins {
        #[command(subcommand)]
        verb: PinsVerb,
    },
    /// Wrap the servers in the configurations of MCP clients
    Install(McpInstall),
}

#[derive(Debug, Args)]
pub(crate) struct McpInstall {
    /// claude-code, claude-desktop, cursor, vscode, codex, gemini or cline [default: all that are here]
    pub(crate) client: Option<String>,
    /// Take it out again
    #[arg(long)]
    pub(crate) remove: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PinsVerb {
    /// The servers that have pins, and what waits for approval
    List(PinsList),
    /// What waits for approval, beside what was approved
    Diff(PinsDiff),
    /// Approve what waits, as `diff` shows it
    Approve(PinsApprove),
    /// Forget what was approved of a server; its next use is the first
    Reset(PinsReset),
}

#[derive(Debug, Args)]
pub(crate) struct PinsList {
    /// Print one JSON array
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PinsDiff {
    /// The server, as rules know it [default: all]
    pub(crate) server: Option<String>,
    /// Print one JSON array
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PinsApprove {
    /// The server, as rules know it
    pub(crate) server: String,
    /// Only this, such as `tools/read_file` (may be repeated)
    #[arg(long, value_name = "SECTION/NAME")]
    pub(crate) only: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PinsReset {
    /// The server, as rules know it
    pub(crate) server: String,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct McpServe {
    /// The server's endpoint; the same path is served here [default: the servers that config.yaml names]
    #[arg(long, value_name = "URL", conflicts_with = "server")]
    pub(crate) upstream: Option<http::Uri>,
    /// Where clients reach it [default: `mcp.listen` of config.yaml, 127.0.0.1:9092]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Answer to this name as well, as the Host header has it (may be repeated)
    #[arg(long, value_name = "HOST")]
    pub(crate) allow_host: Vec<String>,
    /// What clients have before the paths, such as `https://mcp.example`, if that is another address than --listen
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<http::Uri>,
    /// PEM file with the certificates to serve TLS with; needed where others than this machine can come
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// PEM file with the private key for them
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// File with tokens of which clients must show one, each on a line; needed where others than this machine can come
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Name of the server in rules and the audit trail [default: the host of the URL, or from the command]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Name of the agent in rules and the audit trail
    #[arg(long, value_name = "NAME", default_value = "mcp-client")]
    pub(crate) agent_id: String,
    /// Session in rules and the audit trail [default: a new one]
    #[arg(long, value_name = "ID")]
    pub(crate) session_id: Option<String>,
    /// What to do with refusals in this session
    #[arg(long, value_enum, value_name = "MODE", default_value_t)]
    pub(crate) mode: SessionMode,
    /// What of the server's tools, prompts and instructions may be seen and called
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = Pinning::FirstUse)]
    pub(crate) pins: Pinning,
    /// Whether arguments and results must be what the schemas of the server's tools say
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = Shapes::Off)]
    pub(crate) schemas: Shapes,
    /// Leave tools out of the list that policy refuses whatever they are called with
    #[arg(long)]
    pub(crate) filter_tools: bool,
    /// Hand this variable to a server that is started (NAME or NAME=VALUE; may be repeated)
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// Let the own traffic of servers that are started go past the egress proxy
    #[arg(long)]
    pub(crate) no_proxy: bool,
    /// The most sessions with a server that is started, each of which has a process of its own
    #[arg(long, value_name = "NUMBER", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) sessions: u16,
    /// Seconds after which a session that nobody uses is ended, and its process
    #[arg(long, value_name = "SECONDS", default_value_t = 1800, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) idle_timeout: u64,
    /// Seconds that a server that is started may be silent about a request before that gets an error [default: no limit]
    #[arg(long, value_name = "SECONDS", conflicts_with = "upstream", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: Option<u64>,
    /// The command of a server that speaks on standard input and output; put `--` in front of it
    #[arg(trailing_var_arg = true, value_name = "SERVER")]
    pub(crate) server: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// Name of the server in rules, as `rampart mcp --name` takes it [default: from the command]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Write the policy to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Replace the file of --output when it exists
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
    /// File that remembers what the server offered, for --check
    #[arg(long, value_name = "FILE", default_value = "rampart.lock")]
    pub(crate) lock: PathBuf,
    /// Change nothing, and exit with 1 when the server offers something else than the lock says, or a risk is an error
    #[arg(long)]
    pub(crate) check: bool,
    /// Print everything as one JSON object
    #[arg(long, conflicts_with = "sarif")]
    pub(crate) json: bool,
    /// Print the risks as SARIF 2.1.0
    #[arg(long)]
    pub(crate) sarif: bool,
    /// Seconds that an answer of the server may take [default: 120 for the first, then 30]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: Option<u64>,
    /// Hand this variable to the server (NAME or NAME=VALUE; may be repeated)
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// The MCP server's command; put `--` in front of it
    #[arg(trailing_var_arg = true, required = true, value_name = "SERVER")]
    pub(crate) server: Vec<OsString>,
}
