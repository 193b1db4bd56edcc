use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use rampart_call::{Action, CommandLine, Judgement, Origin, Phase, Reason, Standing, Verdict};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
    sync::{mpsc, oneshot},
};

use super::*;

fn call(command: &str) -> Call {
    let command = CommandLine::Command(command.to_owned());
    let action = Action::Exec { command, cwd: None };
    Call { origin: Origin::default(), phase: Phase::Before, action, response: None }
}

fn listen(socket: &Path) -> UnixListener {
    let listener = UnixListener::bind(socket).unwrap();
    fs::set_permissions(socket, fs::Permissions::from_mode(0o600)).unwrap();
    listener
}

fn client(socket: &Path) -> Arc<Client> {
    let mut settings = Settings::new(socket.to_owned());
    settings.silence = Duration::from_millis(200);
    Arc::new(Client::new(settings))
}

async fn read_request(stream: &mut tokio::net::UnixStream) -> Option<String> {
    let mut raw = Vec::new();
    while !raw.ends_with(b"}") {
        if stream.read_buf(&mut raw).await.unwrap() == 0 {
            return None;
        }
    }
    Some(String::from_utf8(raw).unwrap())
}

async fn allow(stream: &mut tokio::net::UnixStream) {
    let judgement = Judgement::allowed(Reason::Default);
    let body = serde_json::to_string(&Answer { verdict: judgement.outcome, judgement, seq: None }).unwrap();
    let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(reply.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn one_connection_serves_many_questions() {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("s");
    let listener = listen(&socket);
    let client = client(&socket);
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for _ in 0..3 {
            read_request(&mut stream).await.unwrap();
            allow(&mut stream).await;
        }
    });
    for _ in 0..3 {
        assert!(matches!(client.judge(call("ls")).await, Verdict::Allow(_)));
    }
    server.await.unwrap();
}

#[tokio::test]
async fn a_question_that_waits_holds_up_no_other() {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("s");
    let listener = listen(&socket);
    let client = client(&socket);
    let (asked, mut held) = mpsc::channel::<()>(1);
    let (release, released) = oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        assert!(read_request(&mut first).await.unwrap().contains("deploy"));
        asked.send(()).await.unwrap();
        let (mut second, _) = listener.accept().await.unwrap();
        read_request(&mut second).await.unwrap();
        allow(&mut second).await;
        released.await.unwrap();
        allow(&mut first).await;
    });
    let waiting = tokio::spawn({
        let client = Arc::clone(&client);
        async move { client.judge(call("deploy")).await }
    });
    held.recv().await.unwrap();
    assert!(matches!(client.judge(call("ls")).await, Verdict::Allow(_)));
    release.send(()).unwrap();
    assert!(matches!(waiting.await.unwrap(), Verdict::Allow(_)));
    server.await.unwrap();
}

#[tokio::test]
async fn a_gateway_that_was_restarted_is_found_again_and_one_that_is_gone_refuses() {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("s");
    let client = client(&socket);
    for _ in 0..2 {
        let listener = listen(&socket);
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await.unwrap();
            allow(&mut stream).await;
        });
        assert!(matches!(client.judge(call("ls")).await, Verdict::Allow(_)));
        server.await.unwrap();
        fs::remove_file(&socket).unwrap();
    }
    let Verdict::Deny(refusal) = client.judge(call("ls")).await else { panic!("not refused") };
    assert_eq!(refusal.judgement.reason, Reason::GatewayUnreachable);
}

#[tokio::test]
async fn a_gateway_that_hangs_or_is_killed_refuses() {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("s");
    let listener = listen(&socket);
    let client = client(&socket);
    let server = tokio::spawn(async move {
        let (mut hanging, _) = listener.accept().await.unwrap();
        read_request(&mut hanging).await.unwrap();
        let (mut killed, _) = listener.accept().await.unwrap();
        read_request(&mut killed).await.unwrap();
        drop(killed);
        drop(hanging);
    });
    for words in ["no sign of life", "went away"] {
        let Verdict::Deny(refusal) = client.judge(call("ls")).await else { panic!("not refused") };
        assert_eq!(refusal.judgement.reason, Reason::GatewayUnreachable);
        assert!(refusal.judgement.message.contains(words), "{}", refusal.judgement.message);
    }
    server.await.unwrap();
}

#[tokio::test]
async fn what_was_refused_already_stays_refused_whatever_passes_without_a_gateway() {
    let home = tempfile::tempdir().unwrap();
    for folder in ["run", "state"] {
        fs::create_dir(home.path().join(folder)).unwrap();
    }
    let told = Standing { mode: "monitor".into(), ..Standing::default() };
    fs::write(home.path().join(Standing::FILE), serde_json::to_vec(&told).unwrap()).unwrap();
    fs::set_permissions(home.path().join(Standing::FILE), fs::Permissions::from_mode(0o600)).unwrap();
    let unanswered = crate::Unanswered::AsTold(home.path().to_owned());
    let settings = Settings { unanswered, ..Settings::new(home.path().join("nobody")) };
    let client = Client::new(settings);
    assert!(matches!(client.judge(call("ls")).await, Verdict::Allow(_)));
    let refusal = Refusal { judgement: Judgement::refused(Reason::NotPinned, "changed") };
    let Verdict::Deny(refused) = client.refused(call("ls"), refusal).await else { panic!("let through") };
    assert_eq!(refused.judgement.reason, Reason::NotPinned);
}
