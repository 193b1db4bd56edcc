//! What the program knows that stands beside the gateway, for people who look: how the roads are, and what MCP servers offer.

use std::{fmt, path::PathBuf};

use rampart_client::wire::{ApproveMcp, McpServer, Road, Status};

/// Looks at the roads.
type Roads = dyn Fn(&Status) -> Vec<Road> + Send + Sync;
/// Looks at what servers offer, or says why that cannot be told.
type Servers = dyn Fn() -> Result<Vec<McpServer>, String> + Send + Sync;
/// Approves, and gives the places of what was approved, or says why not.
type Approve = dyn Fn(&ApproveMcp) -> Result<Vec<String>, String> + Send + Sync;

/// Looks at what the gateway does not know. Each may wait for a disk.
pub struct Beside {
    /// What `~` means where the trail does not say.
    pub user_home: PathBuf,
    /// How much each road holds, by what can be seen from here.
    pub roads: Box<Roads>,
    /// What MCP servers offer and people approved.
    pub servers: Box<Servers>,
    /// Approves what a server offers as it was seen.
    pub approve: Box<Approve>,
}

impl fmt::Debug for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beside").field("user_home", &self.user_home).finish_non_exhaustive()
    }
}
