//! Who asks, and what they may ask. On the socket the kernel names the process, and what stands below an agent's session
//! has calls decided and nothing else. On loopback, where any page in a browser and any process of anybody can call, the
//! request must name us as its host, come from no other site, and bear a token.

mod caller;
mod connection;
mod cookie;
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
use http::{HeaderMap, HeaderValue, header};
use http_body::Body as _;

use crate::{Api, error::Error, routes::Needs};

pub(crate) use caller::Caller;
pub(crate) use connection::Connection;
pub(crate) use cookie::{clear as clear_cookie, set as set_cookie};
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
pub(crate) async fn identify(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied().unwrap_or(Peer::Tcp);
    let mut response = identified(&api, peer, request, next).await;
    if peer == Peer::Tcp {
        // Browsers ask here too: nothing is taken for a page that is none, or kept.
        let headers = response.headers_mut();
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    response
}

async fn identified(api: &Api, peer: Peer, mut request: Request, next: Next) -> Response {
    let connection = request.extensions().get::<Arc<Connection>>().cloned().unwrap_or_default();
    if peer == Peer::Tcp
        && let Err(error) = loopback::check(api, &request)
    {
        return error.into_response();
    }
    let token = loopback::bearer_token(request.headers());
    let ticket = request.uri().query().filter(|_| request.uri().path() == STREAM && token.is_none());
    let ticket = ticket.and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("ticket=")));
    let authorized = request.headers().contains_key(header::AUTHORIZATION);
    // A browser's cookie is none of the socket's, and stands behind whatever else is shown.
    let cookie = cookie::of(request.headers()).filter(|_| peer == Peer::Tcp && !authorized && ticket.is_none());
    let known = |text: &str| connection.bearer(text, api.gateway().credentials());
    let bearer = match (ticket, cookie) {
        (Some(ticket), _) => api.tickets.redeem(ticket, |_| true).map(Arc::new),
        (None, Some(cookie)) => known(cookie).filter(|bearer| bearer.browser.is_some()),
        (None, None) => token.and_then(known).filter(|bearer| bearer.browser.is_none()),
    };
    let life = bearer.as_ref().map(|bearer| bearer.life.clone());
    let shown = authorized || ticket.is_some() || cookie.is_some();
    let page_token = cookie.filter(|_| bearer.is_some()).map(cookie::page_token);
    let caller = Caller::new(peer, Arc::clone(&connection), shown, bearer).on_a_page(page_token);
    request.extensions_mut().insert(caller);
    let Some(life) = life else { return next.run(request).await };
    connection.bears(life.clone());
    let response = tokio::select! {
        biased;
        // Who ends their own login is told so.
        response = next.run(request) => response,
        () = life.cancelled() => return Error::unauthorized().into_response(),
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
    let allowed = caller.require(scope, acts, api).and_then(|()| caller.meant(&request));
    let Err(refused) = allowed else { return Ok(request) };
    let subject = format!("{} {}", request.method(), request.uri().path());
    let caller = caller.clone();
    // Whatever body is still to come is not waited for.
    drop(request);
    api.punish(&caller, &subject, &refused).await?;
    Err(refused)
}

impl Api {
    /// Writes down that somebody was refused, and takes its time where that happens often.
    ///
    /// # Errors
    /// When too many wait already.
    pub(crate) async fn punish(&self, caller: &Caller, subject: &str, refused: &Error) -> Result<(), Error> {
        let Some(source) = caller.at_fault(refused) else { return Ok(()) };
        self.failures.punish(source, self.gateway(), subject, &caller.name(), refused).await
    }
}

/// The value of a header that stands there once.
fn only(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}
