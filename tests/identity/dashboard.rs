//! A browser that is logged in, and those who would like to be it.

use super::*;

/// An answer of curl: status, `location` or `set-cookie` and the rest of the head, body.
struct Seen {
    status: u16,
    head: String,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }
}

fn curl(world: &World, front: &[&str], args: &[&str]) -> Seen {
    let words = [front, &["curl", "-sS", "-i", "--noproxy", "*", "-m", "10"], args].concat();
    let ran = Ran::from(world.command(words[0]).args(&words[1..]).output().unwrap()).expect(0);
    let (head, body) = ran.stdout.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Seen { status, head: head.to_owned(), body: body.to_owned() }
}

fn link(world: &World) -> String {
    let ran = world.run(&["dashboard", "--json"]).expect(0);
    ran.json()["url"].as_str().unwrap().to_owned()
}

fn cookie(seen: &Seen) -> String {
    let set = seen.header("set-cookie");
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
    format!("cookie: {}", set.split(';').next().unwrap())
}

#[test]
fn c2_a_browser_logs_in_by_the_link_that_is_printed_and_opened() {
    if !have("c2_a_browser_logs_in_by_the_link_that_is_printed_and_opened", &["curl"]) {
        return;
    }
    let world = served();
    let browser = world.write("browser", "#!/bin/sh\nprintf '%s' \"$1\" > opened.new && mv opened.new opened\n");
    crate::world::set_mode(&browser, 0o755);
    let mut open = world.rampart(&["dashboard", "--open"]);
    let ran = Ran::from(open.env("BROWSER", &browser).output().unwrap()).expect(0);
    let url = ran.stdout.trim().to_owned();
    assert!(url.starts_with(&format!("http://{}/dashboard/login/", address(&world))), "{ran:?}");
    let deadline = Instant::now() + Duration::from_secs(10);
    while !world.project().join("opened").exists() {
        assert!(Instant::now() < deadline, "nothing was opened");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(std::fs::read_to_string(world.project().join("opened")).unwrap(), url);
    // Nobody is at a terminal here, so nothing is opened unless that was said.
    std::fs::remove_file(world.project().join("opened")).unwrap();
    let mut quiet = world.rampart(&["dashboard"]);
    Ran::from(quiet.env("BROWSER", &browser).output().unwrap()).expect(0);
    std::thread::sleep(Duration::from_millis(300));
    assert!(!world.project().join("opened").exists());
    let mut lost = world.rampart(&["dashboard", "--open"]);
    let ran = Ran::from(lost.env("BROWSER", "/nowhere/browser").output().unwrap()).expect(2);
    assert!(ran.stderr.contains("cannot start `/nowhere/browser`"), "{ran:?}");

    let entered = curl(&world, &[], &["-L", "-c", "jar", "-b", "jar", &url]);
    assert_eq!((entered.status, entered.header("location")), (303, "/dashboard/"), "{}", entered.head);
    assert!(entered.body.contains("id=\"app\""), "the page behind the redirect: {}", entered.body);
    assert_eq!(curl(&world, &[], &[&url]).status, 404, "once");
    let page = curl(&world, &[], &["-b", "jar", &format!("http://{}/dashboard/", address(&world))]);
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.header("content-security-policy").contains("default-src 'none'"), "{}", page.head);
    assert_eq!(page.header("access-control-allow-origin"), "");
    let listed = world.run(&["token", "list"]).expect(0).stdout;
    let id = listed.lines().find(|line| line.contains("the home's token") || line.contains("user")).unwrap();
    world.run(&["token", "revoke", id.split_whitespace().next().unwrap()]).expect(0);
    assert_eq!(curl(&world, &[], &["-b", "jar", &format!("http://{}/v1/status", address(&world))]).status, 401);
}

#[test]
fn c5_neither_an_agent_nor_another_user_can_use_the_link_or_the_cookie() {
    if !have("c5_neither_an_agent_nor_another_user_can_use_the_link_or_the_cookie", &["curl", "setpriv"]) {
        return;
    }
    let world = served();
    let at = address(&world);
    let (url, page) = (link(&world), format!("http://{at}/dashboard/"));
    let rampart = bin("rampart");
    let agent = [rampart.to_str().unwrap(), "wrap", "--agent", "bot", "--"];
    // It neither logs in by a link that it saw, nor does that use the link up.
    assert_eq!(curl(&world, &agent, &[&url]).status, 403);
    let other = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"];
    let root = world.command("id").arg("-u").output().unwrap().stdout == b"0\n";
    let entered = curl(&world, &[], &[&url]);
    assert_eq!(entered.status, 303);
    let cookie = cookie(&entered);
    assert_eq!(curl(&world, &[], &["-H", &cookie, &page]).status, 200);
    let refused = curl(&world, &agent, &["-H", &cookie, &page]);
    assert!(refused.status == 403 && refused.body.contains("session of `bot`"), "{}", refused.body);
    if !root {
        crate::world::skip(
            "c5_neither_an_agent_nor_another_user_can_use_the_link_or_the_cookie",
            "root, for another user",
        );
        return;
    }
    // Browsers send a cookie to every port of a host: whoever else listens on one has it, and nothing of it.
    let refused = curl(&world, &other, &["-H", &cookie, &page]);
    assert!(refused.status == 403 && refused.body.contains("other_user"), "{}", refused.body);
    let refused = curl(&world, &other, &["-H", &cookie, &format!("http://{at}/v1/tokens")]);
    assert!(refused.status == 403 && refused.body.contains("other_user"), "{}", refused.body);
}

#[test]
fn an_agent_gets_no_link() {
    let world = served();
    let rampart = bin("rampart");
    let inner = world.run(&["wrap", "--", rampart.to_str().unwrap(), "dashboard", "--json"]);
    assert!(!inner.stdout.contains("login/") && inner.stderr.contains("session"), "{inner:?}");
    // Nor who is not seen to be at a terminal and bears no token.
    let mut alone = world.command("setsid");
    let ran = Ran::from(alone.args([rampart.to_str().unwrap(), "dashboard", "--json"]).output().unwrap());
    assert!(ran.code == Some(2) && ran.stderr.contains("terminal"), "{ran:?}");
}
