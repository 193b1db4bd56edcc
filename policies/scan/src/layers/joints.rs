//! Literals that code puts together, `"ab" + "cd"`: the text around is read as if they were one.

use super::{Link, View, whole_words};

/// How much text around a joint is looked at with it, in bytes.
const AROUND: usize = 256;
/// How many blanks may stand on one side of the sign between two literals.
const BLANKS: usize = 40;

/// Scans what literals say that are put together.
pub(super) fn each(view: &View<'_>, look: &mut impl FnMut(&View<'_>)) {
    let bytes = view.bytes;
    let mut joints: Vec<(usize, usize)> = Vec::new();
    let broken = memchr::memmem::find_iter(bytes, b"\\\n");
    joints.extend(memchr::memchr_iter(b'+', bytes).chain(broken).filter_map(|at| joint(bytes, at)));
    joints.sort_unstable();
    joints.dedup_by(|next, last| next.0 < last.1);
    for near in joints.chunk_by(|(_, end), (start, _)| *start <= end + AROUND) {
        let (Some((first, _)), Some((_, last))) = (near.first(), near.last()) else { continue };
        let (start, end) = whole_words(bytes, first.saturating_sub(AROUND), bytes.len().min(last + AROUND));
        let mut text = Vec::with_capacity(end - start);
        let mut steps = Vec::with_capacity(near.len() + 1);
        let mut from = start;
        for (joint, after) in near.iter().copied().chain([(end, end)]) {
            steps.push((text.len(), from));
            text.extend_from_slice(bytes.get(from..joint).unwrap_or_default());
            from = after;
        }
        look(&View::inner(&text, view, Link::Steps(&steps), "joined"));
    }
}

/// From the quote that ends the literal before `at` to the one that begins the literal after it.
fn joint(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let is_quote = |i: &usize| bytes.get(*i).is_some_and(|b| b"\"'`".contains(b));
    let blank = |b: &&u8| b.is_ascii_whitespace();
    let before = bytes.get(..at)?.iter().rev().take(BLANKS).take_while(blank).count();
    let after = bytes.get(at + 1..)?.iter().take(BLANKS).take_while(blank).count();
    let first = at.checked_sub(before + 1).filter(is_quote)?;
    let last = Some(at + 1 + after).filter(is_quote)?;
    Some((first, last + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(text: &str) -> Vec<(String, (usize, usize))> {
        let mut found = Vec::new();
        each(&View::plain(text.as_bytes()), &mut |inner| {
            found.push((String::from_utf8_lossy(inner.bytes).into_owned(), inner.locate(0, inner.bytes.len())));
        });
        found
    }

    #[test]
    fn literals_that_are_put_together_are_read_as_one() {
        for text in ["k = 'ab' + 'cd' +\n  'ef';", "k = \"ab\" \\\n  \"cdef\";"] {
            let [(plain, place)] = &joined(text)[..] else { panic!("{text}") };
            assert!(plain.contains("abcdef") && *place == (0, text.len()), "{plain}");
        }
        for text in ["a + 'b'", "'a' + b", "1 + 2", r"\n", "C++"] {
            assert_eq!(joined(text), [], "{text}");
        }
    }
}
