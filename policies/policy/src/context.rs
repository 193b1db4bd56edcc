//! What a judgement depends on besides the call and the rules.

use std::collections::BTreeSet;

use crate::History;

/// What the gateway knows at the moment of a judgement.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The time in milliseconds since 1970.
    pub now_ms: i64,
    /// Nobody is there who could answer a question.
    pub headless: bool,
    /// The session's labels, such as `secret-read`.
    pub labels: &'a BTreeSet<String>,
    /// What the call starts is looked at while it runs: it belongs to a session in a jail, whose every exec is judged.
    pub confined: bool,
    /// The tools that are being called of the MCP server whose own doing the call is.
    pub called: &'a [String],
    /// What was called before.
    pub history: &'a History,
    /// The call is among them already: this is a part of it.
    pub counted: bool,
    /// Absolute path of Rampart's own home, where it is not `~/.rampart`.
    pub rampart_home: Option<&'a str>,
}
