//! Names for clients that can reach nobody but us (RFC 1035): an address for a name that may be contacted, and nothing else.
//! The gate is asked before anybody else is, so that a name that must not be contacted tells nobody anything either.

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use hickory_resolver::proto::{
    op::{Message, MessageType, OpCode, ResponseCode},
    rr::{
        DNSClass, RData, Record, RecordType,
        rdata::{A, AAAA},
    },
};
use rampart_call::{Action, Call, Origin, Phase};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::Semaphore,
    time::timeout,
};

use crate::{
    destination::{Destination, Host, Scheme},
    entrance::nobody,
    exchange::record_failure,
    proxy::Proxy,
};

/// Where clients ask: the same address by both protocols.
#[derive(Debug)]
pub struct Names {
    /// Questions of one packet.
    pub udp: UdpSocket,
    /// Questions of any length.
    pub tcp: TcpListener,
}

impl Names {
    /// Listens at an address.
    ///
    /// # Errors
    /// When it is taken, or not ours.
    pub async fn bind(address: std::net::SocketAddr) -> io::Result<Self> {
        // Where any port will do, one that is free for packets may be taken for connections.
        let mut tries = if address.port() == 0 { 16 } else { 1 };
        loop {
            tries -= 1;
            let udp = UdpSocket::bind(address).await?;
            match TcpListener::bind(udp.local_addr()?).await {
                Ok(tcp) => return Ok(Self { udp, tcp }),
                Err(e) if tries == 0 || e.kind() != io::ErrorKind::AddrInUse => return Err(e),
                Err(_) => {}
            }
        }
    }
}

/// Questions at once.
const AT_ONCE: usize = 256;
/// How long an answer may be used, in seconds: about as long as we would use it.
const TTL: u32 = 10;
/// How long an answer may take, a human's word included; clients ask again after 5 seconds.
const PATIENCE: Duration = Duration::from_secs(20);
const IDLE: Duration = Duration::from_secs(10);
/// What fits into a packet where the client does not say otherwise (RFC 1035 section 4.2.1).
const SMALL: usize = 512;
/// The types of answers that lead somewhere else than to an address, and may be missing: HTTPS and SVCB lead to QUIC and to
/// encrypted names.
const STRIPPED: [RecordType; 2] = [RecordType::HTTPS, RecordType::SVCB];
/// Stands for a name that another proxy will resolve: whatever is sent there comes to us (RFC 2544).
const SOMEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 18, 0, 1));

/// Answers until the proxy is told to stop.
pub(crate) async fn serve(proxy: &Arc<Proxy>, Names { udp, tcp }: Names) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let udp = Arc::new(udp);
    tokio::join!(packets(proxy, &udp, &places), connections(proxy, &tcp, &places));
}

async fn packets(proxy: &Arc<Proxy>, udp: &Arc<UdpSocket>, places: &Arc<Semaphore>) {
    let mut buffer = vec![0; 4096];
    loop {
        let received = tokio::select! {
            () = proxy.shutdown.cancelled() => return,
            received = udp.recv_from(&mut buffer) => received,
        };
        // Beyond the limit questions are lost, as packets are.
        let (Ok((length, client)), Ok(place)) = (received, Arc::clone(places).try_acquire_owned()) else { continue };
        let question = buffer.get(..length).unwrap_or_default().to_vec();
        let (proxy, udp) = (Arc::clone(proxy), Arc::clone(udp));
        proxy.tasks.clone().spawn(async move {
            let origin = proxy.from(client.ip()).unwrap_or_else(nobody);
            if let Some(reply) = reply(&proxy, &origin, &question, true).await {
                let _ = udp.send_to(&reply, client).await;
            }
            drop(place);
        });
    }
}

async fn connections(proxy: &Arc<Proxy>, tcp: &TcpListener, places: &Arc<Semaphore>) {
    loop {
        let accepted = tokio::select! {
            () = proxy.shutdown.cancelled() => return,
            accepted = tcp.accept() => accepted,
        };
        let (Ok((client, from)), Ok(place)) = (accepted, Arc::clone(places).try_acquire_owned()) else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let proxy = Arc::clone(proxy);
        proxy.tasks.clone().spawn(async move {
            let origin = proxy.from(from.ip()).unwrap_or_else(nobody);
            let _ = conversation(&proxy, &origin, client).await;
            drop(place);
        });
    }
}

/// Questions over TCP, each behind its length (RFC 1035 section 4.2.2).
async fn conversation(proxy: &Arc<Proxy>, origin: &Origin, mut client: TcpStream) -> io::Result<()> {
    loop {
        let length = timeout(IDLE, client.read_u16()).await??;
        let mut question = vec![0; usize::from(length)];
        timeout(IDLE, client.read_exact(&mut question)).await??;
        let Some(reply) = reply(proxy, origin, &question, false).await else { return Ok(()) };
        let length = u16::try_from(reply.len()).map_err(io::Error::other)?;
        client.write_all(&[&length.to_be_bytes()[..], &reply].concat()).await?;
    }
}

/// The reply to a question; none to what is no question, so that nobody is answered who did not ask.
async fn reply(proxy: &Arc<Proxy>, origin: &Origin, question: &[u8], packet: bool) -> Option<Vec<u8>> {
    let message = Message::from_vec(question).ok().filter(|m| m.metadata.message_type == MessageType::Query)?;
    let reply = match asked(&message) {
        Err(code) => respond(&message, code, &[]),
        Ok(None) => respond(&message, ResponseCode::NoError, &[]),
        Ok(Some(host)) => match timeout(PATIENCE, addresses(proxy, origin, host)).await {
            Ok(Ok(addresses)) => respond(&message, ResponseCode::NoError, &addresses),
            Ok(Err(code)) => respond(&message, code, &[]),
            Err(_) => respond(&message, ResponseCode::ServFail, &[]),
        },
    };
    let most = message.edns.as_ref().map_or(SMALL, |edns| usize::from(edns.max_payload()).clamp(SMALL, 1232));
    let bytes = reply.to_vec().ok()?;
    if packet && bytes.len() > most { reply.truncate().to_vec().ok() } else { Some(bytes) }
}

