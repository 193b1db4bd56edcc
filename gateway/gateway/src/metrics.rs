//! What is counted, for Prometheus and whoever reads OpenMetrics 1.0. Every name and label stands here and nowhere else;
//! labels take their values from closed lists, so nothing that an agent writes becomes a time series.
//!
//! Counters and the histogram are kept as calls are answered; everything else is measured when somebody looks.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use opentelemetry::{KeyValue, global, metrics::Histogram as Durations};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::Gauge,
        histogram::Histogram,
        info::Info,
    },
    registry::{Registry, Unit},
};
use rampart_call::{Answer, Call, Outcome, Phase, Surface};

use crate::{Gateway, Losses};

/// The content type of [`Gateway::metrics`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds in seconds: around the microseconds that a decision takes, up to where it would be felt.
const BUCKETS: [f64; 12] = [2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2, 0.1];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decided {
    surface: &'static str,
    phase: &'static str,
    /// What the surface was told.
    verdict: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct From {
    surface: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    result: &'static str,
}

#[derive(Debug, Clone)]
struct Buckets;

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(BUCKETS)
    }
}

/// What was counted since the start.
pub(crate) struct Metrics {
    registry: Registry,
    decisions: Family<Decided, Counter>,
    refusals: Family<Refused, Counter>,
    seconds: Family<From, Histogram, Buckets>,
    reloads: Family<Ended, Counter>,
    panics: Counter,
    pub(crate) notices: Counter,
    pub(crate) unanswered: Counter,
    measured: Measured,
    /// The same as `seconds` for a collector, where there is one: the library wants each value when it comes.
    durations: Option<Durations<f64>>,
}

/// What is measured when somebody looks.
#[derive(Default)]
struct Measured {
    pending: Gauge,
    sessions: Gauge,
    rules: Gauge,
    rejected: Gauge,
    records: Counter,
    unrecorded: Gauge,
    healthy: Gauge,
    checkpoint_age: Gauge<f64, AtomicU64>,
    started: Gauge<i64, AtomicI64>,
    resident: Gauge,
    lost_spans: Counter,
    lost_lines: Counter,
    lost_requests: Counter,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// With `otel`, what a collector gets goes to the meter provider that the program has set.
    pub(crate) fn new(otel: bool) -> Self {
        let mut all = Registry::with_prefix("rampart");
        let decisions = Family::default();
        let refusals = Family::default();
        let seconds = Family::new_with_constructor(Buckets);
        let (reloads, panics, measured) = (Family::default(), Counter::default(), Measured::default());
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        all.register("build", "The version that runs", build);
        all.register("decisions", "Calls that were answered, by what the surface was told", decisions.clone());
        all.register("refusals", "Calls that were refused, by reason code", refusals.clone());
        let help = "Time a decision took, without waiting for people";
        all.register_with_unit("decision", help, Unit::Seconds, seconds.clone());
        all.register("policy_reloads", "Changed policy files that were taken over or rejected", reloads.clone());
        all.register("panics", "Tasks that ended because of a mistake in the program", panics.clone());
        let (notices, unanswered) = (Counter::default(), Counter::default());
        let help = "Calls that surfaces let pass while no gateway answered";
        all.register("calls_unanswered", help, unanswered.clone());
        all.register("notices_dropped", "Notifications that were not delivered", notices.clone());
        let help = "Requests with spans, metrics or log records that the collector did not take";
        let m = &measured;
        all.register("telemetry_exports_dropped", help, m.lost_requests.clone());
        let help = "Spans that found no room in the queue for the collector";
        all.register("telemetry_spans_dropped", help, m.lost_spans.clone());
        let help = "Lines of the log that found no room in the queue for the collector";
        all.register("telemetry_log_records_dropped", help, m.lost_lines.clone());
        all.register("approvals_pending", "Questions that wait for a human", m.pending.clone());
        all.register("sessions", "Sessions that are remembered", m.sessions.clone());
        all.register("policy_rules", "Rules in force", m.rules.clone());
        all.register("policy_rejected", "1 while changed policy files are not in force", m.rejected.clone());
        all.register("audit_records", "Records in the audit trail", m.records.clone());
        let help = "Decisions refused since the trail could last be written";
        all.register("audit_refused", help, m.unrecorded.clone());
        all.register("audit_healthy", "1 while the audit trail can be written", m.healthy.clone());
        let help = "Time since the last checkpoint of the audit trail";
        all.register_with_unit("audit_checkpoint_age", help, Unit::Seconds, m.checkpoint_age.clone());
        let help = "When the gateway started, since 1970 UTC";
        all.register_with_unit("start_time", help, Unit::Seconds, m.started.clone());
        all.register_with_unit("resident_memory", "Memory that is in use", Unit::Bytes, m.resident.clone());
        let durations = otel.then(|| {
            let meter = global::meter("rampart");
            let durations = meter.f64_histogram("rampart.decision.duration").with_unit("s");
            let help = "Time a decision took, without waiting for people";
            durations.with_description(help).with_boundaries(BUCKETS.to_vec()).build()
        });
        Self { registry: all, decisions, refusals, seconds, reloads, panics, notices, unanswered, measured, durations }
    }

