//! The one thread that waits for the disk: drain what is queued, commit it as one batch, answer everybody. It never
//! lingers in the hope of a larger batch: while the disk is busy with one, the next fills by itself.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use tokio::sync::oneshot;

use super::{
    Health, Keep, Unavailable,
    gathered::{Batch, Gathered},
    log::{CHECKPOINT_RECORDS, Log, Next},
};

/// What the thread is asked to do.
pub(super) enum Request {
    /// Record these and answer with their `seq`.
    Append(Batch),
    /// Look at the log: something in it is to be on disk soon.
    Look,
    /// Count calls that went on without a record.
    Passed(u64),
    /// Remove the segments that need not be kept and answer with their number.
    Retire(Keep, oneshot::Sender<Result<usize, Unavailable>>),
    /// End the trail in order, and say so.
    Close(oneshot::Sender<()>),
}

/// Why nothing is recorded any more.
pub(super) const CLOSED: &str = "the trail is closed";

pub(super) type Answer = oneshot::Sender<Result<u64, Unavailable>>;

/// A log that is written by whoever has it in hand. None once it is closed.
pub(super) type Shared = Mutex<Option<Log>>;

/// The thread, and what it shares with those who write at once.
pub(super) struct Writer {
    pub(super) log: Arc<Shared>,
    pub(super) gathered: Arc<Gathered>,
    pub(super) health: Arc<Mutex<Health>>,
}

impl Writer {
    /// Serves requests until it is told to close, or nobody is left to ask.
    pub(super) fn run(&self, requests: &Receiver<Request>) {
        let mut batch = Batch::default();
        let mut closed = None;
        while closed.is_none() {
            let wait = Duration::from_millis(self.rest());
            let mut next = match requests.recv_timeout(wait) {
                Ok(request) => Some(request),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let mut hand = hold(&self.log);
            let Some(log) = hand.as_mut() else { return };
            while let Some(request) = next.take() {
                match request {
                    Request::Append(more) => batch.extend(more),
                    Request::Retire(keep, answer) => {
                        let _ = answer.send(log.retire(keep));
                    }
                    Request::Passed(calls) => log.count_passed(calls),
                    Request::Look => {}
                    Request::Close(answer) => closed = Some(answer),
                }
                if closed.is_none() && (batch.drafts.len() as u64) < CHECKPOINT_RECORDS {
                    next = requests.try_recv().ok();
                }
            }
            if !batch.drafts.is_empty() {
                let result = log.commit(&batch.drafts);
                // before the answers, so that whoever got one finds it in the health
                tell(log, &self.health);
                std::mem::take(&mut batch).answer(&result);
            }
        }
        if let Some(mut log) = hold(&self.log).take() {
            log.close();
            tell(&log, &self.health);
        }
        self.write_gathered();
        if let Some(answer) = closed {
            let _ = answer.send(());
        }
    }

    /// Does what is due, and returns for how many milliseconds there is nothing to do.
    fn rest(&self) -> u64 {
        loop {
            let next = {
                let mut hand = hold(&self.log);
                let Some(log) = hand.as_mut() else { return 0 };
                let next = log.tick();
                tell(log, &self.health);
                next
            };
            let wrote = self.write_gathered();
            match next {
                // What was written has to be on disk soon, too.
                Next::Wait(_) if wrote => {}
                Next::Wait(wait) => return wait,
                Next::Flush(flush) => {
                    // Others go on writing meanwhile.
                    let result = flush.run();
                    if let Some(log) = hold(&self.log).as_mut() {
                        log.flushed(&flush, result);
                    }
                }
            }
        }
    }

    /// Records what came while the log was in hand here, and is left to whoever has it. True when there was something.
    fn write_gathered(&self) -> bool {
        let mut wrote = false;
        while !self.gathered.is_empty() {
            let mut hand = hold(&self.log);
            let batch = self.gathered.take();
            let result = match hand.as_mut() {
                Some(log) => {
                    let result = log.commit(&batch.drafts);
                    tell(log, &self.health);
                    result
                }
                None => Err(Unavailable::new(CLOSED)),
            };
            drop(hand);
            batch.answer(&result);
            wrote = true;
        }
        wrote
    }
}

fn hold(shared: &Shared) -> MutexGuard<'_, Option<Log>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The log, unless somebody has it in hand.
pub(super) fn hold_if_free(shared: &Shared) -> Option<MutexGuard<'_, Option<Log>>> {
    match shared.try_lock() {
        Ok(hand) => Some(hand),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Makes known how the log is doing.
pub(super) fn tell(log: &Log, health: &Mutex<Health>) {
    let mut health = health.lock().unwrap_or_else(PoisonError::into_inner);
    health.records = log.ledger().size();
    health.head = *log.ledger().head();
    if health.segment != log.segment_name() {
        log.segment_name().clone_into(&mut health.segment);
    }
    health.error = log.trouble().map(str::to_owned);
    health.refused = log.refused();
    if health.checkpoint.as_ref() != log.checkpoint() {
        health.checkpoint = log.checkpoint().cloned();
    }
    health.checkpoint_age_ms = log.checkpoint_age_ms();
}

#[cfg(test)]
mod tests {
    use tokio::sync::{broadcast, watch};

    use super::*;
    use crate::audit::{
        Settings,
        directory::Directory,
        record::{Draft, Kind},
    };

    #[test]
    fn what_comes_while_the_writer_has_the_log_in_hand_is_written_and_soon_on_disk() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::open(&dir.path().join("audit")).unwrap();
        let (lines, _) = broadcast::channel(8);
        let (newest, _) = watch::channel(None);
        let log = Log::open(directory, Settings::default(), lines, newest).unwrap();
        let writer = Writer {
            log: Arc::new(Mutex::new(Some(log))),
            gathered: Arc::new(Gathered::new()),
            health: Arc::new(Mutex::new(Health::default())),
        };
        let draft = || Draft { kind: Kind::Decision, body: "{}".to_owned(), durable: false };
        let (mut answered, _) = writer.gathered.add(draft());
        let wait = writer.rest();
        assert_eq!(answered.try_recv().unwrap().unwrap(), 2, "after the record that opens the trail");
        assert!(wait <= 5, "{wait} ms until the disk has it");
        hold(&writer.log).take();
        let (mut answered, _) = writer.gathered.add(draft());
        writer.write_gathered();
        assert_eq!(answered.try_recv().unwrap().unwrap_err().to_string(), Unavailable::new(CLOSED).to_string());
    }
}
