//! What a query says is looked for. Strict: a word that nobody reads, or one said twice, is refused.

use std::{collections::BTreeMap, str::FromStr};

use axum::extract::Query;
use rampart_call::Outcome;
use rampart_gateway::audit::{
    Kind,
    read::{Edge, Filter, moment_in_utc},
};

use super::Pairs;
use crate::error::Error;

/// A filter, and what else was asked.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) filter: Filter,
    others: BTreeMap<String, String>,
}

impl Wanted {
    /// Reads the conditions of a filter, and those others that the route knows.
    pub(super) fn read(pairs: Vec<(String, String)>, also: &[&str]) -> Result<Self, Error> {
        let mut seen = BTreeMap::new();
        for (name, value) in pairs {
            if seen.insert(name.clone(), value).is_some() {
                return Err(Error::malformed(format!("`{name}` is said twice")));
            }
        }
        let mut wanted = Self::default();
        for (name, value) in seen {
            if also.contains(&name.as_str()) {
                wanted.others.insert(name, value);
            } else {
                wanted.condition(&name, value)?;
            }
        }
        Ok(wanted)
    }

    /// Reads a query without a filter.
    pub(super) fn only(pairs: Pairs, known: &[&str]) -> Result<Self, Error> {
        let Query(pairs) = pairs.map_err(|e| Error::malformed(e.body_text()))?;
        match pairs.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => {
                Err(Error::malformed(format!("`{name}` means nothing here; known are: {}", known.join(", "))))
            }
            None => Self::read(pairs, known),
        }
    }

    fn condition(&mut self, name: &str, value: String) -> Result<(), Error> {
        let filter = &mut self.filter;
        let refuse = |wanted: &str| Error::malformed(format!("`{name}` is {wanted}, not `{value}`"));
        let time = |edge| {
            let wanted = "a time such as `7d`, `2026-01-31` or `2026-01-31T09:30:00Z`";
            moment_in_utc(&value, edge).map(Some).ok_or_else(|| refuse(wanted))
        };
        match name {
            "type" => {
                let kind = |word: &str| Kind::from_word(word.trim());
                let kinds = value.split(',').map(kind).collect::<Option<Vec<_>>>();
                filter.kinds = kinds.ok_or_else(|| refuse("one or several types of records with commas"))?;
            }
            "decision" => {
                let outcome = serde_json::from_value::<Outcome>(value.as_str().into());
                filter.decision = Some(outcome.map_err(|_| refuse("allow, watch, ask, webhook or deny"))?);
            }
            "since" => filter.since_ms = time(Edge::Begin)?,
            "until" => filter.until_ms = time(Edge::End)?,
            "since_ms" => filter.since_ms = Some(value.parse().map_err(|_| refuse("milliseconds since 1970 UTC"))?),
            "until_ms" => filter.until_ms = Some(value.parse().map_err(|_| refuse("milliseconds since 1970 UTC"))?),
            "tool" => filter.tool = Some(value),
            "agent" => filter.agent = Some(value),
            "session" => filter.session = Some(value),
            "rule" => filter.rule = Some(value),
            "host" => filter.host = Some(value),
            "path" => filter.path = Some(value),
            "text" => filter.text = Some(value),
            _ => return Err(Error::malformed(format!("`{name}` is nothing that records can be looked for by"))),
        }
        Ok(())
    }

    /// One of the others.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.others.remove(name)
    }

    /// The same as a number.
    pub(super) fn number<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, Error> {
        let Some(text) = self.take(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Error::malformed(format!("`{name}` is a number, not `{text}`")))
    }
}
