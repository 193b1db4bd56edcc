//! Follows a command line as a shell would, without running anything.

mod apply;
mod arithmetic;
mod braces;
mod builtins;
mod cut;
mod effects;
mod env;
mod expand;
mod finish;
mod flat;
mod hunt;
mod passing;
mod project;
mod reading;
mod redirects;
mod render;
mod roles;
mod simple;
mod unknown;
mod variables;

use std::collections::HashMap;

use rampart_call::{Certainty, Effect, EffectKind, Span};

use crate::syntax::{Command, Item, List, Shape, Then, parse};
use crate::value::{Arg, Flow, Taint};
use crate::{Analysis, Surroundings};
pub(crate) use apply::{Use, is_temporary, is_test};
pub(crate) use builtins::NEW_FILE;
use env::{Env, Written};
pub(crate) use env::{Inherited, inherited, is_secret_name, is_variable_name};
pub(crate) use simple::base_name;
use variables::TEMPORARY;

/// Levels of nesting of one command line: parentheses, substitutions, `sh -c`, functions.
const MAX_DEPTH: usize = 40;
/// Simple commands that are looked at.
const MAX_STEPS: usize = 4_000;
/// Bytes of text that are parsed, with everything that is parsed again inside.
const MAX_BYTES: usize = 1 << 20;

/// Where the text being followed stands in the command line.
#[derive(Debug, Clone, Copy)]
enum Base {
    /// It is part of it, this many bytes in.
    At(usize),
    /// It was computed; all of it is shown by this span.
    Within(Span),
}

