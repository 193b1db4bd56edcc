//! The trail on disk, as one thing that is told to commit batches. Synchronous, and used by one thread at a time; the
//! clock comes in with the settings. What goes wrong here ends in one of two ways: the batch stands in a new segment, or
//! nobody is told that it was recorded.

mod trouble;

use std::{io, sync::Arc};

use ed25519_dalek::SigningKey;
use tokio::sync::{broadcast, watch};

use self::trouble::{Fault, Trouble};
use super::{
    Keep, OpenError, Recorded, Settings, Unavailable,
    checkpoint::Checkpoint,
    directory::Directory,
    housekeeping::{Closing, Opening},
    keys::{self, Introduction},
    ledger::{Ledger, Stamp},
    record::{Draft, Kind},
    recovery::{self, CHECKPOINT, Standing},
    retention,
    segment::{Flush, Segment},
    writer::CLOSED,
};

/// Records after which a checkpoint is due, and the most that go into one batch.
pub(super) const CHECKPOINT_RECORDS: u64 = 1024;
/// Milliseconds after which a checkpoint is due, if anything was written.
const CHECKPOINT_MS: u64 = 1000;
/// Milliseconds after which the records of allowed calls go to the disk. The writer sees to that, and nobody else waits.
const SYNC_MS: u64 = 5;
/// Milliseconds after which whoever adds to them waits as well: the disk, or the writer, does not keep up.
const LATE_MS: u64 = 10;

/// An open trail.
pub(super) struct Log {
    dir: Directory,
    settings: Settings,
    ledger: Ledger,
    key: SigningKey,
    /// The segment that is being written. None while none can be made.
    segment: Option<Segment>,
    /// When it was begun.
    begun: Stamp,
    /// The oldest record whose way to the disk was not waited for.
    unsynced: Option<Unsynced>,
    /// The same, of those that are on their way right now, while the log is in other hands.
    flushing: Option<Unsynced>,
    /// What the next segment must tell first.
    report: Vec<Draft>,
    trouble: Option<Trouble>,
    checkpoint: Option<Checkpoint>,
    /// Size of the trail right after the last checkpoint, and when that was.
    checkpointed: (u64, Stamp),
    /// The segment is about to be left in order, so that a checkpoint is due at once.
    leaving: bool,
    refused: u64,
    passed: u64,
    lines: broadcast::Sender<Recorded>,
    checkpoints: watch::Sender<Option<Checkpoint>>,
    buffer: Vec<u8>,
}

/// What is to be done when nobody asks for anything.
pub(super) enum Next {
    /// To wait for so many milliseconds.
    Wait(u64),
    /// To wait for the disk, which needs no hand on the log, and to say how that [ended](Log::flushed).
    Flush(Flush),
}

#[derive(Debug, Clone)]
struct Unsynced {
    first: u64,
    offset: u64,
    since: Stamp,
    /// The newest checkpoint among them, which is made known when they are on disk.
    checkpoint: Option<Checkpoint>,
}

impl Log {
    /// Finds out where the trail stands and begins a segment.
    pub(super) fn open(
        dir: Directory,
        settings: Settings,
        lines: broadcast::Sender<Recorded>,
        checkpoints: watch::Sender<Option<Checkpoint>>,
    ) -> Result<Self, OpenError> {
        let Standing { ledger, last, report } = recovery::standing(&dir)?;
        let previous = match &last {
            Some((first, public)) => keys::load(&dir, *first, public)
                .map_err(|e| OpenError::io("read", &dir.path_of(&keys::file_name(*first)), e))?,
            None => None,
        };
        let now = (settings.clock)().into();
        let mut log = Self {
            checkpointed: (ledger.size(), now),
            key: SigningKey::from_bytes(&[0; 32]),
            dir,
            settings,
            ledger,
            segment: None,
            begun: now,
            unsynced: None,
            flushing: None,
            report,
            trouble: None,
            checkpoint: None,
            leaving: false,
            refused: 0,
            passed: 0,
            lines,
            checkpoints,
            buffer: Vec::new(),
        };
        let failed = |dir: &Directory, e| OpenError::io("written", &dir.path_of(""), e);
        log.begin_segment("start", previous.as_ref(), now).map_err(|e| failed(&log.dir, e))?;
        log.reserve().map_err(|e| failed(&log.dir, e))?;
        Ok(log)
    }

