//! A process with one way out: Linux namespaces, the packet filter, Landlock, and nothing left to undo them with.
//!
//! Not here: what is allowed, and who decides it. This crate knows no policy and no gateway; it is told where the way out
//! leads and what may be touched, and closes all else.

mod confinement;
#[cfg(target_os = "linux")]
mod conversation;
#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod inside;
#[cfg(target_os = "linux")]
mod netlink;
#[cfg(target_os = "linux")]
mod network;
mod outcome;
#[cfg(target_os = "linux")]
mod overlay;
#[cfg(target_os = "linux")]
mod privileges;
#[cfg_attr(not(target_os = "linux"), path = "rules/elsewhere.rs")]
mod rules;
#[cfg(target_os = "linux")]
mod start;
#[cfg(target_os = "linux")]
mod system;
#[cfg(target_os = "linux")]
mod view;

pub use confinement::{Confinement, Door, Files, Network, Overlay};
pub use outcome::{Failed, Holds, Part};
pub use rules::{Redirection, RulesError};
#[cfg(target_os = "linux")]
pub use {
    inside::{NAME, enter},
    start::{Starting, start},
};
