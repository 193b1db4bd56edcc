//! ntfy: JSON to the root of the server, which names the topic (headers could carry ASCII only). The text is plain.

use bytes::Bytes;
use http::{HeaderValue, Request, Uri, header};
use rampart_call::Outcome;
use serde_json::json;

use super::{Event, Secret, target::post};

pub(super) fn render(event: &Event, url: &Uri, token: Option<&Secret>) -> Request<Bytes> {
    let (root, topic) = url.path().rsplit_once('/').unwrap_or(("", ""));
    let facts: Vec<String> = event.facts().into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let message = format!("{}: {}\n{}\n\n{}", event.tool, event.subject, event.message, facts.join("\n"));
    let (priority, tag) = match event.told {
        Outcome::Deny => (4, "no_entry"),
        Outcome::Ask => (5, "question"),
        Outcome::Webhook | Outcome::Watch => (3, "eyes"),
        Outcome::Allow => (2, "white_check_mark"),
    };
    let mut body = json!({
        "topic": topic,
        "title": event.headline(),
        "message": message,
        "priority": priority,
        "tags": [tag],
        "markdown": false,
    });
    if let (Some(link), Some(body)) = (&event.link, body.as_object_mut()) {
        body.insert("click".to_owned(), json!(link));
    }
    let server = format!("{root}/").parse().ok().and_then(|path| {
        let mut parts = url.clone().into_parts();
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).ok()
    });
    let mut request = post(&server.unwrap_or_else(|| url.clone()), &body);
    if let Some(Ok(mut value)) = token.map(|token| HeaderValue::from_str(&format!("Bearer {}", token.reveal()))) {
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    request
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::notify::event::tests::event;

    #[test]
    fn a_question_as_ntfy_gets_it() {
        let url = Uri::from_static("https://ntfy.sh/alerts");
        let request = render(&event(Outcome::Ask, Some("a1b2c3d4e5f6")), &url, Some(&Secret::new("tk_x")));
        assert_eq!(request.uri(), "https://ntfy.sh/");
        assert_eq!(request.headers()["authorization"], "Bearer tk_x");
        insta::assert_json_snapshot!(serde_json::from_slice::<Value>(request.body()).unwrap());
    }

    #[test]
    fn a_server_may_live_below_a_path() {
        let request = render(&event(Outcome::Deny, None), &Uri::from_static("https://x.example/ntfy/alerts?x=1"), None);
        assert_eq!(request.uri(), "https://x.example/ntfy/");
    }
}
