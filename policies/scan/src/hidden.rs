//! Characters that hide or reorder text, and escapes that drive a terminal. Emoji, scripts that need joiners, and plain
//! colours are let pass.

use crate::visible::{is_invisible, wide_runs};

/// Reports what hides and what drives a terminal.
pub(crate) fn each(bytes: &[u8], report: &mut impl FnMut(&str, usize, usize)) {
    let wide = wide_runs(bytes).flat_map(|(start, run)| start..start + run.len());
    for places in [&mut memchr::memchr_iter(0x1b, bytes) as &mut dyn Iterator<Item = usize>, &mut { wide }] {
        let mut seen = 0;
        for at in places {
            if at >= seen
                && bytes.get(at..).is_some_and(may_begin)
                && let Some((id, start, end)) = look(bytes, at)
            {
                seen = end;
                report(id, start, end);
            }
        }
    }
}

/// Whether what is looked at begins with these bytes: an escape sequence, or the UTF-8 of what shows nothing.
fn may_begin(rest: &[u8]) -> bool {
    match rest {
        [0x1b, kind, ..] => b"[]PX^_c78DEM".contains(kind),
        [0xc2, kind, ..] => matches!(kind, 0x90 | 0x9b | 0x9d | 0xad),
        [0xcd, 0x8f, ..] | [0xef, 0xb8, ..] => true,
        [first @ (0xe1 | 0xe2 | 0xe3 | 0xef | 0xf3), second, third, ..] => matches!(
            (first, second, third),
            (0xe1, 0x85, 0x9f | 0xa0)
                | (0xe1, 0xa0, 0x8e)
                | (0xe2, 0x80, 0x8b..=0x8f | 0xaa | 0xab | 0xad | 0xae)
                | (0xe2, 0x81, 0xa0..=0xa4 | 0xa6 | 0xa7)
                | (0xe3, 0x85, 0xa4)
                | (0xef, 0xbb, 0xbf)
                | (0xef, 0xbe, 0xa0)
                | (0xf3, 0xa0, 0x80 | 0x81 | 0x84..=0x87)
        ),
        _ => false,
    }
}

/// How much is read to judge a run, in bytes, and how much of a run that is longer.
const RUN: (usize, usize) = (64, 64 * 1024);

/// How many invisible characters in a row say more than a typesetter or a keyboard does.
const HIDES: usize = 3;

/// What begins at `at`: the detector that names it, and its bytes. A run is judged once, where it begins.
fn look(bytes: &[u8], at: usize) -> Option<(&'static str, usize, usize)> {
    if let Some(length) = terminal(bytes.get(at..)?).filter(|_| !redraws(bytes, at)) {
        return Some(("terminal-escape", at, at + length));
    }
    let before = last_char(bytes.get(at.saturating_sub(4)..at).unwrap_or_default());
    if before.is_some_and(is_invisible) {
        return None;
    }
    let (mut text, mut run) = invisible(bytes, at, RUN.0);
    if run.iter().map(|c| c.len_utf8()).sum::<usize>() + 8 > RUN.0 {
        (text, run) = invisible(bytes, at, RUN.1);
    }
    let length: usize = run.iter().map(|c| c.len_utf8()).sum();
    let first = *run.first()?;
    let after = text.get(length..).and_then(|t| t.chars().next());
    let count = |f: fn(char) -> bool| run.iter().filter(|c| f(**c)).count();
    let id = if count(is_tag) > 0 {
        if is_flag(before, text) {
            return None;
        }
        "unicode-tags"
    } else if count(|c| matches!(c, '\u{202a}' | '\u{202b}' | '\u{202d}' | '\u{202e}' | '\u{2066}' | '\u{2067}')) > 0 {
        "bidi-control"
    } else if count(is_selector) >= 2 && count(|c| c == '\u{fe0f}') < run.len()
        || matches!(first, '\u{e0100}'..='\u{e01ef}') && !before.is_some_and(is_ideograph)
    {
        "variation-selectors"
    } else if count(|c| !is_selector(c) && c != '\u{ad}') >= HIDES || hides_in_word(first, before, after) {
        "zero-width"
    } else {
        return None;
    };
    Some((id, at, at + length))
}

