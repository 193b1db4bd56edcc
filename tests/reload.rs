//! Policy files as disks and editors leave them, in front of a running gateway (rows S8 to S11 of the fault list).

mod configuration;

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    os::unix::{fs::symlink, net::UnixStream},
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::world::World;

const SEED: &str = include_str!("fixtures/seed.yaml");
const CUSTOM: &str = "home/.rampart/policies/custom.yaml";

/// What the gateway on this socket answers.
fn ask(socket: &PathBuf, method: &str, path: &str, body: &str) -> Value {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n");
    write!(stream, "{head}content-length: {length}\r\nconnection: close\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {answer}"))
}

fn socket(world: &World) -> PathBuf {
    world.home().join("run/gateway.sock")
}

/// The decision about a command.
fn decision(socket: &PathBuf, command: &str) -> String {
    let body = serde_json::json!({"agent": "a", "session": "s", "params": {"command": command}}).to_string();
    let answer = ask(socket, "POST", "/v1/preflight/exec", &body);
    answer["decision"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// How many times the trail says that files were refused.
fn refusals(world: &World) -> usize {
    world.records().iter().filter(|r| r["type"] == "policy" && r["event"] == "rejected").count()
}

/// A policy in which every bracket must be closed, so that no beginning of it is one.
const BRACKETS: &str = r#"{version: "1", default_action: allow, policies: [{name: no-rm, match: {tool: exec}, rules: [
  {action: deny, when: {command_matches: ["rm *"]}, message: "No"}]}]}"#;

#[test]
fn s8_a_half_written_policy_is_never_in_force() {
    let mut world = World::with_policy(BRACKETS);
    world.serve(&[]);
    let socket = socket(&world);
    let status = |socket: &PathBuf| ask(socket, "GET", "/v1/status", "")["policy"].clone();
    let hash = status(&socket)["hash"].clone();
    for n in 0..BRACKETS.len() {
        // At once, or the gateway may also see the file between being emptied and being written.
        let draft = world.write("draft", &BRACKETS[..n]);
        std::fs::rename(draft, world.path(CUSTOM)).unwrap();
        ask(&socket, "POST", "/v1/policy/reload", "");
        let now = status(&socket);
        assert_eq!(now["hash"], hash, "{n} bytes are in force");
        let error = now["error"].as_str().unwrap_or_else(|| panic!("{n} bytes: no error"));
        assert!(error.contains("custom.yaml:"), "{n} bytes: {error}");
        // Asked again, it is the same refusal.
        ask(&socket, "POST", "/v1/policy/reload", "");
    }
    assert_eq!(ask(&socket, "GET", "/healthz", "")["policy"], "degraded");
    assert_eq!(decision(&socket, "rm x"), "deny");
    assert_eq!(refusals(&world), BRACKETS.len(), "one record for each text that was refused");
    world.write(CUSTOM, BRACKETS);
    ask(&socket, "POST", "/v1/policy/reload", "");
    assert_eq!(ask(&socket, "GET", "/healthz", "")["policy"], "ok");
    // Of a policy in the usual style a beginning may be a policy; otherwise the last good one stays.
    for n in (0..SEED.len()).step_by(7) {
        let before = status(&socket)["hash"].clone();
        world.write(CUSTOM, &SEED[..n]);
        ask(&socket, "POST", "/v1/policy/reload", "");
        let now = status(&socket);
        assert_eq!(now["error"].is_null(), now["hash"] != before, "{n} bytes: {now:#}");
    }
    // And without a last good one there is no gateway.
    let fresh = World::with_policy(&BRACKETS[..40]);
    let ran = fresh.run(&["serve"]).expect(2);
    assert!(ran.stderr.contains("custom.yaml:1:"), "{ran:?}");
}

