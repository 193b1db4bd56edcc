//! Real agents, set up by `rampart setup` and driven by a model of ours: what is allowed happens, what is denied does not,
//! the model is told why, and the agent goes on.

mod aider;
mod model;
mod real;

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;

use self::{
    model::{LAST_WORDS, Model, Wanted},
    real::Real,
};
use crate::world::{Ran, World};

const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: tests
    rules:
      - action: deny
        when: {command_matches: ["touch *by-command*"]}
        message: no touching
      - action: deny
        when: {path_matches: ["**/by-tool*"]}
        message: no writing
      - action: deny
        when: {url_matches: ["*/denied*"]}
        message: no fetching
      - action: deny
        when: {response_matches: ["open sesame"]}
        message: no telling
      - action: ask
        when: {command_matches: ["touch *asked*"]}
        message: may I
"#;

/// A server that counts who comes.
fn origin() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let visits = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&visits);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
        }
    });
    (port, visits)
}

/// A world with a gateway, for this agent.
fn prepared(real: &Real) -> World {
    let mut world = World::with_policy(POLICY);
    std::fs::create_dir_all(world.path("project/.git")).unwrap();
    world.serve(&[]);
    (real.prepare)(&world);
    world
}

/// The same, in which it is set up.
fn ready(real: &Real) -> World {
    let world = prepared(real);
    world.run(&["setup", real.name]).expect(0);
    world
}

