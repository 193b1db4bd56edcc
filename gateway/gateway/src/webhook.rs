//! `action: webhook`: an external service decides about a call. No answer in time, or none that can be understood,
//! refuses the call, unless the rule says `fail_open`. What the service says clearly always holds.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use rampart_call::{Call, Judgement, Outcome, Reason};
use rampart_policy::Webhook;
use rampart_scan::shown::one_line;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    audit::Trail,
    outside::{self, Http},
};

/// Questions to services at once; what comes beyond waits in its own time.
const AT_ONCE: usize = 64;
/// Characters of a service's message that are kept.
const MESSAGE: usize = 600;

/// Asks services.
#[derive(Debug)]
pub(crate) struct Verifiers {
    http: Option<Http>,
    places: Semaphore,
}

/// What a service is asked. The call is without its secrets.
#[derive(Serialize)]
struct Question<'a> {
    v: &'static str,
    call: Value,
    policy: &'a str,
    message: &'a str,
    effects: Value,
    ruleset: &'a str,
    /// The call is longer than what is sent of it: nobody who reads this knows all that would happen.
    truncated: bool,
}

/// What it answers. Members that we do not know are its own business.
#[derive(Debug, Deserialize)]
struct Said {
    decision: Decision,
    #[serde(default)]
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Allow,
    Deny,
    Ask,
}

impl Verifiers {
    /// Without `http` there is no way to ask.
    pub(crate) fn new(http: Option<Http>) -> Self {
        Self { http, places: Semaphore::new(AT_ONCE) }
    }

    /// Turns a judgement that leaves the decision to a service into the service's.
    pub(crate) async fn decide(
        &self,
        webhook: &Webhook,
        call: &Call,
        mut judgement: Judgement,
        trail: &Trail,
    ) -> Judgement {
        let host = webhook.url.parse::<Uri>().ok().and_then(|url| url.host().map(str::to_owned)).unwrap_or_default();
        judgement.reason = Reason::Webhook;
        let said = match self.ask(webhook, call, &judgement, trail).await {
            Ok(Said { decision, message }) => {
                let verb = match decision {
                    Decision::Allow => "allowed it",
                    Decision::Deny => "denied it",
                    Decision::Ask => "wants a human to decide",
                };
                judgement.outcome = match decision {
                    Decision::Allow => Outcome::Allow,
                    Decision::Deny => Outcome::Deny,
                    Decision::Ask => Outcome::Ask,
                };
                let message = one_line(&message, MESSAGE);
                if message.is_empty() { verb.to_owned() } else { format!("{verb}: {message}") }
            }
            Err(why) if webhook.fail_open => {
                judgement.outcome = Outcome::Allow;
                format!("gave no answer and `fail_open` allows it: {why}")
            }
            Err(why) => {
                judgement.outcome = Outcome::Deny;
                format!("gave no answer, so it is refused: {why}")
            }
        };
        judgement.message = format!("{} (the service at {host} {said})", judgement.message);
        judgement
    }

    async fn ask(&self, webhook: &Webhook, call: &Call, judgement: &Judgement, trail: &Trail) -> Result<Said, String> {
        let http = self.http.as_ref().ok_or("this gateway has no way to other services")?;
        let request = question(webhook, call, judgement, trail)?;
        let patience = Duration::from_millis(webhook.timeout_ms.max(0).unsigned_abs());
        let answer = timeout(patience, async {
            let _place = self.places.acquire().await.map_err(|e| e.to_string())?;
            outside::send(http, request).await
        });
        let reply = answer.await.map_err(|_| format!("it took longer than {} ms", patience.as_millis()))??;
        if !reply.status.is_success() {
            return Err(format!("it answered {}", reply.status));
        }
        understand(&reply.body)
    }
}

fn question(webhook: &Webhook, call: &Call, judgement: &Judgement, trail: &Trail) -> Result<Request<Bytes>, String> {
    let redacted = trail.redacted(call);
    let question = Question {
        v: "rampart.verify.v1",
        truncated: is_cut(&redacted),
        call: redacted,
        policy: judgement.decided_by(),
        message: &judgement.message,
        effects: trail.redacted(&judgement.effects),
        ruleset: &judgement.ruleset,
    };
    let mut request = Request::new(Bytes::from(serde_json::to_vec(&question).map_err(|e| e.to_string())?));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = webhook.url.parse().map_err(|e| format!("its address cannot be called: {e}"))?;
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(request)
}

