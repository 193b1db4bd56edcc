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
use rampart_call::{Action, Answer, Call, Outcome, Phase, Surface, TraceParent};

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
        let mut name = "rampart.decision".to_owned();
        if let Some(request) = Request::of(call) {
            attributes.extend(request.attributes(&redacted));
            attributes
                .extend((*verdict == Outcome::Deny).then(|| KeyValue::new("error.type", judgement.reason.as_str())));
            if call.phase == Phase::Before {
                name = request.name(&redacted);
            }
        }
        let parent = parent(call.origin.trace);
        let builder = tracer.span_builder(name).with_kind(SpanKind::Server).with_start_time(began);
        let mut span = tracer.build_with_context(builder.with_attributes(attributes), &parent);
        if *verdict == Outcome::Deny {
            span.set_status(Status::error("refused"));
        }
        let within = parent.with_remote_span_context(span.span_context().clone());
        step(tracer, &within, "rampart.policy", began, Duration::from_micros(judgement.micros));
        span.end_with_timestamp(ended);
    }
}

/// Characters of a foreign name in the name of a span.
const NAMED: usize = 64;

/// A request or notification of the Model Context Protocol, in the words of OpenTelemetry's semantic conventions for it
/// (semantic-conventions-genai, "MCP", in development): its span is named `{mcp.method.name} {target}`. The URI of a
/// resource, which they name as well, stays in the audit trail.
struct Request<'a> {
    method: &'a str,
    /// The tool or prompt, and the attribute for it.
    target: Option<(&'static str, &'a str)>,
    id: Option<&'a str>,
    transport: &'static str,
}

impl<'a> Request<'a> {
    fn of(call: &'a Call) -> Option<Self> {
        let Action::Mcp { method, tool, .. } = &call.action else { return None };
        let target = match method.as_str() {
            "tools/call" => Some(("gen_ai.tool.name", tool.as_str())),
            "prompts/get" => Some(("gen_ai.prompt.name", tool.as_str())),
            _ => None,
        };
        let transport = if call.origin.surface == Surface::McpStdio { "pipe" } else { "tcp" };
        Some(Self { method, target, id: call.origin.run.as_deref(), transport })
    }

    fn name(&self, redacted: impl Fn(&str) -> String) -> String {
        let shown = |text: &str| redacted(text).chars().take(NAMED).collect::<String>();
        match self.target {
            Some((_, target)) => format!("{} {}", shown(self.method), shown(target)),
            None => shown(self.method),
        }
    }

    fn attributes(&self, redacted: impl Fn(&str) -> String) -> Vec<KeyValue> {
        let mut attributes = vec![
            KeyValue::new("mcp.method.name", redacted(self.method)),
            KeyValue::new("network.transport", self.transport),
        ];
        attributes.extend(self.target.map(|(key, target)| KeyValue::new(key, redacted(target))));
        if self.method == "tools/call" {
            attributes.push(KeyValue::new("gen_ai.operation.name", "execute_tool"));
        }
        attributes.extend(self.id.map(|id| KeyValue::new("jsonrpc.request.id", redacted(id))));
        attributes
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
