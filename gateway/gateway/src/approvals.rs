//! Questions that wait for a human: the queue, the callers that it holds, and what is kept of both over a restart.

mod binding;
mod kept;
pub(crate) mod link;
mod past;
mod queue;

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rampart_call::{Call, Judgement};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

pub use self::queue::{Agreed, Ended, Ending, NotTaken, Question, Reply};
use self::{
    kept::Folder,
    queue::{Asked, Queue},
};
pub(crate) use self::{
    kept::Kept,
    queue::{PER_AGENT, Taken, TooMany},
};
use crate::clock;

/// How often a held question looks at the boot clock, which runs on while the machine sleeps, as timers do not.
pub(crate) const LOOK: Duration = Duration::from_millis(500);

/// All questions of a gateway.
#[derive(Debug)]
pub(crate) struct Approvals {
    folder: Folder,
    inner: Arc<Mutex<Inner>>,
    unattended: mpsc::UnboundedSender<Ended>,
    /// Held while one of several people's answers is written down: the next counts upon what is on record.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Inner {
    queue: Queue,
    /// Whom to tell how a question ended.
    held: HashMap<String, oneshot::Sender<Ending>>,
    /// The gateway ends. Whoever waits is sent away, and the questions stay.
    suspended: bool,
}

/// A question that somebody waits for. Dropped before its end, it is withdrawn.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) question: Question,
    pub(crate) since: Since,
    ending: oneshot::Receiver<Ending>,
    inner: Arc<Mutex<Inner>>,
    unattended: mpsc::UnboundedSender<Ended>,
}

/// How long a question is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// It is new.
    Now,
    /// It was asked before a restart.
    Restart,
    /// It was asked before a restart, and its answer waited for whoever asked.
    Answer,
}