    /// Records a batch and returns the `seq` of its first record; the others follow in order.
    pub(super) fn commit(&mut self, batch: &[Draft]) -> Result<u64, Unavailable> {
        let now = self.now();
        let result = self.resume(now).and_then(|()| self.rotate(now)).and_then(|()| self.put(batch, now));
        if result.is_err() {
            self.refused += batch.len() as u64;
            if self.trouble.as_ref().is_some_and(|t| t.full) && self.segment.is_none() {
                self.spend_reserve(now);
            }
        }
        result.map_err(|()| self.unavailable())
    }

    /// Whether recording these takes no more than a write: nobody waits for the disk, and nothing is due before it.
    pub(super) fn takes_at_once(&self, drafts: &[Draft]) -> bool {
        let now = self.now();
        !drafts.iter().any(|draft| draft.durable)
            && !self.settings.is_strict()
            && self.trouble.is_none()
            && self.segment.is_some()
            && !self.rotation_due(now)
            && !self.waits_since(LATE_MS, now)
    }

    /// Whether nothing waits for the disk.
    pub(super) fn is_synced(&self) -> bool {
        self.unsynced.is_none()
    }

    /// Does what time has made due, and says what comes next.
    pub(super) fn tick(&mut self) -> Next {
        let now = self.now();
        if self.trouble.is_some() {
            let _ = self.resume(now);
        } else {
            if self.checkpoint_due(now) {
                let _ = self.put(&[], now);
            }
            // Whoever waits for a checkpoint waits for no other's records.
            let signed = self.unsynced.as_ref().is_some_and(|u| u.checkpoint.is_some());
            if (signed || self.waits_since(SYNC_MS, now))
                && let Some(segment) = &self.segment
            {
                self.flushing = self.unsynced.take();
                return Next::Flush(segment.flush(&self.settings.disk));
            }
        }
        let until = |at: u64| at.saturating_sub(now.boot_ms).max(1);
        if let Some(trouble) = &self.trouble {
            // What else is due cannot be done before this.
            return Next::Wait(until(trouble.retry_at));
        }
        let sync = self.unsynced.as_ref().map(|u| until(u.since.boot_ms + SYNC_MS));
        let checkpoint =
            (self.ledger.size() > self.checkpointed.0).then(|| until(self.checkpointed.1.boot_ms + CHECKPOINT_MS));
        Next::Wait([sync, checkpoint].into_iter().flatten().min().unwrap_or(CHECKPOINT_MS))
    }

    /// Takes note of how a flush ended.
    pub(super) fn flushed(&mut self, flush: &Flush, result: io::Result<()>) {
        let flushing = self.flushing.take();
        let Err(e) = result else {
            // What a segment that was given up ends with is told in the next one.
            if let Some(checkpoint) =
                flushing.and_then(|f| f.checkpoint).filter(|_| self.segment_name() == flush.segment)
            {
                self.publish_checkpoint(checkpoint);
            }
            return;
        };
        let now = self.now();
        if self.segment_name() == flush.segment {
            self.unsynced = flushing.or(self.unsynced.take());
            let _ = self.replace(Fault::Sync(e), now);
        } else if let Some(unsynced) = flushing {
            // Meanwhile the segment was given up for another reason, and that much is told already.
            let lost = trouble::unconfirmed(&flush.segment, &unsynced, self.ledger.size(), &e);
            let _ = self.put(&[lost], now);
        }
    }

    /// Ends the trail in order.
    pub(super) fn close(&mut self) {
        let now = self.now();
        let closing = Draft::own(Kind::Close, &Closing { reason: "the gateway ended".into() });
        if self.resume(now).is_ok() {
            self.leaving = true;
            let _ = self.put(&[closing], now);
        }
    }

