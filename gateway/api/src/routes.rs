//! Every route, with the scope it needs, in one table. There is no other way to add one.

mod approvals;
mod audit;
mod judge;
pub(crate) mod link;
mod policy;
mod status;
mod stream;
mod tool;

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use http::StatusCode;

use crate::{
    Api, Peer, Scope,
    access::{Caller, identify},
    error::Error,
};

/// By which door a route can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// The socket and the port.
    Both,
    /// The socket, where the kernel says who asks.
    Socket,
}

/// Method, path, what it needs, what it does.
pub(crate) type Route = (&'static str, &'static str, Scope, Door, MethodRouter<Arc<Api>>);

pub(crate) fn table() -> Vec<Route> {
    use Door::{Both, Socket};
    use Scope::{Admin, Approve, Decide, Open};
    vec![
        ("GET", "/healthz", Open, Both, get(status::health)),
        ("GET", "/metrics", Approve, Both, get(status::metrics)),
        ("GET", "/v1/status", Approve, Both, get(status::status)),
        ("GET", "/v1/sessions/{session}", Approve, Both, get(status::session)),
        ("GET", "/v1/policies", Admin, Both, get(policy::list)),
        ("POST", "/v1/policy/reload", Admin, Both, post(policy::reload)),
        ("POST", "/v1/judge", Decide, Socket, post(judge::judge)),
        ("POST", "/v1/tool/{tool}", Decide, Both, post(tool::decide)),
        ("POST", "/v1/preflight/{tool}", Decide, Both, post(tool::preflight)),
        ("GET", "/v1/approvals", Approve, Both, get(approvals::list)),
        ("GET", "/v1/approvals/{id}", Approve, Both, get(approvals::show)),
        ("POST", "/v1/approvals/{id}/resolve", Approve, Both, post(approvals::resolve)),
        ("GET", "/approvals/{id}/{end}/{signature}", Open, Both, get(link::look)),
        ("POST", "/approvals/{id}/{end}/{signature}", Open, Both, post(link::answer)),
        ("GET", "/v1/audit/events", Approve, Both, get(audit::events)),
        ("GET", "/v1/audit/export", Approve, Both, get(audit::export)),
        ("GET", "/v1/audit/stats", Approve, Both, get(audit::stats)),
        ("GET", "/v1/audit/verify", Approve, Both, get(audit::verify)),
        ("GET", "/v1/events/stream", Approve, Both, get(stream::stream)),
    ]
}

/// All of the API.
pub fn router(api: Api) -> Router {
    let api = Arc::new(api);
    let mut router = Router::new();
    for (_, path, scope, door, handler) in table() {
        let guard = move |request: Request, next: Next| guard(scope, door, request, next);
        router = router.route(path, handler.layer(middleware::from_fn(guard)));
    }
    router
        .fallback(|| async { Error::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path") })
        .method_not_allowed_fallback(|| async {
            let text = "this path does not take that method; see the `allow` header";
            Error::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", text)
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&api), identify))
        .with_state(api)
}

async fn guard(scope: Scope, door: Door, request: Request, next: Next) -> Response {
    let refused = match request.extensions().get::<Caller>() {
        None => Err(Error::new(StatusCode::UNAUTHORIZED, "unauthorized", "nobody knows who asks")),
        Some(Caller { peer: Peer::Tcp, .. }) if door == Door::Socket => {
            Err(Error::new(StatusCode::FORBIDDEN, "socket_only", "this is answered on the gateway's socket only"))
        }
        Some(caller) => caller.require(scope),
    };
    match refused {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}
