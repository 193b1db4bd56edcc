//! The keys, over whatever is looked at.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::{Block, Borders, Clear, Paragraph},
};

use crate::{
    keys::{Place, TABLE, View, name},
    look::Tone,
    state::State,
};

pub(super) fn draw(state: &State, frame: &mut Frame<'_>) {
    let all = frame.area();
    let mut lines = Vec::new();
    let mut add = |keys: &str, what: &str| {
        let keys = Span::styled(format!("{keys:>15}  "), state.look.style(Tone::Strong));
        lines.push(Line::from(vec![keys, Span::raw(what.to_owned())]));
    };
    for (codes, place, _, what) in TABLE {
        if place == Place::Everywhere || place == Place::In(state.view) {
            let keys: Vec<String> = codes.iter().map(|code| name(*code)).collect();
            add(&keys.join(" "), what);
        }
    }
    add("q ctrl-c", "quit; everything goes on without this window");
    if state.view == View::Live {
        add("*", "behind a decision: it passed all the same, as in mode monitor");
    }
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(all.height);
    let width = 78.min(all.width);
    let area = Rect { x: (all.width - width) / 2, y: (all.height - height) / 2, width, height };
    frame.render_widget(Clear, area);
    let block =
        Block::new().borders(Borders::ALL).title_top(format!(" Keys in {}; any key goes back ", state.view.name()));
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
