//! `/v1/approvals`: the questions that wait for a human, and the answers.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use rampart_client::wire::{Pending, Resolve, Resolved};
use rampart_gateway::{Question, Reply};

use crate::{Api, Peer, access::Caller, body::Strict, error::Error};

pub(super) async fn list(State(api): State<Arc<Api>>) -> Json<Vec<Pending>> {
    Json(api.gateway().pending().into_iter().map(pending).collect())
}

pub(super) async fn show(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Result<Json<Pending>, Error> {
    Ok(Json(pending(api.gateway().question(&id)?)))
}

pub(super) async fn resolve(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Strict(Resolve { approve, reason, payload }): Strict<Resolve>,
) -> Result<Json<Resolved>, Error> {
    let from = match caller.peer {
        Peer::Socket { .. } => "cli",
        Peer::Tcp => "api",
    };
    let reply = Reply { approve, by: caller.name, from, reason, payload };
    let question = api.gateway().resolve(&id, reply).await?;
    Ok(Json(Resolved { subject: question.call.action.subject(), id: question.id, approved: approve }))
}

fn pending(question: Question) -> Pending {
    Pending {
        asked: question.asked(),
        expires_in_ms: question.expires_in_ms(),
        subject: question.call.action.subject(),
        id: question.id,
        payload: question.payload,
        call: question.call,
        judgement: question.judgement,
    }
}
