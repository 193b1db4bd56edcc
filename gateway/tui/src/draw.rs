//! The screen, from what is known. The same state draws the same cells.

mod approvals;
mod help;
mod live;
mod sessions;

use rampart_call::Outcome;
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::{Block, Borders, Paragraph},
};

use crate::{
    details::Sheet,
    keys::View,
    look::{SELECTED, Tone},
    state::{Link, Mode, Now, State},
    text,
};

/// Below this, nothing can be read.
const LEAST: (u16, u16) = (40, 8);
/// From so many columns on, details stand beside the list.
const WIDE: u16 = 140;

/// The parts of the screen. What is not shown has no height.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    head: Rect,
    notice: Rect,
    list: Rect,
    details: Rect,
    foot: Rect,
}

/// Where everything stands.
fn parts(state: &State) -> Parts {
    let area = Rect::new(0, 0, state.size.0, state.size.1);
    let notice = u16::from(notice(state).is_some());
    let rows = [Constraint::Length(1), Constraint::Length(notice), Constraint::Min(1), Constraint::Length(1)];
    let [head, notice, middle, foot] = Layout::vertical(rows).areas(area);
    let none = Rect { height: 0, ..middle };
    let (list, details) = match state.view {
        View::Live if state.details && area.width >= WIDE => {
            let [list, details] =
                Layout::horizontal([Constraint::Percentage(58), Constraint::Percentage(42)]).areas(middle);
            (list, details)
        }
        View::Live if state.details => {
            let [list, details] =
                Layout::vertical([Constraint::Percentage(45), Constraint::Percentage(55)]).areas(middle);
            (list, details)
        }
        View::Approvals if state.questions.all().is_empty() => (middle, none),
        View::Approvals => {
            let wanted = u16::try_from(state.questions.all().len()).unwrap_or(u16::MAX).saturating_add(1);
            let rows = [Constraint::Length(wanted.min(middle.height / 3).max(2)), Constraint::Min(1)];
            let [list, details] = Layout::vertical(rows).areas(middle);
            (list, details)
        }
        View::Live | View::Sessions => (middle, none),
    };
    Parts { head, notice, list, details, foot }
}

/// How many rows have room in the list; its first line is a heading.
pub(crate) fn list_height(state: &State) -> usize {
    usize::from(parts(state).list.height.saturating_sub(1)).max(1)
}

/// Draws all of it.
pub(crate) fn frame(state: &State, now: Now, frame: &mut Frame<'_>) {
    if state.size.0 < LEAST.0 || state.size.1 < LEAST.1 {
        let text = format!("rampart watch needs {} columns and {} lines", LEAST.0, LEAST.1);
        frame.render_widget(Paragraph::new(text).wrap(ratatui::widgets::Wrap { trim: true }), frame.area());
        return;
    }
    let parts = parts(state);
    frame.render_widget(head(state, now), parts.head);
    if let Some((tone, text)) = notice(state) {
        let text = text::fit(&text, parts.notice.width.into());
        frame.render_widget(Line::styled(text, state.look.style(tone)), parts.notice);
    }
    match state.view {
        View::Live => {
            live::list(state, parts.list, frame);
            if let Some(sheet) = sheet(state) {
                pane(state, &sheet, state.scroll, parts.details, frame);
            }
        }
        View::Approvals => {
            approvals::list(state, now, parts.list, frame);
            if let Some(sheet) = sheet(state) {
                pane(state, &sheet, state.questions.scroll, parts.details, frame);
            }
        }
        View::Sessions => sessions::all(state, now, parts.list, frame),
    }
    frame.render_widget(foot(state, parts.foot.width.into()), parts.foot);
    if state.mode == Mode::Help {
        help::draw(state, frame);
    }
}

/// What the pane of details shows.
fn sheet(state: &State) -> Option<Sheet> {
    match state.view {
        View::Live if state.details => Some(crate::details::of_row(state.list.selected()?, &state.zone)),
        View::Approvals => Some(crate::details::of_question(state.questions.selected()?)),
        View::Live | View::Sessions => None,
    }
}

/// Nobody reads on past the end.
pub(crate) fn keep_scroll_in_bounds(state: &mut State) {
    let Some(sheet) = sheet(state) else { return };
    let area = parts(state).details;
    let area = edge(area).inner(area);
    let lines = sheet.wrapped(area.width.into(), state.look).len();
    let most = lines.saturating_sub(area.height.into());
    let scroll = if state.view == View::Approvals { &mut state.questions.scroll } else { &mut state.scroll };
    *scroll = (*scroll).min(most);
}

/// The line that parts details from the list.
fn edge(area: Rect) -> Block<'static> {
    Block::new().borders(if area.x > 0 { Borders::TOP | Borders::LEFT } else { Borders::TOP })
}

fn pane(state: &State, sheet: &Sheet, scroll: usize, area: Rect, frame: &mut Frame<'_>) {
    let room = edge(area).inner(area);
    let lines = sheet.wrapped(room.width.into(), state.look);
    let height = usize::from(room.height);
    let scroll = scroll.min(lines.len().saturating_sub(height));
    let below = lines.len().saturating_sub(scroll + height);
    let title = match (scroll, below) {
        (0, 0) => String::new(),
        (above, 0) => format!(" {above} above: [ "),
        (_, below) => format!(" {below} more below: ] "),
    };
    let style = state.look.style(if below > 0 { Tone::Waiting } else { Tone::Quiet });
    let title = Line::styled(title, style).right_aligned();
    let border = state.look.style(Tone::Quiet);
    frame.render_widget(edge(area).border_style(border).title_top(title), area);
    let seen: Vec<Line<'_>> = lines.into_iter().skip(scroll).take(height).collect();
    frame.render_widget(Paragraph::new(seen), room);
}

