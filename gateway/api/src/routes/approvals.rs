//! `/v1/approvals`: the questions that wait for a human, and the answers.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use rampart_client::wire::{Detail, Pending, Resolve, Resolved};
use rampart_gateway::{Question, Reply, Resolution};

use super::rules;
use crate::{Api, Peer, Scope, access::Caller, body::Strict, error::Error};

/// Most bytes of what a person says about an answer.
pub(super) const LONGEST_REASON: usize = 2048;
const LONGEST_SCOPE: usize = 32;

pub(super) async fn list(State(api): State<Arc<Api>>, Extension(caller): Extension<Caller>) -> Json<Vec<Pending>> {
    Json(api.gateway().pending().into_iter().map(|question| pending(question, &caller, &api)).collect())
}

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Pending>, Error> {
    Ok(Json(pending(api.gateway().question(&id)?, &caller, &api)))
}

pub(super) async fn resolve(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Strict(Resolve { approve, reason, payload, scope }): Strict<Resolve>,
) -> Result<Json<Resolved>, Error> {
    let question = api.gateway().question(&id)?;
    caller.covers(&question)?;
    let from = match caller.peer {
        Peer::Socket { .. } => "cli",
        Peer::Tcp if caller.page_token().is_some() => "dashboard",
        Peer::Tcp => "api",
    };
    let scope = scope.unwrap_or_else(|| "once".to_owned());
    if reason.len() > LONGEST_REASON || scope.len() > LONGEST_SCOPE {
        return Err(Error::malformed(format!("a reason has at most {LONGEST_REASON} bytes, a scope {LONGEST_SCOPE}")));
    }
    // Whether there can be such a rule, and who may write it, is known before anything is released.
    let rule = if approve { rules::for_later(&question, &scope)? } else { None };
    if rule.is_some() {
        caller.require(Scope::Admin, true, &api)?;
    }
    let (person, by) = (caller.person(), caller.name());
    let reply = Reply { approve, by: caller.name(), person, from, reason, payload, scope };
    let Resolution { question, missing } = api.gateway().resolve(&id, reply).await?;
    let approved = approve && missing == 0;
    let subject = question.call.action.subject();
    let mut resolved = Resolved { id: question.id, approved, missing, subject, rule: None, unwritten: None };
    if let Some((rule, place)) = rule {
        match api.gateway().add_rule(rule, place, &by).await {
            Ok(added) => resolved.rule = Some(rules::added(added)),
            Err(why) => resolved.unwritten = Some(why.to_string()),
        }
    }
    Ok(Json(resolved))
}

/// A question as it came, but for the pages of a browser: what they show holds no secrets.
fn pending(question: Question, caller: &Caller, api: &Api) -> Pending {
    let on_a_page = caller.page_token().is_some();
    let redact = |text: &str| if on_a_page { api.gateway().without_secrets(text) } else { text.to_owned() };
    let details = question.details().into_iter();
    Pending {
        asked: question.asked(),
        expires: question.expires(),
        details: details.map(|(name, text)| Detail { name: name.to_owned(), text: redact(&text) }).collect(),
        expires_in_ms: question.expires_in_ms(),
        subject: redact(&question.call.action.subject()),
        approvals: question.approvals,
        agreed: question.agreed.into_iter().map(|agreed| agreed.by).collect(),
        id: question.id,
        payload: question.payload,
        call: question.call,
        judgement: question.judgement,
    }
}
