//! Pipelines and lists as one line, for patterns that contain an operator.

use rampart_call::Span;

use super::Walk;
use crate::analysis::Pipeline;
use crate::value::Arg;

/// Longest line that is kept, in bytes; a list of lists would else be copied for each of its levels.
const MAX_LINE: usize = 1 << 14;

impl Walk<'_> {
    pub(super) fn render(&mut self, args: &[Arg]) {
        for (number, arg) in args.iter().enumerate() {
            if self.line.len() > MAX_LINE {
                return;
            }
            if number > 0 {
                self.line.push(' ');
            }
            self.line.push_str(&arg.text);
        }
    }

    pub(super) fn render_text(&mut self, text: &str) {
        if self.line.len() <= MAX_LINE {
            self.line.push_str(text);
        }
    }

    /// Keeps the line from `start` on as a pipeline.
    pub(super) fn pipeline_seen(&mut self, start: usize, span: Span) {
        let text = self.line.get(start..).unwrap_or("").trim();
        let kept: usize = self.out.pipelines.iter().map(|p| p.text.len()).sum();
        if !text.is_empty() && kept < MAX_LINE * 4 && self.out.pipelines.last().is_none_or(|p| p.text != text) {
            let pipeline = Pipeline { text: text.to_owned(), span };
            self.out.pipelines.push(pipeline);
        }
    }
}
