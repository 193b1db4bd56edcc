//! What crosses the API, apart from [`Call`](rampart_call::Call) and [`Answer`](rampart_call::Answer): the JSON of requests
//! and responses. The server writes these same types.

mod access;
mod approvals;
mod audit;
mod doors;
mod error;
mod mcp;
mod rules;
mod session;
mod status;
mod tool;

pub use access::{BoundCredential, CreateToken, CreatedToken, DashboardLink, Ticket, TokenInfo, WhoAmI};
pub use approvals::{Detail, Pending, Resolve, Resolved};
pub use audit::{AuditEvents, AuditRecord};
pub use doors::{Door, HandIn, HandedIn};
pub use error::{ErrorBody, ErrorText};
pub use mcp::{ApproveMcp, ApprovedMcp, McpRisk, McpServer, McpWaiting, SeenMcp};
pub use rules::{AddedRule, NewRule, RemovedRule, ResetRules, Rule, WhatIf};
pub use session::{FollowedSecret, LONGEST_SERVER, Noted, OpenSession, OpenedSession, SessionLasts, SessionSummary};
pub use status::{
    AuditStatus, ConfigStatus, Health, Policy, PolicyStatus, Road, Status, TelemetryStatus, WitnessStatus,
};
pub use tool::{Closed, ClosedRequest, Decision, ScanRequest, Scanned, TestRequest, ToolRequest};

/// Secrets are shown to whoever was meant to get them, and by no debugging.
macro_rules! hides {
    ($type:ident, $($shown:ident),+) => {
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($type))$(.field(stringify!($shown), &self.$shown))+.finish_non_exhaustive()
            }
        }
    };
}
hides!(HandIn, doors);
hides!(OpenedSession, session, egress);
hides!(FollowedSecret, name, hosts);
hides!(CreatedToken, info);
hides!(Ticket, expires_in_s);
hides!(DashboardLink, expires_in_s);
