//! One file per verb.

pub(crate) mod allow;
pub(crate) mod audit;
pub(crate) mod ca;
pub(crate) mod config;
pub(crate) mod env;
pub(crate) mod hook;
pub(crate) mod init;
pub(crate) mod log;
pub(crate) mod mcp;
pub(crate) mod not_built;
pub(crate) mod pending;
pub(crate) mod policy;
pub(crate) mod rules;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod test;
pub(crate) mod wrap;
