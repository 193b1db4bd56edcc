use super::*;
use crate::{Scope, routes::table};

fn tcp(world: &World, headers: &[(&str, &str)], path: &str) -> Request<Body> {
    let mut request = Request::builder().uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", world.address.to_string());
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_token_only_open_routes_answer_on_the_port() {
    let world = World::new().await;
    let good = format!("Bearer {TOKEN}");
    for (method, path, scope, ..) in table() {
        let path = path.replace("{tool}", "exec").replace("{id}", "x").replace("{session}", "x");
        let path = path.as_str();
        for token in ["", "Bearer wrong", "Bearer ", "Basic Og==", TOKEN] {
            let mut request = tcp(&world, &[("authorization", token)], path);
            *request.method_mut() = method.parse().unwrap();
            let (status, answer) = world.request(Peer::Tcp, request).await;
            let turned_away = status == 401 || status == 403;
            assert_eq!(turned_away, scope != Scope::Open, "{method} {path} with {token:?}: {status} {answer}");
            assert!(!answer.to_string().contains(TOKEN));
        }
    }
    let (status, answer) = world.request(Peer::Tcp, tcp(&world, &[("authorization", &good)], "/v1/status")).await;
    assert_eq!((status.as_u16(), answer["mode"].as_str()), (200, Some("enforce")));
    let query = format!("/v1/status?token={}", TOKEN.replace(' ', "+"));
    assert_eq!(world.request(Peer::Tcp, tcp(&world, &[], &query)).await.0, 401, "a token in a URL is no token");
    let twice = [("authorization", good.as_str()), ("authorization", good.as_str())];
    assert_eq!(world.request(Peer::Tcp, tcp(&world, &twice, "/v1/status")).await.0, 401);
    world.end().await;
}

#[test]
fn every_route_needs_a_scope_and_deciding_reaches_only_what_a_surface_needs() {
    let mut decide: Vec<_> = table().iter().filter(|r| r.2 == Scope::Decide).map(|r| r.1).collect();
    decide.sort_unstable();
    assert_eq!(decide, ["/v1/judge", "/v1/preflight/{tool}", "/v1/tool/{tool}"]);
    let open: Vec<_> = table().iter().filter(|r| r.2 == Scope::Open).map(|r| r.1).collect();
    // A link bears its own signature.
    let link = "/approvals/{id}/{end}/{signature}";
    assert_eq!(open, ["/healthz", link, link]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_surface_is_answered_on_the_socket_only() {
    let world = World::new().await;
    let body = serde_json::to_string(&read("/tmp/x")).unwrap();
    let (status, answer) = world.request(Peer::Tcp, world.good("POST", "/v1/judge", &body)).await;
    assert_eq!((status.as_u16(), answer["error"]["code"].as_str()), (403, Some("socket_only")));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_our_own_names_are_answered_on_the_port() {
    let world = World::new().await;
    let port = world.address.port();
    for host in [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")] {
        assert_eq!(world.request(Peer::Tcp, tcp(&world, &[("host", &host)], "/healthz")).await.0, 200, "{host}");
    }
    for host in [
        "evil.example:9090".to_owned(),
        format!("127.0.0.1.nip.io:{port}"),
        "localhost:1".to_owned(),
        "localhost".to_owned(),
        format!("0.0.0.0:{port}"),
        format!("[::]:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("localhost.:{port}"),
        format!("LOCALHOST:{port}"),
        String::new(),
    ] {
        for path in ["/healthz", "/v1/status", "/v1/events/stream", "/nothing"] {
            let (status, answer) = world.request(Peer::Tcp, tcp(&world, &[("host", &host)], path)).await;
            assert_eq!((status.as_u16(), answer["error"]["code"].as_str()), (421, Some("misdirected")), "{host}");
        }
    }
    let own = world.address.to_string();
    let twice = [("host", own.as_str()), ("host", own.as_str())];
    assert_eq!(world.request(Peer::Tcp, tcp(&world, &twice, "/healthz")).await.0, 421);
    let absolute = tcp(&world, &[], "http://evil.example/healthz");
    assert_eq!(world.request(Peer::Tcp, absolute).await.0, 421);
    let mut none = tcp(&world, &[], "/healthz");
    none.headers_mut().remove("host");
    assert_eq!(world.request(Peer::Tcp, none).await.0, 421);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_sites_are_not_answered() {
    let world = World::new().await;
    let own = format!("http://127.0.0.1:{}", world.address.port());
    assert_eq!(world.request(Peer::Tcp, tcp(&world, &[("origin", &own)], "/healthz")).await.0, 200);
    for headers in [
        [("origin", "https://evil.example"), ("accept", "*/*")],
        [("origin", "null"), ("accept", "*/*")],
        [("origin", "https://127.0.0.1:9090"), ("accept", "*/*")],
        [("sec-fetch-site", "cross-site"), ("accept", "*/*")],
        [("sec-fetch-site", "same-site"), ("accept", "*/*")],
        [("origin", own.as_str()), ("sec-fetch-site", "cross-site")],
    ] {
        let (status, answer) = world.request(Peer::Tcp, tcp(&world, &headers, "/healthz")).await;
        assert_eq!((status.as_u16(), answer["error"]["code"].as_str()), (403, Some("cross_site")), "{headers:?}");
    }
    let mut preflight = tcp(&world, &[("access-control-request-method", "POST")], "/v1/tool/exec");
    *preflight.method_mut() = http::Method::OPTIONS;
    preflight.extensions_mut().insert(Peer::Tcp);
    let response = world.router.clone().oneshot(preflight).await.unwrap();
    assert!(response.headers().keys().all(|name| !name.as_str().starts_with("access-control-")));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_methods_and_paths_say_so() {
    let world = World::new().await;
    let (status, answer) = world.request(Peer::Tcp, world.good("DELETE", "/v1/status", "")).await;
    assert_eq!((status.as_u16(), answer["error"]["code"].as_str()), (405, Some("method_not_allowed")));
    let (status, answer) = world.request(Peer::Tcp, world.good("GET", "/v1/policy", "")).await;
    assert_eq!((status.as_u16(), answer["error"]["code"].as_str()), (404, Some("not_found")));
    for path in ["/v1/approvals/..%2f..%2fetc%2fpasswd", "/v1/approvals/%00", "/../../etc/passwd"] {
        assert_eq!(world.request(Peer::Tcp, world.good("GET", path, "")).await.0, 404, "{path}");
    }
    world.end().await;
}
