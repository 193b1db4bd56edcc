//! How much of something there was within a length of time, in bounded memory.

use std::collections::VecDeque;

use super::LONGEST_WINDOW_MS;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// Amounts by time: single seconds of the last two minutes, minutes of the last two hours, then hours.
#[derive(Debug, Clone, Default)]
pub(super) struct Counter {
    buckets: VecDeque<Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    start: i64,
    width: i64,
    count: u64,
}

impl Counter {
    pub(super) fn add(&mut self, amount: u64, now: i64) {
        let start = now - now.rem_euclid(SECOND);
        match self.buckets.back_mut() {
            Some(last) if last.start + last.width > start => last.count = last.count.saturating_add(amount),
            _ => self.buckets.push_back(Bucket { start, width: SECOND, count: amount }),
        }
        self.coarsen(now);
    }

    /// Joins old buckets into wider ones and drops what no window reaches.
    fn coarsen(&mut self, now: i64) {
        if self.buckets.len() < 512 {
            return;
        }
        let mut joined: VecDeque<Bucket> = VecDeque::new();
        for bucket in self.buckets.drain(..).filter(|b| now - b.start <= LONGEST_WINDOW_MS + HOUR) {
            let width = match now - bucket.start {
                age if age > 2 * HOUR => HOUR,
                age if age > 2 * MINUTE => MINUTE,
                _ => SECOND,
            }
            .max(bucket.width);
            let start = bucket.start - bucket.start.rem_euclid(width);
            match joined.back_mut() {
                Some(last) if last.start == start => last.count = last.count.saturating_add(bucket.count),
                _ => joined.push_back(Bucket { start, width, count: bucket.count }),
            }
        }
        self.buckets = joined;
    }

    /// The amount after `from`; a bucket that reaches into the window counts whole, so that a limit is never missed.
    pub(super) fn since(&self, from: i64) -> u64 {
        self.buckets.iter().rev().take_while(|b| b.start + b.width > from).fold(0, |sum, b| sum.saturating_add(b.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_counts_its_window_and_stays_small() {
        let mut counter = Counter::default();
        for i in 0..100_000 {
            counter.add(1, i * 10 * SECOND);
        }
        let now = 99_999 * 10 * SECOND;
        assert!(counter.buckets.len() < 800, "{}", counter.buckets.len());
        let minute = counter.since(now - MINUTE);
        assert!((6..=7).contains(&minute), "{minute}");
        let hour = counter.since(now - HOUR);
        assert!((360..=366).contains(&hour), "{hour}");
        let day = counter.since(now - 24 * HOUR);
        assert!((8_640..=9_000).contains(&day), "{day}");
        assert_eq!(counter.since(now + HOUR), 0);
    }
}
