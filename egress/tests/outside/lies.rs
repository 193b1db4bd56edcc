//! Servers of names that lie: what they say is refused, or only what was judged of it is dialled, and all of it ends in
//! time.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use hickory_resolver::proto::{
    op::{Message, Query, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, AAAA, CNAME},
    },
};
use rampart_egress::Names;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::world::{Setting, World, read_until};

/// One record of an answer.
#[derive(Clone)]
enum Says {
    /// The name that was asked for has this address.
    Is(IpAddr),
    /// It is another name for this one.
    Alias(String),
    /// Somebody else, who was not asked for, has this address.
    Other(&'static str, IpAddr),
}

/// What becomes of a question.
#[derive(Clone)]
enum Reply {
    Answer(Vec<Says>),
    Code(ResponseCode),
    Silence,
    Late(Duration, Vec<Says>),
    /// A packet that says that there is more than fits, with this in it; over TCP, the second.
    Truncated(Vec<Says>, Vec<Says>),
    /// Under another id than the question's; then, under its own, that there is no such name.
    Foreign(Vec<Says>),
    Noise(Vec<u8>),
}

fn is(address: &str) -> Says {
    Says::Is(address.parse().unwrap())
}

/// What is said about a name (lower case, no dot) when it is asked for the nth time, from 0.
type Lies = Arc<dyn Fn(&str, usize) -> Reply + Send + Sync>;

fn message(question: &Message, query: &Query, says: &[Says]) -> Message {
    let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
    reply.metadata.recursion_available = true;
    reply.add_query(query.clone());
    let addressed = |name: &Name, address: IpAddr| match (address, query.query_type()) {
        (IpAddr::V4(v4), RecordType::A) => Some(Record::from_rdata(name.clone(), 0, RData::A(A(v4)))),
        (IpAddr::V6(v6), RecordType::AAAA) => Some(Record::from_rdata(name.clone(), 0, RData::AAAA(AAAA(v6)))),
        _ => None,
    };
    // An alias is followed by what the other name is.
    let mut name = query.name().clone();
    for say in says {
        let record = match say {
            Says::Is(address) => addressed(&name, *address),
            Says::Other(other, address) => addressed(&Name::from_ascii(other).unwrap(), *address),
            Says::Alias(other) => {
                let other = Name::from_ascii(format!("{other}.")).unwrap();
                let record = Record::from_rdata(name, 0, RData::CNAME(CNAME(other.clone())));
                name = other;
                Some(record)
            }
        };
        reply.add_answers(record);
    }
    reply
}

/// The packets that answer a question, and how long each is waited for.
fn replies(question: &[u8], packet: bool, asked: &Mutex<HashMap<String, usize>>, lies: &Lies) -> Vec<(u64, Vec<u8>)> {
    let question = Message::from_vec(question).unwrap();
    let query = question.queries[0].clone();
    let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
    let nth = {
        let mut asked = asked.lock().unwrap();
        let count = asked.entry(format!("{name} {}", query.query_type())).or_default();
        *count += 1;
        *count - 1
    };
    let answer = |says: &[Says]| message(&question, &query, says);
    let coded = |code| {
        let mut reply = answer(&[]);
        reply.metadata.response_code = code;
        reply.to_vec().unwrap()
    };
    match lies(&name, nth) {
        Reply::Answer(says) => vec![(0, answer(&says).to_vec().unwrap())],
        Reply::Code(code) => vec![(0, coded(code))],
        Reply::Silence => vec![],
        Reply::Late(by, says) => vec![(by.as_millis() as u64, answer(&says).to_vec().unwrap())],
        Reply::Truncated(part, _) if packet => {
            let mut reply = answer(&part);
            reply.metadata.truncation = true;
            vec![(0, reply.to_vec().unwrap())]
        }
        Reply::Truncated(_, whole) => vec![(0, answer(&whole).to_vec().unwrap())],
        Reply::Foreign(says) => {
            let mut foreign = answer(&says);
            foreign.metadata.id = foreign.metadata.id.wrapping_add(1);
            vec![(0, foreign.to_vec().unwrap()), (100, coded(ResponseCode::NXDomain))]
        }
        Reply::Noise(bytes) => vec![(0, bytes)],
    }
}

async fn liar(lies: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> SocketAddr {
    let Names { udp, tcp } = Names::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (at, udp, lies) = (udp.local_addr().unwrap(), Arc::new(udp), Arc::new(lies) as Lies);
    let asked = Arc::new(Mutex::new(HashMap::new()));
    let (other_lies, other_asked) = (Arc::clone(&lies), Arc::clone(&asked));
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let (length, client) = udp.recv_from(&mut buffer).await.unwrap();
            let replies = replies(&buffer[..length], true, &asked, &lies);
            let udp = Arc::clone(&udp);
            tokio::spawn(async move {
                for (after, bytes) in replies {
                    tokio::time::sleep(Duration::from_millis(after)).await;
                    let _ = udp.send_to(&bytes, client).await;
                }
            });
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut client, _) = tcp.accept().await.unwrap();
            let (lies, asked) = (Arc::clone(&other_lies), Arc::clone(&other_asked));
            tokio::spawn(async move {
                while let Ok(length) = client.read_u16().await {
                    let mut question = vec![0; usize::from(length)];
                    client.read_exact(&mut question).await.unwrap();
                    for (after, bytes) in replies(&question, false, &asked, &lies) {
                        tokio::time::sleep(Duration::from_millis(after)).await;
                        let _ = client.write_u16(bytes.len() as u16).await;
                        let _ = client.write_all(&bytes).await;
                    }
                }
            });
        }
    });
    at
}

