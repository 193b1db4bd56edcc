//! `rampart wrap` and `rampart run`: what an agent's processes find around them.

use std::{fs, process::Stdio};

use serde_json::json;

use crate::world::{Ran, World, bin};

const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: tests
    rules:
      - action: deny
        when: {command_matches: ["touch *", "/usr/bin/touch *", "/bin/touch *"]}
        message: no touching
"#;

fn run(world: &World, args: &[&str]) -> Ran {
    Ran::from(world.rampart(args).stdin(Stdio::null()).output().unwrap())
}

#[test]
fn what_is_wrapped_finds_shells_that_ask_the_proxy_and_what_to_trust() {
    let mut world = World::with_policy(POLICY);
    world.serve(&[]);
    let ran = run(&world, &["wrap", "--agent", "mine", "--", "env"]).expect(0);
    let variable = |name: &str| {
        let line = ran.stdout.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap_or_else(|| panic!("{name}: {ran:?}")).to_owned()
    };
    let shells = world.home().join("state/shells");
    assert_eq!(variable("SHELL"), shells.join("bash").to_str().unwrap());
    assert_eq!(variable("CLAUDE_CODE_SHELL"), variable("SHELL"));
    assert!(variable("PATH").starts_with(&format!("{}:", shells.display())));
    let proxy = world.status()["egress"].as_str().unwrap().to_owned();
    for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        assert!(variable(name).ends_with(&proxy), "{name}");
    }
    for name in [
        "SSL_CERT_FILE",
        "NODE_EXTRA_CA_CERTS",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "GIT_SSL_CAINFO",
        "CODEX_CA_CERTIFICATE",
    ] {
        assert!(std::path::Path::new(&variable(name)).is_file(), "{name}");
    }
    assert_eq!(variable("RAMPART_AGENT"), "mine");
    assert!(!ran.stdout.contains("RAMPART_TOKEN"));
}

