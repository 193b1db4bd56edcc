//! A ruleset and a call in, a judgement out.

use std::collections::BTreeSet;

use rampart_call::{Call, CommandLine, Edit, Effect, Finding, Judgement, Outcome, Phase, Reason, RuleRef};

use crate::{
    Context, History, Layer, Rule, Ruleset,
    facts::{Facts, Known},
    index::Index,
    joint::joint,
    rule::Hit,
    source::Action,
    suggest,
};

/// A rule that matched, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Match<'r> {
    pub(crate) rule: &'r Rule,
    pub(crate) hit: Hit,
}

/// Every rule that matches a call.
#[derive(Debug, Clone)]
pub(crate) struct Matches<'r> {
    /// First in explanations first.
    pub(crate) all: Vec<Match<'r>>,
    /// Allowances and questions together speak of the whole call, so that nothing of it is left to the default.
    pub(crate) whole: bool,
}

/// What the matching rules come to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decision<'r> {
    pub(crate) outcome: Outcome,
    pub(crate) reason: Reason,
    pub(crate) by: Option<Match<'r>>,
}

impl Ruleset {
    /// Judges a call. Pure: the same ruleset, call and context always give the same judgement.
    pub fn judge(&self, call: &Call, context: &Context<'_>) -> Judgement {
        self.judge_known(self.look_at(call, context.rampart_home), context).0
    }

    /// The part of a judgement that does not depend on what went before, and takes most of its time. `rampart_home` is
    /// [`Context::rampart_home`].
    pub fn look_at<'a>(&self, call: &'a Call, rampart_home: Option<&'a str>) -> Known<'a> {
        let mut known = Known::of(call, rampart_home, self);
        let asked = |of: fn(&Rule) -> bool| {
            let rules = known.candidates.iter().filter_map(|id| self.rules.get(id as usize));
            rules.into_iter().any(of)
        };
        let (searches, runs) = (asked(Rule::searches), asked(Rule::runs_code));
        if searches {
            known.findings();
        }
        if runs {
            let denied = known.runs_of_code().find_map(|run| self.denied(run, &known));
            known.denied_when_run = denied;
        }
        known
    }

    /// Why a command of its own would be denied, in whatever session and at whatever time.
    fn denied(&self, command: CommandLine, known: &Known<'_>) -> Option<String> {
        let origin = known.call.origin.clone();
        let action = rampart_call::Action::Exec { command, cwd: None };
        let run = Call { origin, phase: Phase::Before, action, response: None };
        let context = Context {
            // What holds for a time says nothing of what runs at some other.
            now_ms: i64::MAX,
            headless: false,
            labels: &BTreeSet::new(),
            confined: false,
            called: &[],
            history: &History::default(),
            counted: false,
            rampart_home: known.rampart_home,
        };
        let mut seen = self.look_at(&run, known.rampart_home);
        // A client of a service sends it the token that it finds in its surroundings.
        seen.forget("secret-to-net");
        let judgement = self.judge_known(seen, &context).0;
        (judgement.outcome == Outcome::Deny).then_some(judgement.message)
    }

    /// The other part, quick, of what [`Self::look_at`] of the same ruleset has found. Also what detectors found in what the call
    /// sends or what came back, if a rule wanted to know.
    pub fn judge_known(&self, known: Known<'_>, context: &Context<'_>) -> (Judgement, Option<Vec<Finding>>) {
        let facts = Facts { known, context };
        let matches = self.matches(&facts);
        let decision = self.decide(&facts, &matches);
        let edits = edits(&facts, &matches.all);
        let suggestions = if decision.outcome.passes() || facts.call.phase == Phase::After {
            Vec::new()
        } else {
            suggest::suggestions(self, &facts, &matches, &decision)
        };
        let effect = decision.by.and_then(|m| effect_of(&facts, m.hit)).cloned();
        let message = message(&facts, &decision, effect.as_ref(), &matches.all);
        let deciding = decision.by.map(|m| m.rule.place.clone());
        let mut matched: Vec<RuleRef> = deciding.iter().cloned().collect();
        let rest = matches.all.iter().map(|m| &m.rule.place).filter(|place| Some(*place) != deciding.as_ref());
        matched.extend(rest.cloned());
        let judgement = Judgement {
            outcome: decision.outcome,
            reason: decision.reason,
            rule: deciding,
            message,
            effect,
            matched,
            suggestions,
            effects: facts.known.effects,
            edits,
            ruleset: self.hash.clone(),
            micros: 0,
        };
        (judgement, facts.known.findings.into_inner())
    }

    pub(crate) fn index(&self, phase: Phase) -> &Index {
        match phase {
            Phase::Before => &self.before,
            Phase::After => &self.after,
        }
    }

