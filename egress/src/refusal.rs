//! What the client gets instead of an answer, and why.

mod aws;

use std::net::IpAddr;

use bytes::Bytes;
use html_escape::encode_quoted_attribute as escape;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::ext::ReasonPhrase;
use rampart_call::{Judgement, Refusal};

use crate::{body::Body, decode::Undecoded, destination::Destination};

/// The most bytes of a message that stand in a status line.
const MAX_PHRASE: usize = 200;

/// What the body of a refusal is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Programs.
    Json,
    /// Browsers.
    Html,
    /// Git, which shows what is plain text.
    Plain,
    /// Clients of AWS that show errors of its own form only.
    Aws(aws::Form),
}

impl Form {
    /// The one that suits who sends these headers.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let agent = headers.get(header::USER_AGENT).map_or(&b""[..], HeaderValue::as_bytes);
        match aws::asked(headers) {
            Some(form) => Self::Aws(form),
            None if agent.starts_with(b"git/") => Self::Plain,
            None if prefers_html(headers) => Self::Html,
            None => Self::Json,
        }
    }
}

/// A request that does not go on.
#[derive(Debug, Clone)]
pub(crate) enum Refused {
    /// The gate said no.
    Denied(Box<Judgement>),
    /// The proxy itself could not, or must not, go on.
    Failed { status: StatusCode, code: &'static str, message: String },
}

impl Refused {
    fn failed(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self::Failed { status, code, message: message.into() }
    }

    /// The request can be read in more than one way, or in none.
    pub(crate) fn malformed(why: impl Into<String>) -> Self {
        Self::failed(StatusCode::BAD_REQUEST, "malformed", why)
    }

    /// Host names of one connection disagree (RFC 9110 section 15.5.20).
    pub(crate) fn mismatch(said: &str, agreed: &Destination) -> Self {
        let message =
            format!("the request names `{}`, but the connection was opened to `{agreed}`", said.escape_debug());
        Self::failed(StatusCode::MISDIRECTED_REQUEST, "host_mismatch", message)
    }

    pub(crate) fn private(to: &Destination, address: IpAddr, what: &str) -> Self {
        let message = format!(
            "`{to}` has the address {address}, which is {what}; a human can allow it under `egress.allow_private` in the configuration"
        );
        Self::failed(StatusCode::FORBIDDEN, "private_address", message)
    }

    pub(crate) fn looped() -> Self {
        Self::failed(StatusCode::LOOP_DETECTED, "loop", "the request came back to the proxy that sent it")
    }

    pub(crate) fn unresolved(name: &str, why: &str) -> Self {
        Self::failed(StatusCode::BAD_GATEWAY, "unresolved", format!("could not resolve `{name}`: {why}"))
    }

    pub(crate) fn unreachable(to: &Destination, why: &str) -> Self {
        Self::failed(StatusCode::BAD_GATEWAY, "upstream_unreachable", format!("could not reach `{to}`: {why}"))
    }

    pub(crate) fn broken_off(why: &str) -> Self {
        Self::failed(StatusCode::BAD_GATEWAY, "upstream_unreachable", format!("the answer broke off: {why}"))
    }