#[tokio::test]
async fn n10_what_a_lying_server_of_names_says_is_refused_in_time() {
    const OPEN: &str = "9.9.9.7";
    let lies = |name: &str, _| match name {
        "loop.example" => Reply::Answer(vec![Says::Alias("pool.example".into())]),
        "pool.example" => Reply::Answer(vec![Says::Alias("loop.example".into())]),
        "self.example" => Reply::Answer(vec![Says::Alias("self.example".into())]),
        "ring.example" => {
            let ring = ["a.example", "b.example", "ring.example", "a.example"];
            Reply::Answer(ring.map(|name| Says::Alias(name.into())).to_vec())
        }
        chain if chain.starts_with("chain") => {
            let next: u32 = chain.trim_start_matches("chain").split('.').next().unwrap().parse().unwrap_or(0);
            Reply::Answer(vec![Says::Alias(format!("chain{}.example", next + 1))])
        }
        "silent.example" => Reply::Silence,
        "late.example" => Reply::Late(Duration::from_secs(8), vec![is(OPEN)]),
        "noise.example" => Reply::Noise(vec![0xff; 64]),
        "nothing.example" => Reply::Noise(vec![]),
        "failing.example" => Reply::Code(ResponseCode::ServFail),
        "refused.example" => Reply::Code(ResponseCode::Refused),
        "nobody.example" => Reply::Code(ResponseCode::NXDomain),
        "foreign.example" => Reply::Foreign(vec![is(OPEN)]),
        "other.example" => Reply::Answer(vec![Says::Other("somebody.example.", OPEN.parse().unwrap())]),
        "cut.example" => Reply::Truncated(vec![is(OPEN)], vec![is("10.0.0.1")]),
        "aside.example" => Reply::Answer(vec![Says::Alias("inside.example".into()), is("127.0.0.1")]),
        "mapped.example" => Reply::Answer(vec![is(OPEN), is("::ffff:10.0.0.1")]),
        "six.example" => Reply::Answer(vec![is(OPEN), is("::1")]),
        "both.example" => Reply::Answer(vec![is(OPEN), is("169.254.169.254")]),
        "zero.example" => Reply::Answer(vec![is("0.0.0.0")]),
        "translated.example" => Reply::Answer(vec![is("64:ff9b::a9fe:a9fe")]),
        "shared.example" => Reply::Answer(vec![is("100.64.0.1")]),
        "many.example" => Reply::Truncated(vec![], (0..1000).map(|_| is("10.1.2.3")).collect()),
        _ => Reply::Code(ResponseCode::Refused),
    };
    let world = Arc::new(World::with(Setting { dns: vec![liar(lies).await], ..Setting::default() }).await);
    let cases = [
        ("loop", "unresolved"),
        ("self", "unresolved"),
        ("ring", "unresolved"),
        ("chain", "unresolved"),
        ("silent", "unresolved"),
        ("late", "unresolved"),
        ("noise", "unresolved"),
        ("nothing", "unresolved"),
        ("failing", "unresolved"),
        ("refused", "unresolved"),
        ("nobody", "unresolved"),
        ("foreign", "unresolved"),
        ("other", "unresolved"),
        ("cut", "private_address"),
        ("aside", "private_address"),
        ("mapped", "private_address"),
        ("six", "private_address"),
        ("both", "private_address"),
        ("zero", "private_address"),
        ("translated", "private_address"),
        ("shared", "private_address"),
        ("many", "private_address"),
    ];
    let began = Instant::now();
    let asking = cases.map(|(name, expected)| {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let host = format!("{name}.example");
            let request = format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let answer = world.raw(request.as_bytes()).await;
            let told = answer.split("x-rampart-rule: ").nth(1).and_then(|rest| rest.split("\r\n").next());
            (told != Some(expected)).then(|| format!("{name}: {answer}"))
        })
    });
    let mut wrong = Vec::new();
    for asked in asking {
        wrong.extend(asked.await.unwrap());
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
}

