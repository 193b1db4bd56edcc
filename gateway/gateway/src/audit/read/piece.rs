//! Segments cut into pieces, so that several threads read one and most of it need not be read.

use std::{
    fs::File,
    io,
    ops::Range,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use memchr::memchr;

/// Bytes of a piece: few enough to stay in a processor's cache between reading and searching, and to be read for one
/// record. In tests so few that lines are longer.
pub(super) const PIECE: u64 = if cfg!(test) { 4 << 10 } else { 256 << 10 };
/// What is read beyond a piece at a time, for the end of its last line.
const BEYOND: usize = 64 << 10;

/// A part of a segment: the lines that begin in these bytes.
#[derive(Debug)]
pub(super) struct Piece {
    file: PathBuf,
    bytes: Range<u64>,
}

impl Piece {
    /// All of a segment that is so long.
    pub(super) fn all(file: &Path, length: u64) -> impl DoubleEndedIterator<Item = Self> {
        (0..length.div_ceil(PIECE)).map(move |nth| {
            let start = nth * PIECE;
            Self { file: file.to_owned(), bytes: start..length.min(start + PIECE) }
        })
    }

    /// The lines that begin here, the end of the last one included.
    pub(super) fn lines<'t>(&self, text: &'t mut Vec<u8>) -> io::Result<&'t [u8]> {
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
