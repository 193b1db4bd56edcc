//! Questions as people see them: which wait, what they are about, and what an answer does.

use std::sync::Weak;

use rampart_call::Call;
use tokio::{sync::mpsc::UnboundedReceiver, time::timeout};
use tracing::{info, warn};

use crate::{
    Gateway,
    approvals::{
        Ended, Ending, Held, Kept, LOOK, NotTaken, Question, Reply, Since, Taken,
        link::{About, Purpose},
    },
    audit::{Approval, Entry, Unavailable},
    clock::{self, Deadline, Now},
};

/// Why an answer does not count.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// It was not taken.
    #[error(transparent)]
    NotTaken(#[from] NotTaken),
    /// It was taken and could not be recorded; the call was refused.
    #[error("the answer could not be recorded, so the call was refused: {0}")]
    Unrecorded(Unavailable),
    /// One of several people agreed, and that could not be written down.
    #[error("that you agree cannot be written down, so it does not count: {0}")]
    Uncounted(String),
    /// It is on record, but not sure to count only once; the call was refused.
    #[error("that the answer counts once cannot be written down, so the call was refused: {0}")]
    Unclaimed(std::io::Error),
}

/// What an answer did.
#[derive(Debug)]
pub struct Resolution {
    /// The question.
    pub question: Question,
    /// How many more people must agree before the call goes on.
    pub missing: u8,
}

/// What a signed link leads to.
#[derive(Debug)]
pub struct Look {
    /// The question.
    pub question: Question,
    /// What the page sends back with the answer.
    pub token: String,
}

impl Gateway {
    /// The questions that wait, oldest first.
    pub fn pending(&self) -> Vec<Question> {
        self.approvals.waiting()
    }

    /// How many wait.
    pub fn pending_count(&self) -> usize {
        self.approvals.count()
    }

    /// The question whose id begins so.
    ///
    /// # Errors
    /// When there is none, or more than one, or it is over.
    pub fn question(&self, prefix: &str) -> Result<Question, NotTaken> {
        self.approvals.find(prefix).map_err(|not_taken| self.or_from_the_trail(not_taken))
    }

    /// Answers the question whose id begins so. The answer is on record before the call goes on. Where more people must
    /// agree, it goes on with the last of them.
    ///
    /// # Errors
    /// When it is not the first answer, too late, about something else, or of somebody who does not count; when it cannot be
    /// recorded.
    pub async fn resolve(&self, prefix: &str, reply: Reply) -> Result<Resolution, ResolveError> {
        let _turn = self.approvals.turn(prefix).await;
        let taken = self.approvals.answer(prefix, reply.clone());
        let mut ended = match taken.map_err(|not_taken| self.or_from_the_trail(not_taken))? {
            Taken::Ended(ended) => ended,
            Taken::Agreed(question) => {
                let kept = self.keep_agreement(&question, &reply).await;
                if kept.is_err() {
                    self.approvals.disagree(&question.id, reply.person.as_deref());
                }
                return kept.map(|()| Resolution { missing: question.missing(), question });
            }
        };
        let question = ended.question.clone();
        let event = if reply.approve { "granted" } else { "denied" };
        let recorded = self.record_step(&question, event, Some(&reply)).await;
        if let Err(unavailable) = &recorded {
            let reason = format!("the answer could not be recorded: {unavailable}");
            ended.ending =
                Ending::Answered(Reply { approve: false, by: "the gateway".to_owned(), reason, ..reply.clone() });
        }
        let released = self.approvals.release(ended).await;
        recorded.map_err(ResolveError::Unrecorded)?;
        info!(id = question.id, by = reply.by, "{event}");
        released.map_err(ResolveError::Unclaimed)?;
        Ok(Resolution { question, missing: 0 })
    }

    /// Writes down that one of several people agreed: in the trail, and with the question for the next start.
    async fn keep_agreement(&self, question: &Question, reply: &Reply) -> Result<(), ResolveError> {
        let recorded = self.record_step(question, "agreed", Some(reply)).await;
        recorded.map_err(|unavailable| ResolveError::Uncounted(unavailable.to_string()))?;
        let kept = self.approvals.keep(self.kept(question)).await;
        kept.map_err(|why| ResolveError::Uncounted(why.to_string()))?;
        info!(id = question.id, by = reply.by, missing = question.missing(), "agreed");
        Ok(())
    }

    fn kept(&self, question: &Question) -> Kept {
        let redacted = (self.trail.redacted(&question.call), self.trail.redacted(&question.judgement));
        Kept::new(question, redacted, question.end(&Now::read()))
    }

    /// The link that answers a question, where people can reach one.
    pub(crate) fn link(&self, question: &Question) -> Option<String> {
        let config = self.config();
        let base = config.approval_base_url.as_ref()?;
        Some(format!("{base}{}", self.links.path(question.about())))
    }

    /// What the link with this id, end and signature leads to. Changes nothing.
    ///
    /// # Errors
    /// When the signature is not ours, or was for a question of long ago: as if there were no such question. Otherwise
    /// why the question is over.
    pub fn look(&self, id: &str, expires_ms: u64, signature: &str) -> Result<Look, NotTaken> {
        let unknown = || NotTaken::Unknown(id.to_owned());
        // Its whole id, and no beginning of it.
        let found = self.approvals.find(id).and_then(|q| if q.id == id { Ok(q) } else { Err(unknown()) });
        let payload = match &found {
            Ok(question) => Some(question.payload.clone()),
            // Not from the trail: anybody may try links, and looking there takes a while.
            Err(_) => self.approvals.past_payload(id),
        };
        let payload = payload.ok_or_else(unknown)?;
        let about = About { id, payload: &payload, expires_ms };
        if !self.links.is_ours(Purpose::Look, about, signature) {
            return Err(unknown());
        }
        Ok(Look { token: self.links.sign(Purpose::Answer, about), question: found? })
    }

