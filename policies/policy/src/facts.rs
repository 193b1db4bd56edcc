//! What is known of a call, found out once and before any rule is looked at.

mod arguments;
mod command;
mod path;
mod site;
mod written;

pub(crate) use arguments::naming;

use std::{cell::OnceCell, fmt, ops::Deref};

use rampart_call::{
    Action, Call, CommandLine, Effect, EffectKind, Finding, FindingClass, Located, Phase, Span, Target,
};
use rampart_shell::{Surroundings, service};

use crate::{
    Context, Ruleset,
    pattern::{Domain, Ids, Reading, UrlParts},
    sets::Sets,
    tool::Tools,
};

/// What is known of a call in itself, found out with the patterns of one ruleset. That takes most of the time of a judgement
/// and needs nothing of what went before.
pub struct Known<'a> {
    pub(crate) call: &'a Call,
    /// The tool the call names.
    pub(crate) tool: Tools,
    /// Everything the call would do.
    pub(crate) effects: Vec<Effect>,
    /// The effects as rules see them, in the order of `effects`.
    pub(crate) items: Vec<Item>,
    /// The commands in it, as rules see them.
    pub(crate) units: Vec<Unit>,
    /// Command patterns that match the whole text, letter for letter.
    pub(crate) verbatim: Ids,
    /// Files are opened by redirection, which no pattern for a simple command can cover.
    pub(crate) redirected: bool,
    /// The analysis saw everything it could.
    pub(crate) complete: bool,
    /// Numbers of the rules that may match.
    pub(crate) candidates: Ids,
    pub(crate) findings: OnceCell<Vec<Finding>>,
    /// Why the code in a file that would be written is denied where it runs, if it is and a rule asks.
    pub(crate) denied_when_run: Option<String>,
    /// What the arguments of a tool of a server would write or send.
    contents: OnceCell<String>,
    pub(crate) rampart_home: Option<&'a str>,
}

impl fmt::Debug for Known<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("effects", &self.effects).finish_non_exhaustive()
    }
}

/// What is known of a call, and when it comes.
pub(crate) struct Facts<'a> {
    pub(crate) known: Known<'a>,
    pub(crate) context: &'a Context<'a>,
}

impl<'a> Deref for Facts<'a> {
    type Target = Known<'a>;

    fn deref(&self) -> &Known<'a> {
        &self.known
    }
}

impl<'a> Facts<'a> {
    pub(crate) fn new(call: &'a Call, context: &'a Context<'a>, ruleset: &Ruleset) -> Self {
        Self { known: Known::of(call, context.rampart_home, ruleset), context }
    }

    /// Whether the call is in the history already: this is a part of it, or its answer.
    pub(crate) fn is_counted(&self) -> bool {
        self.context.counted || self.call.phase == Phase::After
    }
}

/// An effect as rules see it.
#[derive(Debug, Default)]
pub(crate) struct Item {
    /// The tools that would have this effect, the call's own included.
    pub(crate) tools: Tools,
    pub(crate) paths: Ids,
    pub(crate) domains: Ids,
    pub(crate) urls: Ids,
    pub(crate) site: Option<Site>,
}

/// A destination as rules see it.
#[derive(Debug, Default)]
pub(crate) struct Site {
    /// Folded host name or address.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    /// In upper case, where it is known.
    pub(crate) method: Option<String>,
    pub(crate) url: Option<UrlParts>,
    /// Addresses: the host itself, and what its name resolved to.
    pub(crate) addresses: Vec<std::net::IpAddr>,
}

/// A command as rules see it.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) kind: UnitKind,
    /// Its words, joined by one space.
    pub(crate) text: String,
    pub(crate) commands: Ids,
    pub(crate) pipelines: Ids,
    pub(crate) contained: Ids,
    /// Variables set for it.
    pub(crate) assignments: Vec<(String, String)>,
    pub(crate) via: usize,
    pub(crate) span: Option<Span>,
}

/// What a [`Unit`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnitKind {
    /// One program and its words.
    Component,
    /// Commands joined by operators.
    Pipeline,
    /// The text as it came.
    Whole,
}

