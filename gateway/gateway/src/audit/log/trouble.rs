//! What the trail does when the disk fails or somebody else writes to it: give the segment up, say so in the next one,
//! refuse while there is none, and try again.

use std::io::{self, Seek as _};

use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::{Log, Unsynced};
use crate::audit::{
    housekeeping::{Gap, LossReason, Lost, Recovered},
    ledger::Stamp,
    record::{Draft, Kind},
    recovery::{self, HashWriter},
    segment::{Segment, Tampering},
};

/// Milliseconds between attempts to write again.
const RETRY_MS: u64 = 250;
/// Space kept back so that a full disk can still be recorded.
const RESERVE: &str = "reserve";
const RESERVE_BYTES: usize = 256 * 1024;

/// Why nothing can be recorded at present.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) cause: String,
    pub(super) full: bool,
    pub(super) retry_at: u64,
}

/// What went wrong with the current segment.
#[derive(Debug)]
pub(super) enum Fault {
    /// Only so many bytes of a batch could be written.
    Write(usize, io::Error),
    /// The disk did not confirm.
    Sync(io::Error),
    /// Somebody else changed the file.
    Tampering(Tampering),
    /// There is no segment.
    None,
}

/// The account of records up to `last` of which nobody knows whether they are on disk.
pub(super) fn unconfirmed(segment: &str, unsynced: &Unsynced, last: u64, e: &io::Error) -> Draft {
    let lost = Lost {
        segment: segment.to_owned(),
        offset: unsynced.offset,
        first: unsynced.first,
        last,
        reason: LossReason::Disk,
        cause: format!("the disk did not confirm: {e}"),
    };
    Draft::own(Kind::Lost, &lost)
}

impl Log {
    /// Gives the current segment up and begins another that tells why.
    pub(super) fn replace(&mut self, fault: Fault, now: Stamp) -> Result<(), ()> {
        if let Some(segment) = self.segment.take() {
            let told = self.account_for(&segment, &fault);
            self.report.extend(told);
        }
        self.unsynced = None;
        let cause = match fault {
            Fault::Write(_, e) | Fault::Sync(e) => Some(e),
            Fault::Tampering(_) | Fault::None => None,
        };
        if let Some(e) = &cause {
            tracing::error!(error = %e, "the audit segment failed; beginning another");
        }
        let key = self.key.clone();
        self.begin_segment("failure", Some(&key), now).map_err(|e| self.trouble_from(&e, now))
    }

    /// What the trail must say about a segment that is given up.
    fn account_for(&mut self, segment: &Segment, fault: &Fault) -> Vec<Draft> {
        let (name, offset) = (segment.name().to_owned(), segment.length());
        let mut told = Vec::new();
        let unsynced = self.flushing.as_ref().or(self.unsynced.as_ref());
        if let Some(unsynced) = unsynced
            && !matches!(fault, Fault::Sync(_) | Fault::Tampering(Tampering::Removed))
            && let Err(e) = segment.sync(&self.settings.disk)
        {
            told.push(unconfirmed(&name, unsynced, self.ledger.size(), &e));
        }
        match fault {
            Fault::Write(written, e) => {
                let torn = self.buffer.get(..*written).unwrap_or_default();
                if !torn.is_empty() {
                    told.push(Draft::own(
                        Kind::Recover,
                        &Recovered {
                            segment: name.clone(),
                            offset,
                            length: torn.len() as u64,
                            sha256: hex::encode(Sha256::digest(torn)),
                            cause: format!("a write that broke off: {e}"),
                        },
                    ));
                }
            }
            Fault::Sync(e) => {
                let nothing = Unsynced { first: self.ledger.size() + 1, offset, since: self.now(), checkpoint: None };
                told.push(unconfirmed(&name, unsynced.unwrap_or(&nothing), self.ledger.size(), e));
            }
            Fault::Tampering(Tampering::Grew) => {
                if let Ok((length, sha256)) = self.foreign_bytes(segment) {
                    let cause = "another process appended to the segment".into();
                    told.push(Draft::own(Kind::Recover, &Recovered { segment: name, offset, length, sha256, cause }));
                }
            }
            Fault::Tampering(how) => {
                let walked = self.dir.read(segment.name()).and_then(|f| recovery::walk(io::BufReader::new(f), 0));
                let walked = walked.ok().flatten().filter(|_| *how == Tampering::Shrank);
                let (length, last) = walked.map_or((0, segment.first() - 1), |w| (w.length, w.ledger.size()));
                let cause = match how {
                    Tampering::Removed => "another process removed the segment",
                    _ => "another process cut the segment",
                };
                let (first, last, reason) = (last + 1, self.ledger.size(), LossReason::Tampered);
                let lost = Lost { segment: name, offset: length, first, last, reason, cause: cause.into() };
                told.push(Draft::own(Kind::Lost, &lost));
            }
            Fault::None => {}
        }
        told
    }

