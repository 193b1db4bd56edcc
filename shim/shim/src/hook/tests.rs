use std::{sync::Mutex, time::Instant};

use rampart_agents::{ALL, find};
use rampart_call::{Action, Judgement, Refusal};

use super::*;

const LS: &str =
    r#"{"hook_event_name":"PreToolUse","session_id":"s","tool_name":"Bash","tool_input":{"command":"ls"}}"#;

/// A hook whose session's beginning nobody hears of.
fn run(
    agent: &'static Agent,
    facts: Facts,
    stdin: impl Read + Send + 'static,
    patience: Duration,
    judge: impl Fn(&Call) -> Verdict + Send + 'static,
) -> Reply {
    super::run(agent, facts, stdin, patience, judge, |_| {})
}

fn refusal() -> Verdict {
    Verdict::Deny(Refusal { judgement: Judgement::refused(Reason::Rule, "no") })
}

fn claude() -> &'static Agent {
    find("claude-code").unwrap()
}

/// Input that is never finished.
struct Open;

impl Read for Open {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        loop {
            thread::park();
        }
    }
}

#[test]
fn a_call_is_judged_and_the_answer_is_the_hosts() {
    let reply = run(claude(), Facts::default(), LS.as_bytes(), Duration::from_secs(5), |call| {
        assert_eq!(call.action.subject(), "ls");
        refusal()
    });
    assert_eq!(reply.exit, 2);
    assert!(reply.stdout.contains(r#""permissionDecision":"deny""#), "{reply:?}");
}

#[test]
fn every_agent_gets_a_refusal_in_time_from_a_gate_that_hangs_or_input_that_never_ends() {
    for agent in ALL {
        let begun = Instant::now();
        let reply = run(agent, Facts::default(), Open, Duration::from_millis(20), |_| refusal());
        assert!(begun.elapsed() < Duration::from_secs(2));
        assert!(reply.stdout.contains("Rampart refused this") && !reply.stderr.is_empty(), "{}", agent.name);
    }
    let reply = run(claude(), Facts::default(), LS.as_bytes(), Duration::from_millis(20), |_| {
        loop {
            thread::park();
        }
    });
    assert_eq!(reply.exit, 2);
}

#[test]
fn a_failing_gate_is_a_refusal() {
    let reply = run(claude(), Facts::default(), LS.as_bytes(), Duration::from_secs(5), |_| panic!("on purpose"));
    assert_eq!(reply.exit, 2);
}

#[test]
fn the_first_refusal_of_several_commands_ends_it() {
    let stdin = br#"{"hookName":"tool_call","taskId":"t","tool_call":{"id":"c","name":"run_commands","input":{"commands":["a","b"]}}}"#;
    let seen: &'static Mutex<Vec<String>> = Box::leak(Box::default());
    let reply = run(find("cline").unwrap(), Facts::default(), &stdin[..], Duration::from_secs(5), |call| {
        seen.lock().unwrap().push(call.action.subject());
        refusal()
    });
    assert!(reply.stdout.contains(r#""cancel":true"#));
    assert_eq!(*seen.lock().unwrap(), ["a"]);
}

#[test]
fn too_much_input_is_refused_and_still_taken() {
    struct Endless(usize);
    impl Read for &mut Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let size = buffer.len().min(self.0);
            buffer[..size].fill(b' ');
            self.0 -= size;
            Ok(size)
        }
    }
    let mut source = Endless(3 * MAX_INPUT);
    assert_eq!(read(&mut source).unwrap().len(), MAX_INPUT + 1);
    assert_eq!(source.0, 0);
}

#[test]
fn paths_are_resolved_before_they_are_judged() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().canonicalize().unwrap();
    std::os::unix::fs::symlink("/etc/passwd", dir.join("notes")).unwrap();
    let facts = Facts { cwd: dir.to_str().map(str::to_owned), ..Facts::default() };
    let stdin =
        br#"{"hook_event_name":"PreToolUse","session_id":"s","tool_name":"Read","tool_input":{"file_path":"notes"}}"#;
    run(claude(), facts, &stdin[..], Duration::from_secs(5), |call| {
        let Action::Read { paths } = &call.action else { panic!() };
        assert_eq!(paths.first().unwrap().resolved.as_deref(), Some("/etc/passwd"));
        refusal()
    });
}

#[test]
fn the_answer_comes_before_the_host_stops_waiting() {
    for agent in ALL {
        for granted in [None, Some(Duration::from_secs(2)), Some(Duration::from_secs(15)), Some(agent.timeout)] {
            assert!(patience(agent, granted) < granted.unwrap_or(agent.timeout), "{}", agent.name);
        }
    }
    assert_eq!(patience(claude(), None), Duration::from_secs(58));
    assert_eq!(patience(claude(), Some(Duration::from_mins(10))), Duration::from_secs(598));
}

#[test]
fn a_session_that_begins_is_heard_of_and_nothing_is_judged() {
    for (agent, stdin, begins) in [
        ("claude-code", r#"{"hook_event_name":"SessionStart","session_id":"s"}"#, true),
        ("claude-code", r#"{"hook_event_name":"SessionEnd","session_id":"s"}"#, false),
        ("cline", r#"{"hookName":"agent_start"}"#, true),
        ("copilot-cli", r#"{"sessionId":"s","source":"new"}"#, true),
        ("cursor", r#"{"hook_event_name":"sessionStart"}"#, true),
        ("codex", LS, false),
    ] {
        let (told, heard) = mpsc::channel();
        let tell = move |agent: &'static Agent| told.send(agent.name).unwrap();
        super::run(
            find(agent).unwrap(),
            Facts::default(),
            stdin.as_bytes(),
            Duration::from_secs(5),
            |_| refusal(),
            tell,
        );
        assert_eq!(heard.try_recv().ok(), begins.then_some(agent), "{stdin}");
    }
}
