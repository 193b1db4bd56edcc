//! The questions that wait, as a pure state machine: what is asked, answered and expired, and whom that releases.

mod types;

use std::collections::BTreeMap;

pub use self::types::{Agreed, Ended, Ending, NotTaken, Question, Reply};
pub(crate) use self::types::{Taken, TooMany};

/// Most questions of one agent that wait at a time.
pub(crate) const PER_AGENT: usize = 32;
/// Most questions that wait at a time.
const IN_ALL: usize = 4096;
/// Most questions whose end is remembered, so that a late answer learns what happened.
const ENDED: usize = 1024;

/// What became of a call that needs a human.
#[derive(Debug)]
pub(crate) enum Asked {
    /// It is a new question.
    New(Question),
    /// It is a question from before a restart, whose asker has come back.
    Again(Question),
    /// A human answered it while its asker was away. The answer is used up by this.
    Answered(Question, Reply),
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: BTreeMap<String, Waiting>,
    /// Questions whose asker was away and whose answer is being recorded.
    taken: BTreeMap<String, Waiting>,
    /// Answers that wait for an asker who was away. Each goes to one call, the very same, before its question expires.
    answers: BTreeMap<String, (Question, Reply)>,
    /// Newest last.
    ended: Vec<(String, Past)>,
}

#[derive(Debug)]
struct Waiting {
    question: Question,
    /// Nobody waits for the answer: the gateway was restarted, and whoever asked has not come back yet.
    alone: bool,
}

/// A question that is over.
#[derive(Debug, Clone)]
struct Past {
    payload: String,
    ending: Ending,
}

impl Queue {
    /// Lets a question wait, unless it is one that is known from before a restart. Its id must be new.
    pub(crate) fn ask(&mut self, question: Question, now: u64) -> Result<Asked, TooMany> {
        if let Some(known) = self.take_up(&question, now) {
            return Ok(known);
        }
        let agent = &question.call.origin.agent;
        let of_agent = self.waiting.values().filter(|w| w.question.call.origin.agent == *agent).count();
        if of_agent >= PER_AGENT || self.waiting.len() >= IN_ALL {
            return Err(TooMany);
        }
        self.waiting.insert(question.id.clone(), Waiting { question: question.clone(), alone: false });
        Ok(Asked::New(question))
    }

    fn take_up(&mut self, asked: &Question, now: u64) -> Option<Asked> {
        let same = |known: &Question| known.payload == asked.payload && now < known.expires_boot_ms;
        let answer = self.answers.iter().find(|(_, (known, _))| same(known)).map(|(id, _)| id.clone());
        if let Some((question, reply)) = answer.and_then(|id| self.answers.remove(&id)) {
            return Some(Asked::Answered(question, reply));
        }
        let known = self.waiting.values_mut().chain(self.taken.values_mut());
        let Waiting { question, alone } = known.into_iter().find(|w| w.alone && same(&w.question))?;
        *alone = false;
        // What was kept has no secrets in it.
        (question.call, question.judgement) = (asked.call.clone(), asked.judgement.clone());
        Some(Asked::Again(question.clone()))
    }

    /// Takes in a question from before a restart.
    pub(crate) fn restore(&mut self, question: Question, answer: Option<Reply>) {
        let id = question.id.clone();
        match answer {
            None => drop(self.waiting.insert(id, Waiting { question, alone: true })),
            Some(reply) => {
                self.remember(&question, Ending::Answered(reply.clone()));
                self.answers.insert(id, (question, reply));
            }
        }
    }

    /// Everybody who waits goes away, and their questions stay.
    pub(crate) fn leave_alone(&mut self) {
        self.waiting.values_mut().for_each(|w| w.alone = true);
    }

    /// Whether there is a question or an answer whose asker is away.
    pub(crate) fn any_alone(&self) -> bool {
        !self.answers.is_empty() || self.waiting.values().any(|w| w.alone)
    }

    /// Shows a question to people, now that it is on record.
    pub(crate) fn publish(&mut self, id: &str, decision: u64) {
        if let Some(Waiting { question, .. }) = self.waiting.get_mut(id)
            && question.decision == 0
        {
            question.decision = decision;
        }
    }

    /// Takes an answer. The first one wins, unless several people must agree: then the last of them does, and whoever
    /// refuses.
    pub(crate) fn answer(&mut self, prefix: &str, mut reply: Reply, now: u64) -> Result<Taken, NotTaken> {
        let question = self.find(prefix)?;
        let id = question.id.clone();
        if question.expires_boot_ms <= now {
            return Err(NotTaken::Expired(id));
        }
        if reply.payload.as_ref().is_some_and(|payload| *payload != question.payload) {
            return Err(NotTaken::OtherPayload(id));
        }
        let alone = self.waiting.get(&id).is_some_and(|w| w.alone);
        if let Some(Waiting { question, .. }) = self.waiting.get_mut(&id).filter(|_| reply.approve)
            && question.approvals > 1
        {
            let agreed = agrees(question, &reply)?;
            if question.missing() > 1 {
                question.agreed.push(agreed);
                return Ok(Taken::Agreed(question.clone()));
            }
            let all = question.agreed.iter().chain([&agreed]);
            reply.by = all.map(|agreed| agreed.by.as_str()).collect::<Vec<_>>().join(" and ");
        }
        let ended = self.end(&id, Ending::Answered(reply)).ok_or(NotTaken::Unknown(id))?;
        if alone {
            self.taken.insert(ended.question.id.clone(), Waiting { question: ended.question.clone(), alone });
        }
        Ok(Taken::Ended(ended))
    }