/// The host whose address is asked for; none where the answer is that there is nothing of the kind. Pure.
fn asked(message: &Message) -> Result<Option<Host>, ResponseCode> {
    if message.metadata.op_code != OpCode::Query {
        return Err(ResponseCode::NotImp);
    }
    let [query] = message.queries.as_slice() else { return Err(ResponseCode::FormErr) };
    match query.query_type() {
        _ if query.query_class() != DNSClass::IN => Err(ResponseCode::Refused),
        RecordType::A | RecordType::AAAA => {
            let host = Host::parse(query.name().to_ascii().trim_end_matches('.'));
            host.map(Some).map_err(|_| ResponseCode::NXDomain)
        }
        kind if STRIPPED.contains(&kind) => Ok(None),
        // Text can carry anything, and a list of everything is asked for by nobody who only wants to connect.
        _ => Err(ResponseCode::Refused),
    }
}

/// The addresses of a host that may be contacted.
async fn addresses(proxy: &Arc<Proxy>, origin: &Origin, host: Host) -> Result<Vec<IpAddr>, ResponseCode> {
    let to = Destination { scheme: Scheme::Https, host, port: 443 };
    let action = Action::Connect { host: to.host.text(), port: to.port, addresses: Vec::new() };
    let call = Call { origin: origin.clone(), phase: Phase::Before, action: action.clone(), response: None };
    // The permit is for asking; the connection itself is judged when it comes.
    let _permit = proxy.judge(call).await.map_err(|_| ResponseCode::NXDomain)?;
    let found = proxy.resolver.resolve(&to).await;
    let found = found.and_then(|found| proxy.resolver.check(&to, &found).map(|()| found));
    match found {
        Ok(found) if found.via.is_some() => Ok(vec![SOMEWHERE]),
        Ok(found) => Ok(found.ips()),
        Err(refused) => {
            let code =
                if refused.code() == "private_address" { ResponseCode::NXDomain } else { ResponseCode::ServFail };
            record_failure(proxy, origin, action, &refused).await;
            Err(code)
        }
    }
}

fn respond(question: &Message, code: ResponseCode, addresses: &[IpAddr]) -> Message {
    let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
    reply.metadata.response_code = code;
    reply.metadata.recursion_desired = question.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    reply.add_queries(question.queries.iter().cloned());
    if let Some(query) = question.queries.first() {
        let data = addresses.iter().filter_map(|address| match (address, query.query_type()) {
            (IpAddr::V4(v4), RecordType::A) => Some(RData::A(A(*v4))),
            (IpAddr::V6(v6), RecordType::AAAA) => Some(RData::AAAA(AAAA(*v6))),
            _ => None,
        });
        reply.add_answers(data.map(|data| Record::from_rdata(query.name().clone(), TTL, data)));
    }
    if question.edns.is_some() {
        let mut edns = hickory_resolver::proto::op::Edns::new();
        edns.set_max_payload(1232);
        reply.set_edns(edns);
    }
    reply
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::{op::Query, rr::Name};

    use super::*;

    fn question(name: &str, kind: RecordType) -> Message {
        let mut message = Message::query();
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        message
    }

    #[test]
    fn only_addresses_are_asked_for() {
        let host = |name, kind| asked(&question(name, kind)).map(|host| host.map(|h| h.text()));
        assert_eq!(host("ExAmple.com.", RecordType::A), Ok(Some("example.com".to_owned())));
        assert_eq!(host("example.com", RecordType::AAAA), Ok(Some("example.com".to_owned())));
        assert_eq!(host("example.com.", RecordType::HTTPS), Ok(None));
        assert_eq!(host("example.com.", RecordType::SVCB), Ok(None));
        for kind in
            [RecordType::TXT, RecordType::ANY, RecordType::NULL, RecordType::MX, RecordType::CNAME, RecordType::PTR]
        {
            assert_eq!(host("example.com.", kind), Err(ResponseCode::Refused), "{kind}");
        }
        let mut odd = Message::query();
        odd.add_query(Query::query(Name::from_labels([&b"a b"[..], b"example"]).unwrap(), RecordType::A));
        assert_eq!(asked(&odd), Err(ResponseCode::NXDomain));
        let mut two = question("a.example.", RecordType::A);
        two.add_query(Query::query(Name::from_ascii("b.example.").unwrap(), RecordType::A));
        assert_eq!(asked(&two), Err(ResponseCode::FormErr));
        let mut status = question("a.example.", RecordType::A);
        status.metadata.op_code = OpCode::Status;
        assert_eq!(asked(&status), Err(ResponseCode::NotImp));
    }

    #[test]
    fn an_answer_holds_addresses_of_the_kind_that_was_asked_for() {
        let both = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        for (kind, expected) in [(RecordType::A, "192.0.2.1"), (RecordType::AAAA, "2001:db8::1")] {
            let reply = respond(&question("a.example.", kind), ResponseCode::NoError, &both);
            let shown: Vec<String> = reply.answers.iter().map(|record| record.data.to_string()).collect();
            assert_eq!(shown, [expected]);
        }
    }
}