    /// Whether this token came with the page of a question.
    pub fn came_from_the_page(&self, question: &Question, token: &str) -> bool {
        self.links.is_ours(Purpose::Answer, question.about(), token)
    }

    /// A text without its secrets, and of bounded length.
    pub fn without_secrets(&self, text: &str) -> String {
        self.trail.redacted_text(text)
    }

    /// Puts a question to people, or takes one up again.
    pub(crate) async fn put(&self, held: &Held) -> Result<(), Unavailable> {
        let question = &held.question;
        match held.since {
            Since::Now => {
                if let Err(why) = self.approvals.keep(self.kept(question)).await {
                    warn!(id = question.id, "a restart would lose this question, it cannot be written down: {why}");
                }
                self.record_step(question, "asked", None).await?;
                info!(
                    id = question.id,
                    agent = %self.trail.redacted_name(&question.call.origin.agent),
                    "asked; `rampart approve {0}`",
                    question.id
                );
            }
            Since::Restart => info!(id = question.id, "whoever asked has come back"),
            Since::Answer => {
                self.record_step(question, "used", None).await?;
                self.approvals.forget(&question.id).await.map_err(|why| {
                    Unavailable::new(&format!("that this answer is used up cannot be written down: {why}"))
                })?;
                info!(id = question.id, "whoever asked has come back for the answer");
            }
        }
        Ok(())
    }

    /// A question is over without an answer. Its call is refused whether or not that can be recorded.
    pub(crate) async fn lapse(&self, question: &Question, event: &str) {
        if let Err(unavailable) = self.record_step(question, event, None).await {
            warn!(id = question.id, "cannot record that a question is {event}: {unavailable}");
        }
        if let Err(why) = self.approvals.forget(&question.id).await {
            warn!(id = question.id, "cannot remove a question that is {event}: {why}");
        }
    }

    /// Puts a step in the life of a question on record.
    async fn record_step(&self, question: &Question, event: &str, reply: Option<&Reply>) -> Result<(), Unavailable> {
        let step = Approval {
            id: &question.id,
            event,
            decision: question.decision,
            by: reply.map_or("", |reply| &reply.by),
            from: reply.map_or("", |reply| reply.from),
            scope: reply.filter(|reply| reply.approve).map_or("", |reply| &reply.scope),
            message: reply.map_or("", |reply| &reply.reason),
            payload: &question.payload,
        };
        self.trail.append(Entry::Approval(step)).await.map(|_| ())
    }

    /// Takes up what was asked before a restart. What was answered meanwhile stands in the trail.
    pub(crate) async fn restore_questions(&self) {
        let all = self.approvals.kept().unwrap_or_else(|why| {
            warn!("questions from before the restart cannot be read: {why}");
            Vec::new()
        });
        let mut steps = self.steps_since(all.iter().map(Kept::decision).min());
        let now = Now::read();
        for kept in all {
            let question = match kept.question(&now) {
                Ok(question) => question,
                Err(why) => {
                    warn!("a question from before the restart makes no sense: {why}");
                    continue;
                }
            };
            match steps.remove(&question.id) {
                Some(past) if past.is_answer() => self.approvals.restore(question, Some(past.reply())),
                Some(past) if past.is_end() => drop(self.approvals.forget(&question.id).await),
                _ => self.approvals.restore(question, None),
            }
        }
    }
}

impl Question {
    /// Milliseconds until it expires.
    pub fn expires_in_ms(&self) -> u64 {
        self.expires_boot_ms.saturating_sub(clock::boot_ms())
    }

    /// When it was asked (RFC 3339).
    pub fn asked(&self) -> String {
        clock::rfc3339(self.asked_ms)
    }

    /// When it expires (RFC 3339), unless a clock was set meanwhile.
    pub fn expires(&self) -> String {
        clock::rfc3339(self.expires_ms)
    }

    /// What exactly would happen.
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// What belongs to the call beside its subject, each with a name: where it would run, what it would write or send.
    pub fn details(&self) -> Vec<(&'static str, String)> {
        self.call.action.details()
    }

    fn end(&self, now: &Now) -> Deadline {
        Deadline::at(now.wall_ms.saturating_add(self.expires_in_ms()), now)
    }

    fn about(&self) -> About<'_> {
        About { id: &self.id, payload: &self.payload, expires_ms: self.expires_ms }
    }
}

/// Records the questions that end while nobody waits for them.
pub(crate) async fn attend(gateway: Weak<Gateway>, mut unattended: UnboundedReceiver<Ended>) {
    loop {
        let watches = match gateway.upgrade() {
            Some(gateway) => gateway.approvals.any_alone(),
            None => return,
        };
        let ended = if watches { timeout(LOOK, unattended.recv()).await } else { Ok(unattended.recv().await) };
        let Some(gateway) = gateway.upgrade() else { return };
        match ended {
            Ok(Some(Ended { question, ending })) => {
                let event = if ending == Ending::Expired { "expired" } else { "cancelled" };
                gateway.lapse(&question, event).await;
            }
            Ok(None) => return,
            Err(_) => gateway.approvals.tick(),
        }
    }
}

#[cfg(test)]
mod tests;
