//! `/v1/tokens` and `/v1/whoami`: who may do what.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use http::StatusCode;
use rampart_client::wire::{CreateToken, CreatedToken, TokenInfo, WhoAmI};
use rampart_gateway::{
    Made,
    credentials::{ENVIRONMENT, HOME, Scope, Token, Wanted},
    rfc3339,
};

use crate::{Api, access::Caller, body::Strict, error::Error};

pub(super) async fn list(State(api): State<Arc<Api>>) -> Json<Vec<TokenInfo>> {
    let credentials = api.gateway().credentials();
    let given = credentials.given().into_iter().map(|name| TokenInfo {
        scopes: words(&Scope::ALL),
        kind: if name == ENVIRONMENT { "environment" } else { "file" }.to_owned(),
        id: name,
        ..TokenInfo::default()
    });
    Json(given.chain(credentials.list().into_iter().map(told)).collect())
}

pub(super) async fn create(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Strict(CreateToken { name, scopes, agent, policy, lasts_s }): Strict<CreateToken>,
) -> Result<Json<CreatedToken>, Error> {
    let known = |word: &String| {
        let text = format!("there is no scope `{word}`; the scopes are {}", words(&Scope::ALL).join(", "));
        Scope::from_word(word).ok_or(Error::new(StatusCode::UNPROCESSABLE_ENTITY, "senseless", text))
    };
    let scopes = scopes.iter().map(known).collect::<Result<_, _>>()?;
    let lasts = lasts_s.map(Duration::from_secs);
    let wanted = Wanted { name, scopes, agent, policy, lasts, ..Wanted::default() };
    Ok(Json(shown(api.gateway().create_token(wanted, &caller.name()).await?)))
}

pub(super) async fn revoke(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<TokenInfo>, Error> {
    Ok(Json(told(api.gateway().revoke_token(&id, &caller.name()).await?)))
}

pub(super) async fn rotate(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<CreatedToken>, Error> {
    Ok(Json(shown(api.gateway().rotate_token(&id, &caller.name()).await?)))
}

/// Who the caller is to the gateway, for those who wonder why they are refused.
pub(super) async fn whoami(State(api): State<Arc<Api>>, Extension(caller): Extension<Caller>) -> Json<WhoAmI> {
    let scopes = Scope::ALL.into_iter().filter(|scope| caller.require(*scope, false, &api).is_ok());
    let acts = Scope::ALL.into_iter().filter(|scope| caller.require(*scope, true, &api).is_ok());
    let (reads, acts) = (scopes.map(word).collect(), acts.map(word).collect());
    let session = caller.bearer().and_then(|bearer| bearer.session.clone());
    let why = caller.require(Scope::Admin, true, &api).err().map(|error| error.message);
    let until = caller.page_token().and_then(|_| ends(&caller, &api));
    let page_token = caller.page_token().map(str::to_owned);
    Json(WhoAmI { name: caller.name(), reads, acts, session, why, until, page_token })
}

/// When the caller's token ends (RFC 3339).
pub(super) fn ends(caller: &Caller, api: &Api) -> Option<String> {
    let bearer = caller.bearer()?;
    let own = api.gateway().credentials().list().into_iter().find(|token| *token.id == *bearer.id);
    own.and_then(|token| token.expires_ms).map(rfc3339)
}

fn word(scope: Scope) -> String {
    scope.as_str().to_owned()
}

fn words(scopes: &[Scope]) -> Vec<String> {
    scopes.iter().copied().map(word).collect()
}

fn shown(made: Made) -> CreatedToken {
    let home = || TokenInfo {
        id: HOME.to_owned(),
        scopes: words(&Scope::ALL),
        kind: "file".to_owned(),
        ..TokenInfo::default()
    };
    CreatedToken { info: made.token.map_or_else(home, told), token: made.text }
}

fn told(token: Token) -> TokenInfo {
    let Token { id, name, scopes, agent, policy, created_ms, expires_ms, launch, browser, .. } = token;
    TokenInfo {
        id,
        name,
        kind: match (&launch, browser) {
            (Some(_), _) => "session",
            (None, Some(_)) => "dashboard",
            (None, None) => "token",
        }
        .to_owned(),
        scopes: words(&scopes),
        agent,
        policy,
        session: launch.as_ref().map(|launch| launch.session.clone()),
        pid: launch.map(|launch| launch.process.pid),
        created: Some(rfc3339(created_ms)),
        expires: expires_ms.map(rfc3339),
    }
}
