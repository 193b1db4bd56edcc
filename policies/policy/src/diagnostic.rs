//! What is wrong with a policy file, as plain data. Rendering it is the command line's business.

use std::ops::Range;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The file does not load.
    Error,
    /// The file loads, and may not mean what its author thinks.
    Warning,
}

/// One thing that is wrong with a policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable code such as `unknown-key`.
    pub code: &'static str,
    /// What is wrong, in one line.
    pub message: String,
    /// The file, as the loader was told its name.
    pub file: String,
    /// Bytes of the file that show it.
    pub span: Option<Range<usize>>,
    /// Line of the span's start, counted from 1; 0 when there is no span.
    pub line: usize,
    /// Column of the span's start in characters, counted from 1; 0 when there is no span.
    pub column: usize,
    /// What to write instead.
    pub help: Option<String>,
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        // What is wrong with the whole file, or with all of them, stands at no line.
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        let colon = if self.file.is_empty() { "" } else { ": " };
        write!(f, "{colon}{word}[{}]: {}", self.code, self.message)?;
        if let Some(help) = &self.help {
            write!(f, " (help: {help})")?;
        }
        Ok(())
    }
}
