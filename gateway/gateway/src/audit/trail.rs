//! The handle on an open trail that the rest of the gateway uses.

use std::{
    borrow::Cow,
    io,
    path::Path,
    sync::{
        Arc, Mutex,
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
};

use tokio::{
    sync::{broadcast, oneshot, watch},
    task::yield_now,
};

use super::{
    Checkpoint, Entry, Health, Keep, OpenError, Recorded, Settings, Unavailable,
    directory::Directory,
    gathered::{Batch, Gathered},
    log::Log,
    record::redacted,
    redact::Redactor,
    writer::{self, CLOSED, Request, Shared, Writer},
};

/// Records that may wait for the writer. More than that means that the disk does not keep up.
const QUEUE: usize = 16 * 1024;
/// Lines that a slow subscriber may lag behind.
const BACKLOG: usize = 4096;
/// The file with the key under which secrets are fingerprinted.
const REDACTION_KEY: &str = "redaction.key";

/// An open audit trail. Clones write to the same one.
#[derive(Clone)]
pub struct Trail {
    log: Arc<Shared>,
    requests: SyncSender<Request>,
    gathered: Arc<Gathered>,
    redactor: Redactor,
    health: Arc<Mutex<Health>>,
    lines: broadcast::Sender<Recorded>,
    checkpoints: watch::Receiver<Option<Checkpoint>>,
}

impl std::fmt::Debug for Trail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trail").field("health", &self.health).finish_non_exhaustive()
    }
}

