use std::path::PathBuf;

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    net::{TcpListener, TcpStream, UdpSocket},
    time::timeout,
};

use super::*;
use crate::{
    audit::{
        Settings,
        read::forward,
        sinks::{Layout, Peer},
        tests::{Home, allow},
    },
    records::follow,
};

const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    home: Home,
    trail: Trail,
    state: PathBuf,
    ending: CancellationToken,
}

impl World {
    fn new(settings: Settings) -> Self {
        let home = Home::new();
        let trail = Trail::open(&home.dir, settings).unwrap();
        let state = home.dir.with_file_name("cursor");
        Self { home, trail, state, ending: CancellationToken::new() }
    }

    /// A feed that begins with the first record.
    fn feed(&self, peer: &str) -> Feed {
        std::fs::write(&self.state, "0").unwrap();
        let syslog = Syslog { peer: Peer::parse(peer).unwrap(), layout: Layout::Rfc5424 };
        let cursor = Cursor::open(self.state.clone(), 0);
        Feed::new(syslog, None, follow(&self.trail, &self.home.dir, None), self.trail.clone(), cursor)
    }

    fn start(&self, feed: Feed) -> tokio::task::JoinHandle<()> {
        tokio::spawn(feed.run(self.ending.clone()))
    }

    async fn allows(&self, count: usize) -> u64 {
        let mut last = 0;
        for _ in 0..count {
            last = allow(&self.trail, "ls").await.unwrap();
        }
        last
    }