    /// Somebody's agreement could not be written down, so it does not count.
    pub(crate) fn disagree(&mut self, id: &str, person: Option<&str>) {
        if let Some(Waiting { question, .. }) = self.waiting.get_mut(id) {
            question.agreed.retain(|agreed| Some(agreed.person.as_str()) != person);
        }
    }

    /// The answer to a question is on record. When its asker is still away, it is kept for them: true then.
    pub(crate) fn settle(&mut self, ended: &Ended, asker_waits: bool) -> bool {
        let taken = self.taken.remove(&ended.question.id);
        match (taken, &ended.ending) {
            (Some(Waiting { question, .. }), Ending::Answered(reply)) if !asker_waits => {
                self.answers.insert(question.id.clone(), (question, reply.clone()));
                true
            }
            _ => false,
        }
    }

    /// Ends a question that nobody waits for any more.
    pub(crate) fn withdraw(&mut self, id: &str) -> Option<Ended> {
        self.end(id, Ending::Withdrawn)
    }

    /// Ends what has expired: questions, and answers that nobody came back for.
    pub(crate) fn tick(&mut self, now: u64) -> Vec<Ended> {
        let expired = self.waiting.values().filter(|w| w.question.expires_boot_ms <= now);
        let ids: Vec<String> = expired.map(|w| w.question.id.clone()).collect();
        let mut ended: Vec<Ended> = ids.iter().filter_map(|id| self.end(id, Ending::Expired)).collect();
        let unused = self.answers.extract_if(.., |_, (question, _)| question.expires_boot_ms <= now);
        ended.extend(unused.map(|(_, (question, _))| Ended { question, ending: Ending::Expired }));
        ended
    }

    /// The one question whose id begins so.
    pub(crate) fn find(&self, prefix: &str) -> Result<&Question, NotTaken> {
        let from = self.waiting.range(prefix.to_owned()..).take_while(|(id, _)| id.starts_with(prefix));
        let mut hits = from.map(|(id, w)| (id, &w.question)).filter(|(_, question)| question.decision != 0);
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
    pub(crate) fn waiting(&self, now: u64) -> Vec<Question> {
        let mut all: Vec<Question> = self.shown(now).cloned().collect();
        all.sort_by_key(|q| q.asked_ms);
        all
    }

    /// How many questions wait: as many as are listed.
    pub(crate) fn count(&self, now: u64) -> usize {
        self.shown(now).count()
    }

    fn shown(&self, now: u64) -> impl Iterator<Item = &Question> {
        self.waiting.values().map(|w| &w.question).filter(move |q| q.decision != 0 && now < q.expires_boot_ms)
    }

    /// What a question was about that is over.
    pub(crate) fn past_payload(&self, id: &str) -> Option<String> {
        self.ended.iter().rev().find(|(ended, _)| ended == id).map(|(_, past)| past.payload.clone())
    }

    fn end(&mut self, id: &str, ending: Ending) -> Option<Ended> {
        let Waiting { question, .. } = self.waiting.remove(id)?;
        self.remember(&question, ending.clone());
        Some(Ended { question, ending })
    }

    fn remember(&mut self, question: &Question, ending: Ending) {
        if self.ended.len() >= ENDED {
            self.ended.remove(0);
        }
        self.ended.push((question.id.clone(), Past { payload: question.payload.clone(), ending }));
    }

    fn how_it_ended(&self, prefix: &str) -> NotTaken {
        match self.ended.iter().rev().find(|(id, _)| id.starts_with(prefix)) {
            Some((id, past)) => NotTaken::after(id, &past.ending),
            None => NotTaken::Unknown(prefix.to_owned()),
        }
    }
}

/// Whose agreement to a question of several people this is.
fn agrees(question: &Question, reply: &Reply) -> Result<Agreed, NotTaken> {
    let id = || question.id.clone();
    let person = reply.person.clone().ok_or_else(|| NotTaken::Nameless(id()))?;
    if question.call.origin.person.as_ref() == Some(&person) {
        return Err(NotTaken::OwnQuestion(id()));
    }
    match question.agreed.iter().find(|agreed| agreed.person == person) {
        Some(Agreed { by, .. }) => {
            Err(NotTaken::SamePerson { id: id(), approvals: question.approvals, by: by.clone() })
        }
        None => Ok(Agreed { person, by: reply.by.clone() }),
    }
}

#[cfg(test)]
mod tests;
