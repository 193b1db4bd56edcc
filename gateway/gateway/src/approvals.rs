//! Questions that wait for a human: the queue, and the callers that it holds.

mod queue;

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rampart_call::{Call, Judgement};
use sha2::{Digest, Sha256};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use self::queue::Queue;
pub use self::queue::{Ended, Ending, NotTaken, Question, Reply};
pub(crate) use self::queue::{PER_AGENT, TooMany};
use crate::clock;

/// How often a held question looks at the boot clock, which runs on while the machine sleeps, as timers do not.
const LOOK: Duration = Duration::from_millis(500);

/// All questions of a gateway.
#[derive(Debug)]
pub(crate) struct Approvals {
    timeout: Duration,
    inner: Arc<Mutex<Inner>>,
    abandoned: mpsc::UnboundedSender<Question>,
}

#[derive(Debug, Default)]
struct Inner {
    queue: Queue,
    /// Whom to tell how a question ended.
    held: HashMap<String, oneshot::Sender<Ending>>,
}

/// A question that somebody waits for. Dropped before its end, it is withdrawn.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) question: Question,
    ending: oneshot::Receiver<Ending>,
    inner: Arc<Mutex<Inner>>,
    abandoned: mpsc::UnboundedSender<Question>,
}

impl Approvals {
    /// Nothing waits. The receiver gets the questions that whoever asked did not wait for to the end.
    pub(crate) fn new(timeout: Duration) -> (Self, mpsc::UnboundedReceiver<Question>) {
        let (abandoned, receiver) = mpsc::unbounded_channel();
        (Self { timeout, inner: Arc::default(), abandoned }, receiver)
    }

    /// Lets a question wait.
    pub(crate) fn ask(&self, call: &Call, judgement: &Judgement) -> Result<Held, TooMany> {
        let question = Question {
            id: new_id(),
            payload: payload(call),
            call: call.clone(),
            judgement: judgement.clone(),
            decision: 0,
            asked_ms: clock::wall_ms(),
            expires_boot_ms: clock::boot_ms().saturating_add(self.timeout.as_millis() as u64),
        };
        let (tell, ending) = oneshot::channel();
        let mut inner = lock(&self.inner);
        inner.queue.ask(question.clone())?;
        inner.held.insert(question.id.clone(), tell);
        Ok(Held { question, ending, inner: Arc::clone(&self.inner), abandoned: self.abandoned.clone() })
    }

    /// Takes an answer. It counts once [`release`](Self::release) is called, after it was recorded.
    pub(crate) fn answer(&self, prefix: &str, reply: Reply) -> Result<Ended, NotTaken> {
        let mut inner = lock(&self.inner);
        inner.queue.answer(prefix, reply, clock::boot_ms())
    }

    /// Tells whoever asked.
    pub(crate) fn release(&self, id: &str, ending: Ending) {
        if let Some(tell) = lock(&self.inner).held.remove(id) {
            // Whoever asked may have gone away this moment; then nobody acts on the answer.
            let _ = tell.send(ending);
        }
    }

    /// Every question that waits, oldest first.
    pub(crate) fn waiting(&self) -> Vec<Question> {
        lock(&self.inner).queue.waiting()
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        lock(&self.inner).queue.len()
    }

    /// The one whose id begins so.
    pub(crate) fn find(&self, prefix: &str) -> Result<Question, NotTaken> {
        lock(&self.inner).queue.find(prefix).cloned()
    }
}

impl Held {
    /// Shows the question to people, now that it is on record, and waits for its end.
    pub(crate) async fn ending(&mut self, decision: u64) -> Ending {
        self.question.decision = decision;
        lock(&self.inner).queue.publish(&self.question.id, decision);
        loop {
            if let Ok(ending) = timeout(LOOK.min(self.left()), &mut self.ending).await {
                return ending.unwrap_or(Ending::Withdrawn);
            }
            let mut inner = lock(&self.inner);
            for ended in inner.queue.tick(clock::boot_ms()) {
                if let Some(tell) = inner.held.remove(&ended.question.id) {
                    let _ = tell.send(ended.ending);
                }
            }
        }
    }

    fn left(&self) -> Duration {
        Duration::from_millis(self.question.expires_boot_ms.saturating_sub(clock::boot_ms()))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut inner = lock(&self.inner);
        inner.held.remove(&self.question.id);
        if let Some(ended) = inner.queue.withdraw(&self.question.id) {
            // Nobody listens when the gateway itself goes away.
            let _ = self.abandoned.send(ended.question);
        }
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an answer is bound to.
fn payload(call: &Call) -> String {
    let text = serde_json::to_vec(call).unwrap_or_default();
    hex::encode(Sha256::digest(text))
}

/// Twelve hex digits. Random rather than rising, so that a few of them tell questions of the same minute apart; no
/// secret, so the seed of the standard library's maps will do.
fn new_id() -> String {
    format!("{:012x}", RandomState::new().hash_one(clock::boot_ms()) >> 16)
}
