//! The only place that writes to the terminal: colour and alignment there, plain text in a pipe.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use rampart_call::Outcome;

/// Writes to standard output and standard error. Colours are taken out where the other end does not want them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer;

#[expect(clippy::unused_self, reason = "only who was handed a printer may print")]
impl Printer {
    /// What was asked for.
    pub(crate) fn out(self, text: impl std::fmt::Display) {
        // A reader that went away (`| head`) is no error of ours.
        let _ = writeln!(anstream::stdout(), "{text}");
    }

    /// What was asked for, without a line end of ours.
    pub(crate) fn out_raw(self, text: impl std::fmt::Display) {
        let _ = write!(anstream::stdout(), "{text}");
    }

    /// Anything else a person should know.
    pub(crate) fn note(self, text: impl std::fmt::Display) {
        let _ = writeln!(anstream::stderr(), "{text}");
    }

    /// Asks a person at the terminal; anything but `y` or an empty line is no.
    pub(crate) fn yes(self, question: impl std::fmt::Display) -> anyhow::Result<bool> {
        let answer = self.heard(format!("{question} [Y/n]"))?;
        Ok(matches!(answer.as_deref(), Some("" | "y" | "yes")))
    }

    /// Asks a person at the terminal, and gives what they say in small letters; nothing where they say nothing.
    #[cfg(target_os = "linux")]
    pub(crate) fn answer(self, question: impl std::fmt::Display) -> anyhow::Result<String> {
        Ok(self.heard(question)?.unwrap_or_default())
    }

    /// None at the end of input.
    fn heard(self, question: impl std::fmt::Display) -> anyhow::Result<Option<String>> {
        let _ = write!(anstream::stderr(), "{question} ");
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer)?;
        Ok((read > 0).then(|| answer.trim().to_ascii_lowercase()))
    }

    /// A value as one line of JSON on standard output.
    pub(crate) fn json(self, value: &impl serde::Serialize) -> anyhow::Result<()> {
        self.out(serde_json::to_string(value)?);
        Ok(())
    }
}

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();

/// The colour of a decision.
pub(crate) fn outcome_style(outcome: Outcome) -> Style {
    let color = match outcome {
        Outcome::Allow => AnsiColor::Green,
        Outcome::Watch => AnsiColor::Cyan,
        Outcome::Ask | Outcome::Webhook => AnsiColor::Yellow,
        Outcome::Deny => AnsiColor::Red,
    };
    color.on_default().bold()
}

/// `text` in `style`.
pub(crate) fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}
