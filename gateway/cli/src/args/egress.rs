//! What can be typed about the egress proxy.

use std::{net::IpAddr, path::PathBuf};

use clap::{Args, Subcommand};

use super::Json;

#[derive(Debug, Subcommand)]
pub(crate) enum EgressVerb {
    /// Try what gets out directly from here, past the proxy: run it in a session
    Probe(Probe),
    /// Say what the proxy would do with a request, without making it
    Check(Check),
    /// Print the script that makes browsers use the proxy (PAC)
    Pac(Json),
    /// Write the requests of the audit trail as a HAR file
    Export(Har),
}

#[derive(Debug, Args)]
pub(crate) struct Probe {
    /// The IPv4 address to try
    #[arg(long, value_name = "ADDRESS", default_value = "1.1.1.1")]
    pub(crate) to: IpAddr,
    /// The IPv6 address to try
    #[arg(long, value_name = "ADDRESS", default_value = "2606:4700:4700::1111")]
    pub(crate) to6: IpAddr,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The address of the request
    pub(crate) url: String,
    /// Its method
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    pub(crate) method: String,
    /// What it sends
    #[arg(long, value_name = "TEXT")]
    pub(crate) body: Option<String>,
    /// Look the name up too, as the proxy would
    #[arg(long)]
    pub(crate) dns: bool,
    /// Ask as this agent
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) agent: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Har {
    /// Only this session
    #[arg(long, value_name = "SESSION")]
    pub(crate) session: Option<String>,
    /// Into this new file, instead of to standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}
