//! What follows a keyword hit: boundaries, expression, entropy, placeholder words, checksum; cheapest first.

use crate::assignment;
use crate::detector::{Detector, Matched, Shape};
use crate::plausible;
use crate::prefilter::Hit;

/// The longest thing an expression is run over, in bytes.
const REACH: usize = 16 * 1024;
/// The longest value of an assignment.
const VALUE: usize = 1024;

/// Where the secret stands that `detector` finds at a hit of one of its keywords.
pub(crate) fn confirm(detector: &Detector, bytes: &[u8], hit: Hit) -> Option<(usize, usize)> {
    let (start, end) = match &detector.shape {
        Shape::Token { prefixes, rest } => {
            let here = bytes.get(hit.start..)?;
            let prefix = prefixes.iter().map(String::as_bytes).find(|p| here.starts_with(p))?;
            if !begins_here(bytes, hit.start, prefix) {
                return None;
            }
            let from = hit.start + prefix.len();
            let Matched { all, secret } = rest.at(bytes, from, from + REACH)?;
            let in_word = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_alphanumeric);
            if secret != all {
                secret
            } else if in_word(all.1 - 1) && in_word(all.1) {
                return None;
            } else {
                (hit.start, all.1)
            }
        }
        Shape::Assigned { names, value, telling } => {
            if !begins_word(bytes, hit.start) && !detector.id().starts_with("generic-") {
                return None;
            }
            let here = bytes.get(hit.start..)?;
            let first = here.first()?.to_ascii_lowercase();
            let is_here = |n: &&String| {
                n.as_bytes().first() == Some(&first)
                    && here.get(..n.len()).is_some_and(|b| b.eq_ignore_ascii_case(n.as_bytes()))
            };
            let name = names.iter().filter(is_here).max_by_key(|n| n.len())?;
            let assigned = assignment::read(bytes, hit.start, hit.start + name.len())?;
            let Matched { all, secret } = value.at(bytes, assigned.value, assigned.value + VALUE)?;
            if !assigned.ends(bytes, all.1) {
                return None;
            }
            let name = assigned.name(bytes);
            if assignment::is_public_name(&name) || !telling && !assignment::is_secret_name(&name) {
                return None;
            }
            secret
        }
        Shape::Keyed { keywords, exact: true, .. }
            if !keywords.iter().any(|k| bytes.get(hit.start..).is_some_and(|here| here.starts_with(k.as_bytes()))) =>
        {
            return None;
        }
        Shape::Keyed { regex, before: 0, then: None, .. } => regex.at(bytes, hit.start, hit.start + REACH)?.secret,
        Shape::Keyed { regex, before, after, then, .. } => {
            let found = regex.within(bytes, hit.start.saturating_sub(*before), hit.end + after)?;
            let secret = (found.all.0 <= hit.start).then_some(found.secret)?;
            match then {
                None => secret,
                Some((then, apart)) => (secret.0, then.within(bytes, found.all.1, found.all.1 + apart)?.all.1),
            }
        }
        // A value, as of a role in a message, speaks to nobody.
        Shape::Weighed { .. } if in_word(bytes, hit) || bytes.get(hit.end) == Some(&b'"') => return None,
        Shape::Weighed { .. } if is_user_agent(bytes, hit) => return None,
        Shape::Weighed { tells, .. } => tells.weigh(bytes, hit)?,
        Shape::Code => return None,
    };
    let secret = bytes.get(start..end)?;
    let confirmed = plausible::entropy(secret) >= detector.entropy
        && (detector.class() != rampart_call::FindingClass::Secret || !plausible::is_placeholder(secret))
        && detector.check.is_none_or(|c| c.passes(secret));
    confirmed.then_some((start, end))
}

/// Whether the hit begins in the middle of a word.
fn in_word(bytes: &[u8], hit: Hit) -> bool {
    let letter = bytes.get(hit.start).is_some_and(u8::is_ascii_alphanumeric);
    letter && !starts_word(bytes, hit.start, u8::is_ascii_alphanumeric)
}

/// Whether it is the header in which a client names itself (RFC 9110 section 10.1.5), which is in every request.
fn is_user_agent(bytes: &[u8], hit: Hit) -> bool {
    let before = bytes.get(hit.start.saturating_sub(5)..hit.start).unwrap_or_default();
    before.eq_ignore_ascii_case(b"user-") && bytes.get(hit.end) == Some(&b':')
}

/// Whether a token may begin at the hit: not in the middle of a word, unless its prefix cannot be a part of one.
fn begins_here(bytes: &[u8], start: usize, prefix: &[u8]) -> bool {
    let distinctive = prefix.len() >= 4 && prefix.last().is_some_and(|b| b"_-.".contains(b));
    distinctive || starts_word(bytes, start, u8::is_ascii_alphanumeric)
}

/// Whether a name may begin at `at`: after something else than a letter, or where camel case begins a word.
fn begins_word(bytes: &[u8], at: usize) -> bool {
    let camel = bytes.get(at).is_some_and(u8::is_ascii_uppercase)
        && at.checked_sub(1).and_then(|i| bytes.get(i)).is_some_and(u8::is_ascii_lowercase);
    camel || starts_word(bytes, at, u8::is_ascii_alphabetic)
}

/// Whether the byte before `at` is none of a word, or the letter of an escape such as `\n`.
fn starts_word(bytes: &[u8], at: usize, of_word: fn(&u8) -> bool) -> bool {
    let Some(previous) = at.checked_sub(1).and_then(|i| bytes.get(i)) else { return true };
    let escaped = || at.checked_sub(2).and_then(|i| bytes.get(i)) == Some(&b'\\') && b"nrtbf".contains(previous);
    !of_word(previous) || escaped()
}
