//! Several rules that together allow a command line, each a part of it: `cd x && cargo test` by one rule for `cd` and
//! one for `cargo test`. Together they are as exact and total as one.

use rampart_call::EffectKind;

use crate::{Rule, facts::Facts};

/// The rules of `rules` that together cover every command, redirect and effect; none when they do not.
pub(crate) fn joint<'r>(rules: impl Iterator<Item = &'r Rule>, facts: &Facts<'_>) -> Vec<&'r Rule> {
    let count = facts.commands().count();
    if count == 0 || !facts.complete {
        return Vec::new();
    }
    // For each rule, the commands that it covers.
    let shares: Vec<(&Rule, Vec<bool>)> = rules
        .filter(|rule| rule.may_share(facts) && speaks_of(rule, facts))
        // No pattern for a command speaks of the files that the line opens; a rule about effects does.
        .filter(|rule| !facts.redirected || !rule.items.is_empty())
        .map(|rule| (rule, (0..count).map(|i| rule.covers_command(facts, i)).collect::<Vec<bool>>()))
        .filter(|(_, share)| share.contains(&true))
        .collect();
    let commands = (0..count).all(|i| shares.iter().any(|(_, share)| share.get(i) == Some(&true)));
    let effects = (0..facts.items.len()).all(|item| {
        facts.effects.get(item).is_some_and(|e| e.kind == EffectKind::Exec)
            || shares
                .iter()
                .any(|(rule, share)| causes(facts, share, item) && (rule.items.is_empty() || rule.fits(facts, item)))
    });
    if !(commands && effects) {
        return Vec::new();
    }
    shares.into_iter().map(|(rule, _)| rule).collect()
}

/// A rule about effects that names no commands has a share only in a call that has such an effect.
fn speaks_of(rule: &Rule, facts: &Facts<'_>) -> bool {
    rule.items.is_empty() || rule.grant.is_some() || (0..facts.items.len()).any(|item| rule.fits(facts, item))
}

/// Whether one of the covered commands is the one that shows the effect.
fn causes(facts: &Facts<'_>, share: &[bool], item: usize) -> bool {
    let Some(span) = facts.effects.get(item).and_then(|e| e.span) else { return false };
    let shown = facts.commands().zip(share).filter(|(_, covered)| **covered).filter_map(|(unit, _)| unit.span);
    shown.into_iter().any(|s| s.start <= span.start && span.end <= s.end)
}
