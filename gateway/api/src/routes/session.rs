//! `/v1/sessions`: a session begins with a credential that its processes bear, and can be looked at.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use http::StatusCode;
use rampart_client::wire::{
    FollowedSecret, LONGEST_SERVER, Noted, OpenSession, OpenedSession, SessionLasts, SessionSummary,
};
use rampart_gateway::{
    credentials::{Bearer, Launch},
    followed::{Kind, Value},
    lineage::{Process, Standing},
    notify::Secret,
};

use crate::{Api, Peer, access::Caller, body::Strict, error::Error};

/// The most secrets that one session brings.
const MOST_SECRETS: usize = 256;

/// Makes a session and its credential, which reaches no further than having calls decided. Whoever stands in a session
/// already stays in it.
pub(super) async fn open(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Strict(OpenSession { agent, session, server, lasts, monitor, confined, clients, secrets }): Strict<OpenSession>,
) -> Result<Json<OpenedSession>, Error> {
    let Peer::Socket { pid, .. } = caller.peer else { return Err(Error::unauthorized()) };
    let gone = || Error::new(StatusCode::FORBIDDEN, "unknown_process", "the kernel does not tell which process asks");
    let own = caller.bearer().and_then(|bearer| bearer.session.clone());
    let (outer, by_person) = match pid.map_or(Standing::Gone, |pid| caller.opener(pid, &api)) {
        Standing::Gone => return Err(gone()),
        Standing::Agent { session, .. } => (own.or(session), false),
        Standing::Free { .. } => (own.clone(), own.is_none()),
    };
    let pid = pid.ok_or_else(gone)?;
    let (process, below) = match lasts {
        SessionLasts::Process => (Process::of(pid), true),
        SessionLasts::Terminal => (Process::leader_of(pid), false),
    };
    // What stands below a listener is its clients', of whom only the credential tells which.
    let a_clients = session.clone().filter(|session| caller.bearer().is_some_and(|bearer| bearer.serves(session)));
    let below = below && a_clients.is_none();
    let (named, is_a_clients) = (outer.or(session).filter(|session| !session.is_empty()), a_clients.is_some());
    let session = a_clients.or(named).unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    if !is_a_clients
        && (session.len() > 100 || !session.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)))
    {
        let text = "a session's name has at most 100 letters, digits, hyphens, underscores and dots";
        return Err(Error::new(StatusCode::UNPROCESSABLE_ENTITY, "senseless", text));
    }
    // What an agent says of that is not heard: who stands in a session is refused as much and as confined as that is.
    let credentials = api.gateway().credentials();
    let (monitor, confined, clients) = if by_person {
        (monitor, confined, clients)
    } else {
        (credentials.only_watches(&session), credentials.confines(&session), false)
    };
    if server.as_ref().is_some_and(|server| server.len() > LONGEST_SERVER || server.chars().any(char::is_control)) {
        let text = format!("a server's name has at most {LONGEST_SERVER} bytes and no control characters");
        return Err(Error::new(StatusCode::UNPROCESSABLE_ENTITY, "senseless", text));
    }
    let process = process.map_err(|_| gone())?;
    let launch = Launch { session: session.clone(), process, below, server, monitor, confined, clients, by_person };
    let made = api.gateway().open_session(&agent, launch, &caller.name()).await?;
    if !secrets.is_empty() {
        // An agent can have more followed, and bind nothing.
        let value = |FollowedSecret { name, value, hosts }: FollowedSecret| Value {
            name,
            text: Secret::new(value),
            hosts: if by_person { hosts } else { Vec::new() },
            kind: Kind::Configured,
        };
        api.gateway().follow_secrets(secrets.into_iter().take(MOST_SECRETS).map(value).collect());
    }
    let egress = api.egress().map(|address| address.to_string());
    let placeholders = api.placeholders.clone();
    Ok(Json(OpenedSession { session, credential: made.text, monitor, clients, egress, placeholders }))
}

/// Ends the session of a client, for the listener whose client it is.
pub(super) async fn end(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(session): Path<String>,
) -> Result<Json<Noted>, Error> {
    if !caller.bearer().is_some_and(|bearer| bearer.serves(&session)) {
        let text = "only the listener whose client has a session can end it: other sessions end with their process";
        return Err(Error::new(StatusCode::UNPROCESSABLE_ENTITY, "senseless", text));
    }
    api.gateway().end_session(&session)?;
    Ok(Json(Noted {}))
}

/// What became of the calls of a session. A session sees its own only.
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(session): Path<String>,
) -> Result<Json<SessionSummary>, Error> {
    let is_others =
        |bearer: &Bearer| bearer.session.as_ref().is_some_and(|own| *own != session) && !bearer.serves(&session);
    if caller.bearer().is_some_and(is_others) {
        let text = "the credential of a session shows that session only";
        return Err(Error::new(StatusCode::FORBIDDEN, "other_session", text));
    }
    let count = api.gateway().session(&session);
    Ok(Json(SessionSummary { calls: count.calls, refused: count.refused }))
}
