//! Decisions as they are made.

use rampart_call::Outcome;
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

use crate::{
    look::{SELECTED, Tone},
    row::Row,
    state::State,
    text,
};

/// A column: its heading, its cells at least and at most, and from how many cells of the list on it is there.
struct Column {
    name: &'static str,
    least: usize,
    most: usize,
    from: usize,
    text: fn(&Row) -> String,
    tone: Tone,
}

/// What stands before the subject.
const BEFORE: [Column; 5] = [
    Column { name: "agent", least: 11, most: 16, from: 60, text: |row| text::line(&row.agent, 80), tone: Tone::Plain },
    Column {
        name: "session",
        least: 8,
        most: 16,
        from: 110,
        text: |row| text::line(&row.session, 80),
        tone: Tone::Quiet,
    },
    Column { name: "surface", least: 7, most: 9, from: 72, text: |row| surface(row), tone: Tone::Quiet },
    Column { name: "tool", least: 5, most: 10, from: 100, text: |row| tool(row), tone: Tone::Plain },
    Column { name: "effect", least: 6, most: 15, from: 72, text: |row| row.effect.to_owned(), tone: Tone::Plain },
];
/// What stands after it.
const AFTER: [Column; 2] = [
    Column { name: "to", least: 10, most: 30, from: 90, text: |row| row.destination.clone(), tone: Tone::Plain },
    Column { name: "rule", least: 12, most: 30, from: 50, text: |row| text::line(&row.rule, 80), tone: Tone::Quiet },
];

fn surface(row: &Row) -> String {
    text::line(&row.surface, 20)
}

fn tool(row: &Row) -> String {
    if row.is_response() { "resp".to_owned() } else { text::line(&row.tool, 40) }
}

/// A column and its cells.
type Wide = (&'static Column, usize);

/// The columns that have room, and how many cells are left for the subject.
fn widths(columns: usize) -> (Vec<Wide>, Vec<Wide>, usize) {
    const FIXED: usize = 8 + 1 + 5 + 1;
    const SUBJECT: usize = 16;
    let spare = columns.saturating_sub(100);
    let of = |column: &'static Column| {
        let cells = (column.least + spare / 8).min(column.most);
        (columns >= column.from).then_some((column, cells))
    };
    let before: Vec<_> = BEFORE.iter().filter_map(of).collect();
    let after: Vec<_> = AFTER.iter().filter_map(of).collect();
    let taken: usize = before.iter().chain(&after).map(|(_, cells)| cells + 1).sum();
    (before, after, columns.saturating_sub(FIXED + taken).max(SUBJECT))
}

pub(super) fn list(state: &State, area: Rect, frame: &mut Frame<'_>) {
    let columns = usize::from(area.width);
    let (before, after, subject) = widths(columns);
    let mut heading = vec![format!("{:<8} {:<5}", "time", "said")];
    heading.extend(before.iter().map(|(column, cells)| text::fit(column.name, *cells)));
    heading.push(text::fit("what", subject));
    heading.extend(after.iter().map(|(column, cells)| text::fit(column.name, *cells)));
    let mut lines = vec![Line::styled(heading.join(" "), state.look.style(Tone::Quiet))];
    for (row, selected) in state.list.in_sight(super::list_height(state)) {
        let mut line = if row.outcome.is_some() {
            decision(state, row, &before, &after, subject)
        } else {
            let text = format!("{} {:<5} {} {}", time(state, row), "", row.kind, row.subject);
            Line::styled(text::fit(&text, columns), state.look.style(Tone::Quiet))
        };
        if selected && (!state.list.follows() || state.details) {
            line = line.patch_style(SELECTED);
        }
        lines.push(line);
    }
    if state.list.admitted() == 0 {
        let text = if state.list.all() == 0 {
            "No decisions yet. They appear here as agents work; `rampart test COMMAND` makes none."
        } else {
            "None of the decisions so far is so; c shows all of them."
        };
        lines.push(Line::styled(text::fit(text, columns), state.look.style(Tone::Quiet)));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn time(state: &State, row: &Row) -> String {
    row.at.map(|at| at.to_zoned(state.zone.clone()).strftime("%H:%M:%S").to_string()).unwrap_or_default()
}

fn decision(state: &State, row: &Row, before: &[Wide], after: &[Wide], subject: usize) -> Line<'static> {
    let look = state.look;
    let outcome = row.outcome.unwrap_or(Outcome::Allow);
    // What a webhook was asked fits its column too.
    let said = if outcome == Outcome::Webhook { "hook?" } else { outcome.as_str() };
    let passed = !outcome.passes() && row.verdict.is_some_and(Outcome::passes);
    let said = if passed { format!("{said}*") } else { said.to_owned() };
    let mut line = Line::from(vec![
        Span::styled(format!("{:<8} ", time(state, row)), look.style(Tone::Quiet)),
        Span::styled(format!("{said:<5}"), look.style(Tone::Of(outcome))),
    ]);
    let column = |(column, cells): &Wide| {
        Span::styled(format!(" {}", text::fit(&(column.text)(row), *cells)), look.style(column.tone))
    };
    line.extend(before.iter().map(column));
    let tone = if row.stands_out() { Tone::Strong } else { Tone::Plain };
    line.push_span(Span::styled(format!(" {}", text::fit(&row.subject, subject)), look.style(tone)));
    line.extend(after.iter().map(column));
    line
}
