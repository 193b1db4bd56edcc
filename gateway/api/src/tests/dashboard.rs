//! What a browser's cookie can do, and what it takes to get one.

use http::{HeaderMap, header};
use rampart_gateway::credentials::{HOME, Wanted};

use super::*;
use crate::{
    Scope,
    routes::{Door, table},
};

struct Browser<'w> {
    world: &'w World,
    cookie: String,
}

/// A page, or whatever else was answered.
struct Seen {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl World {
    async fn see(&self, mut request: Request<Body>) -> Seen {
        request.headers_mut().insert("host", self.address.to_string().parse().unwrap());
        request.extensions_mut().insert(Peer::Tcp);
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        // A stream has no end.
        let whole = response.headers().get(header::CONTENT_TYPE).is_none_or(|kind| kind != "text/event-stream");
        let bytes =
            if whole { response.into_body().collect().await.unwrap().to_bytes() } else { axum::body::Bytes::default() };
        Seen { status, headers, body: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    /// The path of a new login link, asked for with this token.
    async fn login_link(&self, token: &str) -> String {
        let mut request = self.good("POST", "/v1/dashboard/link", "{}");
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        let (status, answer) = self.request(Peer::Tcp, request).await;
        assert_eq!((status.as_u16(), &answer["expires_in_s"]), (200, &Value::from(120)), "{answer}");
        let url = answer["url"].as_str().unwrap();
        url.strip_prefix(&format!("http://{}", self.address)).unwrap().to_owned()
    }

    async fn log_in(&self, token: &str) -> Browser<'_> {
        let path = self.login_link(token).await;
        let seen = self.see(Request::get(&path).body(Body::empty()).unwrap()).await;
        assert_eq!((seen.status, &seen.headers[header::LOCATION]), (303, &"/dashboard/".parse().unwrap()));
        let set = seen.headers[header::SET_COOKIE].to_str().unwrap();
        let (cookie, attributes) = set.split_once(';').unwrap();
        assert_eq!(attributes.trim(), "Max-Age=43200; Path=/; HttpOnly; SameSite=Strict");
        Browser { world: self, cookie: cookie.to_owned() }
    }
}

impl Browser<'_> {
    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Seen {
        let mut request = Request::builder().method(method).uri(path).header("cookie", &self.cookie);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.world.see(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    async fn get(&self, path: &str) -> Seen {
        self.send("GET", path, &[], "").await
    }

    /// What its pages know, as their forms have it.
    async fn page_token(&self) -> String {
        let page = self.get("/dashboard/approvals").await;
        assert_eq!(page.status, 200, "{}", page.body);
        page.body.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_link_is_good_once_and_leaves_no_secret_behind() {
    let world = World::new().await;
    let path = world.login_link(TOKEN).await;
    // Whoever only looks ahead uses nothing up.
    let head = world.see(Request::head(&path).body(Body::empty()).unwrap()).await;
    let ahead = Request::get(&path).header("sec-purpose", "prefetch").body(Body::empty()).unwrap();
    assert_eq!((head.status, world.see(ahead).await.status), (405, 405));
    let elsewhere = Request::get(&path).header("sec-fetch-site", "cross-site").body(Body::empty()).unwrap();
    assert_eq!(world.see(elsewhere).await.status, 403);
    let first = world.see(Request::get(&path).body(Body::empty()).unwrap()).await;
    assert_eq!(first.status, 303);
    let cookie = first.headers[header::SET_COOKIE].to_str().unwrap().to_owned();
    let again = world.see(Request::get(&path).body(Body::empty()).unwrap()).await;
    assert_eq!((again.status, again.headers.get(header::SET_COOKIE)), (404, None));

    let secret = cookie.split(['=', ';']).nth(1).unwrap();
    let browser = Browser { world: &world, cookie: format!("rampart_session={secret}") };
    let page = browser.get("/dashboard/approvals").await;
    assert_eq!(page.status, 200);
    assert!(
        page.body.contains("the home&#x27;s token at the dashboard") && !page.body.contains(secret),
        "{}",
        page.body
    );
    let csp = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(csp.contains("default-src 'none'") && csp.contains("frame-ancestors 'none'"), "{csp}");
    assert!(!csp.contains("unsafe-inline"), "{csp}");
    // The text of a cookie is no token, and that of a token no cookie.
    let mut bearing = world.good("GET", "/v1/status", "");
    bearing.headers_mut().insert("authorization", format!("Bearer {secret}").parse().unwrap());
    assert_eq!(world.see(bearing).await.status, 401);
    let home = Browser { world: &world, cookie: format!("rampart_session={TOKEN}") };
    let refused = home.get("/dashboard/").await;
    assert_eq!(refused.status, 401);
    assert!(refused.body.contains("rampart dashboard"), "{}", refused.body);
    assert!(refused.headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"), "it is dropped");

    let ticket = path.rsplit('/').next().unwrap();
    let trail: String = world.records().iter().map(Value::to_string).collect();
    assert!(!trail.contains(ticket) && !trail.contains(secret), "{trail}");
    assert!(trail.contains("login to the dashboard"), "{trail}");
    world.end().await;
}

/// Every route of the table, so that one which is added is walked too: by cookie nothing is changed without the token of a
/// page of ours, whatever else comes with it.
/// That a route does nothing for a browser that does not send the token of its pages.
async fn only_with_its_token(browser: &Browser<'_>, method: &str, path: &str, token: &str, other: &str) {
    let json = ("content-type", "application/json");
    let path = path.replace("{tool}", "exec").replace("{id}", "0123").replace("{rule}", "7");
    let form = path.starts_with("/dashboard/");
    for wrong in ["", "0", other, TOKEN] {
        let seen = if form {
            let kind = ("content-type", "application/x-www-form-urlencoded");
            let decision = if path.contains("approvals") { "&decision=approve" } else { "" };
            browser.send(method, &path, &[kind], &format!("token={wrong}{decision}")).await
        } else {
            browser.send(method, &path, &[json, ("x-rampart-csrf", wrong)], "{}").await
        };
        assert_eq!(seen.status, 403, "{method} {path}: {}", seen.body);
        assert!(seen.body.contains("forged"), "{method} {path}: {}", seen.body);
    }
    if !form {
        assert_eq!(browser.send(method, &path, &[json], "{}").await.status, 403, "{method} {path}");
        for kind in
            [&[][..], &[("content-type", "text/plain")], &[("content-type", "application/x-www-form-urlencoded")]]
        {
            let headers = [kind, &[("x-rampart-csrf", token)]].concat();
            assert_eq!(browser.send(method, &path, &headers, "{}").await.status, 415, "{method} {path} {kind:?}");
        }
        let seen = browser.send(method, &path, &[json, ("x-rampart-csrf", token)], "{}").await;
        let expected = path == "/v1/dashboard/link";
        assert_eq!(matches!(seen.status, 401 | 403), expected, "{method} {path}: {}", seen.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_changed_by_cookie_without_the_token_of_a_page() {
    let world = World::new().await;
    let browser = world.log_in(TOKEN).await;
    let token = browser.page_token().await;
    let other = world.log_in(TOKEN).await.page_token().await;
    let acting = table()
        .into_iter()
        .filter(|(method, _, scope, door, _)| *method != "GET" && *scope != Scope::Open && *door != Door::Socket);
    // At once, since each of many refusals takes its time.
    let walks = acting.map(|(method, path, ..)| only_with_its_token(&browser, method, path, &token, &other));
    let walked = futures_util::future::join_all(walks).await.len();
    assert!(walked >= 12, "{walked}");
    // The other methods of a page are safe, and a page of another site is turned away with a good cookie too.
    for headers in
        [&[("origin", "https://evil.example")][..], &[("sec-fetch-site", "same-site")], &[("origin", "null")]]
    {
        for (method, path) in [("GET", "/dashboard/"), ("GET", "/v1/events/stream"), ("POST", "/dashboard/logout")] {
            assert_eq!(browser.send(method, path, headers, "").await.status, 403, "{method} {path} {headers:?}");
        }
    }
    assert_eq!(browser.get("/v1/events/stream").await.status, 200, "its own pages may listen");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_reaches_no_further_than_who_asked_for_it_and_ends_with_them() {
    let world = World::new().await;
    let wanted = Wanted { name: "ann".into(), scopes: vec![Scope::Approve], ..Wanted::default() };
    let made = world.gateway.create_token(wanted, "a test").await.unwrap();
    let (ann, home) = (world.log_in(&made.text).await, world.log_in(TOKEN).await);
    assert_eq!((ann.get("/v1/tokens").await.status, home.get("/v1/tokens").await.status), (403, 200));
    assert_eq!((ann.get("/v1/status").await.status, home.get("/v1/status").await.status), (200, 200));
    let listed = home.get("/v1/tokens").await.body;
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed.iter().filter(|token| token["kind"] == "dashboard").count(), 2, "{listed:#?}");

    // A revoked token takes its logins with it; so does a home's token that is rotated.
    world.gateway.revoke_token("ann", "a test").await.unwrap();
    assert_eq!((ann.get("/v1/status").await.status, home.get("/v1/status").await.status), (401, 200));
    world.gateway.rotate_token(HOME, "a test").await.unwrap();
    assert_eq!(home.get("/v1/status").await.status, 401);
    let again = rampart_gateway::credentials::Credentials::list(world.gateway.credentials());
    assert!(again.is_empty(), "{again:?}");

    // One that is logged out is over, and the browser is told to forget it.
    let token = std::fs::read_to_string(world.home.root().join("token")).unwrap();
    let browser = world.log_in(token.trim()).await;
    let page = browser.page_token().await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let out = browser.send("POST", "/dashboard/logout", &[form], &format!("token={page}")).await;
    assert_eq!(out.status, 200, "{}", out.body);
    assert!(out.headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(browser.get("/dashboard/").await.status, 401);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_told_without_its_secrets_and_the_answer_is_bound_to_them() {
    let world = World::new().await;
    let browser = world.log_in(TOKEN).await;
    let who: Value = serde_json::from_str(&browser.get("/v1/whoami").await.body).unwrap();
    assert_eq!(who["page_token"], browser.page_token().await, "{who}");
    let until = who["until"].as_str().unwrap();
    assert!(until.starts_with("20") && until.ends_with('Z'), "{until}");
    let secret = "AKIAIOSFODNN7EXAMPLA";
    let (gateway, call) = (Arc::clone(&world.gateway), read(&format!("/deploy/{secret}/now")));
    let asking = tokio::spawn(async move { gateway.answer(call).await });
    until_one_waits(&world).await;
    let listed: Vec<Value> = serde_json::from_str(&browser.get("/v1/approvals").await.body).unwrap();
    let [question] = &listed[..] else { panic!("{listed:?}") };
    let subject = question["subject"].as_str().unwrap();
    assert!(subject.starts_with("/deploy/") && !subject.contains(secret), "{subject}");
    let token = who["page_token"].as_str().unwrap();
    let headers = [("content-type", "application/json"), ("x-rampart-csrf", token)];
    let path = format!("/v1/approvals/{}/resolve", question["id"].as_str().unwrap());
    let other = format!(r#"{{"approve":true,"payload":"{}"}}"#, "0".repeat(64));
    assert_eq!(browser.send("POST", &path, &headers, &other).await.status, 409, "it is about something else");
    let shown = format!(r#"{{"approve":true,"payload":{}}}"#, question["payload"]);
    assert_eq!(browser.send("POST", &path, &headers, &shown).await.status, 200);
    assert!(asking.await.unwrap().verdict.passes());
    let granted = world.records().into_iter().find(|r| r["event"] == "granted").unwrap();
    assert_eq!(granted["from"], "dashboard", "{granted}");
    world.end().await;
}

async fn until_one_waits(world: &World) {
    until("the question", || !world.gateway.pending().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_answered_on_its_page() {
    let world = World::new().await;
    let browser = world.log_in(TOKEN).await;
    let token = browser.page_token().await;
    let (gateway, call) = (Arc::clone(&world.gateway), read("/deploy/now"));
    let asking = tokio::spawn(async move { gateway.answer(call).await });
    until("the question", || !world.gateway.pending().is_empty()).await;
    let id = world.gateway.pending().remove(0).id;
    let list = browser.get("/dashboard/approvals").await.body;
    assert!(list.contains(&format!("<a href=\"/dashboard/approvals/{id}\">/deploy/now</a>")), "{list}");
    let path = format!("/dashboard/approvals/{id}");
    let page = browser.get(&path).await;
    assert!(page.status == 200 && page.body.contains("A human decides that"), "{}", page.body);
    let form = ("content-type", "application/x-www-form-urlencoded");
    let answer = format!("token={token}&decision=approve&reason=fine");
    assert_eq!(browser.send("POST", &path, &[form], &answer).await.status, 200);
    assert!(asking.await.unwrap().verdict.passes());
    let granted = world.records().into_iter().find(|r| r["event"] == "granted").unwrap();
    assert_eq!((granted["from"].as_str(), granted["message"].as_str()), (Some("dashboard"), Some("fine")));
    assert!(granted["by"].as_str().unwrap().starts_with("the home's token at the dashboard"), "{granted}");
    assert_eq!(browser.send("POST", &path, &[form], &answer).await.status, 409);
    world.end().await;
}
