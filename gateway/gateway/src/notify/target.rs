//! Where notifications go, and in which shape each place wants them.

use bytes::Bytes;
use http::{Method, Request, Uri, header};
use rampart_call::Outcome;
use serde_json::Value;

use super::{Event, discord, ntfy, slack, teams, webhook};

/// One place to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its address. Those of chat services let everybody who knows them write there, so they are never shown.
    pub url: Uri,
    /// What to tell of.
    pub on: Vec<Outcome>,
    /// In which shape.
    pub format: Format,
    /// Signs what is sent to a webhook; the access token for ntfy.
    pub secret: Option<Secret>,
}

/// The shape of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A Slack incoming webhook.
    Slack,
    /// A Discord webhook.
    Discord,
    /// A Microsoft Teams workflow or connector.
    Teams,
    /// A topic of an ntfy server.
    Ntfy,
    /// Plain JSON.
    Webhook,
}

/// A value that no log, error or listing shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// What is kept; for the one who has to show it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Slack, Self::Discord, Self::Teams, Self::Ntfy, Self::Webhook];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Teams => "teams",
            Self::Ntfy => "ntfy",
            Self::Webhook => "webhook",
        }
    }

    /// The format that the service at an address wants.
    pub fn of(url: &Uri) -> Self {
        let host = url.host().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
        let below = |domain: &str| host.strip_suffix(domain).is_some_and(|sub| sub.is_empty() || sub.ends_with('.'));
        match host.as_str() {
            "hooks.slack.com" | "hooks.slack-gov.com" => Self::Slack,
            "ntfy.sh" => Self::Ntfy,
            _ if (below("discord.com") || below("discordapp.com")) && url.path().starts_with("/api/webhooks/") => {
                Self::Discord
            }
            _ if ["webhook.office.com", "logic.azure.com", "api.powerplatform.com"].iter().any(|d| below(d)) => {
                Self::Teams
            }
            _ => Self::Webhook,
        }
    }
}

impl Target {
    /// The place a URL names, with the format its host wants. None when nobody can be called there.
    pub fn new(url: &str, on: Vec<Outcome>) -> Option<Self> {
        let url: Uri = url.parse().ok()?;
        // A user name and password in it would be shown where the address is.
        let named = url.host().is_some_and(|host| !host.is_empty()) && !url.authority()?.as_str().contains('@');
        let callable = matches!(url.scheme_str(), Some("http" | "https")) && named;
        callable.then(|| Self { format: Format::of(&url), url, on, secret: None })
    }

    /// What to send.
    pub(super) fn render(&self, event: &Event) -> Request<Bytes> {
        let secret = self.secret.as_ref();
        match self.format {
            Format::Slack => slack::render(event, &self.url),
            Format::Discord => discord::render(event, &self.url),
            Format::Teams => teams::render(event, &self.url),
            Format::Ntfy => ntfy::render(event, &self.url, secret),
            Format::Webhook => webhook::render(event, &self.url, secret),
        }
    }
}

/// Which one it is, without what makes its address a secret.
impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.format.as_str(), self.url.host().unwrap_or_default())
    }
}

/// A POST of JSON.
pub(super) fn post(url: &Uri, body: &Value) -> Request<Bytes> {
    let mut request = Request::new(Bytes::from(body.to_string()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url.clone();
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    headers
        .insert(header::USER_AGENT, header::HeaderValue::from_static(concat!("rampart/", env!("CARGO_PKG_VERSION"))));
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_tells_the_format() {
        for (url, format) in [
            ("https://hooks.slack.com/services/T/B/x", Format::Slack),
            ("https://HOOKS.slack.com./services/T/B/x", Format::Slack),
            ("https://hooks.slack.com.evil.example/services", Format::Webhook),
            ("https://discord.com/api/webhooks/1/x", Format::Discord),
            ("https://ptb.discord.com/api/webhooks/1/x", Format::Discord),
            ("https://discord.com/other", Format::Webhook),
            ("https://notdiscord.com/api/webhooks/1/x", Format::Webhook),
            ("https://acme.webhook.office.com/webhookb2/x", Format::Teams),
            ("https://prod-1.westus.logic.azure.com:443/workflows/x", Format::Teams),
            ("https://ntfy.sh/alerts", Format::Ntfy),
            ("http://localhost:8080/hook", Format::Webhook),
        ] {
            assert_eq!(Target::new(url, vec![]).unwrap().format, format, "{url}");
        }
        for url in ["", "ftp://x.example/", "/path", "x.example", "https://", "http://a:b@x.example/"] {
            assert_eq!(Target::new(url, vec![]), None, "{url}");
        }
    }

    #[test]
    fn neither_the_address_nor_the_secret_is_shown() {
        let mut target = Target::new("https://hooks.slack.com/services/T/B/hunter2", vec![]).unwrap();
        target.secret = Some(Secret::new("hunter2"));
        assert_eq!(target.to_string(), "slack at hooks.slack.com");
        assert_eq!(format!("{:?}", target.secret), "Some(Secret)");
    }
}
