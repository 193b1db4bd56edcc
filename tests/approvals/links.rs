//! A7: a link that is looked at does nothing, and answers once.

use super::*;
use crate::world::have;

/// A page, and where it is.
struct Page {
    url: String,
    status: u16,
    head: String,
    body: String,
}

fn curl(world: &World, args: &[&str]) -> Page {
    let output = world.command("curl").args(["-sS", "-i"]).args(args).output().unwrap();
    let ran = Ran::from(output).expect(0);
    let (head, body) = ran.stdout.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Page { url: String::new(), status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

impl Page {
    fn get(world: &World, url: &str) -> Self {
        Self { url: url.to_owned(), ..curl(world, &[url]) }
    }

    fn token(&self) -> &str {
        self.body.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap()
    }

    fn send(&self, world: &World, fields: &[&str], headers: &[&str]) -> Self {
        let mut args = vec![self.url.as_str()];
        for field in fields {
            args.extend(["--data-urlencode", field]);
        }
        for header in headers {
            args.extend(["-H", header]);
        }
        curl(world, &args)
    }
}

/// A gateway on a port of its own, a peer that hears of questions, and links between them.
fn linked(world: &mut World) -> std::sync::mpsc::Receiver<Value> {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let peer = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let hears = peer.local_addr().unwrap().port();
    world.config(&format!(
        "listen: 127.0.0.1:{port}\negress:\n  listen: 127.0.0.1:0\napprovals: {{ base_url: 'http://localhost:{port}/' }}\n\
         notify: [{{ url: 'http://localhost:{hears}/hook', on: [ask], format: webhook }}]\n"
    ));
    world.serve(&[]);
    crate::notify::bodies(peer)
}

#[test]
fn looking_at_a_link_changes_nothing_and_its_form_answers_once() {
    if !have("looking_at_a_link_changes_nothing_and_its_form_answers_once", &["curl"]) {
        return;
    }
    let mut world = asking();
    let told = linked(&mut world);
    let held = Held::start(&world, "s1", "made");
    let question = only(&world);
    let url = told.recv_timeout(PATIENCE).unwrap()["link"].as_str().unwrap().to_owned();
    // Previews and scanners.
    for _ in 0..3 {
        assert_eq!(curl(&world, &["-I", &url]).status, 200);
        assert_eq!(curl(&world, &["-A", "Slackbot-LinkExpanding 1.0", &url]).status, 200);
    }
    assert_eq!(curl(&world, &["-X", "PUT", &url]).status, 405);
    let page = Page::get(&world, &url);
    assert_eq!(page.status, 200);
    for (name, value) in [
        ("content-security-policy: ", "default-src 'none'"),
        ("content-security-policy: ", "frame-ancestors 'none'"),
        ("cache-control: ", "no-store"),
        ("referrer-policy: ", "same-origin"),
        ("x-content-type-options: ", "nosniff"),
    ] {
        let line = page.head.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{}", page.head));
        assert!(line.contains(value), "{line}");
    }
    for text in ["touch made", "bot", "s1", "Production deployment requires approval", "deploys"] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    assert!(!page.body.contains("<script") && !page.body.contains("onclick"), "{}", page.body);
    assert!(!page.url.contains(page.token()), "what the form needs does not stand in the link");
    assert_eq!(only(&world), question, "it still waits");

    // What does not come from the page, or not from this site, or means two things.
    let token = format!("token={}", page.token());
    let signature = url.rsplit('/').next().unwrap();
    let forged = format!("token={signature}");
    for (fields, headers, status) in [
        (&["decision=approve"][..], &[][..], 403),
        (&["decision=approve", "token="], &[], 403),
        (&["decision=approve", &forged], &[], 403),
        (&["decision=approve", &token], &["Origin: https://evil.example"], 403),
        (&["decision=approve", &token], &["Origin: null"], 403),
        (&["decision=approve", &token], &["Sec-Fetch-Site: cross-site"], 403),
        (&["decision=approve", &token], &["Content-Type: text/plain"], 415),
        (&["decision=approve", "decision=deny", &token], &[], 400),
        (&["decision=maybe", &token], &[], 400),
        (&["decision=approve", &token, "x=y"], &[], 400),
        (&[&token], &[], 400),
    ] {
        let sent = page.send(&world, fields, headers);
        assert_eq!(sent.status, status, "{fields:?} {headers:?}: {}", sent.body);
    }
    // Another end, another id, a signature cut short.
    let (before, _) = url.rsplit_once('/').unwrap();
    let (base, end) = before.rsplit_once('/').unwrap();
    let later = format!("{base}/{}/{signature}", end.parse::<u64>().unwrap() + 60_000);
    let other = url.replace(&question, "0123456789ab");
    for wrong in [later.as_str(), &other, &url[..url.len() - 2], &format!("{before}/"), &format!("{before}/zz")] {
        assert_eq!(curl(&world, &[wrong]).status, 404, "{wrong}");
        assert_eq!(curl(&world, &[wrong, "--data", &token]).status, 404, "{wrong}");
    }
    assert_eq!(only(&world), question, "it still waits");

    let origin = format!("Origin: {}", url.split("/approvals/").next().unwrap());
    let sent = page.send(&world, &["decision=approve", &token, "reason=looks fine & <b>"], &[&origin]);
    assert_eq!(sent.status, 200, "{}", sent.body);
    assert!(held.ran());
    let granted = world.records().into_iter().find(|r| r["event"] == "granted").unwrap();
    assert_eq!((granted["from"].as_str(), granted["message"].as_str()), (Some("link"), Some("looks fine & <b>")));

    // Once.
    let again = page.send(&world, &["decision=deny", &token], &[]);
    assert_eq!(again.status, 409);
    assert!(again.body.contains("approved by whoever holds the link already"), "{}", again.body);
    assert_eq!(Page::get(&world, &url).status, 409);
    assert_eq!(steps(&world, Some(&question)), ["asked", "granted"]);
    // The signature is nowhere but in the notice.
    let audit: String = world.records().iter().map(Value::to_string).collect();
    assert!(!audit.contains(signature) && !world.gateway_log().contains(signature));
}

#[test]
fn a_link_of_a_question_that_is_over_says_so() {
    if !have("a_link_of_a_question_that_is_over_says_so", &["curl"]) {
        return;
    }
    let mut world = asking();
    let told = linked(&mut world);
    let held = Held::start(&world, "s1", "made");
    only(&world);
    let url = told.recv_timeout(PATIENCE).unwrap()["link"].as_str().unwrap().to_owned();
    let page = Page::get(&world, &url);
    let token = format!("token={}", page.token());
    held.kill();
    pending(&world, 0);
    assert_eq!(Page::get(&world, &url).status, 410);
    assert_eq!(page.send(&world, &["decision=approve", &token], &[]).status, 410);
}

#[test]
fn the_public_name_of_links_is_good_for_nothing_else() {
    if !have("the_public_name_of_links_is_good_for_nothing_else", &["curl"]) {
        return;
    }
    let mut world = asking();
    world.config(
        "listen: 127.0.0.1:0\negress:\n  listen: 127.0.0.1:0\napprovals: { base_url: 'https://rampart.example' }\n",
    );
    world.serve(&[]);
    let base = format!("http://{}", world.status()["listen"].as_str().unwrap());
    let host = "Host: rampart.example";
    assert_eq!(curl(&world, &["-H", host, &format!("{base}/approvals/0123456789ab/1/00")]).status, 404);
    assert_eq!(curl(&world, &["-H", host, &format!("{base}/v1/approvals")]).status, 421);
    assert_eq!(curl(&world, &["-H", host, &format!("{base}/healthz")]).status, 421);
}
