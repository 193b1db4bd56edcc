//! The `match` of a policy: which calls its rules are about.

use rampart_call::{Phase, Surface};

use crate::{
    read::{Placed, Reader},
    yaml::Node,
};

/// Which calls a policy is about. Keys are ANDed, the entries of one list ORed, and names are text globs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Match {
    pub(crate) agent: Option<Vec<Placed<String>>>,
    pub(crate) session: Option<Vec<Placed<String>>>,
    pub(crate) tool: Option<Vec<Placed<String>>>,
    /// Tools that the policy is not about: what a server offers beyond those that are known.
    pub(crate) not_tool: Option<Vec<Placed<String>>>,
    pub(crate) server: Option<Vec<Placed<String>>>,
    pub(crate) surface: Option<Vec<Surface>>,
    /// JSON-RPC methods.
    pub(crate) method: Option<Vec<Placed<String>>>,
    pub(crate) phase: Option<Phase>,
}

impl Match {
    pub(super) fn read(node: &Node, reader: &mut Reader<'_>) -> Self {
        let Some(mut fields) = reader.fields(node, "`match`") else { return Self::default() };
        if fields.is_empty() {
            let help = "remove it, or name an `agent`, `tool`, `server` or `surface`";
            reader.error_with("empty-match", &node.span, "`match` is empty and selects every call", help);
        }
        let mut texts = |key: &'static str| fields.take(key).map(|n| reader.texts(n, key));
        let (agent, session, tool, server) = (texts("agent"), texts("session"), texts("tool"), texts("server"));
        let not_tool = texts("not_tool");
        let (surface, method, phase) = (texts("surface"), texts("method"), texts("phase"));
        let surfaces = Surface::ALL.map(|s| (s.as_str(), s));
        let surface = surface.map(|list| list.iter().filter_map(|t| reader.word(t, "a surface", &surfaces)).collect());
        let phases = [("before", Phase::Before), ("after", Phase::After)];
        let phase = phase.iter().flatten().find_map(|t| reader.word(t, "a phase", &phases));
        fields.finish(reader);
        Self { agent, session, tool, not_tool, server, surface, method, phase }
    }

    /// It selects some calls and not others.
    pub(crate) fn is_set(&self) -> bool {
        let Self { agent, session, tool, not_tool, server, surface, method, phase } = self;
        [agent, session, tool, not_tool, server, method].iter().any(|l| l.is_some())
            || surface.is_some()
            || phase.is_some()
    }
}
