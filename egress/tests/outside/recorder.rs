//! An origin that writes down what reaches it, byte for byte, and accepts only what can be read in one way.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::origin::{Identity, tls_of};

/// A request as it stood on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Names in lower case, without those that frame the body.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What came, in order: requests, and whatever was none.
pub(crate) type Log = Arc<Mutex<Vec<Result<Request, String>>>>;

/// Starts one without TLS.
pub(crate) async fn plain(log: Log) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            tokio::spawn(record(tcp, Arc::clone(&log)));
        }
    });
    address
}

/// Starts one with TLS that speaks HTTP/1.1 alone.
pub(crate) async fn secure(identity: Identity, log: Log) -> SocketAddr {
    let acceptor = TlsAcceptor::from(tls_of(identity, &["http/1.1"]));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let (acceptor, log) = (acceptor.clone(), Arc::clone(&log));
            tokio::spawn(async move {
                if let Ok(tls) = acceptor.accept(tcp).await {
                    record(tls, log).await;
                }
            });
        }
    });
    address
}

async fn record(mut io: impl AsyncRead + AsyncWrite + Unpin, log: Log) {
    let (mut got, mut buf) = (Vec::new(), [0; 8192]);
    loop {
        match read(&got) {
            Ok(Some((request, length))) => {
                got.drain(..length);
                log.lock().unwrap().push(Ok(request));
                if io.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.is_err() {
                    return;
                }
                continue;
            }
            Ok(None) => {}
            Err(why) => {
                log.lock().unwrap().push(Err(format!("{why}: {}", got.escape_ascii())));
                return;
            }
        }
        match io.read(&mut buf).await {
            Ok(n @ 1..) => got.extend_from_slice(&buf[..n]),
            // Part of a request is what is left of one that was broken off.
            _ => return,
        }
    }
}

/// The first request, and how long it is; nothing where there is more to come.
fn read(bytes: &[u8]) -> Result<Option<(Request, usize)>, String> {
    let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default();
    let [method, target, "HTTP/1.1"] = line.split(' ').collect::<Vec<_>>()[..] else {
        return Err(format!("the request line is `{line}`"));
    };
    if head.split("\r\n").any(|line| line.contains(['\r', '\n', '\0'])) {
        return Err("a control character in the head".to_owned());
    }
    let (mut fields, mut length, mut chunked, mut hosts) = (Vec::new(), None, false, 0);
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(|| format!("`{line}` has no colon"))?;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)) {
            return Err(format!("`{name}` is no name"));
        }
        let (name, value) = (name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned());
        match name.as_str() {
            "content-length" if length.is_none() && !chunked && value.bytes().all(|b| b.is_ascii_digit()) => {
                length = Some(value.parse::<usize>().map_err(|e| e.to_string())?);
            }
            "transfer-encoding" if length.is_none() && !chunked && value == "chunked" => chunked = true,
            "content-length" | "transfer-encoding" => return Err("the body is framed twice".to_owned()),
            "host" => hosts += 1,
            _ => fields.push((name, value)),
        }
    }
    if hosts != 1 {
        return Err(format!("{hosts} Host fields"));
    }
    let (mut at, mut body) = (end + 4, Vec::new());
    if chunked {
        loop {
            let Some(line) = bytes[at..].windows(2).position(|w| w == b"\r\n") else { return Ok(None) };
            let size = std::str::from_utf8(&bytes[at..at + line]).map_err(|e| e.to_string())?;
            let size = usize::from_str_radix(size, 16).map_err(|e| format!("chunk size `{size}`: {e}"))?;
            at += line + 2;
            if bytes.len() < at + size + 2 {
                return Ok(None);
            }
            body.extend_from_slice(&bytes[at..at + size]);
            if &bytes[at + size..at + size + 2] != b"\r\n" {
                return Err("something follows a chunk, or a trailer".to_owned());
            }
            at += size + 2;
            if size == 0 {
                break;
            }
        }
    } else {
        let length = length.unwrap_or(0);
        if bytes.len() < at + length {
            return Ok(None);
        }
        body.extend_from_slice(&bytes[at..at + length]);
        at += length;
    }
    Ok(Some((Request { method: method.to_owned(), target: target.to_owned(), fields, body }, at)))
}