impl Trail {
    /// Opens the trail in `dir`, making the directory when it is missing, and begins a new segment. The caller holds
    /// whatever lock makes it the only one to do so.
    ///
    /// # Errors
    /// When the directory or a file in it is not ours alone, or cannot be read or written.
    pub fn open(dir: &Path, settings: Settings) -> Result<Self, OpenError> {
        let directory = Directory::open(dir)?;
        let redactor = Redactor::new(redaction_key(&directory)?);
        let (lines, _) = broadcast::channel(BACKLOG);
        let (newest, checkpoints) = watch::channel(None);
        let log: Arc<Shared> = Arc::new(Mutex::new(Some(Log::open(directory, settings, lines.clone(), newest)?)));
        let (requests, queue) = sync_channel(QUEUE);
        let health = Arc::new(Mutex::new(Health::default()));
        let gathered = Arc::new(Gathered::new());
        let writer = Writer { log: Arc::clone(&log), gathered: Arc::clone(&gathered), health: Arc::clone(&health) };
        std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || writer.run(&queue))
            .map_err(|e| OpenError::io("served by a thread", dir, e))?;
        Ok(Self { log, requests, gathered, redactor, health, lines, checkpoints })
    }

    /// Records an entry and returns its `seq`. Denials, questions, approvals, policy, configuration and token events are
    /// on disk when this returns; other decisions are written, and go to the disk within 5 ms.
    ///
    /// # Errors
    /// When the entry is not on record. The trail recovers by itself when it can.
    pub async fn append(&self, entry: Entry<'_>) -> Result<u64, Unavailable> {
        let (answered, more) = self.gathered.add(entry.draft(&self.redactor));
        let writing = Writing(self);
        if more {
            yield_now().await;
        }
        drop(writing);
        answered.await.unwrap_or_else(|_| Err(Unavailable::new(CLOSED)))
    }

    /// Writes what was gathered: here where that is quick, otherwise by the writer's thread. Whoever has the log in hand looks
    /// for more when letting go of it, so that nobody need wait for it.
    fn write_gathered(&self) {
        while !self.gathered.is_empty() {
            let Some(mut hand) = writer::hold_if_free(&self.log) else { return };
            let batch = self.gathered.take();
            match hand.as_mut() {
                None => batch.answer(&Err(Unavailable::new(CLOSED))),
                Some(log) if log.takes_at_once(&batch.drafts) => {
                    let was_synced = log.is_synced();
                    let result = log.commit(&batch.drafts);
                    writer::tell(log, &self.health);
                    drop(hand);
                    if was_synced {
                        // a full queue wakes the writer as well
                        let _ = self.requests.try_send(Request::Look);
                    }
                    batch.answer(&result);
                }
                // Something is due that takes longer.
                Some(_) => {
                    drop(hand);
                    self.leave_to_writer(batch);
                }
            }
        }
    }

    fn leave_to_writer(&self, batch: Batch) {
        if let Err(e) = self.requests.try_send(Request::Append(batch)) {
            let (why, request) = refused(e);
            if let Request::Append(batch) = request {
                batch.answer(&Err(why));
            }
        }
    }

    /// A text as a record would have it: without secrets, and of bounded length.
    pub(crate) fn redacted_text(&self, text: &str) -> String {
        self.redactor.text(text)
    }

    /// The same for a name.
    pub(crate) fn redacted_name<'a>(&self, name: &'a str) -> Cow<'a, str> {
        self.redactor.name(name)
    }

    /// The same for all texts of something.
    pub(crate) fn redacted(&self, body: &impl serde::Serialize) -> serde_json::Value {
        redacted(body, &self.redactor)
    }

    /// Counts a call that went on although it could not be recorded, because `audit.on_failure: allow` says so. The
    /// next `gap` record names the number.
    pub fn passed_unrecorded(&self) {
        // if even this cannot be queued, the trail is closed or 16,384 behind, and refuses everything anyway
        let _ = self.requests.try_send(Request::Passed(1));
    }

    /// Removes the segments that need not be kept, oldest first, after a `retire` record that says so. The segment that
    /// is being written stays. Returns how many were removed.
    ///
    /// # Errors
    /// When the record cannot be written or a file cannot be removed.
    pub async fn retire(&self, keep: Keep) -> Result<usize, Unavailable> {
        let (answer, answered) = oneshot::channel();
        self.requests.try_send(Request::Retire(keep, answer)).map_err(|e| refused(e).0)?;
        answered.await.unwrap_or_else(|_| Err(Unavailable::new(CLOSED)))
    }

    /// How the trail is doing.
    pub fn health(&self) -> Health {
        self.health.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Every record from now on, in order, as soon as it is written. One that lags too far behind is told how much it
    /// missed, and can read that from the files.
    pub fn subscribe(&self) -> broadcast::Receiver<Recorded> {
        self.lines.subscribe()
    }

    /// The newest checkpoint of this run, each time there is another.
    pub(super) fn checkpoints(&self) -> watch::Receiver<Option<Checkpoint>> {
        self.checkpoints.clone()
    }

    /// Ends the trail in order: a `close` record and a last checkpoint. What is appended afterwards is refused.
    pub async fn close(&self) {
        let (answer, answered) = oneshot::channel();
        let mut request = Request::Close(answer);
        while let Err(TrySendError::Full(back)) = self.requests.try_send(request) {
            request = back;
            yield_now().await;
        }
        let _ = answered.await;
    }
}

/// Writes what was gathered when it goes, also where nobody waits for one of the records any more.
struct Writing<'a>(&'a Trail);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.write_gathered();
    }
}

/// Why the writer did not take a request, and the request.
fn refused(e: TrySendError<Request>) -> (Unavailable, Request) {
    match e {
        TrySendError::Full(request) => {
            (Unavailable::new(&format!("{QUEUE} records wait for the disk already")), request)
        }
        TrySendError::Disconnected(request) => (Unavailable::new(CLOSED), request),
    }
}

/// Reads the installation's key, or makes one.
fn redaction_key(dir: &Directory) -> Result<[u8; 32], OpenError> {
    let path = dir.path_of(REDACTION_KEY);
    let read = dir.read_small(REDACTION_KEY).map_err(|e| OpenError::io("read", &path, e))?;
    if let Some(bytes) = read {
        dir.check(REDACTION_KEY)?;
        return <[u8; 32]>::try_from(bytes).map_err(|bytes: Vec<u8>| {
            let what = format!("holds {} bytes where a key has 32", bytes.len());
            OpenError::untrusted(&path, &what, "restore it; without it equal secrets no longer look equal")
        });
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|e| OpenError::io("made", &path, io::Error::other(e.to_string())))?;
    dir.create_with(REDACTION_KEY, &key).map_err(|e| OpenError::io("made", &path, e))?;
    Ok(key)
}
