//! Rules about requests and answers, each kind on the real road.

use super::Road;

/// A policy with a rule for each of these conditions, each for a path of its own: `/0`, `/1`, …
fn one_rule_each(conditions: &[(&str, &str)], matching: &str) -> String {
    let rule = |(number, (condition, _)): (usize, &(&str, &str))| {
        format!("      - {{ action: deny, when: {{ url_path_matches: [/{number}], {condition} }} }}\n")
    };
    let rules = conditions.iter().enumerate().map(rule).collect::<Vec<_>>().concat();
    format!("version: \"1\"\ndefault_action: allow\npolicies:\n  - name: p\n    match: {matching}\n    rules:\n{rules}")
}

#[test]
fn each_condition_about_a_request_stops_what_it_speaks_of_and_nothing_else() {
    let secret = "ghp_0123456789abcdefghijklmnopqrstuvwx01";
    let with_secret = format!("-d 'token={secret}'");
    let conditions = [
        ("domain_matches: ['*.test']", ""),
        ("method: [PUT]", "-X PUT"),
        ("method: [PUT]", "-X PATCH"),
        ("port: ['1024-65535']", ""),
        ("port: [443]", ""),
        ("ip_in: [loopback]", ""),
        ("ip_in: [198.51.100.0/24]", ""),
        ("header_matches: {x-team: 'red*'}", "-H 'X-Team: redder'"),
        ("header_matches: {x-team: 'red*'}", "-H 'X-Team: blue'"),
        ("body_contains: [sesame]", "-d 'Open SESAME'"),
        ("body_contains: [sesame]", "-d 'open wheat'"),
        ("body_matches: ['^a+$']", "-d aaa"),
        ("body_matches: ['^a+$']", "-d aab"),
        ("body_size: {gt: 3}", "-d 1234"),
        ("body_size: {gt: 3}", "-d 123"),
        ("content_type_matches: ['text/*']", "-d x -H 'Content-Type: Text/CSV; header=absent'"),
        ("content_type_matches: ['text/*']", "-d x -H 'Content-Type: application/json'"),
        ("detects: [secret]", with_secret.as_str()),
        ("detects: [secret]", "-d token=none"),
        ("session_matches: ['nobody*']", ""),
    ];
    let stopped = [0, 1, 3, 5, 7, 9, 11, 13, 15, 17];
    let test = "each_condition_about_a_request_stops_what_it_speaks_of_and_nothing_else";
    let Some(road) = Road::with(test, &one_rule_each(&conditions, "{ tool: fetch }"), "") else { return };
    let one = |(number, (_, curl)): (usize, &(&str, &str))| {
        format!(
            "curl -sS -o /dev/null -w '%{{http_code}}\\n' {curl} {}\n",
            road.url("origin.test", &format!("/{number}"))
        )
    };
    let script = conditions.iter().enumerate().map(one).collect::<Vec<_>>().concat();
    let ran = road.shell(&script).expect(0);
    for (number, (status, condition)) in ran.stdout.lines().zip(&conditions).enumerate() {
        assert_eq!(status == "403", stopped.contains(&number), "{number}: {condition:?} {status}");
    }
    assert_eq!(ran.stdout.lines().count(), conditions.len());
}

#[test]
fn each_condition_about_an_answer_stops_it() {
    let conditions = [
        ("content_type_matches: [text/html]", "html"),
        ("content_type_matches: [text/html]", "txt"),
        ("header_matches: {server: 'SimpleHTTP*'}", "txt"),
        ("header_matches: {server: 'nginx*'}", "txt"),
        ("body_size: {gt: 10}", "txt"),
        ("body_size: {gt: 10KB}", "txt"),
        ("response_matches: [sesame]", "txt"),
        ("detects: [secret]", "key"),
    ];
    let stopped = [0, 2, 4, 6, 7];
    let policy = one_rule_each(&conditions, "{ tool: fetch, phase: after }");
    let policy = (0..conditions.len()).fold(policy, |p, n| p.replace(&format!("[/{n}]"), &format!("[/*/{n}.*]")));
    let Some(road) = Road::with("each_condition_about_an_answer_stops_it", &policy, "") else { return };
    let mut script = String::new();
    for (number, (_, kind)) in conditions.iter().enumerate() {
        let name = format!("origin/web/{kind}/{number}");
        let ending = if *kind == "html" { ".html" } else { ".txt" };
        let text = match *kind {
            "key" => "token: ghp_0123456789abcdefghijklmnopqrstuvwx01\n",
            _ => "open sesame, please\n",
        };
        road.world.write(&format!("{name}{ending}"), text);
        let url = road.url("origin.test", &format!("/{kind}/{number}{ending}"));
        script.push_str(&format!("curl -sS -o /dev/null -w '%{{http_code}}\\n' {url}\n"));
    }
    let ran = road.shell(&script).expect(0);
    for (number, (status, condition)) in ran.stdout.lines().zip(&conditions).enumerate() {
        assert_eq!(status == "403", stopped.contains(&number), "{number}: {condition:?} {status}");
    }
}

#[test]
fn a_session_that_has_read_what_anybody_could_have_written_is_known_by_its_label() {
    let policy = "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: p\n    match: { tool: fetch }\n    rules:\n      - { action: deny, when: { label: [untrusted-content], method: [POST] } }\n";
    let test = "a_session_that_has_read_what_anybody_could_have_written_is_known_by_its_label";
    let Some(road) = Road::with(test, policy, "") else { return };
    let url = road.url("origin.test", "/x");
    let code = "-o /dev/null -w '%{http_code} '";
    let ran = road.shell(&format!("curl -sS {code} -d x {url}\ncurl -sS {code} -d x {url}")).expect(0);
    assert_eq!(ran.stdout, "200 403 ");
}

