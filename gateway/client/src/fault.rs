//! Why there is no answer, and what a surface makes of that.

use std::time::Duration;

use rampart_call::{Answer, Judgement, Outcome, Reason, Verdict, answer_to_verdict};

use crate::Unanswered;

/// Why a question to the gateway has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Nobody listens.
    #[error("no Rampart gateway answers at {socket} ({why}); start one with `rampart serve`")]
    Unreachable {
        /// Where it should listen.
        socket: String,
        /// What the system said.
        why: String,
    },
    /// Something is there that need not be our gateway.
    #[error("what stands at {socket} cannot be trusted to be your Rampart gateway: {why}")]
    Untrusted {
        /// Where it stands.
        socket: String,
        /// What is wrong with it.
        why: String,
    },
    /// The gateway took the question and then fell silent.
    #[error("the Rampart gateway gave no sign of life for {0:?}; look at it with `rampart status`")]
    Silent(Duration),
    /// The gateway went away before it answered.
    #[error("the Rampart gateway went away before it answered; start it again with `rampart serve`")]
    HungUp,
    /// The gateway went away while it held the call for a human.
    #[error("the Rampart gateway went away while a human was asked; start it again with `rampart serve`")]
    Left,
    /// The gateway lives, but our own time is over.
    #[error("no decision within {0:?}; a human may still have to answer, see `rampart pending`")]
    OutOfTime(Duration),
    /// The answer is not what a gateway of this version says.
    #[error("the Rampart gateway's answer makes no sense ({0}); is it the same version as this program?")]
    Garbled(String),
    /// The gateway understood and said no.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Stable code.
        code: String,
        /// What it said.
        message: String,
    },
}

impl Fault {
    fn reason(&self) -> Reason {
        match self {
            Self::Untrusted { .. } | Self::Garbled(_) => Reason::GatewayUntrusted,
            Self::Refused { status: 413, .. } => Reason::LimitExceeded,
            Self::Refused { status: 400..=499, .. } => Reason::Malformed,
            Self::Unreachable { .. }
            | Self::Silent(_)
            | Self::HungUp
            | Self::Left
            | Self::OutOfTime(_)
            | Self::Refused { .. } => Reason::GatewayUnreachable,
        }
    }

    /// What a surface does without an answer. The only place where a client lets anything pass by itself.
    fn into_answer(self, unanswered: Unanswered) -> Answer {
        let mut judgement = Judgement::refused(self.reason(), self.to_string());
        if unanswered == Unanswered::LetPass && judgement.reason == Reason::GatewayUnreachable {
            judgement.outcome = Outcome::Allow;
        }
        Answer { verdict: judgement.outcome, judgement, seq: None }
    }
}

/// The verdict for a surface, whether or not there was an answer.
#[expect(clippy::disallowed_methods, reason = "the client is one of the two gates")]
pub(crate) fn verdict(answer: Result<Answer, Fault>, unanswered: Unanswered) -> Verdict {
    answer_to_verdict(answer.unwrap_or_else(|fault| fault.into_answer(unanswered)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_absent_gateway_may_be_passed_by() {
        let faults = || {
            [
                (Fault::HungUp, Reason::GatewayUnreachable, true),
                (Fault::Left, Reason::GatewayUnreachable, true),
                (Fault::Silent(Duration::from_secs(1)), Reason::GatewayUnreachable, true),
                (Fault::OutOfTime(Duration::from_secs(1)), Reason::GatewayUnreachable, true),
                (Fault::Untrusted { socket: "s".into(), why: "w".into() }, Reason::GatewayUntrusted, false),
                (Fault::Garbled("x".into()), Reason::GatewayUntrusted, false),
                (refused(413), Reason::LimitExceeded, false),
                (refused(400), Reason::Malformed, false),
                (refused(503), Reason::GatewayUnreachable, true),
            ]
        };
        for (fault, reason, _) in faults() {
            let text = fault.to_string();
            let Verdict::Deny(refusal) = verdict(Err(fault), Unanswered::Refuse) else { panic!("{text}") };
            assert_eq!(refusal.judgement.reason, reason, "{text}");
            assert!(!refusal.judgement.message.is_empty());
        }
        for (fault, _, may_pass) in faults() {
            let text = fault.to_string();
            let passed = matches!(verdict(Err(fault), Unanswered::LetPass), Verdict::Allow(_));
            assert_eq!(passed, may_pass, "{text}");
        }
    }

    fn refused(status: u16) -> Fault {
        Fault::Refused { status, code: "c".into(), message: "m".into() }
    }
}