    pub(crate) fn answered(&self, call: &Call, answer: &Answer) {
        let surface = call.origin.surface.as_str();
        let phase = if call.phase == Phase::Before { "before" } else { "after" };
        self.decisions.get_or_create(&Decided { surface, phase, verdict: answer.verdict.as_str() }).inc();
        if answer.verdict == Outcome::Deny {
            self.refusals.get_or_create(&Refused { reason: answer.judgement.reason.as_str() }).inc();
        }
        let seconds = answer.judgement.micros as f64 / 1e6;
        self.seconds.get_or_create(&From { surface }).observe(seconds);
        if let Some(durations) = &self.durations {
            durations.record(seconds, &[KeyValue::new("surface", surface)]);
        }
    }

    pub(crate) fn reloaded(&self, accepted: bool) {
        self.reloads.get_or_create(&Ended { result: if accepted { "accepted" } else { "rejected" } }).inc();
    }

    pub(crate) fn panicked(&self) {
        self.panics.inc();
    }
}

impl Gateway {
    /// How many calls were answered so far, by surface, phase and verdict.
    pub fn decisions(&self) -> Vec<([&'static str; 3], u64)> {
        let mut all = Vec::new();
        for surface in Surface::ALL.map(Surface::as_str) {
            for phase in ["before", "after"] {
                for verdict in [Outcome::Allow, Outcome::Ask, Outcome::Deny].map(Outcome::as_str) {
                    let counted = self.metrics.decisions.get(&Decided { surface, phase, verdict });
                    all.extend(counted.map(|counter| ([surface, phase, verdict], counter.get())));
                }
            }
        }
        all
    }

    /// Says where it is counted what a collector does not get.
    pub fn loses(&self, losses: &Arc<Losses>) {
        let _ = self.losses.set(Arc::clone(losses));
    }

    /// What a collector did not get; none where nothing is sent to one.
    pub fn losses(&self) -> Option<&Losses> {
        self.losses.get().map(AsRef::as_ref)
    }

    /// Everything that is counted and measured, in the text format of OpenMetrics 1.0; see [`CONTENT_TYPE`].
    pub fn metrics(&self) -> String {
        let m = &self.metrics.measured;
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let (health, rules) = (self.audit_health(), self.rules_in_force());
        m.pending.set(number(self.pending_count()));
        m.sessions.set(number(self.session_count()));
        m.rules.set(number(rules.ruleset.rule_count()));
        m.rejected.set(i64::from(!rules.rejected.is_empty()));
        m.records.inner().store(health.records, Ordering::Relaxed);
        m.unrecorded.set(i64::try_from(health.refused).unwrap_or(i64::MAX));
        m.healthy.set(i64::from(health.error.is_none()));
        m.checkpoint_age.set(health.checkpoint_age_ms as f64 / 1e3);
        m.started.set(i64::try_from(self.started_ms / 1000).unwrap_or_default());
        m.resident.set(resident_bytes());
        let lost = self.losses().map(Losses::counted).unwrap_or_default();
        for (counter, count) in [&m.lost_spans, &m.lost_lines, &m.lost_requests].into_iter().zip(lost) {
            counter.inner().store(count, Ordering::Relaxed);
        }
        let mut text = String::new();
        // writing to a text cannot fail
        let _ = encode(&mut text, &self.metrics.registry);
        text
    }
}

/// Resident memory (`/proc/PID/statm`, second field, in pages); 0 where the system does not say.
fn resident_bytes() -> i64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: i64 = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or_default();
    pages.saturating_mul(i64::try_from(rustix::param::page_size()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use rampart_call::{Action, Origin};

    use super::*;

    #[test]
    fn every_surface_has_its_series_and_no_name_is_new_without_its_line_in_the_documents() {
        let metrics = Metrics::new(false);
        let answer = Answer {
            verdict: Outcome::Deny,
            judgement: rampart_call::Judgement::refused(rampart_call::Reason::Rule, "no"),
            seq: None,
        };
        for surface in Surface::ALL {
            let origin = Origin { surface, ..Origin::default() };
            let action = Action::Read { paths: vec![] };
            let call = Call { origin, phase: Phase::Before, action, response: None };
            metrics.answered(&call, &answer);
        }
        metrics.reloaded(true);
        let mut text = String::new();
        encode(&mut text, &metrics.registry).unwrap();
        for surface in Surface::ALL {
            let series = format!("surface=\"{surface}\",phase=\"before\",verdict=\"deny\"");
            assert!(text.contains(&series), "{series}: {text}");
        }
        let page = include_str!("../../../docs/metrics.md");
        for name in text.lines().filter_map(|l| l.strip_prefix("# TYPE ")).filter_map(|l| l.split(' ').next()) {
            assert!(page.contains(&format!("`{name}")), "docs/metrics.md has no line about `{name}`");
        }
    }
}
