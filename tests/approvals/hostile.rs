//! A6: what an agent writes to deceive whoever answers, on the terminal, on the page, in a notice, and in the trail.

use std::{io::Write as _, os::unix::net::UnixStream};

use serde_json::json;

use super::*;
use crate::world::have;

/// Everything that has ever fooled a reader, with the danger at the end.
fn hostile() -> String {
    let front = "touch ok \u{1b}[2K\u{1b}[1A\rls \u{202e}gpj.exe\u{2066} a\u{200b}b \u{7}https://аpple.com/<b>x</b> \
                 <https://evil.example|ok> [ok](https://evil.example) <!channel> \n# just a note\n";
    format!("{front}{} && rm -rf ~/work-of-years", "x".repeat(700_000))
}

/// What must never reach a person as it is.
const RAW: [char; 7] = ['\u{1b}', '\r', '\u{202e}', '\u{2066}', '\u{200b}', '\u{7}', '\u{430}'];

#[track_caller]
fn is_in_plain_sight(text: &str) {
    assert!(!text.contains(RAW), "{}", text.escape_debug());
    assert!(text.contains("rm -rf ~/work-of-years"), "the dangerous end shows: {}", text.escape_debug());
    assert!(text.contains("characters left out"), "{}", text.escape_debug());
    assert!(text.contains(r"\u{430}pple.com"), "{}", text.escape_debug());
    assert!(text.len() < 40_000, "{} bytes", text.len());
}

#[test]
fn text_that_would_deceive_is_shown_for_what_it_is() {
    if !have("text_that_would_deceive_is_shown_for_what_it_is", &["curl"]) {
        return;
    }
    let mut world = asking();
    let peer = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let hears = peer.local_addr().unwrap().port();
    world.config(&format!(
        "listen: 127.0.0.1:{port}\negress:\n  listen: 127.0.0.1:0\napprovals: {{ base_url: 'http://localhost:{port}' }}\n\
         notify: [{{ url: 'http://localhost:{hears}/hook', on: [ask], format: slack }}]\n"
    ));
    world.serve(&[]);
    let told = crate::notify::bodies(peer);
    let body =
        json!({"agent": "bot\u{1b}[31m\u{202e}", "session": "s<i>", "params": {"command": hostile()}}).to_string();
    let mut asks = UnixStream::connect(world.home().join("run/gateway.sock")).unwrap();
    write!(asks, "POST /v1/tool/exec HTTP/1.1\r\nhost: rampart\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .unwrap();
    let question = pending(&world, 1).remove(0);
    assert_eq!(question["subject"], hostile(), "whoever reads JSON gets all of it");

    is_in_plain_sight(&world.run(&["pending"]).expect(0).stdout);
    let notice = told.recv_timeout(PATIENCE).unwrap();
    let blocks = notice["blocks"].to_string();
    let fallback = notice["text"].as_str().unwrap();
    assert!(!fallback.contains(['<', '>']), "nothing of it is a link or a mention: {fallback}");
    is_in_plain_sight(&serde_json::from_str::<Value>(&blocks).map(|b| texts(&b)).unwrap());
    let links: Vec<_> = urls(&notice);
    let [link] = links.as_slice() else { panic!("{links:?}") };
    assert!(link.starts_with(&format!("http://localhost:{port}/approvals/")), "only ours is one: {link}");

    let page = Ran::from(world.command("curl").args(["-sS", link]).output().unwrap()).expect(0).stdout;
    is_in_plain_sight(&page);
    assert!(!page.contains("<b>") && !page.contains("<i>") && page.contains("&lt;b&gt;"), "markup is text");
    assert!(page.contains("# just a note"), "lines of it are lines");

    let approved = world.run(&["approve", &id(&question)]).expect(0).stdout;
    is_in_plain_sight(&approved);
    // JSON escapes what is hidden; the trail has the text itself, its middle left out.
    let recorded = world.decisions().remove(0)["action"]["command"].as_str().unwrap().to_owned();
    assert!(recorded.starts_with("touch ok \u{1b}[2K") && recorded.ends_with("rm -rf ~/work-of-years"));
}

/// All texts of elements.
#[test]
fn what_a_shell_says_of_a_refusal_is_in_plain_sight() {
    let mut world = asking();
    world.serve(&[]);
    let asked = shell(&world, "s1", "touch ok\u{202e}\u{1b}[2J\u{200b}\u{7}x").spawn().unwrap();
    world.run(&["deny", &only(&world), "--reason", "no\u{202e}\u{1b}[31m"]).expect(0);
    let ran = Ran::from(asked.wait_with_output().unwrap()).expect(126);
    assert!(!ran.stderr.contains(RAW), "{}", ran.stderr.escape_debug());
    assert!(ran.stderr.contains(r"no\u{202e}\u{1b}[31m"), "{ran:?}");
}

fn texts(value: &Value) -> String {
    match value {
        Value::Array(list) => list.iter().map(texts).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| match value.as_str() {
                Some(text) if name == "text" => format!("{text} "),
                _ => texts(value),
            })
            .collect(),
        _ => String::new(),
    }
}

/// All addresses of elements.
fn urls(value: &Value) -> Vec<String> {
    match value {
        Value::Array(list) => list.iter().flat_map(urls).collect(),
        Value::Object(members) => {
            let own = members.get("url").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(members.values().flat_map(urls)).collect()
        }
        _ => Vec::new(),
    }
}
