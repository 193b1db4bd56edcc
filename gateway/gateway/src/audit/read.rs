//! Looking things up in a trail: its records in order from some number on, or backward from the newest, on their own or
//! as they come. Nothing is checked here; that is `verify`'s work.

mod filter;
mod marks;
mod moment;
mod piece;
mod search;
mod summary;

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _, Seek as _},
    path::{Path, PathBuf},
    time::Duration,
};

use memchr::memrchr;

pub(super) use self::filter::hosts;
pub use self::{
    filter::{Filter, Sieve},
    moment::{Edge, moment, moment_in_utc},
    search::{Part, search},
    summary::{summarise, unsummarised},
};
use super::{line::Line, record::Kind, segment::file_name, verify::segments};

/// How often somebody who follows looks for new records.
const POLL: Duration = Duration::from_millis(100);
/// Bytes read at a time.
const BLOCK: usize = 64 * 1024;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number.
    pub seq: u64,
    /// Its type.
    pub kind: Kind,
    /// The line, without a newline.
    pub line: String,
}

impl Record {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let Line { seq, kind, .. } = Line::parse(bytes)?;
        Some(Self { seq, kind, line: String::from_utf8_lossy(bytes).into_owned() })
    }
}

/// Records in order. Once it has given all there are, asking again gives what has been written since.
#[derive(Debug)]
pub struct Forward {
    dir: PathBuf,
    from: u64,
    /// The segment that is being read, by its first record.
    current: Option<(u64, BufReader<File>)>,
    /// The segment after it, if there was one when that was last looked at. What stands in the current one from that
    /// number on was written again there.
    successor: Option<u64>,
    /// The beginning of a line whose end is not written yet.
    partial: Vec<u8>,
}

/// The records of the trail in `dir` from number `from` on.
pub fn forward(dir: &Path, from: u64) -> Forward {
    Forward { dir: dir.to_owned(), from, current: None, successor: None, partial: Vec::new() }
}

impl Iterator for Forward {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

impl Forward {
    /// The next record, as soon as there is one.
    ///
    /// # Errors
    /// When the files cannot be read.
    pub async fn wait(&mut self) -> io::Result<Record> {
        loop {
            match self.read()? {
                Some(record) => return Ok(record),
                None => tokio::time::sleep(POLL).await,
            }
        }
    }

    fn read(&mut self) -> io::Result<Option<Record>> {
        loop {
            let Some((first, reader)) = &mut self.current else {
                match self.after(None)? {
                    Some(first) => self.enter(first)?,
                    None => return Ok(None),
                }
                continue;
            };
            let first = *first;
            reader.read_until(b'\n', &mut self.partial)?;
            if let Some(line) = self.partial.strip_suffix(b"\n") {
                let end = self.successor.unwrap_or(u64::MAX);
                let record = Record::parse(line).filter(|record| (self.from..end).contains(&record.seq));
                self.partial.clear();
                if record.is_some() {
                    return Ok(record);
                }
            } else if let Some(next) = self.successor {
                // what is left over is torn: nobody writes to this segment any more
                self.enter(next)?;
            } else {
                // if there is another segment by now, this one may have grown before that was begun
                self.successor = self.after(Some(first))?;
                if self.successor.is_none() {
                    return Ok(None);
                }
            }
        }
    }

    /// The segment after this one; without one, the segment that holds record `from`.
    fn after(&self, current: Option<u64>) -> io::Result<Option<u64>> {
        let firsts = segments(&self.dir)?;
        Ok(match current {
            Some(current) => firsts.into_iter().find(|&first| first > current),
            None => firsts.iter().rev().find(|&&first| first <= self.from).or(firsts.first()).copied(),
        })
    }