/// The agent's settings that were there before it started.
fn settings(world: &World, real: &Real) -> Vec<(PathBuf, Vec<u8>)> {
    real.settings.iter().map(|file| world.path(file)).map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// Starts the agent on a task, in the project.
fn command(real: &Real, world: &World, model: &Model) -> Command {
    let mut command = (real.start)(world, model.port);
    command.env("SHELL", "/bin/bash").env("RAMPART_AUTOSTART", "0").env("CI", "1").env("TERM", "dumb");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end, within a time.
fn run(mut command: Command, seconds: u64) -> Ran {
    ended(command.process_group(0).spawn().unwrap(), Duration::from_secs(seconds))
}

/// Waits for its end, and ends it and what it started when its time is over. It leads its process group.
fn ended(child: Child, within: Duration) -> Ran {
    let group = format!("-{}", child.id());
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    let output = ended.recv_timeout(within).unwrap_or_else(|_| {
        let _ = Command::new("kill").args(["-9", "--", &group]).status();
        // Who left the group may still hold what it prints to.
        ended.recv_timeout(Duration::from_secs(30)).expect("all that it started ends with it")
    });
    Ran::from(output.unwrap())
}

/// What is refused does not happen, what is allowed does, the model hears why, and the trail knows who it was.
fn holds(name: &str) {
    let test = format!("agents::{name}");
    let Some(real) = real::find(&test, name) else { return };
    let (port, visits) = origin();
    let world = prepared(&real);
    let before = settings(&world, &real);
    world.run(&["setup", real.name]).expect(0);
    let path = world.project().join("by-tool.txt");
    let denied = vec![
        ("no touching", (real.shell)("touch by-command")),
        ("no writing", (real.write)(path.to_str().unwrap(), "no")),
        ("no fetching", (real.fetch)(&format!("http://127.0.0.1:{port}/denied"))),
    ];
    let allowed = || (real.shell)("echo yes >> allowed");
    let count = denied.len();
    if real.ends_when_refused {
        for (_, want) in denied {
            let model = Model::start(vec![allowed(), want]);
            let ran = run(command(&real, &world, &model), 300);
            assert!(ran.stdout.contains(r#""finishReason":"aborted""#), "the run ends: {ran:?}");
            assert!(!ran.stdout.contains(LAST_WORDS), "{ran:?}");
        }
    } else {
        let (reasons, wants): (Vec<_>, Vec<_>) = denied.into_iter().unzip();
        // Agents that read from a terminal of their own lose, on a busy machine, what a command says that is over at once.
        let said = (real.shell)("printf 'open %s\\n' sesame; sleep 1");
        let model = Model::start([vec![allowed()], wants, vec![said]].concat());
        let ran = run(command(&real, &world, &model), 300);
        let told = model.conversation();
        for why in reasons.into_iter().chain(["no telling"]) {
            assert!(told.contains(why), "the model is told `{why}`: {ran:?}\n{told}");
        }
        assert!(!told.contains("open sesame"), "what a tool said can be kept from it: {told}");
        assert!(ran.stdout.contains(LAST_WORDS), "it goes on to the end: {ran:?}\n{told}");
    }
    let file = |name: &str| world.project().join(name).exists();
    assert!(file("allowed"), "an allowed command runs");
    assert!(!file("by-command"), "a denied command does not");
    assert!(!file("by-tool.txt"), "a denied write does not happen");
    assert_eq!(visits.load(Ordering::SeqCst), 0, "a denied fetch does not happen");
    let denied: Vec<_> = world.decisions().into_iter().filter(|d| d["outcome"] == "deny").collect();
    assert!(denied.len() >= count, "{denied:#?}");
    let actor = |record: &serde_json::Value| record["actor"]["session"].clone();
    let session = actor(&denied[0]);
    if !real.ends_when_refused {
        let records = world.records();
        let results: Vec<_> = records.iter().filter(|r| r["type"] == "result").collect();
        assert!(!results.is_empty() && results.iter().all(|r| actor(r) == session), "{results:#?}");
    }
    for decision in denied {
        assert_eq!(decision["actor"]["agent"], real.name, "{decision:#}");
        assert_ne!(decision["actor"]["session"], "", "{decision:#}");
        assert_eq!(decision["actor"]["workspace"], world.project().to_str().unwrap(), "{decision:#}");
        assert!(decision.to_string().contains("tests"), "the rule is named: {decision:#}");
    }
    world.run(&["setup", real.name, "--remove"]).expect(0);
    assert!(settings(&world, &real) == before, "its settings are what they were");
}

/// A gateway that is killed while a hook waits for its word: the command does not run.
fn survives(name: &str) {
    let test = format!("agents::{name}");
    let Some(real) = real::find(&test, name) else { return };
    let model = Model::start(vec![(real.shell)("echo warm > warm"), (real.shell)("touch asked")]);
    let mut world = ready(&real);
    let spawned = command(&real, &world, &model).process_group(0).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_mins(4);
    while !world.project().join("warm").exists() {
        assert!(Instant::now() < deadline, "the first command runs: {:?}", model.asked());
        std::thread::sleep(Duration::from_millis(5));
    }
    // Whether the second question is on its way already or comes to nobody: both refuse.
    world.gateway().kill().unwrap();
    world.gateway().wait().unwrap();
    let ran = ended(spawned, Duration::from_mins(4));
    assert!(!world.project().join("asked").exists(), "{ran:?}");
    let told = model.conversation();
    let stopped = real.ends_when_refused && ran.stdout.contains(r#""finishReason":"aborted""#);
    assert!(stopped || told.contains("Rampart refused"), "{ran:?}\n{told}");
}

macro_rules! agents {
    ($($name:ident: $agent:literal),* $(,)?) => {$(
        mod $name {
            #[test]
            fn what_is_denied_does_not_happen_and_the_agent_is_told_and_goes_on() {
                super::holds($agent);
            }

            #[test]
            fn d1_a_gateway_that_is_killed_under_it_refuses() {
                super::survives($agent);
            }
        }
    )*};
}

agents! {
    claude_code: "claude-code",
    codex: "codex",
    copilot_cli: "copilot-cli",
    gemini_cli: "gemini-cli",
    qwen_code: "qwen-code",
    opencode: "opencode",
    openclaw: "openclaw",
}

/// Its hooks can refuse a tool only with the whole run.
mod cline {
    #[test]
    fn what_is_denied_does_not_happen_and_ends_the_run() {
        super::holds("cline");
    }

    #[test]
    fn d1_a_gateway_that_is_killed_under_it_ends_the_run() {
        super::survives("cline");
    }
}

/// An agent without any hook, under `rampart wrap`: its shell and what goes through the proxy are judged.
fn wrapped(name: &str) {
    let test = format!("agents::{name}");
    let Some(real) = real::find(&test, name) else { return };
    let (port, visits) = origin();
    let mut world = World::with_policy(POLICY);
    world.config("listen: 127.0.0.1:0\negress: {listen: '127.0.0.1:0', allow_private: [127.0.0.1]}\n");
    world.serve(&[]);
    (real.prepare)(&world);
    let model = Model::start(vec![
        (real.shell)("echo yes > allowed"),
        (real.shell)("touch by-command"),
        (real.shell)(&format!("curl -s --noproxy '' http://127.0.0.1:{port}/denied")),
        (real.shell)(&format!("curl -s --noproxy '' http://127.0.0.1:{port}/allowed")),
    ]);
    let inner = command(&real, &world, &model);
    let mut outer = world.rampart(&["wrap", "--"]);
    outer.arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        outer.env(name, value.unwrap_or_default());
    }
    outer.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = run(outer, 300);
    let told = model.conversation();
    assert!(world.project().join("allowed").exists(), "{ran:?}\n{told}");
    assert!(!world.project().join("by-command").exists(), "{ran:?}");
    assert!(told.contains("no touching") && told.contains("no fetching"), "{ran:?}\n{told}");
    assert_eq!(visits.load(Ordering::SeqCst), 1, "what is allowed arrives");
    assert!(ran.stdout.contains(LAST_WORDS), "{ran:?}");
    assert!(ran.stderr.contains(" judged, "), "{ran:?}");
    let denied: Vec<_> = world.decisions().into_iter().filter(|d| d["outcome"] == "deny").collect();
    assert!(denied.iter().all(|d| d["actor"]["agent"] == real.name), "{denied:#?}");
    assert!(denied.len() >= 2, "{denied:#?}");
}

#[test]
fn claude_code_without_a_hook_is_judged_by_its_shell_and_the_proxy() {
    wrapped("claude-code");
}

/// A whole session in a jail: what is allowed happens, what is denied does not, and around its own tools nothing gets out.
#[cfg(target_os = "linux")]
fn lives_in_a_jail(name: &str) {
    let Some(real) = real::find(&format!("agents::jailed::{name}"), name) else { return };
    let (port, visits) = origin();
    let mut world = World::with_policy(POLICY);
    std::fs::create_dir_all(world.path("project/.git/hooks")).unwrap();
    world.write("home/.ssh/id_ed25519", "key-of-mine-7193");
    world.config("listen: 127.0.0.1:0\negress: {listen: '127.0.0.1:0', resolve: ['origin.test:127.0.0.1']}\n");
    world.serve(&[]);
    (real.prepare)(&world);
    world.run(&["setup", real.name]).expect(0);
    let file = world.project().join("by-tool-allowed.txt");
    let passes = [
        (real.shell)("echo yes > allowed; git status --short"),
        (real.shell)("python3 -c 'print(open(\"/proc/self/root'$HOME'/.ssh/id_ed25519\").read())'"),
        (real.shell)(&format!("curl -sS --noproxy '*' http://origin.test:{port}/allowed")),
        (real.shell)("curl -sS -m 5 --noproxy '*' http://203.0.113.5:8080/; touch ~/outside /tmp/inside; ls /tmp"),
    ];
    let refused = [(real.shell)("touch by-command"), (real.write)(file.to_str().unwrap(), "no")];
    // Where a refusal ends the run, each has one of its own.
    let sessions: Vec<Vec<Wanted>> = if real.ends_when_refused {
        [passes.to_vec()].into_iter().chain(refused.map(|want| vec![want])).collect()
    } else {
        vec![[passes.to_vec(), refused.to_vec()].concat()]
    };
    let mut told = String::new();
    for (n, wants) in sessions.into_iter().enumerate() {
        let model = Model::start(wants);
        let inner = command(&real, &world, &model);
        let model_port = model.port.to_string();
        let mut outer = world.rampart(&["run", "--allow-host-port", &model_port, "--agent", real.name, "--"]);
        outer.arg(inner.get_program()).args(inner.get_args());
        for (name, value) in inner.get_envs() {
            outer.env(name, value.unwrap_or_default());
        }
        outer.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let ran = run(outer, 420);
        told += &model.conversation();
        assert!(ran.stderr.contains("jail     enforced"), "{ran:?}");
        assert!(n > 0 || ran.stdout.contains(LAST_WORDS), "{ran:?}\n{told}");
        told += &ran.stdout;
    }
    let there = |name: &str| world.path(name).exists();
    assert!(there("project/allowed") && !there("project/by-command"), "{told}");
    assert!(!there("project/by-tool-allowed.txt") && !there("home/outside"), "{told}");
    // Nobody is told what ends the run.
    let denied = if real.ends_when_refused { ["aborted"; 2] } else { ["no touching", "no writing"] };
    for word in denied.into_iter().chain(["inside"]) {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert!(!told.contains("key-of-mine-7193"), "{told}");
    assert_eq!(visits.load(Ordering::SeqCst), 1, "what is allowed arrives");
    let by_proxy = world.decisions().into_iter().filter(|d| d["actor"]["surface"] == "egress").collect::<Vec<_>>();
    assert!(by_proxy.iter().any(|d| d.to_string().contains("203.0.113.5")), "{by_proxy:#?}");
    assert!(by_proxy.iter().all(|d| d["actor"]["agent"] == real.name), "{by_proxy:#?}");
}

#[cfg(target_os = "linux")]
mod jailed {
    macro_rules! jailed {
        ($($name:ident: $agent:literal),* $(,)?) => {$(
            #[test]
            fn $name() {
                super::lives_in_a_jail($agent);
            }
        )*};
    }

    jailed! {
        claude_code_works_in_a_jail: "claude-code",
        codex_works_in_a_jail: "codex",
        copilot_cli_works_in_a_jail: "copilot-cli",
        gemini_cli_works_in_a_jail: "gemini-cli",
        qwen_code_works_in_a_jail: "qwen-code",
        opencode_works_in_a_jail: "opencode",
        openclaw_works_in_a_jail: "openclaw",
        cline_works_in_a_jail: "cline",
    }
}

#[test]
fn opencode_without_a_hook_is_judged_by_its_shell_and_the_proxy() {
    wrapped("opencode");
}

/// The input of a tool.
fn want(tool: &'static str, input: serde_json::Value) -> Wanted {
    Wanted { tool, input, freeform: false }
}

/// A patch as Codex's freeform tool takes it.
fn patch(path: &str, content: &str) -> Wanted {
    let text = format!("*** Begin Patch\n*** Add File: {path}\n+{content}\n*** End Patch");
    Wanted { tool: "apply_patch", input: json!(text), freeform: true }
}
