//! `/dashboard/`: logging a browser in, and the pages that need no scripts. `rampart dashboard` has a link made that is good
//! once; opening it gives the browser a cookie, and the link is worth nothing from then on. Forms on the pages bear a token
//! that only a page of ours knows, and browsers of other sites are turned away before anything is looked at.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::{Path, Request, State},
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use rampart_client::wire::DashboardLink;
use rampart_gateway::{
    Reply,
    credentials::{Bearer, Browser, Wanted},
};

use super::{
    form::{self, Answer},
    page, token,
};
use crate::{
    Api, Scope,
    access::{Caller, clear_cookie, set_cookie},
    error::Error,
};

/// Everything for browsers is below this.
pub(crate) const PREFIX: &str = "/dashboard/";
/// How long a login lasts.
const LASTS: Duration = Duration::from_hours(12);

/// The way there without its last stroke.
pub(super) async fn way() -> Redirect {
    Redirect::permanent(PREFIX)
}

/// Makes a link that logs one browser in as the caller.
pub(super) async fn link(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<DashboardLink>, Error> {
    if caller.page_token().is_some() {
        // A login would never end that can make the next one.
        let text = "a browser that is logged in cannot log in others; use `rampart dashboard`";
        return Err(Error::new(StatusCode::FORBIDDEN, "forbidden", text));
    }
    let Some(address) = api.listen() else {
        let text = "this gateway has no port, so no browser can reach it; another program had the port when it started";
        return Err(Error::new(StatusCode::SERVICE_UNAVAILABLE, "no_port", text));
    };
    let browser = Browser { user: caller.user(), token: caller.bearer().map(|bearer| bearer.id.to_string()) };
    let (ticket, lasts) = api.logins.issue(&caller, &[Scope::Approve, Scope::Admin], Some(browser))?;
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let url = format!("http://{address}{PREFIX}login/{ticket}");
    Ok(Json(DashboardLink { url, expires_in_s: lasts.as_secs() }))
}

/// Exchanges the link for a cookie, once.
pub(super) async fn login(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(ticket): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    // What looks ahead, such as a preview, opens nothing.
    let opens = method == Method::GET && !headers.contains_key("sec-purpose");
    match exchange(&api, &caller, &ticket, opens).await {
        Ok(cookie) => {
            let headers = [
                (header::SET_COOKIE, cookie),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
                (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            ];
            (headers, Redirect::to(PREFIX)).into_response()
        }
        Err(error) => error.into_page(),
    }
}

async fn exchange(api: &Api, caller: &Caller, ticket: &str, opens: bool) -> Result<HeaderValue, Error> {
    if !opens {
        let text = "only opening the link logs in; nothing happened, and it is still good";
        return Err(Error::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", text));
    }
    let user = caller.browses(api).await?;
    // Root asks for others, who have no way to the socket of a gateway that is not theirs.
    let asked_by = |bearer: &Bearer| bearer.browser.as_ref().and_then(|browser| browser.user).filter(|user| *user != 0);
    let same = |bearer: &Bearer| asked_by(bearer).zip(user).is_none_or(|(asked, user)| asked == user);
    let Some(bearer) = api.logins.redeem(ticket, same) else {
        let text = "this link was used already, is older than two minutes, or was asked for by another user; \
                    `rampart dashboard` makes another";
        let error = Error::new(StatusCode::NOT_FOUND, "not_found", text);
        api.punish(caller, "a login link", &error).await?;
        return Err(error);
    };
    let Bearer { name, scopes, agent, policy, browser, .. } = bearer;
    // The number of the process is none of a login's: that ended long before.
    let name = name.split(", process").next().unwrap_or_default().to_owned();
    let browser = Some(Browser { user, token: browser.and_then(|browser| browser.token) });
    let wanted = Wanted { name: name.clone(), scopes, agent, policy, lasts: Some(LASTS), browser, launch: None };
    let made = api.gateway().create_token(wanted, &name).await?;
    let broken = || Error::new(StatusCode::INTERNAL_SERVER_ERROR, "broken", "the cookie cannot be put into a header");
    set_cookie(&made.text, LASTS.as_secs()).ok_or_else(broken)
}

/// Who is logged in, and what waits for them.
pub(super) async fn show(State(api): State<Arc<Api>>, Extension(caller): Extension<Caller>) -> Response {
    let until = token::ends(&caller, &api);
    let waiting = api.gateway().pending();
    let redact = |text: &str| api.gateway().without_secrets(text);
    page::html(StatusCode::OK, page::landing(&caller.name(), until.as_deref(), caller.page_token(), &waiting, redact))
}

/// One question, with a form that answers it.
pub(super) async fn question(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Response {
    match api.gateway().question(&id) {
        Ok(question) => {
            let redact = |text: &str| api.gateway().without_secrets(text);
            let token = caller.page_token().unwrap_or_default();
            page::html(StatusCode::OK, page::question(&question, token, page::Entrance::Dashboard, redact))
        }
        Err(not_taken) => Error::from(not_taken).into_page(),
    }
}

/// Answers it.
pub(super) async fn answer(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    match answered(&api, caller, &id, request).await {
        Ok((approve, missing)) => {
            page::html(StatusCode::OK, page::answered(approve, missing, page::Entrance::Dashboard))
        }
        Err(error) => error.into_page(),
    }
}

async fn answered(api: &Api, caller: Caller, id: &str, request: Request) -> Result<(bool, u8), Error> {
    let Answer { token, approve, reason } = Answer::read(request).await?;
    from_our_page(&caller, &token)?;
    let question = api.gateway().question(id)?;
    caller.covers(&question)?;
    let payload = Some(question.payload);
    let (person, scope) = (caller.person(), "once".to_owned());
    let reply = Reply { approve, by: caller.name(), person, from: "dashboard", reason, payload, scope };
    Ok((approve, api.gateway().resolve(&question.id, reply).await?.missing))
}

/// Ends the login.
pub(super) async fn logout(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    match logged_out(&api, &caller, request).await {
        Ok(()) => {
            let cookie = clear_cookie().map(|cookie| (header::SET_COOKIE, cookie));
            let headers: HeaderMap = cookie.into_iter().collect();
            (headers, page::html(StatusCode::OK, page::logged_out())).into_response()
        }
        Err(error) => error.into_page(),
    }
}

async fn logged_out(api: &Api, caller: &Caller, request: Request) -> Result<(), Error> {
    let mut fields = form::read(request, &["token"]).await?;
    from_our_page(caller, &fields.remove("token").unwrap_or_default())?;
    let Some(bearer) = caller.bearer() else { return Err(Error::unauthorized()) };
    Ok(api.gateway().log_out(&bearer.id, &caller.name()).await?)
}

fn from_our_page(caller: &Caller, token: &str) -> Result<(), Error> {
    if caller.was_shown(token) {
        return Ok(());
    }
    let text = "this did not come from a page of the dashboard; open it again";
    Err(Error::new(StatusCode::FORBIDDEN, "forged", text))
}
