//! What is known of one decision or question, whole: the words of `rampart policy explain`, and what exactly would run.

use jiff::tz::TimeZone;
use rampart_call::{Action, Effect, Origin, Outcome, RuleRef, Span};
use ratatui::text::{Line, Span as Piece};
use serde::Deserialize;

use crate::{
    look::{Look, Tone},
    questions::Waiting,
    row::Row,
    text,
};

/// Characters of a name.
const NAME: usize = 200;
/// Bytes of one operand that are shown; of a longer one the beginning and the end.
const OPERAND: usize = 32 * 1024;

/// Lines of toned pieces, not yet fitted to a width.
#[derive(Debug, Default)]
pub(crate) struct Sheet(Vec<Vec<(Tone, String)>>);

impl Sheet {
    fn line(&mut self, pieces: impl IntoIterator<Item = (Tone, String)>) {
        self.0.push(pieces.into_iter().collect());
    }

    fn heading(&mut self, text: &str) {
        self.line([]);
        self.line([(Tone::Strong, text.to_owned())]);
    }

    /// A name and what it stands for, where there is something.
    fn fact(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            let value = text::line(value, NAME);
            self.line([(Tone::Quiet, format!("{name:<8} ")), (Tone::Plain, value)]);
        }
    }

    /// A text of somebody else's with its own lines, the part in `span` marked.
    fn quote(&mut self, text: &str, span: Option<Span>) {
        let cut = text.len() > OPERAND;
        let whole = if cut { rampart_scan::shown::cut(text, OPERAND) } else { text.to_owned() };
        let span = span.filter(|_| !cut).and_then(|Span { start, end }| {
            Some((text.get(..start)?, text.get(start..end).filter(|part| !part.is_empty())?, text.get(end..)?))
        });
        let pieces = match span {
            Some((before, marked, after)) => vec![(Tone::Plain, before), (Tone::Marked, marked), (Tone::Plain, after)],
            None => vec![(Tone::Plain, whole.as_str())],
        };
        let mut line = vec![(Tone::Quiet, "│ ".to_owned())];
        for (tone, piece) in pieces {
            // What is marked ends where it ends, also for marks of the writing that would stand on its last letter.
            for (nth, part) in text::block(piece).split('\n').enumerate() {
                if nth > 0 {
                    let next = vec![(Tone::Quiet, "│ ".to_owned())];
                    self.0.push(std::mem::replace(&mut line, next));
                }
                line.push((tone, part.to_owned()));
            }
        }
        self.0.push(line);
    }

    /// The lines as they fit into so many columns; nothing is left out.
    pub(crate) fn wrapped(&self, columns: usize, look: Look) -> Vec<Line<'static>> {
        self.0.iter().flat_map(|line| wrap(line, columns.max(8), look)).collect()
    }
}

fn wrap(pieces: &[(Tone, String)], columns: usize, look: Look) -> Vec<Line<'static>> {
    let mut lines = vec![];
    let (mut line, mut used) = (Line::default(), 0);
    for (tone, piece) in pieces {
        let mut rest = piece.as_str();
        while !rest.is_empty() {
            let part = text::first(rest, columns - used);
            if part.is_empty() {
                lines.push(std::mem::take(&mut line));
                used = 0;
                continue;
            }
            used += text::width(part);
            line.spans.push(Piece::styled(part.to_owned(), look.style(*tone)));
            rest = rest.get(part.len()..).unwrap_or_default();
        }
    }
    lines.push(line);
    lines
}

/// What a record has beside what its row shows.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Members {
    actor: Actor,
    action: Option<Action>,
    effects: Vec<Effect>,
    effect: Option<usize>,
    outcome: Option<Outcome>,
    verdict: Option<Outcome>,
    reason: String,
    rule: Option<RuleRef>,
    message: String,
    mode: String,
    micros: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Actor {
    agent: String,
    session: String,
    surface: String,
    depth: u32,
    pid: Option<u32>,
    claimed: bool,
    person: Option<String>,
    server: Option<String>,
    workspace: Option<String>,
}

