//! The questions that wait, as a pure state machine: what is asked, answered and expired, and whom that releases.

use std::collections::BTreeMap;

use rampart_call::{Call, Judgement};

/// Most questions of one agent that wait at a time.
pub(crate) const PER_AGENT: usize = 32;
/// Most questions that wait at a time.
const IN_ALL: usize = 4096;
/// Most questions whose end is remembered, so that a late answer learns what happened.
const ENDED: usize = 1024;

/// A question that waits for a human.
#[derive(Debug, Clone)]
pub struct Question {
    /// Its id, 12 hex digits; any unique beginning names it.
    pub id: String,
    /// SHA-256 of the call, in hex: what an answer is bound to.
    pub payload: String,
    /// The call.
    pub call: Call,
    /// Why it is asked.
    pub judgement: Judgement,
    /// Number of the record that says it was asked; 0 until then, and so long nobody sees it.
    pub decision: u64,
    /// When it was asked, in milliseconds since 1970 UTC.
    pub asked_ms: u64,
    /// When it expires, in milliseconds of the boot clock.
    pub expires_boot_ms: u64,
}

/// What a human said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Yes or no.
    pub approve: bool,
    /// Who, as the record and others shall see it.
    pub by: String,
    /// By which way it came: `cli`, `api`, `dashboard`, `link`.
    pub from: &'static str,
    /// Why.
    pub reason: String,
    /// What the question was about, as the human saw it; when given it must be the same.
    pub payload: Option<String>,
}

/// How a question ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// A human said yes or no.
    Answered(Reply),
    /// Nobody answered in time.
    Expired,
    /// Whoever asked went away.
    Withdrawn,
}

/// What the shell around the queue has to do.
#[derive(Debug)]
pub struct Ended {
    /// The question.
    pub question: Question,
    /// How it ended. Whoever asked is told, after it was recorded.
    pub ending: Ending,
}

/// Why a question cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

/// Why an answer is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// No question has such an id.
    #[error("no question has an id that begins with `{0}`; see `rampart pending`")]
    Unknown(String),
    /// More than one question has.
    #[error("`{prefix}` is the beginning of more than one id: {}", ids.join(", "))]
    Ambiguous {
        /// What was given.
        prefix: String,
        /// The ids.
        ids: Vec<String>,
    },
    /// Somebody was faster.
    #[error("{id} was {} by {by} already", if *.approved { "approved" } else { "denied" })]
    Answered {
        /// The question.
        id: String,
        /// What they said.
        approved: bool,
        /// Who.
        by: String,
    },
    /// It is too late.
    #[error("{0} has expired; the call was refused")]
    Expired(String),
    /// Nobody waits for the answer any more.
    #[error("{0} was withdrawn: whoever asked has gone away")]
    Withdrawn(String),
    /// The human saw something else.
    #[error("{0} is not about what you were shown; look at it again with `rampart pending`")]
    OtherPayload(String),
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: BTreeMap<String, Question>,
    /// Newest last.
    ended: Vec<(String, Ending)>,
}

impl Queue {
    /// Lets a question wait. Its id must be new.
    pub(crate) fn ask(&mut self, question: Question) -> Result<(), TooMany> {
        let agent = &question.call.origin.agent;
        let of_agent = self.waiting.values().filter(|q| q.call.origin.agent == *agent).count();
        if of_agent >= PER_AGENT || self.waiting.len() >= IN_ALL {
            return Err(TooMany);
        }
        self.waiting.insert(question.id.clone(), question);
        Ok(())
    }

    /// Shows a question to people, now that it is on record.
    pub(crate) fn publish(&mut self, id: &str, decision: u64) {
        if let Some(question) = self.waiting.get_mut(id) {
            question.decision = decision;
        }
    }

    /// Takes an answer. The first one wins.
    pub(crate) fn answer(&mut self, prefix: &str, reply: Reply, now: u64) -> Result<Ended, NotTaken> {
        let question = self.find(prefix)?;
        let id = question.id.clone();
        if question.expires_boot_ms <= now {
            return Err(NotTaken::Expired(id));
        }
        if reply.payload.as_ref().is_some_and(|payload| *payload != question.payload) {
            return Err(NotTaken::OtherPayload(id));
        }
        self.end(&id, Ending::Answered(reply)).ok_or(NotTaken::Unknown(id))
    }

    /// Ends a question that nobody waits for any more.
    pub(crate) fn withdraw(&mut self, id: &str) -> Option<Ended> {
        self.end(id, Ending::Withdrawn)
    }

    /// Ends what has expired.
    pub(crate) fn tick(&mut self, now: u64) -> Vec<Ended> {
        let expired = self.waiting.values().filter(|q| q.expires_boot_ms <= now);
        let ids: Vec<String> = expired.map(|q| q.id.clone()).collect();
        ids.iter().filter_map(|id| self.end(id, Ending::Expired)).collect()
    }

    /// The one question whose id begins so.
    pub(crate) fn find(&self, prefix: &str) -> Result<&Question, NotTaken> {
        let from = self.waiting.range(prefix.to_owned()..).take_while(|(id, _)| id.starts_with(prefix));
        let mut hits = from.filter(|(_, question)| question.decision != 0);
        match (hits.next(), hits.next()) {
            _ if prefix.is_empty() => Err(NotTaken::Unknown(String::new())),
            (Some((_, question)), None) => Ok(question),
            (Some((first, _)), Some((second, _))) => {
                let mut ids = vec![first.clone(), second.clone()];
                ids.extend(hits.map(|(id, _)| id.clone()));
                Err(NotTaken::Ambiguous { prefix: prefix.to_owned(), ids })
            }
            (None, _) => Err(self.how_it_ended(prefix)),
        }
    }

