//! The road looked at: what it would decide, what gets out past it, what went over it, and what it shows people.

use std::io::Write as _;

use serde_json::Value;

use super::{POLICY, Road};
use crate::world::{bin, have, root};

#[test]
fn a_request_can_be_asked_about_before_it_is_made() {
    let test = "a_request_can_be_asked_about_before_it_is_made";
    let inside = "      - action: deny\n        when: { url_path_matches: [\"/inside\"], ip_in: [loopback] }\n        message: Not inside\n";
    let Some(road) = Road::with(test, &format!("{POLICY}{inside}"), "  allow_private: [10.1.0.0/16]\n") else { return };
    let check = |args: &[&str]| road.world.run(&[&["egress", "check"], args].concat());
    let ran = check(&["https://origin.test/x"]).expect(0);
    for words in ["connect", "fetch", "reach      127.0.0.1"] {
        assert!(ran.stdout.contains(words), "{words}: {ran:?}");
    }
    let told = |args: &[&str], code: i32| -> Vec<Value> {
        let ran = check(&[args, &["--json"]].concat()).expect(code);
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let all = told(&["https://denied.test/x"], 1);
    let decisions: Vec<_> =
        all.iter().map(|one| (one["tool"].as_str(), one["decision"]["decision"].as_str())).collect();
    let expected = [("connect", "allow"), ("fetch", "deny"), ("reach", "allow")].map(|(a, b)| (Some(a), Some(b)));
    assert_eq!(decisions, expected);
    assert!(
        check(&["https://origin.test/inside"]).expect(1).stdout.contains("Not inside"),
        "the address is judged, too"
    );
    for (url, args, code, reason) in [
        ("http://169.254.169.254/latest", &[][..], 1, "private_address"),
        ("https://0x7f.1/", &[], 1, "private_address"),
        ("https://[::ffff:10.0.0.1]/", &[], 1, "private_address"),
        ("https://localhost:8443/", &[], 1, "private_address"),
        ("https://10.1.2.3/", &[], 0, ""),
        ("https://1.1.1.1/", &[], 0, ""),
        ("https://nowhere.invalid/", &[], 0, ""),
        ("https://nowhere.invalid/", &["--dns"], 1, "unresolved"),
        ("https://localhost/", &["--dns"], 1, "private_address"),
    ] {
        let all = told(&[&[url], args].concat(), code);
        assert_eq!(all.last().unwrap()["decision"]["reason"], reason, "{url} {args:?}: {all:?}");
    }
    let ran = check(&["https://127.1/"]).expect(1);
    assert!(ran.stdout.contains("loopback") && ran.stdout.contains("egress.allow_private"), "{ran:?}");
    check(&["not an address"]).expect(2);
    assert!(road.world.decisions().is_empty(), "asking leaves no record");
}

#[test]
fn browsers_are_told_how_to_use_the_proxy_and_see_a_page_of_ones_own() {
    let test = "browsers_are_told_how_to_use_the_proxy_and_see_a_page_of_ones_own";
    let mut page = tempfile::NamedTempFile::new().unwrap();
    page.write_all(b"<h1>No: {{message}}</h1><p>{{rule}}</p>").unwrap();
    let more = format!("  block_page: {}\n  limits: {{head_size: 2kb}}\n", page.path().display());
    let Some(road) = Road::with(test, POLICY, &more) else { return };
    let proxy = road.world.status()["egress"].as_str().unwrap().to_owned();
    let pac = road.world.run(&["egress", "pac"]).expect(0).stdout;
    assert!(pac.contains(&format!("PROXY {proxy}")) && pac.contains("FindProxyForURL"), "{pac}");
    let served = road.shell(&format!("curl -sS --noproxy '*' http://{proxy}/proxy.pac")).expect(0);
    assert_eq!(served.stdout, pac);
    let url = road.url("denied.test", "/");
    let shown = road.shell(&format!("curl -sS -H 'Accept: text/html' {url}")).expect(0).stdout;
    assert_eq!(shown, "<h1>No: This host is off limits</h1><p>no-denied-test</p>");
    let long = "x".repeat(3000);
    let url = road.url("origin.test", "/1k");
    let ran = road.shell(&format!("curl -sS -o /dev/null -w '%{{http_code}}' -H 'X-Long: {long}' {url}"));
    assert_eq!(ran.stdout, "431", "{ran:?}");
}

#[test]
fn a_sessions_requests_are_written_as_an_archive() {
    let Some(road) = Road::open("a_sessions_requests_are_written_as_an_archive") else { return };
    let urls = [road.url("origin.test", "/digest?a=b"), road.url("denied.test", "/x")];
    road.shell(&format!("curl -sS -o /dev/null {} {} -o /dev/null", urls[0], urls[1])).expect(0);
    road.shell(&format!("curl -sS -o /dev/null -d hello {}", road.url("origin.test", "/post"))).expect(0);
    // One that is packed, one that is no text, and one whose address holds a secret.
    let secret = ["glpat-", "aB3dE5fG7hJ9kL1mN2pQ"].concat();
    let more =
        [road.url("origin.test", "/packed"), road.url("origin.test", "/1k"), road.url("origin.test", "/headers?")];
    let more = format!("curl -sS --compressed -b 'sid={secret}' {} {} '{}{secret}'", more[0], more[1], more[2]);
    road.shell(&format!("{more} > /dev/null")).expect(0);
    let all = road.world.run(&["egress", "export"]).expect(0).stdout;
    assert!(!all.contains(&secret) && all.contains("hmac-sha256:"), "{all}");
    let all: Value = serde_json::from_str(&all).unwrap();
    let schema: Value = serde_json::from_str(include_str!("har-1.2.schema.json")).unwrap();
    let wrong: Vec<String> = jsonschema::validator_for(&schema)
        .unwrap()
        .iter_errors(&all)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let entries = all["log"]["entries"].as_array().unwrap();
    let told = |e: &Value| {
        let (response, content) = (&e["response"], &e["response"]["content"]);
        format!("{} {} {} {}", response["status"], content["size"], response["bodySize"], content["mimeType"])
    };
    let told: Vec<String> = entries.iter().map(told).collect();
    let packed = entries[3]["response"]["bodySize"].as_i64().unwrap();
    let expected = [
        "200 64 64 \"text/plain\"".to_owned(),
        "403 0 -1 \"\"".to_owned(),
        "200 7 7 \"text/plain\"".to_owned(),
        format!("200 {} {packed} \"text/plain\"", entries[3]["response"]["content"]["size"]),
        "200 1024 1024 \"application/octet-stream\"".to_owned(),
    ];
    assert_eq!(told[..5], expected, "{all:#}");
    assert!(entries[3]["response"]["content"]["size"].as_i64().unwrap() != packed, "packed and unpacked: {all:#}");
    let coded = serde_json::json!({ "name": "content-encoding", "value": "gzip" });
    assert!(entries[3]["response"]["headers"].as_array().unwrap().contains(&coded), "{all:#}");
    assert!(entries[0]["time"].as_f64().unwrap() > 0.0 && entries[0]["time"] == entries[0]["timings"]["wait"]);
    assert_eq!(entries[0]["request"]["queryString"][0]["name"], "a");
    let session = entries[2]["_rampart"]["session"].as_str().unwrap();
    let file = road.world.path("one.har");
    let ran = road.world.run(&["egress", "export", "--session", session, "--output", file.to_str().unwrap()]).expect(0);
    assert!(ran.stderr.contains("1 requests"), "{ran:?}");
    let one: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(one["log"]["entries"].as_array().unwrap().len(), 1);
    assert_ne!(road.world.run(&["egress", "export", "--output", file.to_str().unwrap()]).code, Some(0), "it is there");
}

#[test]
fn java_trusts_what_it_meets_behind_the_proxy() {
    let test = "java_trusts_what_it_meets_behind_the_proxy";
    if !have(test, &["java"]) {
        return;
    }
    let Some(road) = Road::open(test) else { return };
    let source = road.world.write(
        "project/Get.java",
        "public class Get { public static void main(String[] a) throws Exception { for (String u : a) { var c = (java.net.HttpURLConnection) new java.net.URL(u).openConnection(); System.out.println(c.getResponseCode() + \" \" + c.getHeaderField(\"x-rampart-rule\")); } } }",
    );
    let urls = format!("{} {}", road.url("origin.test", "/1k"), road.url("denied.test", "/"));
    let ran = road.shell(&format!("java {} {urls}", source.display())).expect(0);
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), ["200 null", "403 no-denied-test"], "{ran:?}");
}

