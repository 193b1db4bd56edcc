//! Records looked up in a trail of any length: its segments are read in pieces by as many threads as there are processors,
//! and of a piece in which no wanted word stands no line is looked at.

use std::{
    fs::File,
    io,
    ops::Range,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use memchr::memchr;

use super::{Record, Sieve, segments};
use crate::audit::segment::file_name;

/// Bytes of a piece: few enough to stay in a processor's cache between reading and searching. In tests so few that lines are
/// longer.
const PIECE: u64 = if cfg!(test) { 4 << 10 } else { 1 << 20 };
/// What is read beyond a piece at a time, for the end of its last line.
const BEYOND: usize = 64 << 10;
/// Pieces after which others are asked to help: most searches find enough in the newest.
const ALONE: usize = 4;
/// Threads that read at once.
const MOST_THREADS: usize = 4;

/// Which of the wanted records.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Those after this number, oldest first; without it the newest, newest first.
    pub after: Option<u64>,
    /// Only those before this number.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// A part of a segment: the lines that begin in these bytes.
#[derive(Debug)]
struct Piece {
    file: PathBuf,
    bytes: Range<u64>,
    /// The numbers that may stand here: what stands in a segment from the first number of the next one on was written
    /// again there.
    numbers: Range<u64>,
}

/// Looks records up.
///
/// # Errors
/// When the files cannot be read.
pub fn search(dir: &Path, sieve: &Sieve, part: Part) -> io::Result<Vec<Record>> {
    let pieces = pieces(dir, part)?;
    let found = Found::new(pieces.len(), part.limit);
    let next = AtomicUsize::new(0);
    let work = |most: usize| {
        let mut text = Vec::new();
        for _ in 0..most {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            let Some(piece) = pieces.get(nth).filter(|_| !found.enough()) else { return };
            found.put(nth, piece.search(sieve, part, &mut text));
        }
    };
    work(ALONE);
    if !found.enough() && pieces.len() > ALONE {
        let helpers = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS) - 1;
        thread::scope(|scope| {
            for _ in 0..helpers {
                scope.spawn(|| work(usize::MAX));
            }
            work(usize::MAX);
        });
    }
    found.finish()
}

/// The pieces of all segments in which the part may lie, in its order.
fn pieces(dir: &Path, Part { after, before, .. }: Part) -> io::Result<Vec<Piece>> {
    let firsts = segments(dir)?;
    let ends = firsts.iter().skip(1).copied().chain([u64::MAX]);
    let mut pieces = Vec::new();
    for (&first, end) in firsts.iter().zip(ends) {
        let numbers = after.map_or(0, |after| after.saturating_add(1))..end.min(before.unwrap_or(u64::MAX));
        if numbers.is_empty() || first >= numbers.end {
            continue;
        }
        let file = dir.join(file_name(first));
        let length = match file.metadata() {
            Ok(meta) => meta.len(),
            // Its time was over meanwhile.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e),
        };
        let starts = (0..length).step_by(usize::try_from(PIECE).unwrap_or(usize::MAX));
        pieces.extend(starts.map(|start| {
            let bytes = start..length.min(start + PIECE);
            Piece { file: file.clone(), bytes, numbers: numbers.clone() }
        }));
    }
    if after.is_none() {
        pieces.reverse();
    }
    Ok(pieces)
}

impl Piece {
    fn search(&self, sieve: &Sieve, part: Part, text: &mut Vec<u8>) -> io::Result<Vec<Record>> {
        let mut records = Vec::new();
        sieve.candidates(self.lines(text)?, |line| {
            let record = Record::parse(line).filter(|record| self.numbers.contains(&record.seq));
            records.extend(record.filter(|record| sieve.admits(record)));
        });
        if part.after.is_none() {
            records.reverse();
        }
        records.truncate(part.limit);
        Ok(records)
    }

    /// The lines that begin here, the end of the last one included.
    fn lines<'t>(&self, text: &'t mut Vec<u8>) -> io::Result<&'t [u8]> {
        let file = File::open(&self.file)?;
        // With the byte before: only behind a newline does a line begin.
        let from = self.bytes.start.saturating_sub(1);
        let long = usize::try_from(self.bytes.end - from).unwrap_or(usize::MAX);
        text.clear();
        read_on(&file, from, long, text)?;
        let begin = match self.bytes.start {
            0 => 0,
            _ => memchr(b'\n', text).map_or(text.len(), |newline| newline + 1),
        };
        loop {
            let last = long.saturating_sub(1);
            let end = text.get(last..).and_then(|rest| memchr(b'\n', rest)).map(|newline| last + newline);
            if let Some(end) = end {
                return Ok(text.get(begin..end).unwrap_or_default());
            }
            let more = read_on(&file, from + text.len() as u64, BEYOND, text)?;
            if more == 0 {
                return Ok(text.get(begin..).unwrap_or_default());
            }
        }
    }
}

