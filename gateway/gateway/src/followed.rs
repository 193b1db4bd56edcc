//! Secrets whose values are known are followed: wherever one stands in what an agent sends, in whatever encoding, it may
//! go to the hosts that it is bound to and to no other. The values are kept in memory and shown to nobody.

mod content;
mod learn;
pub mod placeholder;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use rampart_call::{Call, Effect, Judgement, Outcome, Phase, Reason, Target};
use rampart_scan::KnownSecrets;

pub use self::placeholder::Placeholders;
use crate::notify::Secret;

/// The most values that are followed; of those that were learnt, the oldest makes room.
const MOST: usize = 2_048;

/// A value that is followed.
#[derive(Debug, Clone)]
pub struct Value {
    /// What it is, for people; never the value itself.
    pub name: String,
    /// The value.
    pub text: Secret,
    /// The hosts that it may go to: a host, or `*.host` for those below it.
    pub hosts: Vec<String>,
    /// Where it comes from.
    pub kind: Kind,
}

/// Where a followed value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A credential of the configuration.
    Credential,
    /// What an agent holds in place of one.
    Placeholder,
    /// The environment of a session, a file.
    Configured,
    /// It was seen on its way to an agent.
    Seen,
}

/// Every value that is followed.
#[derive(Debug)]
pub(crate) struct Followed {
    known: ArcSwap<Known>,
    /// Held while the values change.
    changing: Mutex<()>,
    /// What an agent gets to see is learnt.
    learns: bool,
    /// To these, every value may go.
    trusted: Vec<String>,
}

#[derive(Debug, Default)]
struct Known {
    values: Vec<Value>,
    secrets: KnownSecrets,
}

/// Followed values that a call carries away.
#[derive(Debug, Default)]
pub(crate) struct Carried(Vec<Value>);

impl Followed {
    pub(crate) fn new(learns: bool, trusted: Vec<String>) -> Self {
        Self { known: ArcSwap::default(), changing: Mutex::new(()), learns, trusted }
    }

    /// Follows these values from now on, too. One that is known already may go to the hosts of both.
    pub(crate) fn add(&self, more: Vec<Value>) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut values = self.known.load().values.clone();
        let mut places: HashMap<String, usize> =
            values.iter().enumerate().map(|(at, value)| (value.text.reveal().to_owned(), at)).collect();
        let mut changed = false;
        for value in more {
            if let Some(known) = places.get(value.text.reveal()).and_then(|at| values.get_mut(*at)) {
                // Whoever configured a value has said where it may go.
                if (known.kind == Kind::Seen) == (value.kind == Kind::Seen) {
                    let fresh: Vec<_> = value.hosts.into_iter().filter(|host| !known.hosts.contains(host)).collect();
                    changed |= !fresh.is_empty();
                    known.hosts.extend(fresh);
                } else if known.kind == Kind::Seen {
                    *known = value;
                    changed = true;
                }
                continue;
            }
            places.insert(value.text.reveal().to_owned(), values.len());
            values.push(value);
            changed = true;
        }
        if !changed {
            return;
        }
        while values.len() > MOST {
            let Some(oldest) = values.iter().position(|value| value.kind == Kind::Seen) else { break };
            values.remove(oldest);
        }
        let secrets = KnownSecrets::new(values.iter().map(|value| value.text.reveal()));
        self.known.store(std::sync::Arc::new(Known { values, secrets }));
    }

    /// How many values are followed.
    pub(crate) fn len(&self) -> usize {
        self.known.load().values.len()
    }

    /// The values that a call carries away, in whatever form.
    pub(crate) fn carried(&self, call: &Call) -> Carried {
        let known = self.known.load();
        if known.secrets.is_empty() || call.phase != Phase::Before {
            return Carried::default();
        }
        Carried(known.found(call).into_iter().cloned().collect())
    }

    /// Judges a call anew where it carries followed values: a denial where one goes elsewhere than it may, otherwise
    /// what `judge` says of the call with a word in place of each placeholder, which looks like a secret and is none.
    pub(crate) fn judge(
        &self,
        call: &Call,
        Carried(found): Carried,
        judgement: Judgement,
        judge: impl Fn(&Call) -> Judgement,
    ) -> Judgement {
        if found.is_empty() {
            return judgement;
        }
        let hosts: Vec<String> = judgement.effects.iter().filter_map(host).map(str::to_owned).collect();
        for value in &found {
            if let Some(host) = hosts.iter().find(|host| !self.may_go(value, host)) {
                return denial(value, host, judgement);
            }
        }
        let placeholders: Vec<&Value> = found.iter().filter(|value| value.kind == Kind::Placeholder).collect();
        if placeholders.is_empty() {
            return judgement;
        }
        let shown = content::replaced(call, |text| {
            placeholders.iter().fold(text.to_owned(), |text, value| {
                text.replace(value.text.reveal(), &format!("[credential:{}]", value.name))
            })
        });
        judge(&shown)
    }

    fn may_go(&self, value: &Value, host: &str) -> bool {
        let names = |pattern: &String| covers(pattern, host);
        let near = || host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        value.hosts.iter().any(names)
            || self.trusted.iter().any(names)
            // What an agent has for its own program may go to it while that runs here.
            || matches!(value.kind, Kind::Configured | Kind::Seen) && near()
    }
}

impl Known {
    /// The values that a call sends, in whatever form.
    fn found(&self, call: &Call) -> Vec<&Value> {
        let mut found: Vec<usize> = Vec::new();
        content::each(&call.action, &mut |text| found.extend(self.secrets.find_within(text.as_bytes())));
        found.sort_unstable();
        found.dedup();
        found.into_iter().filter_map(|which| self.values.get(which)).collect()
    }
}

fn denial(value: &Value, host: &str, judgement: Judgement) -> Judgement {
    if judgement.outcome == Outcome::Deny {
        return judgement;
    }
    let what = match value.kind {
        Kind::Credential => format!("the credential `{}`", value.name),
        Kind::Placeholder => format!("the placeholder of the credential `{}`", value.name),
        Kind::Configured => format!("the value of `{}`", value.name),
        Kind::Seen => format!("a secret ({}) that this agent has seen", value.name),
    };
    let way_out = match value.kind {
        Kind::Credential | Kind::Placeholder => "`hosts` of the credential",
        Kind::Configured => "`hosts` beside its source under `secrets.follow`",
        Kind::Seen => "`secrets.hosts`",
    };
    let text = format!(
        "{what} would go to {host}, which it is not bound to; a human binds it by {way_out} in the configuration"
    );
    Judgement {
        effects: judgement.effects,
        ruleset: judgement.ruleset,
        ..Judgement::refused(Reason::SecretLeaves, text)
    }
}

fn host(effect: &Effect) -> Option<&str> {
    match &effect.target {
        Some(Target::Host { host, .. }) if !host.is_empty() => Some(host),
        _ => None,
    }
}

/// Whether a pattern, `host` or `*.host`, names a host. Both are in lower case.
fn covers(pattern: &str, host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    match pattern.strip_prefix("*.") {
        Some(above) => host.strip_suffix(above).is_some_and(|below| below.ends_with('.')),
        None => host == pattern,
    }
}

#[cfg(test)]
mod tests;