/// A network of its own, in which every address is this machine. First nothing listens, then a server past the proxy,
/// then the proxy that everything is redirected to.
const SCRIPT: &str = r#"
set -e
ip link set lo up
probe() { "$2" egress probe --to 203.0.113.7 --to6 2001:db8:2::9 --json; }
say() { set +e; probe "$@" ; echo "exit $?"; set -e; }
say "$@"
ip route add local default dev lo
ip -6 route add local default dev lo
python3 -c 'import socket,time
for port in (80, 443):
    s = socket.socket(); s.bind(("", port)); s.listen(); globals()[f"s{port}"] = s
print("up", flush=True); time.sleep(60)' > "$1/server.log" &
server=$!
while ! [ -s "$1/server.log" ]; do sleep 0.05; done
say "$@"
kill $server
nft -f - <<N
table inet rampart {
  chain out { type nat hook output priority -100; policy accept;
    meta skuid 0 meta l4proto tcp tcp dport { 80, 443 } redirect to :15001
    udp dport 53 redirect to :15053
  }
  chain filter { type filter hook output priority 0; policy accept;
    icmp type echo-request drop
    udp dport 443 reject
  }
}
N
printf 'listen: 127.0.0.1:0\negress:\n  listen: 127.0.0.1:0\n  transparent: "[::]:15001"\n  dns_listen: 127.0.0.1:15053\n  dns: ["203.0.113.53:1"]\n' > "$RAMPART_HOME/config.yaml"
"$2" serve --background
trap '"$2" serve stop' EXIT
say "$@"
"#;