#[test]
fn a_destination_has_a_budget_of_requests_and_bytes_and_a_download_beyond_it_breaks_off() {
    let policy = "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: few\n    rules:\n      - { action: deny, when: { domain_matches: [localhost], budget: { window: 1h, requests: 2 } }, message: Enough requests }\n  - name: little\n    rules:\n      - { action: deny, when: { domain_matches: [origin.test], budget: { window: 1h, sent: 2KB, received: 1MB } }, message: Enough bytes }\n";
    let test = "a_destination_has_a_budget_of_requests_and_bytes_and_a_download_beyond_it_breaks_off";
    let more = "  allow_private: [localhost]\n";
    let Some(road) = Road::with(test, policy, more) else { return };
    // The decision to break off is on record before it holds, and meanwhile a quick download goes on.
    road.world.write("origin/web/large.bin", vec![7_u8; 64 << 20]);
    let code = "-o /dev/null -w '%{http_code} '";
    let near = road.url("localhost", "/1k");
    let ran =
        road.shell(&format!("export NO_PROXY= no_proxy=\nfor i in 1 2 3; do curl -sS {code} {near}; done")).expect(0);
    assert_eq!(ran.stdout, "200 200 403 ");
    let upload = road.url("origin.test", "/x");
    let ran = road.shell(&format!(
        "head -c 3000 /dev/zero | curl -sS {code} --data-binary @- {upload}; curl -sS {code} -d x {upload}"
    ));
    assert_eq!(ran.expect(0).stdout, "403 200 ", "an upload that is too large is refused at once");
    let large = road.url("origin.test", "/large.bin");
    let ran = road.shell(&format!(
        "curl -sS -o /dev/null -w '%{{http_code}} %{{size_download}}' {large} || true; echo; curl -sS {upload} -d x"
    ));
    let mut lines = ran.stdout.lines();
    let (status, size) = lines.next().unwrap().split_once(' ').unwrap();
    let size: u64 = size.parse().unwrap();
    assert!(status == "200" && size > 512 << 10 && size < 64 << 20, "{ran:?}");
    assert!(lines.next().unwrap().contains("Enough bytes"), "{ran:?}");
    let denied: Vec<_> = road.world.decisions().into_iter().filter(|d| d["outcome"] == "deny").collect();
    let broken_off = |d: &serde_json::Value| d["action"].to_string().contains("large.bin");
    assert!(denied.iter().any(broken_off), "what was broken off is on record: {denied:#?}");
}

#[test]
fn a_host_that_nobody_has_contacted_is_new_also_after_a_restart_but_only_once() {
    let policy = "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: new-hosts\n    match: { tool: fetch }\n    rules:\n      - { action: watch, when: { first_seen: ever } }\n";
    let test = "a_host_that_nobody_has_contacted_is_new_also_after_a_restart_but_only_once";
    let Some(mut road) = Road::with(test, policy, "") else { return };
    let get = format!("curl -sS -o /dev/null {}", road.url("origin.test", "/1k"));
    road.shell(&format!("{get}; {get}")).expect(0);
    road.world.run(&["serve", "stop"]).expect(0);
    road.world.gateway().wait().unwrap();
    road.world.serve(&[]);
    road.shell(&get).expect(0);
    let watched = road.world.decisions().into_iter().filter(|d| d["outcome"] == "watch").count();
    assert_eq!(watched, 1, "{:#?}", road.world.decisions());
}

#[test]
fn a_budget_also_ends_what_nobody_looks_into_and_a_long_body_is_one_request() {
    let policy = "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: little\n    rules:\n      - { action: deny, when: { domain_matches: [origin.test], budget: { window: 1h, received: 1MB } } }\n      - { action: deny, when: { domain_matches: [localhost], call_count: { tool: fetch, gte: 3, window: 1h, per: host } } }\n";
    let test = "a_budget_also_ends_what_nobody_looks_into_and_a_long_body_is_one_request";
    let Some(road) = Road::with(test, policy, "  passthrough: [origin.test]\n  allow_private: [localhost]\n") else {
        return;
    };
    let near = road.url("localhost", "/x");
    let one = format!(
        "head -c 300000 /dev/urandom | base64 -w 60 | curl -sS -o /dev/null -w '%{{http_code}} ' --data-binary @- {near}\n"
    );
    let ran = road.shell(&format!("export NO_PROXY= no_proxy=\n{one}{one}{one}")).expect(0);
    assert_eq!(ran.stdout, "200 200 403 ");
    road.world.write("origin/web/large.bin", vec![7_u8; 400 << 20]);
    let root = road.world.path("origin/origin-ca.pem");
    let get = format!("curl -sS --limit-rate 30M --cacert {} -o /dev/null -w '%{{size_download}}'", root.display());
    let ran = road.shell(&format!("{get} {} || true", road.url("origin.test", "/large.bin")));
    let size: u64 = ran.stdout.parse().unwrap();
    assert!(size > 1 << 20 && size < 400 << 20, "{ran:?}");
    let ran = road.shell(&format!("curl -sS -k {}", road.url("origin.test", "/1k")));
    assert_ne!(ran.code, Some(0), "nothing more goes there: {ran:?}");
}
