//! The reading of last resort, for text that is nested too deep: operators, parentheses and quotes only separate words.

use rampart_call::Certainty;

use super::Walk;
use crate::value::{Arg, Flow};

impl Walk<'_> {
    pub(super) fn flat(&mut self, text: &str) {
        let before = std::mem::replace(&mut self.certainty, Certainty::Possible);
        // deeper text is not parsed again
        let depth = std::mem::replace(&mut self.depth, 0);
        let span = self.span;
        for piece in text.split(['\n', ';', '|', '&', '(', ')', '{', '}', '`']) {
            let args: Vec<Arg> = piece
                .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '$'))
                .filter(|w| !w.is_empty())
                .map(|w| Arg::literal(w, span))
                .collect();
            if !args.is_empty() && self.steps > 0 {
                self.steps -= 1;
                self.run(args, Vec::new(), Flow::empty());
            }
        }
        (self.certainty, self.depth) = (before, depth);
    }
}
