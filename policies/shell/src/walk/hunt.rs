//! Searches: what is looked for, and where.

use rampart_call::{EffectKind, Scope, Target};

use super::Walk;
use super::apply::Use;
use crate::place;
use crate::value::Arg;

/// Text that stands in keys and nowhere else.
const KEYS: &[&str] = &[
    "private key",
    "private.key",
    "begin rsa",
    "begin openssh",
    "begin.*private",
    "begin ec",
    "akia",
    "aws_secret",
    "secret_access_key",
    "ghp_",
    "gho_",
    "github_pat",
    "xoxb",
    "xoxp",
    "sk-ant",
    "sk_live",
    "aiza",
];

/// Words that stand beside secrets, and in much else.
const WORDS: &[&str] =
    &["password", "passwd", "secret", "token", "api_key", "apikey", "api[_-]", "credential", "bearer"];

/// Longest part of a pattern that is looked at, in bytes.
const MAX_PATTERN: usize = 256;

/// What the names of variables that hold secrets are made of.
const NAMES: &[&str] = &[
    "TOKEN", "SECRET", "KEY", "PASS", "PWD", "CRED", "AUTH", "API", "AWS", "COOKIE", "SESSION", "BEARER", "PRIVATE",
    "_PAT",
];

/// What a search is for.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Hunt {
    /// Text of keys.
    keys: bool,
    /// Words beside secrets.
    words: bool,
    /// A search of the environment for it shows no secret.
    pub(super) harmless: bool,
}

impl Hunt {
    pub(super) fn of(pattern: &Arg) -> Self {
        let mut end = pattern.text.len().min(MAX_PATTERN);
        while !pattern.text.is_char_boundary(end) {
            end -= 1;
        }
        let text = pattern.text.get(..end).unwrap_or("");
        let (lower, upper) = (text.to_lowercase(), text.to_uppercase());
        let says = upper.split('|').all(|one| one.chars().filter(char::is_ascii_alphabetic).count() >= 3);
        Self {
            keys: KEYS.iter().any(|word| lower.contains(word)),
            words: WORDS.iter().any(|word| lower.contains(word)),
            harmless: pattern.is_literal() && says && !NAMES.iter().any(|name| upper.contains(name)),
        }
    }

    /// What a filter of `jq` picks by name. A dot alone is all of it, two are whatever the names say that follow.
    pub(super) fn of_filter(filter: &Arg) -> Option<Self> {
        let text = filter.text.as_str();
        let all = |(at, _): (usize, &str)| {
            let (before, after) = (&text[..at], &text[at + 1..]);
            !before.ends_with('.')
                && !after.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '"' | '[' | '.'))
        };
        if text.match_indices('.').any(all) {
            return None;
        }
        let mut hunt = Self::of(filter);
        // outputs of Terraform that it does not show by itself
        let marked = text.match_indices(".sensitive").any(|(at, found)| {
            let after = text[at + found.len()..].trim_start();
            !["| not", "|not", "== false", "==false", "!= true", "!=true"].iter().any(|not| after.starts_with(not))
        });
        hunt.words |= marked;
        hunt.harmless &= !marked;
        Some(hunt)
    }

    /// It is a password or token that is searched for.
    pub(super) const fn is_for_secrets(self) -> bool {
        self.keys || self.words
    }
}

impl Walk<'_> {
    /// A place is searched: for keys or passwords that are not the project's? Says so once for a command.
    pub(super) fn hunted(&mut self, place: &Arg, used: &mut Use<'_>) {
        let Some(hunt) = used.hunt.filter(|hunt| used.recursive && hunt.is_for_secrets()) else { return };
        let target = self.target(place, true);
        let outside = !matches!(&target, Target::Path { scope: Scope::Project | Scope::Temp, .. });
        if outside && hunt.keys || is_wide(&target) && hunt.words {
            self.push(EffectKind::Secret, Some(target), "secret-search");
            used.hunt = None;
        }
    }

    /// A file of that name is looked for below `start`.
    pub(crate) fn hunted_name(&mut self, start: &Arg, name: &Arg) {
        let at = self.target(start, true);
        if !is_wide(&at) {
            return;
        }
        let plain = name.text.trim_start_matches(['*', '/']);
        let plain = Some(plain.trim_end_matches('*')).filter(|p| p.len() > 3).unwrap_or(plain);
        let path = format!("{}/{plain}", start.text.trim_end_matches('/'));
        if let Target::Path { path, .. } = &at
            && place::holds_key_named(path, &name.text)
        {
            return self.push(EffectKind::Secret, Some(at), "secret-search");
        }
        let kind = [".pem", ".key", ".p12", ".pfx", ".kdbx", ".ppk", ".jks", ".keystore", ".ovpn"];
        if kind.iter().any(|end| name.text.ends_with(end)) {
            return self.push(EffectKind::Secret, Some(at), "secret-search");
        }
        let exact = self.target(&Arg { glob: false, ..start.with_text(&path) }, name.text.starts_with('.'));
        if matches!(&exact, Target::Path { sensitivity, .. } if place::is_secret(*sensitivity)) {
            self.push(EffectKind::Secret, Some(at), "secret-search");
        }
    }
}

/// The whole machine, a whole home, settings: a place where other people's secrets lie too.
fn is_wide(target: &Target) -> bool {
    let Target::Path { scope, path, .. } = target else { return false };
    let below_home =
        path.strip_prefix("~/").or_else(|| path.split_once("/home/")?.1.split_once('/').map(|(_, rest)| rest));
    matches!(scope, Scope::SystemRoot | Scope::HomeRoot)
        || path.starts_with("/etc/")
        || path.starts_with("/root")
        || path.starts_with("/Users") && path.matches('/').count() < 3
        || below_home.is_some_and(|rest| rest.starts_with('.'))
}
