//! Errors as the API says them: a status, a stable code, a sentence.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use rampart_client::wire::{ErrorBody, ErrorText};
use rampart_gateway::{NotTaken, ResolveError, credentials::TokenError, overrides::OverrideError};

use crate::{access::clear_cookie, routes::page};

/// What went wrong with a request.
#[derive(Debug)]
pub(crate) struct Error {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Error {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(crate) fn unauthorized() -> Self {
        let text = "send a token as `Authorization: Bearer ...`: yours stands in the file `token` of Rampart's home, and \
                    `rampart token create` makes others; one that was revoked or has expired is not taken";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", text)
    }

    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", message)
    }
}

impl Error {
    /// The same for somebody in front of a browser.
    pub(crate) fn into_page(mut self) -> Response {
        if self.status == StatusCode::UNAUTHORIZED {
            "nobody is logged in here; run `rampart dashboard` in a terminal, and open the link that it prints"
                .clone_into(&mut self.message);
        }
        let mut response = page::html(self.status, page::over(&self));
        // A cookie that is not taken is of no more use.
        let cookie = clear_cookie().filter(|_| self.status == StatusCode::UNAUTHORIZED);
        response.headers_mut().extend(cookie.map(|cookie| (http::header::SET_COOKIE, cookie)));
        response
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let error = ErrorText { code: self.code.to_owned(), message: self.message };
        let mut response = (self.status, Json(ErrorBody { error })).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(http::header::WWW_AUTHENTICATE, http::HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<TokenError> for Error {
    fn from(error: TokenError) -> Self {
        let (status, code) = match &error {
            TokenError::Unknown(_) => (StatusCode::NOT_FOUND, "not_found"),
            TokenError::Ambiguous(_) => (StatusCode::CONFLICT, "ambiguous"),
            TokenError::Environment(_) | TokenError::Home => (StatusCode::CONFLICT, "not_kept_here"),
            TokenError::Senseless(_) => (StatusCode::UNPROCESSABLE_ENTITY, "senseless"),
            TokenError::Unwritten { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "unwritten"),
            TokenError::Unrecorded(_) => (StatusCode::SERVICE_UNAVAILABLE, "audit_unavailable"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<OverrideError> for Error {
    fn from(error: OverrideError) -> Self {
        let (status, code) = match &error {
            OverrideError::Senseless(_) => (StatusCode::UNPROCESSABLE_ENTITY, "senseless"),
            OverrideError::NoEffect(_) => (StatusCode::UNPROCESSABLE_ENTITY, "no_effect"),
            OverrideError::Unknown { .. } => (StatusCode::NOT_FOUND, "not_found"),
            OverrideError::ByHand { .. } => (StatusCode::CONFLICT, "by_hand"),
            OverrideError::Policies(_) => (StatusCode::UNPROCESSABLE_ENTITY, "policy"),
            OverrideError::Io { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "unwritten"),
            OverrideError::Unrecorded(_) => (StatusCode::SERVICE_UNAVAILABLE, "audit_unavailable"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<NotTaken> for Error {
    fn from(not_taken: NotTaken) -> Self {
        let (status, code) = match &not_taken {
            NotTaken::Unknown(_) => (StatusCode::NOT_FOUND, "not_found"),
            NotTaken::Ambiguous { .. } => (StatusCode::CONFLICT, "ambiguous"),
            NotTaken::Answered { .. } => (StatusCode::CONFLICT, "answered"),
            NotTaken::OtherPayload(_) => (StatusCode::CONFLICT, "other_payload"),
            NotTaken::SamePerson { .. } => (StatusCode::CONFLICT, "same_person"),
            NotTaken::OwnQuestion(_) => (StatusCode::FORBIDDEN, "own_question"),
            NotTaken::Nameless(_) => (StatusCode::FORBIDDEN, "nameless"),
            NotTaken::Expired(_) => (StatusCode::GONE, "expired"),
            NotTaken::Withdrawn(_) => (StatusCode::GONE, "withdrawn"),
        };
        Self::new(status, code, not_taken.to_string())
    }
}

impl From<ResolveError> for Error {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::NotTaken(not_taken) => not_taken.into(),
            ResolveError::Unrecorded(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "audit_unavailable", error.to_string())
            }
            ResolveError::Unclaimed(_) | ResolveError::Uncounted(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "state_unavailable", error.to_string())
            }
        }
    }
}
