//! A naive evaluator: every rule of every file is looked at, pattern by pattern, without sets, index or triggers. Slow,
//! plain, and what the compiled ruleset must agree with.

use std::collections::BTreeSet;

use rampart_call::{Action as CallAction, Call, CommandLine, Effect, EffectKind, Outcome, Target};
use rampart_shell::Surroundings;
use regex::Regex;

use crate::{
    SourceFile,
    condition::Pair,
    read::Reader,
    source::{self, Action, RuleSource},
};

/// What the naive evaluator says: the outcome, and the lines of the rules that match.
pub(super) fn judge(files: &[SourceFile], call: &Call) -> (Outcome, BTreeSet<(String, usize)>) {
    let seen = Seen::of(call);
    let mut matched = Vec::new();
    let mut shares = Vec::new();
    let mut questions: Vec<Part> = Vec::new();
    let mut lines = BTreeSet::new();
    let read = |file: &SourceFile| source::read(&file.text, file.layer, &mut Reader::new(&file.name, &file.text));
    let defaults = files.iter().filter_map(|file| read(file).default_action.map(|d| d.value));
    let default = defaults.max().unwrap_or(Outcome::Deny);
    for file in files {
        let reader = Reader::new(&file.name, &file.text);
        for policy in read(file).policies.iter().filter(|p| p.enabled) {
            for rule in &policy.rules {
                let place = (file.name.clone(), reader.line(rule.span.start));
                let overrides = file.layer == crate::Layer::Overrides;
                // Where the default is to deny, a question reaches as far as an allowance in its place would.
                if rule.action.value == Action::Ask && file.layer != crate::Layer::Project && default == Outcome::Deny {
                    let mut allowance = rule.clone();
                    allowance.action.value = Action::Allow;
                    questions.push((overrides, place.clone(), policy.matching.clone(), allowance));
                }
                if matches(&policy.matching, rule, &seen) {
                    lines.insert(place);
                    matched.push((overrides, rule.locked, rule.action.value));
                } else if rule.action.value == Action::Allow && rule.when.command.matches.is_set() {
                    shares.push((overrides, place, policy.matching.clone(), rule.clone()));
                }
            }
        }
    }
    for only in [true, false] {
        if matched.iter().any(|(o, _, a)| *a == Action::Allow && (*o || !only)) {
            break;
        }
        let parts: Vec<_> = shares.iter().filter(|(o, ..)| *o || !only).collect();
        for (overrides, place, ..) in together(&parts, &seen).into_iter().filter(|(o, ..)| only || !*o) {
            lines.insert(place.clone());
            matched.push((*overrides, false, Action::Allow));
        }
    }
    let mut whole = matched.iter().any(|(_, _, action)| *action == Action::Allow);
    if !whole && !questions.is_empty() {
        let mut parts: Vec<&Part> =
            questions.iter().filter(|(_, _, matching, rule)| matches(matching, rule, &seen)).collect();
        if parts.is_empty() {
            let pool: Vec<&Part> = shares.iter().chain(&questions).collect();
            parts = together(&pool, &seen);
        }
        whole = !parts.is_empty();
        for (overrides, place, ..) in parts.into_iter().filter(|part| questions.iter().any(|q| q.1 == part.1)) {
            if lines.insert(place.clone()) {
                matched.push((*overrides, false, Action::Ask));
            }
        }
    }
    let any = |overrides: bool, action: Action| matched.iter().any(|(o, _, a)| *a == action && (*o || !overrides));
    if matched.iter().any(|(_, locked, _)| *locked) {
        return (Outcome::Deny, lines);
    }
    if any(true, Action::Deny) || (!any(true, Action::Allow) && any(false, Action::Deny)) {
        return (Outcome::Deny, lines);
    }
    if any(true, Action::Allow) && !any(true, Action::Ask) {
        return (Outcome::Allow, lines);
    }
    if any(false, Action::Deny) {
        return (Outcome::Deny, lines);
    }
    if any(false, Action::Ask) && (default != Outcome::Deny || whole) {
        return (Outcome::Ask, lines);
    }
    let passes = any(false, Action::Allow) || default.passes();
    let outcome = match () {
        () if passes && any(false, Action::Watch) => Outcome::Watch,
        () if any(false, Action::Allow) => Outcome::Allow,
        () => default,
    };
    (outcome, lines)
}

type Part = (bool, (String, usize), source::Match, RuleSource);

