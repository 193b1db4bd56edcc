//! Microsoft Teams, through a workflow or a connector: an adaptive card. Text blocks and facts of cards are read as
//! Markdown, so everything that is not ours stands in text runs, which are not.

use bytes::Bytes;
use http::{Request, Uri};
use rampart_call::Outcome;
use serde_json::{Value, json};

use super::{Event, event::LOOK, target::post};

pub(super) fn render(event: &Event, url: &Uri) -> Request<Bytes> {
    let run = |text: &str| json!({"type": "TextRun", "text": text});
    let code = |text: &str| json!({"type": "TextRun", "text": text, "fontType": "Monospace"});
    let bold = |text: &str| json!({"type": "TextRun", "text": text, "weight": "Bolder"});
    let block = |inlines: Vec<Value>| json!({"type": "RichTextBlock", "inlines": inlines});
    let colour = match event.told {
        Outcome::Deny => "Attention",
        Outcome::Ask | Outcome::Webhook => "Warning",
        Outcome::Watch => "Accent",
        Outcome::Allow => "Good",
    };
    let title =
        json!({"type": "TextRun", "text": event.headline(), "weight": "Bolder", "size": "Medium", "color": colour});
    let mut body = vec![block(vec![title])];
    if !event.subject.is_empty() {
        body.push(block(vec![bold(&format!("{} ", event.tool)), code(&event.subject)]));
    }
    if !event.message.is_empty() {
        body.push(block(vec![run(&event.message)]));
    }
    body.extend(event.facts().into_iter().map(|(name, value)| block(vec![bold(&format!("{name}: ")), run(&value)])));
    let open = |url: &String| json!({"type": "Action.OpenUrl", "title": LOOK, "url": url});
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
        "actions": event.link.iter().map(open).collect::<Vec<_>>(),
    });
    let attachment = json!({"contentType": "application/vnd.microsoft.card.adaptive", "content": card});
    post(url, &json!({"type": "message", "attachments": [attachment]}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::event::tests::event;

    #[test]
    fn a_question_as_teams_gets_it() {
        let url = Uri::from_static("https://acme.webhook.office.com/webhookb2/x");
        let request = render(&event(Outcome::Ask, Some("a1b2c3d4e5f6")), &url);
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        for read_as_markdown in [r#""TextBlock""#, r#""FactSet""#] {
            assert!(!body.to_string().contains(read_as_markdown));
        }
        insta::assert_json_snapshot!(body);
    }
}
