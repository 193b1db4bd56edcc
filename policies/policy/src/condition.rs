//! The conditions of a rule. One file each; a new one is a field of [`When`], and the destructuring in
//! [`When::compile`] does not build until it is compiled in.

mod agent_depth;
mod body;
mod body_size;
pub(crate) mod budget;
pub(crate) mod call_count;
pub(crate) mod command;
mod command_env_assignments;
mod confined;
mod content_type;
pub(crate) mod denied_when_run;
pub(crate) mod detects;
mod domain;
mod during;
mod effect;
pub(crate) mod first_seen;
mod header;
mod ip_in;
mod label;
mod method;
mod path;
mod port;
mod response;
mod session;
pub(crate) mod tool_param;
mod tool_param_range;
mod url;
mod url_path;

use rampart_call::{Effect, EffectKind};

pub(crate) use response::{compiled as response_regexes, spans as response_spans};

use crate::{
    facts::{Facts, Item, Unit},
    pattern::Reading,
    read::{Fields, Placed, Reader},
    sets::SetsBuilder,
    tool::Tools,
    yaml::Node,
};

/// What a rule asks for, as it is written. The keys of a `when:`.
#[derive(Debug, Clone, Default)]
pub(crate) struct When {
    pub(crate) command: command::Source,
    pub(crate) command_env_assignments: command_env_assignments::Source,
    pub(crate) path: Pair,
    pub(crate) url: Pair,
    pub(crate) domain: Pair,
    pub(crate) method: method::Source,
    pub(crate) port: port::Source,
    pub(crate) ip_in: ip_in::Source,
    pub(crate) url_path: Pair,
    pub(crate) header: header::Source,
    pub(crate) body: body::Source,
    pub(crate) body_size: body_size::Source,
    pub(crate) content_type: Pair,
    pub(crate) budget: budget::Source,
    pub(crate) first_seen: first_seen::Source,
    pub(crate) response: Pair,
    pub(crate) session: Pair,
    pub(crate) during: Pair,
    pub(crate) agent_depth: agent_depth::Source,
    pub(crate) confined: confined::Source,
    pub(crate) tool_param: tool_param::Source,
    pub(crate) tool_param_range: tool_param_range::Source,
    pub(crate) call_count: call_count::Source,
    pub(crate) effect: effect::Source,
    pub(crate) label: label::Source,
    pub(crate) detects: detects::Source,
    pub(crate) denied_when_run: denied_when_run::Source,
    /// `default: true`: it always holds.
    pub(crate) default: bool,
}

impl When {
    /// Reads the mapping behind `when:`.
    pub(crate) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let mut fields = reader.fields(node, "`when`")?;
        if fields.is_empty() {
            reader.error_with(
                "empty-when",
                &node.span,
                "`when` is empty",
                "write `when: { default: true }` if the rule is to match every call that the policy's `match` selects",
            );
        }
        let f = &mut fields;
        let when = Self {
            command: command::Source::read(f, reader),
            command_env_assignments: command_env_assignments::Source::read(f, reader),
            path: Pair::read(f, reader, "path_matches", "path_not_matches"),
            url: Pair::read(f, reader, "url_matches", "url_not_matches"),
            domain: Pair::read(f, reader, "domain_matches", "domain_not_matches"),
            method: method::Source::read(f, reader),
            port: port::Source::read(f, reader),
            ip_in: ip_in::Source::read(f, reader),
            url_path: Pair::read(f, reader, "url_path_matches", "url_path_not_matches"),
            header: header::Source::read(f, reader),
            body: body::Source::read(f, reader),
            body_size: body_size::Source::read(f, reader),
            content_type: Pair::read(f, reader, "content_type_matches", "content_type_not_matches"),
            budget: budget::Source::read(f, reader),
            first_seen: first_seen::Source::read(f, reader),
            response: Pair::read(f, reader, "response_matches", "response_not_matches"),
            session: Pair::read(f, reader, "session_matches", "session_not_matches"),
            during: Pair::read(f, reader, "during_matches", "during_not_matches"),
            agent_depth: agent_depth::Source::read(f, reader),
            confined: confined::Source::read(f, reader),
            tool_param: tool_param::Source::read(f, reader),
            tool_param_range: tool_param_range::Source::read(f, reader),
            call_count: call_count::Source::read(f, reader),
            effect: effect::Source::read(f, reader),
            label: label::Source::read(f, reader),
            detects: detects::Source::read(f, reader),
            denied_when_run: denied_when_run::Source::read(f, reader),
            default: default(f, reader),
        };
        fields.finish(reader);
        Some(when)
    }

    /// Compiles every condition into `into`.
    pub(crate) fn compile(&self, into: &mut RuleBuilder<'_>, reader: &mut Reader<'_>) {
        let Self {
            command,
            command_env_assignments,
            path,
            url,
            domain,
            method,
            port,
            ip_in,
            url_path,
            header,
            body,
            body_size,
            content_type,
            budget,
            first_seen,
            response,
            session,
            during,
            agent_depth,
            confined,
            tool_param,
            tool_param_range,
            call_count,
            effect,
            label,
            detects,
            denied_when_run,
            default: _,
        } = self;
        command.compile(into);
        command_env_assignments.compile(into);
        path::compile(path, into, reader);
        url::compile(url, into, reader);
        domain::compile(domain, into, reader);
        method.compile(into);
        port.compile(into);
        ip_in.compile(into);
        url_path::compile(url_path, into);
        header.compile(into);
        body.compile(into, reader);
        body_size.compile(into);
        content_type::compile(content_type, into);
        budget.compile(into);
        first_seen.compile(into);
        response::compile(response, into, reader);
        session::compile(session, into);
        during::compile(during, into);
        agent_depth.compile(into);
        confined.compile(into);
        tool_param.compile(into);
        tool_param_range.compile(into);
        call_count.compile(into);
        effect.compile(into);
        label.compile(into);
        detects.compile(into);
        denied_when_run.compile(into);
    }
}

