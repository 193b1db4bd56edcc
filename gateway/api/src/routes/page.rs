//! Pages for people: HTML without scripts, in which everything that is not ours is shown in plain sight and escaped.

use axum::response::{IntoResponse, Response};
use html_escape::encode_quoted_attribute;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rampart_gateway::{Question, shown};
use sha2::{Digest, Sha256};

use crate::error::Error;

/// Characters of what would be done, and of each of its operands.
const SUBJECT: usize = 4000;
const DETAIL: usize = 4000;
/// Characters of names.
const NAME: usize = 200;
/// Characters of a question in a list, and questions in it.
const LISTED: usize = 400;
const QUESTIONS: usize = 200;
/// Operands that are shown.
const DETAILS: usize = 40;

const STYLE: &str = "\
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}\
body{max-width:46rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}\
h1{font-size:1.3rem}h2{font-size:1.1rem}time{white-space:nowrap}\
pre{white-space:pre-wrap;border:1px solid #8886;border-radius:.4rem;padding:.7rem;\
font:14px/1.45 ui-monospace,monospace}\
dt{font-weight:600;margin-top:.5rem}dd{margin:0}\
label{display:block;margin:1rem 0}input{width:100%;box-sizing:border-box;font:inherit;padding:.4rem}\
button{font:inherit;padding:.5rem 1.4rem;margin-right:1rem}";

/// SHA-256 of the style in base64, by which the content security policy (level 3, section 2.3.1) admits it and no other.
fn style_hash() -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(Sha256::digest(STYLE))
}

/// A page that runs nothing, loads nothing, stands in no frame, is kept nowhere, and tells nobody else where it was.
/// `same-origin` rather than `no-referrer`, which would make browsers send the form with `Origin: null` (Fetch standard,
/// "append a request Origin header").
pub(crate) fn html(status: StatusCode, text: String) -> Response {
    let mut headers = HeaderMap::new();
    let csp = format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        style_hash()
    );
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CONTENT_SECURITY_POLICY, &csp),
        (header::HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    (status, headers, text).into_response()
}

/// Where a person came from, and can go back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entrance {
    /// The dashboard, which lists what else waits.
    Dashboard,
    /// A link to this one question.
    Link,
}

impl Entrance {
    fn back(self) -> &'static str {
        match self {
            Self::Dashboard => "<p><a href=\"/dashboard/approvals\">What waits for an answer</a></p>",
            Self::Link => "",
        }
    }
}

