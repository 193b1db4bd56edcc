//! No secret survives its redaction, in whatever pieces it comes: the hits of all detectors, cut at random places.

use std::time::Duration;

use rampart_call::{Action, Call, Edit, Finding, FindingClass, Judgement, Outcome, Phase, Reason};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::world::{Setting, World, denial};

fn secrets(text: &str) -> Vec<Finding> {
    rampart_scan::scan(text).into_iter().filter(|f| f.class == FindingClass::Secret).collect()
}

/// Redacts secrets in answers, and denies requests with any.
async fn world(resolve: Vec<String>) -> World {
    let judge = |call: &Call| {
        if let (Phase::Before, Action::Fetch { body: Some(body), .. }) = (call.phase, &call.action) {
            return (!secrets(body).is_empty()).then(|| denial("no secrets leave"));
        }
        let found = secrets(&call.response.as_ref()?.text);
        if found.is_empty() {
            return None;
        }
        let mut judgement = Judgement::allowed(Reason::Default);
        judgement.edits = found.iter().map(|f| Edit { span: f.span, with: rampart_scan::placeholder(f) }).collect();
        Some((Outcome::Allow, judgement))
    };
    World::with(Setting { resolve, judge: Box::new(judge), ..Setting::default() }).await
}

/// Places to cut a text at, the same in each run.
struct Cuts(u64);

impl Cuts {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    fn pieces<'a>(&mut self, text: &'a str, count: usize) -> Vec<&'a [u8]> {
        let mut at: Vec<usize> = (0..count).map(|_| self.next(text.len())).collect();
        at.extend([0, text.len()]);
        at.sort_unstable();
        at.windows(2).map(|w| &text.as_bytes()[w[0]..w[1]]).filter(|piece| !piece.is_empty()).collect()
    }
}

/// An origin that sends the texts of the hits, each piece by itself. `/KIND/PIECES/NUMBER`.
async fn origin() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let hits = rampart_scan::hits();
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tcp.set_nodelay(true).unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(tcp.read_u8().await.unwrap());
            }
            let path = String::from_utf8(head).unwrap();
            let path: Vec<&str> = path.split(' ').nth(1).unwrap().split('/').collect();
            let [_, kind, count, number]: [&str; 4] = path.try_into().unwrap();
            let text = shown(kind, &hits[number.parse::<usize>().unwrap()].1);
            let kind = if kind == "event" { "text/event-stream" } else { "text/plain" };
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
            );
            tcp.write_all(head.as_bytes()).await.unwrap();
            let mut cuts = Cuts(number.parse().unwrap());
            for piece in cuts.pieces(&text, count.parse().unwrap()) {
                let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
                if tcp.write_all(&chunk).await.is_err() {
                    break;
                }
                tokio::time::sleep(Duration::from_micros(300)).await;
            }
            let _ = tcp.write_all(b"0\r\n\r\n").await;
        }
    });
    address.to_string()
}

/// A hit among other words; a `long` text is not judged as a whole.
fn shown(kind: &str, hit: &str) -> String {
    let before = if kind == "long" {
        "Nothing to see in this sentence, which only fills room.\n".repeat(1250)
    } else {
        String::new()
    };
    format!("{before}data: so it is said\n\n{hit}\n\nand nothing more\n")
}

#[tokio::test]
async fn no_secret_survives_its_redaction_however_an_answer_is_cut() {
    let world = world(vec![format!("cuts.test={}", origin().await)]).await;
    let mut survived = Vec::new();
    for (number, (id, hit)) in rampart_scan::hits().into_iter().enumerate() {
        if secrets(&hit).is_empty() {
            continue;
        }
        // The long ones take their time.
        let long = (number % 5 == 0).then_some(("long", 4));
        for (kind, count) in [("short", 3), ("event", 1), ("event", 6)].into_iter().chain(long) {
            let request = format!(
                "GET http://cuts.test/{kind}/{count}/{number} HTTP/1.1\r\nHost: cuts.test\r\nConnection: close\r\n\r\n"
            );
            let told = world.raw(request.as_bytes()).await;
            let text = unchunked(&told);
            let left = secrets(&text);
            let put_in = |f: &Finding| text[f.span.start..f.span.end].contains("[redacted");
            if !told.starts_with("HTTP/1.1 200 ") || left.iter().any(|f| !put_in(f)) {
                survived.push(format!("{id} {kind} {count}: {left:?}"));
            }
        }
    }
    assert!(survived.is_empty(), "{} of them:\n{}", survived.len(), survived.join("\n"));
}

/// The body of an answer in chunks.
fn unchunked(told: &str) -> String {
    let (head, mut rest) = told.split_once("\r\n\r\n").unwrap_or(("", ""));
    if !head.contains("chunked") {
        return rest.to_owned();
    }
    let mut out = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap_or(0);
        if size == 0 || size > after.len() {
            break;
        }
        out.push_str(&after[..size]);
        rest = after[size..].trim_start_matches("\r\n");
    }
    out
}
