//! Another proxy on the way out, as corporate networks have them: HTTP, by CONNECT and for plain requests by their whole
//! URL, or SOCKS 5. It resolves the names; what it is told has been judged by name.

use std::{net::IpAddr, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use percent_encoding::percent_decode_str;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use url::Url;

use crate::{
    address::Allowance,
    destination::{Destination, Host, Scheme},
};

/// Of its answer to a CONNECT.
const MAX_HEAD: usize = 16 * 1024;

/// Where the other proxy is, and for whom it is not asked.
#[derive(Clone)]
pub struct UpstreamProxy {
    kind: Kind,
    pub(crate) at: Destination,
    credentials: Option<(String, String)>,
    near: Vec<Allowance>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Http,
    Socks,
}

impl FromStr for UpstreamProxy {
    type Err = String;

    /// Reads `http://[user:password@]host[:port]` or `socks5://...`. What is wrong never shows the password.
    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "write `http://[user:password@]host:port` or `socks5://[user:password@]host:port`";
        let url = Url::parse(text).map_err(|_| FORM.to_owned())?;
        let (kind, port) = match url.scheme() {
            "http" => (Kind::Http, 80),
            "socks5" | "socks5h" => (Kind::Socks, 1080),
            _ => return Err(FORM.to_owned()),
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(FORM.to_owned());
        }
        let host = Host::parse(url.host_str().unwrap_or_default()).map_err(|_| FORM.to_owned())?;
        let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let (user, password) = (decoded(url.username()), decoded(url.password().unwrap_or_default()));
        if user.len() > 255 || password.len() > 255 {
            return Err("the user name or password of the proxy is too long".to_owned());
        }
        let credentials = (!user.is_empty()).then_some((user, password));
        let at = Destination { scheme: Scheme::Http, host, port: url.port().unwrap_or(port) };
        Ok(Self { kind, at, credentials, near: Vec::new() })
    }
}

impl std::fmt::Debug for UpstreamProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpstreamProxy").field("kind", &self.kind).field("at", &self.at).finish_non_exhaustive()
    }
}

impl UpstreamProxy {
    /// The same proxy, which is not asked for these.
    pub fn without(self, near: Vec<Allowance>) -> Self {
        Self { near, ..self }
    }

    pub(crate) fn leads_to(&self, host: &Host) -> bool {
        !self.near.iter().any(|near| near.names(host))
    }

    /// Whether a plain request is told it as a whole, with its URL, and not through a tunnel.
    pub(crate) fn takes_whole(&self, to: &Destination) -> bool {
        self.kind == Kind::Http && to.scheme == Scheme::Http
    }

    /// What it wants to see of whoever asks.
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        let (user, password) = self.credentials.as_ref()?;
        let mut value =
            HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Makes a fresh connection to it one to the destination.
    pub(crate) async fn open(&self, tcp: &mut TcpStream, to: &Destination) -> Result<(), String> {
        match self.kind {
            Kind::Http => self.connect(tcp, to).await,
            Kind::Socks => self.socks(tcp, to).await.map_err(|e| format!("the upstream proxy: {e}")),
        }
    }

    async fn connect(&self, tcp: &mut TcpStream, to: &Destination) -> Result<(), String> {
        let broken = |e: std::io::Error| format!("the upstream proxy: {e}");
        let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n").into_bytes();
        if let Some(value) = self.authorization() {
            request.extend_from_slice(&[b"Proxy-Authorization: ", value.as_bytes(), b"\r\n"].concat());
        }
        request.extend_from_slice(b"\r\n");
        tcp.write_all(&request).await.map_err(broken)?;
        // Byte by byte: what follows the head is the destination's.
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(tcp.read_u8().await.map_err(broken)?);
            if head.len() > MAX_HEAD {
                return Err("the upstream proxy answers with more than a head".to_owned());
            }
        }
        let line = String::from_utf8_lossy(head.split(|b| *b == b'\r').next().unwrap_or_default()).into_owned();
        match line.split(' ').nth(1) {
            Some(status) if line.starts_with("HTTP/1.") && status.starts_with('2') && status.len() == 3 => Ok(()),
            _ => Err(format!("the upstream proxy answers `{}`", line.escape_debug())),
        }
    }

    /// RFC 1928 and RFC 1929.
    async fn socks(&self, tcp: &mut TcpStream, to: &Destination) -> std::io::Result<()> {
        let other = |text: String| std::io::Error::other(text);
        let method = if self.credentials.is_some() { 2 } else { 0 };
        tcp.write_all(&[5, 1, method]).await?;
        let mut chosen = [0; 2];
        tcp.read_exact(&mut chosen).await?;
        if chosen != [5, method] {
            return Err(other("it takes no such credentials".to_owned()));
        }
        if let Some((user, password)) = &self.credentials {
            tcp.write_all(&[&[1], counted(user).as_slice(), &counted(password)].concat()).await?;
            tcp.read_exact(&mut chosen).await?;
            if chosen[1] != 0 {
                return Err(other("it does not know these credentials".to_owned()));
            }
        }
        let address = match &to.host {
            Host::Address(IpAddr::V4(v4)) => [&[1], &v4.octets()[..]].concat(),
            Host::Address(IpAddr::V6(v6)) => [&[4], &v6.octets()[..]].concat(),
            Host::Name(name) => [&[3], counted(name).as_slice()].concat(),
        };
        tcp.write_all(&[&[5, 1, 0], address.as_slice(), &to.port.to_be_bytes()].concat()).await?;
        let mut reply = [0; 4];
        tcp.read_exact(&mut reply).await?;
        if reply[1] != 0 {
            return Err(other(format!("it does not open the connection (reply {})", reply[1])));
        }
        let rest = match reply[3] {
            1 => 4,
            4 => 16,
            _ => usize::from(tcp.read_u8().await?),
        };
        tcp.read_exact(&mut vec![0; rest + 2]).await?;
        Ok(())
    }
}

/// A text behind its length in one byte. All of ours are short enough.
fn counted(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap_or(u8::MAX)], text.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_its_password_shown_to_nobody() {
        let read = |text: &str| text.parse::<UpstreamProxy>().map(|p| (p.at.to_string(), p.credentials.clone()));
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(read("http://Proxy.corp:3128").unwrap(), ("proxy.corp:3128".into(), None));
        assert_eq!(read("http://u:p%40ss@10.0.0.1/").unwrap(), ("10.0.0.1:80".into(), pair("u", "p@ss")));
        assert_eq!(read("socks5://u:p@[::1]").unwrap(), ("[::1]:1080".into(), pair("u", "p")));
        for bad in ["", "proxy:3128", "https://p:1", "http://", "ftp://u:s3cret@p", "http://u:s3cret@p/x?y"] {
            let error = read(bad).unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
        let shown = format!("{:?}", "http://u:s3cret@p:1".parse::<UpstreamProxy>().unwrap());
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
