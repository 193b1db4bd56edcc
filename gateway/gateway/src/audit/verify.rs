//! Checking a trail: that every record is the one that was written, in its place, with none missing. Reads raw bytes;
//! JSON is parsed only where a record speaks about the trail itself. Works on a copy as well as on a trail in use.

mod blocks;
mod segment;

use std::{collections::BTreeMap, fs::File, io, path::Path};

use serde::Serialize;

use self::segment::{Checked, Expected};
use super::{
    chain::{self, GENESIS},
    checkpoint::Checkpoint,
    housekeeping::{Lost, Recovered, Retirement},
    record::Kind,
    recovery::CHECKPOINT,
    segment::{file_name, first_of},
};

/// What the trail is held against.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Checkpoints that were kept elsewhere.
    pub witnesses: Vec<Checkpoint>,
    /// The hash, in hex, that the last record must have.
    pub expect_head: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "AuditReport"))]
pub struct Report {
    /// Nothing is wrong. Notes may still tell of crashes that the trail itself accounts for.
    pub ok: bool,
    /// Records that were read and hold.
    pub records: u64,
    /// Files of the trail.
    pub segments: usize,
    /// Number of the first record that is there; more than 1 when old segments were retired.
    pub first: u64,
    /// Hash of the last record, in hex.
    pub head: String,
    /// Public key of the first segment, in hex. Keep it: every later key is vouched for by the one before.
    pub key: String,
    /// Signed checkpoints among the records.
    pub checkpoints: u64,
    /// What is wrong, in the order of the records.
    pub problems: Vec<Finding>,
    /// What a reader should know, though nothing is wrong.
    pub notes: Vec<Finding>,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "AuditFinding"))]
pub struct Finding {
    /// What kind of thing.
    pub what: What,
    /// Name of the file.
    pub file: String,
    /// Line in it, counted from 1; 0 for the file as a whole.
    pub line: u64,
    /// What it is, in a sentence.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

/// The kinds of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "AuditFindingKind"))]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A record is not as it was written.
    Edited,
    /// Records are missing.
    Missing,
    /// A record stands in the wrong place, or twice.
    Misplaced,
    /// The trail is shorter than a checkpoint says it was.
    Truncated,
    /// The chain holds, but it is not the one that was signed or witnessed.
    Rewritten,
    /// Bytes that are no records, at the end of a segment.
    Torn,
    /// Records that the trail itself reports as lost.
    Lost,
    /// Segments that the retention setting removed.
    Retired,
}

/// At most this many problems are listed; a trail with more needs no longer list.
const MOST: usize = 100;

impl Report {
    fn problem(&mut self, finding: Finding) {
        if self.problems.len() < MOST {
            self.problems.push(finding);
        }
    }
}

/// Checks the trail in `dir`. `progress` is told the number of records read so far.
///
/// # Errors
/// When the directory or a file cannot be read. What is wrong with the trail is no error but stands in the report.
pub fn verify(dir: &Path, options: &Options, mut progress: impl FnMut(u64)) -> io::Result<Report> {
    // before the segments, so that a gateway that goes on writing is never ahead of what we read
    let kept = kept_checkpoint(dir)?;
    let firsts = segments(dir)?;
    let accounts = Accounts::gather(dir, &firsts)?;
    let mut report = Report { segments: firsts.len(), ..Report::default() };
    let witnesses = witnesses(options, kept, &mut report);
    let mut previous: Option<Checked> = None;
    let mut retirements: Vec<Retirement> = Vec::new();
    let mut start = None;
    for (nth, &first) in firsts.iter().enumerate() {
        let name = file_name(first);
        let expected = Expected {
            name: &name,
            first,
            is_last: nth + 1 == firsts.len(),
            recovered: accounts.recovered(&name),
            lost: accounts.lost(&name),
            witnesses: &witnesses,
        };
        let checked = segment::check(File::open(dir.join(&name))?, &expected, &mut report, &mut progress)?;
        retirements.extend(checked.retirements.iter().cloned());
        if let Some(before) = &previous {
            stitch(before, &checked, &name, &accounts, &mut report);
        } else {
            start = checked.opening.as_ref().map(|o| o.prev.clone());
            report.first = first;
            report.key = checked.key.clone().unwrap_or_default();
        }
        previous = Some(checked);
    }
    accounts.tell(&mut report);
    if let Some(prev) = start {
        check_start(&prev, &retirements, &mut report);
    }
    check_end(previous.as_ref(), &witnesses, options, &mut report);
    report.ok = report.problems.is_empty();
    Ok(report)
}

