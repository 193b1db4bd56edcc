//! What gets out past the proxy, tried from where an agent stands. Each way is tried for real, to an address that is given,
//! and what came back is the evidence.

use std::{
    io::Read as _,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer, pki_types::ServerName};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long one of who has taken the connection: our own proxy may first look the name up in vain.
const TALK: Duration = Duration::from_secs(8);
/// Where clouds tell a machine's own secrets to whoever asks from it.
const METADATA: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 80);
/// A name that no server has and that our proxy refuses like any other.
const NOBODY: &str = "probe.rampart.invalid";

/// What was found on one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// Which: `tcp-80`, `tcp-443`, `tls-853`, `udp-443`, `dns-53`, `dns-tcp-53`, `ipv6-tcp-443`, `ipv6-udp-443`, `metadata`,
    /// `icmp`, `raw-ip`, `raw-frame`; `resolver`.
    pub name: &'static str,
    /// Where it leads.
    pub leads: Leads,
    /// What came back, for people.
    pub evidence: String,
}

/// Where a way leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leads {
    /// To others, past us.
    Out,
    /// To Rampart's own proxy, whatever address is dialled.
    ToUs,
    /// Nowhere.
    Nowhere,
}

impl Leads {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Out => "open",
            Self::ToUs => "proxied",
            Self::Nowhere => "closed",
        }
    }
}

/// Tries every way to these two addresses. `authority` is by whom our own proxy is known.
///
/// # Errors
/// When TLS cannot be set up.
pub async fn probe(v4: IpAddr, v6: IpAddr, authority: &CertificateDer<'static>) -> Result<Vec<Way>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let ours = TlsConnector::from(Arc::new(config));
    let blocking = |name, to: IpAddr, work: fn(IpAddr) -> Found| async move {
        let found = tokio::task::spawn_blocking(move || work(to)).await;
        (name, found.unwrap_or_else(|e| Err(e.to_string())))
    };
    let (ours, four, six) = (&ours, |port| SocketAddr::new(v4, port), SocketAddr::new(v6, 443));
    let found: [(&'static str, Found); 12] = tokio::join!(
        async { ("tcp-80", over_http(four(80)).await) },
        async { ("tcp-443", over_tls(four(443), ours).await) },
        async { ("tls-853", over_tls(four(853), ours).await) },
        blocking("udp-443", v4, quic),
        blocking("dns-53", v4, dns),
        async { ("dns-tcp-53", dns_over_tcp(four(53)).await) },
        async { ("ipv6-tcp-443", over_tls(six, ours).await) },
        blocking("ipv6-udp-443", v6, quic),
        async { ("metadata", over_http(METADATA).await) },
        blocking("icmp", v4, |to| echo(to, Type::DGRAM)),
        blocking("raw-ip", v4, |to| echo(to, Type::RAW)),
        blocking("raw-frame", v4, |_| frame()),
    )
    .into();
    let way = |(name, found): (&'static str, Found)| match found {
        Ok((leads, evidence)) => Way { name, leads, evidence },
        Err(evidence) => Way { name, leads: Leads::Nowhere, evidence },
    };
    Ok(found.map(way).to_vec())
}

/// Where it leads, or why nowhere.
type Found = Result<(Leads, String), String>;

async fn connect(to: SocketAddr) -> Result<TcpStream, String> {
    match timeout(PATIENCE, TcpStream::connect(to)).await {
        Ok(connected) => connected.map_err(|e| e.to_string()),
        Err(_) => Err("no answer".to_owned()),
    }
}

/// Whether our proxy answers what is sent to this address: its own, as clients that know of it ask there (`known`), or any.
///
/// # Errors
/// What was found instead, for people.
pub async fn proxy_answers(at: SocketAddr, known: bool) -> Result<(), String> {
    let target = if known { format!("http://{NOBODY}/") } else { "/".to_owned() };
    match asked(at, &target).await? {
        (Leads::ToUs, _) => Ok(()),
        (_, found) => Err(found),
    }
}

async fn over_http(to: SocketAddr) -> Found {
    asked(to, "/").await
}

async fn asked(to: SocketAddr, target: &str) -> Found {
    let mut tcp = connect(to).await?;
    let request = format!("GET {target} HTTP/1.1\r\nHost: {NOBODY}\r\nConnection: close\r\n\r\n");
    let mut said = Vec::new();
    let talk = async {
        let _ = tcp.write_all(request.as_bytes()).await;
        let _ = tcp.take(16 * 1024).read_to_end(&mut said).await;
    };
    let _ = timeout(TALK, talk).await;
    let ours = String::from_utf8_lossy(&said).to_ascii_lowercase().contains("\r\nx-rampart-decision:");
    Ok(if ours {
        (Leads::ToUs, "Rampart answered for it".to_owned())
    } else {
        (Leads::Out, format!("{to} took the connection"))
    })
}

async fn over_tls(to: SocketAddr, ours: &TlsConnector) -> Found {
    let tcp = connect(to).await?;
    let name = ServerName::try_from(NOBODY).map_err(|e| e.to_string())?;
    match timeout(TALK, ours.connect(name, tcp)).await {
        Ok(Ok(_)) => Ok((Leads::ToUs, "it shows a certificate of Rampart's authority".to_owned())),
        _ => Ok((Leads::Out, format!("{to} took the connection"))),
    }
}

/// A first packet of a version that nobody speaks, which a server answers with those that it does (RFC 9000 section 6).
fn quic(to: IpAddr) -> Found {
    let mut packet = vec![0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8];
    packet.extend_from_slice(&[7; 8]);
    packet.push(8);
    packet.extend_from_slice(&[9; 8]);
    packet.resize(1200, 0);
    let reply = over_udp(SocketAddr::new(to, 443), &packet)?;
    Ok((Leads::Out, format!("{} bytes came back", reply.len())))
}

/// A question for text, which our own answerer refuses and others do not.
fn dns(to: IpAddr) -> Found {
    Ok(answered(&over_udp(SocketAddr::new(to, 53), &question(NOBODY))?))
}

/// Whether one of these servers tells more than we would: a text of a name that everybody may look up.
pub fn resolvers(servers: &[IpAddr]) -> Way {
    let name = "resolver";
    let mut evidence = "no server for names is in reach".to_owned();
    for server in servers {
        let Ok(reply) = over_udp(SocketAddr::new(*server, 53), &question("example.com")) else { continue };
        // NOERROR, and a record in the answer (RFC 1035 section 4.1.1).
        let told = reply.get(3).is_some_and(|flags| flags % 16 == 0) && reply.get(6..8).is_some_and(|n| n != [0, 0]);
        if told {
            return Way { name, leads: Leads::Out, evidence: format!("{server} looks up any name") };
        }
        evidence = format!("{server} answers without looking up");
    }
    Way { name, leads: Leads::Nowhere, evidence }
}

/// The same over TCP, behind its length (RFC 1035 section 4.2.2).
async fn dns_over_tcp(to: SocketAddr) -> Found {
    let mut tcp = connect(to).await?;
    let question = question(NOBODY);
    let mut reply = Vec::new();
    let talk = async {
        let _ = tcp.write_all(&[&(question.len() as u16).to_be_bytes()[..], &question].concat()).await;
        let length = tcp.read_u16().await.unwrap_or(0);
        let _ = tcp.take(length.into()).read_to_end(&mut reply).await;
    };
    let _ = timeout(TALK, talk).await;
    Ok(if reply.is_empty() { (Leads::Out, format!("{to} took the connection")) } else { answered(&reply) })
}

fn question(name: &str) -> Vec<u8> {
    let mut question = vec![0x52, 0x50, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        question.push(label.len() as u8);
        question.extend_from_slice(label.as_bytes());
    }
    question.extend_from_slice(&[0, 0, 16, 0, 1]);
    question
}

fn answered(reply: &[u8]) -> (Leads, String) {
    const REFUSED: u8 = 5;
    match reply.get(3).map(|flags| flags & 0x0f) {
        Some(REFUSED) => (Leads::ToUs, "the question was refused, as Rampart refuses it".to_owned()),
        _ => (Leads::Out, "a server answered".to_owned()),
    }
}

fn over_udp(to: SocketAddr, packet: &[u8]) -> Result<Vec<u8>, String> {
    let any: SocketAddr = if to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).map_err(|e| e.to_string())?;
    socket.connect(to).map_err(|e| e.to_string())?;
    socket.set_read_timeout(Some(PATIENCE)).map_err(|e| e.to_string())?;
    socket.send(packet).map_err(|e| e.to_string())?;
    let mut reply = vec![0; 1500];
    let length = socket.recv(&mut reply).map_err(|e| late(&e))?;
    reply.truncate(length);
    Ok(reply)
}

