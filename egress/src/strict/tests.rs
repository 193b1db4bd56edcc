use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

use super::*;

const LIMITS: HeadLimits = HeadLimits { size: 1024, time: Duration::from_secs(5), body_time: Duration::from_secs(10) };

/// What comes out when `input` comes in, in pieces of `piece` bytes.
async fn through(input: &[u8], piece: usize) -> (Vec<u8>, io::Result<()>, String) {
    let (mut client, server) = duplex(1 << 20);
    let mut strict = Strict::new(server, LIMITS);
    let input = input.to_vec();
    let writer = tokio::spawn(async move {
        for part in input.chunks(piece) {
            // What was refused early is not read to its end.
            let _ = client.write_all(part).await;
            tokio::task::yield_now().await;
        }
        let _ = client.shutdown().await;
        let mut word = String::new();
        client.read_to_string(&mut word).await.unwrap();
        word
    });
    let (mut out, mut buf) = (Vec::new(), [0; 100]);
    let end = loop {
        match strict.read(&mut buf).await {
            Ok(0) => break Ok(()),
            Ok(n) => out.extend_from_slice(&buf[..n]),
            Err(e) => break Err(e),
        }
    };
    strict.shutdown().await.unwrap();
    drop(strict);
    (out, end, writer.await.unwrap())
}

#[tokio::test]
async fn sound_requests_pass_byte_for_byte_however_they_are_cut() {
    let long = "x".repeat(3000);
    let input = format!(
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\nPOST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n{long}\
         POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe\r\no\r\nbb8;x=y\r\n{long}\r\n0\r\nT: 1\r\n\r\n\
         GET /3 HTTP/1.1\r\nHost: a\r\n\r\n"
    );
    let passed = input.replacen("\r\n\r\n\r\nPOST", "\r\n\r\nPOST", 1);
    for piece in [1, 2, 3, 7, 64, 100_000] {
        let (out, end, word) = through(input.as_bytes(), piece).await;
        assert_eq!(
            (String::from_utf8(out).unwrap(), end.is_ok(), word.as_str()),
            (passed.clone(), true, ""),
            "{piece}"
        );
    }
}

#[tokio::test]
async fn nothing_of_a_refused_head_is_handed_on() {
    let first = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for (bad, status) in [
        ("GET / HTTP/1.1\nHost: a\n\n".to_owned(), "400"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), "400"),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(2000)), "431"),
        (format!("GET /{}", "x".repeat(2000)), "431"),
    ] {
        for piece in [1, 5, 100_000] {
            let (out, _, word) = through(format!("{first}{bad}").as_bytes(), piece).await;
            assert_eq!(String::from_utf8(out).unwrap(), first);
            assert!(word.starts_with(&format!("HTTP/1.1 {status} ")), "{word}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_framed_wrongly_is_an_error() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in
        ["0x3\r\nabc\r\n", "3\nabc\r\n", "3\r\nabcd\r\n", "3\r\nabc\n", "0\r\nT: 1\n\r\n", "3;a\nb\r\n", "-1\r\n"]
    {
        for piece in [1, 100_000] {
            let (_, end, _) = through(format!("{head}{body}").as_bytes(), piece).await;
            assert_eq!(end.unwrap_err().kind(), io::ErrorKind::InvalidData, "{body:?}");
        }
    }
}

#[tokio::test]
async fn bytes_after_a_connect_wait_for_the_answer() {
    for (switched, after) in [(true, &b"\x16\x03\n\nraw"[..]), (false, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")] {
        let (mut client, server) = duplex(1024);
        let mut strict = Strict::new(server, LIMITS);
        let head = b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n";
        client.write_all(&[head, after].concat()).await.unwrap();
        let mut buf = [0; 200];
        assert_eq!(strict.read(&mut buf).await.unwrap(), head.len());
        let early = tokio::time::timeout(Duration::from_millis(5), strict.read(&mut buf)).await;
        assert!(early.is_err(), "nothing is handed on before the answer");
        strict.hold().decide(switched);
        let n = strict.read(&mut buf).await.unwrap();
        assert_eq!(&buf[..n], after);
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_dribbles_is_cut_off_and_a_silent_client_is_let_go() {
    for (sent, seconds, word) in [(&b"GET / HT"[..], 5, "HTTP/1.1 408 "), (b"", 30, "")] {
        let (mut client, server) = duplex(1024);
        let mut strict = Strict::new(server, LIMITS);
        client.write_all(sent).await.unwrap();
        let started = tokio::time::Instant::now();
        assert_eq!(strict.read(&mut [0; 10]).await.unwrap(), 0);
        assert_eq!(started.elapsed().as_secs(), seconds);
        strict.shutdown().await.unwrap();
        drop(strict);
        let mut said = String::new();
        client.read_to_string(&mut said).await.unwrap();
        assert!(said.starts_with(word) && said.is_empty() == word.is_empty(), "{said}");
    }
}