    fn gaps(&self) -> Vec<String> {
        let lines = forward(&self.home.dir, 0).map(|record| record.unwrap().line);
        lines.filter(|line| line.contains(r#""type":"gap""#)).collect()
    }
}

fn seq(message: &str) -> u64 {
    let (_, rest) = message.split_once(" seq=\"").unwrap();
    rest.split_once('"').unwrap().0.parse().unwrap()
}

/// The next octet-counted message.
async fn frame(reader: &mut BufReader<TcpStream>) -> u64 {
    let mut length = Vec::new();
    timeout(PATIENCE, reader.read_until(b' ', &mut length)).await.unwrap().unwrap();
    let mut message = vec![0; std::str::from_utf8(&length).unwrap().trim_end().parse().unwrap()];
    timeout(PATIENCE, reader.read_exact(&mut message)).await.unwrap().unwrap();
    seq(std::str::from_utf8(&message).unwrap())
}

#[tokio::test]
async fn a_lost_connection_goes_on_from_what_had_certainly_arrived() {
    let world = World::new(Settings::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let feed = world.start(world.feed(&format!("tcp://{}", listener.local_addr().unwrap())));
    world.allows(50).await;
    for first in [1, 1] {
        // It reads a little and goes away.
        let mut reader = BufReader::new(listener.accept().await.unwrap().0);
        for expected in first..10 {
            assert_eq!(frame(&mut reader).await, expected);
        }
    }
    let mut reader = BufReader::new(listener.accept().await.unwrap().0);
    let last = world.allows(1).await;
    for expected in 1..=last {
        assert_eq!(frame(&mut reader).await, expected);
    }
    // At its end it waits until the peer has read everything, and writes that down. The trail may have a checkpoint
    // more by now, which is sent before the end or not at all.
    world.ending.cancel();
    let reading = tokio::spawn(async move {
        let mut last = last;
        while !reader.fill_buf().await.unwrap().is_empty() {
            last = frame(&mut reader).await;
        }
        last
    });
    timeout(PATIENCE, feed).await.unwrap().unwrap();
    assert_eq!(std::fs::read_to_string(&world.state).unwrap().trim(), reading.await.unwrap().to_string());
}

#[tokio::test]
async fn a_datagram_to_nobody_is_sent_again() {
    let world = World::new(Settings::default());
    let address = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let feed = world.feed(&format!("udp://{address}"));
    world.allows(3).await;
    let _feed = world.start(feed);
    // Long enough for an attempt at a closed port.
    sleep(Duration::from_millis(200)).await;
    let socket = UdpSocket::bind(address).await.unwrap();
    let mut buffer = [0; 8192];
    for expected in 1..=3 {
        let length = timeout(PATIENCE, socket.recv(&mut buffer)).await.unwrap().unwrap();
        assert_eq!(seq(std::str::from_utf8(&buffer[..length]).unwrap()), expected);
    }
}

#[tokio::test]
async fn a_backlog_of_datagrams_is_not_thrown_at_the_receiver_at_once() {
    let world = World::new(Settings::default());
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let feed = world.feed(&format!("udp://{}", socket.local_addr().unwrap()));
    let last = world.allows(2000).await;
    let _feed = world.start(feed);
    let (mut buffer, mut expected) = ([0; 8192], 1);
    while expected <= last {
        let length = timeout(PATIENCE, socket.recv(&mut buffer)).await.unwrap().unwrap();
        assert_eq!(seq(std::str::from_utf8(&buffer[..length]).unwrap()), expected);
        expected += 1;
        if expected % 100 == 0 {
            // It is busy with something else for a while.
            sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn who_was_away_for_too_long_gets_the_newest_and_the_rest_is_on_record() {
    let world = World::new(Settings::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut feed = world.feed(&format!("tcp://{}", listener.local_addr().unwrap()));
    feed.most_behind = 10;
    let last = world.allows(100).await;
    let newest = world.trail.health().records;
    let _feed = world.start(feed);
    let mut reader = BufReader::new(listener.accept().await.unwrap().0);
    let first = frame(&mut reader).await;
    let gaps = world.gaps();
    // A checkpoint may have come after `newest` was asked for.
    assert!(last > 90 && (newest - 9..newest).contains(&first), "{first} of {newest}");
    assert!(gaps.len() == 1 && gaps[0].contains(&format!(r#""dropped":{}"#, first - 1)), "{gaps:?}");
    assert!(gaps[0].contains("syslog") && gaps[0].contains("away for too long"), "{gaps:?}");
}

#[tokio::test]
async fn what_was_retired_before_it_was_sent_is_on_record() {
    let world = World::new(Settings { segment_bytes: 4000, ..Settings::default() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let feed = world.feed(&format!("tcp://{}", listener.local_addr().unwrap()));
    world.allows(60).await;
    assert!(world.trail.retire(crate::audit::Keep { since_ms: Some(u64::MAX / 2), bytes: None }).await.unwrap() > 0);
    let _feed = world.start(feed);
    let mut reader = BufReader::new(listener.accept().await.unwrap().0);
    let first = frame(&mut reader).await;
    assert!(first > 1);
    let gaps = world.gaps();
    assert!(gaps.len() == 1 && gaps[0].contains(&format!(r#""dropped":{}"#, first - 1)), "{first} {gaps:?}");
}

#[tokio::test]
async fn tls_is_spoken_with_who_proves_its_name_only() {
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = rustls::DEFAULT_VERSIONS;
    let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = |roots| {
        let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(versions).unwrap();
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = Peer::parse(&format!("tls://localhost:{}", listener.local_addr().unwrap().port())).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let serving = tokio::spawn(async move {
        let _ = acceptor.accept(listener.accept().await.unwrap().0).await;
        let mut tls = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        let mut got = [0; 7];
        tls.read_exact(&mut got).await.unwrap();
        got
    });
    assert!(Connection::open(&peer, Some(&client(rustls::RootCertStore::empty()))).await.is_err());
    let mut connection = Connection::open(&peer, Some(&client(roots))).await.unwrap();
    connection.send("hello").await.unwrap();
    assert_eq!(&serving.await.unwrap(), b"5 hello");
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = Peer::parse(&format!("tcp://{}", listener.local_addr().unwrap())).unwrap();
    let mut connection = Connection::open(&peer, None).await.unwrap();
    let _silent = listener.accept().await.unwrap();
    tokio::time::pause();
    let message = "x".repeat(1 << 20);
    while connection.send(&message).await.is_ok() {}
}