pub(crate) struct Walk<'a> {
    around: Surroundings<'a>,
    /// The command line.
    source: String,
    out: Analysis,
    env: Env,
    written: HashMap<String, Written>,
    /// Remotes that this command line added.
    remotes: Vec<String>,
    /// Links that were made, and what they point to.
    links: Vec<(String, String)>,
    via: Vec<String>,
    base: Base,
    /// What the effects found now are shown by.
    span: Span,
    certainty: Certainty,
    depth: usize,
    steps: usize,
    bytes: usize,
    /// Inside a branch, where an assignment may or may not happen.
    conditional: bool,
    /// In the condition of a loop, which is there again and again.
    repeated: bool,
    /// After `&&` in front of a command that runs anyway: for that one, an assignment may or may not have happened.
    skipped: bool,
    /// The command is told to work on the data of tests.
    for_tests: bool,
    /// The command works on a store of this machine.
    near: bool,
    /// The variables that stand in front of the command, or in front of the one that runs it.
    given: Vec<(String, Arg)>,
    calls: Vec<String>,
    /// What lies in the project is being followed.
    in_project: bool,
    /// Output goes to a pipe or a variable, and nobody sees it.
    captured: bool,
    /// Where the commands of the pipeline that is being followed begin among all of them.
    piped: Option<usize>,
    line: String,
    /// The redirects of the command being followed, to stand behind its words in `line`.
    tail: String,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(around: &Surroundings<'a>) -> Self {
        Self {
            around: *around,
            source: String::new(),
            out: Analysis { complete: true, ..Analysis::default() },
            env: Env { cwd: around.cwd.map(str::to_owned), ..Env::default() },
            written: HashMap::new(),
            remotes: Vec::new(),
            links: Vec::new(),
            via: Vec::new(),
            base: Base::At(0),
            span: Span { start: 0, end: 0 },
            certainty: Certainty::Proven,
            depth: MAX_DEPTH,
            steps: MAX_STEPS,
            bytes: MAX_BYTES,
            conditional: false,
            repeated: false,
            skipped: false,
            for_tests: false,
            near: false,
            given: Vec::new(),
            calls: Vec::new(),
            in_project: false,
            captured: false,
            piped: None,
            line: String::new(),
            tail: String::new(),
        }
    }

    pub(crate) fn finish(self) -> Analysis {
        self.out
    }

    /// Follows shell text. `base` is what shows it where it is not part of the command line.
    pub(crate) fn whole(&mut self, text: &str) {
        self.span = Span { start: 0, end: text.len() };
        text.clone_into(&mut self.source);
        self.parsed(text, Base::At(0), Flow::empty());
    }

    /// Follows an argument vector that no shell interprets.
    pub(crate) fn argv(&mut self, words: &[String]) {
        let mut start = 0;
        let mut args = Vec::with_capacity(words.len());
        for word in words {
            // positions in the line that `CommandLine::to_line` makes
            let shown = rampart_call::CommandLine::Argv(vec![word.clone()]).to_line().len();
            args.push(Arg { quoted: true, ..Arg::literal(word.clone(), Span { start, end: start + shown }) });
            start += shown + 1;
        }
        self.span = Span { start: 0, end: start.saturating_sub(1) };
        self.run(args, Vec::new(), Flow::empty());
    }

    /// Follows shell text that `span` shows: the argument of `sh -c`, the body of a here-document.
    fn text(&mut self, text: &str, span: Span, stdin: Flow) -> Flow {
        if self.depth == 0 || self.bytes < text.len() {
            self.out_of_budget();
            return Flow::unknown(Taint::NONE);
        }
        self.depth -= 1;
        let (base, before, conditional) = (self.base, self.span, self.conditional);
        // where the text stands in the command line as it is, its parts have places of their own
        let here = self.source.get(span.start..span.end).and_then(|shown| shown.find(text)).map(|at| span.start + at);
        // a here-document stands behind its command
        let shown = here.or_else(|| if text.contains('\n') { self.source.find(text) } else { None });
        let inner = shown.map_or(Base::Within(span), Base::At);
        let out = self.parsed(text, inner, stdin);
        (self.base, self.span, self.conditional) = (base, before, conditional);
        self.depth += 1;
        out
    }

    /// [`Walk::text`] for code outside this module.
    pub(crate) fn shell_text(&mut self, text: &str, span: Span, stdin: Flow) -> Flow {
        self.text(text, span, stdin)
    }

    pub(crate) fn add_remote(&mut self, name: &str) {
        self.remotes.push(name.to_owned());
    }

    pub(crate) fn has_added_remote(&self, name: &str) -> bool {
        self.remotes.iter().any(|added| added == name)
    }

    /// Works in another directory from now on, until the program ends.
    pub(crate) fn enter(&mut self, directory: &Arg) {
        let path = self.absolute(directory.shape.as_deref().filter(|s| *s != "*").unwrap_or(&directory.text));
        self.env.cwd = Some(path);
    }

    /// The words of the commands of this pipeline that were followed so far.
    pub(crate) fn piped(&self) -> impl Iterator<Item = &[String]> {
        let start = self.piped.unwrap_or(self.out.components.len());
        self.out.components.iter().skip(start).map(|component| component.argv.as_slice())
    }

    /// The command line.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    pub(crate) const fn span(&self) -> Span {
        self.span
    }

    /// Sets how sure effects are from now on. Returns how sure they were.
    pub(crate) fn certain(&mut self, certainty: Certainty) -> Certainty {
        std::mem::replace(&mut self.certainty, certainty)
    }

    pub(crate) fn swap_positional(&mut self, positional: Vec<Arg>) -> Vec<Arg> {
        std::mem::replace(&mut self.env.positional, positional)
    }

    pub(crate) fn give_up(&mut self) {
        self.out_of_budget();
    }

    /// Runs a vector of words that no shell reads.
    pub(crate) fn run_argv(&mut self, words: Vec<Arg>) -> Flow {
        self.run(words, Vec::new(), Flow::empty())
    }

    fn parsed(&mut self, text: &str, base: Base, stdin: Flow) -> Flow {
        self.bytes = self.bytes.saturating_sub(text.len());
        self.base = base;
        let parsed = parse(text, self.depth);
        if parsed.too_deep {
            self.out_of_budget();
            self.flat(text);
            return Flow::unknown(Taint::NONE);
        }
        let out = self.list(&parsed.list, stdin);
        if parsed.broken {
            self.span = self.span_of(0, text.len());
            self.note(EffectKind::Opaque, "unparsable");
        }
        out
    }

    fn span_of(&self, start: usize, end: usize) -> Span {
        match self.base {
            Base::At(offset) => Span { start: start + offset, end: end + offset },
            Base::Within(span) => span,
        }
    }

    fn out_of_budget(&mut self) {
        if self.out.complete {
            self.out.complete = false;
            let effect = Effect {
                certainty: Certainty::Opaque,
                note: "budget".to_owned(),
                span: Some(self.span),
                ..Effect::new(EffectKind::Opaque, None)
            };
            self.out.effects.push(effect);
        }
    }

    /// Runs `f` as a subshell: what it changes in the environment is forgotten.
    fn substitution(&mut self, f: impl FnOnce(&mut Self) -> Flow) -> Flow {
        if self.depth == 0 {
            self.out_of_budget();
            return Flow::unknown(Taint::NONE);
        }
        self.depth -= 1;
        let line = std::mem::take(&mut self.line);
        let span = self.span;
        let captured = std::mem::replace(&mut self.captured, true);
        let env = self.env.clone();
        self.steps = self.steps.saturating_sub(env.size() / 8);
        let out = f(self);
        self.env = env;
        self.line = line;
        self.span = span;
        self.captured = captured;
        self.depth += 1;
        out
    }

    fn list(&mut self, list: &List<'_>, stdin: Flow) -> Flow {
        let start = self.line.len();
        let mut out = Flow::empty();
        let (conditional, skipped) = (self.conditional, self.skipped);
        let chained = |item: &Item<'_>| matches!(item.then, Then::And | Then::Or);
        let last_chain =
            list.items.iter().rposition(|item| !chained(item) && item.then != Then::End).map_or(0, |at| at + 1);
        for (number, item) in list.items.iter().enumerate() {
            if self.steps == 0 {
                self.out_of_budget();
                break;
            }
            out.append(self.item(item, stdin.clone()));
            // what follows `&&` happens where what stands before it did; what follows `||` is a branch
            self.conditional = conditional || item.then == Then::Or;
            self.skipped = skipped || item.then == Then::And && number < last_chain;
            if number + 1 < list.items.len() {
                self.line.push_str(match item.then {
                    Then::And => " && ",
                    Then::Or => " || ",
                    Then::Background => " & ",
                    Then::Next | Then::End => " ; ",
                });
            }
        }
        (self.conditional, self.skipped) = (conditional, skipped);
        if let [first, .., last] = &list.items[..] {
            let span = self.span_of(first.span.start, last.span.end);
            self.pipeline_seen(start, span);
        }
        out
    }

    fn item(&mut self, item: &Item<'_>, stdin: Flow) -> Flow {
        let start = self.line.len();
        let [only] = &item.stages[..] else {
            let mut flow = stdin;
            let captured = self.captured;
            let piped = self.piped;
            self.piped = piped.or(Some(self.out.components.len()));
            for (number, stage) in item.stages.iter().enumerate() {
                if number > 0 {
                    self.line.push_str(" | ");
                }
                // every stage is a subshell, but its `cd` and variables are kept: the stricter reading
                self.captured = captured || number + 1 < item.stages.len();
                flow = self.command(stage, flow);
            }
            self.captured = captured;
            self.piped = piped;
            let span = self.span_of(item.span.start, item.span.end);
            self.pipeline_seen(start, span);
            return flow;
        };
        let out = self.command(only, stdin);
        if !only.redirects.is_empty() {
            let span = self.span_of(item.span.start, item.span.end);
            self.pipeline_seen(start, span);
        }
        out
    }

    fn command(&mut self, command: &Command<'_>, stdin: Flow) -> Flow {
        if self.steps == 0 {
            self.out_of_budget();
            return Flow::unknown(Taint::NONE);
        }
        self.steps -= 1;
        let span = self.span_of(command.span.start, command.span.end);
        self.span = span;
        if let Shape::Simple { assignments, words } = &command.shape {
            return self.simple(assignments, words, &command.redirects, span, stdin);
        }
        let redirected = self.redirects(&command.redirects, stdin);
        let tail = std::mem::take(&mut self.tail);
        let stdin = redirected.stdin.clone();
        let out = match &command.shape {
            Shape::Simple { .. } => Flow::empty(),
            Shape::Group(list) => {
                self.line.push_str("{ ");
                let out = self.list(list, stdin);
                self.line.push_str("; }");
                out
            }
            Shape::Subshell(list) => {
                self.line.push_str("( ");
                let env = self.env.clone();
                self.steps = self.steps.saturating_sub(env.size() / 8);
                let out = self.list(list, stdin);
                self.env = env;
                self.line.push_str(" )");
                out
            }
            Shape::Branches(lists) | Shape::While(lists) => {
                let again = matches!(command.shape, Shape::While(_));
                let mut out = Flow::empty();
                for (number, list) in lists.iter().enumerate() {
                    // the first condition always runs
                    let before = self.conditional;
                    self.conditional |= number > 0;
                    let repeated = std::mem::replace(&mut self.repeated, again && number == 0);
                    if number > 0 {
                        self.line.push_str("; ");
                    }
                    out.append(self.list(list, stdin.clone()));
                    (self.conditional, self.repeated) = (before, repeated);
                }
                out
            }
            Shape::For { name, words, body } => {
                let mut values = Vec::new();
                match words {
                    Some(words) => words.iter().for_each(|w| self.expand(w, &mut values)),
                    None => values.extend(self.env.positional.iter().skip(1).cloned()),
                }
                self.env.variables.insert((*name).to_owned(), values);
                let before = std::mem::replace(&mut self.conditional, true);
                let out = self.list(body, stdin);
                self.conditional = before;
                // a loop's output is repeated, so its text is not known
                Flow::unknown(out.taint)
            }
            Shape::Case { subject, arms } => {
                let _ = self.expand_whole(subject);
                let before = std::mem::replace(&mut self.conditional, true);
                let mut out = Flow::empty();
                for arm in arms {
                    out.append(self.list(arm, stdin.clone()));
                }
                self.conditional = before;
                out
            }
            Shape::Function { name, body, body_start } => {
                let start = self.span_of(*body_start, *body_start).start;
                let function = env::Function { body: (*body).to_owned(), start };
                self.env.functions.insert((*name).to_owned(), function);
                if is_bomb(name, body) {
                    self.note(EffectKind::Exec, "fork-bomb");
                }
                Flow::empty()
            }
            Shape::Test(words) => {
                for word in words {
                    let word = self.expand_whole(word);
                    self.evaluated(&word.text);
                }
                Flow::empty()
            }
        };
        self.render_text(&tail);
        self.span = span;
        self.redirected(redirected, out)
    }
}

/// A function that starts itself twice at once.
fn is_bomb(name: &str, body: &str) -> bool {
    let call = format!("{name}|{name}");
    let tight: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    tight.contains(&call) || tight.contains(&format!("{name}&{name}"))
}