/// First numbers of the segments in a directory, in order.
pub(super) fn segments(dir: &Path) -> io::Result<Vec<u64>> {
    let mut firsts = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        firsts.extend(entry?.file_name().to_str().and_then(first_of));
    }
    firsts.sort_unstable();
    Ok(firsts)
}

fn kept_checkpoint(dir: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(dir.join(CHECKPOINT)) {
        // A power cut leaves it empty when its content had not come to the disk.
        Ok(content) => Ok(Some(content).filter(|content| !content.is_empty())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// A checkpoint and where it comes from.
#[derive(Debug)]
pub(super) struct Witness {
    name: &'static str,
    checkpoint: Checkpoint,
}

impl Witness {
    /// Says that the trail is not what this one saw, if it is a witness at all.
    fn contradicts(&self, what: What, message: String, remedy: &str) -> Finding {
        let Self { name, checkpoint } = self;
        if !checkpoint.is_signed() {
            return forged(name, checkpoint.size);
        }
        Finding { what, file: String::new(), line: 0, message, remedy: remedy.to_owned() }
    }
}

fn forged(name: &str, size: u64) -> Finding {
    Finding {
        what: What::Rewritten,
        file: CHECKPOINT.into(),
        line: 0,
        message: format!("{name} over {size} records is not a signed checkpoint"),
        remedy: "compare with a checkpoint that was kept elsewhere: `rampart audit verify --witness FILE`".into(),
    }
}

/// Everything that the trail is held against, the smallest first.
fn witnesses(options: &Options, kept: Option<Vec<u8>>, report: &mut Report) -> Vec<Witness> {
    let given = options.witnesses.iter().cloned().map(|checkpoint| Witness { name: "the witness", checkpoint });
    let mut all: Vec<_> = given.collect();
    if let Some(content) = kept {
        match serde_json::from_slice::<Checkpoint>(&content) {
            Ok(checkpoint) if checkpoint.is_signed() => all.push(Witness { name: "the checkpoint file", checkpoint }),
            Ok(checkpoint) => report.problem(forged("the checkpoint file", checkpoint.size)),
            Err(_) => report.problem(forged("the checkpoint file", 0)),
        }
    }
    all.sort_by_key(|witness| witness.checkpoint.size);
    all
}

/// What later segments say about earlier ones.
#[derive(Debug, Default)]
struct Accounts {
    recovered: BTreeMap<String, Vec<Recovered>>,
    lost: BTreeMap<String, Vec<Lost>>,
}

impl Accounts {
    /// Reads the first records of each segment: there a segment tells how the one before ended.
    fn gather(dir: &Path, firsts: &[u64]) -> io::Result<Self> {
        let mut accounts = Self::default();
        for &first in firsts {
            let file = File::open(dir.join(file_name(first)))?;
            segment::leading(file, |kind, line| match kind {
                Kind::Recover => {
                    if let Some(told) = super::recovery::body_of::<Recovered>(line) {
                        accounts.recovered.entry(told.segment.clone()).or_default().push(told);
                    }
                }
                Kind::Lost => {
                    if let Some(told) = super::recovery::body_of::<Lost>(line) {
                        accounts.lost.entry(told.segment.clone()).or_default().push(told);
                    }
                }
                _ => {}
            })?;
        }
        Ok(accounts)
    }

    fn recovered(&self, segment: &str) -> &[Recovered] {
        self.recovered.get(segment).map_or(&[], Vec::as_slice)
    }

    fn lost(&self, segment: &str) -> &[Lost] {
        self.lost.get(segment).map_or(&[], Vec::as_slice)
    }

    /// Whether the trail itself reports that these records are gone.
    fn cover(&self, first: u64, last: u64) -> bool {
        self.lost.values().flatten().any(|lost| lost.first <= first && lost.last >= last)
    }

    /// Turns what the trail reports of itself into findings.
    fn tell(&self, report: &mut Report) {
        for lost in self.lost.values().flatten() {
            let told = match lost.last.checked_sub(lost.first) {
                None => "no record that anybody relied on".to_owned(),
                Some(0) => format!("record {}", lost.first),
                Some(_) => format!("records {} to {}", lost.first, lost.last),
            };
            let (file, line) = (lost.segment.clone(), 0);
            let message = format!("the trail reports that this file failed, which concerns {told}: {}", lost.cause);
            if lost.is_innocent() {
                let remedy = "look after the disk; what is still there was checked".into();
                report.notes.push(Finding { what: What::Lost, file, line, message, remedy });
            } else {
                let remedy = "restore the file from a backup; find out who changed it".into();
                report.problem(Finding { what: What::Lost, file, line, message, remedy });
            }
        }
    }
}

/// Checks that a segment goes on where the one before it ended.
fn stitch(before: &Checked, after: &Checked, name: &str, accounts: &Accounts, report: &mut Report) {
    let Some(opening) = &after.opening else { return };
    let finding = |what, message: String, remedy: &str| Finding {
        what,
        file: name.to_owned(),
        line: 1,
        message,
        remedy: remedy.to_owned(),
    };
    let (size, first) = (before.size, after.first);
    if first > size + 1 {
        if !accounts.cover(size + 1, first - 1) {
            let message = format!("records {} to {} are missing before this file", size + 1, first - 1);
            let remedy = "restore the missing segment from a backup; find out who removed it";
            report.problem(finding(What::Missing, message, remedy));
        }
        return;
    }
    if !before.whole {
        return; // told already, and there is nothing sound to compare with
    }
    let continues = first == size + 1
        && opening.prev == hex::encode(before.ledger.head())
        && opening.peaks.iter().eq(before.ledger.tree().peaks().iter().map(hex::encode).collect::<Vec<_>>().iter());
    if !continues {
        let message = format!("the segment does not continue record {size} of the segment before");
        report.problem(finding(What::Rewritten, message, "one of the two was exchanged; compare both with a backup"));
        return;
    }
    let root = before.ledger.tree().root();
    let known = before.key.as_deref().unwrap_or_default();
    if !opening.introduction.is_vouched(known, size, before.ledger.head(), &root) {
        let message = "the signing key of this segment is not vouched for by the key of the segment before".to_owned();
        let remedy = "what follows or what precedes was rewritten, or the old key file was lost; compare with a backup";
        report.problem(finding(What::Rewritten, message, remedy));
    }
}

/// Checks what is said to lie before the first record that is there.
fn check_start(prev: &str, retirements: &[Retirement], report: &mut Report) {
    let file = file_name(report.first);
    let finding =
        |what, message, remedy: &str| Finding { what, file: file.clone(), line: 1, message, remedy: remedy.to_owned() };
    let last = report.first.saturating_sub(1);
    if last == 0 {
        if chain::hash_from_hex(prev.as_bytes()) != Some(GENESIS) {
            let message = "the first record does not start the chain".to_owned();
            report.problem(finding(What::Rewritten, message, "compare with a backup"));
        }
    } else if retirements.iter().any(|r| r.last == last && r.head == prev || r.segments.contains(&file)) {
        // Whatever is listed goes oldest first, and some of it is still there after a crash; from there the chain holds.
        let message = format!("records 1 to {last} were removed by the retention setting, which the trail records");
        report.notes.push(finding(What::Retired, message, "nothing"));
    } else {
        let message = format!("records 1 to {last} are missing");
        report.problem(finding(What::Missing, message, "restore the missing segments from a backup"));
    }
}

/// Checks that the trail reaches as far as it once did.
fn check_end(last: Option<&Checked>, witnesses: &[Witness], options: &Options, report: &mut Report) {
    let size = last.map_or(0, |l| l.size);
    let file = last.map_or(String::new(), |l| file_name(l.first));
    report.head = last.map(|l| hex::encode(l.ledger.head())).unwrap_or_default();
    let finding =
        |what, message, remedy: &str| Finding { what, file: file.clone(), line: 0, message, remedy: remedy.to_owned() };
    // the largest tells most
    if let Some(witness) = witnesses.last() {
        let witnessed = witness.checkpoint.size;
        if witnessed > size {
            let message = format!("{} saw {witnessed} records, but the trail ends with record {size}", witness.name);
            let remedy = "the end was cut off; restore it from a backup";
            report.problem(Finding { file: file.clone(), ..witness.contradicts(What::Truncated, message, remedy) });
        } else if witnessed < report.first {
            let message = format!("{} covers only records that were retired", witness.name);
            report.notes.push(finding(What::Retired, message, "use a newer checkpoint"));
        }
    }
    if let Some(expected) = &options.expect_head
        && *expected != report.head
    {
        let message = format!("the last record has the hash {}, not {expected}", report.head);
        report.problem(finding(
            What::Truncated,
            message,
            "the end was cut off, changed or added to; compare with a backup",
        ));
    }
}
