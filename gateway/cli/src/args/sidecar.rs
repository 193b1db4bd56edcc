//! What can be typed about containers that Rampart stands beside.

use std::{ffi::OsString, net::IpAddr, path::PathBuf};

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum SidecarVerb {
    /// Send all connections of this network namespace to the proxy and close every other way out (Linux, CAP_NET_ADMIN)
    Init(SidecarInit),
    /// Try every way past the proxy from where an agent stands; 1 where one is open. With a command: become it where none is
    Validate(Validate),
}

#[derive(Debug, Args)]
pub(crate) struct SidecarInit {
    /// The user that the proxy runs as, who alone reaches others
    #[arg(long, value_name = "UID", default_value_t = PROXY_UID)]
    pub(crate) proxy_uid: u32,
    /// The port of `egress.transparent`
    #[arg(long, value_name = "PORT", default_value = "15001")]
    pub(crate) tcp: u16,
    /// The port of `egress.dns_listen`
    #[arg(long, value_name = "PORT", default_value = "15053")]
    pub(crate) dns: u16,
    /// Make this folder and give it to the proxy's user as its home: for volumes that belong to root
    #[arg(long, value_name = "FOLDER")]
    pub(crate) home: Option<PathBuf>,
    /// Make this folder and give it to the proxy's user for its socket and certificates, for all to read
    #[arg(long, value_name = "FOLDER")]
    pub(crate) shared: Option<PathBuf>,
    /// Copy this program into this folder, for agents to begin with `sidecar validate`
    #[arg(long, value_name = "FOLDER")]
    pub(crate) program: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// The IPv4 address to try
    #[arg(long, value_name = "ADDRESS", default_value = "1.1.1.1")]
    pub(crate) to: IpAddr,
    /// The IPv6 address to try
    #[arg(long, value_name = "ADDRESS", default_value = "2606:4700:4700::1111")]
    pub(crate) to6: IpAddr,
    /// The proxy's address, where nothing is redirected to it and clients must name it
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) proxy: Option<String>,
    /// By which certificate the proxy is known
    #[arg(long, value_name = "FILE", default_value = "/run/rampart/ca.pem")]
    pub(crate) ca: PathBuf,
    /// The user that the proxy runs as, who must be nobody the agent can become
    #[arg(long, value_name = "UID", default_value_t = PROXY_UID)]
    pub(crate) proxy_uid: u32,
    /// How long the proxy may take to answer
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub(crate) wait: String,
    /// Print JSON
    #[arg(long, conflicts_with = "command")]
    pub(crate) json: bool,
    /// What becomes of this process where nothing is open
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// The user of the image.
const PROXY_UID: u32 = 1337;
