//! Delivers events, each target from a queue of its own, so that one that hangs delays no other and no decision. What
//! cannot be delivered is counted, and the count is put on record.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use http::{StatusCode, Uri};
use prometheus_client::metrics::counter::Counter;
use rampart_call::{Answer, Outcome};
use rampart_policy::Notify;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use super::{Event, Target, event::told_as};
use crate::{
    audit::{Entry, Trail, Untold},
    outside::{self, Http},
};

/// Events that may wait for one target.
const QUEUE: usize = 256;
/// How long one event is tried.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);
/// About how long the second attempt waits; each further one twice as long.
const PAUSE: Duration = Duration::from_millis(500);
/// Losses are put on record at most this often for one target.
const REPORT: Duration = Duration::from_secs(10);
/// How long the end of the gateway waits for what is still to be delivered.
const FAREWELL: Duration = Duration::from_secs(3);

/// Where decisions are told.
#[derive(Debug)]
pub(crate) struct Notices {
    http: Option<Http>,
    trail: Trail,
    /// From `config.yaml`; policies add theirs.
    targets: ArcSwap<Vec<Target>>,
    /// Counts what was not delivered.
    dropped: Counter,
    queues: Mutex<HashMap<Uri, Queue>>,
    tasks: TaskTracker,
    ending: CancellationToken,
}

/// The way to the task that serves one target.
#[derive(Debug)]
struct Queue {
    target: Target,
    events: mpsc::Sender<Arc<Event>>,
    /// Events that found no place.
    overflown: Arc<AtomicU64>,
}

impl Notices {
    /// Nothing waits. Without `http` there is no way to tell anybody.
    pub(crate) fn new(http: Option<Http>, trail: Trail, targets: Vec<Target>, dropped: Counter) -> Self {
        let (queues, tasks, ending) = (Mutex::default(), TaskTracker::new(), CancellationToken::new());
        Self { http, trail, targets: ArcSwap::from_pointee(targets), dropped, queues, tasks, ending }
    }

    /// From now on these are told.
    pub(crate) fn change(&self, targets: Vec<Target>) {
        self.targets.store(Arc::new(targets));
    }

    /// Tells whoever wants to hear of it, later. `also` is what the policies in force add to the targets.
    pub(crate) fn tell(&self, also: &[Notify], answer: &Answer, event: impl FnOnce() -> Event) {
        let told = told_as(answer);
        let left = answer.judgement.rule.as_ref().is_some_and(|rule| rule.action == Outcome::Webhook);
        let wants = |on: &[Outcome]| on.contains(&told) || (left && on.contains(&Outcome::Webhook));
        let Some(http) = &self.http else { return };
        let targets = self.targets.load();
        let mut wanted: Vec<Target> = targets.iter().filter(|target| wants(&target.on)).cloned().collect();
        for notify in also.iter().filter(|notify| wants(&notify.on)) {
            match Target::new(&notify.url, notify.on.clone()) {
                // The configuration knows more of it, such as its secret.
                Some(target) if targets.iter().any(|t| t.url == target.url) => {}
                Some(target) => wanted.push(target),
                None => warn!("a policy's `notify` has an address that cannot be called"),
            }
        }
        if wanted.is_empty() {
            return;
        }
        let event = Arc::new(event());
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that no configuration names any more end when they have told what waits.
        queues.retain(|url, _| {
            targets.iter().any(|t| t.url == *url) || also.iter().any(|n| n.url.parse().is_ok_and(|u: Uri| u == *url))
        });
        for target in wanted {
            let queue = queues.entry(target.url.clone()).or_insert_with(|| self.open(http.clone(), target.clone()));
            if queue.target != target {
                *queue = self.open(http.clone(), target);
            }
            if queue.events.try_send(Arc::clone(&event)).is_err() {
                queue.overflown.fetch_add(1, Ordering::Relaxed);
                self.dropped.inc();
            }
        }
    }

