//! The MCP road: carries the Model Context Protocol between an agent and a server, and asks a gate about every message.
//!
//! Not here: what is allowed (`rampart-policy`), who decides and records (`rampart-gateway`), or the MCP data model: what
//! the gate allows goes on as the bytes that came, so unknown methods, members and spellings survive.

mod action;
mod answer;
mod closed;
mod drops;
mod elicitation;
pub mod environment;
#[cfg(feature = "fuzz")]
pub mod fuzz;
pub mod http;
mod lines;
mod lists;
pub mod message;
mod orphans;
mod outstanding;
pub mod pins;
mod redact;
pub mod relay;
pub mod scan;
mod schemas;
mod server;
mod skim;
pub mod stdio;
mod text;

pub use answer::REFUSED;
pub use schemas::{Checking, Schemas};
