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
    key_folders: Vec<String>,
    may_hold_secrets: Vec<String>,
    persistence: Vec<String>,
    agent_config: Vec<String>,
    rampart: Vec<String>,
    system: Vec<String>,
    temp: Vec<String>,
    harmless_devices: Vec<String>,
}

/// What a list says of the paths on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    Credential,
    KeyFolder,
    MayHoldSecrets,
    Persistence,
    AgentConfig,
    Rampart,
}

const CLASSES: usize = 7;

struct Lists {
    index: Index,
    system: Vec<String>,
    temp: Vec<String>,
    harmless_devices: Vec<String>,
}

static LISTS: LazyLock<Lists> = LazyLock::new(|| {
    let source: Source = crate::embedded("places", include_str!("../../places.toml"));
    let mut index = Index::default();
    for (paths, class) in [
        (&source.plain, Class::Plain),
        (&source.credential, Class::Credential),
        (&source.key_folders, Class::KeyFolder),
        (&source.may_hold_secrets, Class::MayHoldSecrets),
        (&source.persistence, Class::Persistence),
        (&source.agent_config, Class::AgentConfig),
        (&source.rampart, Class::Rampart),
    ] {
        paths.iter().for_each(|path| index.add(path, class));
    }
    Lists { index, system: source.system, temp: source.temp, harmless_devices: source.harmless_devices }
});

pub(super) fn ready() {
    LazyLock::force(&LISTS);
}

/// Patterns, found by their first segment.
#[derive(Default)]
struct Index {
    /// `**/name/..`
    floating: Start,
    /// `~/..`
    home: Start,
    /// `/..`
    root: Start,
}

#[derive(Default)]
struct Start {
    named: HashMap<String, Vec<Pattern>>,
    /// The first segment holds a `*`.
    globs: Vec<Pattern>,
}

struct Pattern {
    /// In lower case.
    segments: Vec<String>,
    tree: bool,
    class: Class,
}

impl Index {
    fn add(&mut self, path: &str, class: Class) {
        let path = path.to_lowercase();
        let (start, rest) = if let Some(rest) = path.strip_prefix("**/") {
            (&mut self.floating, rest)
        } else if let Some(rest) = path.strip_prefix("~/") {
            (&mut self.home, rest)
        } else {
            (&mut self.root, path.strip_prefix('/').unwrap_or(&path))
        };
        let (rest, tree) = rest.strip_suffix("/**").map_or((rest, false), |rest| (rest, true));
        let segments: Vec<String> = rest.split('/').map(str::to_owned).collect();
        let first = segments.first().cloned().unwrap_or_default();
        let pattern = Pattern { segments, tree, class };
        if first.contains('*') {
            start.globs.push(pattern);
        } else {
            start.named.entry(first).or_default().push(pattern);
        }
    }

    /// How the path meets each list.
    fn meets(&self, path: &Segments<'_>) -> [Meets; CLASSES] {
        let mut best = [Meets::No; CLASSES];
        if let Some(behind) = path.home.and_then(|home| path.all.get(home..)) {
            self.home.meets(behind, path, &mut best);
        }
        self.root.meets(&path.all, path, &mut best);
        self.root.meets_any_folder(path, &mut best);
        for start in 0..path.all.len() {
            if let Some(rest) = path.all.get(start..) {
                self.floating.meets(rest, path, &mut best);
            }
        }
        best
    }
}

impl Start {
    /// A pattern whose first name may be any: `/???/sh?dow`.
    fn meets_any_folder(&self, path: &Segments<'_>, best: &mut [Meets; CLASSES]) {
        let (Some(first), Some(last)) = (path.all.first(), path.all.last()) else { return };
        if !path.glob
            || path.all.len() < 2
            || !first.contains(['*', '?', '['])
            || says_something(first)
            || !says_something(last)
        {
            return;
        }
        for (name, patterns) in &self.named {
            if glob::intersect(first, name) {
                // the folder's own name in front of the rest
                let mut all = path.all.clone();
                if let Some(first) = all.first_mut() {
                    *first = name;
                }
                patterns.iter().filter(|p| p.segments.len() == all.len()).for_each(|p| p.count(&all, path, best));
            }
        }
    }

