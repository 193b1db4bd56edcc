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
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::{debug, warn};

use crate::{Peer, access::Connection, awake::Awake, patient::Patient};

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

/// Serves until `stop`, then lets the requests in flight end for up to ten seconds.
pub async fn serve(router: Router, socket: UnixListener, tcp: Option<TcpListener>, stop: CancellationToken) {
    serve_doors(router, socket, false, tcp, stop).await;
}

/// The same on a socket for every user of the machine. Those who are neither ours nor root's have calls decided there;
/// anything else wants a token from them.
pub async fn serve_everybody(router: Router, socket: UnixListener, stop: CancellationToken) {
    serve_doors(router, socket, true, None, stop).await;
}

async fn serve_doors(
    router: Router,
    socket: UnixListener,
    everybody: bool,
    tcp: Option<TcpListener>,
    stop: CancellationToken,
) {
    let graceful = GracefulShutdown::new();
    let seats = || Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (local_seats, tcp_seats) = (seats(), seats());
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept_local(&socket, everybody, &local_seats) => accepted,
            accepted = accept_tcp(tcp.as_ref(), &tcp_seats) => accepted,
        };
        match accepted {
            Ok(Accepted::Local(stream, peer, seat)) => {
                spawn(stream, (peer, Connection::default()), seat, router.clone(), graceful.watcher());
            }
            Ok(Accepted::Tcp(stream, ends, seat)) => {
                spawn(
                    stream,
                    (Peer::Tcp, Connection::between(ends.0, ends.1)),
                    seat,
                    router.clone(),
                    graceful.watcher(),
                );
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

fn spawn<S>(stream: S, from: (Peer, Connection), seat: OwnedSemaphorePermit, router: Router, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (peer, known) = (from.0, Arc::new(from.1));
    let shared = Arc::clone(&known);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(Arc::clone(&shared));
        let router = router.clone();
        async move { answer(router, request).await }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(Patient::new(stream, STALL)), service);
    let connection = watcher.watch(connection);
    tokio::spawn(Awake::new(async move {
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            // Who was refused is still told so.
            () = known.over() => timeout(LAST_WORD, connection).await.unwrap_or(Ok(())),
        };
        if let Err(e) = ended {
            debug!("a connection ended early: {e}");
        }
        drop(seat);
    }));
}

async fn answer(router: Router, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    router.oneshot(request.map(Body::new)).await
}
