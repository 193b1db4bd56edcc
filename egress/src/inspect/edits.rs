//! What is cut out of a text, and where a text may be cut. Pure.

use rampart_call::Edit;

/// Of a word that is not complete, so much waits for its rest.
const MAX_WORD: usize = 512;

/// An edit of a text in that text's end, which begins at `from`.
pub(crate) fn moved(edit: &Edit, from: usize) -> Option<Edit> {
    let end = edit.span.end.checked_sub(from).filter(|end| *end > 0)?;
    let span = rampart_call::Span { start: edit.span.start.saturating_sub(from), end };
    Some(Edit { span, with: edit.with.clone() })
}

/// Replaces spans of the text. Spans that do not fit the text are widened to whole characters, or left. Where the length
/// must stay, what is put in is cut or filled up.
pub(crate) fn edited(mut text: String, edits: &[Edit], keep_length: bool) -> String {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|e| std::cmp::Reverse(e.span.start));
    let mut untouched = text.len();
    for edit in edits {
        let start = (0..=edit.span.start.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        let end = edit.span.end.min(untouched);
        let end = (end..=untouched).find(|i| text.is_char_boundary(*i)).unwrap_or(untouched);
        if start < end {
            let with = if keep_length { fitted(&edit.with, end - start) } else { edit.with.clone() };
            text.replace_range(start..end, &with);
            untouched = start;
        }
    }
    text
}

/// The text in exactly so many bytes.
pub(crate) fn fitted(with: &str, length: usize) -> String {
    let end = (0..=length.min(with.len())).rev().find(|i| with.is_char_boundary(*i)).unwrap_or(0);
    let with = with.get(..end).unwrap_or_default();
    format!("{with}{}", "*".repeat(length - with.len()))
}

/// How many of the bytes end with a whole word, so that what follows can be judged without them.
pub(crate) fn complete(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(MAX_WORD);
    let tail = bytes.get(from..).unwrap_or_default();
    let ends = |b: &u8| b.is_ascii_whitespace() || b",;\"'`<>(){}[]".contains(b);
    match tail.iter().rposition(ends) {
        Some(at) => from + at + 1,
        None if from > 0 => bytes.len() - unfinished(tail),
        None => 0,
    }
}

/// How many bytes at the end are the beginning of a character (RFC 3629 section 3).
fn unfinished(bytes: &[u8]) -> usize {
    let last = bytes.iter().rev().take(3).position(|b| *b >= 0xc0).map(|back| back + 1);
    let wanted = |lead: u8| match lead {
        0xf0.. => 4,
        0xe0.. => 3,
        _ => 2,
    };
    last.filter(|here| bytes.get(bytes.len() - here).is_some_and(|lead| *here < wanted(*lead))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use rampart_call::Span;

    use super::*;

    fn edits(list: &[(usize, usize)]) -> Vec<Edit> {
        list.iter().map(|&(start, end)| Edit { span: Span { start, end }, with: "*".into() }).collect()
    }

    #[test]
    fn edits_replace_what_they_name_and_cut_no_character() {
        for (list, expected) in [
            (&[(0, 3)][..], "* key é end"),
            (&[(4, 7), (0, 3)], "* * é end"),
            (&[(9, 10)], "the key * end"),
            (&[(0, 5), (2, 7)], "** é end"),
            (&[(10, 999)], "the key é*"),
            (&[(50, 60)], "the key é end"),
            (&[(5, 2)], "the key é end"),
        ] {
            assert_eq!(edited("the key é end".into(), &edits(list), false), expected, "{list:?}");
        }
    }

    #[test]
    fn an_edit_can_keep_the_length() {
        let edit = |with: &str| vec![Edit { span: Span { start: 4, end: 7 }, with: with.into() }];
        for (with, expected) in [("[key:x]", "the [ke é end"), ("x", "the x** é end"), ("éé", "the é* é end")] {
            assert_eq!(edited("the key é end".into(), &edit(with), true), expected);
        }
    }

    #[test]
    fn an_edit_of_what_has_passed_is_one_of_what_follows() {
        let at = |start, end| moved(&edits(&[(start, end)])[0], 10).map(|e| (e.span.start, e.span.end));
        assert_eq!((at(12, 15), at(5, 15), at(2, 10)), (Some((2, 5)), Some((0, 5)), None));
    }

    #[test]
    fn a_word_that_goes_on_is_kept_back() {
        assert_eq!(complete(b"the secr"), 4);
        assert_eq!(complete(b"data: 1\n\n"), 9);
        assert_eq!(complete(b"secr"), 0);
        assert_eq!(complete(b"{\"a\": \"sk-abc"), 7);
        assert_eq!(complete(&[b'x'; 600]), 600);
        let long = "字".repeat(300);
        for (cut, complete_at) in [(900, 900), (899, 897), (898, 897), (897, 897)] {
            assert_eq!(complete(&long.as_bytes()[..cut]), complete_at);
        }
    }
}
