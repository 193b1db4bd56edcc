//! All that `watch` knows, and how it changes: `step(state, input, now) -> effects`. No terminal, no socket, no clock.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use rampart_call::Outcome;
use rampart_client::wire::{Pending, Resolve, Resolved, Status};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::{
    filter::Filter,
    keys::{Deed, View, deed},
    list::List,
    look::{Look, Tone},
    questions::Questions,
    row::Row,
    tally::Tally,
    text,
};

/// How long a message about what was just done stands there.
const SAID: Duration = Duration::from_secs(8);
/// How often what waits is looked at while nothing says that it changed.
const LOOK: Duration = Duration::from_secs(2);
/// How long "for a while" is.
const WHILE: &str = "1h";
/// Bytes of what is typed.
const TYPED: usize = 1000;

/// Something happened.
#[derive(Debug)]
pub(crate) enum Input {
    Key(KeyEvent),
    /// The terminal has so many columns and lines.
    Resize(u16, u16),
    /// Records, in order.
    Records(Vec<Row>),
    /// All questions that wait.
    Questions(Vec<Pending>),
    /// How the gateway is.
    Status(Box<Status>),
    /// Records come.
    Connected,
    /// They do not, and why.
    Disconnected(String),
    /// What became of an answer.
    Answered {
        approve: bool,
        done: Result<Box<Resolved>, String>,
    },
    /// Time went by.
    Tick,
    /// The terminal or the system wants an end.
    End,
}

/// Something to do.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    Quit,
    /// Ask the gateway what waits.
    LookAtQuestions,
    /// Answer the question with this id.
    Answer(String, Box<Answer>),
    /// Sound the bell of the terminal: somebody waits.
    Ring,
}

/// An answer; compared in tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) approve: bool,
    pub(crate) reason: String,
    pub(crate) payload: String,
    pub(crate) scope: &'static str,
}

impl From<Answer> for Resolve {
    fn from(answer: Answer) -> Self {
        let Answer { approve, reason, payload, scope } = answer;
        Self { approve, reason, payload: Some(payload), scope: Some(scope.to_owned()) }
    }
}

/// The time, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) wall: Timestamp,
    pub(crate) since_start: Duration,
}

/// What keys do at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mode {
    Normal,
    Help,
    /// A search is typed; what it was before.
    Search(String),
    /// The reason for a denial is typed: for which question, and so far.
    Reason(Pointer, String),
}

/// A question as it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pointer {
    pub(crate) id: String,
    pub(crate) payload: String,
}

/// Whether records come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    Connecting,
    Up,
    Down(String),
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) look: Look,
    pub(crate) zone: TimeZone,
    pub(crate) size: (u16, u16),
    pub(crate) view: View,
    pub(crate) mode: Mode,
    pub(crate) link: Link,
    pub(crate) status: Option<Box<Status>>,
    pub(crate) filter: Filter,
    pub(crate) questions: Questions,
    pub(crate) list: List,
    pub(crate) tally: Tally,
    /// A message about what was just done, and until when.
    pub(crate) said: Option<(Tone, String, Duration)>,
    /// Records that should have come and did not.
    pub(crate) missed: u64,
    pub(crate) details: bool,
    /// Lines of the details that are above the top of their place.
    pub(crate) scroll: usize,
    newest: Option<u64>,
    looked: Duration,
}

impl State {
    pub(crate) fn new(filter: Filter, color: bool, zone: TimeZone) -> Self {
        Self {
            look: Look { color },
            zone,
            size: (80, 24),
            view: View::Live,
            mode: Mode::Normal,
            link: Link::Connecting,
            status: None,
            filter,
            questions: Questions::default(),
            list: List::default(),
            tally: Tally::default(),
            said: None,
            missed: 0,
            details: false,
            scroll: 0,
            newest: None,
            looked: Duration::ZERO,
        }
    }

    /// Takes in what happened, and says what is to be done.
    pub(crate) fn step(&mut self, input: Input, now: Now) -> Vec<Effect> {
        if self.said.as_ref().is_some_and(|(_, _, until)| *until <= now.since_start) {
            self.said = None;
        }
        match input {
            Input::Key(key) => self.key(key, now),
            Input::Resize(columns, lines) => {
                self.size = (columns, lines);
                self.list.keep_in_sight(self.height());
                vec![]
            }
            Input::Records(rows) => self.records(rows, now),
            Input::Questions(list) => {
                let ring = self.questions.replace(list, now.since_start);
                if let Mode::Reason(Pointer { id, .. }, _) = &self.mode
                    && !self.questions.all().iter().any(|waiting| waiting.question.id == *id)
                {
                    self.say(Tone::Waiting, "the question that you were answering has ended", now);
                    self.mode = Mode::Normal;
                }
                if ring { vec![Effect::Ring] } else { vec![] }
            }
            Input::Status(status) => {
                self.status = Some(status);
                vec![]
            }
            Input::Connected => {
                self.link = Link::Up;
                self.look_at_questions(now)
            }
            Input::Disconnected(why) => {
                self.link = Link::Down(why);
                vec![]
            }
            Input::Answered { approve, done } => {
                let (tone, text) = told(approve, done);
                self.say(tone, &text, now);
                self.look_at_questions(now)
            }
            Input::Tick if now.since_start.saturating_sub(self.looked) >= LOOK => self.look_at_questions(now),
            Input::Tick => vec![],
            Input::End => vec![Effect::Quit],
        }
    }

