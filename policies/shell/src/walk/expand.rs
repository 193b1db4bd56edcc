//! Expansion: braces, tildes, variables, substitutions, splitting.

use rampart_call::Span;

use super::Walk;
use super::braces::{Choice, Piece, split_braces};
use super::cut::cut;
use super::env::{Inherited, inherited};
use crate::syntax::{Part, Variable, Word};
use crate::value::{Arg, Flow, Taint};

/// Most words that one word may become.
pub(super) const MAX_WORDS: usize = 64;

/// A word under construction.
#[derive(Clone)]
struct Open {
    arg: Arg,
    /// Something, be it an empty quoted string, stands in it.
    present: bool,
}

struct Builder<'o> {
    open: Vec<Open>,
    out: &'o mut Vec<Arg>,
    span: Span,
    split: bool,
    /// Bytes that variables and substitutions have put in.
    expanded: usize,
}

/// Bytes that the expansions of one word may put in.
const MAX_EXPANDED: usize = 1 << 14;

impl Builder<'_> {
    fn fresh(span: Span) -> Open {
        Open { arg: Arg::literal("", span), present: false }
    }

    fn push(&mut self, text: &str, quoted: bool) {
        for open in &mut self.open {
            open.arg.text.push_str(text);
            if let Some(shape) = &mut open.arg.shape {
                shape.push_str(text);
            }
            open.arg.quoted |= quoted;
            open.present |= quoted || !text.is_empty();
        }
    }

    fn push_unresolved(&mut self, source: &str, taint: Taint) {
        for open in &mut self.open {
            let shape = open.arg.shape.get_or_insert_with(|| open.arg.text.clone());
            shape.push('*');
            open.arg.text.push_str(source);
            open.arg.taint = open.arg.taint.with(taint);
            open.present = true;
        }
    }

    fn affords(&mut self, bytes: usize) -> bool {
        self.expanded = self.expanded.saturating_add(bytes);
        self.expanded <= MAX_EXPANDED
    }

    fn mark(&mut self, taint: Taint, glob: bool) {
        for open in &mut self.open {
            open.arg.taint = open.arg.taint.with(taint);
            open.arg.glob |= glob;
        }
    }

    fn finish_word(&mut self) {
        let span = self.span;
        for open in std::mem::replace(&mut self.open, vec![Self::fresh(span)]) {
            if open.present && self.out.len() < MAX_WORDS * 64 {
                self.out.push(open.arg);
            }
        }
    }

    /// Text that an unquoted expansion produced: it is split at blanks.
    fn push_split(&mut self, text: &str, taint: Taint, blanks: &str) {
        let is_blank = |c: char| blanks.contains(c);
        if self.split && text.starts_with(is_blank) {
            self.finish_word();
        }
        let mut words = text.split(is_blank).filter(|w| !w.is_empty()).peekable();
        if !self.split {
            self.push(text, false);
            self.mark(taint, has_glob(text));
            return;
        }
        while let Some(word) = words.next() {
            self.push(word, false);
            self.mark(taint, has_glob(word));
            if words.peek().is_some() {
                self.finish_word();
            }
        }
        if text.ends_with(is_blank) {
            self.finish_word();
        }
    }

    /// One of several values: every word under construction goes on with each of them.
    fn push_values(&mut self, values: &[Arg], quoted: bool, blanks: &str) {
        if let [value] = values {
            self.push_value(value, quoted, blanks);
            return;
        }
        let before = std::mem::take(&mut self.open);
        for open in before {
            for value in values {
                if self.open.len() >= MAX_WORDS {
                    break;
                }
                let mut open = open.clone();
                if !self.affords(open.arg.text.len() + value.text.len()) {
                    continue;
                }
                open.arg.text.push_str(&value.text);
                if value.shape.is_some() || open.arg.shape.is_some() {
                    let mut shape = open.arg.shape.take().unwrap_or_else(|| {
                        open.arg.text.get(..open.arg.text.len() - value.text.len()).unwrap_or("").to_owned()
                    });
                    shape.push_str(value.shape.as_deref().unwrap_or(&value.text));
                    open.arg.shape = Some(shape);
                }
                open.arg.taint = open.arg.taint.with(value.taint);
                open.arg.glob |= value.glob;
                open.present = true;
                self.open.push(open);
            }
        }
        if self.open.is_empty() {
            self.open.push(Self::fresh(self.span));
        }
    }

    fn push_value(&mut self, value: &Arg, quoted: bool, blanks: &str) {
        if !self.affords(value.text.len()) {
            return;
        }
        if let Some(shape) = &value.shape {
            for open in &mut self.open {
                let own = open.arg.shape.get_or_insert_with(|| open.arg.text.clone());
                own.push_str(shape);
                open.arg.text.push_str(&value.text);
                open.arg.taint = open.arg.taint.with(value.taint);
                open.present = true;
            }
        } else if quoted {
            self.push(&value.text, true);
            // names that a pattern was expanded to stay what they are between quotes
            self.mark(value.taint, value.glob);
        } else {
            self.push_split(&value.text, value.taint, blanks);
        }
    }
}

