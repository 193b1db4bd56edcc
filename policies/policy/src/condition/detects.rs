//! `detects`: a detector finds something in what is sent or, after the call, in what came back. Entries are ids of
//! detectors, or the classes `secret`, `personal`, `injection` and `hidden-text`.

use rampart_call::Finding;

use super::{Fields, Placed, Reader, RuleBuilder};

/// What is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source(pub(crate) Option<Vec<Placed<String>>>);

impl Source {
    pub(super) fn read(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Self {
        Self(fields.take("detects").map(|node| reader.texts(node, "detects")))
    }

    pub(super) fn compile(&self, into: &mut RuleBuilder<'_>) {
        let Some(words) = &self.0 else { return };
        into.content = true;
        let words: Vec<String> = words.iter().map(|w| w.value.clone()).collect();
        into.call("detects", move |facts| facts.findings().iter().any(|f| names(&words, f)));
    }

    /// Whether a finding is one of those named.
    pub(crate) fn covers(&self, finding: &Finding) -> bool {
        self.0.iter().flatten().any(|w| w.value == finding.detector || w.value == finding.class.as_str())
    }
}

fn names(words: &[String], finding: &Finding) -> bool {
    words.iter().any(|w| *w == finding.detector || w == finding.class.as_str())
}
