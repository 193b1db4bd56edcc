//! Words: quotes, variables, substitutions.

use std::borrow::Cow;

use super::ansi::unescape;
use super::commands::Parser;
use super::{Part, Span0, Variable, Word};

/// Where a run of parts ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// A blank or operator.
    Word,
    /// The closing double quote.
    Quote,
    /// The closing brace of `${`.
    Brace { quoted: bool },
    /// The `))` of an arithmetic expansion.
    Arithmetic,
    /// The end of a here-document's body.
    Text,
}

impl<'t> Parser<'t> {
    /// Reads one word at the current position; empty where none stands here.
    pub(super) fn word(&mut self) -> Word<'t> {
        let start = self.pos;
        // most words are plain
        let plain = self.rest().bytes().position(|b| !is_plain(b)).unwrap_or(self.rest().len());
        let after = self.byte_at(start + plain);
        if plain > 0
            && after.is_none_or(is_blank_or_operator)
            && !(after == Some(b'(') && self.is_extended_glob(start + plain))
        {
            self.pos += plain;
            let text = Cow::Borrowed(self.slice(start, self.pos));
            let parts = vec![Part::Text { text, quoted: false }];
            // `name(<` cannot be a process substitution, `a<(b)` can
            if !(matches!(after, Some(b'<' | b'>')) && self.byte_at(self.pos + 1) == Some(b'(')) {
                return Word { parts, span: Span0 { start, end: self.pos } };
            }
            self.pos = start;
        }
        let parts = self.parts(Until::Word);
        Word { parts, span: Span0 { start, end: self.pos } }
    }

    /// Reads the words of `(( .. ))`; the opening is consumed.
    pub(super) fn arithmetic_word(&mut self) -> Word<'t> {
        let start = self.pos;
        let parts = self.deeper(|p| p.parts(Until::Arithmetic)).unwrap_or_default();
        Word { parts, span: Span0 { start, end: self.pos } }
    }

    /// Reads a here-document's body, whose end is set, with expansions.
    pub(super) fn body_parts(&mut self) -> Vec<Part<'t>> {
        self.deeper(|p| p.parts(Until::Text)).unwrap_or_default()
    }

    fn parts(&mut self, until: Until) -> Vec<Part<'t>> {
        let quoted = matches!(until, Until::Quote | Until::Text | Until::Brace { quoted: true });
        let mut parts = Vec::new();
        let mut start = self.pos;
        let word = self.pos;
        let mut parens = 0_usize;
        let mut globs = 0_usize;
        loop {
            let Some(byte) = self.peek() else {
                self.text_part(&mut parts, start, quoted);
                self.broken |= !matches!(until, Until::Word | Until::Text);
                return parts;
            };
            match until {
                Until::Word if globs > 0 && byte == b')' => {
                    globs -= 1;
                    self.pos += 1;
                    continue;
                }
                Until::Word if globs > 0 && matches!(byte, b'|' | b'(') => {
                    globs += usize::from(byte == b'(');
                    self.pos += 1;
                    continue;
                }
                Until::Word if byte == b'(' && self.is_extended_glob(self.pos) => {
                    globs += 1;
                    self.pos += 1;
                    continue;
                }
                Until::Word if is_blank_or_operator(byte) && !(globs > 0 && byte == b' ') => {
                    if matches!(byte, b'<' | b'>') && self.byte_at(self.pos + 1) == Some(b'(') {
                        self.text_part(&mut parts, start, quoted);
                        self.process(&mut parts, byte == b'>');
                        start = self.pos;
                        continue;
                    }
                    self.text_part(&mut parts, start, quoted);
                    return parts;
                }
                Until::Quote if byte == b'"' => {
                    self.text_part(&mut parts, start, true);
                    self.pos += 1;
                    return parts;
                }
                Until::Brace { .. } if byte == b'}' => {
                    self.text_part(&mut parts, start, quoted);
                    self.pos += 1;
                    return parts;
                }
                Until::Arithmetic if byte == b'(' => parens += 1,
                Until::Arithmetic if byte == b')' && parens > 0 => parens -= 1,
                Until::Arithmetic if byte == b')' => {
                    self.text_part(&mut parts, start, quoted);
                    self.pos += 1;
                    if !self.eat(b')') {
                        self.broken = true;
                    }
                    return parts;
                }
                _ => {}
            }
            match byte {
                // nobody escapes the letters of `C:\Users`
                b'\\' if until == Until::Word && self.is_windows_path(word) => {
                    self.pos += 1;
                    continue;
                }
                b'\\' => {
                    let next = self.byte_at(self.pos + 1);
                    let escapes = !quoted || matches!(next, Some(b'$' | b'`' | b'"' | b'\\' | b'\n' | b'}'));
                    if !escapes {
                        self.pos += 1;
                        continue;
                    }
                    self.text_part(&mut parts, start, quoted);
                    self.pos += 1;
                    let from = self.pos;
                    self.pos += self.rest().chars().next().map_or(0, char::len_utf8);
                    if next != Some(b'\n') {
                        let text = if next.is_none() { "\\" } else { self.slice(from, self.pos) };
                        parts.push(Part::Text { text: Cow::Borrowed(text), quoted: true });
                    }
                }
                b'\'' if !quoted && until != Until::Arithmetic => {
                    self.text_part(&mut parts, start, quoted);
                    self.pos += 1;
                    let text = self.until_byte(b'\'');
                    parts.push(Part::Text { text: Cow::Borrowed(text), quoted: true });
                }
                b'"' if until != Until::Text => {
                    self.text_part(&mut parts, start, quoted);
                    self.pos += 1;
                    let inner = self.deeper(|p| p.parts(Until::Quote)).unwrap_or_default();
                    if inner.is_empty() {
                        parts.push(Part::Text { text: Cow::Borrowed(""), quoted: true });
                    }
                    parts.extend(inner);
                }
                b'$' => {
                    let at = self.pos;
                    self.text_part(&mut parts, start, quoted);
                    if !self.dollar(&mut parts, quoted) {
                        start = at;
                        self.pos = at + 1;
                        continue;
                    }
                }
                b'`' => {
                    self.text_part(&mut parts, start, quoted);
                    self.backquoted(&mut parts, quoted);
                }
                _ => {
                    self.pos += 1;
                    continue;
                }
            }
            start = self.pos;
        }
    }

    fn text_part(&self, parts: &mut Vec<Part<'t>>, start: usize, quoted: bool) {
        if start < self.pos {
            parts.push(Part::Text { text: Cow::Borrowed(self.slice(start, self.pos)), quoted });
        }
    }

    /// Reads what a `$` begins. False where it stands for itself.
    fn dollar(&mut self, parts: &mut Vec<Part<'t>>, quoted: bool) -> bool {
        let start = self.pos;
        let Some(next) = self.byte_at(start + 1) else { return false };
        match next {
            b'\'' if !quoted => {
                self.pos += 2;
                let from = self.pos;
                while let Some(byte) = self.peek() {
                    match byte {
                        b'\'' => break,
                        b'\\' => self.pos += 2,
                        _ => self.pos += 1,
                    }
                }
                self.pos = self.pos.min(self.end);
                let text = unescape(self.slice(from, self.pos));
                self.broken |= !self.eat(b'\'');
                parts.push(Part::Text { text: Cow::Owned(text), quoted: true });
            }
            b'"' if !quoted => self.pos += 1,
            b'(' if self.byte_at(start + 2) == Some(b'(') && self.is_arithmetic(start + 3) => {
                self.pos += 3;
                let inner = self.deeper(|p| p.parts(Until::Arithmetic)).unwrap_or_default();
                parts.push(Part::Arithmetic { parts: inner, source: self.slice(start, self.pos) });
            }
            b'(' => {
                self.pos += 2;
                let list = self.nested_list();
                parts.push(Part::Command { list, quoted, source: self.slice(start, self.pos) });
            }
            b'{' => {
                self.pos += 2;
                let variable = self.deeper(|p| p.braced(start, quoted));
                parts.extend(variable.map(|v| Part::Variable(Box::new(v))));
            }
            b'[' => {
                // the old spelling of an arithmetic expansion
                let Some(length) = self.rest().find(']') else { return false };
                self.pos += length + 1;
                parts.push(Part::Arithmetic { parts: Vec::new(), source: self.slice(start, self.pos) });
            }
            b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!' | b'0'..=b'9' => {
                self.pos += 2;
                parts.push(self.plain_variable(start, quoted));
            }
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                self.pos += 1;
                self.name();
                // PowerShell's `$env:NAME`
                if self.slice(start, self.pos) == "$env"
                    && self.peek() == Some(b':')
                    && self.byte_at(self.pos + 1).is_some_and(|b| b.is_ascii_alphabetic())
                {
                    self.pos += 1;
                    self.name();
                }
                parts.push(self.plain_variable(start, quoted));
            }
            _ => return false,
        }
        true
    }

    fn plain_variable(&self, start: usize, quoted: bool) -> Part<'t> {
        let source = self.slice(start, self.pos);
        let name = source.strip_prefix('$').unwrap_or(source);
        Part::Variable(Box::new(Variable { name, indirect: false, operator: "", operand: Vec::new(), quoted, source }))
    }

    /// Reads `${..}` after its opening.
    fn braced(&mut self, start: usize, quoted: bool) -> Variable<'t> {
        let mut indirect = false;
        let mut length = false;
        match (self.peek(), self.byte_at(self.pos + 1)) {
            (Some(b'!'), Some(next)) if next != b'}' => {
                indirect = true;
                self.pos += 1;
            }
            (Some(b'#'), Some(next)) if next != b'}' => {
                length = true;
                self.pos += 1;
            }
            _ => {}
        }
        let from = self.pos;
        if self.name().is_empty() {
            self.pos += self.rest().chars().next().filter(|c| *c != '}').map_or(0, char::len_utf8);
        }
        let name = self.slice(from, self.pos);
        if self.peek() == Some(b'[') {
            let inside = self.rest().find([']', '}']).unwrap_or(0);
            self.pos += inside;
            self.eat(b']');
        }
        let from = self.pos;
        let first = self.peek();
        if matches!(first, Some(b':' | b'-' | b'=' | b'+' | b'?' | b'#' | b'%' | b'/' | b'^' | b',' | b'@')) {
            self.pos += 1;
            let second = self.peek();
            let doubled = matches!(first, Some(b'#' | b'%' | b'/' | b'^' | b',')) && second == first;
            let tests = first == Some(b':') && matches!(second, Some(b'-' | b'=' | b'+' | b'?'));
            self.pos += usize::from(doubled || tests);
        }
        let operator = if length { "#len" } else { self.slice(from, self.pos) };
        let operand = self.parts(Until::Brace { quoted });
        Variable { name, indirect, operator, operand, quoted, source: self.slice(start, self.pos) }
    }

    fn backquoted(&mut self, parts: &mut Vec<Part<'t>>, quoted: bool) {
        let start = self.pos;
        self.pos += 1;
        let from = self.pos;
        let mut escaped = false;
        while let Some(byte) = self.peek() {
            match byte {
                b'`' => break,
                b'\\' => {
                    escaped = true;
                    self.pos += 2;
                }
                _ => self.pos += 1,
            }
        }
        self.pos = self.pos.min(self.end);
        let inside = self.slice(from, self.pos);
        let span = Span0 { start: from, end: self.pos };
        self.broken |= !self.eat(b'`');
        let text = if escaped {
            let mut plain = String::with_capacity(inside.len());
            let mut chars = inside.chars().peekable();
            while let Some(c) = chars.next() {
                match chars.peek() {
                    Some('`' | '\\' | '$') if c == '\\' => plain.extend(chars.next()),
                    _ => plain.push(c),
                }
            }
            Cow::Owned(plain)
        } else {
            Cow::Borrowed(inside)
        };
        parts.push(Part::Backquoted { text, quoted, source: self.slice(start, self.pos), span });
    }

    pub(super) fn process(&mut self, parts: &mut Vec<Part<'t>>, output: bool) {
        let start = self.pos;
        self.pos += 2;
        let list = self.nested_list();
        parts.push(Part::Process { list, output, source: self.slice(start, self.pos) });
    }

    /// Whether `$((` at the position before `from` opens an arithmetic expansion: its parentheses close together.
    pub(super) fn is_arithmetic(&self, from: usize) -> bool {
        let mut depth = 2_usize;
        for at in from..self.end {
            match self.byte_at(at) {
                Some(b'(') => depth += 1,
                Some(b')') if depth == 2 => return self.byte_at(at + 1) == Some(b')'),
                Some(b')') => depth -= 1,
                _ => {}
            }
        }
        false
    }

    /// Whether the backslash here parts the names of a path that begins with a drive or a variable of Windows.
    fn is_windows_path(&self, word: usize) -> bool {
        let before = self.slice(word, self.pos);
        let begins = match before.as_bytes() {
            [drive, b':', ..] => drive.is_ascii_alphabetic(),
            [b'%', rest @ ..] => rest.iter().take(32).any(|byte| *byte == b'%'),
            [b'$', b'e', b'n', b'v', b':', ..] => true,
            _ => false,
        };
        begins
            && self.byte_at(self.pos + 1).is_some_and(|next| next.is_ascii_alphanumeric() || b"._-*%[".contains(&next))
    }

    /// Whether the `(` at `at` belongs to a pattern such as `@(a|b)` or `!(x)`.
    fn is_extended_glob(&self, at: usize) -> bool {
        at > 0 && matches!(self.byte_at(at - 1), Some(b'@' | b'*' | b'?' | b'+' | b'!'))
    }
}

const fn is_plain(byte: u8) -> bool {
    !matches!(byte, b'\\' | b'\'' | b'"' | b'$' | b'`') && !is_blank_or_operator(byte)
}

pub(super) const fn is_blank_or_operator(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')')
}
