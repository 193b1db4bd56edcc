//! Checking one segment: its records follow each other, its checkpoints say the truth, and its end is accounted for.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader},
    os::unix::fs::FileExt as _,
};

use sha2::{Digest as _, Sha256};

use super::{
    Finding, Report, What, Witness,
    blocks::{Blocks, Facts},
};
use crate::audit::{
    chain::{self, GENESIS, Hash},
    checkpoint::Checkpoint,
    housekeeping::{Lost, Opening, Recovered, Retirement},
    ledger::Ledger,
    line::Line,
    record::Kind,
    recovery::{body_of, opening_of},
};

/// Bytes read at a time.
const READ: usize = 256 * 1024;
/// Records between two reports of progress.
const STEP: u64 = 65_536;
/// The longest end of a file that is looked at as a torn line.
const TORN: usize = 1 << 26;

/// What is known of a segment before it is read.
pub(super) struct Expected<'a> {
    pub(super) name: &'a str,
    /// First record, by the name of the file.
    pub(super) first: u64,
    pub(super) is_last: bool,
    pub(super) recovered: &'a [Recovered],
    pub(super) lost: &'a [Lost],
    /// The smallest first.
    pub(super) witnesses: &'a [Witness],
}

/// What a segment turned out to be.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) first: u64,
    /// Its first record, if that holds.
    pub(super) opening: Option<Opening>,
    /// Its public key.
    pub(super) key: Option<String>,
    /// Number of its last record.
    pub(super) size: u64,
    /// Where it ends, if it is `whole`.
    pub(super) ledger: Ledger,
    /// Every record holds.
    pub(super) whole: bool,
    pub(super) retirements: Vec<Retirement>,
}

/// Gives the records that follow the `open` record of a segment to `each`, until there is one of another kind.
pub(super) fn leading(file: File, mut each: impl FnMut(Kind, &Line<'_>)) -> io::Result<()> {
    let mut reader = BufReader::new(file);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        if reader.read_until(b'\n', &mut bytes)? == 0 {
            return Ok(());
        }
        match bytes.strip_suffix(b"\n").and_then(Line::parse) {
            Some(line) if line.kind == Kind::Open => {}
            Some(line) if matches!(line.kind, Kind::Recover | Kind::Lost | Kind::Gap) => each(line.kind, &line),
            _ => return Ok(()),
        }
    }
}

struct Walk<'a> {
    expected: &'a Expected<'a>,
    report: &'a mut Report,
    checked: Checked,
    /// What the next record may be linked to: the hash that the last one claims, and the one it should have. They
    /// differ after a record that does not hold, and then one of the two is what the next was linked to.
    /// None when nothing is known of the last record; then the next is taken as it is.
    heads: Option<[Hash; 2]>,
    /// Those that are not passed yet.
    witnesses: &'a [Witness],
    line: u64,
    offset: u64,
    /// The last checkpoint; its signature covers all before it.
    checkpoint: Option<(u64, Checkpoint)>,
}

/// Checks a segment and adds what is wrong to the report.
pub(super) fn check(
    file: File,
    expected: &Expected<'_>,
    report: &mut Report,
    progress: &mut impl FnMut(u64),
) -> io::Result<Checked> {
    let checked = Checked {
        first: expected.first,
        opening: None,
        key: None,
        size: expected.first.saturating_sub(1),
        ledger: Ledger::default(),
        whole: true,
        retirements: Vec::new(),
    };
    let mut walk = Walk {
        expected,
        report,
        checked,
        heads: Some([GENESIS; 2]),
        witnesses: expected.witnesses,
        line: 0,
        offset: 0,
        checkpoint: None,
    };
    let again = file.try_clone()?;
    std::thread::scope(|scope| {
        let mut blocks = Blocks::of(file, scope)?;
        while let Some(block) = blocks.next()? {
            let mut start = 0;
            for (end, facts) in &block.lines {
                let bytes = block.bytes.get(start..*end).unwrap_or_default();
                start = *end;
                if !walk.take(bytes, facts.as_ref(), &again)? {
                    return io::Result::Ok(());
                }
                if walk.line.is_multiple_of(STEP) {
                    progress(walk.report.records);
                }
            }
        }
        Ok(())
    })?;
    walk.end();
    let checked = walk.checked;
    progress(report.records);
    Ok(checked)
}

