//! A proxy with origins behind it, and clients of it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rampart_call::{Action, Answer, Call, Gate, Judgement, Judging, Origin, Outcome, Phase, Reason, RuleRef, Verdict};
use rampart_certs::Authority;
use rampart_egress::{ClientCertificate, Limits, Options, UpstreamProxy, serve};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;

use crate::origin::{Pki, Stage, plain, secure};

/// `origin.test` speaks HTTP/1.1 and 2, `old.test` HTTP/1.1 only, `plain.test` without TLS; `denied.test` is denied.
pub(crate) struct World {
    pub(crate) proxy: SocketAddr,
    pub(crate) authority: Arc<Authority>,
    pub(crate) stage: Stage,
    pub(crate) origin: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
    stop: tokio_util::sync::DropGuard,
    serving: tokio::task::JoinHandle<()>,
}

type Judge = Box<dyn Fn(&Call) -> Option<(Outcome, Judgement)> + Send + Sync>;

/// What a test changes of the usual proxy.
pub(crate) struct Setting {
    pub(crate) pki: Pki,
    /// Roots besides that of `pki`.
    pub(crate) roots: Vec<rustls::pki_types::CertificateDer<'static>>,
    pub(crate) crls: Vec<rampart_certs::CertificateRevocationListDer<'static>>,
    pub(crate) resolve: Vec<String>,
    pub(crate) allow_private: Vec<&'static str>,
    pub(crate) passthrough: Vec<&'static str>,
    pub(crate) upstream_proxy: Option<UpstreamProxy>,
    pub(crate) client_certificates: Vec<ClientCertificate>,
    pub(crate) credentials: rampart_egress::Credentials,
    pub(crate) names: Option<rampart_egress::Names>,
    pub(crate) dns: Vec<SocketAddr>,
    pub(crate) block_page: Option<String>,
    pub(crate) transparent: Option<TcpListener>,
    pub(crate) limits: Limits,
    /// Judges what the usual gate would allow.
    pub(crate) judge: Judge,
    /// Holds fetches back until it is told to go on, as a question to a human does.
    pub(crate) hold: Option<Arc<Notify>>,
}

/// Puts every call on a list and judges it.
struct TestGate {
    calls: Arc<Mutex<Vec<Call>>>,
    judge: Judge,
    hold: Option<Arc<Notify>>,
}

impl TestGate {
    fn decide(&self, call: &Call) -> (Outcome, Judgement) {
        let denied = call.phase == Phase::Before && call.action.subject().contains("denied.test");
        let judged = if denied { Some(denial("`denied.test` is denied")) } else { (self.judge)(call) };
        judged.unwrap_or_else(|| (Outcome::Allow, Judgement::allowed(Reason::Default)))
    }
}

impl Gate for TestGate {
    fn judge(&self, call: Call) -> Judging<'_> {
        Box::pin(async move {
            let before = call.phase == Phase::Before;
            let judged = self.decide(&call);
            let held = self.hold.as_ref().filter(|_| before && matches!(call.action, Action::Fetch { .. }));
            self.calls.lock().unwrap().push(call);
            if let Some(hold) = held {
                hold.notified().await;
            }
            verdict(judged)
        })
    }

    fn preview(&self, call: &Call) -> Option<Judgement> {
        Some(self.decide(call).1)
    }
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            pki: Pki::new(),
            roots: Vec::new(),
            crls: Vec::new(),
            resolve: Vec::new(),
            allow_private: Vec::new(),
            passthrough: Vec::new(),
            upstream_proxy: None,
            client_certificates: Vec::new(),
            credentials: rampart_egress::Credentials::default(),
            names: None,
            dns: Vec::new(),
            block_page: None,
            transparent: None,
            limits: Limits::default(),
            judge: Box::new(|_| None),
            hold: None,
        }
    }
}

pub(crate) fn denial(message: &str) -> (Outcome, Judgement) {
    let mut judgement = Judgement::refused(Reason::Rule, message);
    judgement.rule = Some(RuleRef {
        policy: "no-denied-hosts".into(),
        index: 0,
        action: Outcome::Deny,
        file: "policy.yaml".into(),
        line: 7,
    });
    judgement.suggestions = vec!["rampart allow --tool fetch denied.test".into()];
    (Outcome::Deny, judgement)
}