/// Whether the trail's redaction left out the middle of a text. Whoever writes its mark into a call makes it look so.
fn is_cut(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(" bytes in all, hmac-sha256:"),
        Value::Array(list) => list.iter().any(is_cut),
        Value::Object(members) => {
            members.iter().any(|(name, member)| name.contains(" bytes in all, ") || is_cut(member))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// JSON that means one thing: an answer with two decisions is none.
fn understand(body: &[u8]) -> Result<Said, String> {
    let value = rampart_call::strict::parse(body).map_err(|e| format!("its answer is not JSON: {e}"))?;
    let wanted = r#"its answer is not `{"decision": "allow" | "deny" | "ask", "message": "..."}`"#;
    // An array would be read as the members in order.
    let members = if value.is_object() { value } else { Value::Null };
    serde_json::from_value(members).map_err(|_| wanted.to_owned())
}

#[cfg(test)]
mod tests {
    use http::Response;
    use http_body_util::{BodyExt as _, Full};
    use rampart_call::{Action, Origin, Phase};
    use tower::{BoxError, service_fn};

    use super::*;
    use crate::audit;

    #[tokio::test]
    async fn the_service_s_word_is_the_decision_and_silence_is_a_refusal() {
        let dir = tempfile::tempdir().unwrap();
        let trail = Trail::open(&dir.path().join("audit"), audit::Settings::default()).unwrap();
        for (body, fail_open, outcome, message) in [
            (
                r#"{"decision":"ask","message":"unsure\u001b[2K"}"#,
                true,
                Outcome::Ask,
                r"wants a human to decide: unsure\u{1b}[2K",
            ),
            (r#"{"decision":"deny"}"#, true, Outcome::Deny, "denied it"),
            (r#"{"decision":"allow"}"#, false, Outcome::Allow, "allowed it"),
            ("", true, Outcome::Allow, "`fail_open` allows it: its answer is not JSON"),
            ("", false, Outcome::Deny, "so it is refused: its answer is not JSON"),
        ] {
            let http = Http::new(service_fn(move |_| async move {
                Ok(Response::new(Full::from(body).map_err(|e| -> BoxError { match e {} }).boxed_unsync()))
            }));
            let webhook = Webhook { url: "http://verify.example/".into(), timeout_ms: 1000, fail_open };
            let judgement = Judgement { outcome: Outcome::Webhook, ..Judgement::refused(Reason::Rule, "Risky") };
            let action = Action::Connect { host: "x.example".into(), port: 1, addresses: vec![] };
            let call = Call { origin: Origin::default(), phase: Phase::Before, action, response: None };
            let decided = Verifiers::new(Some(http)).decide(&webhook, &call, judgement, &trail).await;
            assert_eq!((decided.outcome, decided.reason), (outcome, Reason::Webhook), "{body}");
            let begin = "Risky (the service at verify.example ";
            assert!(decided.message.starts_with(begin) && decided.message.contains(message), "{}", decided.message);
        }
    }

    #[test]
    fn a_service_is_told_when_it_does_not_see_all() {
        let dir = tempfile::tempdir().unwrap();
        let trail = Trail::open(&dir.path().join("audit"), audit::Settings::default()).unwrap();
        for (size, truncated) in [(1_000, false), (16 * 1024, false), (16 * 1024 + 1, true), (1 << 20, true)] {
            let action = Action::Tool { name: "x".into(), input: serde_json::json!({"deep": ["y".repeat(size)]}) };
            let call = Call { origin: Origin::default(), phase: Phase::Before, action, response: None };
            let webhook = Webhook { url: "http://verify.example/".into(), timeout_ms: 1000, fail_open: false };
            let judgement = Judgement::refused(Reason::Rule, "Risky");
            let request = question(&webhook, &call, &judgement, &trail).unwrap();
            let asked: Value = serde_json::from_slice(request.body()).unwrap();
            assert_eq!(asked["truncated"], truncated, "{size}");
        }
    }

    #[test]
    fn only_a_clear_answer_counts() {
        for (body, decision) in [
            (r#"{"decision":"allow"}"#, Some(Decision::Allow)),
            (r#"{"decision":"deny","message":"no","score":0.9}"#, Some(Decision::Deny)),
            (r#"{"decision":"ask","message":""}"#, Some(Decision::Ask)),
            (r#"{"decision":"allow","decision":"deny"}"#, None),
            (r#"{"decision":"Allow"}"#, None),
            (r#"{"decision":"allow","message":7}"#, None),
            (r#"{"allow":true}"#, None),
            (r#"["allow"]"#, None),
            (r#"{"decision":"allow"} {"decision":"deny"}"#, None),
            ("allow", None),
            ("", None),
        ] {
            assert_eq!(understand(body.as_bytes()).ok().map(|said| said.decision), decision, "{body}");
        }
    }
}