impl<'a> Known<'a> {
    pub(crate) fn of(call: &'a Call, rampart_home: Option<&'a str>, ruleset: &Ruleset) -> Self {
        let sets = &ruleset.sets;
        let mut facts = Self {
            call,
            rampart_home,
            tool: Tools::of(&call.action),
            effects: Vec::new(),
            items: Vec::new(),
            units: Vec::new(),
            verbatim: Ids::default(),
            redirected: false,
            complete: true,
            candidates: Ids::default(),
            findings: OnceCell::new(),
            denied_when_run: None,
            contents: OnceCell::new(),
        };
        let around = facts.surroundings();
        match &call.action {
            Action::Exec { command, .. } => facts.add_command(command, &around, sets),
            Action::Read { paths } => facts.add_paths(EffectKind::Read, paths, &around, sets),
            Action::Write { paths, content } | Action::Edit { paths, content } => {
                facts.add_paths(EffectKind::Write, paths, &around, sets);
                facts.add_instructions(paths, content.as_deref(), &around, sets);
            }
            Action::Fetch { method, url, headers, body, addresses, .. } => {
                facts.add_fetch(method, url, addresses, &around, sets);
                let request = service::Request { method, url, headers, body: body.as_deref() };
                facts.add_request(&request, &around, sets);
            }
            Action::Connect { host, port, addresses } => facts.add_connect(host, *port, addresses, &around, sets),
            Action::Mcp { server, tool, arguments, beside, .. } => {
                facts.add_arguments(server, tool, arguments, &around, sets);
                // What a person gave when the server asked for it reaches the tool like its arguments.
                if let Some(responses) = beside.get("inputResponses") {
                    facts.add_arguments(server, tool, responses, &around, sets);
                }
            }
            Action::Tool { name, input } => facts.add_arguments("", name, input, &around, sets),
        }
        facts.add_own_interface(ruleset.own_ports(), &around, sets);
        facts.candidates = ruleset.index(call.phase).candidates(&facts);
        facts
    }

