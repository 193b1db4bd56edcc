//! What an origin says again of a credential is taken out of its answer, in whatever way it says it.

use rampart_egress::Credential;
use tokio::io::AsyncWriteExt as _;

use crate::{
    websockets,
    world::{Got, Setting, World, get},
};

const HELD: &str = "tok_Pl4ceH0lderAAAA";
const VALUE: &str = "tok_V4lueOfItB3BBBB";

async fn world() -> World {
    let credential = Credential {
        name: "api".into(),
        value: VALUE.into(),
        placeholder: HELD.into(),
        hosts: vec!["origin.test".parse().unwrap()],
        methods: vec![],
        paths: vec![],
        headers: vec![],
        anybody: true,
        echoes: vec![
            (VALUE.into(), HELD.into()),
            (VALUE.chars().rev().collect::<String>().into(), HELD.chars().rev().collect::<String>().into()),
        ],
    };
    World::with(Setting { credentials: vec![credential], ..Setting::default() }).await
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
