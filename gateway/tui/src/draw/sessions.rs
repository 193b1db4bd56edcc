//! Sessions, rates, and what is stopped most.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::{Paragraph, Sparkline},
};

use crate::{
    look::Tone,
    state::{Now, State},
    tally::{Rule, SECONDS, Session},
    text,
};

pub(super) fn all(state: &State, now: Now, area: Rect, frame: &mut Frame<'_>) {
    let rows = [Constraint::Length(4), Constraint::Percentage(50), Constraint::Percentage(50)];
    let [rate, sessions, rules] = Layout::vertical(rows).areas(area);
    rates(state, now, rate, frame);
    let columns = usize::from(area.width);
    table(state, sessions, frame, "Sessions", &session_heading(columns), &session_lines(state, columns));
    table(state, rules, frame, "Stopped most", &rule_heading(columns), &rule_lines(state, columns));
}

fn rates(state: &State, now: Now, area: Rect, frame: &mut Frame<'_>) {
    let look = state.look;
    let [text, passed, stopped, _] = Layout::vertical([Constraint::Length(1); 4]).areas(area);
    let (rate, no) = state.tally.rate(now.wall);
    let words = format!(
        "{} decisions seen, {} of them stopped or asked; {rate:.1} a second, {no:.1} stopped",
        state.tally.passed + state.tally.stopped,
        state.tally.stopped
    );
    frame.render_widget(Line::styled(text::fit(&words, area.width.into()), look.style(Tone::Strong)), text);
    let seconds = state.tally.seconds_until(now.wall);
    let most = seconds.iter().map(|(passed, stopped)| (*passed).max(*stopped)).max().unwrap_or_default().max(1);
    let width = u16::try_from(SECONDS).unwrap_or(60);
    let outcomes = [rampart_call::Outcome::Allow, rampart_call::Outcome::Deny];
    for ((label, area), (nth, outcome)) in
        [("passed", passed), ("stopped", stopped)].into_iter().zip(outcomes.into_iter().enumerate())
    {
        let [name, line] = Layout::horizontal([Constraint::Length(9), Constraint::Length(width)]).areas(area);
        frame.render_widget(Span::styled(label, look.style(Tone::Quiet)), name);
        let data = seconds.iter().map(|second| if nth == 0 { second.0 } else { second.1 });
        frame.render_widget(Sparkline::default().data(data).max(most).style(look.style(Tone::Of(outcome))), line);
    }
}

fn table(state: &State, area: Rect, frame: &mut Frame<'_>, title: &str, heading: &str, rows: &[String]) {
    let look = state.look;
    let mut lines = vec![
        Line::styled(title.to_owned(), look.style(Tone::Strong)),
        Line::styled(heading.to_owned(), look.style(Tone::Quiet)),
    ];
    let room = usize::from(area.height).saturating_sub(2);
    let shown = if rows.len() > room { room.saturating_sub(1) } else { rows.len() };
    lines.extend(rows.iter().take(shown).map(|row| Line::raw(row.clone())));
    if rows.len() > shown {
        lines.push(Line::styled(format!("and {} more", rows.len() - shown), look.style(Tone::Quiet)));
    }
    if rows.is_empty() {
        lines.push(Line::styled("none yet", look.style(Tone::Quiet)));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn session_heading(columns: usize) -> String {
    session_line(columns, "agent", "session", "calls", "stopped", "last", "surfaces")
}

fn session_line(
    columns: usize,
    agent: &str,
    session: &str,
    calls: &str,
    stopped: &str,
    last: &str,
    surfaces: &str,
) -> String {
    let name = (columns / 4).clamp(10, 40);
    let rest = columns.saturating_sub(16 + name + 7 + 8 + 9 + 5);
    format!(
        "{} {} {calls:>7} {stopped:>8} {last:<9} {}",
        text::fit(agent, 16),
        text::fit(session, name),
        text::fit(surfaces, rest)
    )
}

fn session_lines(state: &State, columns: usize) -> Vec<String> {
    let line = |((agent, session), seen): (&(String, String), &Session)| {
        let last = seen.last.map(|at| at.to_zoned(state.zone.clone()).strftime("%H:%M:%S").to_string());
        session_line(
            columns,
            &text::line(agent, 80),
            &text::line(session, 80),
            &seen.calls.to_string(),
            &seen.stopped.to_string(),
            &last.unwrap_or_default(),
            &text::line(&seen.surfaces.join(" "), 80),
        )
    };
    state.tally.sessions().into_iter().map(line).collect()
}

fn rule_heading(columns: usize) -> String {
    rule_line(columns, "times", "rule", "the last")
}

fn rule_line(columns: usize, times: &str, rule: &str, last: &str) -> String {
    let name = (columns / 3).clamp(12, 40);
    format!("{times:>7} {} {}", text::fit(rule, name), text::fit(last, columns.saturating_sub(name + 9)))
}

fn rule_lines(state: &State, columns: usize) -> Vec<String> {
    let line = |(name, rule): (&String, &Rule)| {
        rule_line(columns, &rule.times.to_string(), &text::line(name, 80), &rule.subject)
    };
    state.tally.rules().into_iter().map(line).collect()
}
