//! Which segments are old enough to go. Whole segments go, oldest first, and never the one that is being written.

use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _};

use super::{
    directory::Directory,
    housekeeping::{Opening, Retirement},
    ledger::Stamp,
    line::Line,
    recovery::opening_of,
    segment::{file_name, first_of},
};

/// Bytes at the end of a segment in which its last record is looked for.
const TAIL: u64 = 256 << 10;

/// What is kept at least. Without any limit all is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// Records from this point in time on (wall clock, milliseconds since 1970 UTC); older ones may go.
    pub since_ms: Option<u64>,
    /// The newest records in so many bytes of segments; what is beyond may go.
    pub bytes: Option<u64>,
}

/// What would be said about the segments that need not be kept. None when there are none.
pub(super) fn retirement(dir: &Directory, keep: Keep) -> io::Result<Option<Retirement>> {
    let mut firsts: Vec<u64> = dir.names()?.iter().filter_map(|name| first_of(name)).collect();
    firsts.sort_unstable();
    let since = keep.since_ms.map(|wall_ms| Stamp { wall_ms, boot_ms: 0 }.rfc3339());
    let sizes = firsts.iter().map(|&first| Ok(dir.read(&file_name(first))?.metadata()?.len()));
    let sizes = sizes.collect::<io::Result<Vec<u64>>>()?;
    let mut total: u64 = sizes.iter().sum();
    let mut retirement = None;
    let mut segments = Vec::new();
    for (pair, size) in firsts.windows(2).zip(sizes) {
        let [first, next] = *pair else { break };
        let Some((next_at, opening)) = opening(dir, next)? else { break };
        // The next may have been begun long after, when the gateway was started again.
        let at = last_at(dir, first)?.unwrap_or(next_at);
        let too_old = since.as_ref().is_some_and(|since| at < *since);
        let too_much = keep.bytes.is_some_and(|most| total > most);
        if !too_old && !too_much {
            break;
        }
        total -= size;
        segments.push(file_name(first));
        retirement = Some(Retirement { segments: segments.clone(), last: next - 1, head: opening.prev });
    }
    Ok(retirement)
}

#[derive(serde::Deserialize)]
struct At {
    at: String,
}

/// When the last whole record of a segment was written. None when it is longer than what is looked at, or there is none.
fn last_at(dir: &Directory, first: u64) -> io::Result<Option<String>> {
    let mut file = dir.read(&file_name(first))?;
    let length = file.metadata()?.len();
    file.seek(io::SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail)?;
    let mut lines = tail.rsplit(|byte| *byte == b'\n');
    Ok(lines.find_map(|line| super::recovery::body_of::<At>(&Line::parse(line)?)).map(|body| body.at))
}

/// When a segment was opened, and its first record.
fn opening(dir: &Directory, first: u64) -> io::Result<Option<(String, Opening)>> {
    let mut line = Vec::new();
    BufReader::new(dir.read(&file_name(first))?).read_until(b'\n', &mut line)?;
    let Some(record) = line.strip_suffix(b"\n").and_then(Line::parse) else { return Ok(None) };
    let at = super::recovery::body_of::<At>(&record).map(|body| body.at);
    Ok(at.zip(opening_of(&record)))
}
