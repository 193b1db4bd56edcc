//! One-time tickets, for event streams and for logins to the dashboard: what a ticket opens is what its asker may have, for
//! as long as they may.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::StatusCode;
use rampart_gateway::credentials::{Bearer, Browser, OWNER, Scope};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Caller;
use crate::error::Error;

/// The id of who bears no token.
const BY_KERNEL: &str = "kernel";
/// Most tickets that wait.
const MOST: usize = 1024;

#[derive(Debug)]
pub(crate) struct Tickets {
    lasts: Duration,
    waiting: Mutex<HashMap<String, (Bearer, Instant)>>,
}

impl Tickets {
    /// Tickets that wait so long to be used.
    pub(crate) fn lasting(lasts: Duration) -> Self {
        Self { lasts, waiting: Mutex::default() }
    }

    /// A ticket for this caller: whoever comes with it may do no more than these, as far as the caller may. `browser` is
    /// whose it must be.
    pub(crate) fn issue(
        &self,
        caller: &Caller,
        scopes: &[Scope],
        browser: Option<Browser>,
    ) -> Result<(String, Duration), Error> {
        let mut random = [0; 32];
        let undrawn = |e: getrandom::Error| Error::new(StatusCode::INTERNAL_SERVER_ERROR, "broken", e.to_string());
        getrandom::fill(&mut random).map_err(undrawn)?;
        let ticket = hex::encode(random);
        let by_kernel = || Bearer {
            id: BY_KERNEL.into(),
            name: caller.name(),
            scopes: Scope::ALL.to_vec(),
            agent: None,
            policy: None,
            session: None,
            clients: false,
            server: None,
            browser: None,
            person: OWNER.into(),
            life: CancellationToken::new(),
        };
        let mut bearer = caller.bearer().cloned().unwrap_or_else(by_kernel);
        bearer.browser = browser.or(bearer.browser);
        let held = std::mem::take(&mut bearer.scopes);
        let reach = |scope: &Scope| held.contains(scope) || held.contains(&Scope::Admin);
        bearer.scopes = scopes.iter().copied().filter(reach).collect();
        let now = Instant::now();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, (bearer, until)| *until > now && !bearer.life.is_cancelled());
        if waiting.len() >= MOST {
            let text = "too many tickets wait to be used; use one, or try again in a while";
            return Err(Error::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tickets", text));
        }
        waiting.insert(ticket.clone(), (bearer, now + self.lasts));
        Ok((ticket, self.lasts))
    }

    /// Whose ticket this is, if it is meant for who comes with it. It is used up then.
    pub(crate) fn redeem(&self, ticket: &str, meant_for: impl Fn(&Bearer) -> bool) -> Option<Bearer> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (bearer, until) = waiting.remove(ticket)?;
        let good = until > Instant::now() && !bearer.life.is_cancelled();
        if good && !meant_for(&bearer) {
            waiting.insert(ticket.to_owned(), (bearer, until));
            return None;
        }
        good.then_some(bearer)
    }
}
