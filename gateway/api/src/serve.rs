//! Accepting connections on the socket and the port, and ending in order.

use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use rampart_client::Stream;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tower::ServiceExt;
use tracing::{debug, warn};

use crate::{
    Api, Peer,
    access::Connection,
    at_once::{Begun, attend},
    awake::Awake,
    patient::Patient,
    router,
};

/// How long requests in flight may go on after the end was announced.
const DRAIN: Duration = Duration::from_secs(10);
/// How long the head of a request may take to arrive, and how long a connection may stand idle before it.
const HEAD: Duration = Duration::from_secs(10);
/// How long whoever is answered may take nothing of it.
const STALL: Duration = Duration::from_secs(10);
/// Longest head of a request, in bytes.
const MAX_HEAD: usize = 32 << 10;
/// Most headers of a request.
const MAX_HEADERS: usize = 64;
/// Most connections at a time, for each listener on its own: the port cannot starve the surfaces.
const MAX_CONNECTIONS: usize = 1024;
/// How long a connection may go on after the token that it bore has ended.
const LAST_WORD: Duration = Duration::from_millis(250);
/// How long accepting rests when the system has nothing left to accept with.
const REST: Duration = Duration::from_millis(50);

/// Serves until the API is stopped, then lets the requests in flight end for up to ten seconds.
pub async fn serve(api: Arc<Api>, socket: UnixListener, tcp: Option<TcpListener>) {
    serve_doors(api, socket, false, tcp).await;
}

/// The same on a socket for every user of the machine. Those who are neither ours nor root's have calls decided there;
/// anything else wants a token from them.
pub async fn serve_everybody(api: Arc<Api>, socket: UnixListener) {
    serve_doors(api, socket, true, None).await;
}

async fn serve_doors(api: Arc<Api>, socket: UnixListener, everybody: bool, tcp: Option<TcpListener>) {
    let router = router(Arc::clone(&api));
    let graceful = GracefulShutdown::new();
    let seats = || Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (local_seats, tcp_seats) = (seats(), seats());
    loop {
        let accepted = tokio::select! {
            () = api.stop().cancelled() => break,
            accepted = accept_local(&socket, everybody, &local_seats) => accepted,
            accepted = accept_tcp(tcp.as_ref(), &tcp_seats) => accepted,
        };
        match accepted {
            Ok(Accepted::Local(stream, peer, seat)) => {
                let (api, router, watcher) = (Arc::clone(&api), router.clone(), graceful.watcher());
                tokio::spawn(Awake::new(async move {
                    let known = Arc::new(Connection::default());
                    if let Some(left) = attend(Patient::new(stream, STALL), peer, &known, &api, HEAD).await {
                        serve_http(left.stream, (peer, known), left.begun, router, watcher).await;
                    }
                    drop(seat);
                }));
            }
            Ok(Accepted::Tcp(stream, ends, seat)) => {
                let (router, watcher) = (router.clone(), graceful.watcher());
                tokio::spawn(Awake::new(async move {
                    let known = Arc::new(Connection::between(ends.0, ends.1));
                    serve_http(Patient::new(stream, STALL), (Peer::Tcp, known), None, router, watcher).await;
                    drop(seat);
                }));
            }
            Ok(Accepted::Stranger(uid)) => warn!(uid, "a stranger connected to the socket and was turned away"),
            Err(e) => {
                debug!("cannot accept a connection: {e}");
                sleep(REST).await;
            }
        }
    }
    drop((socket, tcp));
    if timeout(DRAIN, graceful.shutdown()).await.is_err() {
        warn!("requests were still running after {} s and were cut off", DRAIN.as_secs());
    }
}

enum Accepted {
    Local(Stream, Peer, OwnedSemaphorePermit),
    Tcp(tokio::net::TcpStream, (SocketAddr, SocketAddr), OwnedSemaphorePermit),
    Stranger(u32),
}

async fn accept_local(listener: &UnixListener, everybody: bool, seats: &Arc<Semaphore>) -> io::Result<Accepted> {
    let seat = Arc::clone(seats).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    let credentials = stream.peer_cred()?;
    let uid = credentials.uid();
    let ours = uid == rustix::process::geteuid().as_raw() || uid == 0;
    if !everybody && !ours {
        return Ok(Accepted::Stranger(uid));
    }
    let pid = credentials.pid().and_then(|pid| u32::try_from(pid).ok());
    Ok(Accepted::Local(Stream::new(stream.into_std()?)?, Peer::Socket { pid, uid, ours }, seat))
}

async fn accept_tcp(listener: Option<&TcpListener>, seats: &Arc<Semaphore>) -> io::Result<Accepted> {
    let Some(listener) = listener else { return std::future::pending().await };
    let seat = Arc::clone(seats).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, from) = listener.accept().await?;
    // Answers are small and someone waits for each.
    stream.set_nodelay(true)?;
    let ours = stream.local_addr()?;
    Ok(Accepted::Tcp(stream, (from, ours), seat))
}

/// Serves a connection, whose first request may be about to be answered already.
async fn serve_http<S>(
    stream: S,
    (peer, known): (Peer, Arc<Connection>),
    begun: Option<Begun>,
    router: Router,
    watcher: Watcher,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shared = Arc::clone(&known);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(Arc::clone(&shared));
        if let Some(begun) = begun.as_ref().and_then(Begun::pass) {
            request.extensions_mut().insert(begun);
        }
        let router = router.clone();
        async move { answer(router, request).await }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(watcher.watch(connection));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        // Who was refused is still told so.
        () = known.over() => timeout(LAST_WORD, connection).await.unwrap_or(Ok(())),
    };
    if let Err(e) = ended {
        debug!("a connection ended early: {e}");
    }
}

async fn answer(router: Router, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    router.oneshot(request.map(Body::new)).await
}
