//! Answers are judged, too.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use rampart_call::{Edit, Judgement, Outcome, Phase, Reason, Span};

use crate::world::{Got, Setting, World, denial, get};

#[tokio::test]
async fn a_denied_answer_is_kept_from_the_client() {
    let judge = |call: &rampart_call::Call| {
        let text = &call.response.as_ref()?.text;
        text.contains("s3cret").then(|| denial("the answer holds a secret"))
    };
    let world = World::with(Setting { judge: Box::new(judge), ..Setting::default() }).await;
    let got = world.get("origin.test", "/secret").await;
    assert_eq!((got.status, got.header("x-rampart-decision")), (StatusCode::FORBIDDEN, "deny"));
    assert!(!got.text.contains("s3cret"), "{}", got.text);
    assert_eq!(world.get("origin.test", "/").await.text, "hello");
}

#[tokio::test]
async fn an_edited_answer_has_the_right_length() {
    let judge = |call: &rampart_call::Call| {
        let start = call.response.as_ref()?.text.find("s3cret")?;
        let mut judgement = Judgement::allowed(Reason::Rule);
        judgement.edits = vec![Edit { span: Span { start, end: start + 6 }, with: "[redacted]".into() }];
        Some((Outcome::Allow, judgement))
    };
    let world = World::with(Setting { judge: Box::new(judge), ..Setting::default() }).await;
    let got = world.get("origin.test", "/secret").await;
    assert_eq!((got.text.as_str(), got.header("content-length")), ("the key is [redacted], yes", "26"));
}

#[tokio::test]
async fn the_gate_sees_status_headers_and_short_texts() {
    let world = World::new().await;
    let mut h1 = world.h1("origin.test").await;
    for path in ["/secret", "/big?1"] {
        Got::from(h1.send_request(get("origin.test", path)).await.unwrap()).await;
    }
    let calls = world.calls();
    let after: Vec<_> = calls.iter().filter(|c| c.phase == Phase::After).filter_map(|c| c.response.as_ref()).collect();
    assert_eq!(
        (after[0].text.as_str(), after[0].truncated, after[0].status),
        ("the key is s3cret, yes", false, Some(200))
    );
    assert!(after[0].headers.contains(&("content-type".into(), "text/plain".into())));
    // What does not say what it is may be text.
    assert_eq!((after[1].text.len(), after[1].truncated), (64 * 1024, false));
}

#[tokio::test]
async fn nobody_is_sent_to_quic() {
    let world = World::new().await;
    let got = world.get("origin.test", "/quic").await;
    assert_eq!((got.text.as_str(), got.header("alt-svc"), got.header("keep-alive")), ("hello", "", ""));
    let mut h2 = world.h2("origin.test").await;
    let request = Request::get("https://origin.test/quic").body(Full::<Bytes>::default()).unwrap();
    assert_eq!(Got::from(h2.send_request(request).await.unwrap()).await.header("alt-svc"), "");
}
