//! One compiled rule, and whether it matches a call.

use std::sync::Arc;

use rampart_call::{Action as CallAction, Effect, EffectKind, Phase, RuleRef, Surface};
use regex::Regex;

use crate::{
    Layer,
    condition::{Check, Test, budget, call_count, command::Grant, denied_when_run, detects, first_seen},
    facts::{Facts, Unit},
    pattern::{Reading, TextGlob},
    source::{Action, Match},
    tool::Tools,
};

/// How a question is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskOptions {
    /// The question is kept by Rampart and recorded, not handed to the agent's own prompt.
    pub audit: bool,
    /// It is only asked where nobody watches the session; with a person at it, the rule records.
    pub headless_only: bool,
    /// How many different people must agree. Where it is more than one, the question is kept by Rampart.
    pub approvals: u8,
}

impl AskOptions {
    /// The most people that a rule can ask for.
    pub const MOST_APPROVALS: u8 = 9;
}

impl Default for AskOptions {
    fn default() -> Self {
        Self { audit: false, headless_only: false, approvals: 1 }
    }
}

/// An external service that decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Where to ask.
    pub url: String,
    /// How long to wait, in milliseconds.
    pub timeout_ms: i64,
    /// No answer allows the call.
    pub fail_open: bool,
}

impl Webhook {
    /// How long to wait where the rule does not say, in milliseconds.
    pub const DEFAULT_TIMEOUT_MS: i64 = 5_000;
}

/// One rule of a ruleset.
#[derive(Debug)]
pub struct Rule {
    /// Stable over reloads as long as the rule's text is.
    pub id: String,
    /// Its name and place.
    pub place: RuleRef,
    /// Where its file stands.
    pub layer: Layer,
    /// Lower comes first in explanations.
    pub priority: i64,
    /// What to tell people.
    pub message: String,
    /// How its question is put.
    pub ask: AskOptions,
    /// The service it asks.
    pub webhook: Option<Webhook>,
    /// From when on it no longer holds, in milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
    /// It holds one time.
    pub once: bool,
    /// Nothing overrides it.
    pub locked: bool,
    pub(crate) action: Action,
    pub(crate) matching: Arc<Matching>,
    pub(crate) before: bool,
    pub(crate) after: bool,
    pub(crate) calls: Vec<Test>,
    pub(crate) units: Vec<Test>,
    pub(crate) items: Vec<Test>,
    pub(crate) grant: Option<Grant>,
    /// It names effects and no commands, so that it speaks of a command only by the effects that the command has.
    pub(crate) by_effects: bool,
    /// The same rule read as an allowance: where the default is to deny, its question reaches as far as that would.
    pub(crate) allowance: Option<Box<Rule>>,
    pub(crate) redaction: Option<Redaction>,
}

/// What a rule takes out of a response.
#[derive(Debug)]
pub(crate) struct Redaction {
    pub(crate) regexes: Vec<Regex>,
    pub(crate) detects: detects::Source,
}

/// A compiled `match`.
#[derive(Debug, Default)]
pub(crate) struct Matching {
    agent: Option<Vec<TextGlob>>,
    session: Option<Vec<TextGlob>>,
    server: Option<Vec<TextGlob>>,
    method: Option<Vec<TextGlob>>,
    surface: Option<Vec<Surface>>,
    tool: Option<ToolNames>,
    not_tool: Option<ToolNames>,
}

/// The tools a policy names.
#[derive(Debug)]
pub(crate) struct ToolNames {
    known: Tools,
    /// Names of other tools, in lower case.
    others: Vec<TextGlob>,
}

/// Where a rule matched a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Hit {
    /// The effect, by its number.
    pub(crate) item: Option<usize>,
    /// The command, by its number.
    pub(crate) unit: Option<usize>,
}

impl Rule {
    pub(crate) fn reading(&self) -> Reading {
        if self.action == Action::Allow { Reading::Exact } else { Reading::Broad }
    }

    /// Detectors look for something by it.
    pub(crate) fn searches(&self) -> bool {
        let cuts = self.redaction.as_ref().is_some_and(|redaction| redaction.detects.0.is_some());
        cuts || self.calls.iter().any(|test| test.key == detects::KEY)
    }

    /// It asks what would become of code that is written.
    pub(crate) fn runs_code(&self) -> bool {
        self.calls.iter().any(|test| test.key == denied_when_run::KEY)
    }

    /// What went before decides whether it matches, or whether it still holds.
    pub(crate) fn remembers(&self) -> bool {
        let asks = |test: &Test| [budget::KEY, call_count::KEY, first_seen::KEY].contains(&test.key);
        self.once || self.expires_at_ms.is_some() || self.calls.iter().any(asks)
    }

