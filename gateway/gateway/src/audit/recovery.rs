//! Finding out where an existing trail stands. Only its last segment is read.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read as _, Seek as _},
};

use sha2::{Digest as _, Sha256};

use super::{
    OpenError, chain,
    checkpoint::Checkpoint,
    directory::Directory,
    housekeeping::{LossReason, Lost, Opening, Recovered},
    ledger::Ledger,
    line::Line,
    record::{Draft, Kind, SCHEMA},
    segment,
};

/// Name of the file that holds the newest checkpoint.
pub(super) const CHECKPOINT: &str = "checkpoint";

/// Where an existing trail stands.
#[derive(Debug, Default)]
pub(super) struct Standing {
    pub(super) ledger: Ledger,
    /// First record and public key of the last segment.
    pub(super) last: Option<(u64, String)>,
    /// What the next segment must tell about the one before.
    pub(super) report: Vec<Draft>,
}

/// The part of a segment that is a chain.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) ledger: Ledger,
    /// Public key of the segment.
    pub(super) key: String,
    /// Bytes that belong to the chain.
    pub(super) length: u64,
    /// Bytes after them, and their SHA-256.
    pub(super) rest: Option<(u64, String)>,
    /// Hash of record `watch`, if it is in the segment.
    pub(super) watched: Option<chain::Hash>,
}

/// Follows the chain of a segment from its `open` record as far as it goes. None when not even that record holds.
pub(super) fn walk(mut reader: impl BufRead, watch: u64) -> io::Result<Option<Walk>> {
    let mut line = Vec::new();
    let mut found: Option<Walk> = None;
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(found);
        }
        let parsed = line.strip_suffix(b"\n").and_then(Line::parse);
        let fits = match (&mut found, &parsed) {
            (None, Some(first)) => {
                found = begin(first);
                found.is_some()
            }
            (Some(walk), Some(next)) => {
                next.seq == walk.ledger.size() + 1 && chain::link(walk.ledger.head(), next.body) == next.hash
            }
            (_, None) => false,
        };
        let Some(walk) = &mut found else { return Ok(None) };
        match parsed {
            Some(record) if fits => {
                walk.ledger.count(record.hash);
                walk.length += line.len() as u64;
                if record.seq == watch {
                    walk.watched = Some(record.hash);
                }
            }
            _ => {
                let mut hash = Sha256::new_with_prefix(&line);
                let length = line.len() as u64 + io::copy(&mut reader, &mut HashWriter(&mut hash))?;
                walk.rest = Some((length, hex::encode(hash.finalize())));
                return Ok(found);
            }
        }
    }
}

fn begin(first: &Line<'_>) -> Option<Walk> {
    let opening = opening_of(first)?;
    let prev = chain::hash_from_hex(opening.prev.as_bytes())?;
    let peaks = opening.peaks.iter().map(|p| chain::hash_from_hex(p.as_bytes())).collect::<Option<Vec<_>>>()?;
    let ledger = Ledger::resume(first.seq.checked_sub(1)?, prev, peaks)?;
    let sound = chain::link(&prev, first.body) == first.hash;
    sound.then_some(Walk { ledger, key: opening.introduction.key, length: 0, rest: None, watched: None })
}

/// What an `open` record says.
pub(super) fn opening_of(line: &Line<'_>) -> Option<Opening> {
    (line.kind == Kind::Open).then(|| body_of(line))?
}

/// What a record says, as `T`.
pub(super) fn body_of<T: serde::de::DeserializeOwned>(line: &Line<'_>) -> Option<T> {
    let mut object = line.body.to_vec();
    object.push(b'}');
    serde_json::from_slice(&object).ok()
}

