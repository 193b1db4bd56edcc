//! The human's own rules: `policies/user-overrides.yaml`, each entry one exact rule. A rule is tried before it is written,
//! on record before it is in force, and one call takes it back.

mod file;
mod text;
mod trial;

use std::{io, path::PathBuf};

use rampart_policy::{Diagnostic, Override, OverrideAction, SourceFile};

pub use self::{
    file::{HEAD, NAME, Overrides, write_whole},
    text::{Entry, entries, with},
    trial::{Place, Tried, params, try_out},
};
use crate::{
    Gateway, Home,
    audit::{Change, Entry as Record},
    policy_files,
};

/// Why the rules stay as they are.
#[derive(Debug, thiserror::Error)]
pub enum OverrideError {
    /// It can be no rule.
    #[error("{0}")]
    Senseless(String),
    /// With the rule the same would be decided.
    #[error("{0}. Nothing was written.")]
    NoEffect(String),
    /// There is no such rule.
    #[error("there is no rule {which}; `rampart rules` lists the {count} there are")]
    Unknown {
        /// What was asked for.
        which: String,
        /// How many rules there are.
        count: usize,
    },
    /// The file cannot be changed without doubt.
    #[error("cannot change {}: {why}", path.display())]
    ByHand {
        /// Which file.
        path: PathBuf,
        /// What is in the way.
        why: String,
    },
    /// The policies do not load, as they are or as they would be.
    #[error("the policy does not load: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Policies(Vec<Diagnostic>),
    /// The system does not let us.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The audit trail cannot take it, and nothing is changed off the record.
    #[error("the audit trail cannot take it, so nothing was changed: {0}")]
    Unrecorded(String),
}

/// A change that only lacks being written. As long as it lives, nobody else changes the file by this program.
#[derive(Debug)]
pub struct Planned<T> {
    overrides: Overrides,
    text: String,
    /// What it comes to.
    pub done: T,
}

/// A rule that was added.
#[derive(Debug, Clone)]
pub struct Added {
    /// Its number in the list.
    pub number: usize,
    /// It was there already, and nothing was written.
    pub existed: bool,
    /// What people should know about what it does.
    pub notes: Vec<String>,
    /// What is doubtful about the files with it and was not before.
    pub warnings: Vec<Diagnostic>,
    /// How many rules there are with it.
    pub rules: usize,
}

/// A rule that was taken back.
#[derive(Debug, Clone)]
pub struct Removed {
    /// Its number in the list as that was.
    pub number: usize,
    /// The rule.
    pub entry: Entry,
    /// How many rules there are without it.
    pub rules: usize,
}

/// All rules of the human's own that were taken back.
#[derive(Debug, Clone)]
pub struct Reset {
    /// How many.
    pub count: usize,
    /// Where the file is kept as it was; none where there was nothing to take back.
    pub kept: Option<PathBuf>,
    /// How many rules there are without them.
    pub rules: usize,
}

impl<T> Planned<T> {
    /// Writes it. `rampart` without a gateway does no more; a gateway records it first and loads it afterwards.
    ///
    /// # Errors
    /// When the file cannot be written; then the old one stands.
    pub fn save(self) -> Result<T, OverrideError> {
        if self.text != self.overrides.text {
            self.overrides.save(&self.text)?;
        }
        Ok(self.done)
    }
}

/// Tries a rule out, and says what adding it comes to. One that is there already, and does not end, is not added again.
///
/// # Errors
/// When it can be no rule, or would change nothing.
pub fn plan_addition(home: &Home, rule: &Override, place: &Place) -> Result<Planned<Added>, OverrideError> {
    let why = |why| OverrideError::Senseless(format!("`{}` cannot be a rule: {why}", rule.pattern));
    rule.check().map_err(why)?;
    let overrides = Overrides::open(home)?;
    let entries = overrides.entries()?;
    if let Some(at) = position(&entries, rule) {
        let done = Added { number: at + 1, existed: true, notes: Vec::new(), warnings: Vec::new(), rules: 0 };
        return Ok(Planned { text: overrides.text.clone(), overrides, done });
    }
    let text = with(&overrides.text, &rule.to_policy(&name(rule, &entries)), HEAD).map_err(|w| overrides.by_hand(w))?;
    let before = files(home, place)?;
    let Tried { rules, warnings, notes } = try_out(rule, &before, &Overrides::files_with(&before, &text), home, place)?;
    let done = Added { number: entries.len() + 1, existed: false, notes, warnings, rules };
    Ok(Planned { overrides, text, done })
}

