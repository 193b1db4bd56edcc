//! Up to which record a collector has everything, kept over restarts.

use std::{io, path::PathBuf};

use tracing::warn;

/// The number of a record, in a file.
#[derive(Debug)]
pub(super) struct Cursor {
    path: PathBuf,
    at: u64,
    written: Option<u64>,
}

impl Cursor {
    /// What the file says; where there is none, or it is of another trail, the collector begins after record `newest`.
    pub(super) fn open(path: PathBuf, newest: u64) -> Self {
        let read = std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
        let written = read.filter(|&at| at <= newest);
        Self { path, at: written.unwrap_or(newest), written }
    }

    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Everything up to here has arrived.
    pub(super) fn advance(&mut self, to: u64) {
        self.at = self.at.max(to);
    }

    /// Writes it down, if it moved. When that fails, the next run sends some records again.
    pub(super) fn save(&mut self) {
        if self.written == Some(self.at) {
            return;
        }
        let write = || -> io::Result<()> {
            let fresh = self.path.with_extension("new");
            std::fs::write(&fresh, format!("{}\n", self.at))?;
            std::fs::rename(fresh, &self.path)
        };
        match write() {
            Ok(()) => self.written = Some(self.at),
            Err(e) => warn!("cannot write down how far syslog has come, in {}: {e}", self.path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_outlives_its_process_and_doubts_what_cannot_be() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("syslog");
        let mut cursor = Cursor::open(path.clone(), 10);
        assert_eq!(cursor.at(), 10, "a new collector begins with what comes");
        cursor.advance(12);
        cursor.advance(11);
        cursor.save();
        assert_eq!(Cursor::open(path.clone(), 100).at(), 12);
        assert_eq!(Cursor::open(path.clone(), 3).at(), 3, "another trail");
        std::fs::write(&path, "nonsense").unwrap();
        assert_eq!(Cursor::open(path, 7).at(), 7);
    }
}
