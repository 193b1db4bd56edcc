//! How a connection begins: its first bytes tell what the client speaks. One port takes HTTP/1, HTTP/2 without preamble,
//! both of them in TLS, and SOCKS 5; another one takes connections that were sent elsewhere and redirected here.

mod redirected;
mod socks;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use rampart_call::{Origin, Surface};
use rustls::server::Acceptor;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::LazyConfigAcceptor;

use crate::{
    destination::{Destination, Host, Scheme},
    proxy::{Scope, Slot, http1, http2},
    strict::Strict,
    tunnel::{self, Opened},
};

/// How long a connection may stay without a word; clients open some in advance.
pub(crate) const FIRST_WORD: Duration = Duration::from_secs(30);

/// Which door a client came through.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Door {
    /// It knows that we are a proxy.
    Known,
    /// It believes that it talks to its destination.
    Redirected,
    /// It believes that it talks to its own loopback, at a port that leads to ours.
    Host,
}

/// Serves a connection until it ends.
pub(crate) async fn enter(tcp: TcpStream, door: Door, slot: Arc<Slot>) {
    if let Door::Host = door {
        if let Err(error) = near(tcp, &slot).await {
            tracing::debug!(error, "a connection to the host's loopback ended");
        }
        return;
    }
    let shutdown = slot.proxy.shutdown.clone();
    let mut first = [0; 3];
    let first = tokio::select! {
        read = timeout(FIRST_WORD, tcp.peek(&mut first)) => match read {
            Ok(Ok(n @ 1..)) => first.get(..n).unwrap_or_default(),
            _ => return,
        },
        () = shutdown.cancelled() => return,
    };
    let ended = match (door, first) {
        (Door::Redirected | Door::Host, _) => redirected::serve(tcp, slot).await,
        (Door::Known, [5, ..]) => Box::pin(socks::serve(tcp, slot)).await,
        (Door::Known, [4, ..]) => refuse_socks4(tcp).await,
        (Door::Known, [0x16, ..]) => Box::pin(inside_tls(tcp, slot)).await,
        (Door::Known, b"PRI") => {
            http2(tcp, Scope::Forward, slot).await;
            Ok(())
        }
        (Door::Known, _) => {
            let strict = Strict::new(tcp, slot.proxy.head_limits());
            http1(strict, Scope::Forward, slot).await;
            Ok(())
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, "a connection ended before its first request");
    }
}

/// A client of a port of our own loopback. Servers there may speak first, and anything.
async fn near(tcp: TcpStream, slot: &Slot) -> Result<(), String> {
    let at = tcp.local_addr().map_err(|e| e.to_string())?;
    let to = Destination { scheme: Scheme::Http, host: Host::Address(at.ip().to_canonical()), port: at.port() };
    Opened::judge_near(&slot.proxy, slot.silent(), to).await.carry(slot, tcp).await
}

/// SOCKS 4 names no host, only an address that nobody judged: request rejected (0x5b).
async fn refuse_socks4(mut tcp: TcpStream) -> Result<(), String> {
    tcp.write_all(&[0, 0x5b, 0, 0, 0, 0, 0, 0]).await.map_err(|e| e.to_string())
}

/// A client that speaks TLS with the proxy itself.
async fn inside_tls(tcp: TcpStream, slot: Arc<Slot>) -> Result<(), String> {
    let proxy = Arc::clone(&slot.proxy);
    let limit = proxy.limits.handshake_time;
    let local = tcp.local_addr().map_err(|e| e.to_string())?;
    let hello = timeout(limit, LazyConfigAcceptor::new(Acceptor::default(), tcp)).await.map_err(|e| e.to_string())?;
    let hello = hello.map_err(|e| e.to_string())?;
    let name = hello.client_hello().server_name().map(str::to_owned);
    let name = name.unwrap_or_else(|| local.ip().to_canonical().to_string());
    let leaf = proxy.authority.leaf(&name.to_ascii_lowercase()).map_err(|e| e.to_string())?;
    let config = tunnel::showing(&proxy.interception, leaf, &[b"h2", b"http/1.1"]);
    let tls = timeout(limit, hello.into_stream(config)).await.map_err(|e| e.to_string())?;
    let tls = tls.map_err(|e| e.to_string())?;
    if tls.get_ref().1.alpn_protocol() == Some(b"h2") {
        http2(tls, Scope::Forward, slot).await;
    } else {
        let strict = Strict::new(tls, proxy.head_limits());
        http1(strict, Scope::Forward, slot).await;
    }
    Ok(())
}

/// Where a redirected connection was going: by the address it believes to have reached (TPROXY), or by what the kernel
/// remembers of it (REDIRECT).
fn original(tcp: &TcpStream) -> Option<SocketAddr> {
    let socket = socket2::SockRef::from(tcp);
    let local = tcp.local_addr().ok()?;
    let v4 = match local {
        SocketAddr::V4(_) => true,
        SocketAddr::V6(v6) => v6.ip().to_ipv4_mapped().is_some(),
    };
    let remembered = if v4 { socket.original_dst_v4() } else { socket.original_dst_v6() };
    let address = remembered.ok().and_then(|a| a.as_socket()).unwrap_or(local);
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

/// A listener for connections that the kernel brings here. Where the system lets us, it also takes those that TPROXY leaves
/// at their own address.
///
/// # Errors
/// When the address cannot be listened on.
pub fn transparent_listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
        let _ = socket.set_ip_transparent_v6(true);
    }
    // Needs CAP_NET_ADMIN; REDIRECT does without.
    let _ = socket.set_ip_transparent_v4(true);
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// A client that did not say who it is.
pub(crate) fn nobody() -> Origin {
    Origin { surface: Surface::Egress, ..Origin::default() }
}
