//! Here-documents: their delimiters are read with the command, their bodies after its line.

use std::borrow::Cow;

use super::commands::Parser;
use super::{Part, Span0, Word};

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
