//! Commands, pipelines and lists.

use std::borrow::Cow;

use rampart_call::Span;

use super::heredoc::Pending;
use super::words::is_blank_or_operator;
use super::{
    Assigned, Assignment, Command, Item, List, Parsed, Part, Redirect, RedirectKind, Shape, Span0, Then, Word,
};

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
    fn space(&mut self) {
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
    fn list_until(&mut self, closers: &[&str]) -> (List<'t>, &'t str) {
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
    fn keyword(&self) -> &'t str {
        let rest = self.rest();
        let length = rest.bytes().position(is_blank_or_operator).unwrap_or(rest.len());
        rest.get(..length).unwrap_or("")
    }

    /// Reads pipelines until a closer, a closing parenthesis, `;;` or the end.
    fn list_into(&mut self, list: &mut List<'t>, closers: &[&str]) {
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

    fn pipeline(&mut self) -> Item<'t> {
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
                self.eat(b';');
            }
            Then::End => {}
        }
        Item { stages, then, span: Span { start, end } }
    }

    fn command(&mut self) -> Command<'t> {
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

    fn simple(
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
                            assignments.push(Assignment { name, append, value: Assigned::Array(self.array()) });
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

    /// `name() body`, its name read already.
    fn function(&mut self, word: &Word<'t>) -> Option<Shape<'t>> {
        let [Part::Text { text: Cow::Borrowed(name), quoted: false }] = word.parts[..] else { return None };
        let before = self.pos;
        self.eat(b'(');
        self.blanks();
        if !self.eat(b')') {
            self.pos = before;
            return None;
        }
        Some(self.function_body(name))
    }

    fn function_body(&mut self, name: &'t str) -> Shape<'t> {
        self.space();
        let start = self.pos;
        self.deeper(Self::command);
        Shape::Function { name, body: self.slice(start, self.pos), body_start: start }
    }

    fn assignment(&mut self) -> Option<Assignment<'t>> {
        let start = self.pos;
        if !self.peek().is_some_and(|b| b == b'_' || b.is_ascii_alphabetic()) {
            return None;
        }
        let name = self.name();
        if self.peek() == Some(b'[') {
            let close = self.rest().find(']')?;
            if matches!(self.byte_at(self.pos + close + 1), Some(b'=' | b'+')) {
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
        Some(Assignment { name, append, value })
    }

    /// The words of `name=( .. )`; the opening is consumed.
    fn array(&mut self) -> Vec<Word<'t>> {
        let mut words = Vec::new();
        loop {
            self.space();
            // `[subscript]=value`
            if self.peek() == Some(b'[')
                && let Some(length) = self.rest().find("]=")
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

    fn redirect(&mut self) -> Option<Redirect<'t>> {
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

    /// Reads a compound command if one begins here.
    fn compound(&mut self) -> Option<Shape<'t>> {
        if self.peek() == Some(b'(') {
            self.pos += 1;
            // `((a); b)` is no arithmetic, but two subshells
            if self.peek() == Some(b'(') && self.is_arithmetic(self.pos + 1) {
                self.pos += 1;
                return Some(Shape::Test(vec![self.arithmetic_word()]));
            }
            return Some(Shape::Subshell(self.nested_list()));
        }
        let word = self.keyword();
        let first = *word.as_bytes().first()?;
        if !matches!(first, b'{' | b'[' | b'i' | b'w' | b'u' | b'f' | b's' | b'c') {
            return None;
        }
        match word {
            "{" => {
                self.pos += 1;
                Some(Shape::Group(self.list_until(&["}"]).0))
            }
            "[[" => {
                self.pos += 2;
                Some(Shape::Test(self.test_words()))
            }
            "if" => {
                self.pos += 2;
                Some(self.branches(&["then", "elif", "else", "fi"], "fi"))
            }
            "while" | "until" => {
                self.pos += 5;
                Some(self.branches(&["do", "done"], "done"))
            }
            "for" | "select" => {
                self.pos += word.len();
                Some(self.for_loop())
            }
            "case" => {
                self.pos += 4;
                Some(self.case())
            }
            "function" => {
                self.pos += 8;
                self.blanks();
                let name = self.keyword();
                self.pos += name.len();
                self.blanks();
                if self.eat(b'(') {
                    self.blanks();
                    self.eat(b')');
                }
                Some(self.function_body(name))
            }
            "coproc" => {
                self.pos += 6;
                self.blanks();
                let item = self.deeper(Self::pipeline)?;
                Some(Shape::Group(List { items: vec![item] }))
            }
            _ => None,
        }
    }

    fn branches(&mut self, closers: &[&str], last: &str) -> Shape<'t> {
        let mut lists = Vec::new();
        loop {
            let (list, closer) = self.list_until(closers);
            lists.push(list);
            if closer == last || closer.is_empty() {
                return Shape::Branches(lists);
            }
        }
    }

    fn for_loop(&mut self) -> Shape<'t> {
        self.blanks();
        if self.rest().starts_with("((") {
            self.pos += 2;
            let head = self.arithmetic_word();
            let head = Shape::Test(vec![head]);
            self.space();
            self.eat(b';');
            self.space();
            let body = self.do_group();
            let span = Span { start: self.pos, end: self.pos };
            let stages = vec![Command { shape: head, redirects: Vec::new(), span }];
            let head = List { items: vec![Item { stages, then: Then::Next, span }] };
            return Shape::Branches(vec![head, body]);
        }
        let name = self.name();
        self.space();
        let mut words = None;
        if self.keyword() == "in" {
            self.pos += 2;
            let mut list = Vec::new();
            loop {
                self.blanks();
                let word = self.word();
                if word.span.start == word.span.end {
                    break;
                }
                list.push(word);
            }
            words = Some(list);
        }
        self.space();
        self.eat(b';');
        self.space();
        let body = self.do_group();
        Shape::For { name, words, body }
    }

    fn do_group(&mut self) -> List<'t> {
        match self.keyword() {
            "do" => {
                self.pos += 2;
                self.list_until(&["done"]).0
            }
            "{" => {
                self.pos += 1;
                self.list_until(&["}"]).0
            }
            _ => {
                self.broken = true;
                List::default()
            }
        }
    }

    fn case(&mut self) -> Shape<'t> {
        self.blanks();
        let subject = self.word();
        self.space();
        if self.keyword() == "in" {
            self.pos += 2;
        } else {
            self.broken = true;
        }
        let mut arms = Vec::new();
        loop {
            self.space();
            if self.keyword() == "esac" {
                self.pos += 4;
                break;
            }
            if self.peek().is_none() {
                self.broken = true;
                break;
            }
            self.eat(b'(');
            // the patterns
            while let Some(byte) = self.peek() {
                if byte == b')' {
                    self.pos += 1;
                    break;
                }
                let before = self.pos;
                self.space();
                self.word();
                self.space();
                self.eat(b'|');
                if self.pos == before {
                    self.pos += 1;
                    self.broken = true;
                    break;
                }
            }
            let arm = self.deeper(|p| {
                let mut list = List::default();
                p.list_into(&mut list, &["esac"]);
                list
            });
            arms.extend(arm);
            self.eat(b';');
            self.eat(b';');
            self.eat(b'&');
        }
        Shape::Case { subject, arms }
    }

    fn test_words(&mut self) -> Vec<Word<'t>> {
        let mut words = Vec::new();
        loop {
            self.space();
            if self.keyword() == "]]" {
                self.pos += 2;
                return words;
            }
            let word = self.word();
            if word.span.start < word.span.end {
                words.push(word);
            } else if self.peek().is_some() {
                // operators of the test, and of regular expressions
                self.pos += 1;
            } else {
                self.broken = true;
                return words;
            }
        }
    }
}