    pub(crate) fn timed_out(to: &Destination, what: &str) -> Self {
        let message = format!("`{to}` did not answer in time ({what})");
        Self::failed(StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", message)
    }

    /// The client does not read what it is sent.
    pub(crate) fn stalled(limit: std::time::Duration) -> Self {
        let message = format!("the client took nothing of what it was sent for {limit:?}; its connection was ended");
        Self::failed(StatusCode::REQUEST_TIMEOUT, "client_stalled", message)
    }

    /// Nothing passes any more.
    pub(crate) fn idle(limit: std::time::Duration) -> Self {
        let message = format!("nothing came for {limit:?}; the conversation was ended");
        Self::failed(StatusCode::GATEWAY_TIMEOUT, "idle", message)
    }

    /// The origin's certificate does not prove that it is the origin.
    pub(crate) fn unverified(to: &Destination, why: &str) -> Self {
        let message = format!("the certificate of `{to}` does not verify: {why}");
        Self::failed(StatusCode::BAD_GATEWAY, "upstream_unverified", message)
    }

    /// A request that would have to be signed with keys that its client does not hold.
    pub(crate) fn unsigned(why: impl Into<String>) -> Self {
        Self::failed(StatusCode::BAD_REQUEST, "unsigned", why)
    }

    /// A body whose text cannot be judged.
    pub(crate) fn undecoded(why: &Undecoded) -> Self {
        let code = match why {
            Undecoded::Oversize => "oversize",
            Undecoded::Broken(_) => "malformed",
        };
        Self::failed(StatusCode::FORBIDDEN, code, format!("the body cannot be looked into: {why}"))
    }

    /// Something must be cut out of bytes that are no text.
    pub(crate) fn uneditable() -> Self {
        Self::failed(StatusCode::FORBIDDEN, "uneditable", "a rule cuts something out of this answer, and it is no text")
    }

    pub(crate) fn unknown_session() -> Self {
        let message = "the proxy's address has no user name and password of a running session in it; start the agent anew with \
             `rampart wrap`, or run `rampart env` again";
        Self::failed(StatusCode::PROXY_AUTHENTICATION_REQUIRED, "unknown_session", message)
    }

    /// The stable code of the reason.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Denied(judgement) => judgement.reason.as_str(),
            Self::Failed { code, .. } => code,
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Denied(_) => StatusCode::FORBIDDEN,
            Self::Failed { status, .. } => *status,
        }
    }

    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Denied(judgement) => &judgement.message,
            Self::Failed { message, .. } => message,
        }
    }

    /// The response that says so: as HTML on the user's own page, if there is one.
    pub(crate) fn response(&self, form: Form, own_page: Option<&str>) -> Response<Body> {
        let (decision, error) = match self {
            Self::Denied(_) => ("deny", "blocked_by_rampart"),
            Self::Failed { .. } if self.status() == StatusCode::FORBIDDEN => ("deny", "blocked_by_rampart"),
            Self::Failed { .. } => ("error", "refused_by_rampart"),
        };
        let (rule, allow) = match self {
            Self::Denied(judgement) => (judgement.decided_by(), judgement.suggestions.first().map(String::as_str)),
            Self::Failed { code, .. } => (*code, None),
        };
        let (kind, text) = match (form, own_page) {
            (Form::Html, Some(own)) => (HTML, filled(own, self.message(), rule, self.code(), allow)),
            (Form::Html, None) => (HTML, page(self.message(), rule, allow)),
            (Form::Json, _) => ("application/json", told(error, rule, self.message(), self.code(), allow)),
            (Form::Plain, _) => ("text/plain; charset=utf-8", self.explained() + "\n"),
            (Form::Aws(form), _) => {
                let code = if decision == "deny" { "BlockedByRampart" } else { "RefusedByRampart" };
                ("application/xml", aws::told(form, code, &self.explained()))
            }
        };
        let mut response = Response::new(Body::full(Bytes::from(text)));
        *response.status_mut() = self.status();
        if let Ok(phrase) = ReasonPhrase::try_from(phrase(self.status(), self.message(), rule)) {
            response.extensions_mut().insert(phrase);
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert("x-rampart-decision", HeaderValue::from_static(decision));
        if let Ok(rule) = HeaderValue::from_str(rule) {
            headers.insert("x-rampart-rule", rule);
        }
        if self.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            headers.insert(header::PROXY_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"rampart\""));
        }
        response
    }

    /// All of it in one text.
    fn explained(&self) -> String {
        match self {
            Self::Denied(judgement) => Refusal { judgement: (**judgement).clone() }.explain(),
            Self::Failed { code, message, .. } => format!("Rampart refused this: {message}. Reason: {code}."),
        }
    }
}

