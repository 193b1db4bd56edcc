//! Bodies are judged to their end, whatever they are packed in and however they are cut.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use rampart_call::{Action, Call, Edit, Judgement, Outcome, Phase, Reason, Span};

use crate::{
    streaming::resident_kib,
    world::{Got, Setting, World, denial, get, post},
};

/// The text of a call that a rule about texts would look at.
fn text(call: &Call) -> &str {
    match (&call.response, &call.action) {
        (Some(response), _) => &response.text,
        (None, Action::Fetch { body: Some(body), .. }) => body,
        _ => "",
    }
}

/// Cuts `s3cret` out of answers, and denies requests with it and anything with `f0rbidden`.
async fn world() -> World {
    let judge = Box::new(|call: &Call| {
        let text = text(call);
        if text.contains("f0rbidden") || (call.phase == Phase::Before && text.contains("s3cret")) {
            return Some(denial("that word is forbidden"));
        }
        let start = text.find("s3cret")?;
        let mut judgement = Judgement::allowed(Reason::Default);
        judgement.edits = vec![Edit { span: Span { start, end: start + 6 }, with: "[word]".into() }];
        Some((Outcome::Allow, judgement))
    });
    World::with(Setting { judge, ..Setting::default() }).await
}

async fn whole(response: http::Response<hyper::body::Incoming>) -> Option<Bytes> {
    response.into_body().collect().await.ok().map(http_body_util::Collected::to_bytes)
}

#[tokio::test]
async fn what_is_packed_is_unpacked_to_be_judged_and_passes_as_it_came_where_nothing_is_changed() {
    let world = world().await;
    let mut h1 = world.h1("origin.test").await;
    let response = h1.send_request(get("origin.test", "/packed?just+a+text")).await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert!(whole(response).await.unwrap().starts_with(&[0x1f, 0x8b]));
    let got = world.get("origin.test", "/packed?the+key+is+s3cret,+yes").await;
    assert_eq!((got.text.as_str(), got.header("content-length")), ("the key is [word], yes", "22"));
    assert_eq!((got.header("content-encoding"), got.header("accept-ranges")), ("", ""));
    let got = world.get("origin.test", "/packed?f0rbidden").await;
    assert_eq!((got.status, got.text.contains("f0rbidden")), (StatusCode::FORBIDDEN, false), "{got:?}");
    for path in ["/packed?long+f0rbidden", "/long?the+f0rbidden+word", "/pieces?f0rb|idden+word"] {
        let mut h1 = world.h1("origin.test").await;
        let response = h1.send_request(get("origin.test", path)).await;
        let got = match response {
            Ok(response) if response.status().is_success() => whole(response).await,
            _ => None,
        };
        assert_eq!(got, None, "{path} breaks off");
    }
}

#[tokio::test]
async fn what_is_cut_out_of_long_answers_is_found_across_their_pieces() {
    let world = world().await;
    for (path, length) in [
        ("/packed?long+is+s3cret,+yes", Some(220_019)),
        ("/long?long+is+s3cret,+yes", Some(220_019)),
        ("/pieces?long+is+s3|cr|et,+yes", None),
        ("/pieces?long+is+|s|3|c|r|e|t|,+yes", None),
    ] {
        for protocol in ["h1", "h2"] {
            let got = if protocol == "h1" {
                world.get("origin.test", path).await
            } else {
                let request = Request::get(format!("https://origin.test{path}")).body(Full::default()).unwrap();
                Got::from(world.h2("origin.test").await.send_request(request).await.unwrap()).await
            };
            assert!(got.text.ends_with("0123456789 long is [word], yes"), "{path} {protocol}: {}", got.text.len());
            assert_eq!(got.header("content-length").parse().ok(), length, "{path} {protocol}");
            assert_eq!(got.header("content-encoding"), "", "{path}");
        }
    }
}

