//! Which of the messages that went nowhere are put on record: each of the first, and of a flood a few with their number.

use std::time::Duration;

use rampart_call::{Action, Call, Origin, Phase, Reason, Refusal};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{answer, relay::Side};

/// How many are recorded one by one.
const ONE_BY_ONE: u64 = 10;
/// How often there is a record after that.
const PAUSE: Duration = Duration::from_secs(10);

/// What a record says of a message of this side that went nowhere.
pub(crate) fn record(server: &str, origin: Origin, side: Side, why: String) -> (Call, Refusal) {
    let action = Action::Mcp {
        server: server.to_owned(),
        method: "rampart/dropped".into(),
        tool: String::new(),
        arguments: json!({"from": side.name()}).into(),
        beside: Value::Null,
    };
    (Call { origin, phase: Phase::Before, action, response: None }, answer::refused(Reason::Malformed, why))
}

#[derive(Debug, Default)]
pub(crate) struct Drops {
    recorded: u64,
    /// Those since the last record.
    untold: u64,
    last: Option<Instant>,
}

impl Drops {
    /// Notes one, and gives back how many a record has to tell of, if now is the time for one.
    pub(crate) fn note(&mut self, now: Instant) -> Option<u64> {
        self.untold += 1;
        let due = self.recorded < ONE_BY_ONE || self.last.is_none_or(|last| now.duration_since(last) >= PAUSE);
        due.then(|| {
            self.recorded += 1;
            self.last = Some(now);
            std::mem::take(&mut self.untold)
        })
    }

    /// How many no record has told of.
    pub(crate) fn rest(&mut self) -> u64 {
        std::mem::take(&mut self.untold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_makes_few_records_and_every_line_is_counted() {
        let begun = Instant::now();
        let mut drops = Drops::default();
        let mut told = Vec::new();
        for n in 0..100_000u64 {
            told.extend(drops.note(begun + Duration::from_millis(n)));
        }
        assert_eq!(told.get(..10), Some(&[1; 10][..]));
        assert!(told.len() < 25, "{}", told.len());
        assert_eq!(told.iter().sum::<u64>() + drops.rest(), 100_000);
        assert_eq!(drops.rest(), 0);
    }
}