    fn open(&self, http: Http, target: Target) -> Queue {
        let (events, waiting) = mpsc::channel(QUEUE);
        let overflown = Arc::new(AtomicU64::new(0));
        let courier = Courier {
            http,
            target: target.clone(),
            trail: self.trail.clone(),
            overflown: Arc::clone(&overflown),
            dropped: self.dropped.clone(),
            lost: 0,
            cause: String::new(),
            reported: None,
        };
        self.tasks.spawn(courier.run(waiting, self.ending.clone()));
        Queue { target, events, overflown }
    }

    /// Ends: what waits is still told if that goes quickly, and counted as lost if not.
    pub(crate) async fn close(&self) {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.tasks.close();
        if timeout(FAREWELL, self.tasks.wait()).await.is_err() {
            self.ending.cancel();
            self.tasks.wait().await;
        }
    }
}

/// Serves one target.
struct Courier {
    http: Http,
    target: Target,
    trail: Trail,
    overflown: Arc<AtomicU64>,
    dropped: Counter,
    /// Events that were not delivered and are not on record as lost yet, and why the last was not.
    lost: u64,
    cause: String,
    reported: Option<Instant>,
}

impl Courier {
    async fn run(mut self, mut waiting: mpsc::Receiver<Arc<Event>>, ending: CancellationToken) {
        while let Some(event) = waiting.recv().await {
            let delivered = tokio::select! {
                biased;
                () = ending.cancelled() => Err("the gateway ended".to_owned()),
                delivered = self.deliver(&event) => delivered,
            };
            if let Err(why) = delivered {
                warn!(to = %self.target, "a notification was not delivered: {why}");
                self.lost += 1;
                self.dropped.inc();
                self.cause = why;
            }
            if !ending.is_cancelled() && self.reported.is_none_or(|at| at.elapsed() >= REPORT) {
                self.report().await;
            }
        }
        self.report().await;
    }

    /// Tries until it is taken, refused for good, or too late.
    async fn deliver(&self, event: &Event) -> Result<(), String> {
        let request = self.target.render(event);
        let deadline = Instant::now() + DEADLINE;
        let mut pause = PAUSE;
        loop {
            let until = deadline.min(Instant::now() + ATTEMPT);
            let (why, wait) = match timeout_at(until, outside::send(&self.http, request.clone())).await {
                Ok(Ok(reply)) if reply.status.is_success() => return Ok(()),
                Ok(Ok(reply)) if passing(reply.status) => (format!("it answered {}", reply.status), reply.retry_after),
                Ok(Ok(reply)) => return Err(format!("it answered {}", reply.status)),
                Ok(Err(why)) => (why, None),
                Err(_) => (format!("no answer within {} s", ATTEMPT.as_secs()), None),
            };
            let wait = wait.unwrap_or_else(|| jitter(pause));
            if Instant::now() + wait >= deadline {
                return Err(why);
            }
            sleep(wait).await;
            pause *= 2;
        }
    }

    async fn report(&mut self) {
        let overflown = self.overflown.swap(0, Ordering::Relaxed);
        let dropped = self.lost + overflown;
        if dropped == 0 {
            return;
        }
        let cause = if self.lost == 0 { format!("{QUEUE} wait already") } else { std::mem::take(&mut self.cause) };
        let cause = format!("{}: {cause}", self.target);
        let untold = Untold { reason: "notify", dropped, cause: &cause };
        match self.trail.append(Entry::Gap(untold)).await {
            Ok(_) => (self.lost, self.reported) = (0, Some(Instant::now())),
            Err(unavailable) => {
                (self.lost, self.cause) = (dropped, cause);
                warn!("cannot record that notifications were lost: {unavailable}");
            }
        }
    }
}

/// Whether the same request may be taken later.
fn passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

/// Between half and one and a half of a pause, so that those who were turned away together do not come back together.
fn jitter(pause: Duration) -> Duration {
    let mut random = [0; 2];
    // Without randomness the pause is as good as any.
    let _ = getrandom::fill(&mut random);
    pause / 2 + pause.mul_f64(f64::from(u16::from_ne_bytes(random)) / f64::from(u16::MAX))
}

#[cfg(test)]
mod tests;
