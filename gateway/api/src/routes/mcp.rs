//! `/v1/mcp/...` and `/v1/roads`: what the program sees beside the gateway.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use http::StatusCode;
use rampart_client::wire::{ApproveMcp, ApprovedMcp, McpServer, Road};

use super::status;
use crate::{Api, Beside, access::Caller, body::Strict, error::Error};

/// Looks beside the gateway on a thread that may wait.
async fn look<T: Send + 'static>(api: &Api, work: impl FnOnce(&Beside) -> T + Send + 'static) -> Result<T, Error> {
    let Some(beside) = api.beside.clone() else {
        let text = "this gateway was started without a view of the roads; `rampart doctor` looks at them";
        return Err(Error::new(StatusCode::SERVICE_UNAVAILABLE, "no_view", text));
    };
    let done = tokio::task::spawn_blocking(move || work(&beside)).await;
    done.map_err(|e| Error::new(StatusCode::INTERNAL_SERVER_ERROR, "broken", e.to_string()))
}

pub(super) async fn roads(State(api): State<Arc<Api>>) -> Result<Json<Vec<Road>>, Error> {
    let status = status::now(&api);
    Ok(Json(look(&api, move |beside| (beside.roads)(&status)).await?))
}

pub(super) async fn servers(State(api): State<Arc<Api>>) -> Result<Json<Vec<McpServer>>, Error> {
    let unread = |why| Error::new(StatusCode::INTERNAL_SERVER_ERROR, "broken", why);
    Ok(Json(look(&api, |beside| (beside.servers)()).await?.map_err(unread)?))
}

/// Approves what a person saw, which is on record before it is so.
pub(super) async fn approve(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Strict(wanted): Strict<ApproveMcp>,
) -> Result<Json<ApprovedMcp>, Error> {
    let listed = look(&api, |beside| (beside.servers)()).await?;
    let listed = listed.map_err(|why| Error::new(StatusCode::INTERNAL_SERVER_ERROR, "broken", why))?;
    let Some(server) = listed.iter().find(|server| server.server == wanted.server && server.lock == wanted.lock) else {
        return Err(Error::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "no such server has anything that waits for approval",
        ));
    };
    let offered = |item: &rampart_client::wire::SeenMcp| {
        let waits = server.waiting.iter().find(|w| (&w.section, &w.name) == (&item.section, &item.name));
        waits.is_some_and(|waits| waits.hashes == item.hashes)
    };
    if wanted.items.is_empty() || !wanted.items.iter().all(offered) {
        let text = "the server offers something else by now, or nothing; look again at what it is";
        return Err(Error::new(StatusCode::CONFLICT, "other_payload", text));
    }
    let told: Vec<String> = wanted.items.iter().map(|item| format!("{}/{}", item.section, item.name)).collect();
    let recorded = api.gateway().offer_approved(&wanted.server, &told.join(", "), &caller.name()).await;
    recorded.map_err(|e| Error::new(StatusCode::SERVICE_UNAVAILABLE, "audit_unavailable", e.to_string()))?;
    let approved = look(&api, move |beside| (beside.approve)(&wanted)).await?;
    let approved = approved.map_err(|why| Error::new(StatusCode::CONFLICT, "other_payload", why))?;
    Ok(Json(ApprovedMcp { approved }))
}