#[test]
fn g8_what_gets_out_past_the_proxy_is_found_by_trying() {
    let test = "g8_what_gets_out_past_the_proxy_is_found_by_trying";
    if !have(test, &["nft", "ip", "unshare", "python3"]) {
        return;
    }
    if !std::process::Command::new("unshare").args(["-n", "true"]).status().is_ok_and(|s| s.success()) {
        eprintln!("{test}: skipped, a network of its own cannot be made here");
        return;
    }
    let world = crate::world::World::with_policy("version: \"1\"\ndefault_action: allow\npolicies: []\n");
    let mut unshare = world.command("unshare");
    unshare.args(["-n", "sh", "-c", SCRIPT, "sh"]).arg(world.path(".")).arg(bin("rampart"));
    unshare.current_dir(root());
    let ran = crate::world::Ran::from(unshare.output().unwrap());
    let lines: Vec<_> = ran.stdout.lines().collect();
    let [nothing, first, server, second, jail, third] = lines.as_slice() else { panic!("{ran:?}") };
    let ways = |line: &str| {
        let told: Value = serde_json::from_str(line).unwrap();
        let ways =
            told["ways"].as_array().unwrap().iter().map(|w| format!("{} {}", w["way"], w["leads"]).replace('"', ""));
        (told["verdict"].as_str().unwrap().to_owned(), ways.collect::<Vec<_>>())
    };
    let (verdict, closed) = ways(nothing);
    assert_eq!((verdict.as_str(), *first), ("enforced", "exit 0"), "{nothing}");
    assert!(closed.len() == 12 && closed.iter().all(|way| way.ends_with("closed")), "{closed:?}");
    let (verdict, open) = ways(server);
    assert_eq!((verdict.as_str(), *second), ("advisory", "exit 1"), "{server}");
    for way in ["tcp-80 open", "tcp-443 open", "raw-ip open"] {
        assert!(open.contains(&way.to_owned()), "{way}: {open:?}");
    }
    let (verdict, ours) = ways(jail);
    assert_eq!((verdict.as_str(), *third), ("enforced", "exit 0"), "{jail}");
    for way in ["tcp-80 proxied", "tcp-443 proxied", "ipv6-tcp-443 proxied", "dns-53 proxied", "udp-443 closed"] {
        assert!(ours.contains(&way.to_owned()), "{way}: {ours:?}");
    }
}
