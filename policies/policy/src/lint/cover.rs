//! Rules that never decide because another rule covers them.

use super::Entry;
use crate::{
    Layer, SourceFile,
    condition::Pair,
    pattern::{Domain, Extent, PathGlob, Reading, TextGlob, UrlGlob, UrlParts, fold_host},
    read::{Placed, Reader},
    source::{Action, Match},
    tool::Tools,
};

pub(super) fn check(
    before: &[Entry<'_>],
    entry: &Entry<'_>,
    after: &[Entry<'_>],
    files: &[SourceFile],
    reader: &mut Reader<'_>,
) {
    contradiction(entry, reader);
    for (other, earlier) in before.iter().map(|e| (e, true)).chain(after.iter().map(|e| (e, false))) {
        if !covers(other, entry) {
            continue;
        }
        let file = files.get(other.file).map_or("", |f| f.name.as_str());
        let by = format!("`{}` ({file}:{})", other.policy.name.value, other.line);
        let (ours, theirs) = (rank(entry), rank(other));
        if entry.rule.locked && other.rule.locked {
            // Of two that cover each other the later one is told.
            if earlier || !covers(entry, other) {
                let message = format!("this locked rule is covered by the locked rule {by}");
                reader.warn("overlapping-locked", &entry.rule.span, message, "remove one of them");
                return;
            }
        } else if theirs > ours {
            let (code, what) = match entry.rule.action.value {
                Action::Allow => ("shadowed-grant", "this allowance never takes effect"),
                _ => ("unreachable", "this rule never decides"),
            };
            let message = format!("{what}: {by} is stricter and matches all that it matches");
            reader.warn(code, &entry.rule.span, message, "narrow the other rule, or remove this one");
            return;
        } else if theirs == ours && (earlier || !covers(entry, other)) && entry.rule.action.value != Action::Watch {
            let message = format!("this rule adds nothing: {by} does the same and matches all that it matches");
            reader.warn("unreachable", &entry.rule.span, message, "remove one of them");
            return;
        }
    }
}

/// How strong a rule is against others, by the precedence of the language.
fn rank(entry: &Entry<'_>) -> (u8, u8) {
    let strength = match entry.rule.action.value {
        Action::Deny => 5,
        Action::Webhook => 4,
        Action::Ask => 3,
        Action::Allow => 2,
        Action::Redact => 1,
        Action::Watch => 0,
    };
    let layer = match entry.layer {
        _ if entry.rule.locked => 2,
        Layer::Overrides => 1,
        Layer::Profile | Layer::User | Layer::Project => 0,
    };
    (layer, strength)
}

/// A pattern that its own exception takes back.
fn contradiction(entry: &Entry<'_>, reader: &mut Reader<'_>) {
    let when = &entry.rule.when;
    let pairs: [(&Pair, Fits); 4] = [
        (&when.command.matches, command_fits),
        (&when.path, path_fits),
        (&when.domain, domain_fits),
        (&when.url, url_fits),
    ];
    for (pair, fits) in pairs {
        let (Some(yes), Some(no)) = (&pair.yes, &pair.no) else { continue };
        if yes.iter().all(|inner| no.iter().any(|outer| fits(&outer.value, &inner.value))) {
            let message = "the rule never matches: its exceptions hold all that it is about";
            reader.warn("never-true", &entry.rule.span, message, "narrow the exceptions");
        }
    }
}

/// Whether `outer` matches every call that `inner` matches. Errs towards no.
fn covers(outer: &Entry<'_>, inner: &Entry<'_>) -> bool {
    let simple = outer.rule.expires_at_ms.is_none()
        && !outer.rule.once
        && !outer.rule.ask.headless_only
        && outer.rule.ask.approvals >= inner.rule.ask.approvals
        && outer.rule.action.value != Action::Redact;
    let plain = ["command_matches", "path_matches", "domain_matches", "url_matches"];
    // A rule that allows must cover the whole call; one that stops need only meet it.
    let broad = outer.rule.action.value != Action::Allow || inner.rule.action.value == Action::Allow;
    if !simple || !broad || !selects_all(&outer.policy.matching, &inner.policy.matching) {
        return false;
    }
    if outer.keys.is_empty() {
        return !inner.keys.iter().any(|k| k.starts_with("response")) || outer.keys == inner.keys;
    }
    let (o, i) = (&outer.rule.when, &inner.rule.when);
    outer.keys.iter().all(|k| plain.contains(k))
        && all_fit(&o.command.matches, &i.command.matches, command_fits)
        && all_fit(&o.path, &i.path, path_fits)
        && all_fit(&o.domain, &i.domain, domain_fits)
        && all_fit(&o.url, &i.url, url_fits)
}

fn selects_all(outer: &Match, inner: &Match) -> bool {
    let lists = [
        (&outer.agent, &inner.agent),
        (&outer.session, &inner.session),
        (&outer.tool, &inner.tool),
        (&outer.server, &inner.server),
        (&outer.method, &inner.method),
    ];
    // Of what a server does by itself only a policy speaks that names the tool for it.
    let named =
        |matching: &Match, word: &str| matching.tool.iter().flatten().any(|tool| tool.value.eq_ignore_ascii_case(word));
    let words = Tools::NAMED.iter().filter(|(_, tool)| *tool != Tools::MCP).map(|(word, _)| *word);
    let by_itself = |word: &str| outer.server.is_some() && named(inner, word) && !named(outer, word);
    if words.into_iter().any(by_itself) {
        return false;
    }
    let holds = |outer: &[Placed<String>], inner: &[Placed<String>]| {
        inner.iter().all(|i| outer.iter().any(|o| TextGlob::new(&o.value).is_match(&i.value)))
    };
    let texts = lists.iter().all(|pair| match pair {
        (None, _) => true,
        (Some(outer), Some(inner)) => holds(outer, inner),
        (Some(_), None) => false,
    });
    let surfaces = match (&outer.surface, &inner.surface) {
        (None, _) => true,
        (Some(outer), Some(inner)) => inner.iter().all(|s| outer.contains(s)),
        (Some(_), None) => false,
    };
    // Errs towards no: which names are left is not worked out.
    let excepted = outer.not_tool.is_none();
    texts && surfaces && excepted && (outer.phase.is_none() || outer.phase == inner.phase)
}

type Fits = fn(&str, &str) -> bool;

/// Where the outer rule has patterns, the inner rule's must all be held by them.
fn all_fit(outer: &Pair, inner: &Pair, fits: Fits) -> bool {
    match (&outer.yes, &inner.yes) {
        (None, _) => true,
        (Some(outer), Some(inner)) => inner.iter().all(|i| outer.iter().any(|o| fits(&o.value, &i.value))),
        (Some(_), None) => false,
    }
}

/// A star of the inner pattern is a character that only a star of the outer one matches, so a match is a proof.
fn command_fits(outer: &str, inner: &str) -> bool {
    use crate::condition::command::has_operator;
    has_operator(outer) == has_operator(inner) && TextGlob::new(outer).is_match(inner)
}

fn path_fits(outer: &str, inner: &str) -> bool {
    if outer == inner {
        return true;
    }
    let wild = inner.contains(['[', '{']);
    let globs = PathGlob::compile(outer, Reading::Exact).unwrap_or_default();
    // `**` in the inner pattern may stand for nothing, which only `**` allows for.
    let across = !inner.contains("**") || outer.contains("**");
    !wild && across && globs.iter().any(|g| g.is_match(inner, Extent::default()))
}

fn domain_fits(outer: &str, inner: &str) -> bool {
    let Ok(domain) = Domain::new(outer, Reading::Broad) else { return false };
    match inner.strip_prefix("*.") {
        Some(below) => {
            fold_host(below).is_some_and(|b| domain.is_match(&format!("x.{b}")) && domain.is_match(&format!("y.x.{b}")))
        }
        None => !inner.contains('*') && fold_host(inner).is_some_and(|host| domain.is_match(&host)),
    }
}

fn url_fits(outer: &str, inner: &str) -> bool {
    if outer == inner {
        return true;
    }
    let Ok(glob) = UrlGlob::new(outer, Reading::Exact) else { return false };
    !inner.contains('*') && UrlParts::parse(inner).is_some_and(|parts| glob.is_match(&parts))
}
