//! What can be typed. Definitions only; each verb's work is in `commands/`.

mod audit;
mod egress;
mod groups;
mod launch;
mod mcp;
mod overlay;
mod report;
mod rules;
mod sidecar;
mod token;
mod watch;

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use audit::{AuditVerb, Export, ExportFormat, Log, Replay, Search, Stats, Tail, Verify};
pub(crate) use egress::{Check, EgressVerb, Har, Probe};
pub(crate) use groups::command;
pub(crate) use launch::{Preload, Run, SessionMode, Wrap};
pub(crate) use mcp::{
    Mcp, McpInstall, McpServe, McpVerb, Pinning, PinsApprove, PinsDiff, PinsList, PinsReset, PinsVerb, Scan, Shapes,
};
pub(crate) use overlay::{OverlayVerb, WhenDone};
pub(crate) use report::Report;
pub(crate) use rules::{Allow, Bench, Block, Convert, Fetch, List, NewRule, Publish, Rules, RulesVerb, Trusted};
pub(crate) use sidecar::{SidecarInit, SidecarVerb, Validate};
pub(crate) use token::{NewToken, TokenVerb};
pub(crate) use watch::Watch;

/// A firewall for AI agents: every command, file access, tool call and request is judged by your policy before it
/// happens, and recorded.
#[derive(Debug, Parser)]
#[command(name = "rampart", version, max_term_width = 100, disable_help_subcommand = false)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,

    /// When to colour the output
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Set up policy, agents and gateway, and see how each road holds
    Quickstart(Quickstart),
    /// Make an agent ask before each tool, or take that back
    Setup(Setup),
    /// Run an agent with its shells and requests under the policy
    Wrap(Wrap),
    /// Run an agent with everything around it, and say what holds
    Run(Run),
    /// Run a command with a library before libc that asks (Linux)
    Preload(Preload),
    /// Accept or discard what agents changed in copies of projects
    Overlay {
        #[command(subcommand)]
        verb: OverlayVerb,
    },
    /// Stand between an MCP client and an MCP server
    Mcp(Mcp),
    /// Run the gateway: decisions, approvals, trail, API, egress proxy
    Serve(Serve),
    /// Print what sends a shell's traffic through the egress proxy
    Env(Env),
    /// Answer an agent's hook, whose JSON comes on standard input
    Hook(Hook),

    /// Create the global policy, or a project's
    Init(Init),
    /// Say what the policy decides about a call, without making it
    Test(Test),
    /// Check, explain and list policies
    Policy {
        #[command(subcommand)]
        verb: PolicyVerb,
    },

    /// Allow what a pattern says, from now on
    Allow(Allow),
    /// Refuse what a pattern says, from now on
    Block(Block),
    /// List what `allow` and `block` added, and take it back
    Rules(Rules),
    /// Measure a policy on labelled actions
    Bench(Bench),
    /// Turn the permissions of another tool into a policy
    Convert(Convert),

    /// Say what is running and what is in force
    Status(Json),
    /// What waits for a human
    Pending(Json),
    /// Let a waiting call through
    Approve(Approve),
    /// Refuse a waiting call
    Deny(Deny),
    /// Watch decisions as they are made, and answer what waits
    Watch(Watch),
    /// Recent decisions
    Log(Log),
    /// What agents did, what was stopped and why, who answered what
    Report(Report),
    /// Read and verify the audit trail
    Audit {
        #[command(subcommand)]
        verb: AuditVerb,
    },
    /// Judge recorded calls by changed policies and show the difference
    Replay(Replay),
    /// Make, list and end the tokens of the API
    Token {
        #[command(subcommand)]
        verb: TokenVerb,
    },
    /// The certificate authority of the egress proxy
    Ca {
        #[command(subcommand)]
        verb: CaVerb,
    },
    /// The HTTP road: what it would decide, and what gets past it
    Egress {
        #[command(subcommand)]
        verb: EgressVerb,
    },
    /// Containers whose only way out is Rampart: close all others
    Sidecar {
        #[command(subcommand)]
        verb: SidecarVerb,
    },
    /// What is configured, and where each value comes from
    Config {
        #[command(subcommand)]
        verb: ConfigVerb,
    },
    /// Log a browser in to the dashboard, by a link that does so once
    Dashboard(Dashboard),
    /// Replace this program by a newer release, and its profiles
    Upgrade(Upgrade),
    /// Print completions for a shell: bash, zsh, fish, elvish, powershell
    Completions { shell: clap_complete::Shell },
    /// Print a manual page, or write all of them into a folder
    Man {
        /// The verb, such as watch or "audit tail" [default: the program itself]
        #[arg(conflicts_with = "output")]
        verb: Vec<String>,
        /// Write all pages into this folder
        #[arg(long, short = 'o', value_name = "FOLDER")]
        output: Option<PathBuf>,
    },
    /// Try each road, and say what holds and what to do
    Doctor(Doctor),
}

