//! An origin on loopback that speaks HTTP/1.1 and HTTP/2 over TLS, or HTTP/1.1 without.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, GeneralSubtree, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, NameConstraints, RevocationReason, RevokedCertParams,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::{Notify, mpsc},
};
use tokio_rustls::TlsAcceptor;

/// The authority of the origins.
pub(crate) struct Pki {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Pki {
    pub(crate) fn new() -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let mut params = CertificateParams::default();
        let name = format!("authority of origins {}", MADE.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// A certificate for `names`, changed by `change` before it is signed.
    pub(crate) fn issue(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()).unwrap();
        change(&mut params);
        let chain = vec![params.signed_by(&key, &self.issuer).unwrap().into()];
        Identity { chain, key: PrivatePkcs8KeyDer::from(key.serialize_der()).into() }
    }
}

impl Pki {
    /// A list of revoked certificates, by their serial numbers, that should have been renewed so long ago.
    pub(crate) fn revoking(&self, serials: &[u64], old: time::Duration) -> CertificateRevocationListDer<'static> {
        let now = time::OffsetDateTime::now_utc();
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: (*serial).into(),
            revocation_time: now,
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: now - old - time::Duration::days(1),
            next_update: now - old + time::Duration::hours(1),
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().into()
    }

    /// A certificate under `depth` authorities, the first of which may only speak for `only`.
    pub(crate) fn below(&self, names: &[&str], depth: usize, only: Option<&str>) -> Identity {
        let (mut chain, mut issuer) = (Vec::new(), None);
        for n in 0..depth {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(rcgen::DnType::CommonName, format!("authority {n}"));
            let only = only.filter(|_| n == 0).map(|name| NameConstraints {
                permitted_subtrees: vec![GeneralSubtree::DnsName(name.to_owned())],
                excluded_subtrees: Vec::new(),
            });
            params.name_constraints = only;
            let signed = match &issuer {
                None => params.signed_by(&key, &self.issuer).unwrap(),
                Some(above) => params.signed_by(&key, above).unwrap(),
            };
            chain.insert(0, signed.into());
            issuer = Some(rcgen::Issuer::new(params, key));
        }
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()).unwrap();
        chain.insert(0, params.signed_by(&key, &issuer.unwrap()).unwrap().into());
        Identity { chain, key: PrivatePkcs8KeyDer::from(key.serialize_der()).into() }
    }
}

pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// What an origin is asked and told while a test runs.
#[derive(Clone, Default)]
pub(crate) struct Stage {
    /// Lets `/sse` send its second event.
    pub(crate) go: Arc<Notify>,
    /// Told when a request to `/hang` was given up.
    pub(crate) given_up: Arc<Notify>,
    /// Told when `/hang` has begun.
    pub(crate) begun: Arc<Notify>,
    /// Connections that were opened to origins without TLS.
    pub(crate) opened: Arc<AtomicUsize>,
}

/// TLS with this identity, offering `alpn`.
pub(crate) fn tls_of(identity: Identity, alpn: &[&str]) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_no_client_auth().with_single_cert(identity.chain, identity.key).unwrap();
    config.alpn_protocols = alpn.iter().map(|p| p.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// Starts an origin with TLS, offering `alpn`.
pub(crate) async fn secure(identity: Identity, alpn: &[&str], stage: Stage) -> SocketAddr {
    let acceptor = TlsAcceptor::from(tls_of(identity, alpn));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let (acceptor, stage) = (acceptor.clone(), stage.clone());
            tokio::spawn(async move {
                if let Ok(tls) = acceptor.accept(tcp).await {
                    serve(tls, stage).await;
                }
            });
        }
    });
    address
}

/// Starts an origin without TLS.
pub(crate) async fn plain(stage: Stage) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            stage.opened.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(tcp, stage.clone()));
        }
    });
    address
}

