//! Who asks, and what they may ask. On the socket the kernel names the process, and what stands below an agent's session
//! has calls decided and nothing else. On loopback, where any page in a browser and any process of anybody can call, the
//! request must name us as its host, come from no other site, and bear a token.

mod caller;
mod connection;
mod failures;
mod loopback;
mod tickets;

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::StreamExt as _;
use http::{HeaderMap, header};
use http_body::Body as _;

use crate::{Api, error::Error, routes::Needs};

pub(crate) use caller::Caller;
pub(crate) use connection::Connection;
pub(crate) use failures::Failures;
pub use rampart_gateway::credentials::Scope;
pub(crate) use tickets::Tickets;

/// The other end of a connection. Every request carries one, put there by whoever accepted the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A process of this machine, as the kernel says; where the socket is not for everybody, of this user or of root.
    Socket {
        /// Its process, when the kernel says.
        pid: Option<u32>,
        /// Its user.
        uid: u32,
        /// That is the gateway's own user, or root.
        ours: bool,
    },
    /// Anybody who can reach the TCP port.
    Tcp,
}

/// The one route that takes a ticket.
const STREAM: &str = "/v1/events/stream";

/// Finds out who asks, and turns away who must not even be heard. What a token's bearer has open ends with the token.
pub(crate) async fn identify(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied().unwrap_or(Peer::Tcp);
    let connection = request.extensions().get::<Arc<Connection>>().cloned().unwrap_or_default();
    if peer == Peer::Tcp
        && let Err(error) = loopback::check(&api, &request)
    {
        return error.into_response();
    }
    let token = loopback::bearer_token(request.headers());
    let ticket = request.uri().query().filter(|_| request.uri().path() == STREAM && token.is_none());
    let ticket = ticket.and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("ticket=")));
    let bearer = match ticket {
        Some(ticket) => api.tickets.redeem(ticket).map(Arc::new),
        None => token.and_then(|token| connection.bearer(token, api.gateway().credentials())),
    };
    let life = bearer.as_ref().map(|bearer| bearer.life.clone());
    let shown = token.is_some() || ticket.is_some() || request.headers().contains_key(header::AUTHORIZATION);
    let caller = Caller::new(peer, Arc::clone(&connection), shown, bearer);
    request.extensions_mut().insert(caller);
    let Some(life) = life else { return next.run(request).await };
    connection.bears(life.clone());
    let response = tokio::select! {
        biased;
        () = life.cancelled() => return Error::unauthorized().into_response(),
        response = next.run(request) => response,
    };
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(life.cancelled_owned())))
}

/// Goes on only with what the caller may ask of a route, and writes down who was refused.
pub(crate) async fn admit(api: &Api, Needs { scope, acts, .. }: Needs, request: Request) -> Result<Request, Error> {
    let caller = request.extensions().get::<Caller>().ok_or_else(Error::unauthorized)?;
    caller.look(scope).await;
    let Err(refused) = caller.require(scope, acts, api) else { return Ok(request) };
    let Some(source) = caller.at_fault(&refused) else { return Err(refused) };
    let subject = format!("{} {}", request.method(), request.uri().path());
    let by = caller.name();
    // Whatever body is still to come is not waited for.
    drop(request);
    api.failures.punish(source, api.gateway(), &subject, &by, &refused).await?;
    Err(refused)
}

/// The value of a header that stands there once.
fn only(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}
