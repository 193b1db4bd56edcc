//! Every text is scanned soon; what is found lies in it; what is redacted is found no more.

#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use rampart_call::{Finding, FindingClass};
use rampart_scan::{placeholder, redact, scan, visible};

/// Many times what an instrumented build needs for the longest text, on a machine that is busy with other things.
const BOUND: Duration = Duration::from_secs(5);

fn is_secret(finding: &Finding) -> bool {
    matches!(finding.class, FindingClass::Secret | FindingClass::Personal)
}

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
    // The bracket of what is put in can make an escape sequence, or an image whose address asks to be filled in.
    let put_in = |f: &Finding| clean[f.span.start..f.span.end].contains("[redacted") || f.detector == "terminal-escape";
    let left: Vec<_> = scan(&clean).into_iter().filter(|f| is_secret(f) || !put_in(f)).collect();
    assert!(left.is_empty(), "{clean:?}: {left:?}");
});