#[derive(Debug, Args)]
pub(crate) struct Json {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Dashboard {
    /// Open the link in a browser, also where nobody is at a terminal
    #[arg(long, conflicts_with_all = ["no_open", "json"])]
    pub(crate) open: bool,
    /// Only print it
    #[arg(long)]
    pub(crate) no_open: bool,
    /// Print JSON, and open nothing
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Mend what can be mended without a decision: modes and missing folders of Rampart's home, agents that were set up
    #[arg(long)]
    pub(crate) fix: bool,
    /// Walk each road from where this process stands, in a jail or a container too, and look at nothing else; 1 where one is not
    /// enforced
    #[arg(long, conflicts_with = "fix")]
    pub(crate) probe: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Upgrade {
    /// Refresh the profiles only
    #[arg(long)]
    pub(crate) no_binary: bool,
    /// Take an older release too, or the same again
    #[arg(long, conflicts_with = "no_binary")]
    pub(crate) force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Decide, record and refuse
    Enforce,
    /// Decide and record, refuse nothing
    Monitor,
    /// Do nothing
    Disabled,
}

/// `rampart setup`.
#[derive(Debug, Args)]
pub(crate) struct Setup {
    /// The agent, such as claude-code or codex
    pub(crate) agent: Option<String>,
    /// Take it back: the files become what they were; without an agent, for every one that asks Rampart
    #[arg(long, conflicts_with = "force")]
    pub(crate) remove: bool,
    /// Also in place of hooks of somebody else's, where an agent has room for one only
    #[arg(long)]
    pub(crate) force: bool,
    /// Only show what would be changed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// In the settings of this project, which everybody who works on it gets, instead of your own
    #[arg(long)]
    pub(crate) project: bool,
    /// Put `rampart mcp` in front of the agent's MCP servers too
    #[arg(long)]
    pub(crate) mcp: bool,
    /// For openclaw: accepted, and what a plugin does today without any patch is told
    #[arg(long)]
    pub(crate) patch_tools: bool,
}

/// `rampart quickstart`.
#[derive(Debug, Args)]
pub(crate) struct Quickstart {
    /// Install the gateway as a service that starts at boot, instead of starting it now in the background
    #[arg(long)]
    pub(crate) service: bool,
    /// Only show what would be changed
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Serve {
    #[command(subcommand)]
    pub(crate) verb: Option<ServeVerb>,
    /// Port of the HTTP API on 127.0.0.1 [default: 9090]
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// Address of the HTTP API
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "port")]
    pub(crate) addr: Option<SocketAddr>,
    /// Address of the egress proxy [default: 127.0.0.1:9091]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) egress: Option<SocketAddr>,
    /// What to do with decisions [default: enforce]
    #[arg(long, value_name = "MODE")]
    pub(crate) mode: Option<Mode>,
    /// How long a question waits for an answer, such as 90s or 5m [default: 2m]
    #[arg(long, value_name = "TIME")]
    pub(crate) approval_timeout: Option<String>,
    /// Nobody is there who could answer questions: refuse what would be asked
    #[arg(long)]
    pub(crate) headless: bool,
    /// Send the audit trail to a syslog collector: HOST:PORT (UDP), tcp://HOST:PORT or tls://HOST:PORT
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) syslog: Option<String>,
    /// Send it in the Common Event Format
    #[arg(long)]
    pub(crate) cef: bool,
    /// Also listen on this socket, in a folder that only we can write to, for every user of the machine
    #[arg(long, value_name = "PATH")]
    pub(crate) shared: Option<PathBuf>,
    /// Take what `rampart sidecar init` sends here: TCP at port 15001, questions for names at 15053
    #[arg(long)]
    pub(crate) sidecar: bool,
    /// Start in the background and return when it answers
    #[arg(long, conflicts_with = "shared")]
    pub(crate) background: bool,
    /// Started by a road that found no gateway: go on without a listener whose port is taken
    #[arg(long, hide = true)]
    pub(crate) on_demand: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServeVerb {
    /// Stop the gateway of this home
    Stop,
    /// Install as a service that starts at boot
    Install(Service),
    /// Remove that service
    Uninstall(Service),
}

#[derive(Debug, Args)]
pub(crate) struct Service {
    /// For the whole machine, under a user of its own, with /var/lib/rampart as its home
    #[arg(long)]
    pub(crate) system: bool,
    /// Print what would be written and run, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Only write or remove the files; tell the service manager nothing
    #[arg(long)]
    pub(crate) no_start: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Env {
    /// Syntax of the output
    #[arg(long, default_value = "sh")]
    pub(crate) shell: EnvShell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EnvShell {
    Sh,
    Fish,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Hook {
    /// The agent whose hook this is
    #[arg(long, value_name = "AGENT")]
    pub(crate) format: String,
    /// How long the agent's settings let this hook take, where that is not the agent's default
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The profile to start from: standard, paranoid, ci or yolo
    #[arg(long, value_name = "PROFILE", default_value = "standard")]
    pub(crate) profile: String,
    /// Create `.rampart/policy.yaml` for the project in this directory
    #[arg(long, conflicts_with = "profile")]
    pub(crate) project: bool,
    /// Write a policy that allows what the audit trail saw, and denies the rest
    #[arg(long, conflicts_with_all = ["profile", "project"])]
    pub(crate) from_audit: bool,
    /// Only what was seen in this time, such as 12h or 7d
    #[arg(long, value_name = "TIME", requires = "from_audit")]
    pub(crate) last: Option<String>,
    /// Write it into this file instead of standard output
    #[arg(long, value_name = "FILE", requires = "from_audit")]
    pub(crate) output: Option<PathBuf>,
    /// Replace a file that was edited or exists
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The command, path, URL or tool name; what it is follows from --tool
    pub(crate) subject: Option<String>,
    /// What kind of call
    #[arg(long, default_value = "exec", value_name = "TOOL")]
    pub(crate) tool: String,
    /// The parameters as JSON, instead of SUBJECT
    #[arg(long, value_name = "JSON", conflicts_with = "subject")]
    pub(crate) params: Option<String>,
    /// Judge by this file instead of the policies in force (may be repeated)
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Vec<PathBuf>,
    /// Judge as this agent
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) agent: String,
    /// Run the tests that stand in policy files: those in force, or the files and folders named here
    #[arg(long, value_name = "PATH", num_args = 0.., conflicts_with_all = ["subject", "params"])]
    pub(crate) run: Option<Vec<PathBuf>>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyVerb {
    /// Check policy files for errors and rules that cannot work
    #[command(visible_alias = "check")]
    Lint {
        /// The files [default: the policies in force]
        files: Vec<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show how a call is decided, step by step
    Explain(Test),
    /// Print the JSON Schema of policy files, for editors
    Schema,
    /// List the policies in force
    Rules(Json),
    /// List the policies that come with Rampart, and those of the registry that is trusted
    List(List),
    /// Install one of them
    Fetch(Fetch),
    /// Make a folder of policies a registry: write its signed list
    Publish(Publish),
}

#[derive(Debug, Args)]
pub(crate) struct Approve {
    /// Id of the waiting call; any unique beginning
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) id: String,
    /// This call only, which is what happens without an option too
    #[arg(long, conflicts_with_all = ["lasting", "always"])]
    pub(crate) once: bool,
    /// And write a rule that allows exactly this for a time, such as 30m, 1h or 7d
    #[arg(long = "for", value_name = "TIME", conflicts_with = "always")]
    pub(crate) lasting: Option<String>,
    /// And write a rule that allows exactly this from now on
    #[arg(long)]
    pub(crate) always: bool,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Deny {
    /// Id of the waiting call; any unique beginning
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) id: String,
    /// Why, for the record and for the agent
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CaVerb {
    /// Say where the authority is and what it is called
    Show,
    /// Print the certificate (PEM)
    Export,
    /// Print the variables that make a shell's tools trust it, without the proxy
    TrustEnv(TrustEnv),
    /// Make the system's and the browsers' own stores trust it
    Install(CaInstall),
    /// Put a new authority in its place
    Rotate(CaRotate),
}

#[derive(Debug, Args)]
pub(crate) struct TrustEnv {
    /// Syntax of the output
    #[arg(long, default_value = "sh")]
    pub(crate) shell: EnvShell,
    /// For programs that have the files of `rampart serve --shared` in this folder, as in another container
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CaInstall {
    /// Only say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Take it out again
    #[arg(long)]
    pub(crate) remove: bool,
    /// Do not ask for a terminal
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CaRotate {
    /// Good for this domain and what is below it, and nothing else (can be repeated)
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) only: Vec<String>,
    /// Do not ask for a terminal
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Print what is in force
    Show(Json),
}
