//! The questions that wait for a human, and which of them is looked at.

use std::time::Duration;

use rampart_client::wire::Pending;

/// How long a question must have been looked at before a key answers it, where it came into sight by itself: a second
/// press of a key was meant for the one before.
const SETTLES: Duration = Duration::from_millis(700);

/// What waits, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    list: Vec<Waiting>,
    /// The id of the one that is looked at.
    selected: Option<String>,
    /// When it came into sight by itself.
    came: Option<Duration>,
    /// Lines of it that are above the top of its place.
    pub(crate) scroll: usize,
}

/// One question.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) question: Pending,
    ends: Duration,
}

impl Waiting {
    /// Seconds that are left.
    pub(crate) fn left(&self, now: Duration) -> u64 {
        self.ends.saturating_sub(now).as_secs()
    }
}

impl Questions {
    /// Takes over what the gateway says waits. True when one is new.
    pub(crate) fn replace(&mut self, list: Vec<Pending>, now: Duration) -> bool {
        let place = self.place().unwrap_or_default();
        let ends = |question: &Pending| now + Duration::from_millis(question.expires_in_ms);
        let is_new = list.iter().any(|question| !self.list.iter().any(|old| old.question.id == question.id));
        self.list = list.into_iter().map(|question| Waiting { ends: ends(&question), question }).collect();
        if self.place().is_none() {
            let next = self.list.get(place).or(self.list.last());
            self.selected = next.map(|waiting| waiting.question.id.clone());
            self.came = Some(now);
            self.scroll = 0;
        }
        is_new
    }

    pub(crate) fn all(&self) -> &[Waiting] {
        &self.list
    }

    /// Where the one that is looked at stands in the list.
    pub(crate) fn place(&self) -> Option<usize> {
        let id = self.selected.as_ref()?;
        self.list.iter().position(|waiting| waiting.question.id == *id)
    }

    pub(crate) fn selected(&self) -> Option<&Waiting> {
        self.list.get(self.place()?)
    }

    /// The one that a key answers now.
    pub(crate) fn answerable(&self, now: Duration) -> Option<&Waiting> {
        let settled = self.came.is_none_or(|came| now.saturating_sub(came) >= SETTLES);
        self.selected().filter(|_| settled)
    }

    /// Looks at the one so many places further down.
    pub(crate) fn go(&mut self, by: isize) {
        let Some(place) = self.place() else { return };
        let place = place.saturating_add_signed(by).min(self.list.len().saturating_sub(1));
        let id = self.list.get(place).map(|waiting| waiting.question.id.clone());
        if id != self.selected {
            self.selected = id;
            self.came = None;
            self.scroll = 0;
        }
    }
}
