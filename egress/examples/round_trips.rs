//! What the proxy adds: the same requests directly and through it, in one process, over TLS on loopback.
//!
//! `cargo run --release -p rampart-egress --example round_trips`
#![expect(clippy::print_stdout, reason = "this program's output is for the person who runs it")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made has no result")]

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{client::conn::http1::SendRequest, service::service_fn};
use hyper_util::rt::TokioIo;
use rampart_call::{Answer, Call, Judgement, Origin, Outcome, Reason};
use rampart_certs::Authority;
use rampart_egress::{Options, serve};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, ServerName},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;

const HOST: &str = "origin.test";

#[derive(Debug)]
struct Leaf(Arc<CertifiedKey>);

impl ResolvesServerCert for Leaf {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

async fn origin(leaf: Arc<CertifiedKey>, body: Bytes) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_cert_resolver(Arc::new(Leaf(leaf)));
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            tcp.set_nodelay(true).unwrap();
            let (acceptor, body) = (acceptor.clone(), body.clone());
            tokio::spawn(async move {
                let Ok(tls) = acceptor.accept(tcp).await else { return };
                let service = service_fn(move |_| {
                    let body = body.clone();
                    async move { Ok::<_, Infallible>(Response::new(Full::new(body))) }
                });
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tls), service).await;
            });
        }
    });
    address
}

async fn proxy(authority: Arc<Authority>, root: CertificateDer<'static>, origin: SocketAddr) -> SocketAddr {
    let options = Options {
        resolve: vec![format!("{HOST}={origin}").parse().unwrap()],
        upstream_ca: vec![root],
        ..Options::new(authority, Arc::new(|_| Some(Origin::default())))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, options, Arc::new(allow), CancellationToken::new()));
    address
}

#[expect(clippy::disallowed_methods, reason = "this program's gate")]
fn allow(_: Call) -> rampart_call::Verdict {
    let judgement = Judgement::allowed(Reason::Default);
    rampart_call::answer_to_verdict(Answer { verdict: Outcome::Allow, judgement, seq: None })
}

struct Client {
    tls: TlsConnector,
    to: SocketAddr,
    tunnel: bool,
}

impl Client {
    fn new(root: CertificateDer<'static>, to: SocketAddr, tunnel: bool) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(root).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Self { tls: TlsConnector::from(Arc::new(config)), to, tunnel }
    }

    async fn connect(&self) -> SendRequest<Full<Bytes>> {
        let mut tcp = TcpStream::connect(self.to).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        if self.tunnel {
            tcp.write_all(format!("CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n").as_bytes()).await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(tcp.read_u8().await.unwrap());
            }
        }
        let tls = self.tls.connect(ServerName::try_from(HOST).unwrap(), tcp).await.unwrap();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls)).await.unwrap();
        tokio::spawn(connection);
        sender
    }
}

async fn once(sender: &mut SendRequest<Full<Bytes>>) -> Duration {
    let started = Instant::now();
    sender.ready().await.unwrap();
    let request = Request::get("/").header("host", HOST).header("accept", "*/*").body(Full::default()).unwrap();
    sender.send_request(request).await.unwrap().into_body().collect().await.unwrap();
    started.elapsed()
}

fn report(what: &str, mut times: Vec<Duration>, took: Duration, cpu: Duration) {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_micros();
    println!(
        "{what:24} p50 {:>6} us  p99 {:>6} us  {:>7.0} a second  {:>5.1} us CPU each",
        at(50),
        at(99),
        times.len() as f64 / took.as_secs_f64(),
        cpu.as_micros() as f64 / times.len() as f64
    );
}

/// User and system time of this whole process: client, proxy and origin together.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

#[tokio::main]
async fn main() {
    let (outside, ours) = (Arc::new(Authority::generate().unwrap()), Arc::new(Authority::generate().unwrap()));
    let root = outside.certificate().clone();
    let origin = origin(outside.leaf(HOST).unwrap(), Bytes::from(vec![b'x'; 1024])).await;
    let proxy = proxy(Arc::clone(&ours), root.clone(), origin).await;
    let direct = Client::new(root, origin, false);
    let through = Client::new(ours.certificate().clone(), proxy, true);
    for round in 0..3 {
        for (name, client) in [("direct", &direct), ("through", &through)] {
            let mut sender = client.connect().await;
            let (started, burnt) = (Instant::now(), cpu());
            let mut times = Vec::new();
            for _ in 0..5000 {
                times.push(once(&mut sender).await);
            }
            report(&format!("{round} {name}, keep-alive"), times, started.elapsed(), cpu().saturating_sub(burnt));
        }
        for (name, client) in [("direct", &direct), ("through", &through)] {
            let (started, burnt) = (Instant::now(), cpu());
            let mut tasks = Vec::new();
            for _ in 0..32 {
                let mut sender = client.connect().await;
                tasks.push(tokio::spawn(async move {
                    let mut times = Vec::new();
                    for _ in 0..2000 {
                        times.push(once(&mut sender).await);
                    }
                    times
                }));
            }
            let mut times = Vec::new();
            for task in tasks {
                times.extend(task.await.unwrap());
            }
            report(&format!("{round} {name}, 32 at once"), times, started.elapsed(), cpu().saturating_sub(burnt));
        }
        for (name, client) in [("direct", &direct), ("through", &through)] {
            let (started, burnt) = (Instant::now(), cpu());
            let mut times = Vec::new();
            for _ in 0..500 {
                let begun = Instant::now();
                once(&mut client.connect().await).await;
                times.push(begun.elapsed());
            }
            report(&format!("{round} {name}, new connection"), times, started.elapsed(), cpu().saturating_sub(burnt));
        }
    }
}
