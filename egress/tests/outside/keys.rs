//! Key exchange that quantum computers do not break is not lost on the way.

use std::sync::Arc;

use rustls::NamedGroup;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{
    origin::Pki,
    world::{Setting, World},
};

#[tokio::test]
async fn both_sides_agree_on_keys_by_a_hybrid_with_ml_kem() {
    let pki = Pki::new();
    let identity = pki.issue(&["hybrid.test"], |_| {});
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key)
        .unwrap();
    let origin = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let tls = TlsAcceptor::from(Arc::new(config)).accept(tcp).await.unwrap();
        tls.get_ref().1.negotiated_key_exchange_group().unwrap().name()
    });
    let resolve = vec![format!("hybrid.test={at}")];
    let world = World::with(Setting { pki, resolve, ..Setting::default() }).await;
    let tls = world.tls("hybrid.test:443", "hybrid.test", &["http/1.1"]).await.unwrap();
    let ours = tls.get_ref().1.negotiated_key_exchange_group().unwrap().name();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(tls)).await.unwrap();
    tokio::spawn(connection);
    let asking = tokio::spawn(async move { sender.send_request(crate::world::get("hybrid.test", "/")).await });
    let theirs = origin.await.unwrap();
    asking.abort();
    assert_eq!((ours, theirs), (NamedGroup::X25519MLKEM768, NamedGroup::X25519MLKEM768));
}