/// Details of a record.
pub(crate) fn of_row(row: &Row, zone: &TimeZone) -> Sheet {
    let mut sheet = Sheet::default();
    let members = serde_json::from_str::<Members>(&row.line).unwrap_or_default();
    let when = row.at.map(|at| at.to_zoned(zone.clone()).strftime("%F %H:%M:%S").to_string()).unwrap_or_default();
    let Some(outcome) = members.outcome else {
        sheet.line([(Tone::Strong, row.kind.clone())]);
        sheet.quote(&pretty(&row.line), None);
        return sheet;
    };
    let Members { actor, action, effects, effect, verdict, reason, rule, message, mode, micros, .. } = members;
    sheet.line([(Tone::Of(outcome), outcome.to_string()), (Tone::Plain, format!("  {}", text::line(&message, 2000)))]);
    let span = effect.and_then(|nth| effects.get(nth)?.span);
    if let Some(action) = &action {
        // In a text that had a secret, offsets are those of the text before.
        let subject = action.subject();
        let span = span.filter(|_| !subject.contains("hmac-sha256:"));
        sheet.quote(&subject, span);
        operands(&mut sheet, action.details().iter().map(|(name, text)| (*name, text.as_str())));
    }
    if let Some(told) = verdict.filter(|told| *told != outcome) {
        let why = if mode == "monitor" { "the mode is monitor, and nothing is stopped" } else { "see the approval" };
        sheet.line([(Tone::Waiting, format!("The surface was told: {told} ({why})"))]);
    }
    effect_lines(&mut sheet, &effects, effect);
    if let Some(rule) = rule {
        rule_line(&mut sheet, &rule);
    } else {
        sheet.heading("Decided by");
        sheet.line([(Tone::Plain, format!("  no rule: {}", text::line(&reason, NAME)))]);
    }
    sheet.heading("Who and when");
    let Actor { agent, session, surface, depth, pid, claimed, person, server, workspace } = actor;
    sheet.fact("time", &format!("{when}, record {}, decided in {micros} µs", row.seq));
    sheet.fact("agent", &if claimed { format!("{agent} (it says so itself)") } else { agent });
    sheet.fact("session", &session);
    sheet.fact("surface", &surface);
    sheet.fact("person", &person.unwrap_or_default());
    sheet.fact("server", &server.unwrap_or_default());
    sheet.fact("project", &workspace.unwrap_or_default());
    sheet.fact("process", &pid.map(|pid| pid.to_string()).unwrap_or_default());
    if depth > 0 {
        sheet.fact("depth", &depth.to_string());
    }
    sheet
}

/// Details of a question: first of all what exactly will run.
pub(crate) fn of_question(waiting: &Waiting) -> Sheet {
    let mut sheet = Sheet::default();
    let question = &waiting.question;
    let judgement = &question.judgement;
    sheet.line([(Tone::Strong, "This waits to happen".to_owned())]);
    let fits = question.subject == question.call.action.subject();
    sheet.quote(&question.subject, judgement.effect.as_ref().and_then(|effect| effect.span).filter(|_| fits));
    operands(&mut sheet, question.details.iter().map(|detail| (detail.name.as_str(), detail.text.as_str())));
    sheet.heading("Why you are asked");
    sheet.line([(Tone::Plain, format!("  {}", text::line(&judgement.message, 2000)))]);
    if question.approvals > 1 {
        let agreed: Vec<String> = question.agreed.iter().map(|by| text::line(by, 60)).collect();
        let so_far = if agreed.is_empty() { "nobody".to_owned() } else { agreed.join(", ") };
        let text = format!("  {} people must agree; so far {so_far}", question.approvals);
        sheet.line([(Tone::Waiting, text)]);
    }
    let decisive = judgement.effect.as_ref().and_then(|it| judgement.effects.iter().position(|effect| effect == it));
    effect_lines(&mut sheet, &judgement.effects, decisive);
    if let Some(rule) = &judgement.rule {
        rule_line(&mut sheet, rule);
    }
    sheet.heading("Who asks");
    let Origin { agent, session, surface, pid, claimed, .. } = &question.call.origin;
    sheet.fact("agent", &if *claimed { format!("{agent} (it says so itself)") } else { agent.clone() });
    sheet.fact("session", session);
    sheet.fact("surface", surface.as_str());
    sheet.fact("process", &pid.map(|pid| pid.to_string()).unwrap_or_default());
    sheet.fact("id", &question.id);
    sheet
}

fn operands<'a>(sheet: &mut Sheet, all: impl Iterator<Item = (&'a str, &'a str)>) {
    for (name, text) in all {
        if text.contains('\n') {
            sheet.line([(Tone::Quiet, format!("{name}:"))]);
            sheet.quote(text, None);
        } else {
            let text = text::line(text, OPERAND);
            sheet.line([(Tone::Quiet, format!("{name}: ")), (Tone::Plain, text)]);
        }
    }
}

fn effect_lines(sheet: &mut Sheet, effects: &[Effect], decisive: Option<usize>) {
    if effects.is_empty() {
        return;
    }
    sheet.heading("What it would do");
    for (nth, effect) in effects.iter().enumerate() {
        let (target, about) = effect.in_words();
        let (mark, tone) = if decisive == Some(nth) { ("→", Tone::Strong) } else { (" ", Tone::Plain) };
        let gap = if target.is_empty() || about.is_empty() { "" } else { "  " };
        let about = format!("{gap}{}", text::line(&about, NAME));
        let words = format!("{mark} {:<16} {}", effect.kind.as_str(), text::line(&target, 1000));
        sheet.line([(tone, words), (Tone::Quiet, about)]);
    }
}

fn rule_line(sheet: &mut Sheet, rule: &RuleRef) {
    sheet.heading("Decided by");
    let place = text::line(&rule.to_string(), NAME);
    sheet.line([(Tone::Of(rule.action), format!("→ {:<5}", rule.action)), (Tone::Plain, format!("  {place}"))]);
}

fn pretty(line: &str) -> String {
    let value = serde_json::from_str::<serde_json::Value>(line);
    value.ok().and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| line.to_owned())
}