    /// Removes segments that need not be kept, after the trail says so. Returns how many.
    pub(super) fn retire(&mut self, keep: Keep) -> Result<usize, Unavailable> {
        let failed = |e: io::Error| Unavailable::new(&e.to_string());
        let Some(retirement) = retention::retirement(&self.dir, keep).map_err(failed)? else { return Ok(0) };
        self.commit(&[Draft::own(Kind::Retire, &retirement)])?;
        for name in &retirement.segments {
            self.dir.remove(name).map_err(failed)?;
        }
        self.dir.sync().map_err(failed)?;
        Ok(retirement.segments.len())
    }

    /// Counts a call that went on without a record, because the configuration says so.
    pub(super) fn count_passed(&mut self, calls: u64) {
        self.passed += calls;
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(super) fn segment_name(&self) -> &str {
        self.segment.as_ref().map_or("", Segment::name)
    }

    pub(super) fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    pub(super) fn checkpoint_age_ms(&self) -> u64 {
        self.now().boot_ms.saturating_sub(self.checkpointed.1.boot_ms)
    }

    /// Why nothing can be recorded at present.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_ref().map(|t| t.cause.as_str())
    }

    /// Decisions refused since the last `gap` record.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    fn now(&self) -> Stamp {
        (self.settings.clock)().into()
    }

    fn unavailable(&self) -> Unavailable {
        Unavailable::new(self.trouble.as_ref().map_or(CLOSED, |t| &t.cause))
    }

    /// Writes a batch, in a new segment if the current one fails.
    fn put(&mut self, batch: &[Draft], now: Stamp) -> Result<u64, ()> {
        let fault = match self.write(batch, now) {
            Ok(first) => return Ok(first),
            Err(fault) => fault,
        };
        self.replace(fault, now)?;
        self.write(batch, now).or_else(|fault| {
            // a second fault at once is no accident; leave it to the next attempt
            self.replace(fault, now)?;
            self.give_up("the new segment failed too".into(), false, now);
            Err(())
        })
    }

    /// Chains a batch, writes it, and waits for the disk where somebody relies on it.
    fn write(&mut self, batch: &[Draft], now: Stamp) -> Result<u64, Fault> {
        let Some(segment) = &mut self.segment else { return Err(Fault::None) };
        segment.untouched().map_err(Fault::Sync)?.map_err(Fault::Tampering)?;
        let before = self.ledger.clone();
        let first = before.size() + 1;
        let at = now.rfc3339();
        self.buffer.clear();
        for draft in batch {
            self.ledger.record(&mut self.buffer, now, &at, draft);
        }
        let checkpoint = self.checkpoint_due(now).then(|| {
            let ledger = &self.ledger;
            Checkpoint::sign(&self.key, ledger.size(), ledger.head(), &ledger.tree().root())
        });
        if let Some(checkpoint) = &checkpoint {
            self.ledger.record(&mut self.buffer, now, &at, &Draft::own(Kind::Checkpoint, checkpoint));
        }
        let Some(segment) = &mut self.segment else { return Err(Fault::None) };
        let offset = segment.length();
        if let Err((written, e)) = segment.append(&self.buffer, &self.settings.disk) {
            self.ledger = before;
            return Err(Fault::Write(written, e));
        }
        let unsynced = self.unsynced.get_or_insert(Unsynced { first, offset, since: now, checkpoint: None });
        let signed = checkpoint.is_some();
        unsynced.checkpoint = checkpoint.or(unsynced.checkpoint.take());
        let late = self.waits_since(LATE_MS, now);
        if self.settings.is_strict() || self.leaving || late || batch.iter().any(|d| d.durable) {
            self.sync().inspect_err(|_| self.ledger = before)?;
        }
        if signed {
            self.checkpointed = (self.ledger.size(), now);
            self.leaving = false;
        }
        self.publish(first);
        Ok(first)
    }

    fn sync(&mut self) -> Result<(), Fault> {
        let Some(segment) = &self.segment else { return Err(Fault::None) };
        segment.sync(&self.settings.disk).map_err(Fault::Sync)?;
        if let Some(checkpoint) = self.unsynced.take().and_then(|u| u.checkpoint) {
            self.publish_checkpoint(checkpoint);
        }
        Ok(())
    }

    /// Whether a record has waited for the disk for so many milliseconds.
    fn waits_since(&self, ms: u64, now: Stamp) -> bool {
        self.unsynced.as_ref().is_some_and(|u| now.boot_ms >= u.since.boot_ms + ms)
    }

    fn checkpoint_due(&self, now: Stamp) -> bool {
        let (size, at) = self.checkpointed;
        let new = self.ledger.size().saturating_sub(size);
        new >= CHECKPOINT_RECORDS || (new > 0 && (self.leaving || now.boot_ms >= at.boot_ms + CHECKPOINT_MS))
    }

    fn rotation_due(&self, now: Stamp) -> bool {
        self.segment.as_ref().is_some_and(|s| s.length() >= self.settings.segment_bytes)
            || self.settings.segment_ms.is_some_and(|most| now.boot_ms >= self.begun.boot_ms.saturating_add(most))
    }

    /// Begins a new segment when the current one is long or old enough.
    fn rotate(&mut self, now: Stamp) -> Result<(), ()> {
        if self.segment.is_none() || !self.rotation_due(now) {
            return Ok(());
        }
        self.leaving = true;
        self.put(&[], now)?;
        let old = self.segment.take();
        let key = self.key.clone();
        self.begin_segment("rotate", Some(&key), now).map_err(|e| {
            // the old segment is whole; go on in it until there is room for another
            self.segment = old;
            self.trouble_from(&e, now);
        })
    }

    /// Begins a segment with what there is to tell, and ends the old key.
    fn begin_segment(&mut self, reason: &str, previous: Option<&SigningKey>, now: Stamp) -> io::Result<()> {
        let mut ledger = self.ledger.clone();
        let first = ledger.size() + 1;
        let key = keys::generate()?;
        let root = ledger.tree().root();
        let opening = Opening {
            reason: reason.to_owned(),
            prev: hex::encode(ledger.head()),
            peaks: ledger.tree().peaks().iter().map(hex::encode).collect(),
            introduction: Introduction::new(&key, previous, ledger.size(), ledger.head(), &root),
            program: self.settings.program.clone(),
            pid: std::process::id(),
        };
        let at = now.rfc3339();
        self.buffer.clear();
        ledger.record(&mut self.buffer, now, &at, &Draft::own(Kind::Open, &opening));
        for draft in &self.report {
            ledger.record(&mut self.buffer, now, &at, draft);
        }
        keys::store(&self.dir, first, &key)?;
        self.segment = Some(Segment::create(&self.dir, first, &self.buffer, &self.settings.disk)?);
        self.key = key;
        self.ledger = ledger;
        self.unsynced = None;
        self.begun = now;
        self.report.clear();
        self.publish(first);
        self.wipe_keys_except(first);
        Ok(())
    }

    /// Only the key of the segment that is being written is needed. One that cannot be wiped now is wiped next time.
    fn wipe_keys_except(&self, first: u64) {
        let current = keys::file_name(first);
        let old = |name: &String| keys::is_file_name(name) && *name != current;
        for name in self.dir.names().unwrap_or_default().iter().filter(|name| old(name)) {
            if let Err(e) = self.dir.wipe(name) {
                tracing::warn!(file = %self.dir.path_of(name).display(), error = %e, "an old audit key could not be wiped");
            }
        }
    }

    /// Makes a checkpoint known that is on disk, unless a later one is known already.
    fn publish_checkpoint(&mut self, checkpoint: Checkpoint) {
        if self.checkpoint.as_ref().is_some_and(|known| known.size >= checkpoint.size) {
            return;
        }
        let written = serde_json::to_vec(&checkpoint).map_err(io::Error::from);
        if let Err(e) = written.and_then(|json| self.dir.replace(CHECKPOINT, &json)) {
            tracing::warn!(error = %e, "the audit checkpoint file could not be written");
        }
        self.checkpoints.send_replace(Some(checkpoint.clone()));
        self.checkpoint = Some(checkpoint);
    }

    /// Tells subscribers the lines in the buffer, the first of which has number `first`.
    fn publish(&self, first: u64) {
        if self.lines.receiver_count() == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&self.buffer);
        for (seq, line) in (first..).zip(text.lines()) {
            let _ = self.lines.send(Recorded { seq, line: Arc::from(line) });
        }
    }
}
