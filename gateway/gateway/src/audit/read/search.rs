//! Records looked up in a trail of any length: its segments are read in pieces by as many threads as there are processors,
//! and of a piece in which no wanted word stands no line is looked at.

use std::{
    io,
    ops::Range,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{Record, Sieve, piece::Piece, segments, summary::Summary};
use crate::audit::segment::file_name;

/// Pieces after which others are asked to help: most searches find enough in the newest.
const ALONE: usize = 16;
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

/// A piece in which wanted records may stand.
#[derive(Debug)]
struct Place {
    piece: Piece,
    /// The numbers that may stand here: what stands in a segment from the first number of the next one on was written
    /// again there.
    numbers: Range<u64>,
    /// What is known of its segment, and which of its pieces this is.
    summary: Option<(Arc<Summary>, u64)>,
}

/// Looks records up.
///
/// # Errors
/// When the files cannot be read.
pub fn search(dir: &Path, sieve: &Sieve, part: Part) -> io::Result<Vec<Record>> {
    let places = places(dir, part)?;
    let found = Found::new(places.len(), part.limit);
    let next = AtomicUsize::new(0);
    let work = |most: usize| {
        let mut text = Vec::new();
        for _ in 0..most {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            let Some(place) = places.get(nth).filter(|_| !found.enough()) else { return };
            found.put(nth, place.search(sieve, part, &mut text));
        }
    };
    work(ALONE);
    if !found.enough() && places.len() > ALONE {
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
fn places(dir: &Path, Part { after, before, .. }: Part) -> io::Result<Vec<Place>> {
    let firsts = segments(dir)?;
    let ends = firsts.iter().skip(1).copied().chain([u64::MAX]);
    let mut places = Vec::new();
    for (&first, end) in firsts.iter().zip(ends) {
        let numbers = after.map_or(0, |after| after.saturating_add(1))..end.min(before.unwrap_or(u64::MAX));
        if numbers.is_empty() || first >= numbers.end {
            continue;
        }
        let file = dir.join(file_name(first));
        let segment = match file.metadata() {
            Ok(meta) => meta,
            // Its time was over meanwhile.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e),
        };
        let summary = Summary::of(dir, first, &segment).map(Arc::new);
        places.extend(Piece::all(&file, segment.len()).zip(0..).map(|(piece, nth)| {
            let summary = summary.as_ref().map(|summary| (Arc::clone(summary), nth));
            Place { piece, numbers: numbers.clone(), summary }
        }));
    }
    if after.is_none() {
        places.reverse();
    }
    Ok(places)
}

impl Place {
    fn search(&self, sieve: &Sieve, part: Part, text: &mut Vec<u8>) -> io::Result<Vec<Record>> {
        let mut records = Vec::new();
        if !self.may_hold(sieve, text) {
            return Ok(records);
        }
        sieve.candidates(self.piece.lines(text)?, |line| {
            let record = Record::parse(line).filter(|record| self.numbers.contains(&record.seq));
            records.extend(record.filter(|record| sieve.admits(record)));
        });
        if part.after.is_none() {
            records.reverse();
        }
        records.truncate(part.limit);
        Ok(records)
    }

    /// False where the summary leaves no doubt that nothing wanted is here.
    fn may_hold(&self, sieve: &Sieve, buffer: &mut Vec<u8>) -> bool {
        let gist = self.summary.as_ref().and_then(|(summary, nth)| summary.gist(*nth, buffer));
        gist.is_none_or(|gist| gist.has_of(&self.numbers) && sieve.may_admit_one_of(&gist))
    }
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
        read::{Filter, forward, piece::PIECE, summarise, unsummarised},
        tests::{Home, allow, deny},
    };

    /// Three segments of many pieces, the last of which is torn.
    async fn long_trail() -> Home {
        let home = Home::new();
        for n in 0..3 {
            let trail = home.open();
            for m in 0..25 {
                allow(&trail, &format!("echo {n} {m} {}", "x".repeat(6_000 + m * 397))).await.unwrap();
                deny(&trail, &format!("rm -rf /NEEDLE{m}")).await.unwrap();
            }
            trail.close().await;
        }
        let last = home.segments().pop().unwrap();
        let mut text = std::fs::read(&last).unwrap();
        text.extend_from_slice(br#"{"v":"rampart.audit.v2","seq":999,"ty"#);
        std::fs::write(&last, text).unwrap();
        let bytes: u64 = home.segments().iter().map(|s| s.metadata().unwrap().len()).sum();
        assert!(bytes > 100 * PIECE, "{bytes}");
        home
    }

    fn filters() -> Vec<Filter> {
        let mut filters = vec![
            Filter::default(),
            Filter { decision: Some(rampart_call::Outcome::Deny), ..Filter::default() },
            Filter { decision: Some(rampart_call::Outcome::Webhook), ..Filter::default() },
            Filter { kinds: vec![Kind::Open, Kind::Close], ..Filter::default() },
            Filter { kinds: vec![Kind::Gap], ..Filter::default() },
            Filter { kinds: vec![Kind::Decision], text: Some("echo 1".into()), ..Filter::default() },
            Filter { session: Some("nobody's".into()), ..Filter::default() },
            Filter { agent: Some("claude-code".into()), ..Filter::default() },
            Filter { tool: Some("exec".into()), ..Filter::default() },
            Filter { host: Some("*.nowhere.example".into()), ..Filter::default() },
            Filter { path: Some("/".into()), ..Filter::default() },
            Filter { since_ms: Some(1), until_ms: Some(u64::MAX / 2), ..Filter::default() },
            Filter { until_ms: Some(1), ..Filter::default() },
        ];
        let texts = ["needle7", "NEEDLE19\"", "echo", "cho 2 1", "/", "~", "/n", "xxxx", "\"", "h", "ab", "zq", ""];
        filters.extend(texts.map(|text| Filter { text: Some(text.into()), ..Filter::default() }));
        filters
    }

    /// Every part of a trail of several segments, by every filter, is what reading line by line finds, whether or not the
    /// segments were summed up.
    #[tokio::test]
    async fn what_is_found_is_what_reading_every_line_finds() {
        let home = long_trail().await;
        let all: Vec<Record> = forward(&home.dir, 0).map(Result::unwrap).collect();
        for summed_up in [false, true] {
            if summed_up {
                let closed = unsummarised(&home.dir).unwrap();
                assert_eq!(closed.len(), 2);
                for first in closed {
                    summarise(&home.dir, first).unwrap();
                }
                assert!(unsummarised(&home.dir).unwrap().is_empty());
            }
            for filter in filters() {
                let sieve = filter.clone().sieve();
                let wanted: Vec<u64> = all.iter().filter(|r| sieve.admits(r)).map(|r| r.seq).collect();
                for (after, before) in [(None, None), (None, Some(90)), (Some(0), None), (Some(55), Some(200))] {
                    let numbers = after.map_or(0, |after| after + 1)..before.unwrap_or(u64::MAX);
                    let mut wanted: Vec<u64> = wanted.iter().copied().filter(|seq| numbers.contains(seq)).collect();
                    if after.is_none() {
                        wanted.reverse();
                    }
                    for limit in [10_000, 3] {
                        wanted.truncate(limit);
                        let found = search(&home.dir, &sieve, Part { after, before, limit }).unwrap();
                        let found: Vec<u64> = found.iter().map(|r| r.seq).collect();
                        assert_eq!(found, wanted, "{filter:?} {after:?} {before:?} {limit}, summed up: {summed_up}");
                    }
                }
            }
        }
    }

    /// Otherwise the summaries would be of no use, and nobody would see it.
    #[tokio::test]
    async fn pieces_without_what_is_looked_for_are_not_read() {
        let home = long_trail().await;
        for first in unsummarised(&home.dir).unwrap() {
            summarise(&home.dir, first).unwrap();
        }
        // Hashes differ each time, and so do the marks that they leave by chance.
        const FEW: usize = 6;
        let all = Part { after: None, before: None, limit: usize::MAX };
        let read = |filter: Filter, part: Part| {
            let (sieve, mut buffer) = (filter.sieve(), Vec::new());
            let closed = places(&home.dir, part).unwrap().into_iter().filter(|place| place.summary.is_some());
            let (some, none): (Vec<_>, Vec<_>) = closed.partition(|place| place.may_hold(&sieve, &mut buffer));
            (some.len(), none.len())
        };
        let text = |text: &str| Filter { text: Some(text.into()), ..Filter::default() };
        let before = Part { before: Some(20), ..all };
        let (_, pieces) = read(text("zebra"), all);
        assert!(pieces > 60, "{pieces}");
        for (filter, part, most) in [
            (text("zebra"), all, FEW),
            (text("zq"), all, FEW),
            (text("~"), all, FEW),
            (text("needle21"), all, 2 + FEW),
            (Filter { agent: Some("claude-cod".into()), ..Filter::default() }, all, FEW),
            (Filter { kinds: vec![Kind::Gap], ..Filter::default() }, all, FEW),
            (Filter { since_ms: Some(u64::MAX / 2), ..Filter::default() }, all, 0),
            (Filter { until_ms: Some(1), ..Filter::default() }, all, 0),
            (Filter::default(), before, 40),
        ] {
            let (some, _) = read(filter.clone(), part);
            assert!(some <= most, "{filter:?}: {some} of {pieces} pieces are read");
        }
    }

    /// One that is torn, damaged, or of another segment is not gone by, and is made again.
    #[tokio::test]
    async fn a_doubtful_summary_is_made_again() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = long_trail().await;
        let firsts = unsummarised(&home.dir).unwrap();
        let [one, other] = *firsts else { panic!("{firsts:?}") };
        for &first in &firsts {
            summarise(&home.dir, first).unwrap();
        }
        let path = |first: u64| home.dir.join(format!("audit-{first:016}.summary"));
        assert_eq!(path(one).metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let whole = std::fs::read(path(one)).unwrap();
        let half = &whole[..whole.len() / 2];
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 1;
        let mut other_format = whole.clone();
        other_format[7] += 1;
        let exchanged = std::fs::read(path(other)).unwrap();
        for content in [half, &[], &damaged, &other_format, &exchanged] {
            std::fs::write(path(one), content).unwrap();
            assert_eq!(unsummarised(&home.dir).unwrap(), [one]);
            summarise(&home.dir, one).unwrap();
            assert_eq!(std::fs::read(path(one)).unwrap(), whole);
        }
        // the segment is not what was summed up
        let segment = home.dir.join(file_name(other));
        let mut text = std::fs::read(&segment).unwrap();
        text.push(b'\n');
        std::fs::write(&segment, text).unwrap();
        assert_eq!(unsummarised(&home.dir).unwrap(), [other]);
        summarise(&home.dir, other).unwrap();
        std::fs::remove_file(&segment).unwrap();
        assert!(unsummarised(&home.dir).unwrap().is_empty());
        assert!(path(one).exists() && !path(other).exists(), "it goes with its segment");
    }
}
