//! Shell text as a tree.
//!
//! The parser is our own rather than `brush-parser`'s because every decision waits for it: it is total (what bash would reject is
//! read as far as it goes and marked), bounded in depth, linear, keeps byte positions, and is about ten times quicker.
//! `tests/agrees_with_bash_grammar.rs` holds it against `brush-parser`.

mod ansi;
mod commands;
mod compound;
mod heredoc;
mod simple;
mod words;

use std::borrow::Cow;

use rampart_call::Span;

pub(crate) use ansi::unescape;
pub(crate) use commands::parse;

/// Commands in sequence.
#[derive(Debug, Default)]
pub(crate) struct List<'t> {
    pub(crate) items: Vec<Item<'t>>,
}

/// One pipeline of a list, and what follows it.
#[derive(Debug)]
pub(crate) struct Item<'t> {
    /// The stages, at least one.
    pub(crate) stages: Vec<Command<'t>>,
    pub(crate) then: Then,
    pub(crate) span: Span,
}

/// The operator after a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// `;` or a newline.
    Next,
    /// `&&`
    And,
    /// `||`
    Or,
    /// `&`
    Background,
    /// Nothing follows.
    End,
}

/// One stage of a pipeline.
#[derive(Debug)]
pub(crate) struct Command<'t> {
    pub(crate) shape: Shape<'t>,
    pub(crate) redirects: Vec<Redirect<'t>>,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum Shape<'t> {
    Simple {
        assignments: Vec<Assignment<'t>>,
        words: Vec<Word<'t>>,
    },
    /// `{ .. }`
    Group(List<'t>),
    /// `( .. )`
    Subshell(List<'t>),
    /// The conditions and bodies of `if`, in the order of the text.
    Branches(Vec<List<'t>>),
    /// The condition and the body of `while` and `until`.
    While(Vec<List<'t>>),
    /// `for` and `select`; without words it runs over the positional parameters.
    For {
        name: &'t str,
        words: Option<Vec<Word<'t>>>,
        body: List<'t>,
    },
    Case {
        subject: Word<'t>,
        arms: Vec<List<'t>>,
    },
    /// The body as text, which is read when the function is called.
    Function {
        name: &'t str,
        body: &'t str,
        body_start: usize,
    },
    /// The words of `[[ .. ]]`, and of `(( .. ))` as one: only their substitutions run anything.
    Test(Vec<Word<'t>>),
}

#[derive(Debug)]
pub(crate) struct Assignment<'t> {
    pub(crate) name: &'t str,
    /// What stands between brackets behind the name, where something is expanded in it.
    pub(crate) subscript: Option<&'t str>,
    pub(crate) append: bool,
    pub(crate) value: Assigned<'t>,
}

#[derive(Debug)]
pub(crate) enum Assigned<'t> {
    One(Word<'t>),
    Array(Vec<Word<'t>>),
}

#[derive(Debug)]
pub(crate) struct Redirect<'t> {
    pub(crate) fd: Option<u32>,
    pub(crate) kind: RedirectKind<'t>,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum RedirectKind<'t> {
    Read(Word<'t>),
    Write(Word<'t>),
    Append(Word<'t>),
    ReadWrite(Word<'t>),
    /// `>&` and `<&`: a copy of a descriptor, or a file where the word is not a number.
    Duplicate(Word<'t>),
    /// `&>` and `&>>`
    WriteAll(Word<'t>),
    HereString(Word<'t>),
    HereDoc(Word<'t>),
}

/// A word before expansion.
#[derive(Debug, Default)]
pub(crate) struct Word<'t> {
    pub(crate) parts: Vec<Part<'t>>,
    pub(crate) span: Span0,
}

/// A span that can be defaulted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Span0 {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

#[derive(Debug)]
pub(crate) enum Part<'t> {
    Text {
        text: Cow<'t, str>,
        quoted: bool,
    },
    Variable(Box<Variable<'t>>),
    /// `$( .. )`
    Command {
        list: List<'t>,
        quoted: bool,
        source: &'t str,
    },
    /// Backquotes, their escapes resolved.
    Backquoted {
        text: Cow<'t, str>,
        quoted: bool,
        source: &'t str,
        /// What stands between them.
        span: Span0,
    },
    /// `<( .. )`, or `>( .. )` where `output` is set.
    Process {
        list: List<'t>,
        output: bool,
        source: &'t str,
    },
    /// `$(( .. ))`
    Arithmetic {
        parts: Vec<Part<'t>>,
        source: &'t str,
    },
}

/// `$name`, `${name}` and its operators.
#[derive(Debug)]
pub(crate) struct Variable<'t> {
    pub(crate) name: &'t str,
    /// `${!name}`
    pub(crate) indirect: bool,
    /// The operator, such as `:-`; empty for none.
    pub(crate) operator: &'t str,
    pub(crate) operand: Vec<Part<'t>>,
    pub(crate) quoted: bool,
    pub(crate) source: &'t str,
}

/// A text that was read.
#[derive(Debug)]
pub(crate) struct Parsed<'t> {
    pub(crate) list: List<'t>,
    /// Bash would reject the text; the tree holds what could be read.
    pub(crate) broken: bool,
    /// The text is nested too deep; the tree is worthless.
    pub(crate) too_deep: bool,
}