async fn serve<IO>(io: IO, stage: Stage)
where
    IO: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let stage = stage.clone();
        async move { Ok::<_, Infallible>(respond(request, stage).await) }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let _ = builder.serve_connection_with_upgrades(TokioIo::new(io), service).await;
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

fn text_of(body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(body.into()).boxed_unsync());
    response.headers_mut().insert("content-type", HeaderValue::from_static("text/plain"));
    response
}

fn frames(frames: stream::BoxStream<'static, Frame<Bytes>>) -> Response<Body> {
    Response::new(StreamBody::new(frames.map(Ok)).boxed_unsync())
}

struct OnDrop(Arc<Notify>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

async fn respond(mut request: Request<Incoming>, stage: Stage) -> Response<Body> {
    match request.uri().path() {
        "/headers" => {
            let mut lines: Vec<String> =
                request.headers().iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
            lines.sort();
            text_of(format!("{} {} {:?}\n{}", request.method(), request.uri(), request.version(), lines.join("\n")))
        }
        "/echo" => {
            let collected = request.into_body().collect().await.unwrap();
            let trailer = collected.trailers().and_then(|t| t.get("x-sum")).cloned();
            let mut response = text_of(collected.to_bytes());
            if let Some(trailer) = trailer {
                response.headers_mut().insert("x-got-trailer", trailer);
            }
            response
        }
        "/count" => {
            let (mut body, mut count) = (request.into_body(), 0);
            while let Some(Ok(frame)) = body.frame().await {
                count += frame.data_ref().map_or(0, Bytes::len);
            }
            text_of(count.to_string())
        }
        "/trailers" => {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            trailers.insert("content-length", HeaderValue::from_static("7"));
            let parts = [Frame::data(Bytes::from_static(b"payload")), Frame::trailers(trailers)];
            let mut response = frames(stream::iter(parts).boxed());
            response.headers_mut().insert("trailer", HeaderValue::from_static("grpc-status"));
            response
        }
        "/sse" => {
            let (send, receive) = mpsc::channel(1);
            tokio::spawn(async move {
                let _ = send.send(Frame::data(Bytes::from_static(b"data: 1\n\n"))).await;
                stage.go.notified().await;
                let _ = send.send(Frame::data(Bytes::from_static(b"data: 2\n\n"))).await;
            });
            let events = stream::unfold(receive, |mut receive| async { receive.recv().await.map(|e| (e, receive)) });
            let mut response = frames(events.boxed());
            response.headers_mut().insert("content-type", HeaderValue::from_static("text/event-stream"));
            response
        }
        "/big" => {
            let count: usize = request.uri().query().unwrap().parse().unwrap();
            let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
            frames(stream::iter(std::iter::repeat_n(chunk, count).map(Frame::data)).boxed())
        }
        "/hang" => {
            let _guard = OnDrop(stage.given_up);
            stage.begun.notify_one();
            tokio::time::sleep(Duration::from_hours(1)).await;
            text_of("late")
        }
        "/ws" => {
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let _guard = OnDrop(stage.given_up);
                let mut io = TokioIo::new(upgrade.await.unwrap());
                // Sends back what short frames hold, with a word of its own in the place of `secret`.
                let mut head = [0; 6];
                while io.read_exact(&mut head).await.is_ok() {
                    let mut payload = vec![0; usize::from(head[1] & 0x7f)];
                    if io.read_exact(&mut payload).await.is_err() {
                        break;
                    }
                    for (byte, mask) in payload.iter_mut().zip(head[2..].iter().cycle()) {
                        *byte ^= mask;
                    }
                    let text = match String::from_utf8(payload) {
                        Ok(text) => text.replace("secret", "s3cret"),
                        // The code of a close.
                        Err(_) => break,
                    };
                    let frame = [&[head[0], text.len() as u8], text.as_bytes()].concat();
                    if io.write_all(&frame).await.is_err() {
                        break;
                    }
                }
            });
            let mut response = text_of("");
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            response.headers_mut().insert("connection", HeaderValue::from_static("upgrade"));
            response.headers_mut().insert("upgrade", HeaderValue::from_static("websocket"));
            response
        }
        "/quic" => {
            let mut response = text_of("hello");
            response.headers_mut().insert("alt-svc", HeaderValue::from_static("h3=\":443\""));
            response.headers_mut().insert("keep-alive", HeaderValue::from_static("timeout=1"));
            response
        }
        "/packed" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            let text = request.uri().query().unwrap().replace('+', " ");
            let repeated = if text.starts_with("long") { "0123456789 ".repeat(20_000) } else { String::new() };
            std::io::Write::write_all(&mut encoder, format!("{repeated}{text}").as_bytes()).unwrap();
            let mut response = text_of(encoder.finish().unwrap());
            response.headers_mut().insert("content-encoding", HeaderValue::from_static("gzip"));
            response.headers_mut().insert("accept-ranges", HeaderValue::from_static("bytes"));
            response
        }
        "/bomb" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            std::io::Write::write_all(&mut encoder, &vec![0; 64 << 20]).unwrap();
            let mut response = text_of(encoder.finish().unwrap());
            response.headers_mut().insert("content-encoding", HeaderValue::from_static("gzip"));
            response
        }
        "/pieces" => {
            let pieces: Vec<String> =
                request.uri().query().unwrap().split('|').map(|piece| piece.replace('+', " ")).collect();
            let filler = "0123456789 ".repeat(10_000);
            let pieces = std::iter::once(filler).chain(pieces).map(|piece| Frame::data(Bytes::from(piece)));
            let mut response = frames(stream::iter(pieces.collect::<Vec<_>>()).boxed());
            response.headers_mut().insert("content-type", HeaderValue::from_static("text/plain"));
            response
        }
        "/events" => {
            let text = request.uri().query().unwrap().replace('+', " ").replace("%0D", "\r");
            let pieces: Vec<_> = text.split('|').map(|piece| Frame::data(Bytes::from(piece.to_owned()))).collect();
            let mut response = frames(stream::iter(pieces).boxed());
            response.headers_mut().insert("content-type", HeaderValue::from_static("text/event-stream"));
            response
        }
        "/endless" => {
            let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
            let mut response = frames(stream::iter(std::iter::repeat_n(chunk, 1600).map(Frame::data)).boxed());
            response.headers_mut().insert("content-type", HeaderValue::from_static("text/event-stream"));
            response
        }
        "/long" => {
            let text = request.uri().query().unwrap().replace('+', " ");
            text_of(format!("{}{text}", "0123456789 ".repeat(20_000)))
        }
        "/packed-sse" => {
            let (send, receive) = mpsc::channel(1);
            tokio::spawn(async move {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                for event in ["data: 1\n\n", "data: s3cret\n\n"] {
                    std::io::Write::write_all(&mut encoder, event.as_bytes()).unwrap();
                    std::io::Write::flush(&mut encoder).unwrap();
                    let packed = std::mem::take(encoder.get_mut());
                    let _ = send.send(Frame::data(Bytes::from(packed))).await;
                    stage.go.notified().await;
                }
                let _ = send.send(Frame::data(Bytes::from(encoder.finish().unwrap()))).await;
            });
            let events = stream::unfold(receive, |mut receive| async { receive.recv().await.map(|e| (e, receive)) });
            let mut response = frames(events.boxed());
            response.headers_mut().insert("content-type", HeaderValue::from_static("text/event-stream"));
            response.headers_mut().insert("content-encoding", HeaderValue::from_static("gzip"));
            response
        }
        "/secret" => text_of("the key is s3cret, yes"),
        _ => text_of("hello"),
    }
}

/// Starts an origin that answers one request on each connection and hangs up without announcing it.
pub(crate) async fn curt() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let _ = tcp.read(&mut [0; 4096]).await;
                let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ncurt").await;
            });
        }
    });
    address
}
