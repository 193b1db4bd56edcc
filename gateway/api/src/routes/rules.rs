//! `/v1/rules`: the human's own rules, of which each is exact, has an origin, and can be taken back.

use std::{path::PathBuf, sync::Arc};

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use http::StatusCode;
use rampart_client::wire::{AddedRule, NewRule, RemovedRule, ResetRules, Rule};
use rampart_gateway::{
    Override, OverrideAction, Question,
    overrides::{Added, Entry, Place},
    parse_duration, rfc3339, shown,
};

use crate::{Api, access::Caller, body::Strict, error::Error};

pub(super) async fn list(State(api): State<Arc<Api>>) -> Result<Json<Vec<Rule>>, Error> {
    let entries = api.gateway().own_rules().await?;
    Ok(Json((1..).zip(&entries).map(|(number, entry)| listed(number, entry)).collect()))
}

pub(super) async fn add(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Strict(new): Strict<NewRule>,
) -> Result<Json<AddedRule>, Error> {
    let preview = new.preview;
    let (rule, place) = meant(new)?;
    let gateway = api.gateway();
    let done = if preview {
        gateway.try_rule(rule, place).await?
    } else {
        gateway.add_rule(rule, place, &caller.name()).await?
    };
    Ok(Json(added(done)))
}

/// The rule that is wanted, and where the call would be made that it is tried with.
pub(super) fn meant(new: NewRule) -> Result<(Override, Place), Error> {
    let NewRule {
        action,
        pattern,
        tool,
        params,
        message,
        description,
        lasts_s,
        once,
        preview: _,
        cwd,
        workspace,
        home,
    } = new;
    let action = word(&action)?;
    let ends = |seconds: u64| rfc3339(rampart_gateway::wall_ms().saturating_add(seconds.saturating_mul(1000)));
    let by = || format!("added through the API on {}", today());
    let rule = Override {
        action,
        tool: tool.map(|tool| tool.trim().to_owned()).filter(|tool| tool != "exec"),
        pattern: pattern.trim().to_owned(),
        params,
        description: Some(description.unwrap_or_else(by)),
        message,
        expires_at: lasts_s.map(ends),
        once,
    };
    let path = |text: Option<String>| text.map(PathBuf::from);
    let place = Place { cwd: path(cwd), workspace: path(workspace), home: path(home) };
    Ok((rule, place))
}

pub(super) async fn remove(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(which): Path<String>,
) -> Result<Json<RemovedRule>, Error> {
    let removed = api.gateway().remove_rule(&which, &caller.name()).await?;
    Ok(Json(RemovedRule { rule: listed(removed.number, &removed.entry), rules: removed.rules }))
}

pub(super) async fn reset(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<ResetRules>, Error> {
    let reset = api.gateway().reset_rules(&caller.name()).await?;
    let kept = reset.kept.map(|kept| kept.display().to_string());
    Ok(Json(ResetRules { removed: reset.count, kept, rules: reset.rules }))
}

fn listed(number: usize, entry: &Entry) -> Rule {
    let rule = entry.as_override();
    let action = |rule: &Override| match rule.action {
        OverrideAction::Allow => "allow",
        OverrideAction::Deny => "deny",
        OverrideAction::Ask => "ask",
    };
    Rule {
        number,
        name: entry.name().to_owned(),
        action: rule.as_ref().map(|rule| action(rule).to_owned()),
        tool: rule.as_ref().map(|rule| rule.tool.clone().unwrap_or_else(|| "exec".to_owned())),
        once: rule.as_ref().is_some_and(|rule| rule.once),
        message: rule.as_ref().and_then(|rule| rule.message.clone()),
        params: rule.as_ref().map(|rule| rule.params.clone()).unwrap_or_default(),
        pattern: rule.map(|rule| rule.pattern),
        expires_at: entry.expires_at().map(str::to_owned),
        expired: entry.ends_ms().is_some_and(|end| end <= rampart_gateway::wall_ms()),
        origin: entry.origin().to_owned(),
        policy: entry.policy.clone(),
    }
}

fn word(action: &str) -> Result<OverrideAction, Error> {
    Ok(match action {
        "allow" => OverrideAction::Allow,
        "deny" => OverrideAction::Deny,
        "ask" => OverrideAction::Ask,
        other => {
            let text = format!("`action` is allow, deny or ask, not `{other}`");
            return Err(Error::new(StatusCode::UNPROCESSABLE_ENTITY, "senseless", text));
        }
    })
}

/// The date, as rules say where they come from.
fn today() -> String {
    rfc3339(rampart_gateway::wall_ms()).split('T').next().unwrap_or_default().to_owned()
}

pub(super) fn added(added: Added) -> AddedRule {
    let Added { number, existed, notes, warnings, rules } = added;
    let warnings = warnings.iter().map(ToString::to_string).collect();
    AddedRule { number, existed, notes, warnings, rules }
}

/// The rule that allows exactly what was asked, as far as the answer reaches: `once` needs none.
pub(super) fn for_later(question: &Question, scope: &str) -> Result<Option<(Override, Place)>, Error> {
    let senseless = |text: String| Error::new(StatusCode::UNPROCESSABLE_ENTITY, "senseless", text);
    let expires_at = match scope {
        "once" => return Ok(None),
        "always" => None,
        time => {
            let lasts = parse_duration(time).filter(|ms| *ms > 0).map(i64::unsigned_abs);
            let text = || senseless(format!("`scope` is once, always or a time such as 30m, 1h or 7d, not `{time}`"));
            Some(rfc3339(rampart_gateway::wall_ms().saturating_add(lasts.ok_or_else(text)?)))
        }
    };
    if question.approvals > 1 {
        let text = format!(
            "{} needs {} people each time, and a rule for later would need none; nothing was answered",
            question.id, question.approvals
        );
        return Err(senseless(text));
    }
    let Some(exact) = Override::exact(&question.call.action) else {
        let text = format!(
            "no rule can say exactly this, so nothing was answered; `rampart approve {}` lets this one call through",
            question.id
        );
        return Err(senseless(text));
    };
    let origin = &question.call.origin;
    let agent = shown::one_line(&origin.agent, 60);
    let description = format!("approved for {agent:?} on {}, question {}", today(), question.id);
    let rule = Override { description: Some(description), expires_at, ..exact };
    rule.check().map_err(|why| senseless(format!("no rule can say exactly this ({why}), so nothing was answered")))?;
    let path = |text: &Option<String>| text.as_ref().map(PathBuf::from);
    let place = Place { cwd: None, workspace: path(&origin.workspace), home: path(&origin.home) };
    Ok(Some((rule, place)))
}
