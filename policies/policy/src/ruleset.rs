//! Policy files compiled into one ruleset.

use std::sync::{Arc, OnceLock};

use rampart_call::{Outcome, RuleRef};
use sha2::{Digest, Sha256};

use crate::{
    AskOptions, Diagnostic, Notify, Override, Rule, Severity,
    condition::{Check, RuleBuilder, Test, Trigger, command::Grant},
    index::Index,
    pattern::Reading,
    read::{Placed, Reader},
    rule::{Matching, Redaction},
    sets::{Sets, SetsBuilder},
    source::{self, Action, Document, PolicySource, RuleSource, TestSource},
    spelling::nearest,
    tool::Tools,
};

/// A policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its name for people, such as `~/.rampart/policies/custom.yaml`.
    pub name: String,
    /// What it holds.
    pub text: String,
    /// Where it stands.
    pub layer: Layer,
}

/// Where a policy file stands, and so what it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layer {
    /// A profile or pack that is managed by Rampart.
    Profile,
    /// A file of the user's own.
    User,
    /// The user's overrides, written by `rampart allow` and `rampart block`. Only a locked denial is above them.
    Overrides,
    /// A file of the project, which may only restrict.
    Project,
}

/// A ruleset, and what is odd about the files it came from.
#[derive(Debug)]
pub struct Loaded {
    /// What is in force.
    pub ruleset: Ruleset,
    /// What may not mean what its author thinks.
    pub warnings: Vec<Diagnostic>,
}

/// Compiled policy. Immutable; a change is a new one.
#[derive(Debug)]
pub struct Ruleset {
    pub(crate) rules: Vec<Rule>,
    pub(crate) sets: Sets,
    pub(crate) default_action: Outcome,
    pub(crate) before: Index,
    pub(crate) after: Index,
    pub(crate) hash: String,
    /// Empty until it is known where our own interface listens.
    own_ports: OnceLock<Vec<u16>>,
    /// The rules that hold once, by their numbers.
    pub(crate) once: Vec<usize>,
    /// What went before decides whether one of the rules matches.
    remembers: bool,
    policies: Vec<Policy>,
    notify: Vec<Notify>,
}

/// A policy, for lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The file it stands in.
    pub file: String,
    /// Where that file stands.
    pub layer: Layer,
    /// Lower comes first in explanations.
    pub priority: i64,
    /// Its rules are in force.
    pub enabled: bool,
    /// How many rules it has.
    pub rules: usize,
}

/// Compiles policy files. Their order does not matter.
///
/// # Errors
/// Everything that is wrong with them; then nothing is loaded.
pub fn load(files: &[SourceFile]) -> Result<Loaded, Vec<Diagnostic>> {
    compile(files).map(|(loaded, _)| loaded)
}

