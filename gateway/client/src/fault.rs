//! Why there is no answer, and what a surface makes of that.

use std::time::Duration;

use rampart_call::{Answer, Call, Judgement, Outcome, Reason, Verdict, answer_to_verdict};

use crate::Unanswered;

/// Why a question to the gateway has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Nobody listens.
    #[error("no Rampart gateway answers at {socket} ({why}); {remedy}")]
    Unreachable {
        /// Where it should listen.
        socket: String,
        /// What the system said.
        why: String,
        /// Who starts it, and how.
        remedy: &'static str,
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

    /// The same as a word.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Untrusted { .. } => "untrusted",
            Self::Silent(_) => "silent",
            Self::HungUp => "hung_up",
            Self::Left => "left",
            Self::OutOfTime(_) => "out_of_time",
            Self::Garbled(_) => "garbled",
            Self::Refused { .. } => "refused",
        }
    }

    /// Whether the gateway is away, rather than alive and not done: then a surface that may fail open does not.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Silent(_) | Self::HungUp | Self::Left)
    }

    /// What a surface does without an answer. The only place where a client lets anything pass by itself.
    fn into_answer(self, unanswered: &Unanswered, call: &Call) -> Answer {
        let mut judgement = Judgement::refused(self.reason(), self.to_string());
        if judgement.reason == Reason::GatewayUnreachable && unanswered.lets_pass(call, &self) {
            judgement.outcome = Outcome::Allow;
        }
        Answer { verdict: judgement.outcome, judgement, seq: None }
    }
}

/// The verdict on a call for a surface, whether or not there was an answer.
#[expect(clippy::disallowed_methods, reason = "the client is one of the two gates")]
pub(crate) fn verdict(answer: Result<Answer, Fault>, unanswered: &Unanswered, call: &Call) -> Verdict {
    answer_to_verdict(answer.unwrap_or_else(|fault| fault.into_answer(unanswered, call)))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

    use rampart_call::{Action, Lost, Origin, Phase, Standing, Surface};

    use super::*;

    fn call() -> Call {
        let action = Action::Tool { name: "deploy".into(), input: serde_json::Value::Null };
        let origin = Origin { surface: Surface::Shell, ..Origin::default() };
        Call { origin, phase: Phase::Before, action, response: None }
    }

    fn refused(status: u16) -> Fault {
        Fault::Refused { status, code: "c".into(), message: "m".into() }
    }

    /// Every fault, and whether a surface passes it by when its gateway only watches, and when it may fail open.
    fn faults() -> [(Fault, Reason, bool, bool); 9] {
        let second = Duration::from_secs(1);
        [
            (Fault::HungUp, Reason::GatewayUnreachable, true, true),
            (Fault::Left, Reason::GatewayUnreachable, true, true),
            (Fault::Silent(second), Reason::GatewayUnreachable, true, true),
            (
                Fault::Unreachable { socket: "s".into(), why: "w".into(), remedy: "r" },
                Reason::GatewayUnreachable,
                true,
                true,
            ),
            (Fault::OutOfTime(second), Reason::GatewayUnreachable, true, false),
            (refused(503), Reason::GatewayUnreachable, true, false),
            (Fault::Untrusted { socket: "s".into(), why: "w".into() }, Reason::GatewayUntrusted, false, false),
            (Fault::Garbled("x".into()), Reason::GatewayUntrusted, false, false),
            (refused(400), Reason::Malformed, false, false),
        ]
    }

    fn passes(fault: Fault, home: &Path) -> bool {
        matches!(verdict(Err(fault), &Unanswered::AsTold(home.to_owned()), &call()), Verdict::Allow(_))
    }

    #[test]
    fn without_a_word_of_the_gateway_nothing_passes() {
        let home = tempfile::tempdir().unwrap();
        let untold = Unanswered::AsTold(home.path().to_owned());
        for unanswered in [Unanswered::Refuse, untold] {
            let too_long = (refused(413), Reason::LimitExceeded, false, false);
            for (fault, reason, ..) in faults().into_iter().chain([too_long]) {
                let text = fault.to_string();
                let Verdict::Deny(refusal) = verdict(Err(fault), &unanswered, &call()) else { panic!("{text}") };
                assert_eq!(refusal.judgement.reason, reason, "{text}");
                assert!(!refusal.judgement.message.is_empty());
            }
        }
    }

    #[test]
    fn an_absent_gateway_is_passed_by_as_it_said_and_each_call_is_written_down() {
        for (mode, fail_open) in
            [("monitor", vec![]), ("enforce", vec![Surface::Shell]), ("enforce", vec![Surface::Hook])]
        {
            let home = tempfile::tempdir().unwrap();
            for folder in ["run", "state"] {
                fs::create_dir(home.path().join(folder)).unwrap();
            }
            let told = Standing { mode: mode.into(), fail_open: fail_open.clone(), ..Standing::default() };
            let path = home.path().join(Standing::FILE);
            fs::write(&path, serde_json::to_vec(&told).unwrap()).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let mut written = 0;
            for (fault, _, watching, open) in faults() {
                let text = fault.to_string();
                let expected = if mode == "monitor" { watching } else { open && fail_open == [Surface::Shell] };
                assert_eq!(passes(fault, home.path()), expected, "{mode} {fail_open:?}: {text}");
                written += usize::from(expected);
            }
            let notes = fs::read_to_string(home.path().join(Lost::FILE)).unwrap_or_default();
            assert_eq!(notes.lines().count(), written, "{mode}: {notes}");
            for line in notes.lines() {
                let lost: Lost = rampart_call::strict::from_slice(line.as_bytes()).unwrap();
                assert_eq!((lost.surface, lost.tool.as_str()), (Surface::Shell, "deploy"));
            }
        }
    }
}
