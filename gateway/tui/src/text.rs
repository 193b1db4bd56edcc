//! Text that others wrote, made fit for the cells of a terminal: nothing hidden, nothing that moves the cursor, and never
//! wider than its place.

use rampart_scan::shown;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Bytes of a text that are looked at for one line; of a longer one the beginning and the end.
const MOST_IN_A_LINE: usize = 2000;
/// Marks that may stand on one letter. Scripts need two; more pile up over the lines above.
const MARKS: usize = 2;

/// The text in one line of about `limit` characters.
pub(crate) fn line(text: &str, limit: usize) -> String {
    if text.len() <= MOST_IN_A_LINE {
        return unmarked(&shown::one_line(text, limit));
    }
    // Escapes make a text longer, never shorter, so that what is cut off here would be left out anyway.
    unmarked(&shown::one_line(&shown::cut(text, limit.max(MOST_IN_A_LINE)), limit))
}

/// The text with its own lines, whole.
pub(crate) fn block(text: &str) -> String {
    unmarked(&rampart_scan::visible(text).replace('\t', "    "))
}

/// Combining marks as escapes where they stand on nothing or pile up.
fn unmarked(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut room = 0;
    for c in text.chars() {
        if c == '\n' {
            room = 0;
        } else if c.width() != Some(0) {
            room = if c.is_whitespace() || c.is_ascii_punctuation() { 0 } else { MARKS };
        } else if room == 0 {
            out.extend(c.escape_unicode());
            continue;
        } else {
            room -= 1;
        }
        out.push(c);
    }
    out
}

/// How many cells a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// A text of exactly `cells` cells: filled up with spaces, or its middle left out.
pub(crate) fn fit(text: &str, cells: usize) -> String {
    let wide = width(text);
    if wide <= cells {
        return format!("{text}{}", " ".repeat(cells - wide));
    }
    let (head, tail) = if cells < 12 { (cells.saturating_sub(1), 0) } else { (cells - cells / 3 - 1, cells / 3) };
    let head = first(text, head);
    let tail = last(text, tail);
    let gap = cells.saturating_sub(width(head) + width(tail) + 1);
    if cells == 0 { String::new() } else { format!("{head}…{tail}{}", " ".repeat(gap)) }
}

/// As much of the beginning as has room in so many cells.
pub(crate) fn first(text: &str, cells: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > cells {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

/// As much of the end as has room in so many cells.
fn last(text: &str, cells: usize) -> &str {
    let (mut used, mut begin) = (0, text.len());
    for (at, c) in text.char_indices().rev() {
        used += c.width().unwrap_or(0);
        if used > cells {
            break;
        }
        // A mark is not parted from its letter.
        if c.width() != Some(0) {
            begin = at;
        }
    }
    text.get(begin..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stand_on_letters_and_do_not_pile_up() {
        for (text, shown) in [
            ("e\u{301} a\u{302}\u{301}", "e\u{301} a\u{302}\u{301}"),
            ("e\u{301}\u{301}\u{301}", "e\u{301}\u{301}\\u{301}"),
            (" \u{301}/\u{338}", " \\u{301}/\\u{338}"),
            ("\u{301}x", "\\u{301}x"),
            ("\u{1b}[31m\u{202e}", "\\u{1b}[31m\\u{202e}"),
        ] {
            assert_eq!(line(text, 100), shown);
            assert_eq!(block(text), shown);
        }
    }

    #[test]
    fn a_text_takes_exactly_the_cells_it_has() {
        for text in
            ["", "ls", "日本語日本語日本語日本語", "a\u{301}b\u{301}c\u{301}d\u{301}", "rm -rf /some/very/long/path"]
        {
            for cells in 0..40 {
                assert_eq!(width(&fit(text, cells)), cells, "{text:?} in {cells}");
            }
        }
        assert!(fit("echo harmless harmless; rm -rf /", 24).ends_with("rm -rf /"));
    }

    #[test]
    fn a_long_text_costs_what_a_short_one_does_and_keeps_its_end() {
        let shown = line(&format!("{}rm -rf /", "\u{202e}".repeat(1 << 20)), 100);
        assert!(shown.ends_with("rm -rf /") && shown.chars().count() < 200, "{shown}");
    }
}
