//! `budget`: `{ per: host, window: 1h, requests: 100, sent: 10MB, received: 1GB, time: 10m }`: within the last hour, what
//! this call and those before it to the same host used goes beyond one of these. Bytes and time are those of the egress
//! proxy; a body that passes while the budget runs out is broken off.

use super::{Fields, Reader, RuleBuilder, body_size::size};
use crate::{
    facts::Facts,
    history::{LONGEST_WINDOW_MS, Per},
    tool::Tools,
};

/// The key it stands under.
pub(crate) const KEY: &str = "budget";

/// What is written.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Source(Option<Budget>);

#[derive(Debug, Clone, Copy)]
struct Budget {
    per: Per,
    window_ms: i64,
    requests: Option<u64>,
    sent: Option<u64>,
    received: Option<u64>,
    millis: Option<u64>,
}

impl Source {
    pub(super) fn read(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Self {
        let Some(node) = fields.take(KEY) else { return Self(None) };
        let Some(mut fields) = reader.fields(node, "`budget`") else { return Self(None) };
        let per = fields.take("per").and_then(|n| reader.text(n, "per"));
        let words = [("host", Per::Host), ("session", Per::Session), ("agent", Per::Agent)];
        let per = per.and_then(|text| reader.word(&text, "something a budget is kept for", &words));
        let window = fields.take("window").and_then(|n| reader.duration(n, "window"));
        let positive = |number: i64| u64::try_from(number).ok();
        let requests = fields.take("requests").and_then(|n| reader.number(n, "requests")).and_then(positive);
        let mut bytes = |key| fields.take(key).and_then(|n| size(reader, n, key)).and_then(positive);
        let (sent, received) = (bytes("sent"), bytes("received"));
        let millis = fields.take("time").and_then(|n| reader.duration(n, "time")).and_then(positive);
        fields.finish(reader);
        let help = "write it like `{ per: host, window: 1h, requests: 100, sent: 10MB, received: 1GB, time: 10m }`";
        let Some(window_ms) = window else {
            reader.error_with("missing-key", &node.span, "`budget` needs `window`", help);
            return Self(None);
        };
        if window_ms > LONGEST_WINDOW_MS {
            reader.error("never-true", &node.span, "what was used is known for eight days; the window is longer");
        }
        if [requests, sent, received, millis].iter().all(Option::is_none) {
            let message = "`budget` limits nothing: it needs `requests`, `sent`, `received` or `time`";
            reader.error_with("missing-key", &node.span, message, help);
            return Self(None);
        }
        Self(Some(Budget { per: per.unwrap_or(Per::Host), window_ms, requests, sent, received, millis }))
    }

    pub(super) fn compile(&self, into: &mut RuleBuilder<'_>) {
        let Some(budget) = self.0 else { return };
        into.reaches(Tools::FETCH.and(Tools::CONNECT));
        into.call(KEY, move |facts| budget.is_spent(facts));
    }
}

impl Budget {
    fn is_spent(&self, facts: &Facts<'_>) -> bool {
        let (call, context) = (facts.call, facts.context);
        let used = context.history.usage(self.per, call, self.window_ms, context.now_ms);
        let fetch = |tool: &str| tool == "fetch";
        let requests = context.history.count(self.per, call, self.window_ms, context.now_ms, fetch);
        let (own, announced) = match &call.action {
            rampart_call::Action::Fetch { body_size, .. } if !facts.is_counted() => (1, body_size.unwrap_or(0)),
            _ => (0, 0),
        };
        let beyond = |limit: Option<u64>, used: u64| limit.is_some_and(|limit| used > limit);
        // A connection by itself is no request: it is refused where there is nothing left for one.
        let full = |limit: Option<u64>, used: u64| own == 0 && !facts.is_counted() && limit.is_some_and(|l| used >= l);
        beyond(self.requests, requests.saturating_add(own))
            || full(self.requests, requests)
            || beyond(self.sent, used.sent.saturating_add(announced))
            || [(self.received, used.received), (self.millis, used.millis)].into_iter().any(|(limit, used)| {
                // What comes back is not known before it comes: whoever has used all of it gets no more.
                limit.is_some_and(|limit| if facts.is_counted() { used > limit } else { used >= limit })
            })
    }
}
