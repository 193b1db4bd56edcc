//! The trail for whoever reads along: records as they are made, and records looked up.

use std::{
    io,
    path::{Path, PathBuf},
};

use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{
    Gateway,
    audit::{
        Recorded, Trail,
        read::{Filter, Forward, Part, Record, forward, search},
    },
};

/// Records in order, from some point on, as they are made.
#[derive(Debug)]
pub struct Following {
    audit: PathBuf,
    /// Number of the last record that was given.
    last: u64,
    /// What was written before, as long as that lasts.
    past: Option<Forward>,
    fresh: Receiver<Recorded>,
}

/// Which records are looked up.
#[derive(Debug, Clone, Default)]
pub struct Lookup {
    /// What they must be like.
    pub filter: Filter,
    /// Those after this number, oldest first; without it the newest, newest first.
    pub after: Option<u64>,
    /// Only those before this number.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

impl Gateway {
    /// Follows the trail: from the record after number `after`, or from now on.
    pub fn follow(&self, after: Option<u64>) -> Following {
        follow(&self.trail, &self.home.audit(), after)
    }

    /// Looks records up. Reads as much of the trail as it takes, so this belongs on a thread that may block.
    ///
    /// # Errors
    /// When the files of the trail cannot be read.
    pub fn records(&self, lookup: &Lookup) -> io::Result<Vec<Record>> {
        let Lookup { filter, after, before, limit } = lookup;
        let part = Part { after: *after, before: *before, limit: *limit };
        search(&self.home.audit(), &filter.clone().sieve(), part)
    }
}

/// The same for a trail whose files stand in `audit`.
pub(crate) fn follow(trail: &Trail, audit: &Path, after: Option<u64>) -> Following {
    // In this order: what is written from here on is heard, and what was written before stands in the files.
    let fresh = trail.subscribe();
    let newest = trail.health().records;
    // A number from the future is from another trail; its reader gets what comes.
    let after = after.filter(|after| *after <= newest);
    let past = after.map(|after| forward(audit, after + 1));
    Following { audit: audit.to_owned(), last: after.unwrap_or(newest), past, fresh }
}

impl Following {
    /// Goes on with the record after number `last`, whatever was given before.
    pub(crate) fn resume_after(&mut self, last: u64) {
        self.last = last;
        self.past = Some(forward(&self.audit, last + 1));
    }

    /// The next record's number and line. None when the trail is closed.
    ///
    /// # Errors
    /// When the files of the trail cannot be read.
    pub async fn next(&mut self) -> io::Result<Option<(u64, String)>> {
        loop {
            if let Some(past) = &mut self.past {
                if let Some(Record { seq, line, .. }) = past.next().transpose()? {
                    self.last = seq;
                    return Ok(Some((seq, line)));
                }
                self.past = None;
            }
            match self.fresh.recv().await {
                Ok(Recorded { seq, line }) if seq > self.last => {
                    self.last = seq;
                    return Ok(Some((seq, line.to_string())));
                }
                Ok(_) => {}
                // Too slow for the memory; the files have it all.
                Err(RecvError::Lagged(_)) => self.past = Some(forward(&self.audit, self.last + 1)),
                Err(RecvError::Closed) => return Ok(None),
            }
        }
    }
}