/// Hashes what is written to it.
pub(super) struct HashWriter<'a>(pub(super) &'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Checks every file of the trail and finds out where it stands.
pub(super) fn standing(dir: &Directory) -> Result<Standing, OpenError> {
    let listed = dir.names().map_err(|e| OpenError::io("listed", &dir.path_of(""), e))?;
    let mut segments: Vec<u64> = listed.iter().filter_map(|name| segment::first_of(name)).collect();
    segments.sort_unstable();
    for name in &listed {
        let draft = name.strip_suffix(".new").is_some_and(|n| n == CHECKPOINT || segment::first_of(n).is_some());
        if draft {
            // a crash while it was written; nothing in it was answered for
            dir.remove(name).map_err(|e| OpenError::io("removed", &dir.path_of(name), e))?;
        } else if name == CHECKPOINT || name.starts_with("audit-") {
            dir.check(name)?;
        }
    }
    let witnessed: Option<Checkpoint> = dir
        .read_small(CHECKPOINT)
        .map_err(|e| OpenError::io("read", &dir.path_of(CHECKPOINT), e))?
        .and_then(|content| serde_json::from_slice(&content).ok())
        .filter(Checkpoint::is_signed);
    let mut standing = Standing::default();
    while let Some(first) = segments.pop() {
        let name = segment::file_name(first);
        let failed = |e| OpenError::io("read", &dir.path_of(&name), e);
        let file = dir.read(&name).map_err(failed)?;
        if let Some(schema) = other_schema(&file).map_err(failed)? {
            return Err(OpenError::Version { path: dir.path_of(&name), schema });
        }
        // what a process that was killed wrote may not be on disk yet, and we are about to build on it
        let synced = file.sync_data();
        let watch = witnessed.as_ref().map_or(0, |w| w.size);
        let Some(walk) = walk(BufReader::with_capacity(1 << 16, file), watch).map_err(failed)? else {
            standing.report.push(set_aside(dir, &name)?);
            continue;
        };
        if let Some((length, sha256)) = &walk.rest {
            standing.report.push(Draft::own(
                Kind::Recover,
                &Recovered {
                    segment: name.clone(),
                    offset: walk.length,
                    length: *length,
                    sha256: sha256.clone(),
                    cause: "bytes after the last whole record when the gateway started, as a crash leaves them".into(),
                },
            ));
        }
        let missing = |cause: String, first| {
            let last = witnessed.as_ref().map_or(0, |w| w.size);
            Draft::own(
                Kind::Lost,
                &Lost { segment: name.clone(), offset: walk.length, first, last, reason: LossReason::Tampered, cause },
            )
        };
        match &witnessed {
            Some(w) if w.size > walk.ledger.size() => standing.report.push(missing(
                format!("the checkpoint covers {} records, the last segment ends with {}", w.size, walk.ledger.size()),
                walk.ledger.size() + 1,
            )),
            Some(w) if walk.watched.is_some() && walk.watched != w.head_hash() => standing
                .report
                .push(missing(format!("record {} is not the one that the checkpoint covers", w.size), first)),
            _ => {}
        }
        if let Err(e) = synced {
            let (first, last) = (first, walk.ledger.size());
            let cause = format!("what was there could not be synced: {e}");
            standing.report.push(Draft::own(
                Kind::Lost,
                &Lost { segment: name, offset: 0, first, last, reason: LossReason::Disk, cause },
            ));
        }
        standing.last = Some((first, walk.key));
        standing.ledger = walk.ledger;
        return Ok(standing);
    }
    if let Some(w) = witnessed {
        let cause = format!("the checkpoint covers {} records, but no segment is there", w.size);
        let lost = Lost {
            segment: segment::file_name(1),
            offset: 0,
            first: 1,
            last: w.size,
            reason: LossReason::Tampered,
            cause,
        };
        standing.report.push(Draft::own(Kind::Lost, &lost));
    }
    Ok(standing)
}

/// The format that a segment says it is in, where that is another one than ours.
fn other_schema(mut file: &File) -> io::Result<Option<String>> {
    let mut text = Vec::new();
    file.take(64).read_to_end(&mut text)?;
    file.rewind()?;
    // Whole, or a crash may have left it.
    let whole = |rest: &[u8]| {
        Some(String::from_utf8_lossy(rest.split_at_checked(rest.iter().position(|b| *b == b'"')?)?.0).into_owned())
    };
    let named = text.strip_prefix(br#"{"v":""#).and_then(whole);
    Ok(named.filter(|name| name.starts_with("rampart.audit.v") && name != SCHEMA))
}

/// Renames a segment in which not even the first record holds, so that its name is free and its bytes are kept.
fn set_aside(dir: &Directory, name: &str) -> Result<Draft, OpenError> {
    let failed = |e| OpenError::io("set aside", &dir.path_of(name), e);
    let mut hash = Sha256::new();
    let length = io::copy(&mut dir.read(name).map_err(failed)?, &mut HashWriter(&mut hash)).map_err(failed)?;
    let aside = format!("{name}.damaged");
    dir.rename(name, &aside).map_err(failed)?;
    let sha256 = hex::encode(hash.finalize());
    let cause = "the segment's first record does not hold; the file was set aside".into();
    Ok(Draft::own(Kind::Recover, &Recovered { segment: aside, offset: 0, length, sha256, cause }))
}
