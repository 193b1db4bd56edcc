//! The one thread that writes: drain what is queued, commit it as one batch, answer everybody. It never lingers in the
//! hope of a larger batch: while the disk is busy with one, the next fills by itself.

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use tokio::sync::oneshot;

use super::{
    Health, Unavailable,
    ledger::Stamp,
    log::{CHECKPOINT_RECORDS, Log},
    record::Draft,
};

/// What the thread is asked to do.
pub(super) enum Request {
    /// Record this and answer with its `seq`.
    Append(Draft, Answer),
    /// Count calls that went on without a record.
    Passed(u64),
    /// Remove the segments from before this point in time and answer with their number.
    Retire(Stamp, oneshot::Sender<Result<usize, Unavailable>>),
    /// End the trail in order, and say so.
    Close(oneshot::Sender<()>),
}

pub(super) type Answer = oneshot::Sender<Result<u64, Unavailable>>;

/// Serves requests until it is told to close, or nobody is left to ask.
pub(super) fn run(mut log: Log, requests: &Receiver<Request>, health: &Arc<Mutex<Health>>) {
    let mut drafts = Vec::new();
    let mut answers = Vec::new();
    let mut closed = None;
    while closed.is_none() {
        let wait = Duration::from_millis(log.tick());
        tell(&log, health);
        let mut next = match requests.recv_timeout(wait) {
            Ok(request) => Some(request),
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        while let Some(request) = next.take() {
            match request {
                Request::Append(draft, answer) => {
                    drafts.push(draft);
                    answers.push(answer);
                }
                Request::Retire(before, answer) => {
                    let _ = answer.send(log.retire(before));
                }
                Request::Passed(calls) => log.count_passed(calls),
                Request::Close(answer) => closed = Some(answer),
            }
            if closed.is_none() && (drafts.len() as u64) < CHECKPOINT_RECORDS {
                next = requests.try_recv().ok();
            }
        }
        if !drafts.is_empty() {
            let result = log.commit(&drafts);
            // before the answers, so that whoever got one finds it in the health
            tell(&log, health);
            for (nth, answer) in (0..).zip(answers.drain(..)) {
                // a caller that went away does not need its answer
                let _ = answer.send(result.clone().map(|first| first + nth));
            }
            drafts.clear();
        }
    }
    log.close();
    tell(&log, health);
    if let Some(answer) = closed {
        let _ = answer.send(());
    }
}

fn tell(log: &Log, health: &Mutex<Health>) {
    let mut health = health.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
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
