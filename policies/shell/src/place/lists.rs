//! The lists of `places.toml`, indexed.

use std::collections::HashMap;
use std::sync::LazyLock;

use rampart_call::Sensitivity;
use serde::Deserialize;

use super::normal::Normal;
use crate::glob;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Source {
    plain: Vec<String>,
    credential: Vec<String>,
    may_hold_secrets: Vec<String>,
    persistence: Vec<String>,
    agent_config: Vec<String>,
    rampart: Vec<String>,
    system: Vec<String>,
    temp: Vec<String>,
    harmless_devices: Vec<String>,
}

struct Lists {
    plain: List,
    credential: List,
    may_hold_secrets: List,
    persistence: List,
    agent_config: List,
    rampart: List,
    system: Vec<String>,
    temp: Vec<String>,
    harmless_devices: Vec<String>,
}

static LISTS: LazyLock<Lists> = LazyLock::new(|| {
    // the file is part of the program, and a test reads it
    let source: Source = toml::from_str(include_str!("../../places.toml")).unwrap_or_default();
    Lists {
        plain: List::new(&source.plain),
        credential: List::new(&source.credential),
        may_hold_secrets: List::new(&source.may_hold_secrets),
        persistence: List::new(&source.persistence),
        agent_config: List::new(&source.agent_config),
        rampart: List::new(&source.rampart),
        system: source.system,
        temp: source.temp,
        harmless_devices: source.harmless_devices,
    }
});

/// Patterns, found by their first segment.
#[derive(Default)]
struct List {
    /// `**/name/..`
    floating: HashMap<String, Vec<Pattern>>,
    /// `**/na*me/..`
    floating_globs: Vec<Pattern>,
    home: HashMap<String, Vec<Pattern>>,
    root: HashMap<String, Vec<Pattern>>,
}

struct Pattern {
    /// In lower case.
    segments: Vec<String>,
    tree: bool,
}

impl List {
    fn new(paths: &[String]) -> Self {
        let mut list = Self::default();
        for path in paths {
            let path = path.to_lowercase();
            let (map, rest) = if let Some(rest) = path.strip_prefix("**/") {
                (None, rest)
            } else if let Some(rest) = path.strip_prefix("~/") {
                (Some(&mut list.home), rest)
            } else {
                (Some(&mut list.root), path.strip_prefix('/').unwrap_or(&path))
            };
            let (rest, tree) = rest.strip_suffix("/**").map_or((rest, false), |rest| (rest, true));
            let segments: Vec<String> = rest.split('/').map(str::to_owned).collect();
            let first = segments.first().cloned().unwrap_or_default();
            let pattern = Pattern { segments, tree };
            match map {
                Some(map) => map.entry(first).or_default().push(pattern),
                None if first.contains('*') => list.floating_globs.push(pattern),
                None => list.floating.entry(first).or_default().push(pattern),
            }
        }
        list
    }

    /// How the path, in lower-case segments, meets the list.
    fn meets(&self, path: &Segments<'_>) -> Meets {
        let mut best = Meets::No;
        if let Some(home) = path.home
            && let Some(behind) = path.all.get(home..)
        {
            best = best.max(anchored(&self.home, behind, path));
        }
        best = best.max(anchored(&self.root, &path.all, path));
        for start in 0..path.all.len() {
            let Some(rest) = path.all.get(start..) else { break };
            let Some(first) = rest.first() else { break };
            if path.glob && first.contains(['*', '?', '[']) {
                // a segment of stars alone could be anything, and says nothing
                if first.chars().filter(|c| c.is_alphanumeric()).count() >= 2 {
                    for (name, patterns) in &self.floating {
                        if glob::intersect(first, name) {
                            best = best.max(any(patterns, rest, path));
                        }
                    }
                }
            } else if let Some(patterns) = self.floating.get(*first) {
                best = best.max(any(patterns, rest, path));
            }
            best = best.max(any(&self.floating_globs, rest, path));
        }
        best
    }
}

/// How a path meets a list, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Meets {
    No,
    /// Something listed lies further below.
    Above,
    /// It holds what is listed.
    Holds,
    Is,
}

struct Segments<'p> {
    all: Vec<&'p str>,
    /// Where the part behind the home begins.
    home: Option<usize>,
    glob: bool,
    recursive: bool,
}