/// The policy files of a home as they are and as they would be with a rule, which is tried out as for adding it.
///
/// # Errors
/// When it can be no rule, or would change nothing.
pub(crate) fn files_around(
    home: &Home,
    rule: &Override,
    place: &Place,
) -> Result<(Vec<SourceFile>, Vec<SourceFile>), OverrideError> {
    let planned = plan_addition(home, rule, place)?;
    let before = files(home, &Place::default())?;
    let after = Overrides::files_with(&before, &planned.text);
    Ok((before, after))
}

/// What taking a rule back comes to, by its number in the list or its name.
///
/// # Errors
/// When there is none, or the files would not load without it.
pub fn plan_removal(home: &Home, which: &str) -> Result<Planned<Removed>, OverrideError> {
    let overrides = Overrides::open(home)?;
    let mut entries = overrides.entries()?;
    let index = match which.parse::<usize>() {
        Ok(number) => number.checked_sub(1).filter(|index| *index < entries.len()),
        Err(_) => entries.iter().position(|entry| !which.is_empty() && entry.name() == which),
    };
    let unknown = || OverrideError::Unknown { which: which.to_owned(), count: entries.len() };
    let index = index.ok_or_else(unknown)?;
    let text = text::without(&overrides.text, index).map_err(|why| overrides.by_hand(why))?;
    let rules = Overrides::rules_with(home, &text)?;
    Ok(Planned { done: Removed { number: index + 1, entry: entries.swap_remove(index), rules }, overrides, text })
}

/// What taking all of them back comes to. A copy of the file is kept when it is written.
///
/// # Errors
/// When the files would not load without them, or no copy can be made.
pub fn plan_reset(home: &Home) -> Result<Planned<Reset>, OverrideError> {
    let overrides = Overrides::open(home)?;
    let count = overrides.entries()?.len();
    if count == 0 {
        let done = Reset { count, kept: None, rules: 0 };
        return Ok(Planned { text: overrides.text.clone(), overrides, done });
    }
    let text = format!("{HEAD}policies: []\n");
    let rules = Overrides::rules_with(home, &text)?;
    let kept = Some(overrides.keep_a_copy()?);
    Ok(Planned { done: Reset { count, kept, rules }, overrides, text })
}

/// The policy files of a home, with what the project at a place adds.
fn files(home: &Home, place: &Place) -> Result<Vec<SourceFile>, OverrideError> {
    let mut files = policy_files(&home.policies()).map_err(OverrideError::Policies)?;
    files.extend(place.project()?);
    Ok(files)
}

/// The place of the same rule without an end.
pub fn position(entries: &[Entry], rule: &Override) -> Option<usize> {
    let same = |there: Override| {
        there.action == rule.action
            && there.tool == rule.tool
            && there.pattern == rule.pattern
            && there.params == rule.params
            && there.message == rule.message
            && there.expires_at.is_none()
            && !there.once
    };
    let plain = rule.expires_at.is_none() && !rule.once;
    entries.iter().position(|e| plain && e.as_override().is_some_and(same))
}

/// `allow-npm-install`: what a decision will be said to come from.
pub fn name(rule: &Override, entries: &[Entry]) -> String {
    let verb = match rule.action {
        OverrideAction::Allow => "allow",
        OverrideAction::Deny => "block",
        OverrideAction::Ask => "ask",
    };
    let words = rule.pattern.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).take(4);
    let mut base = std::iter::once(verb).chain(words).collect::<Vec<_>>().join("-").to_lowercase();
    if rule.once {
        // A rule that was used up is known by its name and text, and the same one may be wanted again.
        base.push_str(&format!("-once-{}", crate::clock::wall_ms()));
    }
    let taken = |name: &str| entries.iter().any(|e| e.name() == name);
    let numbered = (2..).map(|n| format!("{base}-{n}"));
    std::iter::once(base.clone()).chain(numbered).find(|n| !taken(n)).unwrap_or(base)
}

