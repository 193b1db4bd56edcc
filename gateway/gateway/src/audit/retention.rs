//! Which segments are old enough to go. Whole segments go, oldest first, and never the one that is being written.

use std::io::{self, BufRead as _, BufReader};

use super::{
    directory::Directory,
    housekeeping::{Opening, Retirement},
    ledger::Stamp,
    line::Line,
    recovery::opening_of,
    segment::{file_name, first_of},
};

/// What would be said about the segments whose records are all from before `before`. None when there are none.
pub(super) fn retirement(dir: &Directory, before: Stamp) -> io::Result<Option<Retirement>> {
    let mut firsts: Vec<u64> = dir.names()?.iter().filter_map(|name| first_of(name)).collect();
    firsts.sort_unstable();
    let before = before.rfc3339();
    let mut retirement = None;
    let mut segments = Vec::new();
    for pair in firsts.windows(2) {
        let [first, next] = *pair else { break };
        // a segment's records are older than the record that opens the next
        let Some((at, opening)) = opening(dir, next)? else { break };
        if at >= before {
            break;
        }
        segments.push(file_name(first));
        retirement = Some(Retirement { segments: segments.clone(), last: next - 1, head: opening.prev });
    }
    Ok(retirement)
}

/// When a segment was opened, and its first record.
fn opening(dir: &Directory, first: u64) -> io::Result<Option<(String, Opening)>> {
    #[derive(serde::Deserialize)]
    struct At {
        at: String,
    }
    let mut line = Vec::new();
    BufReader::new(dir.read(&file_name(first))?).read_until(b'\n', &mut line)?;
    let Some(record) = line.strip_suffix(b"\n").and_then(Line::parse) else { return Ok(None) };
    let at = super::recovery::body_of::<At>(&record).map(|body| body.at);
    Ok(at.zip(opening_of(&record)))
}