/// The text from `at` on, at most `most` bytes of it, and the invisible characters it begins with.
fn invisible(bytes: &[u8], at: usize, most: usize) -> (&str, Vec<char>) {
    let rest = bytes.get(at..bytes.len().min(at + most)).unwrap_or_default();
    let text = rest.utf8_chunks().next().map_or("", |c| c.valid());
    (text, text.chars().take_while(|c| is_invisible(*c)).collect())
}

fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0000}'..='\u{e007f}')
}

fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// The three flags made of tags that exist: England, Scotland, Wales (Unicode TR51, RGI).
fn is_flag(before: Option<char>, text: &str) -> bool {
    let letters: String =
        text.chars().take(6).filter_map(|c| char::from_u32(u32::from(c).checked_sub(0xe0000)?)).collect();
    before == Some('\u{1f3f4}') && ["gbeng\u{7f}", "gbsct\u{7f}", "gbwls\u{7f}"].contains(&letters.as_str())
}

/// Whether a single invisible character splits a word of Latin letters.
fn hides_in_word(hidden: char, before: Option<char>, after: Option<char>) -> bool {
    let latin = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    // the invisible signs between numbers: 1⁢½, f⁡(x)
    let counts = matches!(hidden, '\u{2061}'..='\u{2064}') && before.is_some_and(|c| c.is_ascii_digit());
    if counts {
        return false;
    }
    !is_selector(hidden) && !matches!(hidden, '\u{ad}' | '\u{34f}') && latin(before) && latin(after)
}

fn last_char(bytes: &[u8]) -> Option<char> {
    bytes.utf8_chunks().last().filter(|c| c.invalid().is_empty())?.valid().chars().next_back()
}

/// Whether a line is erased where it begins, as programs do that show how far they are: it held nothing.
fn redraws(bytes: &[u8], at: usize) -> bool {
    let begins = at.checked_sub(1).and_then(|i| bytes.get(i)).is_none_or(|b| *b == b'\n');
    let rest = bytes.get(at + 1..).unwrap_or_default();
    let after = [&b"[2K"[..], b"[K", b"[0K"].iter().find_map(|erase| rest.strip_prefix(*erase));
    begins && after.is_some()
}

/// The length of an escape sequence that does more than colour (ECMA-48): moves, erases, conceals, sets a title or the
/// clipboard, links, sends a string to the terminal.
fn terminal(rest: &[u8]) -> Option<usize> {
    let (kind, intro) = match rest {
        [0x1b, kind, ..] => (*kind, 2),
        [0xc2, 0x9b, ..] => (b'[', 2),
        [0xc2, 0x9d, ..] => (b']', 2),
        [0xc2, 0x90, ..] => (b'P', 2),
        _ => return None,
    };
    let body = rest.get(intro..)?;
    match kind {
        b'[' => {
            let length = body.iter().take(64).position(|b| (0x40..=0x7e).contains(b))?;
            let conceals = || body.get(..length).is_some_and(|p| p.split(|b| *b == b';').any(|n| n == b"8"));
            let harmless = body.get(length) == Some(&b'm') && !conceals();
            (!harmless).then_some(intro + length + 1)
        }
        b']' | b'P' | b'X' | b'^' | b'_' => {
            let end =
                body.iter().take(4096).position(|b| matches!(b, 0x07 | 0x1b | b'\n')).unwrap_or(body.len().min(4096));
            Some(intro + end + usize::from(body.get(end).is_some_and(|b| *b != b'\n')))
        }
        b'c' | b'7' | b'8' | b'D' | b'E' | b'M' => Some(intro),
        _ => None,
    }
}
