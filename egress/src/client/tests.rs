use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::timeout,
};
use tower::ServiceExt as _;

use super::*;

fn client() -> Client {
    Client::new(Vec::new(), Vec::new(), Vec::new()).unwrap()
}

fn post(url: &str) -> Request<Full<Bytes>> {
    Request::post(url).body(Full::new(Bytes::from_static(b"{}"))).unwrap()
}

/// A server that answers one request with these bytes and says what it got.
async fn answering(with: &'static [u8]) -> (u16, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let mut tcp = listener.accept().await.unwrap().0;
        let mut got = Vec::new();
        while !got.ends_with(b"{}") {
            assert!(tcp.read_buf(&mut got).await.unwrap() > 0);
        }
        tcp.write_all(with).await.unwrap();
        String::from_utf8(got).unwrap()
    });
    (port, serving)
}

#[tokio::test]
async fn a_request_goes_out_as_it_is_and_its_answer_comes_back() {
    let (port, serving) = answering(b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok").await;
    let response = client().oneshot(post(&format!("http://localhost:{port}/hook?a=b"))).await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
    let got = serving.await.unwrap();
    assert!(
        got.starts_with("POST /hook?a=b HTTP/1.1\r\n") && got.contains(&format!("host: localhost:{port}\r\n")),
        "{got}"
    );
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_any_other() {
    let location = b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
    let (port, _serving) = answering(location).await;
    let response = client().oneshot(post(&format!("http://127.0.0.1:{port}/"))).await.unwrap();
    assert_eq!(response.status(), 307);
}

#[tokio::test]
async fn what_cannot_be_reached_is_an_error_that_says_why() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (url, why) in [
        (format!("http://{closed}/"), "could not reach"),
        ("http://name.invalid/".to_owned(), "could not resolve"),
        ("ftp://x.example/".to_owned(), "only http and https"),
        ("http://user:secret@x.example/".to_owned(), "user names and passwords"),
    ] {
        let error =
            timeout(Duration::from_secs(20), client().oneshot(post(&url))).await.unwrap().unwrap_err().to_string();
        assert!(error.contains(why) && !error.contains("secret"), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_server_must_prove_its_name() {
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        loop {
            let tcp = listener.accept().await.unwrap().0;
            if let Ok(mut tls) = acceptor.accept(tcp).await {
                let _ = tls.read(&mut [0; 1024]).await;
                let _ = tls.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            }
        }
    });
    let error = client().oneshot(post(&url)).await.unwrap_err().to_string();
    assert!(error.contains("does not verify"), "{error}");
    let trusting = Client::new(vec![cert.der().clone()], Vec::new(), Vec::new()).unwrap();
    assert_eq!(trusting.oneshot(post(&url)).await.unwrap().status(), 204);
}

#[test]
fn only_an_address_that_says_so_leads_inside() {
    for (host, address, inside) in [
        ("127.0.0.1", "127.0.0.1", true),
        ("10.1.2.3", "10.1.2.3", true),
        ("localhost", "::1", true),
        ("siem", "10.0.0.5", true),
        ("siem.internal", "10.0.0.5", true),
        ("printer.local", "192.168.1.9", true),
        ("hooks.example", "127.0.0.1", false),
        ("localhost.example", "127.0.0.1", false),
        ("metadata.google.internal", "169.254.169.254", false),
        ("notlocal", "169.254.1.1", false),
    ] {
        let host = Host::parse(host).unwrap();
        assert_eq!(stays_inside(&host, &[address.parse().unwrap()]), inside, "{host}");
    }
}

/// A server that says on which of its connections a request came.
async fn counting() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for number in 0u32.. {
            let mut tcp = listener.accept().await.unwrap().0;
            tokio::spawn(async move {
                let mut got = Vec::new();
                while tcp.read_buf(&mut got).await.unwrap_or(0) > 0 {
                    if got.ends_with(b"{}") {
                        got.clear();
                        let body = number.to_string();
                        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                        tcp.write_all(answer.as_bytes()).await.unwrap();
                        if number == 3 {
                            return; // closed without a word of it
                        }
                    }
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn a_connection_is_used_again_by_its_owner_only() {
    let port = counting().await;
    let whose =
        |headers: &HeaderMap| headers.get("x-owner").map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
    let kept = client().keeping(whose);
    let send = async |client: &Client, owner: &'static str| {
        let mut request = post(&format!("http://127.0.0.1:{port}/"));
        request.headers_mut().insert("x-owner", HeaderValue::from_static(owner));
        let response = client.clone().oneshot(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    };
    for (owner, connection) in
        [("a", "0"), ("a", "0"), ("b", "1"), ("a", "0"), ("", "2"), ("b", "1"), ("c", "3"), ("c", "4"), ("c", "4")]
    {
        assert_eq!(send(&kept, owner).await, connection, "{owner}");
    }
    // A client that does not keep them says so to the server.
    assert_eq!(send(&client(), "a").await, "5");
    assert_eq!(send(&client(), "a").await, "6");
}

#[tokio::test]
async fn connections_of_many_owners_are_not_all_held() {
    let port = counting().await;
    let whose =
        |headers: &HeaderMap| headers.get("x-owner").map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
    let kept = client().keeping(whose);
    let mut used = Vec::new();
    for owner in (0..300).chain([299, 0]) {
        let mut request = post(&format!("http://127.0.0.1:{port}/"));
        request.headers_mut().insert("x-owner", HeaderValue::from(owner));
        let response = kept.clone().oneshot(request).await.unwrap();
        used.push(String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap());
    }
    assert_eq!(used[300], used[299], "the latest owner's is used again");
    assert_eq!(used[301], "300", "the one that was quiet for longest has given way");
}