/// Why, for the status line of HTTP/1: many clients show nothing else of a refusal (Python's, Ruby's, npm).
fn phrase(status: StatusCode, message: &str, rule: &str) -> String {
    let plain = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
    let said: String = message.chars().map(plain).take(MAX_PHRASE).collect();
    let rule: String = rule.chars().map(plain).take(MAX_PHRASE).collect();
    format!("{}: {said} (Rampart: {rule})", status.canonical_reason().unwrap_or_default())
}

const HTML: &str = "text/html; charset=utf-8";

/// The body of a refusal for programs.
pub(crate) fn told(error: &str, rule: &str, message: &str, reason: &str, allow: Option<&str>) -> String {
    let text = |t: &str| serde_json::Value::from(t).to_string();
    let allow = allow.map_or("null".to_owned(), text);
    let (error, rule, message, reason) = (text(error), text(rule), text(message), text(reason));
    format!("{{\"error\":{error},\"rule\":{rule},\"message\":{message},\"reason\":{reason},\"allow\":{allow}}}\n")
}

/// Whether a browser asks: HTML stands in Accept before any JSON.
fn prefers_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    match (accept.find("text/html"), accept.find("json")) {
        (Some(html), Some(json)) => html < json,
        (html, _) => html.is_some(),
    }
}

fn page(message: &str, rule: &str, allow: Option<&str>) -> String {
    let allow = allow.map(|a| format!("<p>A human can allow it with <code>{}</code></p>", escape(a)));
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Blocked by Rampart</title>\
         <body style=\"font-family:sans-serif;max-width:40em;margin:4em auto\"><h1>Blocked by Rampart</h1>\
         <p>{}</p><p>Rule: <code>{}</code></p>{}</body></html>\n",
        escape(message),
        escape(rule),
        allow.unwrap_or_default(),
    )
}

/// The user's own page. What is put in is text there, never markup, and is not looked into again.
fn filled(page: &str, message: &str, rule: &str, reason: &str, allow: Option<&str>) -> String {
    let mut text = String::with_capacity(page.len() + message.len());
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("{{") {
        text.push_str(before);
        let word = after.split_once("}}");
        let value = word.and_then(|(word, _)| match word.trim() {
            "message" => Some(message),
            "rule" => Some(rule),
            "reason" => Some(reason),
            "allow" => Some(allow.unwrap_or_default()),
            _ => None,
        });
        if let (Some(value), Some((_, behind))) = (value, word) {
            text.push_str(&escape(value));
            rest = behind;
        } else {
            text.push_str("{{");
            rest = after;
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_for_those_who_ask_for_it_first() {
        for (accept, html) in [
            ("text/html,application/xhtml+xml,*/*;q=0.8", true),
            ("application/json, text/html", false),
            ("*/*", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(prefers_html(&headers), html, "{accept}");
        }
    }

    #[test]
    fn a_status_line_is_one_line_whatever_the_rule_says() {
        let phrase = phrase(StatusCode::FORBIDDEN, &format!("no\r\nX: y \u{e9}{}", "x".repeat(999)), "a\nb");
        assert!(phrase.starts_with("Forbidden: no??X: y ?xxx") && phrase.ends_with("x (Rampart: a?b)"), "{phrase}");
        assert!(phrase.len() < 250 && ReasonPhrase::try_from(phrase).is_ok());
    }

    #[test]
    fn a_page_of_ones_own_is_filled_once_and_with_text() {
        let page = "<h1>{{ message }}</h1>{{rule}} {{reason}} [{{allow}}] {{other}} {{";
        let shown = filled(page, "<b>{{rule}}</b>", "r", "c", None);
        assert_eq!(shown, "<h1>&lt;b&gt;{{rule}}&lt;/b&gt;</h1>r c [] {{other}} {{");
    }

    #[test]
    fn nothing_of_the_request_becomes_markup() {
        let page = page("<script>alert(1)</script>", "a&b", Some("rampart allow \"x\""));
        assert!(!page.contains("<script>") && page.contains("a&amp;b") && page.contains("&quot;x&quot;"), "{page}");
    }
}
