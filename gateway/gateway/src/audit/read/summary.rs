//! What the pieces of a closed segment hold, in short, so that a search reads few of them: `audit-<16 digits>.summary` beside
//! the segment, about a thirtieth of its length. It is made when the next segment has begun, and made again whenever
//! something about it is doubtful. Nothing is proved by it, and a trail without is searched all the same.

use std::{
    fs::{File, Metadata},
    io::{self, Read as _},
    ops::Range,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::Path,
};

use sha2::{Digest as _, Sha256};

use super::{
    super::{directory::Directory, line::Line, segment, verify::segments},
    filter::time_of,
    marks::{self, Marks},
    piece::{PIECE, Piece},
};

/// What the file begins with. The number goes up whenever the same lines are summed up in other bytes.
const FORMAT: &[u8; 8] = b"summary1";
/// The format, and of the segment: its length, when it was last written, how it is cut.
const HEADER: usize = 40;
/// A time as records have it: RFC 3339 in UTC with milliseconds.
const TIME: usize = 24;
/// Of a piece: numbers and times of its first and last record, and its marks.
const GIST: usize = 2 * 8 + 2 * TIME + Marks::BYTES;
const SUM: usize = 32;
const ENDING: &str = ".summary";

fn file_name(first: u64) -> String {
    let name = segment::file_name(first);
    format!("{}{ENDING}", name.strip_suffix(".jsonl").unwrap_or(&name))
}

/// A summary that belongs to its segment.
#[derive(Debug)]
pub(super) struct Summary(File);

impl Summary {
    /// That of the segment with this first record. None where there is none or it may be of other content.
    pub(super) fn of(dir: &Path, first: u64, segment: &Metadata) -> Option<Self> {
        let file = File::open(dir.join(file_name(first))).ok()?;
        let wanted = header(segment);
        let mut found = [0; HEADER];
        file.read_exact_at(&mut found, 0).ok()?;
        let long = HEADER as u64 + segment.len().div_ceil(PIECE) * GIST as u64 + SUM as u64;
        (found == wanted && file.metadata().ok()?.len() == long).then_some(Self(file))
    }

    /// What it says of a piece.
    pub(super) fn gist<'b>(&self, nth: u64, buffer: &'b mut Vec<u8>) -> Option<Gist<'b>> {
        buffer.resize(GIST, 0);
        self.0.read_exact_at(buffer, HEADER as u64 + nth * GIST as u64).ok()?;
        let (first, rest) = buffer.split_first_chunk()?;
        let (last, rest) = rest.split_first_chunk()?;
        let (earliest, rest) = rest.split_at_checked(TIME)?;
        let (latest, marks) = rest.split_at_checked(TIME)?;
        let (first, last) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
        Some(Gist { first, last, earliest, latest, marks })
    }

    /// Nothing in it has changed since it was written.
    fn is_whole(&self) -> bool {
        let mut text = Vec::new();
        let read = (&self.0).read_to_end(&mut text);
        let halves = read.ok().and_then(|read| text.split_at_checked(read.checked_sub(SUM)?));
        halves.is_some_and(|(content, sum)| Sha256::digest(content).as_slice() == sum)
    }
}

/// What a summary says of one piece.
#[derive(Debug)]
pub(super) struct Gist<'a> {
    first: u64,
    last: u64,
    earliest: &'a [u8],
    latest: &'a [u8],
    marks: &'a [u8],
}

impl Gist<'_> {
    /// Some record here may have one of these numbers.
    pub(super) fn has_of(&self, numbers: &Range<u64>) -> bool {
        self.first < numbers.end && self.last >= numbers.start
    }

    /// Some record here may be of that time, `until` not included.
    pub(super) fn is_between(&self, since: Option<&[u8]>, until: Option<&[u8]>) -> bool {
        since.is_none_or(|since| self.latest >= since) && until.is_none_or(|until| self.earliest < until)
    }

    /// Some line here may have left this mark.
    pub(super) fn has(&self, mark: u16) -> bool {
        marks::is_set(self.marks, mark)
    }
}

/// The segments to which nothing is written any more and which have no sound summary, oldest first. Those of one piece need
/// none. Summaries whose segments are gone are removed.
///
/// # Errors
/// When the directory is not ours alone or cannot be read.
pub fn unsummarised(dir: &Path) -> io::Result<Vec<u64>> {
    let directory = Directory::open(dir).map_err(io::Error::other)?;
    let mut firsts = segments(dir)?;
    for name in directory.names()? {
        let of = name.strip_suffix(ENDING).and_then(|stem| segment::first_of(&format!("{stem}.jsonl")));
        if of.is_some_and(|first| firsts.binary_search(&first).is_err()) {
            directory.remove(&name)?;
        }
    }
    firsts.pop();
    firsts.retain(|&first| {
        let segment = dir.join(segment::file_name(first)).metadata();
        segment
            .is_ok_and(|it| it.len() > PIECE && !Summary::of(dir, first, &it).is_some_and(|summary| summary.is_whole()))
    });
    Ok(firsts)
}

/// Makes the summary of the segment with this first record.
///
/// # Errors
/// When the segment cannot be read or the summary cannot be written.
pub fn summarise(dir: &Path, first: u64) -> io::Result<()> {
    let directory = Directory::open(dir).map_err(io::Error::other)?;
    let path = dir.join(segment::file_name(first));
    let segment = path.metadata()?;
    let mut content = header(&segment).to_vec();
    let (mut text, mut marks) = (Vec::new(), Marks::new());
    for piece in Piece::all(&path, segment.len()) {
        marks.clear();
        sum_up(piece.lines(&mut text)?, &mut marks, &mut content);
    }
    let sum = Sha256::digest(&content);
    content.extend_from_slice(&sum);
    let name = file_name(first);
    let draft = format!("{name}.new");
    directory.remove(&draft)?;
    // One that is cut short by a crash never stands under its name.
    let written = directory.create_with(&draft, &content).and_then(|()| directory.rename(&draft, &name));
    written.inspect_err(|_| drop(directory.remove(&draft)))
}

fn header(segment: &Metadata) -> [u8; HEADER] {
    let (seconds, nanoseconds) = (segment.mtime(), segment.mtime_nsec());
    let numbers = [segment.len().to_le_bytes(), seconds.to_le_bytes(), nanoseconds.to_le_bytes(), PIECE.to_le_bytes()];
    let mut header = [0; HEADER];
    for (room, bytes) in header.as_chunks_mut().0.iter_mut().zip([FORMAT].into_iter().chain(&numbers)) {
        *room = *bytes;
    }
    header
}

fn sum_up(lines: &[u8], marks: &mut Marks, content: &mut Vec<u8>) {
    let (mut first, mut last) = (u64::MAX, 0);
    let (mut earliest, mut latest) = ([u8::MAX; TIME], [0; TIME]);
    for line in lines.split(|byte| *byte == b'\n').filter_map(Line::parse) {
        first = first.min(line.seq);
        last = last.max(line.seq);
        // without what it was sealed with, in which nobody looks for anything
        marks.add(line.body);
        // of a record without a time, nothing is known
        let at = time_of(line.body).and_then(|at| <[u8; TIME]>::try_from(at).ok());
        earliest = at.map_or([0; TIME], |at| at.min(earliest));
        latest = at.map_or([u8::MAX; TIME], |at| at.max(latest));
    }
    content.extend_from_slice(&first.to_le_bytes());
    content.extend_from_slice(&last.to_le_bytes());
    content.extend_from_slice(&earliest);
    content.extend_from_slice(&latest);
    content.extend_from_slice(&*marks.0);
}