fn head(state: &State, now: Now) -> Line<'static> {
    let look = state.look;
    let mut left = vec![Span::styled("rampart ".to_owned(), look.style(Tone::Strong))];
    if let Some(status) = &state.status {
        let tone = if status.mode == "enforce" { Tone::Of(Outcome::Allow) } else { Tone::Waiting };
        left.push(Span::styled(text::line(&status.mode, 12), look.style(tone)));
    }
    for (number, view) in (1..).zip(View::ALL) {
        let waiting = state.questions.all().len();
        let count = if view == View::Approvals && waiting > 0 { format!(" ({waiting})") } else { String::new() };
        let style = if view == state.view {
            SELECTED
        } else if count.is_empty() {
            look.style(Tone::Plain)
        } else {
            look.style(Tone::Waiting)
        };
        left.push(Span::raw("  "));
        left.push(Span::styled(format!("{number} {}{count}", view.name()), style));
    }
    let (rate, stopped) = state.tally.rate(now.wall);
    let (tone, link) = match &state.link {
        Link::Connecting => (Tone::Quiet, "connecting".to_owned()),
        Link::Down(_) => (Tone::Trouble, "no gateway".to_owned()),
        Link::Up if stopped > 0.0 => (Tone::Quiet, format!("{rate:.1}/s, {stopped:.1} stopped")),
        Link::Up => (Tone::Quiet, format!("{rate:.1}/s")),
    };
    let used: usize = left.iter().map(|span| text::width(&span.content)).sum();
    let room = usize::from(state.size.0).saturating_sub(used + text::width(&link));
    left.push(Span::raw(" ".repeat(room)));
    left.push(Span::styled(link, look.style(tone)));
    Line::from(left)
}

/// What should be known whatever is looked at; the gravest first.
fn notice(state: &State) -> Option<(Tone, String)> {
    if let Link::Down(why) = &state.link {
        return Some((Tone::Trouble, format!("{}; trying again", text::line(why, 300))));
    }
    let status = state.status.as_deref();
    if let Some(problem) = status.and_then(|status| status.audit.problem.as_deref()) {
        return Some((Tone::Trouble, format!("audit trail: {}", text::line(problem, 300))));
    }
    if let Some(error) = status.and_then(|status| status.policy.error.as_deref()) {
        return Some((Tone::Trouble, format!("policy not in force: {}", text::line(error, 300))));
    }
    if state.missed > 0 {
        let text = format!("{} records did not come; `rampart log` has all of them", state.missed);
        return Some((Tone::Trouble, text));
    }
    let waiting = state.questions.all();
    match (state.view, waiting) {
        (View::Approvals, _) | (_, []) => None,
        (_, [first, more @ ..]) => {
            let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
            let subject = text::line(&first.question.subject, 200);
            Some((Tone::Waiting, format!("waits for you{more} (press 2): {subject}")))
        }
    }
}

fn foot(state: &State, columns: usize) -> Line<'static> {
    let look = state.look;
    match &state.mode {
        Mode::Search(_) => return typing("/", &state.filter.text, "enter keeps it, esc takes it back", columns, state),
        Mode::Reason(_, so_far) => {
            let hint = "enter denies (without a reason too), esc leaves it waiting";
            return typing("Deny, because: ", so_far, hint, columns, state);
        }
        Mode::Normal | Mode::Help => {}
    }
    if let Some((tone, said, _)) = &state.said {
        return Line::styled(text::fit(said, columns), look.style(*tone));
    }
    let hints = match state.view {
        View::Live if state.details => "enter hides details  ] [ read on, back  ? keys  q quit",
        View::Live => "enter details  / search  f decision  ? keys  q quit",
        View::Approvals if state.questions.all().is_empty() => "1 live  ? keys  q quit",
        View::Approvals => "a once  h for an hour  A always  d deny  ] [ read on, back  ? keys",
        View::Sessions => "1 live  ? keys  q quit",
    };
    let mut left = Vec::new();
    if state.view == View::Live {
        if !state.filter.is_empty() {
            let text = format!("{} of {}: {}  ", state.list.admitted(), state.list.all(), state.filter.in_words());
            left.push(Span::styled(text, look.style(Tone::Strong)));
        }
        if !state.list.follows() {
            let below = state.list.below(list_height(state));
            let text = if below > 0 { format!("{below} newer below (G)  ") } else { "standing still (G)  ".to_owned() };
            left.push(Span::styled(text, look.style(Tone::Waiting)));
        }
    }
    let used: usize = left.iter().map(|span| text::width(&span.content)).sum();
    let room = columns.saturating_sub(used);
    left.push(Span::styled(text::first(hints, room).to_owned(), look.style(Tone::Quiet)));
    Line::from(left)
}

fn typing(prompt: &str, so_far: &str, hint: &str, columns: usize, state: &State) -> Line<'static> {
    let shown = text::line(so_far, 1000);
    let room = columns.saturating_sub(text::width(prompt) + 1);
    let skip = text::width(&shown).saturating_sub(room);
    // The end is what is being typed.
    let mut tail = shown.as_str();
    while text::width(tail) + skip > text::width(&shown) {
        let mut chars = tail.chars();
        chars.next();
        tail = chars.as_str();
    }
    let mut line = Line::styled(format!("{prompt}{tail}"), state.look.style(Tone::Strong));
    line.push_span(Span::styled(" ", SELECTED));
    let left = columns.saturating_sub(text::width(prompt) + text::width(tail) + 3);
    if left >= text::width(hint) {
        line.push_span(Span::styled(format!("  {hint}"), state.look.style(Tone::Quiet)));
    }
    line
}
