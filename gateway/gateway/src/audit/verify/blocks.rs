//! A segment in pieces, each of which is looked at on its own: what a line says, and whether it is linked to the one
//! before it. That is nearly all the work of checking a trail, and no piece needs another, so the processors share it.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read as _},
    num::NonZero,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{Scope, available_parallelism},
};

use memchr::memrchr;

use crate::audit::{
    chain::{self, Hash},
    line::Line,
    merkle,
    record::Kind,
};

/// Bytes of a piece.
const BLOCK: usize = 1 << 20;
/// Pieces that may wait for one worker, and for whoever wants them from it.
const WAITING: usize = 2;

/// Whole lines, but for the last of a file.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    /// Where each line ends, its newline included, and what it is. None when it is none of ours.
    pub(super) lines: Vec<(usize, Option<Facts>)>,
}

/// What can be told of a line without knowing more than the one before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    seq: u64,
    kind: Kind,
    body: usize,
    hash: Hash,
    /// The hash that the line before claims, when this one is linked to it.
    pub(super) linked: Option<Hash>,
    /// Its node in the tree.
    pub(super) leaf: Hash,
}

impl Facts {
    /// The line again.
    pub(super) fn line<'a>(&self, bytes: &'a [u8]) -> Line<'a> {
        let Self { seq, kind, body, hash, .. } = *self;
        Line { seq, kind, body: bytes.get(..body).unwrap_or_default(), hash }
    }
}

fn look(bytes: Vec<u8>) -> Block {
    let mut lines = Vec::with_capacity(bytes.len() / 512);
    let mut before = None;
    let mut start = 0;
    while start < bytes.len() {
        let rest = bytes.get(start..).unwrap_or_default();
        let end = memchr::memchr(b'\n', rest).map_or(bytes.len(), |newline| start + newline + 1);
        let line = bytes.get(start..end).and_then(|line| line.strip_suffix(b"\n"));
        let facts = line.and_then(Line::parse).map(|Line { seq, kind, body, hash }| {
            let linked = before.filter(|before| chain::link(before, body) == hash);
            Facts { seq, kind, body: body.len(), hash, linked, leaf: merkle::leaf(&hash) }
        });
        before = facts.map(|facts| facts.hash);
        lines.push((end, facts));
        start = end;
    }
    Block { bytes, lines }
}

/// The pieces of a file, in order.
pub(super) struct Blocks {
    file: File,
    /// The beginning of a line whose end is in the next piece.
    partial: Vec<u8>,
    ended: bool,
    workers: Vec<Worker>,
    /// Pieces that were handed out, by their worker.
    away: VecDeque<usize>,
    next: usize,
}

struct Worker {
    pieces: SyncSender<Vec<u8>>,
    looked: Receiver<Block>,
}

impl Blocks {
    /// Reads `file` from its beginning. A long one is looked at by all processors.
    pub(super) fn of<'scope>(file: File, scope: &'scope Scope<'scope, '_>) -> io::Result<Self> {
        let long = file.metadata()?.len() > 2 * BLOCK as u64;
        let processors = if long { available_parallelism().map_or(1, NonZero::get).min(8) } else { 0 };
        let worker = |_| {
            let (pieces, waiting) = sync_channel(WAITING);
            let (done, looked) = sync_channel(WAITING);
            scope.spawn(move || waiting.into_iter().map(look).try_for_each(|block| done.send(block)));
            Worker { pieces, looked }
        };
        let workers = (0..processors).map(worker).collect();
        Ok(Self { file, partial: Vec::new(), ended: false, workers, away: VecDeque::new(), next: 0 })
    }

    /// The next piece.
    pub(super) fn next(&mut self) -> io::Result<Option<Block>> {
        if self.workers.is_empty() {
            return Ok(self.read()?.map(look));
        }
        while self.away.len() < self.workers.len() * WAITING
            && let Some(bytes) = self.read()?
        {
            let nth = self.next % self.workers.len();
            self.next += 1;
            if let Some(worker) = self.workers.get(nth) {
                worker.pieces.send(bytes).map_err(io::Error::other)?;
                self.away.push_back(nth);
            }
        }
        let Some(worker) = self.away.pop_front().and_then(|nth| self.workers.get(nth)) else { return Ok(None) };
        worker.looked.recv().map(Some).map_err(io::Error::other)
    }

    /// Whole lines; what is left over at the end of the file as it is.
    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = std::mem::take(&mut self.partial);
        while !self.ended {
            let room = bytes.len() + BLOCK;
            bytes.reserve_exact(BLOCK);
            self.ended = (&self.file).take(BLOCK as u64).read_to_end(&mut bytes)? == 0;
            if let Some(newline) = memrchr(b'\n', &bytes)
                && (bytes.len() >= room || self.ended)
            {
                self.partial = bytes.split_off(newline + 1);
                return Ok(Some(bytes));
            }
        }
        Ok(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use std::{fmt::Write as _, io::Write as _};

    use super::*;

    #[test]
    fn pieces_are_whole_lines_in_order_however_long_they_are() {
        let mut text = String::new();
        for n in 0..9000 {
            writeln!(text, "{n}{}", "x".repeat(n % 700)).unwrap();
        }
        text.push_str(&"y".repeat(3 * BLOCK));
        text.push_str("\nthe end\n");
        for tail in ["", "torn"] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file.write_all(tail.as_bytes()).unwrap();
            std::io::Seek::rewind(&mut file).unwrap();
            std::thread::scope(|scope| {
                let mut blocks = Blocks::of(file, scope).unwrap();
                let mut all = String::new();
                while let Some(Block { bytes, lines }) = blocks.next().unwrap() {
                    let mut start = 0;
                    for (end, _) in &lines {
                        let line = std::str::from_utf8(&bytes[start..*end]).unwrap();
                        assert!(line.ends_with('\n') || line == tail, "{line}");
                        all.push_str(line);
                        start = *end;
                    }
                    assert_eq!(start, bytes.len());
                }
                assert!(all == format!("{text}{tail}"));
            });
        }
    }
}
