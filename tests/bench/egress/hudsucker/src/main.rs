//! The proxy that ours is measured against: hudsucker without any handler, with TCP_NODELAY on both sides.
//! `hudsucker-bench PORT CA.pem CA.key ORIGIN-CA.pem`

use std::sync::Arc;

use hudsucker::{
    Proxy,
    certificate_authority::RcgenAuthority,
    hyper_util::client::legacy::connect::HttpConnector,
    rcgen::{Issuer, KeyPair},
    rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, pem::PemObject as _},
    },
};

fn main() {
    let [_, port, certificate, key, origins] = std::env::args().collect::<Vec<_>>().try_into().expect("PORT CA KEY ORIGINS");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let key = KeyPair::from_pem(&std::fs::read_to_string(key).unwrap()).unwrap();
        let issuer = Issuer::from_ca_cert_pem(&std::fs::read_to_string(certificate).unwrap(), key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(origins).unwrap()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(tcp);
        let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await.unwrap();
        // What is accepted inherits it.
        socket2::SockRef::from(&listener).set_tcp_nodelay(true).unwrap();
        let proxy = Proxy::builder()
            .with_listener(listener)
            .with_ca(RcgenAuthority::new(issuer, 1000, aws_lc_rs::default_provider()))
            .with_http_connector(connector)
            .build()
            .unwrap();
        proxy.start().await.unwrap();
    });
}
