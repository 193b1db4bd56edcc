//! Compound commands: groups, branches, loops, cases, functions, tests.

use std::borrow::Cow;

use rampart_call::Span;

use super::commands::Parser;
use super::{Command, Item, List, Part, Shape, Then, Word};

impl<'t> Parser<'t> {
    /// `name() body`, its name read already.
    pub(super) fn function(&mut self, word: &Word<'t>) -> Option<Shape<'t>> {
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

    /// Reads a compound command if one begins here.
    pub(super) fn compound(&mut self) -> Option<Shape<'t>> {
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
                Some(Shape::Branches(self.branches(&["then", "elif", "else", "fi"], "fi")))
            }
            "while" | "until" => {
                self.pos += 5;
                Some(Shape::While(self.branches(&["do", "done"], "done")))
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
                // a name stands in front of a compound command only
                let name = self.keyword().len();
                let behind = self.rest().get(name..).unwrap_or("").trim_start_matches([' ', '\t']);
                let opens = |text: &str| text.starts_with('(') || text.starts_with("{ ") || text.starts_with("{\n");
                if name > 0 && opens(behind) && !opens(self.rest()) {
                    self.pos += name;
                    self.blanks();
                }
                let item = self.deeper(Self::pipeline)?;
                Some(Shape::Group(List { items: vec![item] }))
            }
            _ => None,
        }
    }

    fn branches(&mut self, closers: &[&str], last: &str) -> Vec<List<'t>> {
        let mut lists = Vec::new();
        loop {
            let (list, closer) = self.list_until(closers);
            lists.push(list);
            if closer == last || closer.is_empty() {
                return lists;
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
            return Shape::While(vec![head, body]);
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
