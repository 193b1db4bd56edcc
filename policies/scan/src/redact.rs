//! Taking findings out of a text.

use rampart_call::{Finding, Span};

/// What stands in the place of a finding: `[redacted: github-pat]`. It may stand in a JSON string and in an HTML text.
pub fn placeholder(finding: &Finding) -> String {
    format!("[redacted: {}]", finding.detector)
}

/// How a placeholder begins, and how long one is at most.
pub(crate) const OPEN: &[u8] = b"[redacted: ";
const LONGEST: usize = 64;

/// Whether `at` is within a placeholder: the name of a detector is nothing to be found.
pub(crate) fn in_placeholder(bytes: &[u8], at: usize) -> bool {
    let from = at.saturating_sub(LONGEST);
    let bracket = bytes.get(from..at).and_then(|before| memchr::memrchr2(b'[', b']', before));
    bracket.is_some_and(|bracket| bytes.get(from + bracket..).is_some_and(|here| here.starts_with(OPEN)))
}

/// `text` with each finding replaced by what `replace` gives for it and the text it covers. Findings that overlap are
/// replaced once, as the first of them. Everything else stays byte for byte.
pub fn redact(text: &str, findings: &[Finding], mut replace: impl FnMut(&Finding, &str) -> String) -> String {
    let mut merged: Vec<(Span, &Finding)> = Vec::new();
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|f| (f.span.start, std::cmp::Reverse(f.span.end)));
    for finding in sorted {
        match merged.last_mut() {
            Some((span, _)) if finding.span.start < span.end => span.end = span.end.max(finding.span.end),
            _ => merged.push((finding.span, finding)),
        }
    }
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (span, finding) in merged {
        let start = text.floor_char_boundary(span.start).max(done);
        let end = text.ceil_char_boundary(span.end).max(start);
        let (Some(before), Some(found)) = (text.get(done..start), text.get(start..end)) else { break };
        out.push_str(before);
        out.push_str(&replace(finding, found));
        done = end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use rampart_call::FindingClass;

    fn finding(start: usize, end: usize) -> Finding {
        Finding { detector: "d".into(), class: FindingClass::Secret, span: Span { start, end }, layers: Vec::new() }
    }

    #[track_caller]
    fn becomes(text: &str, spans: &[(usize, usize)], expected: &str) {
        let findings: Vec<_> = spans.iter().map(|&(s, e)| finding(s, e)).collect();
        assert_eq!(redact(text, &findings, |_, found| format!("[{}]", found.len())), expected);
    }

    #[test]
    fn findings_are_replaced_and_the_rest_stays() {
        becomes("abcdef", &[], "abcdef");
        becomes("abcdef", &[(1, 3)], "a[2]def");
        becomes("abcdef", &[(0, 6)], "[6]");
        becomes("abcdef", &[(4, 6), (0, 1)], "[1]bcd[2]");
    }

    #[test]
    fn overlapping_findings_are_replaced_once_and_adjacent_ones_twice() {
        becomes("abcdef", &[(1, 3), (2, 5), (1, 2)], "a[4]f");
        becomes("abcdef", &[(1, 3), (3, 4)], "a[2][1]ef");
    }

    #[test]
    fn spans_that_cut_a_character_or_leave_the_text_take_all_of_it() {
        becomes("aéb", &[(2, 3)], "a[2]b");
        becomes("abc", &[(2, 9)], "ab[1]");
        becomes("abc", &[(7, 9)], "abc[0]");
    }
}