/// Reads so many bytes from a place on, or those that there are, and gives their number.
fn read_on(file: &File, from: u64, most: usize, text: &mut Vec<u8>) -> io::Result<usize> {
    let had = text.len();
    text.resize(had + most, 0);
    let mut read = 0;
    while let Some(room) = text.get_mut(had + read..).filter(|room| !room.is_empty()) {
        match file.read_at(room, from + read as u64) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    text.truncate(had + read);
    Ok(read)
}

/// What was found in each piece, as the pieces are done with in any order.
struct Found {
    inner: Mutex<Inner>,
    limit: usize,
}

struct Inner {
    by_piece: Vec<Option<io::Result<Vec<Record>>>>,
    /// Pieces from the first one on that are done with, and what they hold.
    done: usize,
    count: usize,
    failed: bool,
}

impl Found {
    fn new(pieces: usize, limit: usize) -> Self {
        let by_piece = std::iter::repeat_with(|| None).take(pieces).collect();
        Self { inner: Mutex::new(Inner { by_piece, done: 0, count: 0, failed: false }), limit }
    }

    fn put(&self, nth: usize, found: io::Result<Vec<Record>>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.failed |= found.is_err();
        if let Some(place) = inner.by_piece.get_mut(nth) {
            *place = Some(found);
        }
        while let Some(Some(Ok(records))) = inner.by_piece.get(inner.done) {
            inner.count += records.len();
            inner.done += 1;
        }
    }

    /// Nothing more needs to be read.
    fn enough(&self) -> bool {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.failed || inner.count >= self.limit
    }

    fn finish(self) -> io::Result<Vec<Record>> {
        let inner = self.inner.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        for found in inner.by_piece.into_iter().flatten() {
            all.extend(found?);
        }
        all.truncate(self.limit);
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{
        Kind,
        read::{Filter, backward_from, forward},
        tests::{Home, allow, deny},
    };

    /// Every part of a trail of several segments, by every filter, is what reading line by line finds.
    #[tokio::test]
    async fn what_is_found_is_what_reading_every_line_finds() {
        let home = Home::new();
        for n in 0..3 {
            let trail = home.open();
            for m in 0..40 {
                allow(&trail, &format!("echo {n} {m} {}", "x".repeat(20_000 + m * 997))).await.unwrap();
                deny(&trail, &format!("rm -rf /NEEDLE{m}")).await.unwrap();
            }
            trail.close().await;
        }
        let last = home.segments().pop().unwrap();
        let mut text = std::fs::read(&last).unwrap();
        text.extend_from_slice(br#"{"v":"rampart.audit.v2","seq":999,"ty"#);
        std::fs::write(&last, text).unwrap();
        let bytes: u64 = home.segments().iter().map(|s| s.metadata().unwrap().len()).sum();
        assert!(bytes > 200 * PIECE, "{bytes}");
        let filters = [
            Filter::default(),
            Filter { text: Some("needle7".into()), ..Filter::default() },
            Filter { decision: Some(rampart_call::Outcome::Deny), ..Filter::default() },
            Filter { kinds: vec![Kind::Open, Kind::Close], ..Filter::default() },
            Filter { kinds: vec![Kind::Decision], text: Some("echo 1".into()), ..Filter::default() },
            Filter { session: Some("nobody's".into()), ..Filter::default() },
            Filter { since_ms: Some(1), until_ms: Some(u64::MAX / 2), ..Filter::default() },
        ];
        for filter in filters {
            for (after, before) in
                [(None, None), (None, Some(90)), (Some(0), None), (Some(55), Some(200)), (Some(7), Some(8))]
            {
                for limit in [1, 7, 10_000] {
                    let sieve = filter.clone().sieve();
                    let admits = |record: &Record| sieve.admits(record);
                    let slow: Vec<u64> = match after {
                        None => {
                            let all = backward_from(&home.dir, before).unwrap().map(Result::unwrap);
                            all.filter(admits).map(|r| r.seq).take(limit).collect()
                        }
                        Some(after) => {
                            let all = forward(&home.dir, after + 1).map(Result::unwrap);
                            let early = all.take_while(|r| r.seq < before.unwrap_or(u64::MAX));
                            early.filter(admits).map(|r| r.seq).take(limit).collect()
                        }
                    };
                    let quick = search(&home.dir, &sieve, Part { after, before, limit }).unwrap();
                    let quick: Vec<u64> = quick.iter().map(|r| r.seq).collect();
                    assert_eq!(quick, slow, "{filter:?} {after:?} {before:?} {limit}");
                }
            }
        }
    }
}
