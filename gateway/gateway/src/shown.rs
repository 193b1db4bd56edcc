//! Text of agents, servers and services as it is shown to people in one line: nothing hidden, nothing that moves a
//! cursor, and cut so that its end stays in sight.

/// The text in one line of at most about `limit` characters.
pub(crate) fn one_line(text: &str, limit: usize) -> String {
    let visible = rampart_scan::visible(text).replace('\n', "⏎").replace('\t', "⇥");
    let words: Vec<_> = visible.split(' ').map(spelled_out).collect();
    cut(&words.join(" "), limit)
}

/// A URL with foreign letters as escapes, since they can look like others.
fn spelled_out(word: &str) -> String {
    if !word.contains("://") {
        return word.to_owned();
    }
    let spell = |c: char| if c.is_ascii() { c.to_string() } else { c.escape_unicode().to_string() };
    word.chars().map(spell).collect()
}

/// The beginning and the end of a text that is longer than `limit` characters. What is dangerous is often put last.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    let length = text.chars().count();
    if length <= limit {
        return text.to_owned();
    }
    let (head, tail) = (limit / 2, limit - limit / 2);
    let head: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(length - tail).collect();
    format!("{head} … {} characters left out … {end}", length - limit)
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
            ("echo Grüße", "echo Grüße"),
        ] {
            assert_eq!(one_line(text, 100), shown);
        }
    }

    #[test]
    fn the_end_of_a_long_text_stays_in_sight() {
        let text = format!("echo {} && rm -rf /", "é".repeat(1_000_000));
        let shown = one_line(&text, 60);
        assert!(shown.starts_with("echo é") && shown.ends_with(" && rm -rf /"), "{shown}");
        assert!(shown.contains("characters left out") && shown.chars().count() < 120, "{shown}");
    }
}
