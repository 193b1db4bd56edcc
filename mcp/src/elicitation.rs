//! Forms by which a server asks for what no form may ask for. MCP forbids servers to request passwords, keys and the like
//! so (2025-11-25, Client Features, Elicitation: "Servers MUST NOT use form mode elicitation to request sensitive
//! information"); a page of the server's own, opened by its URL, is where those belong. Such a page is one that nobody on the
//! way can change: it comes by HTTPS, or from this machine.

use rampart_call::{Action, Reason, Refusal};
use serde_json::Value;

use crate::answer;

/// Words that name a secret, of the letters and digits of a field's name or title.
const SECRET: &[&str] = &[
    "accesskey",
    "accesstoken",
    "apikey",
    "apitoken",
    "authtoken",
    "bearertoken",
    "cardnumber",
    "clientsecret",
    "creditcard",
    "cvc",
    "cvv",
    "mnemonic",
    "onetimecode",
    "otp",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "pin",
    "pincode",
    "privatekey",
    "recoverycode",
    "refreshtoken",
    "secret",
    "secretkey",
    "securitycode",
    "seedphrase",
    "socialsecuritynumber",
    "ssn",
    "token",
    "totp",
];
/// The most words that one of them is made of, as in `social security number`.
const LONGEST: usize = 3;
/// Characters of a foreign name in a text for people.
const SHOWN: usize = 60;

/// The refusal of a form that asks for a secret, and of a page that is none of the web.
pub(crate) fn refusal(action: &Action) -> Option<Refusal> {
    let Action::Mcp { method, arguments, .. } = action else { return None };
    if method != "elicitation/create" {
        return None;
    }
    let by_url = arguments.get("mode").and_then(Value::as_str) == Some("url");
    if (by_url || arguments.get("url").is_some()) && !arguments.get("url").and_then(Value::as_str).is_some_and(opens) {
        let why = "the page that the server wants opened is neither on this machine nor an https:// address";
        return Some(answer::refused(Reason::Malformed, why));
    }
    let fields = arguments.pointer("/requestedSchema/properties")?;
    let secret = |(name, field): &(&String, &Value)| {
        asks(name)
            || field.get("title").and_then(Value::as_str).is_some_and(asks)
            || field.get("format").and_then(Value::as_str) == Some("password")
    };
    let (name, _) = fields.as_object()?.iter().find(secret)?;
    let name: String = name.chars().take(SHOWN).flat_map(char::escape_default).collect();
    let why = format!("the server asks for `{name}` in a form, and a form must not ask for secrets");
    Some(answer::refused(Reason::Malformed, why))
}

/// Whether a browser may be sent there. A name before the host (`https://bank.example@evil.example`) only deceives.
fn opens(url: &str) -> bool {
    let Ok(url) = url.parse::<http::Uri>() else { return false };
    let here = matches!(url.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let deceives = url.authority().is_none_or(|authority| authority.as_str().contains('@'));
    !deceives && (url.scheme_str() == Some("https") || (here && url.scheme_str() == Some("http")))
}

/// Whether a name has one of these words in it: `API key`, `github_token`, `dbPassword`, but not `pinned` or `tokenizer`.
fn asks(name: &str) -> bool {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for c in name.chars() {
        let begins = !before.is_alphanumeric() || (before.is_lowercase() && c.is_uppercase());
        if c.is_alphanumeric() {
            match words.last_mut().filter(|_| !begins) {
                Some(word) => word.extend(c.to_lowercase()),
                None => words.push(c.to_lowercase().collect()),
            }
        }
        before = c;
    }
    (0..words.len()).any(|from| {
        (1..=LONGEST).filter_map(|count| words.get(from..from + count)).any(|some| {
            let joined = some.concat();
            let singular = joined.strip_suffix('s').unwrap_or(&joined);
            SECRET.contains(&joined.as_str()) || SECRET.contains(&singular)
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        for name in [
            "password",
            "dbPassword",
            "API key",
            "api_key",
            "API-Keys",
            "github_token",
            "Social Security Number",
            "PIN",
            "card.number",
            "seed phrase",
        ] {
            assert!(asks(name), "{name}");
        }
        for name in
            ["name", "pinned", "tokenizer", "secretary", "key", "passport country", "max tokenization", "spin", ""]
        {
            assert!(!asks(name), "{name}");
        }
    }

    #[test]
    fn a_form_is_refused_for_a_field_and_nothing_else() {
        let form = |method: &str, properties: Value| Action::Mcp {
            server: "s".into(),
            method: method.into(),
            tool: String::new(),
            arguments:
                json!({"message": "your password?", "requestedSchema": {"type": "object", "properties": properties}})
                    .into(),
            beside: Value::Null,
        };
        let why = |action| refusal(&action).map(|refusal| refusal.judgement.message);
        assert!(
            why(form("elicitation/create", json!({"a": {}, "pass\u{1b}word": {"title": "Password"}})))
                .is_some_and(|why| why.contains(r"`pass\u{1b}word`"))
        );
        assert!(why(form("elicitation/create", json!({"x": {"type": "string", "format": "password"}}))).is_some());
        assert_eq!(why(form("elicitation/create", json!({"city": {"title": "City"}}))), None);
        assert_eq!(why(form("tools/call", json!({"password": {}}))), None);
    }

    #[test]
    fn a_page_to_open_is_one_of_the_web() {
        for (arguments, opens) in [
            (json!({"mode": "url", "url": "https://login.example/x?state=1"}), true),
            (json!({"mode": "url", "url": "http://localhost:8080/callback"}), true),
            (json!({"mode": "form", "requestedSchema": {}}), true),
            (json!({"mode": "url", "url": "http://login.example/x"}), false),
            (json!({"mode": "url", "url": "javascript:alert(1)"}), false),
            (json!({"mode": "url", "url": "file:///etc/passwd"}), false),
            (json!({"mode": "url", "url": "https://bank.example@evil.example/"}), false),
            (json!({"mode": "url", "url": "https://"}), false),
            (json!({"mode": "url", "url": 1}), false),
            (json!({"mode": "url"}), false),
            (json!({"url": "ms-settings:"}), false),
        ] {
            let (server, method, tool) = ("s".into(), "elicitation/create".into(), String::new());
            let action = Action::Mcp { server, method, tool, arguments: arguments.clone().into(), beside: Value::Null };
            assert_eq!(refusal(&action).is_none(), opens, "{arguments}");
        }
    }
}
