//! Lists and pipelines, and the cursor that reads them.

use rampart_call::Span;

use super::heredoc::{Pending, fill_list};
use super::words::is_blank_or_operator;
use super::{Command, Item, List, Parsed, Shape, Then, Word};

/// Reads `text`, which may nest `depth` levels.
pub(crate) fn parse(text: &str, depth: usize) -> Parsed<'_> {
    let mut parser = Parser {
        text,
        pos: 0,
        end: text.len(),
        depth,
        broken: false,
        too_deep: false,
        heredocs: 0,
        pending: Vec::new(),
        bodies: Vec::new(),
    };
    let mut list = List::default();
    loop {
        parser.list_into(&mut list, &[]);
        if parser.pos >= parser.end {
            break;
        }
        // a closing word or parenthesis that nothing opened
        parser.broken = true;
        if parser.eat(b')') || parser.eat(b';') {
            continue;
        }
        let word = parser.word();
        if word.span.start == word.span.end {
            parser.pos += parser.rest().chars().next().map_or(1, char::len_utf8);
        }
    }
    if !parser.pending.is_empty() {
        parser.broken = true;
        parser.heredoc_bodies();
    }
    if !parser.bodies.is_empty() {
        let mut bodies: Vec<Option<Word<'_>>> = Vec::new();
        bodies.resize_with(parser.heredocs, || None);
        for (number, body) in std::mem::take(&mut parser.bodies) {
            if let Some(slot) = bodies.get_mut(number) {
                *slot = Some(body);
            }
        }
        fill_list(&mut list, &mut bodies);
    }
    Parsed { list, broken: parser.broken, too_deep: parser.too_deep }
}

pub(super) struct Parser<'t> {
    text: &'t str,
    pub(super) pos: usize,
    pub(super) end: usize,
    depth: usize,
    pub(super) broken: bool,
    pub(super) too_deep: bool,
    pub(super) heredocs: usize,
    pub(super) pending: Vec<Pending>,
    pub(super) bodies: Vec<(usize, Word<'t>)>,
}

/// Words that end a list inside a compound command.
const CLOSERS: &[&str] = &["then", "elif", "else", "fi", "do", "done", "esac", "}"];

