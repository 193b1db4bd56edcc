//! The only place that writes to the terminal: colour and alignment there, plain text in a pipe.

use std::{
    io::{IsTerminal, Write as _},
    os::fd::AsFd,
};

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

    /// The same, where lines that are too long for the terminal go on below the column `hang`. In a pipe each stays whole.
    pub(crate) fn hung(self, hang: usize, text: impl std::fmt::Display) {
        let text = text.to_string();
        let shown = |line: &str| self.out(wrapped(line, hang, width(&std::io::stdout())));
        text.lines().for_each(shown);
    }

    /// What was asked for, without a line end of ours.
    pub(crate) fn out_raw(self, text: impl std::fmt::Display) {
        let _ = write!(anstream::stdout(), "{text}");
    }

    /// Anything else a person should know.
    pub(crate) fn note(self, text: impl std::fmt::Display) {
        let text = text.to_string();
        let width = width(&std::io::stderr());
        let lines = text.split('\n').map(|line| wrapped(line, line.len() - line.trim_start().len(), width));
        let _ = writeln!(anstream::stderr(), "{}", lines.collect::<Vec<_>>().join("\n"));
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

/// Columns of a terminal; none where the stream is no terminal or it does not know its size.
fn width(stream: &(impl AsFd + IsTerminal)) -> Option<usize> {
    let size = stream.is_terminal().then(|| rustix::termios::tcgetwinsize(stream).ok()).flatten()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// A line in lines of that width, those after the first moved in by `hang` columns. Words that are longer are broken.
fn wrapped(line: &str, hang: usize, width: Option<usize>) -> String {
    // A terminal so narrow has no room to move anything in.
    let Some(width) = width.filter(|width| *width >= 2 * hang) else { return line.to_owned() };
    let options = textwrap::Options::new(width)
        .subsequent_indent(SPACES.get(..hang).unwrap_or_default())
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::wrap(line, options).join("\n")
}

const SPACES: &str = "                                        ";

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_words_and_colours_take_no_room() {
        let red = styled(outcome_style(Outcome::Deny), "deny");
        let line = format!("{red}  rm  -rf  /home/ann/shop/target");
        for (width, hang, wanted) in [
            (None, 6, vec!["deny  rm  -rf  /home/ann/shop/target"]),
            (Some(80), 6, vec!["deny  rm  -rf  /home/ann/shop/target"]),
            (Some(20), 6, vec!["deny  rm  -rf", "      /home/ann/shop", "      /target"]),
            (Some(10), 6, vec!["deny  rm  -rf  /home/ann/shop/target"]),
        ] {
            let shown = wrapped(&line, hang, width);
            assert!(shown.starts_with(&red), "{shown:?}");
            let plain = anstream::adapter::strip_str(&shown).to_string();
            assert_eq!(plain.lines().collect::<Vec<_>>(), wanted, "{width:?}");
        }
    }
}
