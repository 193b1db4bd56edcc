//! `rampart report` over a real trail.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::world::{Ran, World, root};

const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: "no <b>destruction</b>"
    rules:
      - action: deny
        when: { effect: delete }
        message: "Nothing is <i>deleted</i> here"
  - name: deploys
    match: { tool: exec }
    rules:
      - action: ask
        ask: { audit: true }
        when: { command_matches: ["kubectl *"] }
        message: A deployment needs a human
"#;

const HOSTILE: &str = "rm -rf '<img src=x onerror=alert(1)>' \u{202e}\u{1b}[2J \"&quot;\"";

fn hook(world: &World, agent: &str, command: &str) -> Ran {
    let call = json!({"session_id": format!("s-{agent}"), "cwd": world.project(), "hook_event_name": "PreToolUse",
        "tool_name": "Bash", "tool_input": {"command": command}});
    world.run_with(&["hook", "--format", "claude-code"], call.to_string().as_bytes())
}

/// A trail with a bit of everything.
fn world() -> World {
    let mut world = World::with_policy(POLICY);
    world.serve(&[]);
    hook(&world, "a", "ls").expect(0);
    hook(&world, "a", "curl -s https://api.example.com/v1").expect(0);
    hook(&world, "b", HOSTILE).expect(2);
    hook(&world, "b", "rm -rf build").expect(2);
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| hook(&world, "a", "kubectl apply -f prod.yaml"));
        let id = loop {
            let pending = world.run(&["pending", "--json"]).expect(0).stdout;
            if let Some(line) = pending.lines().next() {
                break serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
            }
        };
        world.run(&["deny", &id, "--reason", "not <u>today</u>"]).expect(0);
        asked.join().unwrap().expect(2);
    });
    world
}

#[test]
fn a_report_says_the_same_as_a_summary_a_page_and_json() {
    let world = world();
    let told = world.run(&["report", "--json"]).expect(0).json();
    assert_eq!(told["schema"], "rampart.report.v1");
    assert_eq!(told["decisions"], json!({"allow": 2, "ask": 1, "deny": 2}));
    assert_eq!(told["stopped"][0]["rule"], "no <b>destruction</b>");
    assert_eq!((&told["stopped"][0]["times"], &told["stopped"][0]["example"]), (&json!(2), &json!("rm -rf build")));
    assert_eq!(told["destinations"], json!([{"name": "api.example.com", "calls": 1, "stopped": 0}]));
    assert_eq!(told["surfaces"], json!([{"name": "hook", "calls": 5, "stopped": 3}]));
    assert_eq!(told["agents"][0]["sessions"], 2);
    assert_eq!(told["questions"], json!({"asked": 1, "denied": 1}));
    let answer = &told["answers"][0];
    assert_eq!((&answer["event"], &answer["reason"]), (&json!("denied"), &json!("not <u>today</u>")));
    assert_eq!((&answer["agent"], &answer["subject"]), (&json!("claude-code"), &json!("kubectl apply -f prod.yaml")));
    assert_eq!(told["people"][0]["denied"], 1);
    assert_eq!(told["chain"]["ok"], true);
    for (list, prefix) in [("owasp_agentic", "ASI"), ("owasp_mcp", "MCP")] {
        let ids: Vec<_> =
            told[list].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ids, (1..=10).map(|n| format!("{prefix}{n:02}")).collect::<Vec<_>>());
        for it in told[list].as_array().unwrap() {
            assert!(!it["gap"].as_str().unwrap().is_empty() && !it["evidence"].as_array().unwrap().is_empty(), "{it}");
        }
    }
    let misuse = &told["owasp_agentic"][1]["evidence"][1];
    assert_eq!((&misuse["times"], &misuse["rules"][0]), (&json!(3), &json!(["no <b>destruction</b>", 2])));

    let summary = world.run(&["report"]).expect(0).stdout;
    for text in
        ["5 calls since", "deny             2", "api.example.com", "1 asked, 1 denied", "verified", "ASI10", "MCP10"]
    {
        assert!(summary.contains(text), "{text} is not in {summary}");
    }
    assert!(!summary.contains('\u{1b}') && !summary.contains('\u{202e}'), "{summary:?}");

    let file = world.path("report.html");
    let wrote = world.run(&["report", "--html", "-o", file.to_str().unwrap()]).expect(0);
    assert!(wrote.stdout.is_empty() && wrote.stderr.contains("5 decisions"), "{wrote:?}");
    let page = std::fs::read_to_string(&file).unwrap();
    for text in [
        "no &lt;b&gt;destruction&lt;/b&gt;",
        "Nothing is &lt;i&gt;deleted&lt;/i&gt; here",
        "not &lt;u&gt;today&lt;/u&gt;",
        "api.example.com",
        "<b class=allow>verified</b>",
        "ASI01",
        "MCP09",
        "Not covered:",
    ] {
        assert!(page.contains(text), "{text} is not in {page}");
    }
    world.run(&["report", "--html", "-o", file.to_str().unwrap()]).expect(2);
}

