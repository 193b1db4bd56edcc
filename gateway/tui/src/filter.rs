//! Which decisions are shown. Looks at rows that are there already, so that it can be changed at any time.

use rampart_call::Outcome;

use crate::row::Row;

/// What decisions must be like; all that is set must hold. Records that are no decisions are shown while nothing but
/// `text` is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// What policy said.
    pub decision: Option<Outcome>,
    /// The action's word (`exec`, `mcp`, ...), or the name of the MCP or host tool.
    pub tool: Option<String>,
    /// The agent.
    pub agent: Option<String>,
    /// The session.
    pub session: Option<String>,
    /// Stands in one of the row's texts, whatever the case of its ASCII letters.
    pub text: String,
}

impl Filter {
    /// Whether it lets everything through.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn admits(&self, row: &Row) -> bool {
        let Self { decision, tool, agent, session, text } = self;
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        decision.is_none_or(|wanted| row.outcome == Some(wanted))
            && tool.as_deref().is_none_or(|wanted| row.outcome.is_some() && (row.tool == wanted || row.own == wanted))
            && is(agent, &row.agent)
            && is(session, &row.session)
            && (text.is_empty() || row.haystack.contains(&text.to_ascii_lowercase()))
    }

    /// In words, for the line that says why less is shown.
    pub(crate) fn in_words(&self) -> String {
        let Self { decision, tool, agent, session, text } = self;
        let mut words = Vec::new();
        words.extend(decision.map(|decision| format!("decision {decision}")));
        for (name, value) in [("tool", tool), ("agent", agent), ("session", session)] {
            words.extend(value.as_ref().map(|value| format!("{name} {}", crate::text::line(value, 30))));
        }
        if !text.is_empty() {
            words.push(format!("/{}", crate::text::line(text, 30)));
        }
        words.join("  ")
    }
}
