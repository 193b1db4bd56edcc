//! `rampart watch`.

use clap::Args;
use rampart_call::Outcome;

use super::audit::outcome;

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Only what policy said this of: allow, watch, ask, webhook or deny
    #[arg(long, value_name = "DECISION", value_parser = outcome)]
    pub(crate) decision: Option<Outcome>,
    /// Only this tool: exec, read, write, edit, fetch, connect, mcp, or a tool's own name
    #[arg(long, value_name = "NAME")]
    pub(crate) tool: Option<String>,
    /// Only this agent
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// Only this session
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,
    /// Only with this somewhere in its texts
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) text: String,
}