#[test]
fn every_shell_on_the_way_asks_and_a_refusal_says_why_and_what_to_do() {
    let mut world = World::with_policy(POLICY);
    world.serve(&[]);
    for command in [
        "bash -c 'touch marker'",
        "sh -ec 'touch marker'",
        "dash -c 'touch marker'",
        "$SHELL -lc 'touch marker'",
        "$CLAUDE_CODE_SHELL -o pipefail -c 'touch marker'",
        "echo 'touch marker' | sh",
        "echo 'touch marker' > script; bash script",
        "echo 'touch marker' | bash -s",
        "(exec -a -bash bash -c 'touch marker')",
        "env bash +O extglob -c 'touch marker'",
    ] {
        // The first shell is what the user asked for; it is bash for `exec -a`.
        let ran = run(&world, &["wrap", "--", "bash", "-c", command]);
        assert_eq!(ran.code, Some(126), "{command}: {ran:?}");
        assert!(ran.stderr.contains("rampart: refused: no touching. Rule: tests (custom.yaml:"), "{command}: {ran:?}");
        assert!(ran.stderr.contains("A human can allow it with: rampart allow"), "{command}: {ran:?}");
        assert!(
            ran.stderr.contains("rampart: 1 call judged, 1 refused; `rampart log --deny` shows them"),
            "{command}: {ran:?}"
        );
        assert!(!world.project().join("marker").exists(), "{command}");
    }
    let ran = run(&world, &["wrap", "--", "sh", "-c", "sh -c 'exit 7'"]);
    assert_eq!(ran.code, Some(7), "{ran:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_tool_that_was_installed_before_is_judged_by_its_path_and_what_came_later_by_its_text() {
    let mut world = World::with_policy(POLICY);
    world.serve(&[]);
    // As a version manager's scripts are: more than what would run here.
    let text = "#!/usr/bin/env bash\necho ran $1\nfalse && touch marker\nexit 0\n";
    for place in ["home/.tool/bin/tool", "home/.tool/bin/moved", "home/plain", "project/own"] {
        let file = world.write(place, text);
        crate::world::set_mode(&file, 0o755);
    }
    // Change times are compared to the second, with one that the kernel's time of its own start has been cut to.
    std::thread::sleep(std::time::Duration::from_millis(3_500));
    for (command, ran_it) in [
        ("~/.tool/bin/tool a", true),
        ("bash ~/.tool/bin/tool a", true),
        ("cd /; ~/.tool/bin/tool a", true),
        // What is no tool of the person's, or was touched since.
        ("~/plain a", false),
        ("./own a", false),
        ("HOME=/nowhere bash ~/plain a", false),
        ("mv ~/.tool/bin/moved ~/.tool/bin/other; ~/.tool/bin/other a", false),
        ("cp ~/.tool/bin/tool ~/.tool/bin/copy; ~/.tool/bin/copy a", false),
        ("chmod +x ~/.tool/bin/tool; ~/.tool/bin/tool a", false),
    ] {
        let ran = run(&world, &["wrap", "--", "/bin/sh", "-c", command]);
        assert_eq!(ran.stdout == "ran a\n", ran_it, "{command}: {ran:?}");
        assert_eq!(ran.stderr.contains("no touching"), !ran_it, "{command}: {ran:?}");
    }
    // One more wrapper begins nothing anew.
    let file = world.write("home/.tool/bin/late", text);
    crate::world::set_mode(&file, 0o755);
    let nested =
        format!("touch -c ~/.tool/bin/late; sleep 2.5; {} wrap -- ~/.tool/bin/late a", bin("rampart").display());
    let ran = run(&world, &["wrap", "--", "/bin/sh", "-c", &nested]);
    assert!(ran.stderr.contains("no touching"), "{ran:?}");
}

#[test]
fn a_session_is_watched_only_where_a_person_says_so() {
    let mut world = World::with_policy(POLICY);
    world.serve(&[]);
    let ran = run(&world, &["wrap", "--mode", "monitor", "--", "bash", "-c", "sh -c 'touch marker'"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(world.project().join("marker").exists(), "{ran:?}");
    let decisions = world.decisions();
    assert_eq!(decisions.len(), 1, "{decisions:#?}");
    assert_eq!(
        (&decisions[0]["outcome"], &decisions[0]["verdict"]),
        (&json!("deny"), &json!("allow")),
        "{decisions:#?}"
    );
    assert_eq!(decisions[0]["mode"], "monitor", "{decisions:#?}");
    assert_eq!(world.status()["mode"], "enforce", "of the gateway nothing changed");

    // Inside of a session that is enforced it is an agent that asks.
    fs::remove_file(world.project().join("marker")).unwrap();
    let rampart = bin("rampart");
    for verb in ["wrap", "preload"] {
        let inner = format!("{} {verb} --mode monitor -- bash -c 'sh -c \"/usr/bin/touch marker\"'", rampart.display());
        let ran = run(&world, &["wrap", "--", "/bin/sh", "-c", &inner]);
        assert!(!world.project().join("marker").exists(), "{verb}: {ran:?}");
        assert!(ran.stderr.contains("--mode monitor is for people"), "{verb}: {ran:?}");
    }

    // Inside of one that is only watched it stays so, whatever an agent begins there.
    let inner = format!("{} wrap -- bash -c 'sh -c \"touch marker\"'; touch other", rampart.display());
    let ran = run(&world, &["wrap", "--mode", "monitor", "--", "/bin/sh", "-c", &inner]);
    for name in ["marker", "other"] {
        assert!(world.project().join(name).exists(), "{name}: {ran:?}");
    }
}

#[test]
fn what_is_run_has_everything_around_it_and_is_told_how_much_each_part_holds() {
    let mut world = World::with_policy(POLICY);
    world.serve(&[]);
    let script = "bash -c 'touch one'; /bin/sh -c 'touch two'; python3 -c 'import os; os.system(\"/usr/bin/touch three\")'; env | grep -c -i https_proxy";
    let ran = run(&world, &["run", "--agent", "claude-code", "--", "/bin/sh", "-c", script]);
    for name in ["one", "two", "three"] {
        assert!(!world.project().join(name).exists(), "{name}: {ran:?}");
    }
    assert!(ran.stdout.ends_with("2\n"), "{ran:?}");
    let told = |ran: &Ran, expected: [(&str, &str); 6]| {
        for (road, word) in expected {
            let told = ran.stderr.lines().find(|line| line.trim_start().starts_with(road));
            assert!(told.is_some_and(|line| line.contains(word)), "{road}: {ran:?}");
        }
    };
    let around = [("hook", "open"), ("shell", "advisory"), ("exec", "enforced"), ("preload", "off")];
    let with = |http, jail| [around[0], around[1], around[2], around[3], ("http", http), ("jail", jail)];
    told(&ran, with("enforced", "enforced"));
    let bare = run(&world, &["run", "--no-jail", "--", "true"]).expect(0);
    told(&bare, with("advisory", "open"));
    assert_eq!(bare.stderr.matches("enforced").count(), 1, "nothing is claimed that is not so: {bare:?}");
    // A shell that asks by itself is not asked about before it does.
    let by_shell = |d: &serde_json::Value| d["actor"]["surface"] == "shell";
    assert_eq!(world.decisions().iter().filter(|d| by_shell(d)).count(), 1);
    let one: Vec<_> = world.decisions().into_iter().filter(|d| d.to_string().contains("touch one")).collect();
    assert_eq!(one.len(), 1, "{one:#?}");
    world.run(&["setup", "claude-code"]).expect(0);
    let ran = run(&world, &["run", "--agent", "claude-code", "--", "true"]).expect(0);
    assert!(ran.stderr.contains("settings.json calls Rampart"), "{ran:?}");
    let quiet = run(&world, &["run", "-q", "--", "true"]).expect(0);
    assert_eq!(quiet.stderr, "");
}
