//! Origins that cannot prove who they are.

use http::StatusCode;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
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
        (
            "client.test",
            pki.issue(&["client.test"], |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
            "",
        ),
        ("authority.test", pki.issue(&["authority.test"], |p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)), ""),
        ("nameless.test", pki.issue(&[], |p| p.distinguished_name.push(DnType::CommonName, "nameless.test")), ""),
        ("constrained.test", pki.below(&["constrained.test"], 1, Some("elsewhere.test")), ""),
        ("deep.test", pki.below(&["deep.test"], 100, None), ""),
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

/// What openssl makes that rcgen does not, served by openssl.
#[tokio::test]
async fn n8_weak_signatures_keys_and_protocols_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let openssl = |line: &str| {
        let mut command = std::process::Command::new("openssl");
        let ran = command.args(line.split(' ')).current_dir(folder.path()).output().unwrap();
        assert!(ran.status.success(), "{line}: {}", String::from_utf8_lossy(&ran.stderr));
    };
    std::fs::write(folder.path().join("ext"), "subjectAltName=DNS:weak.test\n").unwrap();
    openssl(
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=old -addext basicConstraints=critical,CA:TRUE",
    );
    openssl("req -newkey rsa:2048 -nodes -keyout good.key -out good.csr -subj /CN=weak.test");
    openssl("req -newkey rsa:1024 -nodes -keyout small.key -out small.csr -subj /CN=weak.test");
    for (name, csr, digest) in [("good", "good", "-sha256"), ("sha1", "good", "-sha1"), ("small", "small", "-sha256")] {
        openssl(&format!(
            "x509 -req -in {csr}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem -days 2 {digest} -extfile ext"
        ));
    }
    let root = rampart_certs::parse_pem(&std::fs::read(folder.path().join("ca.pem")).unwrap()).unwrap();
    for (certificate, key, how, status) in [
        ("good", "good", "-tls1_2", 200),
        ("good", "good", "-tls1_3", 200),
        ("sha1", "good", "-tls1_3", 502),
        ("small", "small", "-tls1_3", 502),
        ("good", "good", "-tls1_1", 502),
    ] {
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let mut serving = std::process::Command::new("openssl");
        serving.args(["s_server", "-quiet", "-www", "-accept", &free.to_string(), how, "-cipher", "ALL:@SECLEVEL=0"]);
        serving
            .args(["-cert", &format!("{certificate}.pem"), "-key", &format!("{key}.key")])
            .current_dir(folder.path());
        let mut serving =
            serving.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        while tokio::net::TcpStream::connect(free).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let resolve = vec![format!("weak.test={free}")];
        let world = World::with(Setting { resolve, roots: root.clone(), ..Setting::default() }).await;
        let mut h1 = world.h1("weak.test").await;
        let got = h1.send_request(crate::world::get("weak.test", "/")).await.unwrap().status();
        serving.kill().unwrap();
        serving.wait().unwrap();
        assert_eq!(got.as_u16(), status, "{certificate} {how}");
    }
}

#[tokio::test]
async fn n8_a_certificate_that_was_revoked_is_a_502_and_others_of_its_authority_are_not() {
    for (old, listed) in [(Duration::ZERO, true), (Duration::days(30), true), (Duration::ZERO, false)] {
        let (pki, stranger) = (Pki::new(), Pki::new());
        let numbered =
            |pki: &Pki, host: &str, serial: u64| pki.issue(&[host], |p| p.serial_number = Some(serial.into()));
        let mut resolve = Vec::new();
        for (host, identity) in [
            ("revoked.test", numbered(&pki, "revoked.test", 7)),
            ("good.test", numbered(&pki, "good.test", 8)),
            // Of this one's authority there is no list.
            ("unlisted.test", numbered(&stranger, "unlisted.test", 7)),
        ] {
            let address = secure(identity, &["http/1.1"], Stage::default()).await;
            resolve.push(format!("{host}={address}"));
        }
        let crls = if listed { vec![pki.revoking(&[6, 7], old)] } else { Vec::new() };
        let roots = vec![stranger.root()];
        let world = World::with(Setting { pki, roots, crls, resolve, ..Setting::default() }).await;
        let got = world.get("revoked.test", "/").await;
        let expected = if listed { StatusCode::BAD_GATEWAY } else { StatusCode::OK };
        assert_eq!(got.status, expected, "{old} {listed}: {}", got.text);
        if listed {
            assert!(
                got.header("x-rampart-rule") == "upstream_unverified" && got.text.contains("revoked"),
                "{}",
                got.text
            );
        }
        for host in ["good.test", "unlisted.test"] {
            assert_eq!(world.get(host, "/").await.status, StatusCode::OK, "{host}");
        }
    }
}
