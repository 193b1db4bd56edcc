//! One segment of a path glob.

/// A compiled segment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Segment {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Part {
    Text(String),
    /// `*`
    Star,
    /// `?`
    One,
    /// `[a-z]`, `[!a-z]`
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Segment {
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let mut parts: Vec<Part> = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            let part = match c {
                '*' => Part::Star,
                '?' => Part::One,
                '[' => class(&mut chars)?,
                ']' => return Err("`]` without `[`".to_owned()),
                other => {
                    if let Some(Part::Text(last)) = parts.last_mut() {
                        last.push(other);
                        continue;
                    }
                    Part::Text(other.to_string())
                }
            };
            parts.push(part);
        }
        Ok(Self { parts })
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        // Where to go back to when what follows the last star does not fit: that star, and the text behind it.
        let mut retry: Option<(&[Part], &str)> = None;
        let (mut parts, mut rest) = (self.parts.as_slice(), text);
        loop {
            let ahead = match parts.split_first() {
                None if rest.is_empty() => return true,
                None => None,
                Some((Part::Star, more)) => {
                    retry = Some((more, rest));
                    Some((more, rest))
                }
                Some((Part::Text(literal), more)) => rest.strip_prefix(literal.as_str()).map(|r| (more, r)),
                Some((Part::One, more)) => tail(rest).map(|(_, r)| (more, r)),
                Some((Part::Class { negated, ranges }, more)) => tail(rest)
                    .filter(|(c, _)| ranges.iter().any(|(a, z)| a <= c && c <= z) != *negated)
                    .map(|(_, r)| (more, r)),
            };
            if let Some((more, r)) = ahead {
                (parts, rest) = (more, r);
                continue;
            }
            let Some((more, from)) = retry else { return false };
            let Some((_, shorter)) = tail(from) else { return false };
            retry = Some((more, shorter));
            (parts, rest) = (more, shorter);
        }
    }

    /// Whether a segment that is a shell pattern itself may name something this segment matches. Errs towards yes.
    pub(super) fn may_meet(&self, pattern: &str) -> bool {
        // The root and the home are never meant by a pattern.
        if self.is_anchor() {
            return false;
        }
        let wild = |c: char| matches!(c, '*' | '?' | '[' | '{' | '$' | '`');
        let (Some(first), Some(last)) = (pattern.find(wild), pattern.rfind(|c| wild(c) || matches!(c, ']' | '}')))
        else {
            return false;
        };
        if let [Part::Text(literal)] = self.parts.as_slice()
            && let Ok(other) = Self::new(pattern)
        {
            return other.is_match(literal);
        }
        let front = pattern.get(..first).unwrap_or_default();
        let back = pattern.get(last + 1..).unwrap_or_default();
        let fits = |a: &str, b: &str, starts: fn(&str, &str) -> bool| starts(a, b) || starts(b, a);
        let own_front = if let Some(Part::Text(t)) = self.parts.first() { t.as_str() } else { "" };
        let own_back = if let Some(Part::Text(t)) = self.parts.last() { t.as_str() } else { "" };
        fits(front, own_front, |a, b| a.starts_with(b)) && fits(back, own_back, |a, b| a.ends_with(b))
    }

    /// It names something: it is not only wildcards.
    pub(super) fn is_named(&self) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|p| matches!(p, Part::Text(_)))
    }

    /// It is the root or the home.
    pub(super) fn is_anchor(&self) -> bool {
        match self.parts.as_slice() {
            [] => true,
            [Part::Text(only)] => only == "~",
            _ => false,
        }
    }

    pub(super) fn literal(&self) -> &str {
        let texts = self.parts.iter().map(|p| if let Part::Text(t) = p { t.as_str() } else { "" });
        texts.max_by_key(|t| t.len()).unwrap_or_default()
    }
}

fn tail(text: &str) -> Option<(char, &str)> {
    let mut chars = text.chars();
    chars.next().map(|c| (c, chars.as_str()))
}

fn class(chars: &mut std::str::Chars<'_>) -> Result<Part, String> {
    let mut members: Vec<char> = Vec::new();
    let mut negated = false;
    let mut first = true;
    loop {
        let Some(c) = chars.next() else { return Err("unclosed character class; missing `]`".to_owned()) };
        match c {
            '!' | '^' if first && !negated => {
                negated = true;
                continue;
            }
            ']' => break,
            other => members.push(other),
        }
        first = false;
    }
    let mut ranges = Vec::new();
    let mut at = members.as_slice();
    loop {
        at = match at {
            [] => break,
            [a, '-', z, ..] if a > z => return Err(format!("the range `{a}-{z}` runs backwards")),
            [a, '-', z, rest @ ..] => {
                ranges.push((*a, *z));
                rest
            }
            [a, rest @ ..] => {
                ranges.push((*a, *a));
                rest
            }
        };
    }
    if ranges.is_empty() {
        return Err("an empty character class matches nothing".to_owned());
    }
    Ok(Part::Class { negated, ranges })
}
