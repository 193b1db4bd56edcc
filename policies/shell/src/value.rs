//! Values while a command line is followed: words after expansion, and what flows through pipes.

use rampart_call::Span;

/// Where data came from, as far as it matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Taint(u8);

impl Taint {
    pub(crate) const NONE: Self = Self(0);
    /// Fetched from the network.
    pub(crate) const DOWNLOADED: Self = Self(1);
    /// The output of a decoder.
    pub(crate) const DECODED: Self = Self(2);
    /// Content of a credential store or of a file that may hold secrets.
    pub(crate) const SECRET: Self = Self(4);
    /// The value of a variable whose name says that it is a secret.
    pub(crate) const TOKEN: Self = Self(8);
    /// Content of files of this machine.
    pub(crate) const LOCAL: Self = Self(16);
    /// Content of a file after something made other text of it.
    pub(crate) const FILTERED: Self = Self(32);
    /// Settings of something that runs, among which passwords may stand.
    pub(crate) const SETTINGS: Self = Self(64);

    /// Names of files, as a listing gives them: without the folder that was listed, or patterns of what was found.
    pub(crate) const NAMES: Self = Self(128);

    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// Data on its way through a pipe, a substitution or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flow {
    /// The text, where it can be told.
    pub(crate) text: Option<String>,
    pub(crate) taint: Taint,
}

impl Flow {
    /// Nothing flows.
    pub(crate) const fn empty() -> Self {
        Self { text: Some(String::new()), taint: Taint::NONE }
    }

    pub(crate) const fn unknown(taint: Taint) -> Self {
        Self { text: None, taint }
    }

    pub(crate) const fn known(text: String, taint: Taint) -> Self {
        Self { text: Some(text), taint }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.as_deref() == Some("") && self.taint == Taint::NONE
    }

    /// One flow after another.
    pub(crate) fn append(&mut self, next: Self) {
        self.taint = self.taint.with(next.taint);
        match (&mut self.text, next.text) {
            (Some(text), Some(more)) if text.len() + more.len() <= MAX_TEXT => text.push_str(&more),
            (text, _) => *text = None,
        }
    }
}

/// Longest text that is carried along, in bytes.
pub(crate) const MAX_TEXT: usize = 1 << 16;

/// A word after expansion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arg {
    /// The resolved text; what could not be resolved stands as its source.
    pub(crate) text: String,
    /// The text with `*` for every piece that could not be resolved; none where all was.
    pub(crate) shape: Option<String>,
    /// Some part was quoted.
    pub(crate) quoted: bool,
    /// Holds glob characters that are not quoted.
    pub(crate) glob: bool,
    pub(crate) taint: Taint,
    /// What the word names can be read: a process substitution.
    pub(crate) content: Option<Box<Flow>>,
    pub(crate) span: Span,
}

impl Arg {
    pub(crate) fn literal(text: impl Into<String>, span: Span) -> Self {
        Self { text: text.into(), shape: None, quoted: false, glob: false, taint: Taint::NONE, content: None, span }
    }

    /// Nothing about the word is known but its source.
    pub(crate) fn unresolved(source: &str, taint: Taint, span: Span) -> Self {
        Self { shape: Some("*".to_owned()), taint, ..Self::literal(source, span) }
    }

    pub(crate) const fn is_literal(&self) -> bool {
        self.shape.is_none()
    }

    /// The same word with another text, such as an option's value cut from it.
    pub(crate) fn with_text(&self, text: &str) -> Self {
        let shape = self.shape.as_ref().map(|shape| {
            // both forms end alike where the cut is in front of what is unresolved
            let cut = self.text.len() - text.len().min(self.text.len());
            if self.text.ends_with(text) && shape.is_char_boundary(cut) {
                shape[cut..].to_owned()
            } else {
                "*".to_owned()
            }
        });
        Self { text: text.to_owned(), shape, content: None, ..self.clone() }
    }
}