fn anchored(map: &HashMap<String, Vec<Pattern>>, path: &[&str], whole: &Segments<'_>) -> Meets {
    let Some(first) = path.first() else { return Meets::No };
    let mut best = map.get(*first).map_or(Meets::No, |patterns| any(patterns, path, whole));
    let unknown = whole.glob && first.contains(['*', '?', '[']) && first.chars().any(char::is_alphanumeric);
    for (name, patterns) in map {
        if name.contains('*') && glob::matches(name, first) || unknown && glob::intersect(first, name) {
            best = best.max(any(patterns, path, whole));
        }
    }
    best
}

fn any(patterns: &[Pattern], path: &[&str], whole: &Segments<'_>) -> Meets {
    patterns.iter().map(|p| p.meets(path, whole)).max().unwrap_or(Meets::No)
}

impl Pattern {
    fn meets(&self, path: &[&str], whole: &Segments<'_>) -> Meets {
        for (number, want) in self.segments.iter().enumerate() {
            let Some(have) = path.get(number) else {
                return match self.segments.len() - number {
                    _ if !whole.recursive || number == 0 => Meets::No,
                    1 => Meets::Holds,
                    _ => Meets::Above,
                };
            };
            let same = if whole.glob && have.contains(['*', '?', '[']) {
                // `*` below the right folder meets everything in it; `.*` and `*` elsewhere are no sign of anything
                glob::intersect(have, want) && (number > 0 || have.chars().any(char::is_alphanumeric))
            } else if want.contains('*') {
                glob::matches(want, have)
            } else {
                want == have
            };
            if !same {
                return Meets::No;
            }
        }
        if self.tree || path.len() == self.segments.len() { Meets::Is } else { Meets::No }
    }
}

fn with_segments<T>(path: &Normal, recursive: bool, glob: bool, f: impl FnOnce(&Segments<'_>) -> T) -> T {
    let lower = path.text.to_lowercase();
    let all: Vec<&str> = lower.split('/').filter(|s| !s.is_empty()).collect();
    let home = path.home.as_ref().map(|rest| {
        let behind = rest.split('/').filter(|s| !s.is_empty()).count();
        all.len().saturating_sub(behind)
    });
    f(&Segments { all, home, glob, recursive })
}

pub(super) fn sensitivity(path: &Normal, recursive: bool, glob: bool) -> Sensitivity {
    with_segments(path, recursive, glob, |segments| {
        let literal = !segments.all.last().is_some_and(|s| s.contains(['*', '?', '[']));
        if literal && LISTS.plain.meets(segments) == Meets::Is
            || segments.all.last().is_some_and(|s| !literal && s.ends_with(".pub"))
        {
            return Sensitivity::Ordinary;
        }
        let credential = LISTS.credential.meets(segments);
        if credential >= Meets::Holds {
            return Sensitivity::Credential;
        }
        if LISTS.persistence.meets(segments) == Meets::Is && LISTS.may_hold_secrets.meets(segments) < Meets::Is {
            return Sensitivity::Persistence;
        }
        if LISTS.may_hold_secrets.meets(segments) == Meets::Is || credential == Meets::Above {
            return Sensitivity::MayHoldSecrets;
        }
        Sensitivity::Ordinary
    })
}

pub(super) fn is_rampart(path: &Normal) -> bool {
    with_segments(path, false, false, |segments| LISTS.rampart.meets(segments) == Meets::Is)
}

pub(super) fn is_agent_config(path: &Normal) -> bool {
    with_segments(path, false, false, |segments| LISTS.agent_config.meets(segments) == Meets::Is)
}

pub(super) fn is_temp(path: &str) -> bool {
    LISTS.temp.iter().any(|root| {
        path.get(..root.len()).is_some_and(|head| head.eq_ignore_ascii_case(root))
            && path.get(root.len()..).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

pub(super) fn is_system(first: &str) -> bool {
    LISTS.system.iter().any(|name| name == first)
}

pub(super) fn is_harmless_device(name: &str) -> bool {
    LISTS.harmless_devices.iter().any(|device| device == name)
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn the_lists_are_read() {
        let source: Source = toml::from_str(include_str!("../../places.toml")).unwrap();
        assert!(source.credential.len() > 50);
    }
}
