//! What a request must be like before anybody looks at who sent it.

use axum::extract::Request;
use http::{HeaderMap, StatusCode, header, uri::Authority};

use super::only;
use crate::{Api, error::Error, routes::link};

/// Names of parameters in which others put tokens.
const TOKEN_NAMES: [&str; 6] = ["token", "access_token", "auth", "api_key", "apikey", "bearer"];

/// Refuses what is meant for another host, comes from another site, or shows its token in the URL.
pub(super) fn check(api: &Api, request: &Request) -> Result<(), Error> {
    let headers = request.headers();
    let host = only(headers, header::HOST);
    let target = request.uri().authority().map(Authority::as_str);
    // The public name of links to questions is good for nothing else.
    let link = api.links.as_ref().filter(|_| request.uri().path().starts_with(link::PREFIX));
    let ours =
        |host: &str| api.hosts.iter().any(|known| known == host) || link.is_some_and(|(_, public)| public == host);
    if !host.is_some_and(ours) || target.is_some_and(|target| !ours(target)) {
        let text = format!("this is not the host you asked for; ask for {}", api.hosts.join(" or "));
        return Err(Error::new(StatusCode::MISDIRECTED_REQUEST, "misdirected", text));
    }
    let same_site = match only(headers, header::ORIGIN) {
        Some(origin) => {
            origin.strip_prefix("http://").is_some_and(ours) || link.is_some_and(|(public, _)| public == origin)
        }
        None => !headers.contains_key(header::ORIGIN),
    };
    let fetched_elsewhere = only(headers, "sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none"));
    if !same_site || fetched_elsewhere {
        return Err(Error::new(StatusCode::FORBIDDEN, "cross_site", "requests from other sites are not answered"));
    }
    if shows_token(request.uri().query().unwrap_or_default()) {
        let text = "a token in a URL ends up in logs and histories, so it is not taken there: send it as \
                    `Authorization: Bearer ...`, and revoke it if it was a real one";
        return Err(Error::new(StatusCode::BAD_REQUEST, "token_in_url", text));
    }
    Ok(())
}

fn shows_token(query: &str) -> bool {
    query.split('&').any(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        value.starts_with("rampart_") || TOKEN_NAMES.iter().any(|token| name.eq_ignore_ascii_case(token))
    })
}

/// The token that a request bears.
pub(super) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = only(headers, header::AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