    fn meets(&self, path: &[&str], whole: &Segments<'_>, best: &mut [Meets; CLASSES]) {
        let Some(first) = path.first() else { return };
        if whole.glob && first.contains(['*', '?', '[']) {
            if says_something(first) {
                for (name, patterns) in &self.named {
                    if glob::intersect(first, name) {
                        patterns.iter().for_each(|p| p.count(path, whole, best));
                    }
                }
            }
        } else if let Some(patterns) = self.named.get(*first) {
            patterns.iter().for_each(|p| p.count(path, whole, best));
        }
        self.globs.iter().for_each(|p| p.count(path, whole, best));
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

/// Whether a pattern's name, its ending aside, holds enough letters to mean something: `*.json` does not.
fn says_something(segment: &str) -> bool {
    // no file has a longer name
    if segment.len() > 255 {
        return false;
    }
    let stem = segment.rsplit_once('.').map_or(segment, |(stem, _)| if stem.is_empty() { segment } else { stem });
    stem.chars().filter(|c| c.is_alphanumeric()).count() >= 2
}

/// Whether two patterns have a beginning in common, without which nearly all of them meet.
fn begin_alike(have: &str, want: &str) -> bool {
    let literal = |s: &str| s.find(['*', '?', '[']).unwrap_or(s.len());
    let (a, b) = (literal(have), literal(want));
    b == want.len() || a.min(b) >= 2
}

impl Pattern {
    fn count(&self, path: &[&str], whole: &Segments<'_>, best: &mut [Meets; CLASSES]) {
        let meets = self.meets(path, whole);
        if let Some(slot) = best.get_mut(self.class as usize) {
            *slot = meets.max(*slot);
        }
    }

    fn meets(&self, path: &[&str], whole: &Segments<'_>) -> Meets {
        // Most patterns are about a name alone, and most names of a path are folders.
        if path.len() > self.segments.len() && !self.tree {
            return Meets::No;
        }
        for (number, want) in self.segments.iter().enumerate() {
            let Some(have) = path.get(number) else {
                return match self.segments.len() - number {
                    _ if !whole.recursive || number == 0 => Meets::No,
                    1 => Meets::Holds,
                    // the folders of a project may have the same names
                    _ if whole.home == Some(whole.all.len() - path.len()) => Meets::Above,
                    _ => Meets::No,
                };
            };
            let same = if whole.glob && have.contains(['*', '?', '[']) {
                // `*` below the right folder meets everything in it; elsewhere it is no sign of anything
                if number > 0 {
                    have.len() > 255 || glob::intersect(have, want)
                } else {
                    have == want || says_something(have) && begin_alike(have, want) && glob::intersect(have, want)
                }
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

/// What the lists say of one path.
pub(super) struct Found {
    pub(super) sensitivity: Sensitivity,
    pub(super) rampart: bool,
    pub(super) agent_config: bool,
}

pub(super) fn look_up(path: &Normal, recursive: bool, glob: bool) -> Found {
    let lower = path.text.to_lowercase();
    let mut all: Vec<&str> = Vec::with_capacity(8);
    all.extend(lower.split('/').filter(|s| !s.is_empty()));
    let home = path.home.as_ref().map(|rest| {
        let behind = rest.split('/').filter(|s| !s.is_empty()).count();
        all.len().saturating_sub(behind)
    });
    let pattern = all.last().is_some_and(|s| s.contains(['*', '?', '[']));
    let public = pattern && all.last().is_some_and(|s| s.ends_with(".pub"));
    let [plain, credential, key_folder, may_hold_secrets, persistence, agent_config, rampart] =
        LISTS.index.meets(&Segments { all, home, glob, recursive });
    let sensitivity = if plain == Meets::Is && !pattern || public {
        Sensitivity::Ordinary
    } else if credential >= Meets::Holds {
        Sensitivity::Credential
    } else if may_hold_secrets == Meets::Is {
        Sensitivity::MayHoldSecrets
    } else if persistence == Meets::Is {
        Sensitivity::Persistence
    } else if key_folder == Meets::Is && !recursive {
        Sensitivity::Credential
    } else if credential == Meets::Above {
        Sensitivity::MayHoldSecrets
    } else {
        Sensitivity::Ordinary
    };
    Found { sensitivity, rampart: rampart == Meets::Is, agent_config: agent_config == Meets::Is }
}

pub(super) fn holds_key_named(folder: &str, pattern: &str) -> bool {
    let pattern = pattern.to_lowercase();
    if !says_something(&pattern) || pattern.ends_with(".pub") {
        return false;
    }
    let above: Vec<&str> = folder.trim_end_matches("/*").split('/').filter(|s| !s.is_empty()).collect();
    let root = &LISTS.index.root;
    root.named.values().flatten().any(|known| {
        let Some((last, before)) = known.segments.split_last() else { return false };
        known.class == Class::Credential
            && !known.tree
            && !last.contains('*')
            && before.len() >= above.len()
            && above.iter().zip(before).all(|(have, want)| have == want)
            && glob::intersect(&pattern, last)
    })
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
