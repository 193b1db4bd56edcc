//! How a human could allow what was stopped: commands that are checked by judging again before they are shown.

use rampart_call::{Action as CallAction, Effect, Outcome, Reason, Reversibility, Target};

use crate::{
    Ruleset,
    facts::{Facts, UnitKind, naming},
    judge::{Decision, Matches},
    overrides::{Override, OverrideAction},
    pattern::TextGlob,
    ruleset::of_override,
};

/// The most suggestions that are made.
const MOST: usize = 2;

/// The longest command, in bytes, for which suggestions are made.
const LONGEST: usize = 1_024;

/// Commands by which a human could allow the call.
pub(crate) fn suggestions(
    ruleset: &Ruleset,
    facts: &Facts<'_>,
    matches: &Matches<'_>,
    decision: &Decision<'_>,
) -> Vec<String> {
    // What could not be understood, or fills a page, is not something to allow by its text.
    let long = matches!(&facts.call.action, CallAction::Exec { command, .. } if command.to_line().len() > LONGEST);
    if decision.by.is_some_and(|m| m.rule.locked) || !facts.complete || long {
        return Vec::new();
    }
    let mut working = Vec::new();
    for candidate in candidates(facts, decision) {
        if allows(ruleset, facts, matches, &candidate) {
            let line = candidate.command_line();
            if !working.contains(&line) {
                working.push(line);
            }
        }
    }
    working.truncate(MOST);
    working
}

/// Whether the call would pass with the override added.
fn allows(ruleset: &Ruleset, facts: &Facts<'_>, matches: &Matches<'_>, candidate: &Override) -> bool {
    let Some(alone) = of_override(candidate, ruleset.own_ports()) else { return false };
    // The patterns of the override are in sets of their own, so the call is looked at again by them.
    let own = Facts::new(facts.call, facts.context, &alone);
    let mut with = alone.matches(&own);
    with.all.extend_from_slice(&matches.all);
    ruleset.decide(facts, &with).outcome == Outcome::Allow
}

fn candidates(facts: &Facts<'_>, decision: &Decision<'_>) -> Vec<Override> {
    let allow = |tool: Option<&str>, pattern: String| Override {
        action: OverrideAction::Allow,
        tool: tool.map(str::to_owned),
        pattern,
        ..Override::default()
    };
    match &facts.call.action {
        CallAction::Exec { command, .. } => {
            let mut all = Vec::new();
            // A whole family is only offered where nothing but a default or a pattern stands against it, and nothing of
            // what would happen is beyond recall.
            let by_name = decision.reason == Reason::Default || decision.by.is_some_and(|m| m.hit.item.is_none());
            let recallable = facts.effects.iter().all(|e| e.reversibility != Reversibility::Irreversible);
            if by_name
                && recallable
                && let Some(family) = family(facts)
            {
                all.push(allow(None, family));
            }
            all.push(allow(None, TextGlob::escape(command.to_line().trim())));
            all
        }
        CallAction::Read { paths } | CallAction::Write { paths, .. } | CallAction::Edit { paths, .. } => {
            let tool = facts.call.action.tool();
            match paths.as_slice() {
                [one] if !one.path.contains(['*', '?', '[', '{']) => {
                    vec![allow(Some(tool), absolute(facts, &one.path))]
                }
                _ => Vec::new(),
            }
        }
        CallAction::Fetch { .. } => {
            let host = facts.items.iter().find_map(|i| i.site.as_ref()).map(|s| s.host.clone());
            host.filter(|h| !h.is_empty()).map(|h| allow(Some("fetch"), h)).into_iter().collect()
        }
        CallAction::Connect { .. } => {
            let host = facts.items.iter().find_map(|i| i.site.as_ref()).map(|s| s.host.clone());
            host.filter(|h| !h.is_empty()).map(|h| allow(Some("connect"), h)).into_iter().collect()
        }
        CallAction::Mcp { server, tool, arguments, .. } if !tool.is_empty() => {
            let whole = allow(Some("mcp"), if server.is_empty() { tool.clone() } else { format!("{server}/{tool}") });
            let params = naming(server, tool, arguments);
            // Where what the arguments name stands against it, the tool itself is not what is to be allowed.
            let by_tool = decision.reason == Reason::Default || decision.by.is_some_and(|m| m.hit.item.is_none());
            let mut all = Vec::new();
            if !params.is_empty() && arguments.to_string().len() <= LONGEST {
                all.push(Override { params: params.clone(), ..whole.clone() });
            }
            if params.is_empty() || by_tool {
                all.push(whole);
            }
            all
        }
        CallAction::Mcp { .. } | CallAction::Tool { .. } => Vec::new(),
    }
}

/// The path as the analysis resolved it, which is what an exact rule sees.
fn absolute(facts: &Facts<'_>, written: &str) -> String {
    let resolved = facts.effects.iter().find_map(|e| match &e.target {
        Some(Target::Path { path, written: w, .. }) if w == written => Some(path.clone()),
        _ => None,
    });
    resolved.unwrap_or_else(|| written.to_owned())
}

/// `npm install lodash` belongs to `npm install *`; only one plain command has a family.
fn family(facts: &Facts<'_>) -> Option<String> {
    let mut commands = facts.units.iter().filter(|u| u.kind == UnitKind::Component);
    let only = commands.next().filter(|u| u.assignments.is_empty() && u.via == 0)?;
    if commands.next().is_some() || only.text.contains('*') {
        return None;
    }
    let words: Vec<&str> = only.text.split(' ').collect();
    let plain =
        |w: &&str| !w.is_empty() && w.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !w.starts_with('-');
    match words.as_slice() {
        [program, sub, _, ..] if plain(program) && plain(sub) => Some(format!("{program} {sub} *")),
        [program, _, ..] if plain(program) => Some(format!("{program} *")),
        _ => None,
    }
}

/// An effect in words: `reading ~/.ssh/id_rsa`.
pub(crate) fn describe(effect: &Effect) -> String {
    let target = match &effect.target {
        Some(Target::Path { written, .. }) => written.clone(),
        Some(Target::Host { host, .. }) => host.clone(),
        Some(Target::Program { name, .. } | Target::Named { name, .. }) => name.clone(),
        None => String::new(),
    };
    let mut text = effect.kind.to_string();
    if !target.is_empty() {
        text.push_str(&format!(" of `{target}`"));
    }
    if let Some((_, meaning)) = rampart_shell::NOTES.iter().find(|(word, _)| *word == effect.note) {
        text.push_str(&format!(" ({meaning})"));
    }
    text
}
