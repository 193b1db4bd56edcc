//! What an exchange uses: bytes of both directions, and time. The gate is told as it goes on, and an exchange that is
//! refused meanwhile, because its budget has run out, is broken off.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use rampart_call::{Call, Judgement, Outcome, RuleRef, Usage, Verdict};

use crate::{body::Cut, exchange::record_failure, proxy::Proxy, refusal::Refused};

/// The gate is asked again after so many bytes; what is shorter was judged whole.
const STEP: u64 = 256 * 1024;
/// And after so long.
const TICK: Duration = Duration::from_secs(2);

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Out,
    Back,
}

/// Counts what one exchange uses. Its end is reported when the last one who counts goes.
pub(crate) struct Meter {
    proxy: Arc<Proxy>,
    /// The call that was allowed, without its body.
    call: Call,
    allowed_by: Option<RuleRef>,
    began: Instant,
    sent: AtomicU64,
    received: AtomicU64,
    /// What the gate was told: both directions, and milliseconds.
    told: [AtomicU64; 3],
    asked: AtomicBool,
    stopped: OnceLock<Refused>,
}

impl Meter {
    pub(crate) fn new(proxy: &Arc<Proxy>, call: Call, judgement: &Judgement) -> Arc<Self> {
        Arc::new(Self {
            proxy: Arc::clone(proxy),
            call,
            allowed_by: judgement.rule.clone(),
            began: Instant::now(),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            told: Default::default(),
            asked: AtomicBool::new(false),
            stopped: OnceLock::new(),
        })
    }

    /// Counts bytes that are about to pass.
    ///
    /// # Errors
    /// Why none may pass any more.
    pub(crate) fn count(self: &Arc<Self>, way: Way, bytes: usize) -> Result<(), Cut> {
        if let Some(refused) = self.stopped.get() {
            return Err(Cut::Stopped(refused.message().to_owned()));
        }
        let counter = if way == Way::Out { &self.sent } else { &self.received };
        let before = counter.fetch_add(bytes as u64, Relaxed);
        let stepped = before / STEP != (before + bytes as u64) / STEP;
        let late = self.millis().saturating_sub(self.told[2].load(Relaxed)) > TICK.as_millis() as u64;
        if stepped || late {
            self.tick();
        }
        Ok(())
    }

    /// Has the gate count what was used since it was last told, and asks whether it may go on.
    fn tick(self: &Arc<Self>) {
        self.tell();
        self.ask();
    }

    /// Resolves when nothing may pass any more, and says why: for those who can be silent for long.
    pub(crate) async fn refusal(self: &Arc<Self>) -> Refused {
        let idle_time = self.idle_time();
        let (mut passed, mut since) = (self.passed(), Instant::now());
        loop {
            tokio::time::sleep(idle_time.map_or(TICK, |limit| limit.min(TICK))).await;
            self.tick();
            if let Some(refused) = self.stopped.get() {
                return refused.clone();
            }
            if self.passed() != passed {
                (passed, since) = (self.passed(), Instant::now());
            } else if let Some(limit) = idle_time.filter(|limit| since.elapsed() >= *limit) {
                return self.idle(limit).await;
            }
        }
    }

    /// How long nothing may come before it is ended.
    pub(crate) fn idle_time(&self) -> Option<Duration> {
        self.proxy.limits.idle_time
    }

    /// Puts on record that nothing came for so long.
    async fn idle(&self, limit: Duration) -> Refused {
        let refused = Refused::idle(limit);
        tracing::info!("{}", refused.message());
        record_failure(&self.proxy, &self.call.origin, self.call.action.clone(), &refused).await;
        refused
    }

    /// Ends an exchange whose answer brought nothing for so long.
    pub(crate) fn end_idle(self: &Arc<Self>, limit: Duration) -> Cut {
        let meter = Arc::clone(self);
        self.proxy.tasks.spawn(async move { meter.idle(limit).await });
        Cut::Stopped(Refused::idle(limit).message().to_owned())
    }

    /// Puts on record that the client took nothing any more.
    pub(crate) async fn stalled(&self) {
        let refused = Refused::stalled(self.proxy.limits.answer_time);
        record_failure(&self.proxy, &self.call.origin, self.call.action.clone(), &refused).await;
    }

    /// The bytes that have passed, both ways.
    pub(crate) fn passed(&self) -> u64 {
        self.sent.load(Relaxed) + self.received.load(Relaxed)
    }

    fn millis(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    fn tell(&self) {
        let now = [self.sent.load(Relaxed), self.received.load(Relaxed), self.millis()];
        let [sent, received, millis] =
            std::array::from_fn(|i| now[i].saturating_sub(self.told[i].fetch_max(now[i], Relaxed)));
        let usage = Usage { sent, received, millis };
        if usage != Usage::default() {
            self.proxy.gate.used(&self.call, usage);
        }
    }

    /// Asks again, where the answer would be another one than before.
    fn ask(self: &Arc<Self>) {
        let denies = |j: &Judgement| j.outcome == Outcome::Deny && j.rule != self.allowed_by;
        if self.asked.load(Relaxed) || !self.proxy.gate.preview(&self.call).as_ref().is_some_and(denies) {
            return;
        }
        self.asked.store(true, Relaxed);
        let meter = Arc::clone(self);
        self.proxy.tasks.spawn(async move {
            if let Verdict::Deny(refusal) = meter.proxy.gate.judge_part(meter.call.clone()).await {
                let _ = meter.stopped.set(Refused::Denied(Box::new(refusal.judgement)));
            }
        });
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.tell();
    }
}
