//! What an agent told its hook.

use rampart_call::{Action, Call, Origin, Phase, Response, Surface};
use serde_json::Value;

use crate::{Agent, Facts, Reply, Ruling, result};

/// What an agent told its hook: the calls to judge, and what the answer must be shaped for.
#[derive(Debug)]
pub struct Heard {
    /// The agent whose dialect the answer is in. Not always the one that was expected: Cursor also runs the hooks it
    /// finds in Claude Code's settings.
    pub agent: &'static Agent,
    /// The host's word for the event; empty when the input was not understood.
    pub event: String,
    /// What may be answered.
    pub moment: Moment,
    /// What to judge. Never empty before or after a tool; always empty for other events.
    pub calls: Vec<Call>,
    /// The directory that relative paths start from.
    pub cwd: Option<String>,
    /// What the tool gave back, in the host's shape.
    pub(crate) result: Value,
}

/// Where in the life of a tool call the event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before a tool runs.
    Before,
    /// The host is about to ask its human.
    Permission,
    /// A tool ran; the agent has not seen the result yet.
    After,
    /// Nothing to judge: a session starts or ends, a prompt, a notification.
    Other,
}

impl Heard {
    /// For input that was not understood.
    pub(crate) fn nothing(agent: &'static Agent) -> Self {
        let event = String::new();
        Self { agent, event, moment: Moment::Before, calls: Vec::new(), cwd: None, result: Value::Null }
    }

    /// For an event with nothing to judge.
    pub(crate) fn other(agent: &'static Agent, event: &str) -> Self {
        Self { event: event.to_owned(), moment: Moment::Other, ..Self::nothing(agent) }
    }

    /// Whether the agent says that a session of it begins: its hooks are in place.
    pub fn begins(&self) -> bool {
        let begin = ["SessionStart", "sessionStart", "agent_start", "plugin.init"];
        self.moment == Moment::Other && begin.contains(&self.event.as_str())
    }

    /// The answer, in the agent's own protocol.
    pub fn reply(&self, ruling: &Ruling) -> Reply {
        (self.agent.say)(self, ruling)
    }
}

/// A tool call as a host told it.
pub(crate) struct ToolCall<'a> {
    pub(crate) agent: &'static Agent,
    pub(crate) event: &'a str,
    pub(crate) moment: Moment,
    pub(crate) session: &'a str,
    pub(crate) run: Option<&'a str>,
    /// Told by an agent that another agent started.
    pub(crate) by_subagent: bool,
    pub(crate) cwd: Option<&'a str>,
    pub(crate) result: Value,
    /// The host has a prompt of its own that a hook can call up.
    pub(crate) can_ask: bool,
}

impl ToolCall<'_> {
    pub(crate) fn heard(self, actions: Vec<Action>, facts: &Facts) -> Heard {
        let cwd = self.cwd.map(str::to_owned).or_else(|| facts.cwd.clone());
        let origin = Origin {
            surface: Surface::Hook,
            agent: self.agent.name.to_owned(),
            session: facts.session.clone().unwrap_or_else(|| self.session.to_owned()),
            run: self.run.map(str::to_owned),
            depth: facts.depth.saturating_add(u32::from(self.by_subagent)),
            workspace: facts.workspace.clone().or_else(|| cwd.clone()),
            home: facts.home.clone(),
            can_ask: self.can_ask && self.moment == Moment::Before,
            trace: facts.trace,
            ..Origin::default()
        };
        let after = self.moment == Moment::After;
        let response = after.then(|| Response { text: result::text(&self.result), ..Response::default() });
        let call = |action| Call {
            origin: origin.clone(),
            phase: if after { Phase::After } else { Phase::Before },
            action,
            response: response.clone(),
        };
        let calls = actions.into_iter().map(call).collect();
        Heard { agent: self.agent, event: self.event.to_owned(), moment: self.moment, calls, cwd, result: self.result }
    }
}
