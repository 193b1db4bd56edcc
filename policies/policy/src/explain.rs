//! Why a call is judged as it is: what was seen in it, every rule that speaks of it, and the one that decides.

use rampart_call::{Call, Effect, Judgement, Outcome, RuleRef, Span};

use crate::{
    Context, Ruleset,
    condition::Check,
    facts::{Facts, UnitKind},
    judge::effect_of,
    pattern::Reading,
    rule::{passes_call, passes_unit},
};

/// Everything there is to say about a judgement.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The simple commands in the call, in the order of the text.
    pub components: Vec<ExplainedComponent>,
    /// Everything the call would do.
    pub effects: Vec<Effect>,
    /// The analysis saw everything it could.
    pub complete: bool,
    /// The rules that matched, the deciding one first.
    pub matched: Vec<ExplainedRule>,
    /// Rules that one condition kept from matching.
    pub nearly: Vec<NearMiss>,
    /// What happens to calls that no rule matches.
    pub default_action: Outcome,
    /// The judgement, as enforcement makes it.
    pub judgement: Judgement,
}

/// A simple command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedComponent {
    /// Its words, quotes resolved.
    pub text: String,
    /// Bytes of the command line that show it.
    pub span: Option<Span>,
}

/// A rule that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedRule {
    /// Its name and place.
    pub rule: RuleRef,
    /// Its message.
    pub message: String,
    /// It decides.
    pub decides: bool,
    /// Nothing overrides it.
    pub locked: bool,
    /// The effect at which it matched.
    pub effect: Option<Effect>,
    /// The command at which it matched, by its number in the components.
    pub component: Option<usize>,
}

/// A rule that one condition kept from matching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// Its name and place.
    pub rule: RuleRef,
    /// The condition that did not hold.
    pub missing: &'static str,
}

/// The most near misses that are told.
const MOST_NEAR: usize = 20;

/// Explains how a call is judged. The judgement in it is the one that [`Ruleset::judge`] gives.
pub fn explain(ruleset: &Ruleset, call: &Call, context: &Context<'_>) -> Explanation {
    let facts = Facts::new(call, context, ruleset);
    let judgement = ruleset.judge(call, context);
    let components: Vec<usize> =
        (0..facts.units.len()).filter(|i| facts.units.get(*i).is_some_and(|u| u.kind == UnitKind::Component)).collect();
    let mut matched: Vec<ExplainedRule> = ruleset
        .matches(&facts)
        .all
        .into_iter()
        .map(|m| ExplainedRule {
            rule: m.rule.place.clone(),
            message: m.rule.message.clone(),
            decides: judgement.rule.as_ref() == Some(&m.rule.place),
            locked: m.rule.locked,
            effect: effect_of(&facts, m.hit).cloned(),
            component: m.hit.unit.and_then(|unit| components.iter().position(|c| *c == unit)),
        })
        .collect();
    matched.sort_by_key(|m| !m.decides);
    let rules = ruleset.rules.iter().filter(|r| matched.iter().all(|m| m.rule != r.place));
    let nearly = rules.filter_map(|rule| {
        let missing = missing(rule, &facts)?;
        Some(NearMiss { rule: rule.place.clone(), missing })
    });
    Explanation {
        nearly: nearly.take(MOST_NEAR).collect(),
        components: components
            .iter()
            .filter_map(|i| facts.units.get(*i))
            .map(|u| ExplainedComponent { text: u.text.clone(), span: u.span })
            .collect(),
        complete: facts.complete,
        matched,
        default_action: ruleset.default_action,
        effects: facts.known.effects,
        judgement,
    }
}

/// The one condition that keeps a rule from matching; none when it matches nothing, or several are missing.
fn missing(rule: &crate::Rule, facts: &Facts<'_>) -> Option<&'static str> {
    if !rule.holds(facts) || !rule.matching.selects(facts) {
        return None;
    }
    let conditions = rule.calls.len() + rule.units.len() + rule.items.len();
    if conditions < 2 || (rule.reading() == Reading::Broad && !rule.matching.tools().meets(facts.tools())) {
        return None;
    }
    let mut missing: Vec<&'static str> = rule.calls.iter().filter(|t| !passes_call(t, facts)).map(|t| t.key).collect();
    let fewest = |lists: Vec<Vec<&'static str>>| lists.into_iter().min_by_key(Vec::len).unwrap_or_default();
    if !rule.units.is_empty() {
        let failing = |u| rule.units.iter().filter(|t| !passes_unit(t, u)).map(|t| t.key).collect();
        missing.extend(fewest(facts.units.iter().map(failing).collect()));
    }
    if !rule.items.is_empty() {
        let failing = |(item, effect)| {
            let fails = |t: &&crate::condition::Test| !matches!(&t.check, Check::Item(check) if check(item, effect));
            rule.items.iter().filter(fails).map(|t| t.key).collect()
        };
        missing.extend(fewest(facts.items.iter().zip(&facts.effects).map(failing).collect()));
    }
    match missing.as_slice() {
        [only] => Some(only),
        _ => None,
    }
}