    /// It is in force: not expired, not used up, and about this phase of a call.
    pub(crate) fn holds(&self, facts: &Facts<'_>) -> bool {
        let context = facts.context;
        self.expires_at_ms.is_none_or(|at| context.now_ms < at)
            && !((self.once || self.expires_at_ms.is_some()) && context.history.is_spent(&self.id))
            && match facts.call.phase {
                Phase::Before => self.before,
                Phase::After => self.after,
            }
    }

    /// Whether it is about such a call of such a tool, whatever else it asks of one.
    pub(crate) fn speaks_of_tool(&self, facts: &Facts<'_>) -> bool {
        self.holds(facts)
            && self.matching.selects(facts)
            && self.matching.tool.as_ref().is_none_or(|tool| tool.names(facts))
    }

    /// Where the rule matches, if it does.
    pub(crate) fn matches(&self, facts: &Facts<'_>) -> Option<Hit> {
        if !self.holds(facts) || !self.matching.selects(facts) || !self.calls.iter().all(|t| passes_call(t, facts)) {
            return None;
        }
        let own = self.matching.tool.as_ref().is_none_or(|tool| tool.names(facts));
        match self.reading() {
            Reading::Broad => self.meets(facts, own),
            Reading::Exact if own => self.covers(facts),
            Reading::Exact => None,
        }
    }

    /// A rule that stops or records: some command and some effect fit.
    fn meets(&self, facts: &Facts<'_>, own: bool) -> Option<Hit> {
        // A call is also what its effects are: `cat x` is judged by the rules for reading.
        let tools = match &self.matching.tool {
            Some(tool) if !own && self.units.is_empty() => tool.known,
            Some(_) if !own => return None,
            _ => Tools::ALL,
        };
        let mut hit = Hit::default();
        if !self.units.is_empty() {
            hit.unit = Some(facts.units.iter().position(|u| self.units.iter().all(|t| passes_unit(t, u)))?);
        }
        if !self.items.is_empty() || !own {
            let fits =
                |i: &usize| facts.items.get(*i).is_some_and(|item| item.tools.meets(tools)) && self.fits(facts, *i);
            hit.item = Some((0..facts.items.len()).find(fits)?);
        }
        Some(hit)
    }

    /// A rule that allows: every command, every redirect and every effect is covered.
    fn covers(&self, facts: &Facts<'_>) -> Option<Hit> {
        if !self.units.is_empty() && !self.covers_commands(facts) {
            return None;
        }
        if !self.items.is_empty() {
            let commands = !self.units.is_empty();
            let mut items = (0..facts.items.len())
                .filter(|i| !(commands && facts.effects.get(*i).is_some_and(|e| e.kind == EffectKind::Exec)))
                .peekable();
            if !facts.complete || (items.peek().is_none() && !commands) || !items.all(|i| self.fits(facts, i)) {
                return None;
            }
        }
        Some(Hit::default())
    }

    fn covers_commands(&self, facts: &Facts<'_>) -> bool {
        if let Some(grant) = &self.grant
            && self.units.len() == 1
            && (grant.is_verbatim(facts) || (facts.complete && grant.has_shape(facts)))
        {
            return true;
        }
        let count = facts.commands().count();
        facts.complete
            && count > 0
            && (!facts.redirected || !self.items.is_empty())
            && (0..count).all(|i| self.covers_command(facts, i))
    }

    /// Whether a rule that allows covers one of the commands, by its number.
    pub(crate) fn covers_command(&self, facts: &Facts<'_>, number: usize) -> bool {
        let Some(unit) = facts.commands().nth(number) else { return false };
        if self.by_effects && !self.speaks_of(facts, unit) {
            return false;
        }
        let passes = |unit: &Unit| self.units.iter().all(|t| passes_unit(t, unit));
        let behind =
            |wrapper: &Unit| passes(wrapper) && self.grant.as_ref().is_some_and(|g| g.covers_behind(wrapper, unit));
        passes(unit) || (unit.via > 0 && facts.commands().take(number).any(behind))
    }

    /// Whether a command has an effect that the rule names.
    fn speaks_of(&self, facts: &Facts<'_>, unit: &Unit) -> bool {
        let Some(shown) = unit.span else { return false };
        let within = |effect: &Effect| effect.span.is_some_and(|s| shown.start <= s.start && s.end <= shown.end);
        (0..facts.items.len()).any(|item| facts.effects.get(item).is_some_and(within) && self.fits(facts, item))
    }

