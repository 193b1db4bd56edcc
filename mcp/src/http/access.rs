//! Who may use a listener: by which names it is asked for, from which pages, and with which token.

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use sha2::{Digest as _, Sha256};

use super::{Body, Failed, json, whose::Caller};
use crate::message;

/// The token of a client that logs in to the server behind with `Authorization`.
const TOKEN: HeaderName = HeaderName::from_static("x-rampart-token");

/// What clients must show.
#[derive(Debug, Default)]
pub struct Access {
    /// Names that the listener may be asked for besides those of loopback: hosts, with or without a port.
    hosts: Vec<String>,
    /// The hashes of tokens of which a client must show one; none where every client may come.
    tokens: Vec<[u8; 32]>,
}

impl Access {
    /// The listener may be asked for by `hosts` besides the names of loopback, and by whoever shows one of the tokens, if
    /// there are any.
    pub fn new<'t>(hosts: Vec<String>, tokens: impl IntoIterator<Item = &'t str>) -> Self {
        let tokens = tokens.into_iter().map(|token| Sha256::digest(token).into()).collect();
        Self { hosts, tokens }
    }

    /// Turns away what a page of another site can send, by whatever name it has found us (DNS rebinding).
    pub(super) fn admits(&self, headers: &HeaderMap, port: u16) -> Result<(), Failed> {
        let refuse = |why| Err(Failed::new(StatusCode::FORBIDDEN, None, message::INVALID_REQUEST, why));
        let only = |name| {
            let mut values = headers.get_all(name).iter();
            (values.next().map(|v| v.to_str().unwrap_or_default()), values.next().is_some())
        };
        let ours = |authority: &str| {
            let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
                Some((host, port)) => (host, port.parse().ok()),
                None => (authority, Some(port)),
            };
            let loopback = ["localhost", "127.0.0.1", "[::1]"].contains(&host) && port.is_some();
            loopback || self.hosts.iter().any(|known| known == host || known == authority)
        };
        match only(header::HOST) {
            (Some(host), false) if ours(host) => {}
            _ => return refuse("this is not the host you asked for; name others with --allow-host"),
        }
        match only(header::ORIGIN) {
            (None, _) => Ok(()),
            (Some(origin), false) if origin.split_once("://").is_some_and(|(_, authority)| ours(authority)) => Ok(()),
            _ => refuse("requests from other sites are not answered"),
        }
    }

    /// Who a client is by the token that it shows, if it may come; what it has shown is taken away, and no server sees it.
    pub(super) fn knows(&self, headers: &mut HeaderMap) -> Option<Caller> {
        if self.tokens.is_empty() {
            return Some(Caller::default());
        }
        let bearer = |value: &HeaderValue| {
            let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        };
        let plain = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
        let shown = headers.get(TOKEN).and_then(plain);
        let name = if shown.is_some() { TOKEN } else { header::AUTHORIZATION };
        let shown = shown.or_else(|| headers.get(header::AUTHORIZATION).and_then(bearer))?;
        // Hashes are compared, so how long that takes says nothing of the token.
        let shown: [u8; 32] = Sha256::digest(shown).into();
        let known = self.tokens.iter().position(|token| *token == shown);
        headers.remove(name);
        known.map(|token| Caller { token: Some(token), stream: None })
    }
}

/// What a client gets that has shown no token.
pub(super) fn stranger() -> Response<Body> {
    let why = "show the listener's token: `Authorization: Bearer TOKEN`, or `X-Rampart-Token: TOKEN`";
    let Failed(status, body) = Failed::new(StatusCode::UNAUTHORIZED, None, message::INVALID_REQUEST, why);
    let mut response = json(status, body);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_asked_for_and_goes_no_further() {
        let map = |pairs: &[(&'static str, &'static str)]| {
            let pair = |(name, value): &(&'static str, &'static str)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            };
            pairs.iter().map(pair).collect::<HeaderMap>()
        };
        let access = Access::new(Vec::new(), ["one", "two"]);
        for (shown, knows, left) in [
            (&[("authorization", "Bearer one")][..], Some(0), &[][..]),
            (&[("authorization", "bearer two")], Some(1), &[]),
            (
                &[("authorization", "Bearer for-the-server"), ("x-rampart-token", "one")],
                Some(0),
                &[("authorization", "Bearer for-the-server")],
            ),
            (
                &[("authorization", "Bearer one"), ("x-rampart-token", "wrong")],
                None,
                &[("authorization", "Bearer one")],
            ),
            (&[("authorization", "Bearer three")], None, &[]),
            (&[("authorization", "Basic one")], None, &[("authorization", "Basic one")]),
            (&[], None, &[]),
        ] {
            let mut headers = map(shown);
            assert_eq!(access.knows(&mut headers).and_then(|caller| caller.token), knows, "{shown:?}");
            assert_eq!(headers, map(left), "{shown:?}");
        }
        let mut headers = map(&[("authorization", "Bearer any")]);
        assert!(Access::default().knows(&mut headers) == Some(Caller::default()) && headers.len() == 1);
    }
}
