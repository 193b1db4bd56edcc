//! The other end: an address, and a connection to it over UDP (RFC 5426), TCP (RFC 6587, octet counting) or TLS
//! (RFC 5425).

use std::{io, sync::Arc, time::Duration};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket, lookup_host},
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the peer may take none of what is sent.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// In this time a machine says that nothing listens at a UDP port.
const DATAGRAM_PROOF: Duration = Duration::from_millis(100);
/// Bytes of a datagram: most receivers take that much, and networks cut it up (RFC 5426 section 3.2).
const LONGEST_DATAGRAM: usize = 8192;

/// So many datagrams in so much time fit into the usual buffer of a receiver that is busy. What was missed in an hour
/// is not thrown at it at once.
const BURST: u32 = 32;
const BURST_TIME: Duration = Duration::from_millis(20);

/// Where a collector listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// How to talk to it.
    pub transport: Transport,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// How to talk to a collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream that nobody else can read or change.
    Tls,
}

impl Transport {
    const ALL: [(Self, &'static str, u16); 3] =
        [(Self::Udp, "udp", 514), (Self::Tcp, "tcp", 514), (Self::Tls, "tls", 6514)];

    /// After this time, what was sent on a connection that still lives has arrived.
    pub(super) fn settles(self) -> Duration {
        match self {
            Self::Udp => Duration::from_secs(1),
            // Longer than a connection lives whose data is not acknowledged.
            Self::Tcp | Self::Tls => SEND_TIMEOUT + Duration::from_secs(5),
        }
    }
}

impl Peer {
    /// Reads `udp://host:port`, `tcp://host:port` or `tls://host:port`. Without a scheme it is UDP, without a port the
    /// one that IANA lists.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("udp", text));
        let (transport, _, port) = Transport::ALL.into_iter().find(|(_, word, _)| *word == scheme)?;
        let authority: http::uri::Authority = rest.parse().ok()?;
        let port = match rest.strip_prefix(authority.host())? {
            "" => port,
            digits => digits.strip_prefix(':')?.parse().ok().filter(|port| *port != 0)?,
        };
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        (!host.is_empty()).then_some(Self { transport, host, port })
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = Transport::ALL.into_iter().find(|(t, ..)| *t == self.transport).map_or("", |(_, word, _)| word);
        let Self { host, port, .. } = self;
        if host.contains(':') { write!(f, "{scheme}://[{host}]:{port}") } else { write!(f, "{scheme}://{host}:{port}") }
    }
}

/// A UDP socket that is not used faster than receivers read.
pub(super) struct Datagrams {
    socket: UdpSocket,
    /// Something listens, or at least nobody says otherwise.
    proven: bool,
    /// When the current burst began, and how much of it was sent.
    burst: (Instant, u32),
}

/// An open way to a peer.
pub(super) enum Connection {
    Udp(Datagrams),
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection {
    pub(super) async fn open(peer: &Peer, tls: Option<&Arc<rustls::ClientConfig>>) -> io::Result<Self> {
        let opening = async {
            match peer.transport {
                Transport::Udp => datagrams(peer).await,
                Transport::Tcp => stream(peer).await.map(Self::Tcp),
                Transport::Tls => {
                    let config = tls.ok_or_else(|| io::Error::other("this gateway was started without TLS"))?;
                    let name = ServerName::try_from(peer.host.clone()).map_err(io::Error::other)?;
                    let tls = TlsConnector::from(Arc::clone(config)).connect(name, stream(peer).await?).await?;
                    Ok(Self::Tls(Box::new(tls)))
                }
            }
        };
        timeout(CONNECT_TIMEOUT, opening).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Sends one message.
    pub(super) async fn send(&mut self, message: &str) -> io::Result<()> {
        let sending = async {
            match self {
                Self::Udp(datagrams) => datagrams.send(message).await,
                Self::Tcp(tcp) => tcp.write_all(frame(message).as_bytes()).await,
                Self::Tls(tls) => {
                    tls.write_all(frame(message).as_bytes()).await?;
                    tls.flush().await
                }
            }
        };
        timeout(SEND_TIMEOUT, sending).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Resolves when the peer is gone. It has nothing to say otherwise (RFC 6587 section 3.1).
    pub(super) async fn gone(&mut self) -> io::Error {
        let mut ignored = [0; 256];
        loop {
            let read = match self {
                Self::Udp(datagrams) => datagrams.socket.recv(&mut ignored).await.map(|_| 1),
                Self::Tcp(tcp) => tcp.read(&mut ignored).await,
                Self::Tls(tls) => tls.read(&mut ignored).await,
            };
            match read {
                Ok(0) => return io::Error::new(io::ErrorKind::ConnectionAborted, "it closed the connection"),
                Ok(_) => {}
                Err(e) => return e,
            }
        }
    }

    /// Says that nothing more comes. True when the peer has taken everything.
    pub(super) async fn finish(mut self) -> bool {
        let said = match &mut self {
            Self::Udp(_) => return timeout(DATAGRAM_PROOF, self.gone()).await.is_err(),
            Self::Tcp(tcp) => tcp.shutdown().await,
            Self::Tls(tls) => tls.shutdown().await,
        };
        // It closes its side when it has read ours to the end.
        said.is_ok() && self.gone().await.kind() == io::ErrorKind::ConnectionAborted
    }
}

impl Datagrams {
    async fn send(&mut self, message: &str) -> io::Result<()> {
        let (began, sent) = &mut self.burst;
        if *sent == BURST {
            sleep_until(*began + BURST_TIME).await;
        }
        if began.elapsed() >= BURST_TIME {
            (*began, *sent) = (Instant::now(), 0);
        }
        *sent += 1;
        let end = message.floor_char_boundary(LONGEST_DATAGRAM);
        self.socket.send(message.get(..end).unwrap_or_default().as_bytes()).await?;
        if !self.proven {
            match timeout(DATAGRAM_PROOF, self.socket.recv(&mut [0])).await {
                Ok(Err(e)) => return Err(e),
                Ok(Ok(_)) | Err(_) => self.proven = true,
            }
        }
        Ok(())
    }
}

/// RFC 6587 section 3.4.1: the length in bytes, a space, the message.
fn frame(message: &str) -> String {
    format!("{} {message}", message.len())
}

async fn datagrams(peer: &Peer) -> io::Result<Connection> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host((&*peer.host, peer.port)).await? {
        let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).await?;
        match socket.connect(address).await {
            Ok(()) => return Ok(Connection::Udp(Datagrams { socket, proven: false, burst: (Instant::now(), 0) })),
            Err(e) => last = e,
        }
    }
    Err(last)
}

async fn stream(peer: &Peer) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect((&*peer.host, peer.port)).await?;
    // What is not acknowledged for so long is sent again on another connection.
    #[cfg(target_os = "linux")]
    rustix::net::sockopt::set_tcp_user_timeout(&tcp, SEND_TIMEOUT.as_millis() as u32)?;
    Ok(tcp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_shown() {
        for (text, shown) in [
            ("localhost:514", "udp://localhost:514"),
            ("localhost", "udp://localhost:514"),
            ("udp://[::1]:1514", "udp://[::1]:1514"),
            ("tcp://siem.example", "tcp://siem.example:514"),
            ("tls://siem.example", "tls://siem.example:6514"),
        ] {
            assert_eq!(Peer::parse(text).unwrap().to_string(), shown);
        }
        for text in ["", "udp://", "http://x", "x:0", "x:", "x:99999", "user@x:514", "x/y", "x y"] {
            assert_eq!(Peer::parse(text), None, "{text}");
        }
    }

    #[test]
    fn octets_are_counted_and_not_characters() {
        assert_eq!(frame("é"), "2 é");
    }
}
