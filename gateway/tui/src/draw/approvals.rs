//! The calls that wait for a person.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

use crate::{
    look::{SELECTED, Tone},
    state::{Now, State},
    text,
};

const AGENT: usize = 14;
/// Below so many seconds, it is urgent.
const URGENT: u64 = 20;

pub(super) fn list(state: &State, now: Now, area: Rect, frame: &mut Frame<'_>) {
    let look = state.look;
    let columns = usize::from(area.width);
    let waiting = state.questions.all();
    if waiting.is_empty() {
        let text =
            "Nothing waits. What a rule with `action: ask` stops stands here until you or somebody else answers.";
        let lines = vec![Line::default(), Line::styled(text::fit(text, columns), look.style(Tone::Quiet))];
        frame.render_widget(Paragraph::new(lines), area);
        return;
    }
    let subject = columns.saturating_sub(6 + 1 + AGENT + 1 + 9 + 1);
    let heading = format!("{:>6} {:<AGENT$} {:<9} what", "left", "agent", "surface");
    let mut lines = vec![Line::styled(text::fit(&heading, columns), look.style(Tone::Quiet))];
    let height = usize::from(area.height).saturating_sub(1).max(1);
    let place = state.questions.place().unwrap_or_default();
    let top = (place + 1).saturating_sub(height);
    for (nth, waiting) in waiting.iter().enumerate().skip(top).take(height) {
        let question = &waiting.question;
        let origin = &question.call.origin;
        let left = waiting.left(now.since_start);
        let tone = if left < URGENT { Tone::Trouble } else { Tone::Waiting };
        let mut line = Line::from(vec![
            Span::styled(format!("{:>6}", format!("{left} s")), look.style(tone)),
            Span::raw(format!(" {}", text::fit(&text::line(&origin.agent, 80), AGENT))),
            Span::styled(format!(" {:<9}", origin.surface.as_str()), look.style(Tone::Quiet)),
            Span::raw(format!(" {}", text::fit(&text::line(&question.subject, 400), subject))),
        ]);
        if nth == place {
            line = line.patch_style(SELECTED);
        }
        lines.push(line);
    }
    frame.render_widget(Paragraph::new(lines), area);
}