impl Gateway {
    /// The human's own rules, as they stand in their file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn own_rules(&self) -> Result<Vec<Entry>, OverrideError> {
        let home = self.home.clone();
        aside(move || Overrides::open(&home)?.entries()).await
    }

    /// Adds a rule. It is tried out, on record, written and in force when this returns.
    ///
    /// # Errors
    /// When it is no rule, changes nothing, or cannot be recorded or written.
    pub async fn add_rule(&self, rule: Override, place: Place, by: &str) -> Result<Added, OverrideError> {
        let (home, told) = (self.home.clone(), rule.command_line());
        let planned = aside(move || plan_addition(&home, &rule, &place)).await?;
        if planned.done.existed {
            return Ok(planned.done);
        }
        let added = self.change_rules(planned, "added", by, &told).await?;
        Ok(Added { rules: self.rules.in_force().ruleset.rule_count(), ..added })
    }

    /// Says what adding a rule would come to. Nothing is written.
    ///
    /// # Errors
    /// When it is no rule, or would change nothing.
    pub async fn try_rule(&self, rule: Override, place: Place) -> Result<Added, OverrideError> {
        let home = self.home.clone();
        aside(move || plan_addition(&home, &rule, &place).map(|planned| planned.done)).await
    }

    /// Takes a rule back, by its number in the list or its name.
    ///
    /// # Errors
    /// When there is none, and when that cannot be recorded or written.
    pub async fn remove_rule(&self, which: &str, by: &str) -> Result<Removed, OverrideError> {
        let (home, which) = (self.home.clone(), which.to_owned());
        let planned = aside(move || plan_removal(&home, &which)).await?;
        let entry = &planned.done.entry;
        let told = entry.as_override().map_or_else(|| entry.name().to_owned(), |rule| rule.command_line());
        let removed = self.change_rules(planned, "removed", by, &told).await?;
        Ok(Removed { rules: self.rules.in_force().ruleset.rule_count(), ..removed })
    }

    /// Takes all rules of the human's own back.
    ///
    /// # Errors
    /// When that cannot be recorded or written.
    pub async fn reset_rules(&self, by: &str) -> Result<Reset, OverrideError> {
        let home = self.home.clone();
        let planned = aside(move || plan_reset(&home)).await?;
        if planned.done.count == 0 {
            return Ok(planned.done);
        }
        let told = format!("all {} of them", planned.done.count);
        let reset = self.change_rules(planned, "removed", by, &told).await?;
        Ok(Reset { rules: self.rules.in_force().ruleset.rule_count(), ..reset })
    }

    async fn change_rules<T: Send + 'static>(
        &self,
        planned: Planned<T>,
        event: &str,
        by: &str,
        message: &str,
    ) -> Result<T, OverrideError> {
        let change = Change { event, subject: NAME, by, message, ..Change::default() };
        let recorded = self.trail.append(Record::Policy(change)).await;
        recorded.map_err(|unavailable| OverrideError::Unrecorded(unavailable.to_string()))?;
        let done = aside(move || planned.save()).await?;
        self.reload().await.map_err(OverrideError::Policies)?;
        Ok(done)
    }
}

/// Does what waits for a disk or for others on a thread that may.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OverrideError> + Send + 'static,
) -> Result<T, OverrideError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|e| Err(OverrideError::Senseless(format!("the work broke off: {e}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_unique() {
        let rule = Override { pattern: "npm install *".into(), ..Override::default() };
        assert_eq!(name(&rule, &[]), "allow-npm-install");
        let text = with("", &rule.to_policy("allow-npm-install"), "").unwrap();
        assert_eq!(name(&rule, &entries(&text).unwrap()), "allow-npm-install-2");
    }
}