    fn surroundings(&self) -> Surroundings<'a> {
        let origin = &self.call.origin;
        let cwd = match &self.call.action {
            Action::Exec { cwd, .. } => cwd.as_deref(),
            _ => None,
        };
        Surroundings {
            cwd: cwd.or(origin.workspace.as_deref()),
            home: origin.home.as_deref(),
            workspace: origin.workspace.as_deref(),
            rampart_home: self.rampart_home,
        }
    }

    /// Adds an effect and what rules see of it.
    fn add_effect(&mut self, effect: Effect, around: &Surroundings<'_>, sets: &Sets) {
        let item = self.item_of(&effect, around, sets);
        self.effects.push(effect);
        self.items.push(item);
    }

    /// Takes out the effects with a note.
    pub(crate) fn forget(&mut self, note: &str) {
        let kept: Vec<bool> = self.effects.iter().map(|effect| effect.note != note).collect();
        let mut keep = kept.iter();
        self.effects.retain(|_| keep.next() == Some(&true));
        let mut keep = kept.iter();
        self.items.retain(|_| keep.next() == Some(&true));
    }

    /// Orders to agents in a file that they take their instructions from.
    fn add_instructions(&mut self, paths: &[Located], content: Option<&str>, around: &Surroundings<'_>, sets: &Sets) {
        let told = paths.iter().any(|located| arguments::orders::is_instructions(&located.path));
        if told && content.is_some_and(arguments::orders::are_in) {
            let effect = Effect { note: "agent-config".to_owned(), ..Effect::new(EffectKind::Persist, None) };
            self.add_effect(effect, around, sets);
        }
    }

    /// What rules see of an effect.
    fn item_of(&self, effect: &Effect, around: &Surroundings<'_>, sets: &Sets) -> Item {
        let mut item = Item { tools: self.tool.and(Tools::causing(effect.kind)), ..Item::default() };
        match &effect.target {
            Some(Target::Path { path, written, glob, recursive, .. }) => {
                item.paths = path::find(sets, around, path, written, *glob, *recursive);
            }
            Some(Target::Host { host, port, url }) => {
                site::describe(&mut item, sets, host, *port, url.as_deref());
            }
            _ => {}
        }
        // A read, write, connection or fetch of its own is judged as itself only.
        let itself = Tools::READ.and(Tools::WRITE).and(Tools::EDIT).and(Tools::CONNECT);
        if self.tool.meets(itself) || (self.tool == Tools::FETCH && effect.kind == EffectKind::Net) {
            item.tools = self.tool;
        }
        item
    }

    /// The simple commands in the call.
    pub(crate) fn commands(&self) -> impl Iterator<Item = &Unit> {
        self.units.iter().filter(|u| u.kind == UnitKind::Component)
    }

    /// The call's own tool, and those that would have its effects.
    pub(crate) fn tools(&self) -> Tools {
        self.items.iter().fold(self.tool, |tools, item| tools.and(item.tools))
    }

    /// What would run the code in the files that would be written.
    pub(crate) fn runs_of_code(&self) -> impl Iterator<Item = CommandLine> {
        let code = self.body().filter(|_| self.call.phase == Phase::Before);
        let paths = self.effects.iter().filter(|effect| effect.kind == EffectKind::Write);
        let paths = paths.filter_map(|effect| match &effect.target {
            Some(Target::Path { path, .. }) => Some(path.as_str()),
            _ => None,
        });
        code.into_iter().flat_map(move |code| paths.clone().flat_map(move |path| written::commands(path, code)))
    }

    /// What the call sends or, after it happened, what came back.
    pub(crate) fn content(&self) -> String {
        if self.call.phase == Phase::After {
            return self.call.response.as_ref().map(|r| r.text.clone()).unwrap_or_default();
        }
        match &self.call.action {
            Action::Exec { command, .. } => command.to_line(),
            Action::Write { content, .. } | Action::Edit { content, .. } => content.clone().unwrap_or_default(),
            Action::Read { .. } => String::new(),
            // A name can carry something to whoever answers for it, in one label or over several.
            Action::Connect { host, .. } => format!("{host}\n{}", host.replace('.', "")),
            Action::Fetch { url, headers, body, .. } => {
                // by these a request says who makes it, and a key is where it belongs
                let headers = headers.iter().filter(|(name, _)| !authenticates(name));
                let headers = headers.map(|(k, v)| format!("{k}: {v}\n"));
                let body = body.as_deref().unwrap_or_default();
                format!("{url}\n{}\n{body}", headers.collect::<String>())
            }
            Action::Mcp { .. } => self.call.action.mcp_text().unwrap_or_default(),
            Action::Tool { input, .. } => input.to_string(),
        }
    }

    /// What the detectors find in [`Self::content`].
    pub(crate) fn findings(&self) -> &[Finding] {
        self.findings.get_or_init(|| {
            let mut found = rampart_scan::scan(&self.content());
            found.retain(|finding| !self.is_issuers_own(finding) && !self.is_reported(finding));
            found
        })
    }

    /// A token in the path of a request to its issuer's own host: `https://hooks.slack.com/services/..` is asked for so.
    fn is_issuers_own(&self, finding: &Finding) -> bool {
        let (Action::Fetch { url, .. }, Phase::Before) = (&self.call.action, self.call.phase) else { return false };
        let path = url.split(['?', '#']).next().unwrap_or(url);
        let host_end = path.find("://").and_then(|at| Some(at + 3 + path.get(at + 3..)?.find('/')?));
        // the URL stands first in what is scanned
        let within = host_end.is_some_and(|start| finding.span.start >= start && finding.span.end <= path.len());
        if finding.class != FindingClass::Secret || !finding.layers.is_empty() || !within {
            return false;
        }
        let host = UrlParts::parse(url).map(|url| url.host).unwrap_or_default();
        let is_at = |known: &String| Domain::new(known, Reading::Exact).is_ok_and(|domain| domain.is_match(&host));
        let own = |hosts: &[String]| hosts.iter().any(is_at);
        rampart_scan::detectors().any(|detector| detector.id() == finding.detector && own(detector.hosts()))
    }

    /// Words of an injection that somebody reports in quotation marks: `the ticket said "ignore .."`.
    fn is_reported(&self, finding: &Finding) -> bool {
        const SAID: &[&str] =
            &["asked", "contained", "contains", "quoted", "read", "reads", "said", "says", "saying", "text", "wrote"];
        let plain = finding.class == FindingClass::Injection && finding.layers.is_empty();
        if !plain || self.call.phase != Phase::Before || !matches!(self.call.action, Action::Mcp { .. }) {
            return false;
        }
        let text = self.content();
        let (Some(before), Some(behind)) = (text.get(..finding.span.start), text.get(finding.span.end..)) else {
            return false;
        };
        // in JSON a mark of the text stands behind a backslash
        let marks = [('\u{201c}', '\u{201d}'), ('\u{ab}', '\u{bb}'), ('`', '`')];
        let opened = before.rfind("\\\"").map(|at| (at, "\\\"".to_owned()));
        let opened =
            opened.or_else(|| marks.iter().find_map(|(open, close)| Some((before.rfind(*open)?, close.to_string()))));
        let Some((at, close)) = opened else { return false };
        let lead = before.get(..at).unwrap_or("").trim_end_matches([' ', ':', ',']);
        let last = lead.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or("").to_lowercase();
        let inside = before.get(at..).unwrap_or("");
        SAID.contains(&last.as_str()) && inside.len() < 300 && !inside.contains("\\n") && behind.contains(&close)
    }

    /// The text of a request's body, of a file that is written, or of the arguments that may be either.
    pub(crate) fn body(&self) -> Option<&str> {
        match &self.call.action {
            Action::Fetch { body, .. } => body.as_deref(),
            Action::Write { content, .. } | Action::Edit { content, .. } => content.as_deref(),
            Action::Mcp { arguments, .. } => Some(self.contents.get_or_init(|| arguments::contents(arguments))),
            _ => None,
        }
    }
}

/// Whether a header of that name says who makes a request: `Authorization` (RFC 9110), `Cookie`, and the keys that services
/// ask for.
fn authenticates(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(name.as_str(), "authorization" | "proxy-authorization" | "cookie")
        || ["-key", "apikey", "-token", "_token", "-signature"].iter().any(|end| name.ends_with(end))
}
