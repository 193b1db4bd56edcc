//! `first_seen`: `session`, `agent` or `ever`: no allowed call of the session, of the agent, or of anybody has named this
//! host before.

use super::{Fields, Reader, RuleBuilder};
use crate::{history::Circle, pattern::Reading, tool::Tools};

/// The key it stands under.
pub(crate) const KEY: &str = "first_seen";

/// What is written.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Source(Option<Within>);

#[derive(Debug, Clone, Copy)]
enum Within {
    Session,
    Agent,
    Ever,
}

impl Source {
    pub(super) fn read(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Self {
        let word = fields.take(KEY).and_then(|node| reader.text(node, KEY));
        let words = [("session", Within::Session), ("agent", Within::Agent), ("ever", Within::Ever)];
        Self(word.and_then(|text| reader.word(&text, "something within which a host is new", &words)))
    }

    pub(super) fn compile(self, into: &mut RuleBuilder<'_>) {
        let Some(within) = self.0 else { return };
        into.reaches(Tools::CARRIERS.and(Tools::FETCH).and(Tools::CONNECT));
        let all = into.reading == Reading::Exact;
        into.call(KEY, move |facts| {
            let (origin, tool) = (&facts.call.origin, facts.call.action.tool());
            let circle = match within {
                Within::Session => Circle::Session(origin.session.clone()),
                Within::Agent => Circle::Agent(origin.agent.clone()),
                Within::Ever => Circle::Everybody,
            };
            let mut hosts = facts.items.iter().filter_map(|item| item.site.as_ref()).map(|site| &site.host).peekable();
            let is_new = |host: &String| !facts.context.history.has_reached(&circle, host, tool);
            // A part of a call, or its answer, went there because the call was allowed.
            !facts.is_counted() && if all { hosts.peek().is_some() && hosts.all(is_new) } else { hosts.any(is_new) }
        });
    }
}