    fn enter(&mut self, first: u64) -> io::Result<()> {
        self.partial.clear();
        self.successor = self.after(Some(first))?;
        self.current = Some((first, BufReader::with_capacity(BLOCK, File::open(self.dir.join(file_name(first)))?)));
        Ok(())
    }
}

/// Records from the newest to the oldest.
#[derive(Debug)]
pub struct Backward {
    dir: PathBuf,
    /// Segments that are still to be read.
    firsts: Vec<u64>,
    /// What is left of the segment that is being read: a file and the bytes of it that were read but not given yet.
    current: Option<(File, u64, Vec<u8>)>,
    /// Where the segment after the current one begins; what stands here from that number on was written again there.
    end: u64,
}

/// The records of the trail in `dir`, newest first.
///
/// # Errors
/// When the directory cannot be read.
pub fn backward(dir: &Path) -> io::Result<Backward> {
    backward_from(dir, None)
}

/// The same, of the records before number `before`.
///
/// # Errors
/// When the directory cannot be read.
pub fn backward_from(dir: &Path, before: Option<u64>) -> io::Result<Backward> {
    let end = before.unwrap_or(u64::MAX);
    let mut firsts = segments(dir)?;
    firsts.retain(|&first| first < end);
    Ok(Backward { dir: dir.to_owned(), firsts, current: None, end })
}

impl Iterator for Backward {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

impl Backward {
    fn read(&mut self) -> io::Result<Option<Record>> {
        loop {
            let Some((file, position, bytes)) = &mut self.current else {
                let Some(first) = self.firsts.last() else { return Ok(None) };
                let mut file = File::open(self.dir.join(file_name(*first)))?;
                let length = file.seek(io::SeekFrom::End(0))?;
                self.current = Some((file, length, Vec::new()));
                continue;
            };
            let line = match memrchr(b'\n', bytes) {
                Some(newline) => {
                    let line = bytes.split_off(newline + 1);
                    bytes.pop();
                    line
                }
                None if *position == 0 => {
                    let line = std::mem::take(bytes);
                    self.current = None;
                    let end = self.firsts.pop().unwrap_or(self.end);
                    match Record::parse(&line).filter(|record| record.seq < std::mem::replace(&mut self.end, end)) {
                        Some(record) => return Ok(Some(record)),
                        None => continue,
                    }
                }
                None => {
                    let more = (*position).min(BLOCK as u64);
                    *position -= more;
                    file.seek(io::SeekFrom::Start(*position))?;
                    let mut block = Vec::with_capacity(BLOCK + bytes.len());
                    io::Read::by_ref(file).take(more).read_to_end(&mut block)?;
                    block.append(bytes);
                    *bytes = block;
                    continue;
                }
            };
            if let Some(record) = Record::parse(&line).filter(|record| record.seq < self.end) {
                return Ok(Some(record));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{
        Settings, Trail,
        tests::{Home, allow, deny},
    };

    /// Two segments of decisions; the second is torn at its end.
    async fn trail() -> Home {
        let home = Home::new();
        for n in 0..2 {
            let trail = home.open();
            allow(&trail, &format!("echo {n}")).await.unwrap();
            deny(&trail, "rm -rf /").await.unwrap();
            trail.close().await;
        }
        let last = home.segments().pop().unwrap();
        let mut text = std::fs::read(&last).unwrap();
        text.extend_from_slice(br#"{"v":"rampart.audit.v2","seq":11,"ty"#);
        std::fs::write(&last, text).unwrap();
        home
    }

    fn seqs(records: impl Iterator<Item = io::Result<Record>>) -> Vec<u64> {
        records.map(|r| r.unwrap().seq).collect()
    }

    #[tokio::test]
    async fn records_are_read_both_ways_across_segments() {
        let home = trail().await;
        assert_eq!(seqs(forward(&home.dir, 0)), (1..=10).collect::<Vec<_>>());
        assert_eq!(seqs(forward(&home.dir, 8)), [8, 9, 10]);
        assert_eq!(seqs(forward(&home.dir, 99)), [0; 0]);
        assert_eq!(seqs(backward(&home.dir).unwrap()), (1..=10).rev().collect::<Vec<_>>());
        for before in [1, 2, 6, 7, 11, 99] {
            let wanted: Vec<_> = (1..before.min(11)).rev().collect();
            assert_eq!(seqs(backward_from(&home.dir, Some(before)).unwrap()), wanted);
        }
    }

    #[tokio::test]
    async fn following_goes_on_across_segments() {
        let home = Home::new();
        let settings = Settings { segment_bytes: 2000, ..Settings::default() };
        let trail = Trail::open(&home.dir, settings).unwrap();
        let mut reader = forward(&home.dir, 2);
        let mut next = 2;
        for _ in 0..20 {
            let seq = allow(&trail, "ls").await.unwrap();
            while next <= seq {
                assert_eq!(reader.wait().await.unwrap().seq, next);
                next += 1;
            }
        }
        assert!(home.segments().len() > 3);
        assert_eq!(reader.read().unwrap(), None);
    }
}
