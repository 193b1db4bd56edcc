use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    sync::mpsc,
};

use rampart_call::{Action, CommandLine, Judgement, Origin, Phase, Reason};

use super::*;

fn call() -> Call {
    let command = CommandLine::Command("git status".to_owned());
    let action = Action::Exec { command, cwd: None };
    Call { origin: Origin::default(), phase: Phase::Before, action, response: None }
}

/// A gateway that does as it is told with its first connection.
fn with_gateway<T>(serve: impl FnOnce(UnixStream) + Send + 'static, ask: impl FnOnce(Client) -> T) -> T {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).unwrap();
    let server = thread::spawn(move || serve(listener.accept().unwrap().0));
    let silence = Duration::from_millis(150);
    let patience = Duration::from_millis(600);
    let answer = ask(Client::new(Settings { silence, patience, ..Settings::new(socket) }));
    server.join().unwrap();
    answer
}

fn read_request(stream: &mut UnixStream) {
    let mut raw = Vec::new();
    let mut buffer = [0; 4096];
    while !raw.ends_with(b"}") {
        let size = stream.read(&mut buffer).unwrap();
        assert_ne!(size, 0, "the client hung up");
        raw.extend_from_slice(&buffer[..size]);
    }
}

fn allowed() -> String {
    let judgement = Judgement::allowed(Reason::Default);
    serde_json::to_string(&Answer { verdict: judgement.outcome, judgement, seq: Some(1) }).unwrap()
}

#[track_caller]
fn refused_as(verdict: Verdict, reason: Reason, words: &str) {
    let Verdict::Deny(refusal) = verdict else { panic!("not refused") };
    assert_eq!(refusal.judgement.reason, reason, "{}", refusal.judgement.message);
    assert!(refusal.judgement.message.contains(words), "{}", refusal.judgement.message);
}

#[test]
fn a_clear_answer_is_believed() {
    let verdict = with_gateway(
        |mut stream| {
            read_request(&mut stream);
            let body = allowed();
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        },
        |client| client.judge(&call()),
    );
    assert!(matches!(verdict, Verdict::Allow(_)));
}

#[test]
fn a_gateway_killed_after_the_question_refuses_at_once() {
    let began = Instant::now();
    let verdict = with_gateway(|mut stream| read_request(&mut stream), |client| client.judge(&call()));
    refused_as(verdict, Reason::GatewayUnreachable, "went away before it answered");
    assert!(began.elapsed() < Duration::from_millis(140), "did not wait for a deadline");
}

#[test]
fn a_gateway_killed_in_the_middle_of_its_answer_refuses() {
    let verdict = with_gateway(
        |mut stream| {
            read_request(&mut stream);
            let body = allowed();
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}", body.len(), &body[..20]).unwrap();
        },
        |client| client.judge(&call()),
    );
    refused_as(verdict, Reason::GatewayUnreachable, "went away");
}

#[test]
fn a_gateway_that_hangs_refuses_within_the_silence() {
    let (done, over) = mpsc::channel::<()>();
    let began = Instant::now();
    let verdict = with_gateway(
        move |_stream| over.recv().unwrap(),
        |client| {
            let verdict = client.judge(&call());
            done.send(()).unwrap();
            verdict
        },
    );
    refused_as(verdict, Reason::GatewayUnreachable, "no sign of life");
    assert!(began.elapsed() < Duration::from_millis(500));
}

#[test]
fn a_held_question_may_outlast_the_silence_but_not_the_patience() {
    let beat = |stream: &mut UnixStream, times: usize| {
        read_request(stream);
        write!(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
        for _ in 0..times {
            if stream.write_all(b"1\r\n\n\r\n").is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
    };
    let verdict = with_gateway(
        move |mut stream| {
            beat(&mut stream, 6);
            let body = allowed();
            write!(stream, "{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).unwrap();
        },
        |client| client.judge(&call()),
    );
    assert!(matches!(verdict, Verdict::Allow(_)));

    let verdict = with_gateway(move |mut stream| beat(&mut stream, 40), |client| client.judge(&call()));
    refused_as(verdict, Reason::GatewayUnreachable, "no decision within 600ms");
}

#[test]
fn what_is_not_a_gateway_is_not_trusted() {
    for junk in ["220 mail ready\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"] {
        let verdict = with_gateway(
            move |mut stream| {
                read_request(&mut stream);
                stream.write_all(junk.as_bytes()).unwrap();
            },
            |client| client.judge(&call()),
        );
        refused_as(verdict, Reason::GatewayUntrusted, "makes no sense");
    }
}

#[test]
fn an_error_of_the_api_is_told_in_its_own_words() {
    let verdict = with_gateway(
        |mut stream| {
            read_request(&mut stream);
            let body = r#"{"error":{"code":"too_large","message":"the call is too long"}}"#;
            write!(stream, "HTTP/1.1 413 X\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        },
        |client| client.judge(&call()),
    );
    refused_as(verdict, Reason::LimitExceeded, "the call is too long");
}

#[test]
fn a_path_segment_stays_one() {
    assert_eq!(segment("ab-1_Z"), "ab-1_Z");
    assert_eq!(segment("../a b?x=1#\u{e9}"), "%2E%2E%2Fa%20b%3Fx%3D1%23%C3%A9");
}

#[test]
fn a_gateway_is_started_where_nobody_listens_and_nowhere_else() {
    let starts = std::cell::Cell::new(0);
    let count = || starts.set(starts.get() + 1);
    let home = tempfile::tempdir().unwrap();
    let nobody = Client::new(Settings::new(home.path().join("s")));
    refused_as(nobody.judge_or_start(&call(), count), Reason::GatewayUnreachable, "there is no socket");
    assert_eq!(starts.get(), 1);
    let answers = |mut stream: UnixStream| {
        read_request(&mut stream);
        let body = allowed();
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    };
    // One that is started answers, and one that is there, or was, is not started.
    let verdict = nobody.judge_or_start(&call(), || {
        let listener = UnixListener::bind(home.path().join("s")).unwrap();
        fs::set_permissions(home.path().join("s"), fs::Permissions::from_mode(0o600)).unwrap();
        thread::spawn(move || answers(listener.accept().unwrap().0));
    });
    assert!(matches!(verdict, Verdict::Allow(_)));
    assert!(matches!(with_gateway(answers, |client| client.judge_or_start(&call(), count)), Verdict::Allow(_)));
    let verdict = with_gateway(|mut stream| read_request(&mut stream), |client| client.judge_or_start(&call(), count));
    refused_as(verdict, Reason::GatewayUnreachable, "went away");
    assert_eq!(starts.get(), 1);
}
