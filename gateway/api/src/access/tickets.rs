//! One-time tickets for event streams: what a ticket opens is what its asker may read, for as long as they may.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::StatusCode;
use rampart_gateway::credentials::{Bearer, Scope};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Caller;
use crate::error::Error;

/// How long a ticket waits to be used.
const LASTS: Duration = Duration::from_secs(30);
/// Most tickets that wait.
const MOST: usize = 1024;

#[derive(Debug, Default)]
pub(crate) struct Tickets {
    waiting: Mutex<HashMap<String, (Bearer, Instant)>>,
}

impl Tickets {
    /// A ticket for this caller.
    pub(crate) fn issue(&self, caller: &Caller) -> Result<(String, Duration), Error> {
        let mut random = [0; 32];
        let undrawn = |e: getrandom::Error| Error::new(StatusCode::INTERNAL_SERVER_ERROR, "broken", e.to_string());
        getrandom::fill(&mut random).map_err(undrawn)?;
        let ticket = hex::encode(random);
        let by_kernel = || Bearer {
            id: "ticket".into(),
            name: caller.name(),
            scopes: Vec::new(),
            agent: None,
            policy: None,
            session: None,
            life: CancellationToken::new(),
        };
        let bearer = Bearer { scopes: vec![Scope::Approve], ..caller.bearer().cloned().unwrap_or_else(by_kernel) };
        let now = Instant::now();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, (bearer, until)| *until > now && !bearer.life.is_cancelled());
        if waiting.len() >= MOST {
            let text = "too many tickets wait to be used; use one, or try again in half a minute";
            return Err(Error::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tickets", text));
        }
        waiting.insert(ticket.clone(), (bearer, now + LASTS));
        Ok((ticket, LASTS))
    }

    /// Whose ticket this is. It is used up.
    pub(super) fn redeem(&self, ticket: &str) -> Option<Bearer> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (bearer, until) = waiting.remove(ticket)?;
        (until > Instant::now() && !bearer.life.is_cancelled()).then_some(bearer)
    }
}
