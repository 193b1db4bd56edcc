//! What meanings look like. Without colour, words and type carry them alone.

use rampart_call::Outcome;
use ratatui::style::{Color, Modifier, Style};

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    /// Can be passed over.
    Quiet,
    /// A heading, or what matters in its line.
    Strong,
    /// A decision.
    Of(Outcome),
    /// What is pointed at inside a text.
    Marked,
    /// Something is wrong with the gateway or the connection.
    Trouble,
    /// Somebody waits.
    Waiting,
}

/// With colour or without.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) color: bool,
}

impl Look {
    pub(crate) fn style(self, tone: Tone) -> Style {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        let color = |style: Style, color| if self.color { style.fg(color) } else { style };
        match tone {
            Tone::Plain => plain,
            Tone::Quiet => plain.add_modifier(Modifier::DIM),
            Tone::Strong => bold,
            Tone::Of(Outcome::Allow) => color(plain, Color::Green),
            Tone::Of(Outcome::Watch) => color(plain, Color::Cyan),
            Tone::Of(Outcome::Ask | Outcome::Webhook) | Tone::Waiting => color(bold, Color::Yellow),
            Tone::Of(Outcome::Deny) | Tone::Trouble => color(bold, Color::Red),
            Tone::Marked => color(bold.add_modifier(Modifier::UNDERLINED), Color::Red),
        }
    }
}

/// The row that is looked at.
pub(crate) const SELECTED: Style = Style::new().add_modifier(Modifier::REVERSED);
