//! The exec and file road's small end: an agent's hook, and the shell that asks before it runs anything.
//!
//! Not here: any judgement. What an agent says is read by `rampart-agents`, what it may do is asked of the gateway.
//! Only `program` reads the environment and prints.

mod ask;
pub mod hook;
mod locate;
pub mod program;
pub mod shell;

pub use ask::{Ask, on_demand};
pub use locate::{place, project, resolve};
