//! What an origin says again of a credential is taken out of its answer, in whatever way it says it.

use rampart_egress::{Credential, Credentials};
use tokio::io::AsyncWriteExt as _;

use crate::{
    origin::Pki,
    recorder, websockets,
    world::{Got, Setting, World, get, post},
};

const HELD: &str = "tok_Pl4ceH0lderAAAA";
const VALUE: &str = "tok_V4lueOfItB3BBBB";

/// A credential of `origin.test` and `api.test`.
fn credential(value: &str) -> Credential {
    let back = |text: &str| text.chars().rev().collect::<String>();
    Credential {
        name: "api".into(),
        value: value.into(),
        placeholder: HELD.into(),
        hosts: vec!["origin.test".parse().unwrap(), "api.test".parse().unwrap()],
        methods: vec![],
        paths: vec![],
        headers: vec![],
        in_body: true,
        anybody: true,
        echoes: vec![(value.into(), HELD.into()), (back(value).into(), back(HELD).into())],
        aws: None,
    }
}

async fn world() -> World {
    World::with(Setting { credentials: Credentials::new(vec![credential(VALUE)]), ..Setting::default() }).await
}

#[tokio::test]
async fn an_answer_is_without_it_packed_in_pieces_and_over_http2() {
    let world = world().await;
    let (first, rest) = VALUE.split_at(7);
    for (path, expected) in [
        (format!("/packed?it+is+{VALUE}+there"), format!("it is {HELD} there")),
        (format!("/pieces?a+{first}|{rest}+b|{first}"), format!("a {HELD} b{first}")),
        (format!("/long?{VALUE}"), HELD.to_owned()),
    ] {
        let got = world.get("origin.test", &path).await;
        assert!(got.text.ends_with(&expected) && !got.text.contains(VALUE), "{path}: {}", got.text);
        assert_eq!(got.header("content-encoding"), "", "{path}");
    }
    let mut sender = world.h2("origin.test").await;
    let mut request = get("origin.test", "https://origin.test/headers");
    request.headers_mut().remove("host");
    request.headers_mut().insert("x-key", HELD.parse().unwrap());
    let got = Got::from(sender.send_request(request).await.unwrap()).await;
    assert!(got.text.contains(&format!("x-key: {HELD}")) && !got.text.contains(VALUE), "{}", got.text);
    assert!(got.text.contains("accept-encoding: identity"), "{}", got.text);
    let other = world.get("old.test", &format!("/long?{VALUE}")).await;
    assert!(other.text.ends_with(VALUE), "a host that it is not bound to never had it");
}

#[tokio::test]
async fn messages_of_a_websocket_are_without_it() {
    let world = world().await;
    let mut tls = websockets::conversation(&world).await;
    websockets::say(&mut tls, 0x81, &format!("my {VALUE}!")).await;
    assert_eq!(websockets::hear(&mut tls).await, (0x81, format!("my {HELD}!").into_bytes()));
    websockets::say(&mut tls, 0x81, "plain").await;
    assert_eq!(websockets::hear(&mut tls).await, (0x81, b"plain".to_vec()));
    tls.shutdown().await.unwrap();
}

#[tokio::test]
async fn events_are_not_held_back_for_it() {
    let world = world().await;
    let mut sender = world.h1("origin.test").await;
    let response = sender.send_request(get("origin.test", "/sse")).await.unwrap();
    let mut body = response.into_body();
    let first = http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "data: 1\n\n", "before the second was sent");
    world.stage.go.notify_one();
    let second = http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(second, "data: 2\n\n");
}

/// The credential of a world with an origin that writes down what it gets.
async fn recorded(credential: Credential) -> (World, recorder::Log, Credentials) {
    let (pki, log) = (Pki::new(), recorder::Log::default());
    let api = recorder::secure(pki.issue(&["api.test"], |_| {}), log.clone()).await;
    let credentials = Credentials::new(vec![credential]);
    let world = World::with(Setting {
        pki,
        resolve: vec![format!("api.test={api}")],
        credentials: credentials.clone(),
        ..Setting::default()
    });
    (world.await, log, credentials)
}

