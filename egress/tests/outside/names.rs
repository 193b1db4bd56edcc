//! Names for clients that can reach nobody but the proxy, and servers that names are looked up at.

use std::net::SocketAddr;

use hickory_resolver::proto::{
    op::{Message, Query, ResponseCode},
    rr::{Name, RData, Record, RecordType, rdata::A},
};
use rampart_egress::Names;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket},
};

use crate::world::{Setting, World};

fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message
}

async fn ask(at: SocketAddr, question: &Message) -> Message {
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    udp.send_to(&question.to_vec().unwrap(), at).await.unwrap();
    let mut buffer = [0; 4096];
    let (length, _) = udp.recv_from(&mut buffer).await.unwrap();
    let reply = Message::from_vec(&buffer[..length]).unwrap();
    assert_eq!(reply.metadata.id, question.metadata.id);
    reply
}

fn shown(reply: &Message) -> String {
    let addresses: Vec<String> = reply.answers.iter().map(|record| record.data.to_string()).collect();
    format!("{:?} {}", reply.metadata.response_code, addresses.join(" "))
}

/// A server that knows a few names, answers everything else with `SERVFAIL`, and tells what it was asked.
async fn server() -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = udp.local_addr().unwrap();
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let (length, client) = udp.recv_from(&mut buffer).await.unwrap();
            let question = Message::from_vec(&buffer[..length]).unwrap();
            let query = question.queries[0].clone();
            let name = query.name().to_ascii();
            let _ = tell.send(name.clone());
            let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
            reply.add_query(query.clone());
            let many: Vec<[u8; 4]> = (0..60).map(|n| [9, 9, 9, n]).collect();
            let addresses: &[[u8; 4]] = match name.as_str() {
                "open.example." => &[[9, 9, 9, 7]],
                "inside.example." => &[[127, 0, 0, 1]],
                "both.example." => &[[9, 9, 9, 7], [10, 0, 0, 1]],
                "many.example." => &many,
                "nothing.example." => &[],
                _ => {
                    reply.metadata.response_code = ResponseCode::ServFail;
                    &[]
                }
            };
            if query.query_type() == RecordType::A {
                let data = addresses.iter().map(|a| RData::A(A(std::net::Ipv4Addr::from(*a))));
                reply.add_answers(data.map(|data| Record::from_rdata(query.name().clone(), 0, data)));
            }
            udp.send_to(&reply.to_vec().unwrap(), client).await.unwrap();
        }
    });
    (at, told)
}

#[tokio::test]
async fn n10_a_name_is_answered_with_judged_addresses_and_a_denied_one_is_asked_of_nobody() {
    let (upstream, mut told) = server().await;
    let names = Names::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let at = names.udp.local_addr().unwrap();
    let world = World::with(Setting { names: Some(names), dns: vec![upstream], ..Setting::default() }).await;
    for (name, kind, expected) in [
        ("Open.Example.", RecordType::A, "NoError 9.9.9.7"),
        ("open.example.", RecordType::AAAA, "NoError "),
        ("open.example.", RecordType::HTTPS, "NoError "),
        ("open.example.", RecordType::TXT, "Refused "),
        ("open.example.", RecordType::ANY, "Refused "),
        ("inside.example.", RecordType::A, "NXDomain "),
        ("both.example.", RecordType::A, "NXDomain "),
        ("nothing.example.", RecordType::A, "ServFail "),
        ("broken.example.", RecordType::A, "ServFail "),
        ("denied.test.", RecordType::A, "NXDomain "),
        ("secret.denied.test.", RecordType::A, "NXDomain "),
        // Our own loopback is not the client's: what is sent there comes to us.
        ("origin.test.", RecordType::A, "NoError 198.18.0.1"),
    ] {
        assert_eq!(shown(&ask(at, &question(name, kind)).await), expected, "{name} {kind}");
    }
    let many = ask(at, &question("many.example.", RecordType::A)).await;
    assert_eq!(many.answers.len(), 16, "of more addresses the rest is not looked at");
    told.close();
    let mut asked = Vec::new();
    while let Some(name) = told.recv().await {
        asked.push(name);
    }
    assert!(asked.contains(&"open.example.".to_owned()), "{asked:?}");
    assert!(!asked.iter().any(|name| name.contains("denied")), "nothing of a denied name leaves: {asked:?}");
    assert!(world.judged().contains(&"before secret.denied.test:443".to_owned()), "{:?}", world.judged());
}

#[tokio::test]
async fn questions_come_over_tcp_too_and_what_is_no_question_gets_no_answer() {
    let names = Names::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let at = names.tcp.local_addr().unwrap();
    let _world = World::with(Setting { names: Some(names), ..Setting::default() }).await;
    let mut tcp = TcpStream::connect(at).await.unwrap();
    for name in ["origin.test.", "old.test."] {
        let bytes = question(name, RecordType::A).to_vec().unwrap();
        tcp.write_u16(bytes.len() as u16).await.unwrap();
        tcp.write_all(&bytes).await.unwrap();
        let mut reply = vec![0; usize::from(tcp.read_u16().await.unwrap())];
        tcp.read_exact(&mut reply).await.unwrap();
        assert_eq!(shown(&Message::from_vec(&reply).unwrap()), "NoError 198.18.0.1", "{name}");
    }
    tcp.write_all(&[0, 3, 1, 2, 3]).await.unwrap();
    assert_eq!(tcp.read(&mut [0; 16]).await.unwrap(), 0, "the connection ends");
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let reply = Message::response(7, hickory_resolver::proto::op::OpCode::Query).to_vec().unwrap();
    for noise in [&b""[..], b"\0", &reply, &[0xff; 300]] {
        udp.send_to(noise, at).await.unwrap();
    }
    let silent = tokio::time::timeout(std::time::Duration::from_millis(300), udp.recv(&mut [0; 512])).await;
    assert!(silent.is_err(), "{silent:?}");
}

#[tokio::test]
async fn n10_the_proxy_looks_names_up_where_it_is_told_to_and_refuses_what_leads_inside() {
    let (upstream, _told) = server().await;
    let world = World::with(Setting { dns: vec![upstream], ..Setting::default() }).await;
    for (host, status) in
        [("inside.example", "403"), ("both.example", "403"), ("broken.example", "502"), ("nothing.example", "502")]
    {
        let request = format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = world.raw(request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
    }
}
