//! A process with one way out.
//!
//! Not here: what is allowed, and who decides it. This crate knows no policy and no gateway; it is told where the way out
//! leads, and closes all others.

#[cfg(target_os = "linux")]
mod netlink;
#[cfg_attr(not(target_os = "linux"), path = "rules/elsewhere.rs")]
mod rules;

pub use rules::{Redirection, RulesError};
