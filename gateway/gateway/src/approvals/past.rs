//! What became of questions, as the trail tells it. It is all that a restart leaves of the questions that were over.

use std::{collections::HashMap, io};

use serde::Deserialize;

use super::{Ending, NotTaken, Reply};
use crate::{
    Gateway,
    audit::{
        Kind,
        read::{Record, backward, forward},
    },
};

/// How far back in the trail a question is looked for that nobody remembers.
const FAR: usize = 50_000;
/// Shortest beginning of an id that is looked for there.
const SHORTEST: usize = 4;

/// A step in the life of a question, as its `approval` record has it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Past {
    id: String,
    event: String,
    by: String,
    from: String,
    scope: String,
    message: String,
    payload: String,
}

impl Past {
    fn of(record: &Record) -> Option<Self> {
        if record.kind != Kind::Approval {
            return None;
        }
        serde_json::from_str(&record.line).ok()
    }

    /// A human said yes or no, and nobody has come for it.
    pub(crate) fn is_answer(&self) -> bool {
        matches!(self.event.as_str(), "granted" | "denied")
    }

    /// The question is over.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self.event.as_str(), "used" | "expired" | "cancelled")
    }

    /// What the human said.
    pub(crate) fn reply(self) -> Reply {
        let from = ["api", "dashboard", "link", "host"].into_iter().find(|way| *way == self.from).unwrap_or("cli");
        let Self { by, message, payload, scope, event, .. } = self;
        Reply { approve: event == "granted", by, person: None, from, reason: message, payload: Some(payload), scope }
    }

    fn not_taken(self) -> NotTaken {
        let id = self.id.clone();
        let ending = match self.event.as_str() {
            "expired" => Ending::Expired,
            "granted" | "denied" => Ending::Answered(self.reply()),
            _ => Ending::Withdrawn,
        };
        NotTaken::after(&id, &ending)
    }
}

impl Gateway {
    /// The last step of each question, of those recorded after a record.
    pub(crate) fn steps_since(&self, record: Option<u64>) -> HashMap<String, Past> {
        let Some(after) = record else { return HashMap::new() };
        let records = forward(&self.home.audit(), after + 1).map_while(io::Result::ok);
        records.filter_map(|record| Past::of(&record)).map(|past| (past.id.clone(), past)).collect()
    }

    /// How the question whose id begins so ended, or was answered: the newest that is on record.
    pub(crate) fn past(&self, prefix: &str) -> Option<Past> {
        if prefix.len() < SHORTEST || !prefix.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let records = backward(&self.home.audit()).ok()?.map_while(io::Result::ok).take(FAR);
        let mut past = records.filter_map(|record| Past::of(&record)).filter(|past| past.id.starts_with(prefix));
        // Of an answer that was used, who gave it is what matters.
        past.find(|past| past.is_answer() || past.is_end() && past.event != "used")
    }

    /// A better answer for a question that nobody remembers, if it is on record.
    pub(crate) fn or_from_the_trail(&self, not_taken: NotTaken) -> NotTaken {
        match &not_taken {
            NotTaken::Unknown(prefix) => self.past(prefix).map_or(not_taken, Past::not_taken),
            _ => not_taken,
        }
    }
}
