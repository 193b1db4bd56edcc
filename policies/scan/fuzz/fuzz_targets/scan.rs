//! Every text is scanned soon; what is found lies in it; what is redacted is found no more.

#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use rampart_scan::{placeholder, redact, scan, visible};

/// Many times what an instrumented build needs for the longest text, on a machine that is busy with other things.
const BOUND: Duration = Duration::from_secs(5);

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let start = Instant::now();
    let found = scan(text);
    assert!(start.elapsed() < BOUND, "took {:?}", start.elapsed());
    for finding in &found {
        assert!(finding.span.start < finding.span.end && finding.span.end <= text.len(), "{finding:?}");
    }
    assert!(found.is_sorted_by_key(|f| f.span.start));
    assert!(!visible(text).contains(['\u{1b}', '\u{202e}', '\u{200b}']));

    let clean = redact(text, &found, |finding, _| placeholder(finding));
    // A lone escape character and the bracket of what is put in make a new sequence.
    let left: Vec<_> = scan(&clean).into_iter().filter(|f| f.detector != "terminal-escape").collect();
    assert!(left.is_empty(), "{clean:?}: {left:?}");
});
