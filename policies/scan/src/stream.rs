//! Scanning what arrives in pieces, in bounded memory. What might still become a part of a finding is kept, and so is
//! enough of what went before to judge it.

use rampart_call::Finding;

use crate::scanning::scan_bytes;

/// How many bytes must follow a place before what begins there is judged: more than the longest expression reads.
const AHEAD: usize = 20 * 1024;
/// How many bytes before a place are kept to judge what begins there.
const BEHIND: usize = 4 * 1024;
/// How many bytes are kept before they are scanned.
const FULL: usize = 96 * 1024;
/// A multiple of the groups of base64, base32 and hexadecimal: runs are cut there, so that both parts decode.
const GROUP: usize = 24;

/// A scan of a stream of bytes. Finds what [`crate::scan`] finds in the whole, however it is cut; of an encoded run
/// longer than 64 KiB, the parts that hold findings. Keeps at most 160 KiB.
#[derive(Debug, Default)]
pub struct Stream {
    kept: Vec<u8>,
    /// Where in the stream `kept` begins.
    offset: usize,
    /// What begins before this place in the stream has been reported.
    reported: usize,
}

impl Stream {
    /// A stream of which nothing has been seen.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes. Gives the findings that are now certain, with offsets in the whole stream.
    pub fn feed(&mut self, chunk: &[u8]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for piece in chunk.chunks(FULL / 2) {
            self.kept.extend_from_slice(piece);
            if self.kept.len() >= FULL {
                let until = quiet(&self.kept, self.kept.len() - AHEAD);
                findings.extend(self.report(until));
                self.forget(until);
            }
        }
        findings
    }

    /// Gives what is found in all that has come so far and was not given yet: for a pause in the stream, when what came
    /// must be let through or not. Something that begins now and goes on later may be missed by its end.
    pub fn flush(&mut self) -> Vec<Finding> {
        let findings = self.report(self.kept.len());
        self.forget(self.kept.len());
        findings
    }

    /// The stream has ended: gives the remaining findings.
    pub fn finish(mut self) -> Vec<Finding> {
        self.report(self.kept.len())
    }

    /// The findings that begin before `until` in what is kept, but for those reported before.
    fn report(&mut self, until: usize) -> Vec<Finding> {
        let mut findings = scan_bytes(&self.kept);
        for finding in &mut findings {
            finding.span.start += self.offset;
            finding.span.end += self.offset;
        }
        let until = self.offset + until;
        findings.retain(|f| (self.reported..until).contains(&f.span.start));
        self.reported = until;
        findings
    }

    /// Drops what is not needed to judge what begins at `from` or later.
    fn forget(&mut self, from: usize) {
        let start = quiet(&self.kept, from.saturating_sub(BEHIND));
        self.kept.drain(..start);
        self.offset += start;
    }
}

/// The last place up to `limit` where a text may be cut: before white space, or else between groups of an encoded run.
fn quiet(kept: &[u8], limit: usize) -> usize {
    let near = kept.get(limit.saturating_sub(BEHIND)..limit).unwrap_or_default();
    if let Some(back) = near.iter().rev().position(u8::is_ascii_whitespace) {
        return limit - back;
    }
    let in_run = |b: &u8| b.is_ascii_alphanumeric() || b"+/-_".contains(b);
    let run = kept.get(..limit).unwrap_or_default().iter().rev().take_while(|b| in_run(b)).count();
    limit - run % GROUP
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hits;
    use crate::scan;
    use proptest::prelude::*;

    /// All examples with prose between them, `gap` bytes at a time.
    fn text(gap: usize) -> String {
        let prose = "Nothing to see in this sentence, which only fills some room. ";
        let mut text = String::new();
        for (_, hit) in hits() {
            text += &hit;
            text += "\n";
            text += &prose.repeat(gap / prose.len() + 1)[..gap];
            text += "\n";
        }
        text
    }

    fn streamed(text: &str, mut cut: impl FnMut() -> usize) -> Vec<Finding> {
        let mut stream = Stream::new();
        let mut found = Vec::new();
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(cut().clamp(1, rest.len()));
            found.extend(stream.feed(piece));
            assert!(stream.kept.len() < 160 * 1024);
            rest = after;
        }
        found.extend(stream.finish());
        found
    }

    #[test]
    fn a_stream_cut_anywhere_gives_what_the_whole_gives() {
        let text = text(700);
        let whole = scan(&text);
        assert!(text.len() > 3 * FULL && whole.len() > 300);
        for size in [1, 7, 4096, 65_536, text.len()] {
            assert_eq!(streamed(&text, || size), whole, "pieces of {size}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6))]
        #[test]
        fn random_cuts_change_nothing(cuts in prop::collection::vec(1usize..9000, 1..50), gap in 0usize..900) {
            let text = text(gap);
            let mut cuts = cuts.iter().cycle();
            prop_assert_eq!(streamed(&text, || *cuts.next().unwrap()), scan(&text));
        }
    }

    #[test]
    fn secrets_in_a_very_long_run_are_found() {
        use base64::Engine as _;
        let mut plain = vec![0u8; 300_000];
        let secret = format!(" {} ", hits().into_iter().find(|h| h.0 == "github-pat").unwrap().1);
        plain[200_000..200_000 + secret.len()].copy_from_slice(secret.as_bytes());
        let text = base64::engine::general_purpose::STANDARD.encode(&plain);
        let found = streamed(&text, || 5000);
        assert!(found.iter().any(|f| f.detector == "github-pat" && f.layers == ["base64"]), "{found:?}");
    }

    #[test]
    fn a_flush_gives_what_has_come_and_nothing_twice() {
        let (_, hit) = hits().into_iter().find(|h| h.0 == "github-pat").unwrap();
        let mut stream = Stream::new();
        assert!(stream.feed(format!("data: {hit}\n\n").as_bytes()).is_empty());
        assert_eq!(stream.flush().len(), 1);
        assert!(stream.flush().is_empty());
        assert!(stream.feed(b"data: nothing\n\n").is_empty());
        let at = stream.offset + stream.kept.len();
        stream.feed(hit.as_bytes());
        let found = stream.finish();
        assert_eq!(found.len(), 1);
        assert!(found[0].span.start >= at);
    }
}
