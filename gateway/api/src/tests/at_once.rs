use rampart_call::{Gate, Verdict};
use rampart_client::wire::Resolve;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

use super::*;

fn question(headers: &str, body: &str) -> String {
    format!(
        "POST /v1/judge HTTP/1.1\r\nhost: rampart\r\n{headers}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What is heard until so many heads came or the connection ended.
async fn hear(stream: &mut UnixStream, heads: usize) -> String {
    let mut heard = String::new();
    let mut buffer = [0; 4096];
    while heard.matches("HTTP/1.1").count() < heads || !heard.ends_with('}') {
        let read = timeout(Duration::from_secs(5), stream.read(&mut buffer));
        match read.await.expect("an answer comes").unwrap() {
            0 => break,
            size => heard.push_str(std::str::from_utf8(&buffer[..size]).unwrap()),
        }
    }
    heard
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_is_answered_whoever_reads_the_question() {
    let world = World::new().await;
    let (good, bad) = (format!("authorization: Bearer {TOKEN}\r\n"), "authorization: Bearer nobody-s-token\r\n");
    let body = |path: &str| serde_json::to_string(&read(path)).unwrap();
    // A header that our client does not send leaves the same question to the server.
    let other = "accept: */*\r\n";
    for (headers, body, expected) in [
        (good.as_str(), body("/tmp/x"), "200 OK"),
        ("", body("/tmp/x"), "200 OK"),
        (&good, body("/forbidden/x"), "That is off limits"),
        (bad, body("/tmp/x"), "401 Unauthorized"),
        (&good, "{\"origin\":".to_owned(), "400 Bad Request"),
        (&good, body("/tmp/x").replace("\"phase\"", "\"phase\":\"after\",\"phase\""), "400 Bad Request"),
        ("content-type: text/plain\r\n", body("/tmp/x"), "415 Unsupported Media Type"),
    ] {
        for more in ["", other] {
            let mut stream = UnixStream::connect(world.home.socket()).await.unwrap();
            stream.write_all(question(&format!("{headers}{more}"), &body).as_bytes()).await.unwrap();
            let heard = hear(&mut stream, 1).await;
            assert!(heard.contains(expected), "{headers}{more}{body}: {heard}");
        }
    }
    assert_eq!(world.decisions().len(), 6);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_in_pieces_and_in_a_row_are_answered_and_others_in_between() {
    let world = World::new().await;
    let mut stream = UnixStream::connect(world.home.socket()).await.unwrap();
    let one = question("", &serde_json::to_string(&read("/tmp/x")).unwrap());
    for piece in one.as_bytes().chunks(50) {
        stream.write_all(piece).await.unwrap();
        stream.flush().await.unwrap();
    }
    assert!(hear(&mut stream, 1).await.contains("200 OK"));
    stream.write_all(format!("{one}{one}").as_bytes()).await.unwrap();
    assert_eq!(hear(&mut stream, 2).await.matches("200 OK").count(), 2);
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: rampart\r\n\r\n").await.unwrap();
    assert!(hear(&mut stream, 1).await.contains("200 OK"));
    stream.write_all(one.as_bytes()).await.unwrap();
    assert!(hear(&mut stream, 1).await.contains("200 OK"), "the server answers it too");
    let last = question("connection: close\r\n", &serde_json::to_string(&read("/tmp/x")).unwrap());
    let mut stream = UnixStream::connect(world.home.socket()).await.unwrap();
    stream.write_all(last.as_bytes()).await.unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert!(rest.contains("connection: close"), "{rest}");
    assert_eq!(world.decisions().len(), 5);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_waits_for_a_human_is_judged_once_and_others_go_on() {
    let world = World::new().await;
    let client = world.client();
    for approve in [true, false] {
        assert!(matches!(client.judge(read("/tmp/before")).await, Verdict::Allow(_)));
        let waiting = tokio::spawn({
            let client = Arc::clone(&client);
            async move { client.judge(read("/deploy/now")).await }
        });
        until("it waits", || world.gateway.pending().len() == 1).await;
        // Longer than the server takes it over, and the first sign of life.
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(matches!(client.judge(read("/tmp/meanwhile")).await, Verdict::Allow(_)));
        let id = world.gateway.pending().remove(0).id;
        let reply = Resolve { approve, reason: String::new(), payload: None, scope: None };
        world.blocking(move |client| client.resolve(&id, &reply).unwrap()).await;
        assert_eq!(matches!(waiting.await.unwrap(), Verdict::Allow(_)), approve);
        assert!(matches!(client.judge(read("/tmp/after")).await, Verdict::Allow(_)));
    }
    assert_eq!(world.decisions().len(), 8);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_ends_with_the_gateway() {
    let world = World::new().await;
    let mut stream = UnixStream::connect(world.home.socket()).await.unwrap();
    let one = question("", &serde_json::to_string(&read("/tmp/x")).unwrap());
    stream.write_all(one.as_bytes()).await.unwrap();
    assert!(hear(&mut stream, 1).await.contains("200 OK"));
    let silent = UnixStream::connect(world.home.socket()).await.unwrap();
    world.end().await;
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
    drop(silent);
}
