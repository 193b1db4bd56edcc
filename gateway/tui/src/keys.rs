//! Which key does what: one table, which the help is made of.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What is on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    Live,
    Approvals,
    Sessions,
}

impl View {
    pub(crate) const ALL: [Self; 3] = [Self::Live, Self::Approvals, Self::Sessions];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Live => "Live",
            Self::Approvals => "Approvals",
            Self::Sessions => "Sessions",
        }
    }
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Quit,
    Help,
    Show(View),
    NextView,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Details,
    ReadOn,
    ReadBack,
    Search,
    ByDecision,
    ByTool,
    ByAgent,
    BySession,
    Clear,
    Once,
    While,
    Always,
    Deny,
}

/// Where a key does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Everywhere,
    In(View),
}

/// Keys, where they work, what they do, and that in words.
pub(crate) const TABLE: [(&[KeyCode], Place, Deed, &str); 23] = {
    use KeyCode::{Char, Down, End, Enter, Esc, Home, PageDown, PageUp, Tab, Up};
    use Place::{Everywhere, In};
    const LIVE: Place = In(View::Live);
    const APPROVALS: Place = In(View::Approvals);
    [
        (&[Char('1')], Everywhere, Deed::Show(View::Live), "decisions as they are made"),
        (&[Char('2'), Char('p')], Everywhere, Deed::Show(View::Approvals), "calls that wait for you"),
        (&[Char('3')], Everywhere, Deed::Show(View::Sessions), "sessions, rates, what is stopped most"),
        (&[Tab], Everywhere, Deed::NextView, "the next of these"),
        (&[Up, Char('k')], Everywhere, Deed::Up, "up; in Live the list stands still then"),
        (&[Down, Char('j')], Everywhere, Deed::Down, "down"),
        (&[PageUp, Char('b')], Everywhere, Deed::PageUp, "a page up"),
        (&[PageDown, Char(' ')], Everywhere, Deed::PageDown, "a page down"),
        (&[Home, Char('g')], Everywhere, Deed::First, "to the beginning"),
        (&[End, Char('G')], Everywhere, Deed::Last, "to the end; in Live the newest is followed again"),
        (&[Enter], LIVE, Deed::Details, "show or hide what is known of a decision"),
        (&[Char(']')], Everywhere, Deed::ReadOn, "read on in the details"),
        (&[Char('[')], Everywhere, Deed::ReadBack, "read back in the details"),
        (&[Char('/')], LIVE, Deed::Search, "only what has this in its texts"),
        (&[Char('f')], LIVE, Deed::ByDecision, "only denials, then only questions, watched, allowed, all"),
        (&[Char('t')], LIVE, Deed::ByTool, "only the tool of this decision"),
        (&[Char('n')], LIVE, Deed::ByAgent, "only its agent"),
        (&[Char('s')], LIVE, Deed::BySession, "only its session"),
        (&[Esc, Char('c')], LIVE, Deed::Clear, "all decisions again"),
        (&[Char('a')], APPROVALS, Deed::Once, "allow this call, once"),
        (&[Char('h')], APPROVALS, Deed::While, "allow it, and exactly this for an hour"),
        (&[Char('A')], APPROVALS, Deed::Always, "allow it, and exactly this from now on"),
        (&[Char('d')], APPROVALS, Deed::Deny, "deny it, with a reason for the agent"),
    ]
};

/// What a key does in a view.
pub(crate) fn deed(key: KeyEvent, view: View) -> Option<Deed> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return matches!(key.code, KeyCode::Char('c' | 'd')).then_some(Deed::Quit);
    }
    if key.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    match key.code {
        KeyCode::Char('q') => Some(Deed::Quit),
        KeyCode::Char('?') => Some(Deed::Help),
        code => {
            let here = |place: Place| matches!(place, Place::Everywhere) || place == Place::In(view);
            TABLE.iter().find(|(codes, place, ..)| here(*place) && codes.contains(&code)).map(|(_, _, deed, _)| *deed)
        }
    }
}

/// The name of a key on the screen.
pub(crate) fn name(code: KeyCode) -> String {
    match code {
        KeyCode::Char(' ') => "space".to_owned(),
        KeyCode::Char(c) => c.to_string(),
        KeyCode::Up => "↑".to_owned(),
        KeyCode::Down => "↓".to_owned(),
        KeyCode::Esc => "esc".to_owned(),
        other => format!("{other:?}").to_ascii_lowercase(),
    }
}
