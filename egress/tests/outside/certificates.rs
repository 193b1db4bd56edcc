//! Origins that cannot prove who they are.

use http::StatusCode;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use time::{Duration, OffsetDateTime};

use crate::{
    origin::{Identity, Pki, Stage, secure},
    world::{Setting, World},
};

#[tokio::test]
async fn n8_an_origin_that_does_not_verify_is_a_502_that_says_why() {
    let now = OffsetDateTime::now_utc();
    let (pki, stranger) = (Pki::new(), Pki::new());
    let self_signed = {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec!["self-signed.test".to_owned()]).unwrap().self_signed(&key).unwrap();
        Identity { chain: vec![cert.into()], key: PrivatePkcs8KeyDer::from(key.serialize_der()).into() }
    };
    let cases = [
        ("expired.test", pki.issue(&["expired.test"], |p| p.not_after = now - Duration::days(1)), "expired"),
        ("early.test", pki.issue(&["early.test"], |p| p.not_before = now + Duration::days(1)), "not valid yet"),
        ("wrong.test", pki.issue(&["right.test"], |_| {}), "not valid for name"),
        ("unknown.test", stranger.issue(&["unknown.test"], |_| {}), ""),
        ("self-signed.test", self_signed, ""),
    ];
    let (mut resolve, mut expected) = (Vec::new(), Vec::new());
    for (host, identity, why) in cases {
        let address = secure(identity, &["h2", "http/1.1"], Stage::default()).await;
        resolve.push(format!("{host}={address}"));
        expected.push((host, why));
    }
    let world = World::with(Setting { pki, resolve, ..Setting::default() }).await;
    for (host, why) in expected {
        // HTTP/1.1 only: found out at the first request. Both: found out before the tunnel's own handshake.
        let got = world.get(host, "/").await;
        assert_eq!(
            (got.status, got.header("x-rampart-rule")),
            (StatusCode::BAD_GATEWAY, "upstream_unverified"),
            "{host}"
        );
        assert!(got.text.contains(why) && got.text.contains(host), "{}", got.text);
        let tls = world.tls(&format!("{host}:443"), host, &["h2", "http/1.1"]).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(tls)).await.unwrap();
        tokio::spawn(connection);
        let got = crate::world::Got::from(sender.send_request(crate::world::get(host, "/")).await.unwrap()).await;
        assert_eq!(
            (got.status, got.header("x-rampart-rule")),
            (StatusCode::BAD_GATEWAY, "upstream_unverified"),
            "{host}"
        );
    }
}

#[tokio::test]
async fn n8_our_own_leaves_are_not_believed_of_origins() {
    let authority = rampart_certs::Authority::generate().unwrap();
    // An origin that shows a leaf of an authority like ours, in its own name.
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["fake.test".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let issuer = rcgen::Issuer::from_ca_cert_der(authority.certificate(), KeyPair::generate().unwrap()).unwrap();
    let cert = params.signed_by(&key, &issuer).unwrap();
    let identity = Identity { chain: vec![cert.into()], key: PrivatePkcs8KeyDer::from(key.serialize_der()).into() };
    let address = secure(identity, &["http/1.1"], Stage::default()).await;
    let world = World::with(Setting { resolve: vec![format!("fake.test={address}")], ..Setting::default() }).await;
    assert_eq!(world.get("fake.test", "/").await.header("x-rampart-rule"), "upstream_unverified");
}

#[tokio::test]
async fn an_origin_that_is_not_there_is_a_502() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = listener.local_addr().unwrap();
    drop(listener);
    let world = World::with(Setting { resolve: vec![format!("gone.test={gone}")], ..Setting::default() }).await;
    let got = world.get("gone.test", "/").await;
    assert_eq!((got.status, got.header("x-rampart-rule")), (StatusCode::BAD_GATEWAY, "upstream_unreachable"));
    let calls = world.calls();
    assert_eq!(calls.last().unwrap().response.as_ref().unwrap().status, Some(502), "the failure is on record");
}