#[expect(clippy::disallowed_methods, reason = "the tests' closure is a gate")]
fn verdict((verdict, judgement): (Outcome, Judgement)) -> Verdict {
    rampart_call::answer_to_verdict(Answer { verdict, judgement, seq: None })
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Setting::default()).await
    }

    pub(crate) async fn with(setting: Setting) -> Self {
        let stage = Stage::default();
        let both = setting.pki.issue(&["origin.test", "other.test"], |_| {});
        let origin = secure(both, &["h2", "http/1.1"], stage.clone()).await;
        let old = secure(setting.pki.issue(&["old.test"], |_| {}), &["http/1.1"], stage.clone()).await;
        let clear = plain(stage.clone()).await;
        let mut resolve = vec![
            format!("origin.test={origin}"),
            format!("other.test={origin}"),
            format!("denied.test={origin}"),
            format!("old.test={old}"),
            format!("plain.test={clear}"),
        ];
        resolve.extend(setting.resolve);
        let authority = Arc::new(Authority::generate().unwrap());
        let options = Options {
            authority: Arc::clone(&authority),
            resolve: resolve.iter().map(|o| o.parse().unwrap()).collect(),
            upstream_ca: [vec![setting.pki.root()], setting.roots].concat(),
            upstream_crls: setting.crls,
            allow_private: setting.allow_private.iter().map(|a| a.parse().unwrap()).collect(),
            passthrough: setting.passthrough.iter().map(|p| p.parse().unwrap()).collect(),
            upstream_proxy: setting.upstream_proxy,
            client_certificates: setting.client_certificates,
            credentials: setting.credentials,
            names: setting.names,
            dns: setting.dns,
            block_page: setting.block_page,
            unidentified: "unidentified".to_owned(),
            transparent: setting.transparent,
            limits: setting.limits,
            sources: rampart_egress::Sources::default(),
            identify: Arc::new(|credentials| match credentials {
                None => Some(Origin::default()),
                Some((session, token)) => {
                    (token == "t0ken").then(|| Origin { session: session.to_owned(), ..Origin::default() })
                }
            }),
        };
        let calls = Arc::new(Mutex::new(Vec::new()));
        let gate = TestGate { calls: Arc::clone(&calls), judge: setting.judge, hold: setting.hold };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let serving = serve(listener, options, Arc::new(gate), stop.clone());
        let serving = tokio::spawn(async move { serving.await.unwrap() });
        Self { proxy, authority, stage, origin, calls, stop: stop.drop_guard(), serving }
    }

    /// Tells the proxy to stop and waits until it has.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.serving.await.unwrap();
    }

    /// What the gate was asked so far: phase and subject.
    pub(crate) fn judged(&self) -> Vec<String> {
        let calls = self.calls.lock().unwrap();
        calls.iter().map(|c| format!("{:?} {}", c.phase, c.action.subject()).to_lowercase()).collect()
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// The calls so far, to be taken away.
    pub(crate) fn calls_mut(&self) -> std::sync::MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap()
    }

    /// The text of the body of the last fetch that was judged before it went out.
    pub(crate) fn judged_body(&self) -> (Option<String>, Option<u64>) {
        let calls = self.calls.lock().unwrap();
        let mut fetches = calls.iter().filter(|c| c.phase == Phase::Before).filter_map(|c| match &c.action {
            Action::Fetch { body, body_size, .. } => Some((body.clone(), *body_size)),
            _ => None,
        });
        fetches.next_back().unwrap()
    }

    /// Sends bytes to the proxy and reads until it closes.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let mut tcp = TcpStream::connect(self.proxy).await.unwrap();
        tcp.write_all(bytes).await.unwrap();
        read_all(&mut tcp).await
    }

    /// A connection through CONNECT, and what the proxy said to it.
    pub(crate) async fn tunnel(&self, to: &str, headers: &str) -> (TcpStream, String) {
        let mut tcp = TcpStream::connect(self.proxy).await.unwrap();
        let request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{headers}\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match tcp.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => break,
            }
        }
        (tcp, String::from_utf8(head).unwrap())
    }

    /// TLS inside a tunnel, trusting the proxy's authority only.
    pub(crate) async fn tls(&self, to: &str, name: &str, alpn: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
        let (tcp, head) = self.tunnel(to, "").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.certificate().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|p| p.as_bytes().to_vec()).collect();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await
    }

    pub(crate) async fn h1(&self, host: &str) -> http1::SendRequest<Full<Bytes>> {
        let tls = self.tls(&format!("{host}:443"), host, &["http/1.1"]).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(tls)).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        sender
    }

    pub(crate) async fn h2(&self, host: &str) -> http2::SendRequest<Full<Bytes>> {
        self.h2_offering(host, &["h2", "http/1.1"]).await
    }

    pub(crate) async fn h2_only(&self, host: &str) -> http2::SendRequest<Full<Bytes>> {
        self.h2_offering(host, &["h2"]).await
    }

    async fn h2_offering(&self, host: &str, alpn: &[&str]) -> http2::SendRequest<Full<Bytes>> {
        let tls = self.tls(&format!("{host}:443"), host, alpn).await.unwrap();
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    /// One GET over HTTP/1.1 in a tunnel of its own.
    pub(crate) async fn get(&self, host: &str, path: &str) -> Got {
        let mut sender = self.h1(host).await;
        Got::from(sender.send_request(get(host, path)).await.unwrap()).await
    }
}

/// A response that has come in whole.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Got {
    pub(crate) async fn from(response: Response<Incoming>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap();
        let trailers = body.trailers().cloned();
        let text = String::from_utf8(body.to_bytes().to_vec()).unwrap();
        Self { status: parts.status, headers: parts.headers, text, trailers }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }
}

pub(crate) fn get(host: &str, path: &str) -> Request<Full<Bytes>> {
    Request::get(path).header("host", host).body(Full::default()).unwrap()
}

pub(crate) fn post(host: &str, path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(path).header("host", host).body(Full::new(body.into())).unwrap()
}

/// Longer than anything here takes on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// What comes until the other side closes.
pub(crate) async fn read_all(io: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    read_until(io, "nothing that anybody sends").await
}

/// What comes until `needle` is in it, or the other side closes.
pub(crate) async fn read_until(io: &mut (impl tokio::io::AsyncRead + Unpin), needle: &str) -> String {
    let (mut out, mut buf) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&out).contains(needle) {
        match tokio::time::timeout(PATIENCE, io.read(&mut buf)).await.unwrap() {
            Ok(n @ 1..) => out.extend_from_slice(&buf[..n]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
