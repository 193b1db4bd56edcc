//! Telling people: a message to Slack, Discord, Teams, ntfy or any webhook about decisions they want to hear of. Each
//! target is one file that renders an event; one sender delivers them, and no decision waits for it.

mod discord;
mod event;
mod ntfy;
mod sender;
mod slack;
mod target;
mod teams;
mod webhook;

pub(crate) use event::Event;
pub(crate) use sender::Notices;
pub use target::{Format, Secret, Target};
