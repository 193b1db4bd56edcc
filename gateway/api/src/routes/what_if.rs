//! `POST /v1/policy/what-if`: what a further policy or rule would have come to for the calls on record.

use std::{path::Path, sync::Arc};

use axum::{Json, extract::State};
use http::StatusCode;
use rampart_client::wire::WhatIf;
use rampart_gateway::{
    audit::read::{Edge, Filter, moment_in_utc},
    replay::Replayed,
    what_if::Thought,
};

use super::{audit, rules};
use crate::{Api, body::Strict, error::Error};

/// Most calls that are named.
const MOST: usize = 200;

pub(super) async fn what_if(
    State(api): State<Arc<Api>>,
    Strict(WhatIf { policy, rule, since }): Strict<WhatIf>,
) -> Result<Json<Replayed>, Error> {
    let senseless = |text: &str| Error::new(StatusCode::UNPROCESSABLE_ENTITY, "senseless", text);
    let thought = match (policy, rule) {
        (Some(text), None) => Thought::Policy(text),
        (None, Some(rule)) => Thought::Rule(Box::new(rules::meant(rule)?)),
        _ => return Err(senseless("give a `policy` or a `rule`, and not both")),
    };
    let moment = |text: &str| {
        let wanted = || senseless("`since` is a time such as `7d`, `2026-01-31` or `2026-01-31T09:30:00Z`");
        moment_in_utc(text, Edge::Begin).ok_or_else(wanted)
    };
    let since_ms = since.as_deref().map(moment).transpose()?;
    let filter = Filter { since_ms, ..Filter::default() };
    let replayed = audit::whole(move || {
        let user_home = api.beside.as_ref().map_or(Path::new("/"), |beside| &beside.user_home);
        Ok(api.gateway().what_if(thought, filter, user_home, MOST))
    });
    Ok(Json(replayed.await??))
}
