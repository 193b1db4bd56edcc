//! Traces, metrics and the log for an OTLP collector (OTLP 1.x over HTTP with protobuf). The libraries of OpenTelemetry
//! queue and send from threads of their own, so a collector that hangs or is gone holds no decision; what finds no room in
//! a queue and what the collector does not take is counted.

mod queue;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Weak, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::Context as _;
use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use opentelemetry::{KeyValue, global, metrics::MeterProvider as _};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{Resource, logs::SdkLoggerProvider, metrics::SdkMeterProvider, trace::SdkTracerProvider};
use rampart_egress::Client;
use rampart_gateway::{Gateway, Losses, config::Otel};
use tokio::{
    runtime::Handle,
    time::{interval, timeout},
};
use tower::ServiceExt as _;

use crate::environment::OtelVariables;

/// How long one request to the collector may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long the end of the gateway waits for what is still to be sent.
const FAREWELL: Duration = Duration::from_secs(3);
/// How often it is looked whether something found no room, and told in the log.
const ROUND: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Looks at one number of the gateway.
type Measure = fn(&Gateway) -> u64;

/// What is sent, and from where to when.
pub(crate) struct Telemetry {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
    pub(crate) logs: SdkLoggerProvider,
    losses: Arc<Losses>,
}

impl Telemetry {
    /// Begins. Spans are sent from now on, metrics once [`watch`](Self::watch) was called.
    ///
    /// # Errors
    /// When the headers cannot be read or the exporters cannot be made.
    pub(crate) fn start(otel: &Otel, variables: &OtelVariables, client: Client) -> anyhow::Result<Self> {
        let losses = Arc::new(Losses::default());
        let sender = Sender { client, runtime: Handle::current(), losses: Arc::clone(&losses) };
        let headers = headers(otel)?;
        // OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME are read by the library.
        let mut resource = Resource::builder();
        if variables.service.is_none() {
            resource = resource.with_service_name("rampart");
        }
        let described = otel.resource.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = resource.with_attributes(described.chain([version])).build();
        macro_rules! exporter {
            ($kind:ty, $path:literal) => {
                <$kind>::builder()
                    .with_http()
                    .with_http_client(sender.clone())
                    .with_headers(headers.clone())
                    .with_protocol(Protocol::HttpBinary)
                    .with_timeout(DEADLINE)
                    .with_endpoint(format!("{}/v1/{}", otel.endpoint, $path))
                    .build()
                    .context(concat!("cannot send ", $path, " to the collector that `otel` names"))?
            };
        }
        let waiting = queue::of_spans(exporter!(SpanExporter, "traces"), variables.span_queue, &losses);
        let traces = SdkTracerProvider::builder().with_span_processor(waiting).with_resource(resource.clone()).build();
        let numbers = SdkMeterProvider::builder().with_periodic_exporter(exporter!(MetricExporter, "metrics"));
        let metrics = numbers.with_resource(resource.clone()).build();
        let waiting = queue::of_lines(exporter!(LogExporter, "logs"), variables.log_queue, &losses);
        let logs = SdkLoggerProvider::builder().with_log_processor(waiting).with_resource(resource).build();
        global::set_tracer_provider(traces.clone());
        global::set_meter_provider(metrics.clone());
        Ok(Self { traces, metrics, logs, losses })
    }

