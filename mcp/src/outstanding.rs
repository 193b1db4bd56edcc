//! The requests of one side that the other has still to answer.

use std::collections::{BTreeMap, VecDeque};

use rampart_call::Action;
use serde_json::Value;

use crate::{answer::Form, message::Id, relay::Ticket};

/// How many cancelled and disowned requests are remembered. Their answers may never come.
const REMEMBERED: usize = 1_000;

/// A request that was read.
#[derive(Debug)]
pub(crate) struct Asked {
    /// What it would do; its response is judged as the same action.
    pub(crate) action: Action,
    /// How to refuse it.
    pub(crate) form: Form,
    /// The client's token for progress notifications.
    pub(crate) progress: Option<Value>,
    /// Length of its line in bytes.
    pub(crate) size: usize,
    /// How far it has come.
    pub(crate) state: State,
    /// For how many rounds the other side has been silent about it.
    pub(crate) silent: u32,
}

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Waits for its verdict; for how many rounds of signs of life it has.
    Held(Ticket, u32),
    /// The other side has it.
    Sent,
    /// The other side has it, and has been told that nobody wants the answer. One may come all the same.
    Cancelled,
    /// Its answer came and waits for its verdict.
    Answered,
    /// We have answered it; what the other side still says to it is dropped.
    Disowned,
}

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Outstanding {
    by_id: BTreeMap<Id, Asked>,
    /// Cancelled and disowned ones, oldest first; may name requests that are gone.
    over: VecDeque<Id>,
    live: usize,
    bytes: usize,
}

impl Outstanding {
    /// How many requests wait for an answer that somebody wants.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// Sum of the lines of those requests.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn state(&self, id: &Id) -> Option<State> {
        self.by_id.get(id).map(|asked| asked.state)
    }

    pub(crate) fn get(&self, id: &Id) -> Option<&Asked> {
        self.by_id.get(id)
    }

    /// Adds a request whose id is free.
    pub(crate) fn insert(&mut self, id: Id, asked: Asked) {
        self.live += 1;
        self.bytes += asked.size;
        self.by_id.insert(id, asked);
    }

    /// Moves a request on to a state in which its answer is still wanted.
    pub(crate) fn advance(&mut self, id: &Id, state: State) {
        let Some(asked) = self.by_id.get_mut(id) else { return };
        if matches!(asked.state, State::Cancelled | State::Disowned) {
            self.live += 1;
            self.bytes += asked.size;
        }
        asked.state = state;
    }

    /// Nobody waits for the answer any more, but one may come.
    pub(crate) fn give_up(&mut self, id: &Id, state: State) {
        let Some(asked) = self.by_id.get_mut(id) else { return };
        if !matches!(asked.state, State::Cancelled | State::Disowned) {
            self.live -= 1;
            self.bytes -= asked.size;
            self.over.push_back(id.clone());
        }
        asked.state = state;
        if self.over.len() > REMEMBERED
            && let Some(oldest) = self.over.pop_front()
            && matches!(self.state(&oldest), Some(State::Cancelled | State::Disowned))
        {
            self.by_id.remove(&oldest);
        }
    }

    pub(crate) fn remove(&mut self, id: &Id) -> Option<Asked> {
        let asked = self.by_id.remove(id)?;
        if !matches!(asked.state, State::Cancelled | State::Disowned) {
            self.live -= 1;
            self.bytes -= asked.size;
        }
        Some(asked)
    }

    /// The ids of all requests in a state that `wanted` picks.
    pub(crate) fn ids(&self, wanted: impl Fn(State) -> bool) -> Vec<Id> {
        self.by_id.iter().filter(|(_, asked)| wanted(asked.state)).map(|(id, _)| id.clone()).collect()
    }

    /// The requests that the other side has been silent about for more than so many rounds. What says nothing until it
    /// ends by its nature is none of them: a stream of notifications (2026-07-28), a task that is waited for (2025-11-25).
    pub(crate) fn overdue(&mut self, rounds: u32) -> Vec<Id> {
        let mut overdue = Vec::new();
        for (id, asked) in &mut self.by_id {
            let Action::Mcp { method, .. } = &asked.action else { continue };
            if asked.state != State::Sent || matches!(method.as_str(), "subscriptions/listen" | "tasks/result") {
                continue;
            }
            asked.silent += 1;
            if asked.silent > rounds {
                overdue.push(id.clone());
            }
        }
        overdue
    }

    /// The other side shows that it works on the request with this token.
    pub(crate) fn progressed(&mut self, token: &Value) {
        for asked in self.by_id.values_mut().filter(|asked| asked.progress.as_ref() == Some(token)) {
            asked.silent = 0;
        }
    }

    /// The tokens of the held requests that deserve a sign of life, with its number. A request that was held for less
    /// than a whole round gets none yet.
    pub(crate) fn signs_of_life(&mut self) -> Vec<(Value, u32)> {
        let mut signs = Vec::new();
        for asked in self.by_id.values_mut() {
            if let (State::Held(ticket, rounds), Some(token)) = (asked.state, &asked.progress) {
                asked.state = State::Held(ticket, rounds + 1);
                if rounds > 0 {
                    signs.push((token.clone(), rounds));
                }
            }
        }
        signs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(size: usize) -> Asked {
        let action = Action::Mcp {
            server: String::new(),
            method: "m".into(),
            tool: String::new(),
            arguments: Value::Null.into(),
            beside: Value::Null,
        };
        Asked { action, form: Form::Error, progress: None, size, state: State::Sent, silent: 0 }
    }

    #[test]
    fn what_nobody_waits_for_does_not_count_and_is_forgotten_at_last() {
        let mut table = Outstanding::default();
        for n in 0..1_500 {
            table.insert(Id::Number(n), asked(10));
            table.give_up(&Id::Number(n), State::Cancelled);
        }
        assert_eq!((table.live(), table.bytes()), (0, 0));
        assert_eq!(table.state(&Id::Number(0)), None);
        assert_eq!(table.state(&Id::Number(1_499)), Some(State::Cancelled));
        assert!(table.by_id.len() <= REMEMBERED && table.over.len() <= REMEMBERED);
    }

    #[test]
    fn sizes_add_up_whatever_way_a_request_ends() {
        let mut table = Outstanding::default();
        for n in 0..4 {
            table.insert(Id::Number(n), asked(10));
        }
        table.remove(&Id::Number(0));
        table.give_up(&Id::Number(1), State::Cancelled);
        table.remove(&Id::Number(1));
        table.give_up(&Id::Number(2), State::Cancelled);
        table.advance(&Id::Number(2), State::Answered);
        assert_eq!((table.live(), table.bytes()), (2, 20));
    }
}
