//! Slack. Agent text stands in rich text elements, which Slack shows as they are; the fallback text of the notification
//! is escaped (`&`, `<`, `>` are all that make links and mentions) and marked as no Markdown.

use bytes::Bytes;
use http::{Request, Uri};
use serde_json::{Value, json};

use super::{Event, event::LOOK, target::post};

pub(super) fn render(event: &Event, url: &Uri) -> Request<Bytes> {
    let text = |text: &str| json!({"type": "text", "text": text});
    let bold = |text: &str| json!({"type": "text", "text": text, "style": {"bold": true}});
    let section = |elements: Vec<Value>| json!({"type": "rich_text_section", "elements": elements});
    let mut elements = vec![section(vec![bold(&event.headline())])];
    if !event.subject.is_empty() {
        let tool = text(&format!("{}: {}", event.tool, event.subject));
        elements.push(json!({"type": "rich_text_preformatted", "elements": [tool]}));
    }
    if !event.message.is_empty() {
        elements.push(section(vec![text(&event.message)]));
    }
    let facts =
        event.facts().into_iter().flat_map(|(name, value)| [bold(&format!("{name}: ")), text(&value), text("\n")]);
    elements.push(section(facts.collect()));
    elements.extend(
        event
            .link
            .iter()
            .map(|url| section(vec![json!({"type": "link", "url": url, "text": LOOK, "style": {"bold": true}})])),
    );
    post(
        url,
        &json!({
            "text": escape(&format!("{}: {}", event.headline(), event.subject)),
            "mrkdwn": false,
            "unfurl_links": false,
            "unfurl_media": false,
            "blocks": [{"type": "rich_text", "elements": elements}],
        }),
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use rampart_call::Outcome;

    use super::*;
    use crate::notify::event::tests::event;

    #[test]
    fn a_question_as_slack_gets_it() {
        let url = Uri::from_static("https://hooks.slack.com/services/T/B/x");
        let request = render(&event(Outcome::Ask, Some("a1b2c3d4e5f6")), &url);
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let fallback = body["text"].as_str().unwrap();
        assert!(!fallback.contains(['<', '>']), "{fallback}");
        insta::assert_json_snapshot!(body);
    }
}
