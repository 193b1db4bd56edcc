//! One file per verb.

pub(crate) mod allow;
pub(crate) mod audit;
pub(crate) mod bench;
pub(crate) mod ca;
pub(crate) mod config;
pub(crate) mod convert;
pub(crate) mod doctor;
pub(crate) mod env;
pub(crate) mod from_audit;
pub(crate) mod hook;
pub(crate) mod init;
pub(crate) mod log;
pub(crate) mod mcp;
pub(crate) mod mcp_scan;
pub(crate) mod not_built;
pub(crate) mod pending;
pub(crate) mod policy;
pub(crate) mod publish;
pub(crate) mod registry;
pub(crate) mod rules;
pub(crate) mod serve;
pub(crate) mod service;
pub(crate) mod status;
pub(crate) mod suite;
pub(crate) mod test;
pub(crate) mod wrap;
