//! Simple commands: assignments, words, redirects.

use rampart_call::Span;

use super::commands::Parser;
use super::{Assigned, Assignment, Redirect, RedirectKind, Span0, Word};

impl<'t> Parser<'t> {
    pub(super) fn simple(
        &mut self,
        assignments: &mut Vec<Assignment<'t>>,
        words: &mut Vec<Word<'t>>,
        redirects: &mut Vec<Redirect<'t>>,
    ) {
        let mut end = self.pos;
        loop {
            self.blanks();
            if let Some(redirect) = self.redirect() {
                redirects.push(redirect);
                end = self.pos;
                continue;
            }
            match self.peek() {
                None | Some(b'\n' | b';' | b'&' | b'|' | b')' | b'#') => break,
                // `declare -a m=(..)`, and zsh's `=(command)`
                Some(b'(') if words.last().is_some_and(|w| self.slice(w.span.start, w.span.end).ends_with('=')) => {
                    let word = words.pop().unwrap_or_default();
                    match self.slice(word.span.start, word.span.end).trim_end_matches(['=', '+']) {
                        "" => {
                            let mut parts = Vec::new();
                            self.pos -= 1;
                            self.process(&mut parts, false);
                            words.push(Word { parts, span: Span0 { start: word.span.start, end: self.pos } });
                        }
                        name => {
                            self.pos += 1;
                            let append = self.byte_at(word.span.end.saturating_sub(2)) == Some(b'+');
                            assignments.push(Assignment {
                                name,
                                subscript: None,
                                append,
                                value: Assigned::Array(self.array()),
                            });
                        }
                    }
                    end = self.pos;
                    continue;
                }
                Some(b'(') => break,
                _ => {}
            }
            if words.is_empty()
                && let Some(assignment) = self.assignment()
            {
                assignments.push(assignment);
                end = self.pos;
                continue;
            }
            let word = self.word();
            if word.span.start == word.span.end {
                break;
            }
            words.push(word);
            end = self.pos;
        }
        // blanks before an operator do not belong to the command, unless a function's parentheses follow
        if self.peek() != Some(b'(') {
            self.pos = end;
        }
    }

    fn assignment(&mut self) -> Option<Assignment<'t>> {
        let start = self.pos;
        if !self.peek().is_some_and(|b| b == b'_' || b.is_ascii_alphabetic()) {
            return None;
        }
        let name = self.name();
        let mut subscript = None;
        if self.peek() == Some(b'[') {
            let close = self.rest().find(']')?;
            if matches!(self.byte_at(self.pos + close + 1), Some(b'=' | b'+')) {
                subscript = Some(self.slice(self.pos + 1, self.pos + close)).filter(|s| s.contains(['$', '`']));
                self.pos += close + 1;
            }
        }
        let append = self.peek() == Some(b'+') && self.byte_at(self.pos + 1) == Some(b'=');
        self.pos += usize::from(append);
        if !self.eat(b'=') {
            self.pos = start;
            return None;
        }
        let value = if self.eat(b'(') { Assigned::Array(self.array()) } else { Assigned::One(self.word()) };
        Some(Assignment { name, subscript, append, value })
    }

    /// The words of `name=( .. )`; the opening is consumed.
    fn array(&mut self) -> Vec<Word<'t>> {
        let mut words = Vec::new();
        loop {
            self.space();
            // `[subscript]=value`
            if self.peek() == Some(b'[')
                && let Some(length) = self.slice(self.pos, self.end.min(self.pos + 64)).find("]=")
                && !self.rest().get(..length).is_some_and(|subscript| subscript.contains([' ', ')']))
            {
                self.pos += length + 2;
            }
            let word = self.word();
            if word.span.start == word.span.end {
                break;
            }
            words.push(word);
        }
        self.broken |= !self.eat(b')');
        words
    }

    pub(super) fn redirect(&mut self) -> Option<Redirect<'t>> {
        let start = self.pos;
        let mut fd = None;
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        match self.byte_at(start + digits) {
            Some(b'<' | b'>') => {}
            Some(b'&') if digits == 0 && self.byte_at(start + 1) == Some(b'>') => {
                self.pos += 2;
                self.eat(b'>');
                self.blanks();
                let word = self.word();
                return Some(Redirect {
                    fd: None,
                    kind: RedirectKind::WriteAll(word),
                    span: Span { start, end: self.pos },
                });
            }
            Some(b'{') if digits == 0 => {
                let close = self.rest().find('}')?;
                if !matches!(self.byte_at(start + close + 1), Some(b'<' | b'>')) {
                    return None;
                }
                self.pos += close + 1;
            }
            _ => return None,
        }
        if digits > 0 {
            fd = self.slice(start, start + digits).parse().ok();
            self.pos += digits;
        }
        // a process substitution is a word
        let opening = self.peek()?;
        if self.byte_at(self.pos + 1) == Some(b'(') {
            self.pos = start;
            return None;
        }
        self.pos += 1;
        let second = self.peek();
        let third = self.byte_at(self.pos + 1);
        let make: fn(Word<'t>) -> RedirectKind<'t> = match (opening, second, third) {
            (b'<', Some(b'<'), Some(b'<')) => {
                self.pos += 2;
                RedirectKind::HereString
            }
            (b'<', Some(b'<'), _) => {
                self.pos += 1;
                let strip = self.eat(b'-');
                let number = self.heredoc_start(strip);
                let span = Span { start, end: self.pos };
                // the body is put in when the whole text is read; until then its number stands for it
                let word = Word { parts: Vec::new(), span: Span0 { start: number, end: number } };
                return Some(Redirect { fd, kind: RedirectKind::HereDoc(word), span });
            }
            (b'<', Some(b'&'), _) => {
                self.pos += 1;
                RedirectKind::Duplicate
            }
            (b'<', Some(b'>'), _) => {
                self.pos += 1;
                RedirectKind::ReadWrite
            }
            (b'<', ..) => RedirectKind::Read,
            (_, Some(b'>'), _) => {
                self.pos += 1;
                RedirectKind::Append
            }
            (_, Some(b'&'), _) => {
                self.pos += 1;
                RedirectKind::Duplicate
            }
            (_, Some(b'|'), _) => {
                self.pos += 1;
                RedirectKind::Write
            }
            _ => RedirectKind::Write,
        };
        self.blanks();
        let word = self.word();
        Some(Redirect { fd, kind: make(word), span: Span { start, end: self.pos } })
    }
}
