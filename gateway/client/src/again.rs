//! Coming back to a gateway that went away while it held a call for a human. It keeps such questions over a restart, so
//! the same call, asked again, goes on with the same question, or gets the answer that was given meanwhile.

use std::time::{Duration, Instant};

use rampart_call::{Answer, Reason};

use crate::Fault;

/// How long to wait for one that said that it ends: a service that is restarted takes less.
const RESTART: Duration = Duration::from_secs(5);
/// How long to wait for one that died without a word. A surface must refuse within two seconds, and whoever asks the same
/// again later finds the same question.
const CRASH: Duration = Duration::from_millis(1500);
/// How often to try.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

/// Whether, and how long, to come back.
#[derive(Debug)]
pub(crate) struct Again {
    patience: Duration,
    /// When patience with the whole call ends.
    end: Instant,
    /// When to give up on a gateway that is away.
    until: Option<Instant>,
}

impl Again {
    pub(crate) fn new(now: Instant, patience: Duration) -> Self {
        Self { patience, end: now.checked_add(patience).unwrap_or(now + Duration::from_hours(24)), until: None }
    }

    /// What is left of the patience.
    pub(crate) fn left(&self, now: Instant) -> Duration {
        self.end.saturating_duration_since(now)
    }

    /// Whether to ask again, after [`PAUSE`], rather than take this for an answer.
    pub(crate) fn after(&mut self, outcome: &Result<Answer, Fault>, now: Instant) -> bool {
        match outcome {
            Ok(answer) if answer.judgement.reason == Reason::GatewayEnded => {
                self.until.get_or_insert(now + RESTART);
            }
            Err(Fault::Left) => self.until = Some(now + CRASH),
            // It is not there yet, or it is about to go.
            Err(Fault::Unreachable { .. } | Fault::HungUp) => {}
            _ => return false,
        }
        self.until.is_some_and(|until| now + PAUSE < until.min(self.end))
    }

    /// The last outcome, told as what happened to the whole call.
    pub(crate) fn in_all(&self, outcome: Result<Answer, Fault>) -> Result<Answer, Fault> {
        outcome.map_err(|fault| match fault {
            Fault::Unreachable { .. } | Fault::HungUp if self.until.is_some() => Fault::Left,
            Fault::OutOfTime(_) => Fault::OutOfTime(self.patience),
            other => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use rampart_call::Judgement;

    use super::*;

    fn ended() -> Answer {
        let judgement = Judgement::refused(Reason::GatewayEnded, "kept");
        Answer { verdict: judgement.outcome, judgement, seq: None }
    }

    fn away() -> Result<Answer, Fault> {
        Err(Fault::Unreachable { socket: "s".into(), why: "w".into(), remedy: "r" })
    }

    #[test]
    fn only_a_gateway_that_held_the_call_is_waited_for_and_not_for_long() {
        let now = Instant::now();
        let mut again = Again::new(now, Duration::from_mins(1));
        assert!(!again.after(&away(), now), "it was never there");
        assert!(!again.after(&Err(Fault::HungUp), now), "it held nothing");
        assert!(again.after(&Err(Fault::Left), now));
        assert!(again.after(&away(), now + CRASH / 2));
        assert!(!again.after(&away(), now + CRASH));
        assert!(matches!(again.in_all(away()), Err(Fault::Left)));
        let mut again = Again::new(now, Duration::from_mins(1));
        assert!(again.after(&Ok(ended()), now));
        assert!(again.after(&away(), now + RESTART / 2));
        assert!(!again.after(&away(), now + RESTART));
        let mut again = Again::new(now, Duration::from_secs(1));
        assert!(again.after(&Ok(ended()), now));
        assert!(!again.after(&away(), now + Duration::from_secs(1)), "no longer than a surface may take");
        assert!(!again.after(&Err(Fault::Silent(PAUSE)), now), "one that hangs is not asked again");
    }
}