#[tokio::test]
async fn n11_packed_events_arrive_as_they_are_sent() {
    let world = world().await;
    let mut h1 = world.h1("origin.test").await;
    let mut body = h1.send_request(get("origin.test", "/packed-sse")).await.unwrap().into_body();
    for expected in ["data: 1\n\n", "data: [word]\n\n"] {
        let frame = tokio::time::timeout(Duration::from_secs(5), body.frame()).await.unwrap();
        assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), expected);
        world.stage.go.notify_one();
    }
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn uploads_are_judged_to_their_end() {
    let world = world().await;
    let long = "0123456789 ".repeat(50_000);
    let mut h1 = world.h1("origin.test").await;
    let got = Got::from(h1.send_request(post("origin.test", "/count", long.clone())).await.unwrap()).await;
    assert_eq!((got.status, got.text), (StatusCode::OK, long.len().to_string()));
    let packed = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, b"a s3cret").unwrap();
        encoder.finish().unwrap()
    };
    for (body, coding) in [
        (Bytes::from(format!("{long} s3cret")), "identity"),
        // The judged beginning ends within the word.
        (Bytes::from(format!("{} s3cret, {long}", "x".repeat(64 * 1024 - 4))), "identity"),
        (Bytes::from([long.as_bytes(), b"\xff\xfe s3cret"].concat()), "identity"),
        (Bytes::from_static(b"\xff\x00 s3cret"), "identity"),
        (packed.into(), "gzip"),
        (Bytes::from_static(b"no gzip at all"), "gzip"),
    ] {
        for host in ["origin.test", "old.test"] {
            let mut h1 = world.h1(host).await;
            let mut request = post(host, "/count", body.clone());
            request.headers_mut().insert("content-encoding", coding.parse().unwrap());
            let got = Got::from(h1.send_request(request).await.unwrap()).await;
            assert_eq!(got.status, StatusCode::FORBIDDEN, "{coding} {}: {}", body.len(), got.text);
        }
    }
}

#[tokio::test]
async fn n4_a_bomb_is_not_unpacked() {
    let world = world().await;
    let got = world.get("origin.test", "/bomb").await;
    assert_eq!((got.status, got.header("x-rampart-rule")), (StatusCode::FORBIDDEN, "oversize"), "{}", got.text);
}

#[tokio::test]
async fn a_long_body_leaves_no_record_of_each_of_its_pieces() {
    let world = world().await;
    world.get("origin.test", "/long?x").await;
    assert_eq!(world.judged().len(), 3, "{:?}", world.judged());
}

#[tokio::test]
async fn n11_an_event_is_judged_wherever_it_is_cut_and_whatever_ends_its_lines() {
    let world = world().await;
    let event = "id:+1%0Ddata:+the+key+is+s3cret,+yes%0D%0Ddata:+next%0D%0D";
    for at in (0..event.len()).filter(|at| !event[..*at].ends_with('%') && !event[..*at].ends_with("%0")) {
        let (one, two) = event.split_at(at);
        let got = world.get("origin.test", &format!("/events?{one}|{two}")).await;
        assert_eq!(got.text, "id: 1\rdata: the key is [word], yes\r\rdata: next\r\r", "cut at {at}");
    }
    let bytes: Vec<String> =
        event.split("%0D").flat_map(|line| line.chars().map(String::from).chain(["%0D".into()])).collect();
    let got = world.get("origin.test", &format!("/events?{}", bytes.join("|"))).await;
    assert!(got.text.starts_with("id: 1\rdata: the key is [word], yes\r\r"), "byte by byte: {}", got.text);
}

#[tokio::test]
async fn n11_an_event_without_end_passes_in_constant_memory() {
    let world = world().await;
    let before = resident_kib();
    let mut h1 = world.h1("origin.test").await;
    let mut body = h1.send_request(get("origin.test", "/endless")).await.unwrap().into_body();
    let (mut size, mut most) = (0, 0);
    while let Some(frame) = body.frame().await {
        size += frame.unwrap().into_data().unwrap().len();
        most = most.max(resident_kib());
    }
    assert_eq!(size, 1600 * 64 * 1024);
    assert!(most < before + 96 * 1024, "grew from {before} to {most} KiB");
}
