//! Here-documents: their delimiters are read with the command, their bodies after its line.

use std::borrow::Cow;

use super::commands::Parser;
use super::{Assigned, List, Part, RedirectKind, Shape, Span0, Word};

/// A here-document whose body has not been reached.
#[derive(Debug)]
pub(super) struct Pending {
    delimiter: String,
    quoted: bool,
    strip_tabs: bool,
    /// Its number in the order of the text.
    pub(super) number: usize,
}

impl Parser<'_> {
    /// Reads the delimiter after `<<` or `<<-` and notes that a body follows. Returns the document's number.
    pub(super) fn heredoc_start(&mut self, strip_tabs: bool) -> usize {
        self.blanks();
        let word = self.word();
        let quoted = word.parts.iter().any(|p| matches!(p, Part::Text { quoted: true, .. }));
        let mut delimiter = String::new();
        for part in &word.parts {
            match part {
                Part::Text { text, .. } => delimiter.push_str(text),
                Part::Variable(v) => delimiter.push_str(v.source),
                _ => {}
            }
        }
        let number = self.heredocs;
        self.heredocs += 1;
        self.pending.push(Pending { delimiter, quoted, strip_tabs, number });
        number
    }

    /// Reads the bodies that begin after a newline just consumed.
    pub(super) fn heredoc_bodies(&mut self) {
        for pending in std::mem::take(&mut self.pending) {
            let start = self.pos;
            let mut end = self.end;
            loop {
                let line_start = self.pos;
                let rest = self.rest();
                if rest.is_empty() {
                    break;
                }
                let length = rest.find('\n').unwrap_or(rest.len());
                let line = self.slice(line_start, line_start + length);
                self.pos = (line_start + length + 1).min(self.end);
                let line = line.strip_suffix('\r').unwrap_or(line);
                let line = if pending.strip_tabs { line.trim_start_matches('\t') } else { line };
                if line == pending.delimiter {
                    end = line_start;
                    break;
                }
            }
            let parts = if pending.quoted {
                vec![Part::Text { text: Cow::Borrowed(self.slice(start, end)), quoted: true }]
            } else {
                let (pos, limit) = (self.pos, self.end);
                (self.pos, self.end) = (start, end);
                let parts = self.body_parts();
                if !self.too_deep {
                    self.pos = pos;
                }
                self.end = limit;
                parts
            };
            self.bodies.push((pending.number, Word { parts, span: Span0 { start, end } }));
        }
    }
}

/// Puts the bodies, read behind the line, where their redirects stand.
pub(super) fn fill_list<'t>(list: &mut List<'t>, bodies: &mut [Option<Word<'t>>]) {
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
            Shape::Branches(lists) | Shape::While(lists) | Shape::Case { arms: lists, .. } => {
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
