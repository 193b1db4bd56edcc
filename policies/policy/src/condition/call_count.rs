//! `call_count`: `{ tool: fetch, gte: 10, window: 1m, per: session }`: the call is at least the tenth of its kind within
//! the last minute. The call that is judged counts. `tool` is any tool, `per` is `session` where they are not named.

use super::{Fields, Placed, Reader, RuleBuilder};
use crate::{
    history::{LONGEST_WINDOW_MS, Per},
    pattern::TextGlob,
};

/// The key it stands under.
pub(crate) const KEY: &str = "call_count";

/// What is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source(pub(crate) Option<Limit>);

/// A number of calls within a length of time.
#[derive(Debug, Clone)]
pub(crate) struct Limit {
    pub(crate) tool: Option<Vec<Placed<String>>>,
    pub(crate) gte: u64,
    pub(crate) window_ms: i64,
    pub(crate) per: Per,
}

impl Source {
    pub(super) fn read(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Self {
        let Some(node) = fields.take(KEY) else { return Self(None) };
        let Some(mut fields) = reader.fields(node, "`call_count`") else { return Self(None) };
        let tool = fields.take("tool").map(|n| reader.texts(n, "tool"));
        let gte = fields.take("gte").and_then(|n| reader.number(n, "gte"));
        let window = fields.take("window").and_then(|n| reader.duration(n, "window"));
        let per = fields.take("per").and_then(|n| reader.text(n, "per"));
        let words = [("agent", Per::Agent), ("session", Per::Session), ("tool", Per::Tool), ("host", Per::Host)];
        let per = per.and_then(|text| reader.word(&text, "something calls are counted by", &words));
        fields.finish(reader);
        let (Some(gte), Some(window_ms)) = (gte, window) else {
            let help = "write it like `{ tool: fetch, gte: 10, window: 1m }`";
            reader.error_with("missing-key", &node.span, "`call_count` needs `gte` and `window`", help);
            return Self(None);
        };
        let Some(gte) = u64::try_from(gte).ok().filter(|n| *n > 0) else {
            reader.error("always-true", &node.span, "`gte` below 1 counts nothing");
            return Self(None);
        };
        if window_ms > LONGEST_WINDOW_MS {
            reader.error("never-true", &node.span, "calls are counted for eight days; the window is longer");
        }
        Self(Some(Limit { tool, gte, window_ms, per: per.unwrap_or(Per::Session) }))
    }

    pub(super) fn compile(&self, into: &mut RuleBuilder<'_>) {
        let Some(Limit { tool, gte, window_ms, per }) = self.0.clone() else { return };
        let globs: Vec<TextGlob> = tool.iter().flatten().map(|t| TextGlob::new(&t.value)).collect();
        into.call(KEY, move |facts| {
            let fits = |name: &str| globs.is_empty() || globs.iter().any(|g| g.is_match(name));
            let context = facts.context;
            let before = context.history.count(per, facts.call, window_ms, context.now_ms, fits);
            fits(facts.call.action.tool()) && before + u64::from(!facts.is_counted()) >= gte
        });
    }
}
