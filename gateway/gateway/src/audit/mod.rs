//! The audit trail: every decision is one line in one hash chain, on disk before it is answered. `docs/audit.md`
//! describes the files, the records and how to check them without this program.
//!
//! [`Trail`] appends, [`verify::verify`] checks, [`read`] looks things up.

mod chain;
mod checkpoint;
pub mod destinations;
mod directory;
pub mod export;
mod gathered;
mod housekeeping;
mod keys;
mod ledger;
mod line;
mod log;
mod merkle;
pub mod read;
mod record;
mod recovery;
mod redact;
pub mod report;
mod retention;
mod segment;
mod settings;
pub mod sinks;
pub mod stats;
#[cfg(test)]
mod tests;
mod trail;
pub mod verify;
mod witnesses;
mod writer;

pub use checkpoint::Checkpoint;
pub use record::{Approval, Change, Decision, Entry, Kind, SCHEMA, Unanswered, Untold};
pub use retention::Keep;
pub use settings::{Durability, Health, OpenError, Recorded, Settings, Unavailable, system_clock};
pub use trail::Trail;
pub(crate) use witnesses::Witnesses;
pub use witnesses::{Attested, Witness};