impl Walk<'_> {
    /// Looks at the next line. False when nothing after it in the file is to be looked at.
    fn take(&mut self, bytes: &[u8], facts: Option<&Facts>, file: &File) -> io::Result<bool> {
        self.line += 1;
        let record = facts.map(|facts| facts.line(bytes));
        let holds = match (&record, facts) {
            _ if self.ends_here() => false,
            (Some(record), _) if self.line == 1 => self.begin(record),
            (Some(record), Some(facts)) => self.follows(record, facts),
            _ => false,
        };
        if holds {
            if let (Some(record), Some(facts)) = (&record, facts) {
                self.count(record, facts);
            }
        } else if self.is_accounted_for(bytes, file)? {
            return Ok(false);
        } else {
            self.broken(record.as_ref());
        }
        self.offset += bytes.len() as u64;
        Ok(true)
    }

    fn problem(&mut self, what: What, message: String, remedy: &str) {
        let (file, line) = (self.expected.name.to_owned(), self.line);
        self.report.problem(Finding { what, file, line, message, remedy: remedy.to_owned() });
    }

    fn note(&mut self, what: What, message: String) {
        let (file, line) = (self.expected.name.to_owned(), self.line);
        self.report.notes.push(Finding { what, file, line, message, remedy: "nothing".into() });
    }

    /// The first record says where the segment starts. Whether that is where the one before ended is looked at later.
    fn begin(&mut self, record: &Line<'_>) -> bool {
        let Some(opening) = opening_of(record) else { return false };
        let Some(prev) = chain::hash_from_hex(opening.prev.as_bytes()) else { return false };
        let peaks = opening.peaks.iter().map(|p| chain::hash_from_hex(p.as_bytes())).collect::<Option<Vec<_>>>();
        let Some(ledger) = peaks.and_then(|peaks| Ledger::resume(self.expected.first.saturating_sub(1), prev, peaks))
        else {
            return false;
        };
        if record.seq != self.expected.first || chain::link(&prev, record.body) != record.hash {
            return false;
        }
        self.checked.key = Some(opening.introduction.key.clone());
        self.checked.opening = Some(opening);
        self.checked.ledger = ledger;
        true
    }

    fn follows(&self, record: &Line<'_>, facts: &Facts) -> bool {
        let linked = |head: &Hash| facts.linked.as_ref() == Some(head) || chain::link(head, record.body) == record.hash;
        record.seq == self.checked.size + 1
            && self
                .heads
                .is_none_or(|[claimed, computed]| linked(&claimed) || (claimed != computed && linked(&computed)))
    }

    /// Whether the trail records that its next record is not in this segment any more: what follows here was written
    /// but never answered for, and was written again in the next segment.
    fn ends_here(&self) -> bool {
        let (at, size) = (self.offset, self.checked.size);
        self.expected.recovered.iter().any(|torn| torn.offset == at)
            || self.expected.lost.iter().any(|lost| lost.offset <= at && lost.last == size)
    }

    fn count(&mut self, record: &Line<'_>, facts: &Facts) {
        match record.kind {
            Kind::Checkpoint => self.checkpoint(record),
            Kind::Retire => self.checked.retirements.extend(body_of::<Retirement>(record)),
            _ => {}
        }
        self.report.records += 1;
        self.checked.size = record.seq;
        self.heads = Some([record.hash; 2]);
        if self.checked.whole {
            self.checked.ledger.count_leaf(record.hash, facts.leaf);
        }
        while let Some((witness, later)) = self.witnesses.split_first()
            && witness.checkpoint.size <= record.seq
        {
            if witness.checkpoint.size == record.seq {
                self.compare(witness, &record.hash);
            }
            self.witnesses = later;
        }
    }

    /// A checkpoint must say what stands before it. Of the signatures only a segment's last is checked, at its end.
    fn checkpoint(&mut self, record: &Line<'_>) {
        self.report.checkpoints += 1;
        let Some(said) = body_of::<Checkpoint>(record) else {
            return self.problem(What::Rewritten, "the checkpoint is unreadable".into(), "compare with a backup");
        };
        let ledger = &self.checked.ledger;
        if self.checked.whole
            && (said.size != ledger.size()
                || said.head_hash() != Some(*ledger.head())
                || said.root != hex::encode(ledger.tree().root())
                || self.checked.key.as_ref() != Some(&said.key))
        {
            let message = format!("checkpoint {} does not describe the records before it", record.seq);
            self.problem(What::Rewritten, message, "the chain was rewritten; compare with a backup");
        }
        self.checkpoint = Some((self.line, said));
    }

    fn compare(&mut self, witness: &Witness, hash: &Hash) {
        let seen = &witness.checkpoint;
        let root = self.checked.whole.then(|| hex::encode(self.checked.ledger.tree().root()));
        let known = self.checked.key.as_ref().is_none_or(|key| *key == seen.key);
        let (message, remedy) = if seen.head_hash() != Some(*hash) || root.is_some_and(|root| root != seen.root) {
            let message = format!("record {} is not the one that {} saw", seen.size, witness.name);
            (message, "the chain was rewritten; compare with a backup")
        } else if !known {
            let message =
                format!("{} over {} records is signed with a key that is not this segment's", witness.name, seen.size);
            (message, "the chain was signed anew; compare with a backup")
        } else {
            return;
        };
        let (file, line) = (self.expected.name.to_owned(), self.line);
        self.report.problem(Finding { file, line, ..witness.contradicts(What::Rewritten, message, remedy) });
    }

    /// Whether everything from here to the end of the file is known not to be records.
    fn is_accounted_for(&mut self, line: &[u8], file: &File) -> io::Result<bool> {
        let at = self.offset;
        if let Some(lost) = self.expected.lost.iter().find(|lost| lost.offset <= at) {
            // every such record becomes a finding of its own in the end
            self.checked.whole &= lost.last == self.checked.size;
            return Ok(true);
        }
        if let Some(torn) = self.expected.recovered.iter().find(|torn| torn.offset == at) {
            // read on only to hash; should the hash differ, the records after this line are not looked at one by one
            let mut hash = Sha256::new();
            let mut buffer = vec![0; READ];
            let mut length = 0;
            loop {
                let taken = file.read_at(&mut buffer, at + length)?;
                if taken == 0 {
                    break;
                }
                hash.update(buffer.get(..taken).unwrap_or_default());
                length += taken as u64;
            }
            if length == torn.length && hex::encode(hash.finalize()) == torn.sha256 {
                self.note(
                    What::Torn,
                    format!("{length} bytes are no records, which the trail records: {}", torn.cause),
                );
            } else {
                let message = "these are not the bytes that the trail recorded as torn".to_owned();
                self.problem(What::Edited, message, "restore the file from a backup");
            }
            return Ok(true);
        }
        let unfinished = !line.ends_with(b"\n") && line.len() < TORN && !holds_a_seal(line);
        if self.expected.is_last && unfinished {
            let message =
                format!("{} bytes of an unfinished record; the next start of the gateway records them", line.len());
            self.note(What::Torn, message);
            return Ok(true);
        }
        Ok(false)
    }

    /// Says what is wrong with a line, and finds a footing for the next.
    fn broken(&mut self, record: Option<&Line<'_>>) {
        let next = self.checked.size + 1;
        let backup = "restore the file from a backup; what stands here cannot be relied upon";
        self.checked.whole = false;
        let Some(record) = record else {
            self.checked.size = next;
            self.heads = None;
            return self.problem(What::Edited, format!("record {next} is not as it was written"), backup);
        };
        let computed = self.heads.map_or(record.hash, |[claimed, _]| chain::link(&claimed, record.body));
        if record.seq == next {
            self.problem(What::Edited, format!("record {next} is not as it was written"), backup);
        } else if self.line == 1 {
            let message =
                format!("the file starts with record {}, not {next}: it was exchanged or renamed", record.seq);
            self.problem(What::Misplaced, message, backup);
        } else if record.seq > next {
            let message = match record.seq - next {
                1 => format!("record {next} is missing"),
                _ => format!("records {next} to {} are missing", record.seq - 1),
            };
            self.problem(What::Missing, message, backup);
        } else {
            let message = format!("record {} stands where record {next} should be", record.seq);
            self.problem(What::Misplaced, message, backup);
        }
        // a record that was moved back or doubled does not set the count back
        self.checked.size = self.checked.size.max(record.seq);
        if record.seq >= next {
            self.heads = Some([record.hash, computed]);
        }
    }

    fn end(&mut self) {
        if self.line == 0 {
            self.checked.whole = false;
            self.problem(What::Missing, "the file is empty".into(), "restore it from a backup");
        }
        if let Some((line, checkpoint)) = self.checkpoint.take()
            && !checkpoint.is_signed()
        {
            self.line = line;
            let message = format!("the signature of the checkpoint over {} records is not valid", checkpoint.size);
            self.problem(What::Rewritten, message, "the chain was rewritten; compare with a backup");
        }
    }
}

/// Whether a text holds a whole seal, so that it is more than the beginning of a record.
fn holds_a_seal(line: &[u8]) -> bool {
    // a line that was cut right before its newline is still unfinished
    (1..line.len()).any(|end| line.get(..end).and_then(Line::parse).is_some())
}