/// Compiles policy files, and hands out their tests with the names of their files.
pub(crate) fn compile(files: &[SourceFile]) -> Result<Compiled, Vec<Diagnostic>> {
    // what cannot be analysed or scanned cannot be judged: a broken part of the program shows before the first call
    rampart_shell::ready();
    let _ = rampart_scan::detectors().next();
    let mut files: Vec<&SourceFile> = files.iter().collect();
    files.sort_by_key(|f| (f.layer, &f.name));
    let mut compiler = Compiler::new();
    let mut hash = Sha256::new();
    let mut documents = Vec::with_capacity(files.len());
    for file in files {
        for part in [file.name.as_bytes(), file.text.as_bytes()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.update([file.layer as u8]);
        let mut reader = Reader::new(&file.name, &file.text);
        let document = source::read(&file.text, file.layer, &mut reader);
        compiler.defaults.extend(document.default_action.as_ref().map(|d| d.value));
        documents.push((file, document, reader));
    }
    for (file, document, reader) in documents {
        compiler.add(file, document, reader);
    }
    compiler.finish(hex::encode(hash.finalize()))
}

/// A compiled rule, and by what it is found.
type Found = (Rule, Option<Vec<Trigger>>);

/// What files come to: the ruleset, and their tests with the names of their files.
type Compiled = (Loaded, Vec<(String, TestSource)>);

/// The rule that one override makes, alone in a ruleset. Cheaper than a file, for checking suggestions.
pub(crate) fn of_override(over: &Override, own_ports: &[u16]) -> Option<Ruleset> {
    let (matching, when) = over.conditions();
    let text = over.pattern.clone();
    let place = |value| Placed { value, span: 0..0 };
    let rule = RuleSource {
        action: place(Action::Allow),
        when,
        message: String::new(),
        ask: AskOptions::default(),
        webhook: None,
        expires_at_ms: None,
        once: false,
        locked: false,
        span: 0..0,
        text,
    };
    let policy = PolicySource {
        name: Placed { value: "suggestion".to_owned(), span: 0..0 },
        description: String::new(),
        priority: 100,
        enabled: true,
        matching,
        rules: vec![rule],
    };
    let file = SourceFile { name: String::new(), text: String::new(), layer: Layer::Overrides };
    let mut compiler = Compiler::new();
    let mut reader = Reader::new("", "");
    compiler.defaults.push(Outcome::Deny);
    compiler.policy(&policy, &file, &mut reader);
    compiler.notes.append(&mut reader.notes);
    let (loaded, _) = compiler.finish(String::new()).ok()?;
    Some(loaded.ruleset.with_own_ports(own_ports.to_vec()))
}

struct Compiler {
    sets: SetsBuilder,
    rules: Vec<Found>,
    policies: Vec<Policy>,
    notify: Vec<Notify>,
    tests: Vec<(String, TestSource)>,
    defaults: Vec<Outcome>,
    notes: Vec<Diagnostic>,
}

impl Compiler {
    fn new() -> Self {
        Self {
            sets: SetsBuilder::new(),
            rules: Vec::new(),
            policies: Vec::new(),
            notify: Vec::new(),
            tests: Vec::new(),
            defaults: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The strictest default of all files holds.
    fn default_action(&self) -> Outcome {
        self.defaults.iter().copied().max().unwrap_or(Outcome::Deny)
    }

    fn add(&mut self, file: &SourceFile, document: Document, mut reader: Reader<'_>) {
        let Document { default_action, policies, notify, tests } = document;
        if let Some(default) = default_action
            && file.layer == Layer::Overrides
        {
            let help = "write it into `custom.yaml`";
            reader.error_with("not-here", &default.span, "overrides have no `default_action`", help);
        }
        for policy in &policies {
            self.policy(policy, file, &mut reader);
        }
        self.notify.extend(notify);
        self.tests.extend(tests.into_iter().map(|test| (file.name.clone(), test)));
        self.notes.append(&mut reader.notes);
    }

    fn policy(&mut self, policy: &PolicySource, file: &SourceFile, reader: &mut Reader<'_>) {
        let matching = Arc::new(Matching::compile(&policy.matching));
        for tool in policy.matching.tool.iter().flatten() {
            let known = Tools::NAMED.map(|(word, _)| word);
            if !known.contains(&tool.value.as_str())
                && let Some(near) = nearest(&tool.value, known)
            {
                let message = format!("`{}` is no tool of Rampart's own", tool.value);
                reader.warn("odd-tool", &tool.span, message, format!("did you mean `{near}`?"));
            }
        }
        self.policies.push(Policy {
            name: policy.name.value.clone(),
            description: policy.description.clone(),
            file: file.name.clone(),
            layer: file.layer,
            priority: policy.priority,
            enabled: policy.enabled,
            rules: policy.rules.len(),
        });
        for (index, rule) in policy.rules.iter().enumerate() {
            if let Some(compiled) = self.rule(rule, index, policy, &matching, file, reader)
                && policy.enabled
            {
                self.rules.push(compiled);
            }
        }
    }

    fn rule(
        &mut self,
        source: &RuleSource,
        index: usize,
        policy: &PolicySource,
        matching: &Arc<Matching>,
        file: &SourceFile,
        reader: &mut Reader<'_>,
    ) -> Option<Found> {
        let action = source.action.value;
        let reading = if action == Action::Allow { Reading::Exact } else { Reading::Broad };
        let mut builder = RuleBuilder::new(reading, &mut self.sets);
        source.when.compile(&mut builder, reader);
        let RuleBuilder { tests, triggers, grant, after, content, reach, .. } = builder;
        if !reach.meets(matching.tools()) {
            let keys: Vec<&str> = tests.iter().map(|t| t.key).collect();
            let message =
                format!("no call can match: the policy's tools have nothing that {} speaks of", keys.join(", "));
            let help = "name the tool that these conditions are about under `match`";
            reader.error_with("never-true", &source.span, message, help);
        }
        if source.when.default && !tests.is_empty() {
            let message = "`default: true` adds nothing beside other conditions, which must still hold";
            reader.warn("default-beside", &source.span, message, "remove `default`, or the other conditions");
        }
        if file.layer == Layer::Project && matches!(action, Action::Allow | Action::Webhook) {
            let message = "a project's policy may only restrict; this rule has no effect";
            let help = "only your own policies can allow, or ask a service";
            reader.warn("project-grant", &source.action.span, message, help);
            return None;
        }
        if file.layer == Layer::Profile && action == Action::Webhook {
            let message = "a policy that is not your own asks no service about what you do";
            let help = "write the rule into a file of your own, such as `custom.yaml`";
            reader.error_with("not-here", &source.action.span, message, help);
        }
        if action == Action::Redact && source.when.response.yes.is_none() && source.when.detects.0.is_none() {
            let help = "say what to take out with `response_matches` or `detects`";
            reader.error_with("nothing-to-redact", &source.span, "the rule does not say what to redact", help);
        }
        // Arguments of tools have a shape that can be kept; what else is sent goes as it is, or not at all.
        let of_tools = |tool: &str| tool == "mcp" || tool.starts_with("mcp__");
        let named = policy.matching.tool.as_ref().filter(|tools| !tools.is_empty());
        let of_tools = named.is_some_and(|tools| tools.iter().all(|tool| of_tools(&tool.value)));
        let sent = policy.matching.phase == Some(rampart_call::Phase::Before) && of_tools && !after;
        let only_after = after || (action == Action::Redact && !sent);
        let (before, after) = match policy.matching.phase {
            Some(rampart_call::Phase::Before) => (!only_after, false),
            Some(rampart_call::Phase::After) => (false, true),
            None => (!only_after, only_after || content),
        };
        if !before && !after {
            let message = "no call can match: there is no response before a call";
            let help = "what is sent is redacted in a policy of `tool: mcp` and `phase: before`, by `detects`";
            match action {
                Action::Redact => reader.error_with("never-true", &source.span, message, help),
                _ => reader.error("never-true", &source.span, message),
            }
        }
        let build = |action: Action, tests: Vec<Test>, grant: Option<Grant>, triggers: Option<&[Trigger]>| {
            let effects =
                |t: &Trigger| matches!(t, Trigger::Path(_) | Trigger::Domain(_) | Trigger::Url(_) | Trigger::Kind(_));
            let mut rule = Rule {
                id: id(&file.name, &policy.name.value, &source.text),
                place: RuleRef {
                    policy: policy.name.value.clone(),
                    index,
                    action: source.action.value.outcome(),
                    file: file.name.clone(),
                    line: reader.line(source.span.start),
                },
                layer: file.layer,
                priority: policy.priority,
                message: source.message.clone(),
                ask: source.ask,
                webhook: source.webhook.clone(),
                expires_at_ms: source.expires_at_ms,
                once: source.once,
                locked: source.locked,
                action,
                matching: Arc::clone(matching),
                before,
                after,
                calls: Vec::new(),
                units: Vec::new(),
                items: Vec::new(),
                grant,
                by_effects: triggers.is_some_and(|all| all.iter().all(effects)),
                allowance: None,
                redaction: None,
            };
            for test in tests {
                match test.check {
                    Check::Call(_) => rule.calls.push(test),
                    Check::Unit(_) => rule.units.push(test),
                    Check::Item(_) => rule.items.push(test),
                }
            }
            rule
        };
        let mut rule = build(action, tests, grant, triggers.as_deref());
        rule.redaction = (action == Action::Redact).then(|| Redaction {
            regexes: crate::condition::response_regexes(&source.when.response),
            detects: source.when.detects.clone(),
        });
        let may_lift = before && file.layer != Layer::Project && self.default_action() == Outcome::Deny;
        if may_lift && matches!(action, Action::Ask | Action::Webhook) {
            let mut builder = RuleBuilder::new(Reading::Exact, &mut self.sets);
            // What is wrong with the patterns has been said.
            source.when.compile(&mut builder, &mut Reader::new("", ""));
            let RuleBuilder { tests, grant, triggers, .. } = builder;
            rule.allowance = Some(Box::new(build(Action::Allow, tests, grant, triggers.as_deref())));
        }
        Some((rule, triggers))
    }

    fn finish(self, hash: String) -> Result<Compiled, Vec<Diagnostic>> {
        let default_action = self.default_action();
        let Self { sets, mut rules, policies, notify, tests, defaults, mut notes } = self;
        let failed = |message: String| Diagnostic {
            severity: Severity::Error,
            code: "too-large",
            message,
            file: String::new(),
            span: None,
            line: 0,
            column: 0,
            help: None,
        };
        if notes.iter().any(|n| n.severity == Severity::Error) {
            return Err(notes);
        }
        if defaults.is_empty() {
            let message = "no file says a `default_action`; what no rule allows is denied".to_owned();
            notes.push(Diagnostic { severity: Severity::Warning, code: "no-default", ..failed(message) });
        }
        let sets = match sets.build() {
            Ok(sets) => sets,
            Err(error) => {
                notes.push(failed(format!("the patterns are too many for one automaton: {error}")));
                return Err(notes);
            }
        };
        rules.sort_by(|(a, _), (b, _)| {
            let key = |r: &Rule| (r.priority, r.layer, r.place.file.clone(), r.place.line, r.place.index);
            key(a).cmp(&key(b))
        });
        let (mut before, mut after) = (Index::default(), Index::default());
        let mut compiled = Vec::with_capacity(rules.len());
        for (number, (rule, triggers)) in (0..).zip(rules) {
            let tools = rule.matching.names_tools().then(|| rule.matching.tools());
            if rule.before {
                before.add(number, triggers.clone(), tools);
            }
            if rule.after {
                after.add(number, triggers, tools);
            }
            compiled.push(rule);
        }
        let once = (0..).zip(&compiled).filter(|(_, rule)| rule.once).map(|(number, _)| number).collect();
        let ruleset = Ruleset {
            once,
            remembers: compiled.iter().any(Rule::remembers),
            rules: compiled,
            sets,
            default_action,
            before,
            after,
            hash,
            own_ports: OnceLock::new(),
            policies,
            notify,
        };
        Ok((Loaded { ruleset, warnings: notes }, tests))
    }
}

fn id(file: &str, policy: &str, text: &str) -> String {
    let mut hash = Sha256::new();
    for part in [file, policy, text] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize().get(..12).unwrap_or_default())
}

/// Where Rampart listens unless it is told otherwise.
const OWN_PORTS: [u16; 1] = [9090];

impl Ruleset {
    /// Says on which ports of this machine Rampart listens; `9090` where nobody says.
    pub fn with_own_ports(self, own_ports: Vec<u16>) -> Self {
        Self { own_ports: OnceLock::from(own_ports), ..self }
    }

    /// Says the same of rules that are in use. False when it was said before, which stands.
    pub fn listens_on(&self, own_ports: Vec<u16>) -> bool {
        self.own_ports.set(own_ports).is_ok()
    }

    /// On which ports of this machine Rampart's own interface listens.
    pub fn own_ports(&self) -> &[u16] {
        self.own_ports.get().map_or(&OWN_PORTS, Vec::as_slice)
    }

    /// Whether a judgement depends on [`Context::history`](crate::Context::history): some rule counts calls, bytes or time, asks
    /// whether a host is new, or is used up.
    pub fn remembers(&self) -> bool {
        self.remembers
    }

    /// SHA-256 over all files, in hex.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Every policy, in the order of the files.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// Every rule in force, first in explanations first.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// How many rules are in force.
    pub fn rule_count(&self) -> usize {
        self.rules.len()
    }

    /// What happens to calls that no rule matches: allow, watch, ask or deny.
    pub fn default_action(&self) -> Outcome {
        self.default_action
    }

    /// Whom to tell about decisions.
    pub fn notify(&self) -> &[Notify] {
        &self.notify
    }

    /// The rule that a judgement names.
    pub fn rule(&self, place: &RuleRef) -> Option<&Rule> {
        self.rules.iter().find(|r| r.place == *place)
    }

    /// How the question of a rule is put.
    pub fn ask_options(&self, place: &RuleRef) -> AskOptions {
        self.rule(place).map(|r| r.ask).unwrap_or_default()
    }

    /// How many people must agree to a call that these rules ask about: the most that one of them wants.
    pub fn approvals<'p>(&self, places: impl IntoIterator<Item = &'p RuleRef>) -> u8 {
        places.into_iter().map(|place| self.ask_options(place).approvals).max().unwrap_or(1)
    }
}