    /// Every rule that matches.
    pub(crate) fn matches(&self, facts: &Facts<'_>) -> Matches<'_> {
        let candidates: Vec<&Rule> = facts.candidates.iter().filter_map(|id| self.rules.get(id as usize)).collect();
        let matches = candidates.iter().filter_map(|rule| rule.matches(facts).map(|hit| Match { rule, hit }));
        let mut all: Vec<Match<'_>> = matches.collect();
        // Rules may also allow together: the overrides among themselves, and then all of them.
        for overrides in [true, false] {
            let within = |rule: &Rule| !overrides || rule.layer == Layer::Overrides;
            if all.iter().any(|m| m.rule.action == Action::Allow && within(m.rule)) {
                break;
            }
            let together = joint(candidates.iter().copied().filter(|r| within(r)), facts);
            let strength = |rule: &&Rule| overrides || rule.layer != Layer::Overrides;
            all.extend(together.into_iter().filter(strength).map(|rule| Match { rule, hit: Hit::default() }));
        }
        let whole = speak_of_all(&candidates, &mut all, facts);
        Matches { all, whole }
    }

    /// Precedence: a locked denial, then the user's overrides, then denial before webhook before question before
    /// allowance, then the default. Watching records and never grants. A question lifts a denial by default only where
    /// an allowance in its place would: of what no rule speaks, the denial stands.
    pub(crate) fn decide<'r>(&self, facts: &Facts<'_>, matches: &Matches<'r>) -> Decision<'r> {
        let Matches { all: matches, whole } = matches;
        let outcome = |m: &Match<'r>| effective(m.rule, facts);
        let first = |wanted: Outcome, overrides: bool| {
            matches.iter().find(|m| {
                outcome(m) == wanted
                    && m.rule.action != Action::Redact
                    && (!overrides || m.rule.layer == Layer::Overrides)
            })
        };
        let by = |m: &Match<'r>| Decision { outcome: outcome(m), reason: Reason::Rule, by: Some(*m) };
        if let Some(locked) = matches.iter().find(|m| m.rule.locked) {
            return by(locked);
        }
        // Of the overrides, a denial and an allowance settle it; a question among them only joins the other rules, so
        // that it never lifts a denial of theirs.
        let asks = first(Outcome::Ask, true).or(first(Outcome::Webhook, true)).is_some();
        let settles = first(Outcome::Deny, true).or_else(|| first(Outcome::Allow, true).filter(|_| !asks));
        if let Some(m) = settles {
            return by(m);
        }
        const STRICTEST_FIRST: [Outcome; 4] = [Outcome::Deny, Outcome::Webhook, Outcome::Ask, Outcome::Allow];
        let default = match facts.call.phase {
            Phase::Before => self.default_action,
            Phase::After => Outcome::Allow,
        };
        let granted = match STRICTEST_FIRST.iter().find_map(|o| first(*o, false)) {
            Some(m) if outcome(m) != Outcome::Deny && default == Outcome::Deny && !whole => {
                return Decision { outcome: default, reason: Reason::Default, by: None };
            }
            Some(m) if m.rule.action != Action::Allow => return by(m),
            other => other,
        };
        let passes = granted.is_some() || default.passes();
        if passes && !facts.complete && facts.call.phase == Phase::Before {
            // What could not be understood is not let pass because no rule spoke of it.
            let outcome = if facts.context.headless { Outcome::Deny } else { Outcome::Ask };
            return Decision { outcome, reason: Reason::Budget, by: None };
        }
        let watching = matches.iter().find(|m| outcome(m) == Outcome::Watch);
        match (watching, granted) {
            (Some(m), _) if passes => Decision { outcome: Outcome::Watch, reason: Reason::Rule, by: Some(*m) },
            (_, Some(m)) => by(m),
            _ => Decision { outcome: default, reason: Reason::Default, by: None },
        }
    }
}

/// Whether the call is allowed when every question is taken for an allowance. Where that takes questions, they join the
/// rules that match.
fn speak_of_all<'r>(candidates: &[&'r Rule], all: &mut Vec<Match<'r>>, facts: &Facts<'_>) -> bool {
    if all.iter().any(|m| m.rule.action == Action::Allow) {
        return true;
    }
    let questions: Vec<(&'r Rule, &'r Rule)> =
        candidates.iter().filter_map(|rule| Some((*rule, allowance(rule, facts)?))).collect();
    if questions.is_empty() {
        return false;
    }
    let mut parts: Vec<&Rule> =
        questions.iter().map(|(_, allowance)| *allowance).filter(|rule| rule.matches(facts).is_some()).collect();
    if parts.is_empty() {
        parts = joint(candidates.iter().map(|rule| allowance(rule, facts).unwrap_or(rule)), facts);
    }
    for (question, allowance) in questions {
        let known = all.iter().any(|m| std::ptr::eq(m.rule, question));
        if !known && parts.iter().any(|part| std::ptr::eq(*part, allowance)) {
            all.push(Match { rule: question, hit: Hit::default() });
        }
    }
    !parts.is_empty()
}