const JSON: &str = "application/json; charset=utf-8";
const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn it_is_put_into_bodies_as_they_are_written_and_nobody_who_judges_sees_it() {
    let long = "0123456789 ".repeat(20_000);
    let json = |text: &str| serde_json::json!({ "key": text, "more": [1] }).to_string();
    let packed = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let odd = "tok_\"V4lue&Of\\ItB3 BB+B";
    for value in [VALUE, odd] {
        let (world, log, _) = recorded(credential(value)).await;
        let form: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        for (kind, coding, sent, expected, judged) in [
            (JSON, "", json(HELD).into_bytes(), json(value), "[credential:api]***"),
            ("application/vnd.api+json", "", json(HELD).into_bytes(), json(value), "[credential:api]***"),
            (
                FORM,
                "",
                format!("a=1&key={HELD}&b=2").into_bytes(),
                format!("a=1&key={form}&b=2"),
                "[credential:api]***",
            ),
            (JSON, "gzip", packed(&json(HELD)), json(value), "[credential:api]***"),
            (JSON, "", json(&format!("{long}{HELD}{long}")).into_bytes(), json(&format!("{long}{value}{long}")), ""),
            (JSON, "gzip", packed(&json(&format!("{long}{HELD}"))), json(&format!("{long}{value}")), ""),
            ("text/plain", "", HELD.into(), HELD.to_owned(), HELD),
            ("application/octet-stream", "", HELD.into(), HELD.to_owned(), HELD),
            (JSON, "", b"{}".to_vec(), "{}".to_owned(), "{}"),
            (JSON, "", Vec::new(), String::new(), ""),
        ] {
            let mut request = post("api.test", "/", sent);
            request.headers_mut().insert("content-type", kind.parse().unwrap());
            if !coding.is_empty() {
                request.headers_mut().insert("content-encoding", coding.parse().unwrap());
            }
            let got = world.h1("api.test").await.send_request(request).await.unwrap();
            assert_eq!(got.status(), 200, "{kind} {coding}");
            let got = log.lock().unwrap().pop().unwrap().unwrap();
            assert!(
                got.body == expected.as_bytes(),
                "{kind} {coding}: {}",
                got.body[..got.body.len().min(200)].escape_ascii()
            );
            let seen = world.judged_body().0.unwrap_or_default();
            assert!(seen.contains(judged) && !(seen.contains(HELD) && judged != HELD), "{kind} {coding}: {seen:.200}");
        }
        let seen = format!("{:?}", world.calls());
        assert!(!seen.contains(value) && !seen.contains(&form), "somebody was shown it");
    }
}

#[tokio::test]
async fn it_is_put_into_bodies_however_their_frames_are_cut() {
    let (world, log, _) = recorded(credential(VALUE)).await;
    let body = format!("{{\"key\":\"{HELD}\",\"again\":\"{HELD}\"}}");
    for size in [1, 2, 3, 7, 19, 20] {
        let mut tls = world.tls("api.test:443", "api.test", &["http/1.1"]).await.unwrap();
        let head =
            "POST / HTTP/1.1\r\nHost: api.test\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        tls.write_all(head.as_bytes()).await.unwrap();
        for piece in body.as_bytes().chunks(size) {
            let chunk = format!("{:x}\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece));
            tls.write_all(chunk.as_bytes()).await.unwrap();
            tls.flush().await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        tls.write_all(b"0\r\n\r\n").await.unwrap();
        assert!(crate::world::read_until(&mut tls, "ok").await.starts_with("HTTP/1.1 200 "));
        let got = log.lock().unwrap().pop().unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&got.body), body.replace(HELD, VALUE), "pieces of {size}");
    }
}

#[tokio::test]
async fn it_stays_out_of_bodies_where_its_binding_does_not_say_so() {
    let (world, log, _) = recorded(Credential { in_body: false, ..credential(VALUE) }).await;
    let mut request = post("api.test", "/", format!("key={HELD}"));
    request.headers_mut().insert("content-type", FORM.parse().unwrap());
    request.headers_mut().insert("x-key", HELD.parse().unwrap());
    assert_eq!(world.h1("api.test").await.send_request(request).await.unwrap().status(), 200);
    let got = log.lock().unwrap().pop().unwrap().unwrap();
    assert_eq!(got.body, format!("key={HELD}").as_bytes());
    assert!(got.fields.contains(&("x-key".to_owned(), VALUE.to_owned())), "{:?}", got.fields);
}

#[tokio::test]
async fn one_that_is_renewed_is_the_new_one_from_then_on() {
    const NEW: &str = "tok_R3newedAndLongerThanBefore";
    let (world, log, credentials) = recorded(credential(VALUE)).await;
    let mut sender = world.h1("api.test").await;
    for value in [VALUE, NEW] {
        credentials.renew(vec![credential(value)]);
        let mut request = get("api.test", "/");
        request.headers_mut().insert("x-key", HELD.parse().unwrap());
        assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
        let got = log.lock().unwrap().pop().unwrap().unwrap();
        assert!(got.fields.contains(&("x-key".to_owned(), value.to_owned())), "{:?}", got.fields);
        let echoed = world.get("origin.test", &format!("/long?{value}")).await;
        assert!(echoed.text.ends_with(HELD), "the new one is taken out of answers");
    }
}