    /// Has the gateway's numbers sent from now on: the most telling of `docs/metrics.md`.
    pub(crate) fn watch(&self, gateway: &Arc<Gateway>) {
        gateway.loses(&self.losses);
        tokio::spawn(tell(Arc::downgrade(gateway), Arc::clone(&self.losses)));
        let meter = self.metrics.meter("rampart");
        let look = |measure: Measure| {
            let gateway = Arc::downgrade(gateway);
            move || gateway.upgrade().map(|gateway| measure(&gateway))
        };
        let weak = Arc::downgrade(gateway);
        let decisions = meter.u64_observable_counter("rampart.decisions").with_unit("{decision}");
        decisions
            .with_description("Calls that were answered, by what the surface was told")
            .with_callback(move |observer| {
                let counted = weak.upgrade().map(|gateway| gateway.decisions()).unwrap_or_default();
                for ([surface, phase, verdict], count) in counted {
                    let labels = [("surface", surface), ("phase", phase), ("verdict", verdict)];
                    observer.observe(count, &labels.map(|(name, value)| KeyValue::new(name, value)));
                }
            })
            .build();
        let gauges: [(&'static str, &'static str, Measure); 4] = [
            ("rampart.approvals.pending", "Questions that wait for a human", |g| g.pending_count() as u64),
            ("rampart.sessions", "Sessions that are remembered", |g| g.session_count() as u64),
            ("rampart.audit.records", "Records in the audit trail", |g| g.audit_health().records),
            ("rampart.audit.healthy", "1 while the audit trail can be written", |g| {
                u64::from(g.audit_health().error.is_none())
            }),
        ];
        for (name, description, measure) in gauges {
            let measure = look(measure);
            let observe = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
                if let Some(value) = measure() {
                    observer.observe(value, &[]);
                }
            };
            meter.u64_observable_gauge(name).with_description(description).with_callback(observe).build();
        }
    }

    /// Sends what is still there, for a little while.
    pub(crate) async fn end(self) {
        let ended = tokio::task::spawn_blocking(move || {
            let _ = self.traces.shutdown_with_timeout(FAREWELL);
            let _ = self.metrics.shutdown();
            let _ = self.logs.shutdown_with_timeout(FAREWELL);
        });
        let _ = timeout(FAREWELL, ended).await;
    }
}

/// Tells in the log what was lost; not where it happens, since the log has a queue too.
async fn tell(gateway: Weak<Gateway>, losses: Arc<Losses>) {
    let mut told = [0; 3];
    let mut rounds = interval(ROUND);
    while gateway.strong_count() > 0 {
        rounds.tick().await;
        let [spans, lines, requests] = losses.counted();
        if [spans, lines, requests] != told {
            tracing::warn!(spans, lines, requests, "lost so far on the way to the collector that `otel` names");
            told = [spans, lines, requests];
        }
    }
}

/// The headers of every request: a line each, `name: value`. The library adds those of `OTEL_EXPORTER_OTLP_HEADERS`.
fn headers(otel: &Otel) -> anyhow::Result<HashMap<String, String>> {
    let Some(path) = &otel.headers_file else { return Ok(HashMap::new()) };
    let text =
        std::fs::read_to_string(path).with_context(|| format!("otel.headers_file: cannot read {}", path.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            let (name, value) = line.split_once(':').with_context(|| {
                format!("otel.headers_file: line {} of {} is not `name: value`", number + 1, path.display())
            })?;
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}

/// Sends requests through the program's own client, from whatever thread asks for it.
#[derive(Clone)]
struct Sender {
    client: Client,
    runtime: Handle,
    losses: Arc<Losses>,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

#[async_trait::async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let exchange = async move {
            let (head, mut incoming) = client.oneshot(request.map(Full::new)).await?.into_parts();
            let mut body = BytesMut::new();
            while let Some(frame) = incoming.frame().await {
                let Ok(data) = frame?.into_data() else { continue };
                if body.len() + data.len() > LONGEST_ANSWER {
                    return Err(HttpError::from("its answer is too long"));
                }
                body.extend_from_slice(&data);
            }
            Ok(Response::from_parts(head, body.freeze()))
        };
        // A timer belongs to a runtime, and whoever calls this has none.
        let sending = self.runtime.spawn(async move { timeout(DEADLINE, exchange).await });
        let sent = match sending.await {
            Ok(Ok(sent)) => sent,
            Ok(Err(late)) => Err(late.into()),
            Err(ended) => Err(ended.into()),
        };
        let taken = sent.as_ref().is_ok_and(|response| response.status().is_success());
        if !taken {
            self.losses.requests.fetch_add(1, Relaxed);
        }
        sent
    }
}