/// The rules that together cover every command and every effect.
fn together<'p>(parts: &[&'p Part], seen: &Seen) -> Vec<&'p Part> {
    let share = |part: &&&Part, (words, span): &((Vec<String>, String), rampart_call::Span)| {
        let (_, _, matching, rule) = part;
        let own = matching.tool.as_ref().is_none_or(|l| l.iter().any(|t| t.value == seen.tool));
        own && fits_command(rule, words) && speaks_of(rule, *span, seen)
    };
    let effects =
        |rule: &RuleSource| rule.when.path.is_set() || rule.when.domain.is_set() || rule.when.effect.kinds.is_some();
    let names = |rule: &RuleSource| rule.when.command.matches.yes.is_some();
    let speaks = |rule: &RuleSource| !effects(rule) || names(rule) || seen.effects.iter().any(|e| fits_effect(rule, e));
    let named = |p: &&&Part| p.3.when.command.matches.is_set();
    let shares = |p: &&&Part| {
        named(p) && (!seen.redirected || effects(&p.3)) && speaks(&p.3) && seen.components.iter().any(|c| share(p, c))
    };
    let used: Vec<&'p Part> = parts.iter().filter(shares).copied().collect();
    let commands = !seen.components.is_empty() && seen.components.iter().all(|c| used.iter().any(|p| share(&p, c)));
    let caused = seen.effects.iter().filter(|e| e.kind != EffectKind::Exec).all(|e| {
        let Some(span) = e.span else { return false };
        seen.components
            .iter()
            .filter(|(_, s)| s.start <= span.start && span.end <= s.end)
            .any(|c| used.iter().any(|p| share(&p, c) && (!effects(&p.3) || fits_effect(&p.3, e))))
    });
    if commands && caused { used } else { Vec::new() }
}

/// The call as the naive evaluator sees it.
struct Seen {
    tool: String,
    effects: Vec<Effect>,
    components: Vec<((Vec<String>, String), rampart_call::Span)>,
    redirected: bool,
}

impl Seen {
    fn of(call: &Call) -> Self {
        let origin = &call.origin;
        let around = Surroundings {
            cwd: origin.workspace.as_deref(),
            home: origin.home.as_deref(),
            workspace: origin.workspace.as_deref(),
            rampart_home: None,
        };
        let mut seen = Self {
            tool: call.action.tool().to_owned(),
            effects: Vec::new(),
            components: Vec::new(),
            redirected: false,
        };
        match &call.action {
            CallAction::Exec { command, .. } => {
                let analysis = rampart_shell::analyze(command, &around);
                seen.effects = analysis.effects;
                for c in analysis.components {
                    let mut full: Vec<String> =
                        c.assignments.iter().map(|(name, value)| format!("{name}={value}")).collect();
                    full.extend(c.argv.iter().cloned());
                    let full = full.join(" ");
                    seen.components.push(((c.argv, full), c.span));
                }
                let text = command.to_line();
                seen.redirected = text.contains(['<', '>']);
            }
            CallAction::Read { paths } | CallAction::Write { paths, .. } => {
                let kind = if seen.tool == "read" { EffectKind::Read } else { EffectKind::Write };
                seen.effects
                    .extend(paths.iter().map(|p| Effect::new(kind, Some(rampart_shell::locate(&p.path, &around)))));
            }
            CallAction::Fetch { method, url, .. } => {
                let words = ["curl", "-X", method, "--", url].map(str::to_owned).to_vec();
                let effects = rampart_shell::analyze(&CommandLine::Argv(words), &around).effects;
                seen.effects = effects.into_iter().filter(|e| e.kind != EffectKind::Exec).collect();
            }
            _ => {}
        }
        seen
    }

    /// The tools that an effect of this call is seen as.
    fn tools(&self, effect: &Effect) -> Vec<&str> {
        let mut tools = vec![self.tool.as_str()];
        if self.tool == "exec" {
            tools.extend_from_slice(match effect.kind {
                EffectKind::Read => &["read"],
                EffectKind::Write | EffectKind::Delete | EffectKind::Move | EffectKind::Chmod => &["write", "edit"],
                EffectKind::Net => &["fetch", "connect"],
                _ => &[],
            });
        }
        tools
    }
}

fn matches(matching: &source::Match, rule: &RuleSource, seen: &Seen) -> bool {
    let named: Option<Vec<&str>> = matching.tool.as_ref().map(|l| l.iter().map(|t| t.value.as_str()).collect());
    let own = named.as_ref().is_none_or(|n| n.contains(&seen.tool.as_str()));
    let when = &rule.when;
    let exact = rule.action.value == Action::Allow;
    let commands = when.command.matches.is_set();
    let effects = when.path.is_set() || when.domain.is_set() || when.effect.kinds.is_some();
    if exact {
        let covered = !commands
            || (!seen.components.is_empty()
                && seen.components.iter().all(|(c, span)| fits_command(rule, c) && speaks_of(rule, *span, seen))
                && (!seen.redirected || effects));
        let mut judged = seen.effects.iter().filter(|e| !(commands && e.kind == EffectKind::Exec)).peekable();
        let all = !effects || ((judged.peek().is_some() || commands) && judged.all(|e| fits_effect(rule, e)));
        return own && covered && all;
    }
    let viewed = |e: &&Effect| own || named.as_ref().is_some_and(|n| seen.tools(e).iter().any(|t| n.contains(t)));
    let command = !commands || (own && seen.components.iter().any(|(c, _)| fits_command(rule, c)));
    let effect = (own && !effects) || seen.effects.iter().filter(viewed).any(|e| fits_effect(rule, e));
    command && effect
}