    /// Every question that waits, oldest first.
    pub(crate) fn waiting(&self) -> Vec<Question> {
        let mut all: Vec<Question> = self.waiting.values().filter(|q| q.decision != 0).cloned().collect();
        all.sort_by_key(|q| q.asked_ms);
        all
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    fn end(&mut self, id: &str, ending: Ending) -> Option<Ended> {
        let question = self.waiting.remove(id)?;
        if self.ended.len() >= ENDED {
            self.ended.remove(0);
        }
        self.ended.push((id.to_owned(), ending.clone()));
        Some(Ended { question, ending })
    }

    fn how_it_ended(&self, prefix: &str) -> NotTaken {
        let Some((id, ending)) = self.ended.iter().rev().find(|(id, _)| id.starts_with(prefix)) else {
            return NotTaken::Unknown(prefix.to_owned());
        };
        match ending {
            Ending::Answered(reply) => {
                NotTaken::Answered { id: id.clone(), approved: reply.approve, by: reply.by.clone() }
            }
            Ending::Expired => NotTaken::Expired(id.clone()),
            Ending::Withdrawn => NotTaken::Withdrawn(id.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use rampart_call::{Action, Origin, Phase, Reason};

    use super::*;

    fn question(id: &str, agent: &str) -> Question {
        let origin = Origin { agent: agent.into(), ..Origin::default() };
        let action = Action::Tool { name: "deploy".into(), input: serde_json::Value::Null };
        Question {
            id: id.into(),
            payload: format!("hash of {id}"),
            call: Call { origin, phase: Phase::Before, action, response: None },
            judgement: Judgement::refused(Reason::Rule, "needs a human"),
            decision: 1,
            asked_ms: 5,
            expires_boot_ms: 100,
        }
    }

    fn yes(by: &str) -> Reply {
        Reply { approve: true, by: by.into(), from: "cli", reason: String::new(), payload: None }
    }

    #[test]
    fn the_first_answer_wins_and_the_next_learns_who_won() {
        let mut queue = Queue::default();
        queue.ask(question("abc123", "a")).unwrap();
        let ended = queue.answer("ab", yes("ann"), 99).unwrap();
        assert_eq!(ended.ending, Ending::Answered(yes("ann")));
        let late = queue.answer("abc123", Reply { approve: false, ..yes("bob") }, 99).unwrap_err();
        assert_eq!(late.to_string(), "abc123 was approved by ann already");
        assert!(queue.waiting().is_empty());
    }

    #[test]
    fn an_answer_at_the_moment_of_expiry_is_too_late() {
        let mut queue = Queue::default();
        queue.ask(question("abc123", "a")).unwrap();
        assert_eq!(queue.answer("abc", yes("ann"), 100).unwrap_err(), NotTaken::Expired("abc123".into()));
        assert!(queue.tick(99).is_empty());
        assert_eq!(queue.tick(100).len(), 1);
        assert!(queue.tick(101).is_empty(), "expires once");
        assert_eq!(queue.answer("abc", yes("ann"), 1).unwrap_err(), NotTaken::Expired("abc123".into()));
    }

    #[test]
    fn an_id_is_known_by_any_unique_beginning() {
        let mut queue = Queue::default();
        queue.ask(question("abc123", "a")).unwrap();
        queue.ask(question("abd456", "a")).unwrap();
        assert_eq!(queue.find("abc").unwrap().id, "abc123");
        assert!(matches!(queue.find("ab"), Err(NotTaken::Ambiguous { ids, .. }) if ids.len() == 2));
        assert!(matches!(queue.find("x"), Err(NotTaken::Unknown(_))));
        assert!(matches!(queue.find(""), Err(NotTaken::Unknown(_))));
        queue.withdraw("abc123").unwrap();
        assert!(matches!(queue.find("abc"), Err(NotTaken::Withdrawn(_))));
        assert_eq!(queue.find("ab").unwrap().id, "abd456");
    }

    #[test]
    fn an_answer_to_something_else_is_not_taken() {
        let mut queue = Queue::default();
        queue.ask(question("abc123", "a")).unwrap();
        let other = Reply { payload: Some("hash of another".into()), ..yes("ann") };
        assert_eq!(queue.answer("abc", other, 1).unwrap_err(), NotTaken::OtherPayload("abc123".into()));
        let same = Reply { payload: Some("hash of abc123".into()), ..yes("ann") };
        queue.answer("abc", same, 1).unwrap();
    }

    #[test]
    fn a_question_that_is_not_on_record_is_not_seen() {
        let mut queue = Queue::default();
        queue.ask(Question { decision: 0, ..question("abc123", "a") }).unwrap();
        assert!(queue.waiting().is_empty());
        assert!(matches!(queue.answer("abc", yes("ann"), 1), Err(NotTaken::Unknown(_))));
        queue.publish("abc123", 7);
        assert_eq!(queue.answer("abc", yes("ann"), 1).unwrap().question.decision, 7);
    }

    #[test]
    fn an_agent_that_floods_fills_only_its_own_share() {
        let mut queue = Queue::default();
        for n in 0..PER_AGENT {
            queue.ask(question(&format!("{n:012x}"), "flood")).unwrap();
        }
        assert_eq!(queue.ask(question("f00000000000", "flood")), Err(TooMany));
        queue.ask(question("f00000000001", "other")).unwrap();
        queue.withdraw("000000000000").unwrap();
        queue.ask(question("f00000000002", "flood")).unwrap();
    }
}