impl Walk<'_> {
    /// Expands a word of a command into words.
    pub(super) fn expand(&mut self, word: &Word<'_>, out: &mut Vec<Arg>) {
        if out.len() > MAX_WORDS * 64 {
            self.out_of_budget();
            return;
        }
        let span = self.span_of(word.span.start, word.span.end);
        if let [Part::Text { text, quoted }] = &word.parts[..]
            && (*quoted || !text.contains(['{', '*', '?', '[', '~']))
        {
            out.push(Arg { quoted: *quoted, ..Arg::literal(text.as_ref(), span) });
            return;
        }
        // the last word of the command before
        if let [Part::Variable(variable)] = &word.parts[..]
            && variable.name == "_"
            && variable.operator.is_empty()
            && let Some(last) = self.out.components.last().and_then(|c| c.argv.last())
        {
            out.push(Arg { quoted: true, ..Arg::literal(last.clone(), span) });
            return;
        }
        let pieces: Vec<Piece<'_, '_>> = word
            .parts
            .iter()
            .map(|part| match part {
                Part::Text { text, quoted: false } => Piece::Bare(text),
                other => Piece::Whole(other),
            })
            .collect();
        let mut budget = MAX_WORDS;
        self.braces(&pieces, span, out, &mut budget);
    }

    /// Expands a word that is not split: an assignment's value, a redirect's target.
    pub(super) fn expand_whole(&mut self, word: &Word<'_>) -> Arg {
        let span = self.span_of(word.span.start, word.span.end);
        let mut out = Vec::new();
        let pieces: Vec<Piece<'_, '_>> = word
            .parts
            .iter()
            .map(|part| match part {
                Part::Text { text, quoted: false } => Piece::Bare(text),
                other => Piece::Whole(other),
            })
            .collect();
        self.pieces(&pieces, span, &mut out, false);
        let mut words = out.into_iter();
        let Some(mut first) = words.next() else { return Arg::literal("", span) };
        for other in words {
            first.text.push(' ');
            first.text.push_str(&other.text);
            first.taint = first.taint.with(other.taint);
            first.shape = first.shape.or(other.shape).map(|_| "*".to_owned());
        }
        first
    }

    fn braces(&mut self, pieces: &[Piece<'_, '_>], span: Span, out: &mut Vec<Arg>, budget: &mut usize) {
        let Some((before, choices, after)) = split_braces(pieces) else {
            self.pieces(pieces, span, out, true);
            return;
        };
        for choice in choices {
            if *budget == 0 {
                self.out_of_budget();
                return;
            }
            *budget -= 1;
            match choice {
                Choice::Pieces(middle) => {
                    let all: Vec<_> = before.iter().chain(&middle).chain(&after).copied().collect();
                    self.braces(&all, span, out, budget);
                }
                Choice::Text(text) => {
                    let middle = [Piece::Bare(&text)];
                    let all: Vec<_> = before.iter().chain(&middle).chain(&after).copied().collect();
                    self.braces(&all, span, out, budget);
                }
            }
        }
    }

    fn pieces(&mut self, pieces: &[Piece<'_, '_>], span: Span, out: &mut Vec<Arg>, split: bool) {
        let mut builder = Builder { open: vec![Builder::fresh(span)], out, span, split, expanded: 0 };
        for (number, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Bare(text) => {
                    let text = if number == 0 { self.tilde(text) } else { None }
                        .map_or(std::borrow::Cow::Borrowed(*text), std::borrow::Cow::Owned);
                    builder.push(&text, false);
                    builder.mark(Taint::NONE, has_glob(&text));
                }
                Piece::Whole(part) => self.part(part, &mut builder),
            }
        }
        builder.finish_word();
        if builder.expanded > MAX_EXPANDED {
            self.out_of_budget();
        }
    }

    /// `~` and `~user` at the start of a word; also `~+`.
    fn tilde(&self, text: &str) -> Option<String> {
        let rest = text.strip_prefix('~')?;
        let end = rest.find('/').unwrap_or(rest.len());
        let (user, tail) = rest.split_at(end);
        match user {
            "" => Some(format!("{}{tail}", self.around.home.unwrap_or("~"))),
            "+" => Some(format!("{}{tail}", self.env.cwd.as_deref().unwrap_or("."))),
            "root" => Some(format!("/root{tail}")),
            name if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') => {
                Some(format!("/home/{name}{tail}"))
            }
            _ => None,
        }
    }

    fn part(&mut self, part: &Part<'_>, builder: &mut Builder<'_>) {
        match part {
            Part::Text { text, quoted } => {
                builder.push(text, *quoted);
            }
            Part::Variable(variable) => self.variable(variable, builder),
            Part::Command { list, quoted, source } => {
                let flow = self.substitution(|walk| walk.list(list, Flow::empty()));
                self.push_output(flow, source, *quoted, builder);
            }
            Part::Backquoted { text, quoted, source, span } => {
                let base = self.span_of(span.start, span.end);
                let flow = self.substitution(|walk| walk.text(text, base, Flow::empty()));
                self.push_output(flow, source, *quoted, builder);
            }
            Part::Process { list, output, source } => {
                let input = if *output { Flow::unknown(Taint::NONE) } else { Flow::empty() };
                let flow = self.substitution(|walk| walk.list(list, input));
                builder.push(source, false);
                for open in &mut builder.open {
                    open.arg.shape = Some((*source).to_owned());
                    if !*output {
                        open.arg.taint = open.arg.taint.with(flow.taint);
                        open.arg.content = Some(Box::new(flow.clone()));
                    }
                }
            }
            Part::Arithmetic { parts, source } => {
                let mut inner = Vec::new();
                let mut sink = Builder {
                    open: vec![Builder::fresh(builder.span)],
                    out: &mut inner,
                    span: builder.span,
                    split: false,
                    expanded: 0,
                };
                for part in parts {
                    self.part(part, &mut sink);
                }
                sink.finish_word();
                let text = inner.first().map_or(*source, |arg| arg.text.as_str()).to_owned();
                self.evaluated(&text);
                builder.push_unresolved(source, Taint::NONE);
            }
        }
    }

    fn push_output(&mut self, flow: Flow, source: &str, quoted: bool, builder: &mut Builder<'_>) {
        match flow.text {
            Some(text) => {
                let text = text.trim_end_matches('\n');
                if quoted {
                    builder.push(text, true);
                    builder.mark(flow.taint, false);
                } else {
                    let blanks = self.field_separators();
                    builder.push_split(text, flow.taint, &blanks);
                }
            }
            None => builder.push_unresolved(source, flow.taint),
        }
    }

    pub(super) fn field_separators(&self) -> String {
        match self.env.variables.get("IFS").map(Vec::as_slice) {
            Some([value]) if value.is_literal() => value.text.clone(),
            _ => " \t\n".to_owned(),
        }
    }

    fn variable(&mut self, variable: &Variable<'_>, builder: &mut Builder<'_>) {
        let mut name = variable.name.to_owned();
        if variable.indirect {
            match self.env.variables.get(&name).map(Vec::as_slice) {
                Some([value]) if value.is_literal() => name.clone_from(&value.text),
                _ => return builder.push_unresolved(variable.source, Taint::NONE),
            }
        }
        let values = self.values_of(&name, variable.source, builder.span);
        let blanks = self.field_separators();
        let set = values.iter().any(|v| !v.text.is_empty());
        let known = values.iter().all(Arg::is_literal);
        match variable.operator {
            "" | "?" | ":?" => {}
            "-" | ":-" | "=" | ":=" if !set || !known => {
                let span = builder.span;
                let mut inner = Vec::new();
                let mut nested = Builder {
                    open: vec![Builder::fresh(span)],
                    out: &mut inner,
                    span,
                    split: builder.split,
                    expanded: 0,
                };
                for part in &variable.operand {
                    self.part(part, &mut nested);
                }
                nested.finish_word();
                if let ("=" | ":=", [value]) = (variable.operator, &inner[..]) {
                    self.env.variables.insert(name, vec![value.clone()]);
                }
                if inner.is_empty() && !known {
                    return builder.push_unresolved(variable.source, Taint::NONE);
                }
                for (number, value) in inner.iter().enumerate() {
                    if number > 0 {
                        builder.finish_word();
                    }
                    builder.push_value(value, variable.quoted, &blanks);
                }
                return;
            }
            "-" | ":-" | "=" | ":=" => {}
            "+" | ":+" => {
                for part in &variable.operand {
                    self.part(part, builder);
                }
                return;
            }
            "#len" => return builder.push_unresolved(variable.source, Taint::NONE),
            // `${name@P}`: the value is expanded as a prompt is
            "@" if matches!(variable.operand.first(), Some(Part::Text { text, .. }) if text.starts_with('P')) => {
                let taint = values.iter().fold(Taint::NONE, |t, value| t.with(self.substituted(&value.text)));
                return builder.push_unresolved(variable.source, taint);
            }
            operator => {
                let taint = values.iter().fold(Taint::NONE, |t, v| t.with(v.taint));
                let operand = self.operand_text(&variable.operand, builder.span);
                let changed: Option<Vec<Arg>> = values
                    .iter()
                    .map(|v| {
                        let text =
                            operand.as_deref().filter(|_| v.is_literal()).and_then(|o| cut(&v.text, operator, o))?;
                        Some(Arg { text, ..v.clone() })
                    })
                    .collect();
                return match changed {
                    Some(values) => builder.push_values(&values, variable.quoted, &blanks),
                    None => builder.push_unresolved(variable.source, taint),
                };
            }
        }
        let list = matches!(variable.name, "@" | "*") || values.len() > 1 && variable.source.contains(['@', '*']);
        // in quotes, `*` is one word, with what separates fields between
        let star = variable.quoted && (variable.name == "*" || variable.source.contains("[*]"));
        if list {
            for (number, value) in values.iter().enumerate() {
                if number > 0 && star {
                    builder.push(blanks.get(..blanks.chars().next().map_or(0, char::len_utf8)).unwrap_or(""), true);
                } else if number > 0 {
                    builder.finish_word();
                }
                builder.push_value(value, variable.quoted, &blanks);
            }
        } else if values.is_empty() {
            builder.push("", variable.quoted);
        } else {
            builder.push_values(&values, variable.quoted, &blanks);
        }
    }

    fn operand_text(&mut self, parts: &[Part<'_>], span: Span) -> Option<String> {
        let mut out = Vec::new();
        let mut nested = Builder { open: vec![Builder::fresh(span)], out: &mut out, span, split: false, expanded: 0 };
        for part in parts {
            self.part(part, &mut nested);
        }
        nested.finish_word();
        match &out[..] {
            [] => Some(String::new()),
            [one] if one.is_literal() => Some(one.text.clone()),
            _ => None,
        }
    }

    /// Every value that a variable may have.
    pub(super) fn values_of(&self, name: &str, source: &str, span: Span) -> Vec<Arg> {
        let name = self.env.references.get(name).map_or(name, String::as_str);
        if let Some(values) = self.env.variables.get(name) {
            return values.iter().map(|v| Arg { span, ..v.clone() }).collect();
        }
        match name {
            "@" | "*" => return self.env.positional.iter().skip(1).cloned().collect(),
            "0" if self.env.positional.is_empty() => return vec![Arg::literal("bash", span)],
            "_" | "#" | "?" | "$" | "!" | "-" => return vec![Arg::unresolved(source, Taint::NONE, span)],
            _ => {}
        }
        if let Ok(number) = name.parse::<usize>() {
            return self.env.positional.get(number).cloned().into_iter().collect();
        }
        match inherited(name, self.around.home, self.env.cwd.as_deref()) {
            Inherited::Text(text) => vec![Arg::literal(text, span)],
            Inherited::Unknown(taint) => vec![Arg::unresolved(source, taint, span)],
        }
    }
}

fn has_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}
