//! Where all roads meet: the one place that decides, asks, records and tells.
//!
//! Not here: what is allowed (`rampart-policy`), how a question gets here (`rampart-api`), or any road.

mod approvals;
pub mod audit;
mod clock;
pub mod config;
mod home;

pub use approvals::{Ended, Ending, NotTaken, Question, Reply};
pub use config::{Config, Mode};
pub use home::{Home, HomeError, Lock};