    /// Length and SHA-256 of what follows our last record in a segment.
    fn foreign_bytes(&self, segment: &Segment) -> io::Result<(u64, String)> {
        let mut file = self.dir.read(segment.name())?;
        file.seek(io::SeekFrom::Start(segment.length()))?;
        let mut hash = Sha256::new();
        let length = io::copy(&mut file, &mut HashWriter(&mut hash))?;
        Ok((length, hex::encode(hash.finalize())))
    }

    /// Tries to write again after trouble.
    pub(super) fn resume(&mut self, now: Stamp) -> Result<(), ()> {
        let Some(trouble) = &self.trouble else { return Ok(()) };
        if now.boot_ms < trouble.retry_at {
            return Err(());
        }
        let reason = if trouble.full { "disk_full" } else { "unwritable" };
        self.reserve().map_err(|e| self.trouble_from(&e, now))?;
        self.tell_gap(reason, now)?;
        self.trouble = None;
        tracing::info!("the audit trail can be written again");
        Ok(())
    }

    /// Records how many decisions were not.
    fn tell_gap(&mut self, reason: &str, now: Stamp) -> Result<(), ()> {
        let cause = self.trouble.as_ref().map(|t| t.cause.clone()).unwrap_or_default();
        let gap = Gap { reason: reason.into(), refused: self.refused, passed: self.passed, cause };
        let gap = Draft::own(Kind::Gap, &gap);
        if self.segment.is_some() {
            self.put(&[gap], now)?;
        } else {
            self.report.push(gap);
            let key = self.key.clone();
            if let Err(e) = self.begin_segment("failure", Some(&key), now) {
                self.report.pop();
                self.trouble_from(&e, now);
                return Err(());
            }
        }
        (self.refused, self.passed) = (0, 0);
        Ok(())
    }

    /// Frees the reserve so that the full disk is on record, and goes on refusing until there is room for a new reserve.
    pub(super) fn spend_reserve(&mut self, now: Stamp) {
        if self.dir.remove(RESERVE).is_ok() {
            let _ = self.tell_gap("disk_full", now);
        }
    }

    /// Makes sure that the reserve is there.
    pub(super) fn reserve(&self) -> io::Result<()> {
        if self.dir.names()?.iter().any(|name| name == RESERVE) {
            return Ok(());
        }
        self.dir.create_with(RESERVE, &vec![0; RESERVE_BYTES]).inspect_err(|_| {
            let _ = self.dir.remove(RESERVE);
        })
    }

    pub(super) fn trouble_from(&mut self, e: &io::Error, now: Stamp) {
        let full = [Errno::NOSPC, Errno::DQUOT].iter().any(|n| e.raw_os_error() == Some(n.raw_os_error()));
        self.give_up(e.to_string(), full, now);
    }

    pub(super) fn give_up(&mut self, cause: String, full: bool, now: Stamp) {
        tracing::error!(%cause, "the audit trail cannot be written");
        self.trouble = Some(Trouble { cause, full, retry_at: now.boot_ms + RETRY_MS });
    }
}
