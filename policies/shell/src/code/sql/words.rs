//! The words of SQL, and its strings.

/// The words of a text, and the texts in its quotes.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// In lower case, without strings and comments; `;` stands alone, and so does a dot behind a name.
    pub(super) words: Vec<String>,
    /// What stands between quotes or dollars, and before which word.
    pub(super) strings: Vec<(usize, String)>,
}

impl Words {
    pub(super) fn of(text: &str) -> Self {
        let mut found = Self::default();
        let mut word = String::new();
        let mut before = ' ';
        // `'dr' || 'op'` is one string
        let mut joined = false;
        let mut at = 0;
        while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
            let last = std::mem::replace(&mut before, c);
            let rest = text.get(at..).unwrap_or("");
            at += c.len_utf8();
            if c.is_alphanumeric() || c == '_' {
                word.extend(c.to_lowercase());
                continue;
            }
            if !word.is_empty() {
                found.words.push(std::mem::take(&mut word));
            }
            if let Some((inside, length)) = quoted(rest) {
                match found.strings.last_mut().filter(|(word, _)| joined && *word == found.words.len()) {
                    Some((_, begun)) => begun.push_str(&inside),
                    None => found.strings.push((found.words.len(), inside)),
                }
                joined = false;
                at += length - c.len_utf8();
                before = '\'';
                continue;
            }
            if let Some(name) = name(rest) {
                found.words.extend((!name.is_empty()).then(|| name.to_lowercase()));
                at += name.len() + 1;
                before = '"';
                continue;
            }
            joined |= rest.starts_with("||") || matches!(c, '+' | ',') && is_joining(c, &found.words);
            match c {
                '-' if rest.starts_with("--") => at += rest.find('\n').unwrap_or(rest.len()) - 1,
                '/' if rest.starts_with("/*") => at += comment(rest) - 1,
                ';' => found.words.push(";".to_owned()),
                '.' if last.is_alphanumeric() || matches!(last, '_' | '`' | '"' | ']') => {
                    found.words.push(".".to_owned());
                }
                _ => {}
            }
        }
        if !word.is_empty() {
            found.words.push(word);
        }
        found
    }
}

/// Whether the sign joins strings: `+` of Transact-SQL, and the comma in `concat('a', 'b')`.
fn is_joining(sign: char, words: &[String]) -> bool {
    sign == '+' || words.last().is_some_and(|word| word == "concat")
}

/// The length of a comment. MySQL and MariaDB run what stands in `/*!50000 .. */` and `/*M! .. */`, so that only their marks
/// are passed over.
fn comment(text: &str) -> usize {
    for mark in ["/*!", "/*M!"] {
        if let Some(rest) = text.strip_prefix(mark) {
            return mark.len() + rest.bytes().take_while(u8::is_ascii_digit).count();
        }
    }
    text.get(2..).and_then(|rest| rest.find("*/")).map_or(text.len(), |end| end + 4)
}

/// A name in quotes at the beginning of the text, without them.
fn name(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('"')?;
    rest.get(..rest.find('"')?)
}

/// A string at the beginning of the text, and the length with its quotes: `'..'`, `$tag$..$tag$`, and `".."` where it can be
/// no name.
fn quoted(text: &str) -> Option<(String, usize)> {
    if let Some(rest) = text.strip_prefix('\'') {
        let end = end_of_quote(rest).unwrap_or(rest.len());
        let inside = rest.get(..end).unwrap_or("").replace("''", "'");
        return Some((inside, (end + 2).min(text.len())));
    }
    if let Some(rest) = text.strip_prefix('"') {
        let end = rest.find('"')?;
        let inside = rest.get(..end)?;
        return inside.contains([' ', ';', '\n']).then(|| (inside.to_owned(), end + 2));
    }
    let rest = text.strip_prefix('$')?;
    let tag = rest.find('$')?;
    if !rest.get(..tag)?.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return None;
    }
    let (mark, behind) = (text.get(..tag + 2)?, text.get(tag + 2..)?);
    let end = behind.find(mark).unwrap_or(behind.len());
    Some((behind.get(..end)?.to_owned(), (tag + 2 + end + mark.len()).min(text.len())))
}

/// Where a quote ends whose text doubles the quotes in it.
fn end_of_quote(text: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        let end = at + text.get(at..)?.find('\'')?;
        if !text.get(end + 1..)?.starts_with('\'') {
            return Some(end);
        }
        at = end + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::Words;

    fn words(text: &str) -> Vec<String> {
        Words::of(text).words
    }

    #[test]
    fn strings_and_comments_are_no_words() {
        assert_eq!(words("select 'drop table t' -- drop\n; /* x */ DROP"), ["select", ";", "drop"]);
        assert_eq!(words("/*!50000 DROP TABLE t */"), ["drop", "table", "t"]);
        assert_eq!(words("select 1 /*!; drop table x*/"), ["select", "1", ";", "drop", "table", "x"]);
        assert_eq!(words("select a from \"t\" -- x"), ["select", "a", "from", "t"]);
        assert_eq!(words("select /* open"), ["select"]);
        let text = "delete from \"public\".\"users\"; drop table \"x\"";
        assert_eq!(words(text), ["delete", "from", "public", ".", "users", ";", "drop", "table", "x"]);
        assert_eq!(words("select \"a\", \"b c\", \"d\" x"), ["select", "a", "d", "x"]);
    }

    #[test]
    fn strings_are_kept_with_their_place() {
        for (text, expect) in [
            ("select 'it''s'", vec![(1, "it's")]),
            ("execute 'dr' || 'op table ' || quote_ident(t) || ' cascade'", vec![(1, "drop table "), (3, " cascade")]),
            ("exec('dr' + 'op table t')", vec![(1, "drop table t")]),
            ("set @s = concat('dr', 'op table t')", vec![(3, "drop table t")]),
            ("values ('a', 'b')", vec![(1, "a"), (1, "b")]),
            ("do $$ begin x; end $$", vec![(1, " begin x; end ")]),
            ("as $f$ a $$ b $f$ language sql", vec![(1, " a $$ b ")]),
            ("exec('drop table t')", vec![(1, "drop table t")]),
            ("values (\"a; b\", \"name\")", vec![(1, "a; b")]),
            ("select $1, $2", vec![]),
            ("select 'open", vec![(1, "open")]),
            ("select 'é', '", vec![(1, "é"), (1, "")]),
        ] {
            let found = Words::of(text).strings;
            let found: Vec<(usize, &str)> = found.iter().map(|(at, text)| (*at, text.as_str())).collect();
            assert_eq!(found, expect, "{text}");
        }
    }
}
