//! Where all roads meet: the one place that decides, asks, records and tells.
//!
//! Not here: what is allowed (`rampart-policy`), how a question gets here (`rampart-api`), or any road.

mod approvals;
pub mod audit;
mod clock;
pub mod config;
pub mod credentials;
pub mod followed;
mod gateway;
mod home;
pub mod lineage;
mod losses;
pub mod metrics;
pub mod notify;
mod open;
mod outside;
pub mod overrides;
mod questions;
pub mod recorded;
mod records;
mod reload;
pub mod replay;
mod retire;
mod rules;
mod running;
mod session;
mod spans;
mod status;
mod tokens;
mod unanswered;
mod webhook;
pub mod what_if;

pub use approvals::{Agreed, Ended, Ending, NotTaken, Question, Reply};
pub use clock::{rfc3339, wall_ms};
pub use config::{Config, Egress, Mode, NoKey, PublicKey, Registry};
pub use gateway::Gateway;
pub use home::{Home, HomeError, Lock};
pub use losses::Losses;
pub use open::{OpenError, Settings};
pub use outside::{Body, Outside};
pub use questions::{Look, Resolution, ResolveError};
/// What the rules in force are described with.
pub use rampart_policy::{Diagnostic, Layer, Override, OverrideAction, Policy, parse_duration};
/// What looks through text.
pub use rampart_scan::{redact, scan, shown};
pub use records::{Following, Lookup};
pub use rules::{FETCHED, layer, policy_files};
pub use running::FileStatus;
pub use session::{Count, labels};
pub use status::RulesInForce;
pub use tokens::Made;
