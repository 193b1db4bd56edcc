//! Text globs, for commands and names: `*` is any text, everything else is itself, the whole text must match.
//! `\*` is a star. A pattern that ends in ` *` also matches without anything behind it.

/// A compiled text glob. Matching is linear in the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TextGlob {
    /// The literal pieces between the stars; the first and last are anchored and may be empty.
    pieces: Vec<String>,
}

impl TextGlob {
    pub(crate) fn new(pattern: &str) -> Self {
        let mut pieces = vec![String::new()];
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '*' => pieces.push(String::new()),
                '\\' if chars.peek() == Some(&'*') => {
                    chars.next();
                    push(&mut pieces, '*');
                }
                other => push(&mut pieces, other),
            }
        }
        Self { pieces }
    }

    /// Escapes a text so that the glob matches it alone.
    pub(crate) fn escape(text: &str) -> String {
        text.replace('*', r"\*")
    }

    pub(crate) fn is_match(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.pieces.as_slice() else {
            return self.pieces.first().is_some_and(|only| only == text);
        };
        if middle.is_empty() && last.is_empty() && first.strip_suffix(' ') == Some(text) {
            return true;
        }
        let Some(rest) = text.strip_prefix(first.as_str()) else { return false };
        let Some(mut rest) = rest.strip_suffix(last.as_str()) else { return false };
        for piece in middle {
            let Some((_, behind)) = rest.split_once(piece.as_str()) else { return false };
            rest = behind;
        }
        true
    }

    /// The longest text that every match contains; shorter by a trailing space, which a match may lack.
    pub(crate) fn literal(&self) -> &str {
        let longest = self.pieces.iter().map(String::as_str).max_by_key(|p| p.len()).unwrap_or_default();
        longest.trim_end()
    }

    /// Every way to cut the pattern in two at a space.
    pub(crate) fn splits(&self) -> impl Iterator<Item = (Self, Self)> {
        self.pieces.iter().enumerate().flat_map(move |(i, piece)| {
            piece.match_indices(' ').map(move |(at, _)| {
                let (front, back) = (piece.get(..at).unwrap_or_default(), piece.get(at + 1..).unwrap_or_default());
                let (before, after) = (self.pieces.get(..i), self.pieces.get(i + 1..));
                let join = |a: Option<&[String]>, b: &str| [a.unwrap_or_default(), &[b.to_owned()]].concat();
                let mut behind = vec![back.to_owned()];
                behind.extend_from_slice(after.unwrap_or_default());
                (Self { pieces: join(before, front) }, Self { pieces: behind })
            })
        })
    }

    /// It begins with a text of its own, not with a star.
    pub(crate) fn starts_literally(&self) -> bool {
        self.pieces.first().is_some_and(|p| !p.is_empty())
    }

    /// It matches one text only.
    pub(crate) fn is_literal(&self) -> bool {
        self.pieces.len() == 1
    }

    /// It matches every text, or nearly: no literal piece is longer than one character.
    pub(crate) fn is_sweeping(&self) -> bool {
        !self.is_literal() && self.pieces.iter().all(|p| p.trim().len() <= 1)
    }
}

impl std::fmt::Display for TextGlob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let escaped: Vec<String> = self.pieces.iter().map(|p| Self::escape(p)).collect();
        f.write_str(&escaped.join("*"))
    }
}

fn push(pieces: &mut [String], c: char) {
    if let Some(last) = pieces.last_mut() {
        last.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text_and_the_rest_is_itself() {
        for (pattern, text, expect) in [
            ("rm -rf *", "rm -rf /tmp/x", true),
            ("rm -rf *", "rm -rf", true),
            ("rm -rf *", "rm -rfx", false),
            ("rm -rf *", "xrm -rf /", false),
            ("git *", "gitk", false),
            ("mkfs.*", "mkfs.ext4 /dev/sda", true),
            ("dd if=*", "dd if=/dev/zero of=x", true),
            ("*production*", "deploy production now", true),
            ("*production*", "deploy staging", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("*", "", true),
            ("*", "anything\nat all", true),
            (":(){ :|:& };:", ":(){ :|:& };:", true),
            (r"echo \*", "echo *", true),
            (r"echo \*", "echo x", false),
            (r"type C:\x", r"type C:\x", true),
            ("?", "a", false),
        ] {
            assert_eq!(TextGlob::new(pattern).is_match(text), expect, "{pattern} on {text}");
        }
    }

    #[test]
    fn an_escaped_text_matches_itself_alone() {
        for text in ["a*b", r"a\b", "", "x", "**"] {
            let glob = TextGlob::new(&TextGlob::escape(text));
            assert!(glob.is_match(text) && glob.is_literal(), "{text}");
        }
    }
}
