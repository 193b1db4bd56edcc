//! Discord. A backslash before every ASCII punctuation mark makes it literal in Discord's Markdown, which also keeps
//! addresses from becoming links; and nothing in the message can mention anybody.

use bytes::Bytes;
use http::{Request, Uri};
use rampart_call::Outcome;
use serde_json::{Value, json};

use super::{Event, target::post};

pub(super) fn render(event: &Event, url: &Uri) -> Request<Bytes> {
    let colour = match event.told {
        Outcome::Deny => 0x00d9_3025,
        Outcome::Ask | Outcome::Webhook => 0x00f2_9900,
        Outcome::Watch => 0x001a_73e8,
        Outcome::Allow => 0x0018_8038,
    };
    let fields: Vec<Value> = event
        .facts()
        .into_iter()
        .map(|(name, value)| json!({"name": name, "value": escape(&value), "inline": name != "Answer"}))
        .collect();
    let what = format!("**{}**  {}\n{}", escape(&event.tool), escape(&event.subject), escape(&event.message));
    let mut embed = json!({
        "title": event.headline(),
        "description": what,
        "color": colour,
        "timestamp": event.at,
        "fields": fields,
    });
    if let (Some(link), Some(embed)) = (&event.link, embed.as_object_mut()) {
        // The title leads there.
        embed.insert("url".to_owned(), json!(link));
    }
    post(url, &json!({"allowed_mentions": {"parse": []}, "embeds": [embed]}))
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::event::{Event, tests::event};

    #[test]
    fn a_denial_as_discord_gets_it() {
        let url = Uri::from_static("https://discord.com/api/webhooks/1/x");
        let request = render(&event(Outcome::Deny, None), &url);
        insta::assert_json_snapshot!(serde_json::from_slice::<Value>(request.body()).unwrap());
    }

    #[test]
    fn the_longest_message_is_within_discords_limits() {
        let punctuation = "<".repeat(1250);
        let longest = Event {
            subject: punctuation.clone(),
            message: punctuation[..650].into(),
            ..event(Outcome::Ask, Some("x"))
        };
        let request = render(&longest, &Uri::from_static("https://discord.com/api/webhooks/1/x"));
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        assert!(body["embeds"][0]["description"].as_str().unwrap().chars().count() <= 4096);
    }
}
