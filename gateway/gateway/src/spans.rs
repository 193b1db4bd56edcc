//! Spans for an OTLP collector: each decision is one, in the trace of whoever asked. What a call is about stays out of
//! them; the audit trail has that, without its secrets, under the number that the span names.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::{
    Context, KeyValue,
    global::{self, BoxedTracer},
    trace::{
        Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
        Tracer as _,
    },
};
use rampart_call::{Answer, Call, Outcome, Phase, TraceParent};

use crate::clock;

/// Makes spans, or nothing where nobody collects them.
#[derive(Debug)]
pub(crate) struct Spans(Option<BoxedTracer>);

impl Spans {
    /// With `on`, spans go to the tracer provider that the program has set.
    pub(crate) fn new(on: bool) -> Self {
        Self(on.then(|| global::tracer("rampart")))
    }

    /// A call was answered just now, so long after it arrived. `redacted` takes secrets out of what a caller wrote.
    pub(crate) fn answered(&self, call: &Call, answer: &Answer, took: Duration, redacted: impl Fn(&str) -> String) {
        let Some(tracer) = &self.0 else { return };
        let ended = UNIX_EPOCH + Duration::from_millis(clock::wall_ms());
        let began = ended.checked_sub(took).unwrap_or(ended);
        let Answer { verdict, judgement, seq } = answer;
        let mut attributes = vec![
            KeyValue::new("rampart.surface", call.origin.surface.as_str()),
            KeyValue::new("rampart.phase", if call.phase == Phase::Before { "before" } else { "after" }),
            KeyValue::new("rampart.tool", redacted(call.action.tool())),
            KeyValue::new("rampart.agent", redacted(&call.origin.agent)),
            KeyValue::new("rampart.session", redacted(&call.origin.session)),
            KeyValue::new("rampart.verdict", verdict.as_str()),
            KeyValue::new("rampart.reason", judgement.reason.as_str()),
            KeyValue::new("rampart.ruleset", judgement.ruleset.clone()),
        ];
        attributes.extend(judgement.rule.as_ref().map(|rule| KeyValue::new("rampart.policy", rule.policy.clone())));
        attributes
            .extend(seq.and_then(|seq| i64::try_from(seq).ok()).map(|seq| KeyValue::new("rampart.audit.seq", seq)));
        let parent = parent(call.origin.trace);
        let builder = tracer.span_builder("rampart.decision").with_kind(SpanKind::Server).with_start_time(began);
        let mut span = tracer.build_with_context(builder.with_attributes(attributes), &parent);
        if *verdict == Outcome::Deny {
            span.set_status(Status::error("refused"));
        }
        let within = parent.with_remote_span_context(span.span_context().clone());
        step(tracer, &within, "rampart.policy", began, Duration::from_micros(judgement.micros));
        span.end_with_timestamp(ended);
    }
}

fn step(tracer: &BoxedTracer, within: &Context, name: &'static str, began: SystemTime, took: Duration) {
    let builder = tracer.span_builder(name).with_kind(SpanKind::Internal).with_start_time(began);
    tracer.build_with_context(builder, within).end_with_timestamp(began + took);
}

/// The span that caused the call, where its trace is known.
fn parent(trace: Option<TraceParent>) -> Context {
    let Some(TraceParent { trace, span, flags }) = trace else { return Context::new() };
    let (trace, span) = (TraceId::from(trace), SpanId::from(span));
    let context = SpanContext::new(trace, span, TraceFlags::new(flags), true, TraceState::default());
    Context::new().with_remote_span_context(context)
}