/// An echo request (RFC 792), by the socket that is for nothing else, or by one that can send anything.
fn echo(to: IpAddr, kind: Type) -> Found {
    let mut socket =
        Socket::new(Domain::IPV4, kind, Some(Protocol::ICMPV4)).map_err(|e| format!("no such socket: {e}"))?;
    socket.set_read_timeout(Some(PATIENCE)).map_err(|e| e.to_string())?;
    let mut request = [8, 0, 0, 0, 0x52, 0x50, 0, 1];
    let sum = request.chunks(2).fold(0u32, |sum, pair| sum + (u32::from(pair[0]) << 8) + u32::from(pair[1]));
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    request[2..4].copy_from_slice(&sum.to_be_bytes());
    socket.send_to(&request, &SockAddr::from(SocketAddr::new(to, 0))).map_err(|e| e.to_string())?;
    let mut reply = [0; 1500];
    loop {
        let length = socket.read(&mut reply).map_err(|e| late(&e))?;
        let said = reply.get(..length).unwrap_or_default();
        // Of a raw socket the packet comes with its own head, and requests are heard too where both ends are here.
        let head = if kind == Type::RAW { usize::from(said.first().copied().unwrap_or(0) & 0x0f) * 4 } else { 0 };
        if said.get(head) == Some(&0) {
            return Ok((Leads::Out, format!("{to} answered")));
        }
    }
}

/// Whether there is a socket that sends what no rule for packets sees (packet(7)).
fn frame() -> Found {
    Socket::new(Domain::PACKET, Type::DGRAM, None).map_err(|e| format!("no such socket: {e}"))?;
    let interfaces = std::fs::read_to_string("/proc/self/net/dev").map_err(|e| e.to_string())?;
    let names = interfaces.lines().filter_map(|line| Some(line.split_once(':')?.0.trim()));
    match names.into_iter().find(|name| *name != "lo") {
        Some(name) => Ok((Leads::Out, format!("frames can be sent by {name} past all rules"))),
        None => Err("there is no interface but lo".to_owned()),
    }
}

fn late(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => "no answer".to_owned(),
        _ => error.to_string(),
    }
}
