//! Text of agents, servers and services as it is shown to people, on a terminal, a page or in a notice: nothing hidden,
//! nothing that moves a cursor, no letter that passes for another, and cut so that its end stays in sight.

/// Lines that a block may have.
const LINES: usize = 60;

/// The text in one line of at most about `limit` characters.
pub fn one_line(text: &str, limit: usize) -> String {
    cut(&in_plain_sight(text).replace('\n', "⏎").replace('\t', "⇥"), limit)
}

/// The text with its own lines: at most 60 of them, and about `limit` characters.
pub fn block(text: &str, limit: usize) -> String {
    let visible = in_plain_sight(text);
    let lines: Vec<&str> = visible.lines().collect();
    if lines.len() <= LINES {
        return cut(&visible, limit);
    }
    let (head, tail) = (&lines[..LINES / 2], &lines[lines.len() - LINES / 2..]);
    let left_out = format!("… {} lines left out …", lines.len() - LINES);
    let half = limit / 2;
    format!("{}\n{left_out}\n{}", cut(&head.join("\n"), half), cut(&tail.join("\n"), half))
}

fn in_plain_sight(text: &str) -> String {
    let visible = crate::visible(text);
    let words: Vec<_> = visible.split_inclusive(char::is_whitespace).map(spelled_out).collect();
    words.concat()
}

/// A word with foreign letters as escapes where they could be taken for others: in a URL, and in a word that mixes Latin
/// letters with those of an alphabet that has look-alikes of them.
fn spelled_out(word: &str) -> String {
    let spell = |which: fn(char) -> bool| -> String {
        word.chars().map(|c| if which(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
    };
    if word.contains("://") {
        spell(|c| !c.is_ascii() && !c.is_whitespace())
    } else if word.chars().any(|c| c.is_ascii_alphabetic()) && word.chars().any(passes_for_latin) {
        spell(passes_for_latin)
    } else {
        word.to_owned()
    }
}

/// Whether a letter is of a block that has look-alikes of Latin letters, digits or punctuation (Unicode technical
/// standard 39, `confusables.txt`): Greek, Cyrillic, Armenian, Cherokee, Coptic, Lisu, letterlike, fullwidth, mathematical.
fn passes_for_latin(c: char) -> bool {
    matches!(c,
        '\u{370}'..='\u{58f}' | '\u{13a0}'..='\u{13ff}' | '\u{1c80}'..='\u{1c8f}' | '\u{1d00}'..='\u{1dbf}'
        | '\u{1f00}'..='\u{1fff}' | '\u{2044}' | '\u{2100}'..='\u{218f}' | '\u{2215}' | '\u{2c80}'..='\u{2cff}'
        | '\u{2de0}'..='\u{2dff}' | '\u{a4d0}'..='\u{a4ff}' | '\u{a640}'..='\u{a69f}' | '\u{ab30}'..='\u{abbf}'
        | '\u{ff01}'..='\u{ff5e}' | '\u{1d400}'..='\u{1d7ff}')
}

/// The beginning and the end of a text that is longer than about `limit` characters. What is dangerous is often put last.
pub fn cut(text: &str, limit: usize) -> String {
    let length = text.chars().count();
    let left_out = format!(" … {} characters left out … ", length.saturating_sub(limit));
    // To say that something is left out must take less than it does.
    if length <= limit + left_out.chars().count() {
        return text.to_owned();
    }
    let (head, tail) = (limit / 2, limit - limit / 2);
    let head: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(length - tail).collect();
    format!("{head}{left_out}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_shows_and_stays_in_one_line() {
        for (text, shown) in [
            ("ls\u{1b}[2K\r", r"ls\u{1b}[2K\u{d}"),
            ("a\nb\tc", "a⏎b⇥c"),
            ("echo \u{202e}fdp", r"echo \u{202e}fdp"),
            ("rm\u{200b} -rf", r"rm\u{200b} -rf"),
            ("curl https://аpple.com/ü", r"curl https://\u{430}pple.com/\u{fc}"),
            ("ssh аррӏе.com", r"ssh \u{430}\u{440}\u{440}\u{4cf}\u{435}.com"),
            ("curl evil．example∕x.io", r"curl evil\u{ff0e}example\u{2215}x.io"),
            ("echo Grüße привет 日本", "echo Grüße привет 日本"),
        ] {
            assert_eq!(one_line(text, 100), shown);
        }
    }

    #[test]
    fn what_is_hardly_too_long_is_shown_whole() {
        for (length, whole) in [(60, true), (61, true), (88, true), (89, false)] {
            let text = "x".repeat(length);
            assert_eq!(cut(&text, 60) == text, whole, "{length}");
        }
    }

    #[test]
    fn the_end_of_a_long_text_stays_in_sight() {
        let text = format!("echo {} && rm -rf /", "é".repeat(1_000_000));
        for shown in [one_line(&text, 60), block(&text, 60)] {
            assert!(shown.starts_with("echo é") && shown.ends_with(" && rm -rf /"), "{shown}");
            assert!(shown.contains("characters left out") && shown.chars().count() < 120, "{shown}");
        }
        let shown = block(&format!("first\n{}rm -rf /", "\n".repeat(100_000)), 4000);
        assert!(shown.starts_with("first\n") && shown.ends_with("\nrm -rf /"), "{shown}");
        assert!(shown.contains("lines left out") && shown.lines().count() <= LINES + 1, "{shown}");
        assert_eq!(block("a\n\tb\n", 100), "a\n\tb\n");
    }
}
