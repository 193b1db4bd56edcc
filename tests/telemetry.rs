//! Traces, metrics and the log, as a collector gets them over OTLP.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::{KeyValue, any_value::Value},
    metrics::v1::metric,
    trace::v1::Span,
};
use prost::Message as _;
use serde_json::json;

use crate::world::{Ran, World, have, run_with};

/// One request to the collector: path, headers in lower case, body.
struct Sent {
    path: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

/// A collector of the test's own.
struct Collector {
    url: String,
    sent: Receiver<Sent>,
}

impl Collector {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, sent) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if let Some(request) = take(stream) {
                    let _ = tell.send(request);
                }
            }
        });
        Self { url, sent }
    }

    /// What arrived until now and within this time, by path.
    fn all(&self, within: Duration) -> Vec<Sent> {
        let deadline = Instant::now() + within;
        let mut all = Vec::new();
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            all.extend(self.sent.recv_timeout(left));
        }
        all
    }
}

fn take(stream: TcpStream) -> Option<Sent> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    reader.into_inner().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
    Some(Sent { path, headers, body })
}

fn spans(all: &[Sent]) -> Vec<Span> {
    let traces = all.iter().filter(|sent| sent.path == "/v1/traces");
    let decoded = traces.map(|sent| ExportTraceServiceRequest::decode(&*sent.body).expect("protobuf"));
    decoded.flat_map(|r| r.resource_spans).flat_map(|r| r.scope_spans).flat_map(|s| s.spans).collect()
}

fn text(attributes: &[KeyValue], name: &str) -> String {
    let found = attributes.iter().find(|kv| kv.key == name).and_then(|kv| kv.value.as_ref()?.value.as_ref());
    match found {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn collected(world: &World, collector: &Collector) {
    world.write("key", "x-key: collector-secret\n");
    world.config(&format!(
        "listen: 127.0.0.1:0\negress: {{listen: '127.0.0.1:0'}}\notel: {{endpoint: '{}', headers_file: '{}', resource: {{deployment.environment.name: test}}}}\n",
        collector.url,
        world.path("key").display(),
    ));
}

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// A parent in that trace, with a span id of sixteen of this digit.
fn parent(digit: char) -> (String, String) {
    let span = digit.to_string().repeat(16);
    (format!("00-{TRACE}-{span}-01"), span)
}

#[test]
fn one_trace_goes_from_the_hook_through_the_gateway_to_the_egress_proxy() {
    if !have("one_trace_goes_from_the_hook_through_the_gateway_to_the_egress_proxy", &["curl"]) {
        return;
    }
    let collector = Collector::new();
    let mut world = World::new();
    collected(&world, &collector);
    let token = "a-token-of-enough-length";
    world.serve_with(&[], &[("RAMPART_TOKEN", token)]);
    let status = world.status();
    let (api, proxy) = (status["listen"].as_str().unwrap().to_owned(), status["egress"].as_str().unwrap().to_owned());

    // hook: the variable of its process
    let command = "curl -H 'Authorization: Bearer ghp_012345678901234567890123456789abcdef' https://nobody.invalid";
    let input = json!({"hook_event_name": "PreToolUse", "session_id": "s", "cwd": "/tmp", "tool_name": "Bash",
        "tool_input": {"command": command}});
    let mut hook = world.rampart(&["hook", "--format", "claude-code"]);
    let (hook_parent, hook_span) = parent('1');
    hook.env("TRACEPARENT", &hook_parent);
    run_with(hook, input.to_string().as_bytes());

    // shell: the same variable
    let mut shell = world.rampart(&["wrap", "--agent", "worker", "--", "sh", "-c", "sh -c true"]);
    let (shell_parent, shell_span) = parent('2');
    assert_eq!(shell.env("TRACEPARENT", &shell_parent).output().unwrap().status.code(), Some(0));

    // API and egress: the header
    let curl = |args: &[&str]| Ran::from(world.command("curl").arg("-sS").args(args).output().unwrap());
    let (api_parent, api_span) = parent('3');
    let answer = curl(&[
        "-H",
        &format!("traceparent: {api_parent}"),
        "-H",
        &format!("Authorization: Bearer {token}"),
        "-d",
        r#"{"agent":"bot","session":"s","params":{"command":"true"}}"#,
        &format!("http://{api}/v1/tool/exec"),
    ]);
    assert!(answer.stdout.contains("allowed"), "{answer:?}");
    let (egress_parent, egress_span) = parent('4');
    curl(&[
        "-x",
        &format!("http://{proxy}"),
        "-H",
        &format!("traceparent: {egress_parent}"),
        "http://nobody.invalid/x",
    ]);

    // MCP: the message's own `_meta`
    let (mcp_parent, mcp_span) = parent('5');
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "read_file", "arguments": {},
        "_meta": {"traceparent": mcp_parent}}});
    let server =
        ["mcp", "--", "sh", "-c", r#"read l; echo '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'; read l"#];
    let mut talk = crate::world::Talk::start(world.rampart(&server));
    talk.say(&call.to_string());
    talk.hear_json();
    talk.finish();

    world.run(&["serve", "stop"]).expect(0);
    let all = collector.all(Duration::from_secs(2));
    let spans = spans(&all);
    let decision = |surface: &str, parent: &str| {
        let wanted = |s: &&Span| {
            s.name == if surface.starts_with("mcp") { "tools/call read_file" } else { "rampart.decision" }
                && text(&s.attributes, "rampart.surface") == surface
                && hex::encode(&s.parent_span_id) == parent
        };
        let span =
            spans.iter().find(wanted).unwrap_or_else(|| panic!("no span of {surface} below {parent}: {spans:#?}"));
        assert_eq!(hex::encode(&span.trace_id), TRACE, "{span:#?}");
        let child = spans.iter().find(|s| s.name == "rampart.policy" && s.parent_span_id == span.span_id);
        assert_eq!(hex::encode(&child.expect("the rules are a step of it").trace_id), TRACE);
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano, "{span:#?}");
        span
    };
    decision("hook", &hook_span);
    let wrapped = decision("shell", &shell_span);
    assert_eq!(text(&wrapped.attributes, "rampart.agent"), "worker");
    assert_eq!(text(&wrapped.attributes, "rampart.verdict"), "allow");
    decision("api", &api_span);
    decision("egress", &egress_span);
    let called = decision("mcp-stdio", &mcp_span);
    for (attribute, expect) in [
        ("mcp.method.name", "tools/call"),
        ("gen_ai.operation.name", "execute_tool"),
        ("gen_ai.tool.name", "read_file"),
        ("jsonrpc.request.id", "1"),
        ("network.transport", "pipe"),
    ] {
        assert_eq!(text(&called.attributes, attribute), expect, "{attribute}");
    }
    let numbers: Vec<u64> = world.decisions().iter().filter_map(|d| d["seq"].as_u64()).collect();
    let told = text(&wrapped.attributes, "rampart.audit.seq").parse().unwrap();
    assert!(numbers.contains(&told), "the span names its record: {told} of {numbers:?}");
    for sent in &all {
        assert_eq!(sent.headers.get("x-key").map(String::as_str), Some("collector-secret"), "{}", sent.path);
        assert_eq!(sent.headers["content-type"], "application/x-protobuf");
        let body = String::from_utf8_lossy(&sent.body);
        assert!(!body.contains("ghp_0123") && !body.contains(token), "a secret in {}: {body}", sent.path);
    }
}

