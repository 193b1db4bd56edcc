//! `notify`: whom to tell about decisions. Only read here; telling is the gateway's business.

use rampart_call::Outcome;

use crate::{read::Reader, yaml::Node};

/// Whom to tell about decisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// Where to send it.
    pub url: String,
    /// Which outcomes to tell of.
    pub on: Vec<Outcome>,
}

const OUTCOMES: [(&str, Outcome); 5] = [
    ("allow", Outcome::Allow),
    ("watch", Outcome::Watch),
    ("ask", Outcome::Ask),
    ("webhook", Outcome::Webhook),
    ("deny", Outcome::Deny),
];

/// Reads the mapping behind `notify:`.
pub(crate) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Notify> {
    let mut fields = reader.fields(node, "`notify`")?;
    let url = fields.take("url").and_then(|n| reader.text(n, "url"));
    let on = fields.take("on").map(|n| reader.texts(n, "on"));
    fields.finish(reader);
    let on = match on {
        None => vec![Outcome::Deny, Outcome::Ask],
        Some(words) => words.iter().filter_map(|w| reader.word(w, "a decision", &OUTCOMES)).collect(),
    };
    let Some(url) = url else {
        reader.error("missing-key", &node.span, "`notify` needs the key `url`");
        return None;
    };
    if !url::Url::parse(&url.value).is_ok_and(|u| matches!(u.scheme(), "http" | "https") && u.has_host()) {
        reader.error("bad-url", &url.span, format!("`{}` is not a URL that can be called", url.value));
    }
    Some(Notify { url: url.value, on })
}
