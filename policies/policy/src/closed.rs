//! Which tools policy closes: whatever they are called with, the call is refused.

use rampart_call::{Action as CallAction, Call, Outcome, Reason};
use serde_json::Value;

use crate::{Context, Layer, Rule, Ruleset, facts::Facts, source::Action};

impl Ruleset {
    /// Whether a call of this MCP tool is refused with any arguments: by a rule that asks nothing of them, or by default
    /// where no rule could let one pass. Those that `call` has are not looked at. Where it cannot be told, it is not closed:
    /// this answers what to show, and each call is judged all the same.
    pub fn closes(&self, call: &Call, context: &Context<'_>) -> bool {
        let mut bare = call.clone();
        match &mut bare.action {
            CallAction::Mcp { arguments, beside, .. } => (*arguments, *beside) = (Value::Null.into(), Value::Null),
            _ => return false,
        }
        let facts = Facts { known: self.look_at(&bare, context.rampart_home), context };
        let decision = self.decide(&facts, &self.matches(&facts));
        if decision.outcome != Outcome::Deny {
            return false;
        }
        let may_pass = |rule: &Rule| rule.may_pass(&facts);
        match decision.by {
            Some(m) if !m.rule.is_unconditional() => false,
            Some(m) if m.rule.locked => true,
            Some(_) => !self.rules.iter().any(|rule| rule.layer == Layer::Overrides && may_pass(rule)),
            None => decision.reason == Reason::Default && !self.rules.iter().any(may_pass),
        }
    }
}

impl Rule {
    /// It asks nothing but who calls which tool.
    fn is_unconditional(&self) -> bool {
        self.calls.is_empty() && self.units.is_empty() && self.items.is_empty()
    }

    /// With some arguments it could be what lets the call go on.
    fn may_pass(&self, facts: &Facts<'_>) -> bool {
        !matches!(self.action, Action::Deny | Action::Redact) && self.speaks_of_tool(facts)
    }
}