#[test]
fn metrics_and_the_log_reach_the_collector_too() {
    let collector = Collector::new();
    let mut world = World::new();
    collected(&world, &collector);
    world.serve_with(&[], &[("OTEL_METRIC_EXPORT_INTERVAL", "200")]);
    let input = json!({"hook_event_name": "PreToolUse", "session_id": "s", "cwd": "/tmp", "tool_name": "Bash",
        "tool_input": {"command": "rm -rf /"}});
    world.run_with(&["hook", "--format", "claude-code"], input.to_string().as_bytes()).expect(2);
    std::thread::sleep(Duration::from_millis(500));
    world.run(&["serve", "stop"]).expect(0);
    let all = collector.all(Duration::from_secs(2));
    let metrics = all.iter().filter(|sent| sent.path == "/v1/metrics");
    let resources: Vec<_> = metrics
        .flat_map(|sent| ExportMetricsServiceRequest::decode(&*sent.body).expect("protobuf").resource_metrics)
        .collect();
    let about = &resources.first().expect("metrics arrive").resource.as_ref().unwrap().attributes;
    assert_eq!(text(about, "service.name"), "rampart");
    assert_eq!(text(about, "deployment.environment.name"), "test");
    let names: Vec<_> =
        resources.iter().flat_map(|r| &r.scope_metrics).flat_map(|s| &s.metrics).map(|m| m.name.as_str()).collect();
    for name in ["rampart.decisions", "rampart.audit.healthy", "rampart.approvals.pending", "rampart.sessions"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    let durations = resources
        .iter()
        .flat_map(|r| &r.scope_metrics)
        .flat_map(|s| &s.metrics)
        .rfind(|metric| metric.name == "rampart.decision.duration")
        .expect("how long decisions took");
    let Some(metric::Data::Histogram(histogram)) = &durations.data else { panic!("{durations:?}") };
    let point = &histogram.data_points[0];
    assert_eq!((durations.unit.as_str(), point.count, text(&point.attributes, "surface")), ("s", 1, "hook".to_owned()));
    assert!(point.sum() > 0.0 && point.explicit_bounds.first() == Some(&2.5e-6), "{point:?}");
    let logs = all.iter().filter(|sent| sent.path == "/v1/logs");
    let lines: Vec<_> = logs
        .flat_map(|sent| ExportLogsServiceRequest::decode(&*sent.body).expect("protobuf").resource_logs)
        .flat_map(|r| r.scope_logs)
        .flat_map(|s| s.log_records)
        .collect();
    assert!(lines.iter().any(|line| format!("{line:?}").contains("deny")), "the denial is in the log: {lines:#?}");
}

#[test]
fn the_standard_variables_name_a_collector_and_turn_it_off() {
    let collector = Collector::new();
    let mut world = World::new();
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str());
    let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=from-the-environment");
    world.serve_with(&[], &[endpoint, headers]);
    world.run(&["serve", "stop"]).expect(0);
    let all = collector.all(Duration::from_secs(1));
    assert!(all.iter().any(|sent| sent.headers.get("x-key").is_some_and(|key| key == "from-the-environment")));
    world.serve_with(&[], &[endpoint, ("OTEL_SDK_DISABLED", "true")]);
    world.run(&["serve", "stop"]).expect(0);
    assert_eq!(collector.all(Duration::from_secs(1)).len(), 0);
    let mut wrong = world.rampart(&["serve"]);
    wrong.envs([endpoint, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
    let ran = Ran::from(wrong.output().unwrap()).expect(2);
    assert!(ran.stderr.contains("http/protobuf"), "{ran:?}");
}

#[test]
fn a_collector_that_hangs_or_is_gone_holds_no_decision_and_its_losses_are_counted() {
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for address in [hanging.local_addr().unwrap(), gone] {
        let mut world = World::new();
        let url = format!("http://{address}");
        let every = ("OTEL_METRIC_EXPORT_INTERVAL", "100");
        let token = ("RAMPART_TOKEN", "a-token-of-enough-length");
        world.serve_with(&[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url), every, token]);
        let input = json!({"hook_event_name": "PreToolUse", "session_id": "s", "cwd": "/tmp", "tool_name": "Bash",
            "tool_input": {"command": "git status"}});
        let begun = Instant::now();
        for _ in 0..20 {
            world.run_with(&["hook", "--format", "claude-code"], input.to_string().as_bytes()).expect(0);
        }
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
        if address == gone {
            let api = world.status()["listen"].as_str().unwrap().to_owned();
            let mut dropped = 0.0;
            let deadline = Instant::now() + Duration::from_secs(10);
            while dropped < 1.0 && Instant::now() < deadline {
                dropped = metric(&world, &api, "rampart_telemetry_exports_dropped_total");
            }
            assert!(dropped >= 1.0, "no loss is counted");
        }
        let begun = Instant::now();
        world.run(&["serve", "stop"]).expect(0);
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
}

#[test]
fn what_finds_no_room_in_the_queue_for_the_collector_is_counted_and_told() {
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", hanging.local_addr().unwrap());
    let mut world = World::new();
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "8"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4"),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ("OTEL_BLRP_MAX_QUEUE_SIZE", "2"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "50"),
        ("RAMPART_TOKEN", "a-token-of-enough-length"),
    ];
    world.serve_with(&[], &variables);
    let input = json!({"hook_event_name": "PreToolUse", "session_id": "s", "cwd": "/tmp", "tool_name": "Bash",
        "tool_input": {"command": "rm -rf /"}});
    let calls = 20;
    for _ in 0..calls {
        world.run_with(&["hook", "--format", "claude-code"], input.to_string().as_bytes()).expect(2);
    }
    let told = world.status()["telemetry"].clone();
    // Each decision has two spans. Eight wait, and four are on their way to a collector that never answers.
    let lost = told["spans_lost"].as_u64().unwrap();
    assert!((2 * calls - 12..=2 * calls - 8).contains(&lost), "{told}");
    assert!(told["log_records_lost"].as_u64().unwrap() > 0, "{told}");
    let api = world.status()["listen"].as_str().unwrap().to_owned();
    let counted = metric(&world, &api, "rampart_telemetry_spans_dropped_total");
    assert!((counted - lost as f64).abs() < 0.5, "{counted}");
    let shown = world.run(&["status"]).expect(0);
    assert!(shown.stdout.contains(&format!("lost {lost} spans")), "{shown:?}");
    let deadline = Instant::now() + Duration::from_secs(15);
    while !world.gateway_log().contains("lost so far on the way to the collector") {
        assert!(Instant::now() < deadline, "{}", world.gateway_log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The value of one metric.
pub(crate) fn metric(world: &World, api: &str, name: &str) -> f64 {
    let mut curl = world.command("curl");
    curl.args(["-sS", "-H", "Authorization: Bearer a-token-of-enough-length", &format!("http://{api}/metrics")]);
    let text = Ran::from(curl.output().unwrap()).stdout;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is not in {text}")).parse().unwrap()
}