/// How long a question waits on, as people say it.
fn left(question: &Question) -> String {
    match question.expires_in_ms() / 1000 {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

/// A question, with the form that answers it and sends this token back.
pub(super) fn question(question: &Question, token: &str, from: Entrance, redact: impl Fn(&str) -> String) -> String {
    let Question { call, judgement, .. } = question;
    let line = |text: &str, limit| escape(&shown::one_line(&redact(text), limit));
    let block = |text: &str, limit| escape(&shown::block(&redact(text), limit));
    let mut facts = String::new();
    let mut fact = |name: &str, value: &str| {
        if !value.is_empty() {
            facts.push_str(&format!("<dt>{name}</dt><dd>{}</dd>", line(value, NAME)));
        }
    };
    fact("Agent", &call.origin.agent);
    fact("Session", &call.origin.session);
    fact("Road", call.origin.surface.as_str());
    fact("Project", call.origin.workspace.as_deref().unwrap_or_default());
    fact("Rule", &judgement.rule.as_ref().map_or_else(|| judgement.reason.to_string(), ToString::to_string));
    fact("Asked", &question.asked());
    fact("Expires", &format!("{} (in {})", question.expires(), left(question)));
    if question.approvals > 1 {
        let agreed = question.agreed.iter().map(|agreed| agreed.by.as_str()).collect::<Vec<_>>().join(", ");
        let so_far = if agreed.is_empty() { "nobody".to_owned() } else { agreed };
        fact("People", &format!("{} must agree; so far {so_far}", question.approvals));
    }
    let details = question.details();
    let left_out = details.len().saturating_sub(DETAILS);
    let mut operands = String::new();
    for (name, text) in details.iter().take(DETAILS) {
        operands.push_str(&format!("<h2>{}</h2><pre>{}</pre>", escape(name), block(text, DETAIL)));
    }
    if left_out > 0 {
        operands.push_str(&format!("<p><strong>{left_out} more operands are not shown.</strong></p>"));
    }
    let body = format!(
        "<h1>Rampart asks: may this happen?</h1>\
         <p>{message}</p>\
         <h2>{tool}</h2><pre>{subject}</pre>{operands}\
         <dl>{facts}</dl>\
         <form method=\"post\">\
         <input type=\"hidden\" name=\"token\" value=\"{}\">\
         <label>Why (may be left empty) <input name=\"reason\" maxlength=\"500\" autocomplete=\"off\"></label>\
         <button name=\"decision\" value=\"deny\">Refuse</button>\
         <button name=\"decision\" value=\"approve\">Let it through, once</button>\
         </form>{back}",
        escape(token),
        back = from.back(),
        message = line(&judgement.message, SUBJECT),
        tool = line(call.action.tool(), NAME),
        subject = block(&call.action.subject(), SUBJECT),
    );
    document("Rampart asks", &body)
}

/// Who is logged in until when, and what waits for them. The token comes back with the form that logs out.
pub(super) fn landing(
    who: &str,
    until: Option<&str>,
    token: Option<&str>,
    waiting: &[Question],
    redact: impl Fn(&str) -> String,
) -> String {
    let line = |text: &str, limit| escape(&shown::one_line(&redact(text), limit));
    let mut items = String::new();
    let address = |question: &Question| format!("/dashboard/approvals/{}", question.id);
    // The same of the same agent stands in one place, in the order of the first; each is answered by itself.
    let is_same = |a: &Question, b: &Question| {
        a.call.origin.agent == b.call.origin.agent && a.call.action.subject() == b.call.action.subject()
    };
    let listed = waiting.get(..QUESTIONS).unwrap_or(waiting);
    for (nth, question) in listed.iter().enumerate() {
        let Question { call, judgement, .. } = question;
        if listed.iter().take(nth).any(|before| is_same(before, question)) {
            continue;
        }
        items.push_str(&format!(
            "<dt><a href=\"{}\">{}</a></dt><dd>{}: {}, {} left</dd>",
            address(question),
            line(&call.action.subject(), LISTED),
            line(if call.origin.agent.is_empty() { call.origin.surface.as_str() } else { &call.origin.agent }, NAME),
            line(&judgement.message, LISTED),
            left(question),
        ));
        let same = listed.iter().skip(nth + 1).filter(|later| is_same(question, later));
        let same: Vec<String> =
            same.map(|again| format!("<a href=\"{}\">{}</a>", address(again), escape(&again.id))).collect();
        if !same.is_empty() {
            items.push_str(&format!("<dd>and {} more of the same: {}</dd>", same.len(), same.join(" ")));
        }
    }
    let left_out = waiting.len().saturating_sub(QUESTIONS);
    if left_out > 0 {
        items.push_str(&format!("<dt>and {left_out} more</dt>"));
    }
    let waits = if items.is_empty() { "<p>Nothing waits.</p>".to_owned() } else { format!("<dl>{items}</dl>") };
    let until = until.map(|until| format!(", logged in until <time>{}</time>", line(until, NAME))).unwrap_or_default();
    // Who came with a token in a header has no login to end.
    let out = token.map(|token| {
        format!(
            "<form method=\"post\" action=\"/dashboard/logout\">\
             <input type=\"hidden\" name=\"token\" value=\"{}\"><button>Log out</button></form>",
            escape(token)
        )
    });
    let body = format!(
        "<h1>Rampart</h1><p>You are {}{until}.</p><h2>What waits for an answer</h2>{waits}{}",
        line(who, NAME),
        out.unwrap_or_default()
    );
    document("Rampart", &body)
}

/// That nobody is logged in any more.
pub(super) fn logged_out() -> String {
    document("Logged out", "<h1>You are logged out</h1><p><code>rampart dashboard</code> logs in again.</p>")
}

/// What was done.
pub(super) fn answered(approve: bool, missing: u8, from: Entrance) -> String {
    let text = match (approve, missing) {
        (true, 0) => "It was let through, this once.".to_owned(),
        (true, 1) => "You agreed. One more person must.".to_owned(),
        (true, more) => format!("You agreed. {more} more people must."),
        (false, _) => "It was refused.".to_owned(),
    };
    document("Answered", &format!("<h1>{text}</h1><p>You can close this page.</p>{}", from.back()))
}

/// Why nothing was done.
pub(crate) fn over(error: &Error) -> String {
    let text = escape(&shown::one_line(&error.message, SUBJECT));
    document("Not done", &format!("<h1>Nothing was done</h1><p>{text}</p><p><code>{}</code></p>", error.code))
}

fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style></head><body>{body}</body></html>\n"
    )
}

fn escape(text: &str) -> String {
    encode_quoted_attribute(text).into_owned()
}