fn default(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> bool {
    let Some(node) = fields.take("default") else { return false };
    match reader.flag(node, "default") {
        Some(false) => {
            let help = "remove the key, or the rule";
            reader.error_with("never-true", &node.span, "`default: false` never matches", help);
            false
        }
        other => other.unwrap_or(false),
    }
}

/// Patterns of which one must match, and patterns of which none may.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pair {
    pub(crate) yes: Option<Vec<Placed<String>>>,
    pub(crate) no: Option<Vec<Placed<String>>>,
}

impl Pair {
    fn read(fields: &mut Fields<'_>, reader: &mut Reader<'_>, yes: &'static str, no: &'static str) -> Self {
        let mut take = |key: &'static str| fields.take(key).map(|node| reader.texts(node, key));
        Self { yes: take(yes), no: take(no) }
    }

    pub(crate) fn is_set(&self) -> bool {
        self.yes.is_some() || self.no.is_some()
    }
}

/// One compiled condition.
pub(crate) struct Test {
    /// The key it stands under.
    pub(crate) key: &'static str,
    pub(crate) check: Check,
}

impl std::fmt::Debug for Test {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.key)
    }
}

/// A predicate over an effect.
type ItemCheck = Box<dyn Fn(&Item, &Effect) -> bool + Send + Sync>;

/// What a condition looks at.
pub(crate) enum Check {
    /// The call as a whole.
    Call(Box<dyn Fn(&Facts<'_>) -> bool + Send + Sync>),
    /// A command in it.
    Unit(Box<dyn Fn(&Unit) -> bool + Send + Sync>),
    /// An effect of it.
    Item(ItemCheck),
}

/// By what a rule is found. Rules that have one are looked at only when a fact of the call has it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Trigger {
    Command(u32),
    Pipeline(u32),
    Contained(u32),
    Path(u32),
    Domain(u32),
    Url(u32),
    Kind(EffectKind),
    Tool(Tools),
}

/// A rule being compiled.
pub(crate) struct RuleBuilder<'a> {
    /// How the rule's positive patterns are read.
    pub(crate) reading: Reading,
    pub(crate) sets: &'a mut SetsBuilder,
    pub(crate) tests: Vec<Test>,
    /// The facts one of which a matching call has; none when that cannot be said.
    pub(crate) triggers: Option<Vec<Trigger>>,
    /// The key of the `command_*` patterns by which a grant covers a whole command line.
    pub(crate) grant: Option<command::Grant>,
    /// It looks at responses.
    pub(crate) after: bool,
    /// It looks at what calls send or get.
    pub(crate) content: bool,
    /// The tools that its conditions can meet.
    pub(crate) reach: Tools,
}

impl<'a> RuleBuilder<'a> {
    pub(crate) fn new(reading: Reading, sets: &'a mut SetsBuilder) -> Self {
        Self {
            reading,
            sets,
            tests: Vec::new(),
            triggers: None,
            grant: None,
            after: false,
            content: false,
            reach: Tools::ALL,
        }
    }

    /// The reading of an exception: exact where the rule is broad, broad where it is exact.
    pub(crate) fn exception(&self) -> Reading {
        match self.reading {
            Reading::Broad => Reading::Exact,
            Reading::Exact => Reading::Broad,
        }
    }

    pub(crate) fn call(&mut self, key: &'static str, test: impl Fn(&Facts<'_>) -> bool + Send + Sync + 'static) {
        self.tests.push(Test { key, check: Check::Call(Box::new(test)) });
    }

    pub(crate) fn unit(&mut self, key: &'static str, test: impl Fn(&Unit) -> bool + Send + Sync + 'static) {
        self.tests.push(Test { key, check: Check::Unit(Box::new(test)) });
    }

    pub(crate) fn item(&mut self, key: &'static str, test: impl Fn(&Item, &Effect) -> bool + Send + Sync + 'static) {
        self.tests.push(Test { key, check: Check::Item(Box::new(test)) });
    }

    /// Says by what the rule can be found. The first condition that can say it is asked; patterns come first.
    pub(crate) fn found_by(&mut self, triggers: impl IntoIterator<Item = Trigger>) {
        if self.triggers.is_none() {
            self.triggers = Some(triggers.into_iter().collect());
        }
    }

    /// Says which tools a condition can meet.
    pub(crate) fn reaches(&mut self, tools: Tools) {
        self.reach = self.reach.within(tools);
    }
}
