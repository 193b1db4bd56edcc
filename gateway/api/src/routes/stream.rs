//! `GET /v1/events/stream`: the records of the audit trail as they are made, as server-sent events (WHATWG HTML section
//! 9.2). The id of an event is the number of its record, so a reader that lost the connection goes on where it was.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use http::{HeaderMap, header};
use rampart_client::wire::Ticket;
use rampart_gateway::Following;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{Api, Scope, access::Caller, error::Error};

/// How often a quiet stream shows that it lives. Clients give up on a gateway after less than two seconds.
const BEAT: Duration = Duration::from_millis(500);

pub(super) async fn stream(State(api): State<Arc<Api>>, headers: HeaderMap) -> Result<Response, Error> {
    let after = match headers.get("last-event-id") {
        None => None,
        Some(id) => {
            let id = id.to_str().ok().and_then(|id| id.trim().parse::<u64>().ok());
            Some(id.ok_or_else(|| Error::malformed("`Last-Event-ID` is the number of a record"))?)
        }
    };
    let following = api.gateway().follow(after);
    let stop = api.stop().clone();
    let body = Body::from_stream(stream::unfold((following, stop), next));
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, body).into_response())
}

/// Makes a ticket for one stream: a browser's EventSource can send no header, and a token has no place in a URL.
pub(super) async fn ticket(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Ticket>, Error> {
    let (ticket, lasts) = api.tickets.issue(&caller, &[Scope::Approve], None)?;
    Ok(Json(Ticket { ticket, expires_in_s: lasts.as_secs() }))
}

type State_ = (Following, CancellationToken);

async fn next((mut following, stop): State_) -> Option<(Result<Bytes, std::io::Error>, State_)> {
    let text = tokio::select! {
        () = stop.cancelled() => return None,
        record = timeout(BEAT, following.next()) => match record {
            Ok(Ok(Some((seq, line)))) => format!("id: {seq}\nevent: record\ndata: {line}\n\n"),
            Ok(Ok(None)) => return None,
            Ok(Err(e)) => return Some((Err(e), (following, stop))),
            Err(_) => ": alive\n\n".to_owned(),
        },
    };
    Some((Ok(text.into()), (following, stop)))
}