    /// Whether the rule can allow a part of a command line.
    pub(crate) fn may_share(&self, facts: &Facts<'_>) -> bool {
        self.action == Action::Allow
            && !self.units.is_empty()
            && self.holds(facts)
            && self.matching.selects(facts)
            && self.calls.iter().all(|t| passes_call(t, facts))
            && self.matching.tool.as_ref().is_none_or(|tool| tool.names(facts))
    }

    /// Whether every condition about effects holds for one of them.
    pub(crate) fn fits(&self, facts: &Facts<'_>, index: usize) -> bool {
        let (Some(item), Some(effect)) = (facts.items.get(index), facts.effects.get(index)) else { return false };
        self.items.iter().all(|test| match &test.check {
            Check::Item(check) => check(item, effect),
            Check::Call(_) | Check::Unit(_) => false,
        })
    }
}

pub(crate) fn passes_call(test: &Test, facts: &Facts<'_>) -> bool {
    matches!(&test.check, Check::Call(check) if check(facts))
}

pub(crate) fn passes_unit(test: &Test, unit: &Unit) -> bool {
    matches!(&test.check, Check::Unit(check) if check(unit))
}

impl Matching {
    pub(crate) fn compile(source: &Match) -> Self {
        let Match { agent, session, tool, not_tool, server, surface, method, phase: _ } = source;
        let names = |list: &Option<Vec<crate::read::Placed<String>>>| {
            list.as_ref().map(|list| ToolNames::new(list.iter().map(|t| t.value.as_str())))
        };
        let globs = |list: &Option<Vec<crate::read::Placed<String>>>| {
            list.as_ref().map(|list| list.iter().map(|t| TextGlob::new(&t.value)).collect())
        };
        Self {
            agent: globs(agent),
            session: globs(session),
            server: globs(server),
            method: globs(method),
            surface: surface.clone(),
            tool: names(tool),
            not_tool: names(not_tool),
        }
    }

    /// Whether the call is one that the policy is about, apart from the tools that it names.
    pub(crate) fn selects(&self, facts: &Facts<'_>) -> bool {
        let origin = &facts.call.origin;
        let (server, method) = match &facts.call.action {
            CallAction::Mcp { server, method, .. } => (Some(server.as_str()), Some(method.as_str())),
            // Of what a server does by itself only a policy speaks that names the tool for that: one that lets whatever a
            // server offers be called has not opened the network to it.
            _ if self.tool.as_ref().is_some_and(|tool| tool.known != Tools::ALL && tool.known.meets(facts.tool)) => {
                (origin.server.as_deref(), None)
            }
            _ => (None, None),
        };
        let any = |globs: &Option<Vec<TextGlob>>, text: Option<&str>| {
            globs.as_ref().is_none_or(|globs| text.is_some_and(|t| globs.iter().any(|g| g.is_match(t))))
        };
        any(&self.agent, Some(&origin.agent))
            && any(&self.session, Some(&origin.session))
            && any(&self.server, server)
            && any(&self.method, method)
            && self.surface.as_ref().is_none_or(|s| s.contains(&origin.surface))
            && self.not_tool.as_ref().is_none_or(|tools| !tools.names(facts))
    }

    /// The tools the policy names, those without a word of their own as tools of MCP servers and hosts.
    pub(crate) fn tools(&self) -> Tools {
        self.tool.as_ref().map_or(Tools::ALL, ToolNames::reach)
    }

    pub(crate) fn names_tools(&self) -> bool {
        self.tool.is_some()
    }
}

impl ToolNames {
    fn new<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        let mut tools = Self { known: Tools::NONE, others: Vec::new() };
        for name in names.map(str::to_ascii_lowercase) {
            match Tools::NAMED.iter().find(|(word, _)| *word == name) {
                Some((_, tool)) => tools.known = tools.known.and(*tool),
                None if name == "*" => tools.known = Tools::ALL,
                None => tools.others.push(TextGlob::new(&name)),
            }
        }
        tools
    }

    fn reach(&self) -> Tools {
        if self.others.is_empty() { self.known } else { self.known.and(Tools::MCP).and(Tools::OTHER) }
    }

    /// Whether the call is itself by one of these tools.
    fn names(&self, facts: &Facts<'_>) -> bool {
        if self.known.meets(facts.tool) {
            return true;
        }
        let any = |name: &str| self.others.iter().any(|g| g.is_match(&name.to_ascii_lowercase()));
        match &facts.call.action {
            CallAction::Mcp { server, tool, .. } => any(tool) || any(&format!("mcp__{server}__{tool}")),
            CallAction::Tool { name, .. } => any(name),
            _ => false,
        }
    }
}
