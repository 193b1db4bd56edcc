//! Looking at a server before an agent does: what it offers, what of that gives reason to look twice, and the rules that
//! allow the rest and no more.
//!
//! [`walk`] starts the server and asks; everything after that is pure.

mod catalogue;
mod conversation;
mod draft;
mod kind;
mod lock;
mod risk;
mod shadow;

pub use catalogue::{Catalogue, Item, Section};
pub use conversation::{Error, Limits, Walk, walk};
pub use draft::draft;
pub use kind::Kind;
pub use lock::{Drift, Lock, LockError, Offered, Pinned, escaped};
pub use risk::{Risk, Severity, risks};
pub use shadow::shadows;