impl Approvals {
    /// Nothing waits yet. `folder` is where questions are kept. The receiver gets the questions that end while nobody
    /// waits for them.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub(crate) fn open(folder: PathBuf) -> io::Result<(Self, mpsc::UnboundedReceiver<Ended>)> {
        let (unattended, receiver) = mpsc::unbounded_channel();
        let folder = Folder::open(folder)?;
        Ok((Self { folder, inner: Arc::default(), unattended, turn: tokio::sync::Mutex::default() }, receiver))
    }

    /// Lets a question wait for so long and until so many people agree, or goes on waiting for one from before a restart.
    pub(crate) fn ask(
        &self,
        call: &Call,
        judgement: &Judgement,
        approvals: u8,
        lasts: Duration,
    ) -> Result<Held, TooMany> {
        let (now, asked_ms) = (clock::boot_ms(), clock::wall_ms());
        let lasts = lasts.as_millis() as u64;
        let question = Question {
            id: new_id(),
            payload: binding::payload(call),
            call: call.clone(),
            judgement: judgement.clone(),
            decision: 0,
            asked_ms,
            expires_ms: asked_ms.saturating_add(lasts),
            expires_boot_ms: now.saturating_add(lasts),
            approvals,
            agreed: Vec::new(),
        };
        let (tell, ending) = oneshot::channel();
        let mut inner = lock(&self.inner);
        let (question, since) = match inner.queue.ask(question, now)? {
            Asked::New(question) => (question, Since::Now),
            Asked::Again(question) => (question, Since::Restart),
            Asked::Answered(question, reply) => {
                let _ = tell.send(Ending::Answered(reply));
                let (inner, unattended) = (Arc::clone(&self.inner), self.unattended.clone());
                return Ok(Held { question, since: Since::Answer, ending, inner, unattended });
            }
        };
        if !inner.suspended {
            inner.held.insert(question.id.clone(), tell);
        }
        drop(inner);
        Ok(Held { question, since, ending, inner: Arc::clone(&self.inner), unattended: self.unattended.clone() })
    }

    /// Takes an answer. It counts once [`release`](Self::release) is called, after it was recorded.
    pub(crate) fn answer(&self, prefix: &str, reply: Reply) -> Result<Taken, NotTaken> {
        lock(&self.inner).queue.answer(prefix, reply, clock::boot_ms())
    }

    /// Waits for the answers of others to a question that needs several; to be kept until one's own is written down.
    pub(crate) async fn turn(&self, prefix: &str) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let several = self.find(prefix).is_ok_and(|question| question.approvals > 1);
        if several { Some(self.turn.lock().await) } else { None }
    }

    /// Somebody's agreement could not be written down, so it does not count.
    pub(crate) fn disagree(&self, id: &str, person: Option<&str>) {
        lock(&self.inner).queue.disagree(id, person);
    }

    /// Tells whoever asked, or keeps the answer until they come back. Before anybody is told, the question is gone for
    /// good, so that no restart lets its answer be used again.
    ///
    /// # Errors
    /// When that cannot be made sure; then nobody is told that they may go on.
    pub(crate) async fn release(&self, ended: Ended) -> io::Result<()> {
        let (tell, stays) = {
            let mut inner = lock(&self.inner);
            let tell = inner.held.remove(&ended.question.id);
            let stays = inner.queue.settle(&ended, tell.is_some());
            (tell, stays)
        };
        if stays {
            return Ok(());
        }
        let forgotten = self.forget(&ended.question.id).await;
        if let (Some(tell), Ok(())) = (tell, &forgotten) {
            // Whoever asked may have gone away this moment; then nobody acts on the answer.
            let _ = tell.send(ended.ending);
        }
        forgotten
    }

    /// Writes a question down. It survives a restart from then on.
    pub(crate) async fn keep(&self, kept: Kept) -> io::Result<()> {
        let folder = self.folder.clone();
        blocking(move || folder.keep(&kept)).await
    }

    /// Removes what is kept of a question.
    pub(crate) async fn forget(&self, id: &str) -> io::Result<()> {
        let (folder, id) = (self.folder.clone(), id.to_owned());
        blocking(move || folder.forget(&id)).await
    }

    /// The questions that were kept.
    pub(crate) fn kept(&self) -> io::Result<Vec<Kept>> {
        self.folder.all()
    }

    /// Takes in a question from before a restart, with its answer if it had one.
    pub(crate) fn restore(&self, question: Question, answer: Option<Reply>) {
        lock(&self.inner).queue.restore(question, answer);
    }

    /// Sends away everybody who waits. Their questions are kept for the next start.
    pub(crate) fn suspend(&self) {
        let mut inner = lock(&self.inner);
        inner.suspended = true;
        inner.queue.leave_alone();
        inner.held.clear();
    }

    /// Ends what has expired.
    pub(crate) fn tick(&self) {
        tick(&self.inner, &self.unattended);
    }

    /// Whether there are questions whose asker is away.
    pub(crate) fn any_alone(&self) -> bool {
        lock(&self.inner).queue.any_alone()
    }

    /// Every question that waits, oldest first.
    pub(crate) fn waiting(&self) -> Vec<Question> {
        lock(&self.inner).queue.waiting(clock::boot_ms())
    }

    /// How many wait.
    pub(crate) fn count(&self) -> usize {
        lock(&self.inner).queue.count(clock::boot_ms())
    }

    /// The one whose id begins so.
    pub(crate) fn find(&self, prefix: &str) -> Result<Question, NotTaken> {
        lock(&self.inner).queue.find(prefix).cloned()
    }

    /// What a question was about that is over.
    pub(crate) fn past_payload(&self, id: &str) -> Option<String> {
        lock(&self.inner).queue.past_payload(id)
    }
}

impl Held {
    /// Shows the question to people, now that it is on record, and waits for its end.
    pub(crate) async fn ending(&mut self) -> Ending {
        lock(&self.inner).queue.publish(&self.question.id, self.question.decision);
        loop {
            match timeout(LOOK.min(self.left()), &mut self.ending).await {
                Ok(Ok(ending)) => return ending,
                Ok(Err(_)) if lock(&self.inner).suspended => return Ending::Suspended,
                Ok(Err(_)) => return Ending::Withdrawn,
                Err(_) => tick(&self.inner, &self.unattended),
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
        if inner.suspended {
            return;
        }
        inner.held.remove(&self.question.id);
        if let Some(ended) = inner.queue.withdraw(&self.question.id) {
            // Nobody listens when the gateway itself goes away.
            let _ = self.unattended.send(ended);
        }
    }
}

fn tick(inner: &Mutex<Inner>, unattended: &mpsc::UnboundedSender<Ended>) {
    let mut inner = lock(inner);
    for ended in inner.queue.tick(clock::boot_ms()) {
        let _ = match inner.held.remove(&ended.question.id) {
            Some(tell) => tell.send(ended.ending).is_ok(),
            None => unattended.send(ended).is_ok(),
        };
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Err(io::Error::other(e)))
}

/// Twelve hex digits. Random rather than rising, so that a few of them tell questions of the same minute apart; no
/// secret, so the seed of the standard library's maps will do.
fn new_id() -> String {
    format!("{:012x}", RandomState::new().hash_one(clock::boot_ms()) >> 16)
}
