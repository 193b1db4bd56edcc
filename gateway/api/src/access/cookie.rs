//! The cookie of a browser that looks at the dashboard (RFC 6265), and the token by which its own pages are known.

use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};

use super::only;

/// Its name.
const NAME: &str = "rampart_session";
/// The header in which a page sends its token.
pub(super) const PAGE_TOKEN: &str = "x-rampart-csrf";
/// Never sent by a request that another site began, never shown to a script. Not `Secure`: the port speaks plain HTTP on
/// this machine, and some browsers keep such cookies for TLS alone.
const ATTRIBUTES: &str = "Path=/; HttpOnly; SameSite=Strict";

/// The text of the cookie, where there is just one of that name.
pub(super) fn of(headers: &HeaderMap) -> Option<&str> {
    let pairs = only(headers, header::COOKIE)?.split(';').filter_map(|pair| pair.trim().split_once('='));
    let mut ours = pairs.filter(|(name, _)| *name == NAME);
    match (ours.next(), ours.next()) {
        (Some((_, text)), None) => Some(text),
        _ => None,
    }
}

/// What a page is told so that it can prove to be one of ours. It says nothing of the cookie.
pub(super) fn page_token(cookie: &str) -> String {
    hex::encode(Sha256::digest(format!("rampart/page/v1\n{cookie}")))
}

/// Gives a browser its cookie, for so many seconds.
pub(crate) fn set(text: &str, seconds: u64) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{NAME}={text}; Max-Age={seconds}; {ATTRIBUTES}")).ok()
}

/// Takes it back.
pub(crate) fn clear() -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{NAME}=; Max-Age=0; {ATTRIBUTES}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cookie_of_ours_is_found_among_others_and_two_are_none() {
        for (header, found) in [
            ("rampart_session=a", Some("a")),
            ("x=1; rampart_session=a;y=2", Some("a")),
            ("x_rampart_session=a", None),
            ("rampart_session=a; rampart_session=b", None),
            ("rampart_session", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(header))]);
            assert_eq!(of(&headers), found, "{header}");
        }
    }
}