fn fill_list<'t>(list: &mut List<'t>, bodies: &mut [Option<Word<'t>>]) {
    for command in list.items.iter_mut().flat_map(|i| &mut i.stages) {
        for redirect in &mut command.redirects {
            if let RedirectKind::HereDoc(word) = &mut redirect.kind
                && word.parts.is_empty()
                && let Some(body) = bodies.get_mut(word.span.start).and_then(Option::take)
            {
                *word = body;
            }
        }
        match &mut command.shape {
            Shape::Group(list) | Shape::Subshell(list) => fill_list(list, bodies),
            Shape::Branches(lists) | Shape::Case { arms: lists, .. } => {
                lists.iter_mut().for_each(|l| fill_list(l, bodies));
            }
            Shape::For { body, .. } => fill_list(body, bodies),
            Shape::Simple { assignments, words } => {
                for assignment in assignments {
                    match &mut assignment.value {
                        Assigned::One(word) => fill_parts(&mut word.parts, bodies),
                        Assigned::Array(words) => words.iter_mut().for_each(|w| fill_parts(&mut w.parts, bodies)),
                    }
                }
                words.iter_mut().for_each(|w| fill_parts(&mut w.parts, bodies));
            }
            Shape::Test(words) => words.iter_mut().for_each(|w| fill_parts(&mut w.parts, bodies)),
            Shape::Function { .. } => {}
        }
    }
}

fn fill_parts<'t>(parts: &mut [Part<'t>], bodies: &mut [Option<Word<'t>>]) {
    for part in parts {
        match part {
            Part::Command { list, .. } | Part::Process { list, .. } => fill_list(list, bodies),
            Part::Arithmetic { parts, .. } => fill_parts(parts, bodies),
            Part::Variable(variable) => fill_parts(&mut variable.operand, bodies),
            Part::Text { .. } | Part::Backquoted { .. } => {}
        }
    }
}
