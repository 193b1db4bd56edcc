//! The rows that there are, those that the filter admits, and which of them is looked at.

use std::collections::VecDeque;

use crate::{filter::Filter, row::Row};

/// Rows that are kept; the trail has all of them.
const KEPT: usize = 10_000;

/// Rows in the order of their numbers.
#[derive(Debug, Default)]
pub(crate) struct List {
    rows: VecDeque<Row>,
    /// The rows that the filter admits, by number.
    admitted: VecDeque<u64>,
    /// The row that is looked at; none while the newest is followed.
    selected: Option<u64>,
    /// The row at the top; only while one is looked at.
    top: u64,
}

impl List {
    pub(crate) fn push(&mut self, row: Row, filter: &Filter) {
        if filter.admits(&row) {
            self.admitted.push_back(row.seq);
        }
        self.rows.push_back(row);
        if self.rows.len() > KEPT
            && let Some(gone) = self.rows.pop_front()
            && self.admitted.front() == Some(&gone.seq)
        {
            self.admitted.pop_front();
        }
    }

    /// Shows what this filter admits.
    pub(crate) fn filter(&mut self, filter: &Filter) {
        self.admitted = self.rows.iter().filter(|row| filter.admits(row)).map(|row| row.seq).collect();
    }

    /// How many rows the filter admits.
    pub(crate) fn admitted(&self) -> usize {
        self.admitted.len()
    }

    /// How many rows there are.
    pub(crate) fn all(&self) -> usize {
        self.rows.len()
    }

    /// Whether the newest is followed.
    pub(crate) fn follows(&self) -> bool {
        self.selected.is_none()
    }

    /// Follows the newest.
    pub(crate) fn follow(&mut self) {
        self.selected = None;
    }

    /// The row that is looked at.
    pub(crate) fn selected(&self) -> Option<&Row> {
        self.row(*self.admitted.get(self.selected_place())?)
    }

    /// The rows that are in sight where so many have room, and whether each is the one that is looked at.
    pub(crate) fn in_sight(&self, height: usize) -> impl Iterator<Item = (&Row, bool)> {
        let selected = self.admitted.get(self.selected_place()).copied();
        let seqs = self.admitted.iter().skip(self.first_in_sight(height)).take(height);
        seqs.filter_map(move |seq| Some((self.row(*seq)?, Some(*seq) == selected)))
    }

    /// How many rows are below those.
    pub(crate) fn below(&self, height: usize) -> usize {
        self.admitted.len().saturating_sub(self.first_in_sight(height) + height)
    }

    /// Looks at the row so many places further down; the list stands still from then on.
    pub(crate) fn go(&mut self, by: isize, height: usize) {
        if self.follows() && by >= 0 {
            return;
        }
        if self.follows() {
            self.top = self.admitted.get(self.first_in_sight(height)).copied().unwrap_or_default();
        }
        let place = self.selected_place().saturating_add_signed(by).min(self.admitted.len().saturating_sub(1));
        self.selected = self.admitted.get(place).copied();
        self.keep_in_sight(height);
    }

    /// Moves the top so that the row that is looked at is in sight where so many have room.
    pub(crate) fn keep_in_sight(&mut self, height: usize) {
        if self.follows() {
            return;
        }
        let place = self.selected_place();
        let top = self.first_in_sight(height).min(place).max((place + 1).saturating_sub(height));
        self.top = self.admitted.get(top).copied().unwrap_or_default();
    }

    fn row(&self, seq: u64) -> Option<&Row> {
        self.rows.get(self.rows.binary_search_by_key(&seq, |row| row.seq).ok()?)
    }

    /// Where a row stands among those that are admitted, or would.
    fn place(&self, seq: u64) -> usize {
        let place = self.admitted.binary_search(&seq).unwrap_or_else(|place| place);
        place.min(self.admitted.len().saturating_sub(1))
    }

    fn selected_place(&self) -> usize {
        self.selected.map_or(self.admitted.len().saturating_sub(1), |seq| self.place(seq))
    }

    fn first_in_sight(&self, height: usize) -> usize {
        let last = self.admitted.len().saturating_sub(height);
        if self.follows() { last } else { self.place(self.top).min(last) }
    }
}