impl<'t> Parser<'t> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.byte_at(self.pos)
    }

    pub(super) fn byte_at(&self, at: usize) -> Option<u8> {
        if at < self.end { self.text.as_bytes().get(at).copied() } else { None }
    }

    pub(super) fn slice(&self, start: usize, end: usize) -> &'t str {
        self.text.get(start..end).unwrap_or("")
    }

    pub(super) fn rest(&self) -> &'t str {
        self.slice(self.pos, self.end)
    }

    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.pos += usize::from(found);
        found
    }

    /// Consumes to the byte and past it; to the end where it does not come.
    pub(super) fn until_byte(&mut self, byte: u8) -> &'t str {
        let rest = self.rest();
        if let Some(length) = rest.find(char::from(byte)) {
            self.pos += length + 1;
            rest.get(..length).unwrap_or("")
        } else {
            self.pos = self.end;
            self.broken = true;
            rest
        }
    }

    /// Consumes letters, digits and underscores.
    pub(super) fn name(&mut self) -> &'t str {
        let start = self.pos;
        while self.peek().is_some_and(|b| b == b'_' || b.is_ascii_alphanumeric()) {
            self.pos += 1;
        }
        self.slice(start, self.pos)
    }

    pub(super) fn blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r') => self.pos += 1,
                Some(b'\\') if self.byte_at(self.pos + 1) == Some(b'\n') => self.pos += 2,
                _ => return,
            }
        }
    }

    /// Consumes blanks, newlines, comments, and the here-documents between them.
    pub(super) fn space(&mut self) {
        loop {
            self.blanks();
            match self.peek() {
                Some(b'#') => {
                    self.pos += self.rest().find('\n').unwrap_or(self.rest().len());
                }
                Some(b'\n') => {
                    self.pos += 1;
                    self.heredoc_bodies();
                }
                _ => return,
            }
        }
    }

    /// Runs `f` one level deeper. At the limit the rest of the text is given up instead.
    pub(super) fn deeper<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.depth == 0 {
            self.too_deep = true;
            self.pos = self.end;
            return None;
        }
        self.depth -= 1;
        let out = f(self);
        self.depth += 1;
        Some(out)
    }

    /// Reads a list up to its closing parenthesis; the opening is consumed.
    pub(super) fn nested_list(&mut self) -> List<'t> {
        self.deeper(|p| {
            let mut list = List::default();
            loop {
                p.list_into(&mut list, &[]);
                if p.eat(b')') {
                    break;
                }
                p.broken = true;
                if p.peek().is_none() {
                    break;
                }
                // a stray closing word or `;;`
                let word = p.word();
                if word.span.start == word.span.end {
                    p.pos += p.rest().chars().next().map_or(1, char::len_utf8);
                }
            }
            list
        })
        .unwrap_or_default()
    }

    /// Reads a list up to one of `closers`, which is consumed.
    pub(super) fn list_until(&mut self, closers: &[&str]) -> (List<'t>, &'t str) {
        self.deeper(|p| {
            let mut list = List::default();
            p.list_into(&mut list, closers);
            let closer = p.keyword();
            if closers.contains(&closer) {
                p.pos += closer.len();
                (list, closer)
            } else {
                p.broken = true;
                (list, "")
            }
        })
        .unwrap_or_default()
    }

    /// The unquoted word that stands here, without consuming it.
    pub(super) fn keyword(&self) -> &'t str {
        let rest = self.rest();
        let length = rest.bytes().position(is_blank_or_operator).unwrap_or(rest.len());
        rest.get(..length).unwrap_or("")
    }

    /// Reads pipelines until a closer, a closing parenthesis, `;;` or the end.
    pub(super) fn list_into(&mut self, list: &mut List<'t>, closers: &[&str]) {
        loop {
            self.space();
            match self.peek() {
                None | Some(b')') => return,
                Some(b';') if matches!(self.byte_at(self.pos + 1), Some(b';' | b'&')) => return,
                Some(b';' | b'&' | b'|') => {
                    self.broken = true;
                    self.pos += 1;
                    continue;
                }
                _ => {}
            }
            let word = self.keyword();
            if closers.contains(&word) || CLOSERS.contains(&word) {
                return;
            }
            let before = self.pos;
            let item = self.pipeline();
            if self.pos == before {
                self.broken = true;
                self.pos += self.rest().chars().next().map_or(1, char::len_utf8);
                continue;
            }
            list.items.push(item);
        }
    }

    pub(super) fn pipeline(&mut self) -> Item<'t> {
        let start = self.pos;
        let mut stages = Vec::with_capacity(1);
        let mut end;
        loop {
            self.blanks();
            match self.keyword() {
                "!" => {
                    self.pos += 1;
                    continue;
                }
                "time" => {
                    self.pos += 4;
                    self.blanks();
                    if self.keyword() == "-p" {
                        self.pos += 2;
                    }
                    continue;
                }
                _ => {}
            }
            if !stages.is_empty() {
                self.space();
            }
            stages.push(self.command());
            end = self.pos;
            self.blanks();
            if self.peek() == Some(b'|') && self.byte_at(self.pos + 1) != Some(b'|') {
                self.pos += 1;
                self.eat(b'&');
                continue;
            }
            break;
        }
        let then = match (self.peek(), self.byte_at(self.pos + 1)) {
            (Some(b'&'), Some(b'&')) => Then::And,
            (Some(b'|'), Some(b'|')) => Then::Or,
            (Some(b'&'), _) => Then::Background,
            (Some(b';'), Some(b';' | b'&')) | (None | Some(b')'), _) => Then::End,
            _ => Then::Next,
        };
        match then {
            Then::And | Then::Or => self.pos += 2,
            Then::Background => self.pos += 1,
            Then::Next => {
                // a command that another follows without anything between them; `if (a) then` needs nothing
                let compound = stages.last().is_some_and(|c| !matches!(c.shape, Shape::Simple { .. }));
                let closed = compound && CLOSERS.contains(&self.keyword());
                self.broken |= !self.eat(b';') && !matches!(self.peek(), Some(b'\n' | b'#')) && !closed;
            }
            Then::End => {}
        }
        Item { stages, then, span: Span { start, end } }
    }

    pub(super) fn command(&mut self) -> Command<'t> {
        let start = self.pos;
        let shape = self.compound().unwrap_or_else(|| Shape::Simple { assignments: Vec::new(), words: Vec::new() });
        let mut command = Command { shape, redirects: Vec::new(), span: Span { start, end: self.pos } };
        if let Shape::Simple { assignments, words } = &mut command.shape {
            self.simple(assignments, words, &mut command.redirects);
            if let ([], [word], None | Some(b'(')) = (&assignments[..], &words[..], self.peek())
                && let Some(function) = self.function(word)
            {
                command.shape = function;
            }
        } else {
            let mut end = self.pos;
            self.blanks();
            while let Some(redirect) = self.redirect() {
                command.redirects.push(redirect);
                end = self.pos;
                self.blanks();
            }
            self.pos = end;
        }
        command.span.end = self.pos;
        command
    }
}