/// A rule that names effects, and no commands, speaks only of commands that have such effects.
fn speaks_of(rule: &RuleSource, span: rampart_call::Span, seen: &Seen) -> bool {
    let when = &rule.when;
    let names = when.path.yes.is_some() || when.domain.yes.is_some() || when.effect.kinds.is_some();
    let within = |e: &&Effect| e.span.is_some_and(|s| span.start <= s.start && s.end <= span.end);
    !names || when.command.matches.yes.is_some() || seen.effects.iter().filter(within).any(|e| fits_effect(rule, e))
}

fn fits_command(rule: &RuleSource, words: &(Vec<String>, String)) -> bool {
    let (when, exact) = (&rule.when, rule.action.value == Action::Allow);
    let (argv, full) = words;
    let mut broad = vec![argv.join(" "), full.clone()];
    if let Some((_, name)) = argv.first().and_then(|p| p.rsplit_once('/')) {
        broad.push([&[name.to_owned()], argv.get(1..).unwrap_or_default()].concat().join(" "));
    }
    let strict = vec![full.clone()];
    let (yes, no) = if exact { (&strict, &broad) } else { (&broad, &strict) };
    any(when.command.matches.yes.as_ref(), yes, command).unwrap_or(true)
        && !any(when.command.matches.no.as_ref(), no, command).unwrap_or(false)
}

fn fits_effect(rule: &RuleSource, effect: &Effect) -> bool {
    let (when, exact) = (&rule.when, rule.action.value == Action::Allow);
    let host = match &effect.target {
        Some(Target::Host { host, .. }) => vec![host.clone()],
        _ => Vec::new(),
    };
    let pair = |pair: &Pair, yes: &[String], no: &[String], glob: fn(&str, bool) -> Regex| {
        let yes = pair.yes.is_none() || any_with(pair.yes.as_ref(), yes, |p| glob(p, exact)).unwrap_or(false);
        yes && (pair.no.is_none()
            || (!no.is_empty() && !any_with(pair.no.as_ref(), no, |p| glob(p, !exact)).unwrap_or(false)))
    };
    when.effect.kinds.as_ref().is_none_or(|k| k.contains(&effect.kind))
        && pair(&when.path, &paths_of(effect, !exact), &paths_of(effect, exact), path)
        && pair(&when.domain, &host, &host, domain)
}

fn any(patterns: Option<&Vec<crate::read::Placed<String>>>, texts: &[String], glob: fn(&str) -> Regex) -> Option<bool> {
    any_with(patterns, texts, glob)
}

fn any_with(
    patterns: Option<&Vec<crate::read::Placed<String>>>,
    texts: &[String],
    glob: impl Fn(&str) -> Regex,
) -> Option<bool> {
    let patterns = patterns?;
    Some(patterns.iter().any(|p| texts.iter().any(|t| glob(&p.value).is_match(t))))
}

fn command(pattern: &str) -> Regex {
    let body = regex::escape(pattern).replace(r"\*", "(?s:.*)");
    let bare = pattern
        .strip_suffix(" *")
        .filter(|p| !p.contains('*'))
        .map_or(String::new(), |p| format!("|{}", regex::escape(p)));
    Regex::new(&format!("^(?:{body}{bare})$")).unwrap()
}

fn path(pattern: &str, exact: bool) -> Regex {
    if pattern == "**" {
        return Regex::new("^(?s:.*)$").unwrap();
    }
    let floating = if !exact && !pattern.contains('/') { "**/" } else { "" };
    let mut body = regex::escape(&format!("{floating}{pattern}"));
    body = body.replace(r"\*\*/", "(?:.*/)?");
    if let Some(front) = body.strip_suffix(r"/\*\*") {
        body = if exact { format!("{front}/.+") } else { format!("{front}(?:/.*)?") };
    }
    Regex::new(&format!("^{}$", body.replace(r"\*", "[^/]*"))).unwrap()
}

fn domain(pattern: &str, exact: bool) -> Regex {
    let body = match pattern.strip_prefix("*.") {
        Some(below) if exact => format!(r".+\.{}", regex::escape(below)),
        Some(below) => format!(r"(?:.+\.)?{}", regex::escape(below)),
        None => regex::escape(pattern),
    };
    Regex::new(&format!("^{body}$")).unwrap()
}

/// The spellings of an effect's path: normalised, below the home, in the project and, read broadly, as written.
fn paths_of(effect: &Effect, broad: bool) -> Vec<String> {
    let Some(Target::Path { path, written, .. }) = &effect.target else { return Vec::new() };
    let mut all = vec![path.clone()];
    all.extend(path.strip_prefix("/home/u/").map(|rest| format!("~/{rest}")));
    all.extend(path.strip_prefix("/home/u/proj/").map(str::to_owned));
    if broad {
        all.push(written.strip_prefix("./").unwrap_or(written).to_owned());
    }
    all
}