#[test]
fn nothing_on_the_page_runs_or_loads_whatever_agents_wrote() {
    let mut world = World::with_policy(POLICY);
    world.serve(&[]);
    hook(&world, "x", HOSTILE).expect(2);
    let page = world.run(&["report", "--html"]).expect(0).stdout;
    assert!(
        page.contains(
            r"rm -rf &#x27;&lt;img src=x onerror=alert(1)&gt;&#x27; \u{202e}\u{1b}[2J &quot;&amp;quot;&quot;"
        )
    );
    assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'"));
    let tags: BTreeSet<&str> = page
        .split('<')
        .skip(1)
        .map(|tag| tag.split(['>', ' ', '\n']).next().unwrap().trim_start_matches('/'))
        .collect();
    let ours = [
        "!doctype", "b", "body", "br", "code", "div", "h1", "h2", "h3", "head", "header", "html", "li", "meta", "p",
        "section", "small", "span", "style", "table", "td", "th", "title", "tr", "ul",
    ];
    assert!(tags.iter().all(|tag| ours.contains(tag)), "{tags:?}");
    for loads in ["src=", "href=", "url(", "@import", "http-equiv=refresh"] {
        let at: Vec<_> = page.match_indices(loads).map(|(at, _)| &page[at.saturating_sub(20)..at]).collect();
        // As text of the agent's own, it is harmless.
        assert!(at.iter().all(|before| before.contains("&lt;img")), "{loads} after {at:?}");
    }
    assert!(!page.contains('\u{202e}') && !page.contains('\u{1b}'));
}

#[test]
fn a_trail_that_was_changed_is_reported_as_such_and_other_times_are_left_out() {
    let mut world = world();
    world.signal("-TERM");
    world.gateway().wait().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let later = world.run(&["report", "--json", "--last", "1s"]).expect(0).json();
    assert_eq!((&later["records"], &later["chain"]["ok"]), (&json!(0), &json!(true)), "{later}");
    let segment = std::fs::read_dir(world.home().join("audit")).unwrap().map(|e| e.unwrap().path());
    let segment = segment.filter(|path| path.extension().is_some_and(|e| e == "jsonl")).min().unwrap();
    let text = std::fs::read_to_string(&segment).unwrap();
    std::fs::write(&segment, text.replacen("rm -rf build", "rm -rf BUILD", 1)).unwrap();
    let told = world.run(&["report"]).expect(1);
    assert!(told.stdout.contains("not what was written"), "{told:?}");
    assert!(world.run(&["report", "--html"]).expect(1).stdout.contains("<b class=deny>not what was written</b>"));
    let bad = world.run(&["report", "--last", "soon"]).expect(2);
    assert!(bad.stderr.contains("write it as 24h, 7d or 90d"), "{bad:?}");
}

#[test]
fn every_member_of_the_json_has_its_line() {
    let mut world = World::new();
    world.serve(&[]);
    let told = world.run(&["report", "--json"]).expect(0).json();
    let page = std::fs::read_to_string(root().join("docs/report.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")).filter_map(|line| line.split(" | ").next());
    let named: BTreeSet<&str> =
        rows.flat_map(|cell| cell.split('`')).filter(|word| !word.contains([' ', ','])).collect();
    for member in told.as_object().unwrap().keys() {
        assert!(named.contains(member.as_str()), "docs/report.md does not tell of `{member}`");
    }
}