#[test]
fn s9_yaml_that_means_less_is_refused() {
    let mut world = World::with_policy(SEED);
    world.serve(&[]);
    let socket = socket(&world);
    let hash = ask(&socket, "GET", "/v1/status", "")["policy"]["hash"].clone();
    let rule = |rule: &str| {
        format!("version: \"1\"\ndefault_action: allow\npolicies:\n  - name: p\n    rules:\n      - {rule}\n")
    };
    let laughs = {
        let mut text = "version: \"1\"\na0: &a0 [x]\n".to_owned();
        (1..20).for_each(|i| text.push_str(&format!("a{i}: &a{i} [*a{0},*a{0},*a{0},*a{0},*a{0}]\n", i - 1)));
        text + "policies: *a19\n"
    };
    let repeated = "      - {action: deny, when: {command_matches: [\"x *\"]}}\n".repeat(200_000);
    let mut elsewhere: Vec<String> = Vec::new();
    for (what, text, place) in [
        ("empty", String::new(), "custom.yaml:1:1"),
        ("only a comment", "# nothing\n".to_owned(), "custom.yaml:2:1"),
        ("no policies", "version: \"1\"\ndefault_action: deny\n".to_owned(), "custom.yaml:1:1"),
        ("an unknown key", rule("{action: deny, wen: {default: true}}"), "custom.yaml:6:24"),
        ("an unknown action", rule("{action: block, when: {default: true}}"), "custom.yaml:6:18"),
        ("a retired action", rule("{action: require_approval, when: {default: true}}"), "custom.yaml:6:18"),
        ("tabs", "version: \"1\"\npolicies:\n\t- name: p\n".to_owned(), "custom.yaml:3:"),
        ("an anchor", "version: \"1\"\nx: &x []\npolicies: *x\n".to_owned(), "custom.yaml:2:7"),
        ("a merge key", rule("{<<: {action: deny}, when: {default: true}}"), "custom.yaml:6:10"),
        ("billion laughs", laughs, "custom.yaml:2:9"),
        ("10 MiB", rule("{action: deny, when: {default: true}}") + &repeated, "custom.yaml"),
        (
            "a key twice",
            "version: \"1\"\npolicies: [{name: a, rules: []}]\npolicies: []\n".to_owned(),
            "custom.yaml:3:1",
        ),
        (
            "a condition twice",
            rule("{action: deny, when: {command_matches: [a], command_matches: [b]}}"),
            "custom.yaml:6:53",
        ),
        ("yes for true", rule("{action: deny, when: {default: yes}}"), "custom.yaml:6:40"),
        (
            "no for false",
            "version: \"1\"\npolicies: [{name: a, enabled: no, rules: [{action: deny, when: {default: true}}]}]\n"
                .to_owned(),
            "custom.yaml:2:31",
        ),
        ("a tag", rule("{action: deny, when: !!python/object:x {default: true}}"), "custom.yaml:6:"),
        ("two documents", "version: \"1\"\npolicies: []\n---\npolicies: []\n".to_owned(), "custom.yaml:4:1"),
        ("a condition of nothing", rule("{action: deny, when: {}}"), "custom.yaml:6:"),
        ("no condition", rule("{action: deny}"), "custom.yaml:6:9"),
        ("an empty list", rule("{action: deny, when: {command_matches: []}}"), "custom.yaml:6:"),
        ("a malformed class", rule("{action: deny, when: {path_matches: ['/etc/[a']}}"), "custom.yaml:6:46"),
        ("a later version", "version: \"2\"\npolicies: []\n".to_owned(), "custom.yaml:1:10"),
    ] {
        world.write(CUSTOM, &text);
        ask(&socket, "POST", "/v1/policy/reload", "");
        let now = ask(&socket, "GET", "/v1/status", "")["policy"].clone();
        assert_eq!(now["hash"], hash, "{what} is in force");
        let error = now["error"].as_str().unwrap_or_else(|| panic!("{what}: no error: {now}"));
        if !error.contains(place) {
            elsewhere.push(format!("{what}: {place} is not in: {error}"));
        }
        let lint = world.run(&["policy", "lint"]);
        // A file that cannot even be read is no finding in it.
        assert_eq!(lint.code, Some(if what == "10 MiB" { 2 } else { 1 }), "{what}: {lint:?}");
        assert!((lint.stdout + &lint.stderr).contains("error"), "{what}");
        world.run(&["serve"]).expect(2);
    }
    assert_eq!(elsewhere, [""; 0]);
    assert_eq!(decision(&socket, "rm -rf /tmp/x"), "deny");
}

