//! The one thread that waits for the disk: drain what is queued, commit it as one batch, answer everybody. It never
//! lingers in the hope of a larger batch: while the disk is busy with one, the next fills by itself.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use tokio::sync::oneshot;

use super::{
    Health, Keep, Unavailable,
    gathered::Batch,
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

pub(super) type Answer = oneshot::Sender<Result<u64, Unavailable>>;

/// A log that is written by whoever has it in hand. None once it is closed.
pub(super) type Shared = Mutex<Option<Log>>;

/// Serves requests until it is told to close, or nobody is left to ask.
pub(super) fn run(shared: &Shared, requests: &Receiver<Request>, health: &Mutex<Health>) {
    let Batch { mut drafts, mut answers } = Batch::default();
    let mut closed = None;
    while closed.is_none() {
        let wait = Duration::from_millis(rest(shared, health));
        let mut next = match requests.recv_timeout(wait) {
            Ok(request) => Some(request),
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let mut hand = hold(shared);
        let Some(log) = hand.as_mut() else { return };
        while let Some(request) = next.take() {
            match request {
                Request::Append(batch) => {
                    drafts.extend(batch.drafts);
                    answers.extend(batch.answers);
                }
                Request::Retire(keep, answer) => {
                    let _ = answer.send(log.retire(keep));
                }
                Request::Passed(calls) => log.count_passed(calls),
                Request::Look => {}
                Request::Close(answer) => closed = Some(answer),
            }
            if closed.is_none() && (drafts.len() as u64) < CHECKPOINT_RECORDS {
                next = requests.try_recv().ok();
            }
        }
        if !drafts.is_empty() {
            let result = log.commit(&drafts);
            // before the answers, so that whoever got one finds it in the health
            tell(log, health);
            Batch::answer(answers.drain(..), &result);
            drafts.clear();
        }
    }
    if let Some(mut log) = hold(shared).take() {
        log.close();
        tell(&log, health);
    }
    if let Some(answer) = closed {
        let _ = answer.send(());
    }
}

/// Does what is due, and returns for how many milliseconds there is nothing to do.
fn rest(shared: &Shared, health: &Mutex<Health>) -> u64 {
    loop {
        let flush = {
            let mut hand = hold(shared);
            let Some(log) = hand.as_mut() else { return 0 };
            let next = log.tick();
            tell(log, health);
            match next {
                Next::Wait(wait) => return wait,
                Next::Flush(flush) => flush,
            }
        };
        // Others go on writing meanwhile.
        let result = flush.run();
        if let Some(log) = hold(shared).as_mut() {
            log.flushed(&flush, result);
        }
    }
}

fn hold(shared: &Shared) -> MutexGuard<'_, Option<Log>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
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