    fn look_at_questions(&mut self, now: Now) -> Vec<Effect> {
        self.looked = now.since_start;
        vec![Effect::LookAtQuestions]
    }

    fn say(&mut self, tone: Tone, text: &str, now: Now) {
        self.said = Some((tone, text::line(text, 300), now.since_start + SAID));
    }

    fn records(&mut self, rows: Vec<Row>, now: Now) -> Vec<Effect> {
        let mut look = false;
        for row in rows {
            match self.newest {
                Some(newest) if row.seq > newest + 1 => self.missed += row.seq - newest - 1,
                // What was shown stands in a trail that is no longer there.
                Some(newest) if row.seq <= newest => {
                    self.list = List::default();
                }
                _ => {}
            }
            self.newest = Some(row.seq);
            look |= row.kind == "approval";
            if row.is_routine() {
                continue;
            }
            self.tally.add(&row);
            self.list.push(row, &self.filter);
        }
        if look { self.look_at_questions(now) } else { vec![] }
    }

    /// How many rows have room in the list.
    fn height(&self) -> usize {
        crate::draw::list_height(self)
    }

    fn filter_by(&mut self, change: impl FnOnce(&mut Filter)) {
        change(&mut self.filter);
        self.list.filter(&self.filter);
        self.list.keep_in_sight(self.height());
    }

    // === keys

    fn key(&mut self, key: KeyEvent, now: Now) -> Vec<Effect> {
        match &mut self.mode {
            Mode::Normal => {}
            Mode::Help => {
                self.mode = Mode::Normal;
                return if deed(key, self.view) == Some(Deed::Quit) { vec![Effect::Quit] } else { vec![] };
            }
            Mode::Search(before) => {
                let before = std::mem::take(before);
                match typed(key, &self.filter.text) {
                    Typed::More(text) => {
                        self.mode = Mode::Search(before);
                        self.filter_by(|filter| filter.text = text);
                    }
                    Typed::Done => self.mode = Mode::Normal,
                    Typed::Never => {
                        self.mode = Mode::Normal;
                        self.filter_by(|filter| filter.text = before);
                    }
                }
                return vec![];
            }
            Mode::Reason(pointer, so_far) => {
                match typed(key, so_far) {
                    Typed::More(text) => *so_far = text,
                    Typed::Never => self.mode = Mode::Normal,
                    Typed::Done => {
                        let (pointer, reason) = (pointer.clone(), std::mem::take(so_far));
                        self.mode = Mode::Normal;
                        return answer(pointer, false, reason, "once");
                    }
                }
                return vec![];
            }
        }
        let Some(deed) = deed(key, self.view) else { return vec![] };
        self.act(deed, now)
    }

    fn act(&mut self, deed: Deed, now: Now) -> Vec<Effect> {
        let page = isize::try_from(self.height()).unwrap_or(1).max(2) - 1;
        match deed {
            Deed::Quit => return vec![Effect::Quit],
            Deed::Help => self.mode = Mode::Help,
            Deed::Show(view) => self.show(view),
            Deed::NextView => {
                let next = View::ALL.into_iter().skip_while(|view| *view != self.view).nth(1);
                self.show(next.unwrap_or(View::Live));
            }
            Deed::Up => self.by(-1),
            Deed::Down => self.by(1),
            Deed::PageUp => self.by(-page),
            Deed::PageDown => self.by(page),
            Deed::First => self.by(isize::MIN / 2),
            Deed::Last if self.view == View::Live => {
                self.list.follow();
                self.scroll = 0;
            }
            Deed::Last => self.by(isize::MAX / 2),
            Deed::Details => {
                self.details = !self.details;
                self.scroll = 0;
                self.list.keep_in_sight(self.height());
            }
            Deed::ReadOn | Deed::ReadBack => {
                let by = if deed == Deed::ReadOn { 5 } else { -5 };
                let scroll = if self.view == View::Approvals { &mut self.questions.scroll } else { &mut self.scroll };
                *scroll = scroll.saturating_add_signed(by);
                crate::draw::keep_scroll_in_bounds(self);
            }
            Deed::Search => self.mode = Mode::Search(self.filter.text.clone()),
            Deed::ByDecision => self.filter_by(|filter| {
                filter.decision = match filter.decision {
                    None => Some(Outcome::Deny),
                    Some(Outcome::Deny) => Some(Outcome::Ask),
                    Some(Outcome::Ask) => Some(Outcome::Watch),
                    Some(Outcome::Watch) => Some(Outcome::Allow),
                    Some(Outcome::Allow | Outcome::Webhook) => None,
                };
            }),
            Deed::ByTool => self.by_the_selected(|row| &row.tool, |filter| &mut filter.tool),
            Deed::ByAgent => self.by_the_selected(|row| &row.agent, |filter| &mut filter.agent),
            Deed::BySession => self.by_the_selected(|row| &row.session, |filter| &mut filter.session),
            Deed::Clear if self.filter.is_empty() => self.details = false,
            Deed::Clear => self.filter_by(|filter| *filter = Filter::default()),
            Deed::Once => return self.allow("once", now),
            Deed::While => return self.allow(WHILE, now),
            Deed::Always => return self.allow("always", now),
            Deed::Deny => {
                if let Some(pointer) = self.answerable(now) {
                    self.mode = Mode::Reason(pointer, String::new());
                }
            }
        }
        vec![]
    }

