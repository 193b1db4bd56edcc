//! How each agent speaks to its hooks: what it says becomes calls, and a verdict becomes the answer that it honours. And
//! what has to stand in its settings so that it does.
//!
//! Not here: reading standard input, asking a gateway, deadlines (`rampart-shim`); changing files (`rampart setup`).
//! Everything is values in, values out.

mod actions;
mod claude_code;
mod claude_shape;
mod cline;
mod codex;
mod copilot_cli;
mod cursor;
mod gemini_cli;
mod heard;
mod openclaw;
mod opencode;
mod patch;
mod payload;
mod qwen_code;
mod reply;
mod result;
pub mod setup;

use std::time::Duration;

use rampart_call::{Judgement, Reason, Refusal, TraceParent, strict};
use serde_json::Value;

pub use crate::{
    heard::{Heard, Moment},
    payload::Malformed,
    reply::{Reply, Ruling},
};

/// The longest input that is read, in bytes. Longer input is refused: half a payload says nothing sure.
pub const MAX_INPUT: usize = 4 << 20;

/// Every agent, in the order of the documentation.
pub const ALL: &[&Agent] = &[
    &claude_code::AGENT,
    &codex::AGENT,
    &cline::AGENT,
    &cursor::AGENT,
    &gemini_cli::AGENT,
    &copilot_cli::AGENT,
    &openclaw::AGENT,
    &qwen_code::AGENT,
    &opencode::AGENT,
];

/// The agent of that name or alias.
pub fn find(name: &str) -> Option<&'static Agent> {
    ALL.iter().find(|agent| agent.name == name || agent.aliases.contains(&name)).copied()
}

/// The agent that a program is.
pub fn of_program(program: &str) -> Option<&'static Agent> {
    ALL.iter().find(|agent| agent.programs.contains(&program)).copied()
}

/// Names of all programs that are agents.
pub fn programs() -> Vec<&'static str> {
    ALL.iter().flat_map(|agent| agent.programs).copied().collect()
}

/// One agent's dialect.
#[derive(Debug)]
pub struct Agent {
    /// The name that policies, the audit trail and the command line use.
    pub name: &'static str,
    /// Other names it answers to on the command line.
    pub aliases: &'static [&'static str],
    /// How long the agent waits for a hook unless its configuration says otherwise. Most then run the tool.
    pub timeout: Duration,
    /// Environment variable in which the agent tells its hooks the project's directory.
    pub project_var: Option<&'static str>,
    /// Names of the programs that are this agent. Editors that only contain one are not among them: their terminals are
    /// a person's.
    pub programs: &'static [&'static str],
    hear: fn(&Value, &Facts) -> Result<Heard, Malformed>,
    say: fn(&Heard, &Ruling) -> Reply,
}

/// What the process of the hook knows beside its input.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Absolute working directory, for agents that do not tell theirs.
    pub cwd: Option<String>,
    /// Absolute path that `~` means.
    pub home: Option<String>,
    /// Absolute path of the project; the working directory when the agent does not say.
    pub workspace: Option<String>,
    /// The session Rampart started the agent in; otherwise the agent's own.
    pub session: Option<String>,
    /// How many agents stand between the human and this process.
    pub depth: u32,
    /// The span that the agent was started in (`TRACEPARENT`).
    pub trace: Option<TraceParent>,
}

impl Agent {
    /// What the agent says on its hook's standard input.
    ///
    /// # Errors
    /// When it is empty, too long, not JSON that means one thing, or not what this agent is known to say. Answer with
    /// [`Agent::refuse`].
    pub fn parse(&self, stdin: &[u8], facts: &Facts) -> Result<Heard, Malformed> {
        if stdin.len() > MAX_INPUT {
            return Err(Malformed::new(format!("the input is larger than {} MiB", MAX_INPUT >> 20)));
        }
        let payload =
            strict::parse(stdin).map_err(|e| Malformed::new(format!("the input is not one JSON object: {e}")))?;
        if !payload.is_object() {
            return Err(Malformed::new("the input is JSON, but not an object"));
        }
        (self.hear)(&payload, facts)
    }

    /// The answer to what was not understood or not judged: a refusal in the agent's own protocol.
    pub fn refuse(&'static self, reason: Reason, why: &str) -> Reply {
        let refusal = Refusal { judgement: Judgement::refused(reason, why) };
        Heard::nothing(self).reply(&Ruling::Deny(refusal))
    }
}

#[cfg(test)]
mod tests;