#[tokio::test]
async fn n10_of_a_thousand_addresses_some_are_judged_and_no_others_are_told() {
    let lies = |_: &str, _| {
        let many = (0..1000).map(|n| is(&format!("9.9.{}.{}", n / 250, n % 250 + 1))).chain([is("10.0.0.1")]);
        Reply::Truncated(vec![is("127.0.0.1")], many.collect())
    };
    let names = Names::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let at = names.tcp.local_addr().unwrap();
    let setting = Setting { dns: vec![liar(lies).await], names: Some(names), ..Setting::default() };
    let _world = World::with(setting).await;
    let mut question = Message::query();
    question.add_query(Query::query(Name::from_ascii("many.example.").unwrap(), RecordType::A));
    let question = question.to_vec().unwrap();
    let mut tcp = TcpStream::connect(at).await.unwrap();
    tcp.write_u16(question.len() as u16).await.unwrap();
    tcp.write_all(&question).await.unwrap();
    let mut reply = vec![0; usize::from(tcp.read_u16().await.unwrap())];
    tcp.read_exact(&mut reply).await.unwrap();
    let told: Vec<String> = Message::from_vec(&reply).unwrap().answers.iter().map(|r| r.data.to_string()).collect();
    assert!(told.len() == 16 && told.iter().all(|address| address.starts_with("9.9.")), "{told:?}");
}

/// Answers every request on every connection, and counts the connections.
fn answering(listener: TcpListener) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            counting.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let _ = read_until(&mut tcp, "\r\n\r\n").await;
                let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nright").await;
            });
        }
    });
    count
}

/// The name leads outside while it is judged, and inside from then on.
#[tokio::test]
async fn n10_a_name_that_is_bound_anew_leads_to_where_it_was_judged_or_nowhere() {
    let good = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let port = good.local_addr().unwrap().port();
    let trap = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let (good, trap) = (answering(good), answering(trap));
    let lies = |_: &str, nth| Reply::Answer(vec![is(if nth == 0 { "127.0.0.2" } else { "127.0.0.1" })]);
    let setting = Setting { dns: vec![liar(lies).await], allow_private: vec!["127.0.0.2"], ..Setting::default() };
    let world = World::with(setting).await;
    let request = format!("GET http://flip.example:{port}/ HTTP/1.1\r\nHost: flip.example:{port}\r\n");
    let once = format!("{request}Connection: close\r\n\r\n");
    let (mut tunnel, head) = world.tunnel(&format!("flip.example:{port}"), "").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let inside = format!("GET / HTTP/1.1\r\nHost: flip.example:{port}\r\n\r\n");
    tunnel.write_all(inside.as_bytes()).await.unwrap();
    assert!(read_until(&mut tunnel, "right").await.starts_with("HTTP/1.1 200 "));
    assert!(world.raw(once.as_bytes()).await.ends_with("right"), "the answer is still good");
    assert_eq!(good.load(Ordering::SeqCst), 2);
    tokio::time::sleep(Duration::from_secs(11)).await;
    let answer = world.raw(once.as_bytes()).await;
    assert!(answer.contains("private_address") && answer.starts_with("HTTP/1.1 403 "), "{answer}");
    // The tunnel was opened to an address, and stays with it.
    tunnel.write_all(inside.as_bytes()).await.unwrap();
    assert!(read_until(&mut tunnel, "right").await.starts_with("HTTP/1.1 200 "));
    assert_eq!((good.load(Ordering::SeqCst), trap.load(Ordering::SeqCst)), (3, 0), "nobody reached what is inside");
}
