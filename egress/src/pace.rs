//! A body that is announced must come: a sender that we wait for gives so many bytes a second, after a time of grace.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::{inspect::Stopped, options::Limits, refusal::Refused};

/// Watches one sender.
pub(crate) struct Pace {
    grace: Duration,
    /// Bytes a second.
    rate: u64,
    came: u64,
    /// How long was waited for the sender; the time in which nobody asked it for more is not its fault.
    waited: Duration,
    since: Option<Instant>,
    alarm: Option<Pin<Box<Sleep>>>,
    stopped: Stopped,
}

impl Pace {
    /// `stopped` learns of it when the sender is too slow.
    pub(crate) fn new(limits: &Limits, stopped: Stopped) -> Self {
        let (grace, rate) = (limits.body_grace, limits.body_rate.max(1));
        Self { grace, rate, came: 0, waited: Duration::ZERO, since: None, alarm: None, stopped }
    }

    /// Bytes have come.
    pub(crate) fn came(&mut self, bytes: usize) {
        self.came += bytes as u64;
        self.waited += self.since.take().map(|since| since.elapsed()).unwrap_or_default();
        self.alarm = None;
    }

    /// Nothing has come. Ready when the sender is too slow.
    pub(crate) fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Refused> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let allowed = self.grace + Duration::from_millis(self.came.saturating_mul(1000) / self.rate);
        let deadline = since + allowed.saturating_sub(self.waited);
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        std::task::ready!(alarm.as_mut().poll(cx));
        let refused = Refused::too_slow(self.rate);
        let _ = self.stopped.set(refused.clone());
        Poll::Ready(refused)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::{advance, timeout};

    use super::*;

    async fn is_late(pace: &mut Pace, within: u64) -> bool {
        timeout(Duration::from_millis(within), poll_fn(|cx| pace.poll_late(cx))).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_has_its_grace_and_then_its_rate() {
        let stopped = Stopped::default();
        let mut pace = Pace::new(&Limits::default(), stopped.clone());
        assert!(!is_late(&mut pace, 9_000).await);
        pace.came(2048);
        assert!(!is_late(&mut pace, 2_900).await, "two seconds more");
        pace.came(0);
        // Nobody asked for more.
        advance(Duration::from_secs(60)).await;
        assert!(stopped.get().is_none());
        assert!(is_late(&mut pace, 200).await);
        assert_eq!(stopped.get().unwrap().code(), "too_slow");
    }
}
