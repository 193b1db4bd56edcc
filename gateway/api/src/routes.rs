//! Every route, with the scope it needs, in one table. There is no other way to add one.

mod approvals;
mod audit;
pub(crate) mod dashboard;
mod form;
mod judge;
pub(crate) mod link;
mod mcp;
pub(crate) mod page;
mod policy;
mod rules;
mod session;
mod status;
mod stream;
mod test;
mod token;
mod tool;
mod web;
mod what_if;

use std::sync::Arc;

use axum::{
    Router,
    body::HttpBody as _,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodRouter, delete, get, post},
};
use http::StatusCode;

use crate::{
    Api, Peer, Scope,
    access::{admit, identify},
    body::room,
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
        ("POST", "/v1/sessions", Decide, Socket, post(session::open)),
        ("GET", "/v1/sessions/{session}", Decide, Both, get(session::show)),
        ("DELETE", "/v1/sessions/{session}", Decide, Socket, delete(session::end)),
        ("GET", "/v1/tokens", Admin, Both, get(token::list)),
        ("POST", "/v1/tokens", Admin, Both, post(token::create)),
        ("DELETE", "/v1/tokens/{id}", Admin, Both, delete(token::revoke)),
        ("POST", "/v1/tokens/{id}/rotate", Admin, Both, post(token::rotate)),
        ("GET", "/v1/whoami", Decide, Both, get(token::whoami)),
        ("GET", "/v1/openapi.json", Decide, Both, get(crate::openapi::show)),
        ("GET", "/v1/policy", Decide, Both, get(policy::gone)),
        ("GET", "/v1/policies", Admin, Both, get(policy::list)),
        ("POST", "/v1/policy/reload", Admin, Both, post(policy::reload)),
        ("POST", "/v1/policy/what-if", Approve, Both, post(what_if::what_if)),
        ("GET", "/v1/rules", Admin, Both, get(rules::list)),
        ("POST", "/v1/rules", Admin, Both, post(rules::add)),
        ("DELETE", "/v1/rules", Admin, Both, delete(rules::reset)),
        ("DELETE", "/v1/rules/{rule}", Admin, Both, delete(rules::remove)),
        ("POST", "/v1/judge", Decide, Socket, post(judge::judge)),
        ("POST", "/v1/refused", Decide, Socket, post(judge::refused)),
        ("POST", "/v1/over", Decide, Socket, post(judge::over)),
        ("POST", "/v1/closed", Decide, Socket, post(judge::closed)),
        ("POST", "/v1/tool/{tool}", Decide, Both, post(tool::decide)),
        ("POST", "/v1/preflight/{tool}", Decide, Both, post(tool::preflight)),
        ("POST", "/v1/scan", Decide, Both, post(test::find)),
        ("POST", "/v1/test", Approve, Both, post(test::test)),
        ("GET", "/v1/approvals", Approve, Both, get(approvals::list)),
        ("GET", "/v1/approvals/{id}", Approve, Both, get(approvals::show)),
        ("POST", "/v1/approvals/{id}/resolve", Approve, Both, post(approvals::resolve)),
        ("GET", "/approvals/{id}/{end}/{signature}", Open, Both, get(link::look)),
        ("POST", "/approvals/{id}/{end}/{signature}", Open, Both, post(link::answer)),
        ("POST", "/v1/dashboard/link", Approve, Both, post(dashboard::link)),
        ("GET", "/dashboard/login/{ticket}", Open, Both, get(dashboard::login)),
        ("GET", "/dashboard", Open, Both, get(dashboard::way)),
        ("GET", "/dashboard/", Approve, Both, get(web::page)),
        ("GET", "/dashboard/app.js", Approve, Both, get(web::script)),
        ("GET", "/dashboard/app.css", Approve, Both, get(web::style)),
        ("GET", "/dashboard/approvals", Approve, Both, get(dashboard::show)),
        ("GET", "/dashboard/approvals/{id}", Approve, Both, get(dashboard::question)),
        ("POST", "/dashboard/approvals/{id}", Approve, Both, post(dashboard::answer)),
        ("POST", "/dashboard/logout", Approve, Both, post(dashboard::logout)),
        ("GET", "/v1/audit/events", Approve, Both, get(audit::events)),
        ("GET", "/v1/audit/export", Approve, Both, get(audit::export)),
        ("GET", "/v1/audit/stats", Approve, Both, get(audit::stats)),
        ("GET", "/v1/audit/verify", Approve, Both, get(audit::verify)),
        ("GET", "/v1/audit/destinations", Approve, Both, get(audit::destinations)),
        ("GET", "/v1/credentials", Approve, Both, get(status::credentials)),
        ("GET", "/v1/roads", Approve, Both, get(mcp::roads)),
        ("GET", "/v1/mcp/servers", Approve, Both, get(mcp::servers)),
        ("POST", "/v1/mcp/approve", Admin, Both, post(mcp::approve)),
        ("POST", "/v1/events/ticket", Approve, Both, post(stream::ticket)),
        ("GET", "/v1/events/stream", Approve, Both, get(stream::stream)),
    ]
}

/// All of the API.
pub(crate) fn router(api: Arc<Api>) -> Router {
    let mut router = Router::new();
    for (method, path, scope, door, handler) in table() {
        let needs = Needs { scope, door, acts: acts(method, path) };
        let guard = move |api: State<Arc<Api>>, request: Request, next: Next| guard(needs, api, request, next);
        let guard = middleware::from_fn_with_state(Arc::clone(&api), guard);
        router = router.route(path, handler.layer(guard));
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

/// What a route asks of its callers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Needs {
    pub(crate) scope: Scope,
    pub(crate) door: Door,
    /// It changes something.
    pub(crate) acts: bool,
}

/// What changes nothing although it is posted. Loading the files again is what happens by itself a moment after they
/// change.
const HARMLESS: [&str; 4] = ["/v1/policy/reload", "/v1/policy/what-if", "/v1/test", "/v1/events/ticket"];

/// Whether a route changes something.
pub(crate) fn acts(method: &str, path: &str) -> bool {
    method != "GET" && !HARMLESS.contains(&path)
}

async fn guard(needs: Needs, State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    if needs.door == Door::Socket && request.extensions().get::<Peer>() == Some(&Peer::Tcp) {
        let text = "this is answered on the gateway's socket only";
        return Error::new(StatusCode::FORBIDDEN, "socket_only", text).into_response();
    }
    let for_a_browser = request.uri().path().starts_with(dashboard::PREFIX);
    let request = match admit(&api, needs, request).await {
        Ok(request) => request,
        Err(error) if for_a_browser => return error.into_page(),
        Err(error) => return error.into_response(),
    };
    let length = request.body().size_hint().upper();
    match room(length).await {
        Ok(_until_answered) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}
