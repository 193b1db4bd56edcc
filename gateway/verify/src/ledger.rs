//! What is remembered: answers, so that the same call costs once, and how often the model was asked. Pure; time comes in.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use crate::model::Answer;

/// Most answers that are remembered; beyond that the oldest is forgotten.
const MOST: usize = 10_000;
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// Answers by the fingerprint of what was asked.
#[derive(Debug)]
pub(crate) struct Cache {
    lasts: Duration,
    answers: HashMap<String, (Instant, Answer)>,
    order: VecDeque<(Instant, String)>,
}

impl Cache {
    /// Answers are good for this long.
    pub(crate) fn new(lasts: Duration) -> Self {
        Self { lasts, answers: HashMap::new(), order: VecDeque::new() }
    }

    /// The answer that was given to the same.
    pub(crate) fn get(&self, asked: &str, now: Instant) -> Option<&Answer> {
        let (at, answer) = self.answers.get(asked)?;
        (now.duration_since(*at) < self.lasts).then_some(answer)
    }

    /// Remembers an answer.
    pub(crate) fn put(&mut self, asked: String, answer: Answer, now: Instant) {
        if self.lasts.is_zero() {
            return;
        }
        self.answers.insert(asked.clone(), (now, answer));
        self.order.push_back((now, asked));
        while let Some((at, _)) = self.order.front()
            && (self.order.len() > MOST || now.duration_since(*at) >= self.lasts)
            && let Some((at, oldest)) = self.order.pop_front()
        {
            // A later answer to the same stays.
            if self.answers.get(&oldest).is_some_and(|(then, _)| *then == at) {
                self.answers.remove(&oldest);
            }
        }
    }
}

/// How often the model may be asked, and was.
#[derive(Debug)]
pub(crate) struct Budget {
    per_minute: u32,
    per_day: u32,
    spent: VecDeque<Instant>,
}

impl Budget {
    pub(crate) fn new(per_minute: u32, per_day: u32) -> Self {
        Self { per_minute, per_day, spent: VecDeque::new() }
    }

    /// Spends one question; false when there is none left in this minute or day.
    pub(crate) fn spend(&mut self, now: Instant) -> bool {
        while self.spent.front().is_some_and(|at| now.duration_since(*at) >= DAY) {
            self.spent.pop_front();
        }
        let in_minute = self.spent.iter().rev().take_while(|at| now.duration_since(**at) < MINUTE).count();
        let left = in_minute < self.per_minute as usize && self.spent.len() < self.per_day as usize;
        if left {
            self.spent.push_back(now);
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Decision;

    fn answer(message: &str) -> Answer {
        Answer { decision: Decision::Allow, message: message.to_owned() }
    }

    #[test]
    fn an_answer_is_good_for_its_time_and_the_oldest_makes_room() {
        let (mut cache, start) = (Cache::new(MINUTE), Instant::now());
        cache.put("a".into(), answer("1"), start);
        assert!(cache.get("a", start + MINUTE / 2).is_some() && cache.get("b", start).is_none());
        assert!(cache.get("a", start + MINUTE).is_none());
        cache.put("a".into(), answer("2"), start + MINUTE / 2);
        cache.put("b".into(), answer("3"), start + MINUTE);
        assert_eq!(cache.get("a", start + MINUTE).unwrap().message, "2");
        for n in 0..2 * MOST {
            cache.put(n.to_string(), answer(""), start + MINUTE);
        }
        assert!(cache.answers.len() <= MOST && cache.order.len() <= MOST);
        let mut none = Cache::new(Duration::ZERO);
        none.put("a".into(), answer(""), start);
        assert!(none.get("a", start).is_none());
    }

    #[test]
    fn a_budget_is_for_a_minute_and_for_a_day() {
        let (mut budget, start) = (Budget::new(2, 3), Instant::now());
        let mut at = |seconds| budget.spend(start + Duration::from_secs(seconds));
        assert_eq!([at(0), at(1), at(2), at(60), at(61), at(86_400)], [true, true, false, true, false, true]);
    }
}