    fn show(&mut self, view: View) {
        self.view = view;
        self.list.keep_in_sight(self.height());
    }

    fn by(&mut self, by: isize) {
        match self.view {
            View::Live => {
                self.list.go(by, self.height());
                self.scroll = 0;
            }
            View::Approvals => self.questions.go(by),
            View::Sessions => {}
        }
    }

    fn by_the_selected(&mut self, of: fn(&Row) -> &String, part: fn(&mut Filter) -> &mut Option<String>) {
        let Some(value) = self.list.selected().filter(|row| row.outcome.is_some()).map(|row| of(row).clone()) else {
            return;
        };
        self.filter_by(|filter| {
            let part = part(filter);
            *part = if part.is_some() { None } else { Some(value) };
        });
    }

    fn allow(&mut self, scope: &'static str, now: Now) -> Vec<Effect> {
        let pointer = self.answerable(now);
        pointer.map(|pointer| answer(pointer, true, String::new(), scope)).unwrap_or_default()
    }

    /// The question that is looked at, where that has been so for long enough.
    fn answerable(&mut self, now: Now) -> Option<Pointer> {
        if let Some(waiting) = self.questions.answerable(now.since_start) {
            let (id, payload) = (waiting.question.id.clone(), waiting.question.payload.clone());
            return Some(Pointer { id, payload });
        }
        if self.questions.selected().is_some() {
            self.say(Tone::Waiting, "this question has only just come into sight; look at it and press again", now);
        }
        None
    }
}

fn answer(pointer: Pointer, approve: bool, reason: String, scope: &'static str) -> Vec<Effect> {
    let Pointer { id, payload } = pointer;
    vec![Effect::Answer(id, Box::new(Answer { approve, reason, payload, scope }))]
}

/// What became of an answer, for the line at the bottom.
fn told(approve: bool, done: Result<Box<Resolved>, String>) -> (Tone, String) {
    let resolved = match done {
        Ok(resolved) => resolved,
        Err(why) => return (Tone::Trouble, why),
    };
    let Resolved { missing, subject, rule, unwritten, .. } = *resolved;
    match (approve, missing, rule, unwritten) {
        (false, ..) => (Tone::Of(Outcome::Deny), format!("denied: {subject}")),
        (true, _, _, Some(why)) => (Tone::Trouble, format!("let through once; no rule for later was written: {why}")),
        (true, 0, Some(rule), _) => {
            let text =
                format!("approved: {subject}  (rule {0}; `rampart rules remove {0}` takes it back)", rule.number);
            (Tone::Of(Outcome::Allow), text)
        }
        (true, 0, None, _) => (Tone::Of(Outcome::Allow), format!("approved: {subject}")),
        (true, missing, ..) => (Tone::Waiting, format!("you agreed, and {missing} more must too: {subject}")),
    }
}

/// What typing did to a text.
enum Typed {
    More(String),
    Done,
    Never,
}

fn typed(key: KeyEvent, text: &str) -> Typed {
    let mut text = text.to_owned();
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Enter => return Typed::Done,
        KeyCode::Esc => return Typed::Never,
        KeyCode::Char('c') if control => return Typed::Never,
        KeyCode::Char('u') if control => text.clear(),
        KeyCode::Backspace => {
            text.pop();
        }
        KeyCode::Char(c) if !control && text.len() < TYPED => text.push(c),
        _ => {}
    }
    Typed::More(text)
}