#[test]
fn s10_however_an_editor_saves_it_is_in_force_within_a_second_and_never_nothing() {
    let policy = |name: &str| {
        format!(
            "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: {name}\n    match: {{tool: exec}}\n    rules:\n      - {{action: deny, when: {{command_matches: [\"rm *\"]}}}}\n"
        )
    };
    let mut world = World::with_policy(&policy("zero"));
    world.serve(&[]);
    let socket = socket(&world);
    let file = world.path(CUSTOM);
    let folder = file.parent().unwrap();
    let aside = folder.join(".custom.yaml.swp");
    type Save<'a> = &'a dyn Fn(&str);
    let steps: [(&str, Save<'_>); 5] = [
        ("in-place", &|text| fs::write(&file, text).unwrap()),
        ("renamed-over", &|text| {
            fs::write(&aside, text).unwrap();
            fs::rename(&aside, &file).unwrap();
        }),
        ("deleted-and-made", &|text| {
            fs::remove_file(&file).unwrap();
            fs::write(&file, text).unwrap();
        }),
        ("link-turned", &|text| {
            let target = folder.join(".linked");
            fs::write(&target, text).unwrap();
            symlink(&target, &aside).unwrap();
            fs::rename(&aside, &file).unwrap();
        }),
        ("folder-replaced", &|text| {
            let fresh = folder.with_file_name("policies.new");
            fs::create_dir(&fresh).unwrap();
            fs::write(fresh.join("custom.yaml"), text).unwrap();
            fs::rename(folder, folder.with_file_name("policies.old")).unwrap();
            fs::rename(&fresh, folder).unwrap();
        }),
    ];
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watched = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !stop.load(Ordering::Relaxed) {
                seen.insert(decision(&socket, "rm x"));
                std::thread::sleep(Duration::from_millis(1));
            }
            seen
        });
        let mut slowest = Duration::ZERO;
        for (name, save) in steps {
            save(&policy(name));
            let began = Instant::now();
            let in_force = || ask(&socket, "GET", "/v1/policies", "").to_string().contains(&format!("\"{name}\""));
            while !in_force() {
                assert!(began.elapsed() < Duration::from_secs(10), "{name} is not in force");
                std::thread::sleep(Duration::from_millis(5));
            }
            slowest = slowest.max(began.elapsed());
        }
        stop.store(true, Ordering::Relaxed);
        assert_eq!(watched.join().unwrap(), BTreeSet::from(["deny".to_owned()]), "a moment without the rule");
        // A machine that does much else is given more.
        assert!(slowest < Duration::from_secs(if cfg!(debug_assertions) { 3 } else { 1 }), "{slowest:?}");
    });
}

#[test]
fn s11_ten_thousand_policies_load_fit_and_do_not_hold_decisions_up() {
    let mut text = "version: \"1\"\ndefault_action: allow\npolicies:\n".to_owned();
    // In an optimised build; what is not optimised is slower by more than ten.
    let (policies, slack) = if cfg!(debug_assertions) { (1_000, 4) } else { (10_000, 1) };
    for i in 0..policies {
        text.push_str(&format!(
            "  - name: policy-{i}\n    match: {{ tool: [exec] }}\n    rules:\n      - {{ action: deny, when: {{ command_matches: ['tool{i} run *'] }} }}\n      - {{ action: ask, when: {{ command_contains: ['--danger-{i}'] }} }}\n      - {{ action: deny, when: {{ path_matches: ['/srv/{i}/**'] }} }}\n      - {{ action: deny, when: {{ domain_matches: ['*.h{i}.example.com'] }} }}\n      - {{ action: allow, when: {{ command_matches: ['tool{i} list'] }} }}\n"
        ));
    }
    let mut world = World::with_policy(&text);
    world.serve(&[]);
    let socket = socket(&world);
    let pid = world.gateway().id();
    let memory = || crate::world::memory(pid).0 / 1024;
    assert_eq!(decision(&socket, "tool77 run --now /srv/77/x"), "deny");
    assert_eq!(decision(&socket, "git status"), "allow");
    let resident = memory();
    let loading = AtomicBool::new(true);
    let mut taken: Vec<Duration> = Vec::new();
    let loaded = std::thread::scope(|scope| {
        let reload = scope.spawn(|| {
            fs::write(world.path(CUSTOM), text.replace("policy-7\n", "policy-seven\n")).unwrap();
            let began = Instant::now();
            ask(&socket, "POST", "/v1/policy/reload", "");
            while !ask(&socket, "GET", "/v1/policies", "").to_string().contains("\"policy-seven\"") {
                assert!(began.elapsed() < Duration::from_mins(2), "it is not in force");
                std::thread::sleep(Duration::from_millis(10));
            }
            loading.store(false, Ordering::Relaxed);
            began.elapsed()
        });
        while loading.load(Ordering::Relaxed) {
            let began = Instant::now();
            assert_eq!(decision(&socket, "tool77 run --now"), "deny");
            taken.push(began.elapsed());
        }
        reload.join().unwrap()
    });
    taken.sort();
    let median = taken[taken.len() / 2];
    let said = format!("loaded in {loaded:?}, {resident} MiB, {} decisions meanwhile, median {median:?}", taken.len());
    assert!(loaded < Duration::from_secs(2) * slack, "{said}");
    assert!(resident < 200, "{said}");
    assert!(taken.len() > 10 && median < Duration::from_millis(5) * slack, "{said}");
    eprintln!("{said}");
}