/// A question of this call, read as an allowance, where that may lift the default.
fn allowance<'r>(rule: &'r Rule, facts: &Facts<'_>) -> Option<&'r Rule> {
    let asks = facts.call.phase == Phase::Before && effective(rule, facts) != Outcome::Watch;
    rule.allowance.as_deref().filter(|_| asks)
}

/// What a rule does in this context: a question that is meant for unwatched sessions only records in others.
fn effective(rule: &Rule, facts: &Facts<'_>) -> Outcome {
    match rule.action {
        Action::Ask if rule.ask.headless_only && !facts.context.headless => Outcome::Watch,
        action => action.outcome(),
    }
}

/// The effect at which a rule matched.
pub(crate) fn effect_of<'f>(facts: &'f Facts<'_>, hit: Hit) -> Option<&'f Effect> {
    if let Some(item) = hit.item {
        return facts.effects.get(item);
    }
    let span = facts.units.get(hit.unit?)?.span?;
    facts.effects.iter().find(|e| e.kind == rampart_call::EffectKind::Exec && e.span == Some(span))
}

fn message(facts: &Facts<'_>, decision: &Decision<'_>, effect: Option<&Effect>, matches: &[Match<'_>]) -> String {
    if let Some(m) = decision.by {
        if !m.rule.message.is_empty() {
            let why = facts.denied_when_run.as_ref().filter(|_| m.rule.runs_code());
            return why.map_or_else(|| m.rule.message.clone(), |why| format!("{}: {why}", m.rule.message));
        }
        let verb = match decision.outcome {
            Outcome::Allow => "allows",
            Outcome::Watch => "records",
            Outcome::Ask => "asks a human about",
            Outcome::Webhook => "asks a service about",
            Outcome::Deny => "denies",
        };
        let what = effect.map_or_else(|| "this call".to_owned(), suggest::describe);
        return format!("the policy `{}` {verb} {what}", m.rule.place.policy);
    }
    match (decision.reason, decision.outcome) {
        (Reason::Budget, _) => "the command is too long or too deeply nested to be understood".to_owned(),
        (_, Outcome::Deny) => {
            if let Some(question) = matches.iter().find(|m| m.rule.allowance.is_some()) {
                let (policy, tool) = (&question.rule.place.policy, facts.call.action.tool());
                return format!("the policy `{policy}` asks about a part of this {tool}, and the rest no rule allows");
            }
            format!("no rule allows this {}, and what no rule allows is denied", facts.call.action.tool())
        }
        (_, Outcome::Ask) => format!("no rule speaks of this {}, and the default is to ask", facts.call.action.tool()),
        _ => String::new(),
    }
}

/// What must be taken out of a response, or of what a tool is told.
fn edits(facts: &Facts<'_>, matches: &[Match<'_>]) -> Vec<Edit> {
    let text = match (&facts.call.response, facts.call.phase) {
        (Some(response), Phase::After) => response.text.as_str(),
        (None, Phase::After) => return Vec::new(),
        // Only detectors look at it.
        (_, Phase::Before) => "",
    };
    let mut cuts: Vec<(std::ops::Range<usize>, String)> = Vec::new();
    for redaction in matches.iter().filter_map(|m| m.rule.redaction.as_ref()) {
        let found = crate::condition::response_spans(&redaction.regexes, text);
        cuts.extend(found.into_iter().map(|span| (span, "redacted".to_owned())));
        if redaction.detects.0.is_some() {
            let findings = facts.findings().iter().filter(|f| redaction.detects.covers(f));
            cuts.extend(findings.map(|f| (f.span.start..f.span.end, f.detector.clone())));
        }
    }
    cuts.sort_by_key(|(span, _)| (span.start, std::cmp::Reverse(span.end)));
    let mut edits: Vec<Edit> = Vec::new();
    for (span, what) in cuts {
        match edits.last_mut() {
            Some(last) if span.start < last.span.end => last.span.end = last.span.end.max(span.end),
            _ => edits.push(Edit {
                span: rampart_call::Span { start: span.start, end: span.end },
                with: format!("[redacted: {what}]"),
            }),
        }
    }
    edits
}
