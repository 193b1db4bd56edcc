use futures_util::StreamExt as _;
use rampart_gateway::{
    credentials::{Launch, Wanted},
    lineage::Process,
};
use serde_json::json;

use super::*;
use crate::{
    Scope,
    access::Connection,
    routes::{self, Door, table},
};

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

/// A path of a route with something in its gaps.
fn filled(path: &str) -> String {
    path.replace("{tool}", "exec")
        .replace("{id}", "x")
        .replace("{session}", "s1")
        .replace("{ticket}", "x")
        .replace("{rule}", "x")
}

/// A caller of one request: where it comes from, the token it bears, and what it may ask.
struct Case {
    what: &'static str,
    peer: Peer,
    token: Option<String>,
    may: &'static [Scope],
}

/// Routes are in the table with their scope and door, so a route that is added is walked here without a further word. Were
/// it added past the table, `router` would not know it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_is_open_to_its_scope_and_closed_to_all_others_by_both_doors() {
    use Scope::{Admin, Approve, Decide};
    let world = World::new().await;
    let token = async |scope| {
        let wanted = Wanted { scopes: vec![scope], ..Wanted::default() };
        Some(world.gateway.create_token(wanted, "a test").await.unwrap().text)
    };
    let (decide, approve, admin) = (token(Decide).await, token(Approve).await, token(Admin).await);
    let revoked = token(Admin).await;
    let id = world.gateway.credentials().bearer(revoked.as_ref().unwrap()).unwrap().id;
    world.gateway.revoke_token(&id, "a test").await.unwrap();
    let mut agent = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    let launch = Launch {
        session: "s1".into(),
        process: Process::of(agent.id()).unwrap(),
        below: true,
        server: None,
        monitor: false,
        confined: false,
        clients: false,
        by_person: true,
    };
    let session = world.gateway.open_session("bot", launch, "a test").await.unwrap().text;
    let below = Peer::Socket { pid: Some(agent.id()), uid: 0, ours: true };
    // It has no terminal whatever runs the tests.
    let script = "sleep 600 >/dev/null 2>&1 & echo $!";
    let detached = std::process::Command::new("setsid").args(["sh", "-c", script]).output();
    let detached: u32 = String::from_utf8(detached.unwrap().stdout).unwrap().trim().parse().unwrap();
    let free = Peer::Socket { pid: Some(detached), uid: 0, ours: true };
    let stranger = Peer::Socket { pid: Some(detached), uid: 0, ours: false };
    let all = &[Decide, Approve, Admin][..];
    let case = |what, peer, token: &Option<String>, may| Case { what, peer, token: token.clone(), may };
    let cases = [
        case("no token", Peer::Tcp, &None, &[]),
        case("no known token", Peer::Tcp, &Some("wrong".to_owned()), &[]),
        case("a revoked token", Peer::Tcp, &revoked, &[]),
        case("a decide token", Peer::Tcp, &decide, &[Decide]),
        case("a session's credential", Peer::Tcp, &Some(session.clone()), &[Decide]),
        case("an approve token", Peer::Tcp, &approve, &[Approve]),
        case("an admin token", Peer::Tcp, &admin, all),
        case("the home's token", Peer::Tcp, &Some(TOKEN.to_owned()), all),
        case("an agent", below, &None, &[Decide]),
        case("an agent with its credential", below, &Some(session.clone()), &[Decide]),
        case("an agent with an approve token", below, &approve, &[]),
        case("an agent with a stolen admin token", below, &admin, &[Decide]),
        case("an agent with the home's token", below, &Some(TOKEN.to_owned()), &[Decide]),
        case("a process nobody knows", Peer::Socket { pid: None, uid: 0, ours: true }, &None, &[Decide]),
        case("a process that is gone", Peer::Socket { pid: Some(u32::MAX), uid: 0, ours: true }, &None, &[Decide]),
        case("another user of the machine", stranger, &None, &[Decide]),
        case("another user with an approve token", stranger, &approve, &[Approve]),
        case("a wrong token on the socket", free, &Some("wrong".to_owned()), &[]),
        case("an approve token on the socket", free, &approve, &[Approve]),
        case("an admin token on the socket", free, &admin, all),
    ];
    let mut source = 0_u32;
    let mut ask = async |method: &str, path: &str, Case { peer, token, .. }: &Case| {
        let mut request = tcp(&world, &[], &filled(path));
        *request.method_mut() = method.parse().unwrap();
        if let Some(token) = token {
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        // Each from a place of its own, so that none is slowed down for the failures of others.
        source += 1;
        let from = SocketAddr::new(std::net::Ipv4Addr::from_bits(0x0a00_0000 + source).into(), 1);
        request.extensions_mut().insert(Arc::new(Connection::between(from, world.address)));
        let peer = match *peer {
            Peer::Socket { pid, ours, .. } => Peer::Socket { pid, uid: source, ours },
            Peer::Tcp => Peer::Tcp,
        };
        request.extensions_mut().insert(peer);
        let response = world.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        // A stream has no end; what it begins with is enough.
        let body = response.into_body().into_data_stream().next().await;
        let body = body.map(|bytes| String::from_utf8(bytes.unwrap().to_vec()).unwrap()).unwrap_or_default();
        (status, body)
    };
    for route in table() {
        let (method, path, scope, door, _) = &route;
        for case in &cases {
            let (status, answer) = ask(method, path, case).await;
            let closed = *door == Door::Socket && case.peer == Peer::Tcp;
            let may = !closed && (*scope == Scope::Open || case.may.contains(scope));
            let code = serde_json::from_str::<Value>(&answer).unwrap_or_default()["error"]["code"].clone();
            let turned_away = matches!(status, 401 | 403) && code != "senseless";
            assert_eq!(turned_away, !may, "{method} {path} for {}: {status} {answer}", case.what);
            for secret in [&session, TOKEN] {
                assert!(!answer.contains(secret), "{method} {path} for {}: {answer}", case.what);
            }
        }
        // A person's process without a terminal can look and not touch.
        let case = case("a process without a terminal", free, &None, all);
        let (status, answer) = ask(method, path, &case).await;
        let acts = routes::acts(method, path) && matches!(scope, Approve | Admin);
        assert_eq!(answer.contains("no_terminal"), acts, "{method} {path}: {status} {answer}");
        assert_eq!(status == 403, acts, "{method} {path}: {status} {answer}");
    }
    agent.kill().unwrap();
    agent.wait().unwrap();
    let _ = std::process::Command::new("kill").arg(detached.to_string()).status();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_in_a_url_is_refused_with_and_without_a_good_one_beside_it() {
    let world = World::new().await;
    let good = format!("Bearer {TOKEN}");
    let made = "rampart_0123456789ab_00";
    for query in [format!("token={TOKEN}"), format!("ACCESS_TOKEN={TOKEN}"), format!("x={made}"), "a=b&auth".into()] {
        for path in ["/healthz", "/v1/status", "/v1/events/stream", "/nothing"] {
            for headers in [&[][..], &[("authorization", good.as_str())]] {
                let (status, answer) = world.request(Peer::Tcp, tcp(&world, headers, &format!("{path}?{query}"))).await;
                assert_eq!((status.as_u16(), answer["error"]["code"].as_str()), (400, Some("token_in_url")), "{path}");
                assert!(!answer.to_string().contains(TOKEN));
            }
        }
    }
    let twice = [("authorization", good.as_str()), ("authorization", good.as_str())];
    assert_eq!(world.request(Peer::Tcp, tcp(&world, &twice, "/v1/status")).await.0, 401);
    for wrong in ["", "Bearer ", "Basic Og==", TOKEN] {
        let (status, _) = world.request(Peer::Tcp, tcp(&world, &[("authorization", wrong)], "/v1/status")).await;
        assert_eq!(status, 401, "{wrong}");
    }
    world.end().await;
}

#[test]
fn deciding_reaches_only_what_a_surface_needs() {
    let mut decide: Vec<_> = table().iter().filter(|r| r.2 == Scope::Decide).map(|r| r.1).collect();
    decide.sort_unstable();
    let surface = [
        "/v1/closed",
        "/v1/judge",
        "/v1/openapi.json",
        "/v1/over",
        "/v1/policy",
        "/v1/preflight/{tool}",
        "/v1/refused",
        "/v1/scan",
        "/v1/sessions",
        "/v1/sessions/{session}",
        "/v1/sessions/{session}",
        "/v1/tool/{tool}",
        "/v1/whoami",
    ];
    assert_eq!(decide, surface);
    let open: Vec<_> = table().iter().filter(|r| r.2 == Scope::Open).map(|r| r.1).collect();
    // A link bears its own signature.
    let link = "/approvals/{id}/{end}/{signature}";
    // So does a login link; and the other only leads to where a login is needed.
    assert_eq!(open, ["/healthz", link, link, "/dashboard/login/{ticket}", "/dashboard"]);
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
    assert_eq!((status.as_u16(), answer["error"]["code"].as_str()), (410, Some("gone")));
    assert!(answer["error"]["message"].as_str().unwrap().contains("/v1/policies"));
    for path in ["/v1/approvals/..%2f..%2fetc%2fpasswd", "/v1/approvals/%00", "/../../etc/passwd"] {
        assert_eq!(world.request(Peer::Tcp, world.good("GET", path, "")).await.0, 404, "{path}");
    }
    world.end().await;
}

/// Who shows no credential is whom the kernel knows them to be, and whom nobody knows is written down as one who claims.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kernel_knows_better_than_the_caller_whose_call_it_is() {
    let world = World::new().await;
    let sleeper = || std::process::Command::new("sleep").arg("600").spawn().unwrap();
    let (mut root, mut other) = (sleeper(), sleeper());
    let ask = async |pid: u32, token: Option<&str>| {
        let body = r#"{"agent":"somebody","session":"theirs","params":{"command":"ls"}}"#;
        let mut request = world.good("POST", "/v1/tool/exec", body);
        request.headers_mut().remove("authorization");
        if let Some(token) = token {
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        assert_eq!(world.request(Peer::Socket { pid: Some(pid), uid: 7, ours: true }, request).await.0, 200);
        let actor = world.decisions().pop().unwrap()["actor"].clone();
        let word = |key: &str| actor[key].as_str().unwrap().to_owned();
        (word("agent"), word("session"), actor["claimed"].as_bool().unwrap_or(false))
    };
    let claimed = || ("somebody".to_owned(), "theirs".to_owned(), true);
    assert_eq!(ask(root.id(), None).await, claimed(), "no session is open");
    let launch = Launch {
        session: "s1".into(),
        process: Process::of(root.id()).unwrap(),
        below: true,
        server: None,
        monitor: false,
        confined: false,
        clients: false,
        by_person: true,
    };
    let credential = world.gateway.open_session("bot", launch, "a test").await.unwrap().text;
    let known = || ("bot".to_owned(), "s1".to_owned(), false);
    assert_eq!(ask(root.id(), None).await, known());
    assert_eq!(ask(other.id(), None).await, claimed(), "it stands elsewhere");
    assert_eq!(ask(other.id(), Some(&credential)).await, known(), "whoever bears the credential belongs to it");
    let wanted = Wanted { scopes: vec![Scope::Decide], ..Wanted::default() };
    let token = world.gateway.create_token(wanted, "a test").await.unwrap().text;
    assert_eq!(ask(other.id(), Some(&token)).await, claimed(), "a token says who asks, not in which session");
    // One whose agent was not said keeps the name that the surface gives it.
    let launch = Launch {
        session: "s2".into(),
        process: Process::of(other.id()).unwrap(),
        below: true,
        server: None,
        monitor: false,
        confined: false,
        clients: false,
        by_person: true,
    };
    world.gateway.open_session("", launch, "a test").await.unwrap();
    assert_eq!(ask(other.id(), None).await, ("somebody".to_owned(), "s2".to_owned(), false));
    for child in [&mut root, &mut other] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    world.end().await;
}

/// A listener says in which of its clients' sessions a call is, and only its own credential lets it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_has_calls_decided_in_the_sessions_of_its_clients_and_ends_them() {
    let world = World::new().await;
    let mut process = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    let pid = process.id();
    let peer = Peer::Socket { pid: Some(pid), uid: 7, ours: true };
    let ask = async |method: &str, path: &str, body: &str, token: Option<&str>| {
        let mut request = world.good(method, path, body);
        request.headers_mut().remove("authorization");
        if let Some(token) = token {
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        world.request(peer, request).await
    };
    let open = async |body: Value, token: Option<&str>| {
        let (status, told) = ask("POST", "/v1/sessions", &body.to_string(), token).await;
        (status.as_u16(), told)
    };
    let (_, told) = open(json!({"agent": "bot", "session": "l", "clients": true}), None).await;
    assert_eq!((&told["session"], &told["clients"]), (&json!("l"), &json!(true)), "{told}");
    let listener = told["credential"].as_str().unwrap().to_owned();
    let (_, told) =
        open(json!({"agent": "bot", "session": "l~1", "server": "s", "clients": true}), Some(&listener)).await;
    assert_eq!((&told["session"], &told["clients"]), (&json!("l~1"), &json!(null)), "{told}");
    let client = told["credential"].as_str().unwrap().to_owned();
    assert_eq!(open(json!({"session": "l~1"}), None).await.1["session"], "l", "who stands below the listener is its");
    let whose = async |session: &str, token: &str| {
        let body = json!({"agent": "x", "session": session, "params": {"command": "ls"}}).to_string();
        assert_eq!(ask("POST", "/v1/tool/exec", &body, Some(token)).await.0, 200);
        let actor = world.decisions().pop().unwrap()["actor"].clone();
        assert!(actor["claimed"].is_null(), "{actor}");
        actor["session"].as_str().unwrap().to_owned()
    };
    for (named, token, session) in [
        ("l~1", &listener, "l~1"),
        ("l~2", &listener, "l~2"),
        ("l", &listener, "l"),
        ("m~1", &listener, "l"),
        ("l~1~2", &listener, "l"),
        ("l~2", &client, "l~1"),
        ("l", &client, "l~1"),
    ] {
        assert_eq!(whose(named, token).await, session, "{named}");
    }
    for (session, token, status) in [
        ("l~2", Some(&client), 422),
        ("l~2", None, 422),
        ("l", Some(&listener), 422),
        ("m~1", Some(&listener), 422),
        ("l~1", Some(&listener), 200),
        ("l~2", Some(&listener), 200),
    ] {
        let path = format!("/v1/sessions/{}", session.replace('~', "%7E"));
        let (got, told) = ask("DELETE", &path, "", token.map(String::as_str)).await;
        assert_eq!(got.as_u16(), status, "{session} {told}");
    }
    assert_eq!(ask("GET", "/v1/whoami", "", Some(&client)).await.0, 401, "its credential ended with it");
    process.kill().unwrap();
    process.wait().unwrap();
    world.end().await;
}
