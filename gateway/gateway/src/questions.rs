//! Questions as people see them: which wait, and what an answer does.

use rampart_call::Call;
use tokio::sync::mpsc::UnboundedReceiver;
use tracing::{info, warn};

use std::sync::Weak;

use crate::{
    Gateway,
    approvals::{Ended, Ending, NotTaken, Question, Reply},
    audit::{Approval, Entry, Unavailable},
    clock,
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
}

impl Gateway {
    /// The questions that wait, oldest first.
    pub fn pending(&self) -> Vec<Question> {
        self.approvals.waiting()
    }

    /// How many wait.
    pub fn pending_count(&self) -> usize {
        self.approvals.len()
    }

    /// The question whose id begins so.
    pub fn question(&self, prefix: &str) -> Result<Question, NotTaken> {
        self.approvals.find(prefix)
    }

    /// Answers the question whose id begins so. The answer is on record before the call goes on.
    ///
    /// # Errors
    /// When it is not the first answer, too late, or about something else; when it cannot be recorded.
    pub async fn resolve(&self, prefix: &str, reply: Reply) -> Result<Question, ResolveError> {
        let Ended { question, ending } = self.approvals.answer(prefix, reply.clone())?;
        let event = if reply.approve { "granted" } else { "denied" };
        match self.record_step(&question, event, Some(&reply)).await {
            Ok(()) => {
                info!(id = question.id, by = reply.by, "{event}");
                self.approvals.release(&question.id, ending);
                Ok(question)
            }
            Err(unavailable) => {
                let reason = format!("the answer could not be recorded: {unavailable}");
                let refused = Reply { approve: false, by: "the gateway".to_owned(), reason, ..reply };
                self.approvals.release(&question.id, Ending::Answered(refused));
                Err(ResolveError::Unrecorded(unavailable))
            }
        }
    }

    /// Puts a step in the life of a question on record.
    pub(crate) async fn record_step(
        &self,
        question: &Question,
        event: &str,
        reply: Option<&Reply>,
    ) -> Result<(), Unavailable> {
        let step = Approval {
            id: &question.id,
            event,
            decision: question.decision,
            by: reply.map_or("", |reply| &reply.by),
            from: reply.map_or("", |reply| reply.from),
            scope: if reply.is_some_and(|reply| reply.approve) { "once" } else { "" },
            message: reply.map_or("", |reply| &reply.reason),
            payload: &question.payload,
        };
        self.trail.append(Entry::Approval(step)).await.map(|_| ())
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

    /// What exactly would happen.
    pub fn call(&self) -> &Call {
        &self.call
    }
}

/// Records the questions that nobody waited for to the end.
pub(crate) async fn record_abandoned(gateway: Weak<Gateway>, mut abandoned: UnboundedReceiver<Question>) {
    while let Some(question) = abandoned.recv().await {
        let Some(gateway) = gateway.upgrade() else { return };
        if let Err(unavailable) = gateway.record_step(&question, "cancelled", None).await {
            warn!(id = question.id, "cannot record that a question was withdrawn: {unavailable}");
        }
    }
}
