//! The small glob that the data files use: `*` is any text, `?` one character.

/// Whether the whole of `text` matches `pattern`. Linear in `text` for each `*`.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(b'?') => {
                p += 1;
                t += 1;
            }
            Some(byte) if text.get(t) == Some(byte) => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after, from)) = retry else { return false };
                p = after;
                t = from + 1;
                retry = Some((after, t));
            }
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|b| *b == b'*'))
}

/// [`matches`] for the patterns of shells, where `[..]` is one of a set.
pub(crate) fn matches_sets(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        let (one, next) = match (pattern.get(p), text.get(t)) {
            (Some('*'), _) => {
                retry = Some((p + 1, t));
                p += 1;
                continue;
            }
            (Some('?'), _) => (true, p + 1),
            (Some('['), Some(c)) => match set(&pattern, p, *c) {
                Some((inside, next)) => (inside, next),
                None => (*c == '[', p + 1),
            },
            (Some('\\'), Some(c)) => (pattern.get(p + 1) == Some(c), p + 2),
            (Some(want), Some(c)) => (want == c, p + 1),
            (None, _) | (_, None) => (false, p),
        };
        if one {
            p = next;
            t += 1;
        } else {
            let Some((after, from)) = retry else { return false };
            p = after;
            t = from + 1;
            retry = Some((after, t));
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|c| *c == '*'))
}

/// Whether `c` is in the set that opens at `at`, and where the pattern goes on. None where the set does not close.
fn set(pattern: &[char], at: usize, c: char) -> Option<(bool, usize)> {
    let negated = matches!(pattern.get(at + 1), Some('!' | '^'));
    let first = at + 1 + usize::from(negated);
    // the first of a set may be the bracket that would close it
    let close = (first + 1..pattern.len()).find(|i| pattern.get(*i) == Some(&']'))?;
    let members = pattern.get(first..close)?;
    let mut inside = false;
    let mut i = 0;
    while let Some(member) = members.get(i) {
        match (members.get(i + 1), members.get(i + 2)) {
            (Some('-'), Some(last)) => {
                inside |= (*member..=*last).contains(&c);
                i += 3;
            }
            _ => {
                inside |= *member == c;
                i += 1;
            }
        }
    }
    Some((inside != negated, close + 1))
}

/// Whether some text matches both patterns. Bracket sets count as any one character.
pub(crate) fn intersect(a: &str, b: &str) -> bool {
    fn step(a: &[u8], b: &[u8], fuel: &mut u32) -> bool {
        if *fuel == 0 {
            return true;
        }
        *fuel -= 1;
        match (a, b) {
            ([], []) => true,
            ([b'*', rest @ ..], other) | (other, [b'*', rest @ ..]) => {
                step(rest, other, fuel) || matches!(other, [_, tail @ ..] if step(a_star(a, b), tail, fuel))
            }
            ([x, a @ ..], [y, b @ ..]) if x == y || *x == b'?' || *y == b'?' => step(a, b, fuel),
            _ => false,
        }
    }
    /// The side that begins with the star.
    fn a_star<'x>(a: &'x [u8], b: &'x [u8]) -> &'x [u8] {
        if a.first() == Some(&b'*') { a } else { b }
    }
    step(flatten(a).as_bytes(), flatten(b).as_bytes(), &mut 400)
}

/// Bracket sets as `?`, stars in a row as one.
fn flatten(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('[') {
        out.push_str(before);
        // a set holds at least one character, so `[]]` closes at the second bracket
        let close = after.char_indices().skip(1).find(|(_, c)| *c == ']').map(|(i, _)| i);
        let Some(close) = close else {
            // nothing behind it closes either
            out.push('[');
            rest = after;
            break;
        };
        out.push('?');
        rest = after.get(close + 1..).unwrap_or("");
    }
    out.push_str(rest);
    let mut before = None;
    out.retain(|c| before.replace(c) != Some('*') || c != '*');
    out
}

#[cfg(test)]
mod tests {
    use super::{intersect, matches, matches_sets};

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text, want) in [
            ("delete-*", "delete-stack", true),
            ("delete-*", "undelete-stack", false),
            ("*.pem", "a.pem", true),
            ("id_*", "id_", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("?", "", false),
        ] {
            assert_eq!(matches(pattern, text), want, "{pattern} {text}");
        }
    }

    #[test]
    fn sets_are_one_of_their_members() {
        for (pattern, text, want) in [
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[!/]*", "home", true),
            ("[!/]*", "/home", false),
            ("[]]", "]", true),
            ("[a", "[a", true),
            ("*[0-9]", "a7", true),
            ("?[^b]", "ab", false),
        ] {
            assert_eq!(matches_sets(pattern, text), want, "{pattern} {text}");
        }
    }

    #[test]
    fn patterns_meet_where_some_text_matches_both() {
        for (a, b, want) in [
            ("id_rs?", "id_rsa", true),
            ("[i]d_rsa", "id_*", true),
            ("id_*", "*.pub", true),
            ("*.txt", "*.pem", false),
            ("id_rsa", "id_dsa", false),
            ("x*", "*y", true),
        ] {
            assert_eq!(intersect(a, b), want, "{a} {b}");
            assert_eq!(intersect(b, a), want, "{b} {a}");
        }
    }
}
