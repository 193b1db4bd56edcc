//! What is done with credentials, on the record: made, handed to a session, revoked, rotated, and refused.

use std::sync::Arc;

use tracing::warn;

use crate::{
    Gateway,
    audit::{Change, Entry, Unavailable},
    clock,
    credentials::{Browser, Credentials, ENVIRONMENT, HOME, Launch, Scope, Token, TokenError, Wanted},
    lineage::Process,
};

/// A token that was just made: the only moment at which its text is known.
#[derive(Debug)]
pub struct Made {
    /// What is known of it.
    pub token: Option<Token>,
    /// What its bearer sends.
    pub text: String,
}

impl Gateway {
    /// The credentials of this home.
    pub fn credentials(&self) -> &Arc<Credentials> {
        &self.credentials
    }

    /// Puts on record that a person approves what an MCP server offers, before it is so.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub async fn offer_approved(&self, server: &str, what: &str, by: &str) -> Result<(), Unavailable> {
        let change = Change { event: "approved", subject: server, by, message: what, ..Change::default() };
        self.trail.append(Entry::Config(change)).await.map(|_| ())
    }

    /// Makes a token.
    ///
    /// # Errors
    /// When it makes no sense, or cannot be recorded or kept.
    pub async fn create_token(&self, wanted: Wanted, by: &str) -> Result<Made, TokenError> {
        let prepared = self.credentials.prepare(wanted)?;
        let token = prepared.token.clone();
        self.record_auth("created", &token.id, by, &described(&token)).await?;
        Ok(Made { text: self.credentials.keep(prepared)?, token: Some(token) })
    }

    /// Makes the credential of a session: whoever bears it can have calls decided as that agent in that session. It ends
    /// with the process.
    ///
    /// # Errors
    /// When it cannot be recorded or kept.
    pub async fn open_session(&self, agent: &str, launch: Launch, by: &str) -> Result<Made, TokenError> {
        let agent = (!agent.is_empty()).then(|| agent.to_owned());
        let scopes = vec![Scope::Decide];
        self.create_token(Wanted { scopes, agent, launch: Some(launch), ..Wanted::default() }, by).await
    }

    /// Ends the session of a client: what is remembered of it goes, and so do the credentials of its processes.
    ///
    /// # Errors
    /// When that cannot be written down; it is ended all the same.
    pub fn end_session(&self, session: &str) -> Result<(), TokenError> {
        self.sessions.remember().end(session);
        self.credentials.end_session(session)
    }

    /// Ends a login to the dashboard on its bearer's own wish. That is on record where possible, and ended either way.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub async fn log_out(&self, id: &str, by: &str) -> Result<(), TokenError> {
        let recorded = self.record_auth("revoked", id, by, "logged out").await;
        self.credentials.forget(id)?;
        recorded
    }

    /// Ends a token at once, with everything that its bearers have open. `word` is its name or begins its id.
    ///
    /// # Errors
    /// When there is none, and when that cannot be written down; it is ended all the same.
    pub async fn revoke_token(&self, word: &str, by: &str) -> Result<Token, TokenError> {
        match word {
            HOME => return Err(TokenError::Home),
            ENVIRONMENT => return Err(TokenError::Environment(word.to_owned())),
            _ => {}
        }
        let token = self.credentials.find(word)?;
        let forgotten = self.credentials.forget(&token.id);
        self.record_auth("revoked", &token.id, by, &described(&token)).await?;
        forgotten.map(|()| token)
    }

    /// Gives a token a new secret; the old one ends at once.
    ///
    /// # Errors
    /// When there is none, and when it cannot be recorded or kept.
    pub async fn rotate_token(&self, word: &str, by: &str) -> Result<Made, TokenError> {
        if word == ENVIRONMENT {
            return Err(TokenError::Environment(word.to_owned()));
        }
        if word == HOME {
            self.record_auth("rotated", HOME, by, "the token file of the home").await?;
            let path = self.home.root().join("token");
            let unwritten = |e: crate::HomeError| TokenError::Unwritten { path, source: std::io::Error::other(e) };
            let text = self.home.rotate_token().map_err(unwritten)?;
            self.credentials.accept(HOME, &text);
            return Ok(Made { token: None, text });
        }
        let prepared = self.credentials.prepare_again(self.credentials.find(word)?)?;
        let token = prepared.token.clone();
        self.record_auth("rotated", &token.id, by, &described(&token)).await?;
        Ok(Made { text: self.credentials.keep(prepared)?, token: Some(token) })
    }

    /// Puts on record that somebody was refused.
    pub async fn record_refusal(&self, subject: &str, by: &str, message: &str) {
        if let Err(error) = self.record_auth("refused", subject, by, message).await {
            warn!("cannot record a refusal: {error}");
        }
    }

    async fn record_auth(&self, event: &str, subject: &str, by: &str, message: &str) -> Result<(), TokenError> {
        let change = Change { event, subject, by, message, ..Change::default() };
        let recorded = self.trail.append(Entry::Auth(change)).await;
        recorded.map(|_| ()).map_err(|unavailable| TokenError::Unrecorded(unavailable.to_string()))
    }
}

/// A token in one line, for the record.
fn described(token: &Token) -> String {
    let Token { name, scopes, agent, policy, expires_ms, launch, browser, .. } = token;
    let mut words = scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ");
    let add = |words: &mut String, what: &str, value: &str| words.push_str(&format!(", {what} {value}"));
    if !name.is_empty() {
        add(&mut words, "named", name);
    }
    if let Some(agent) = agent {
        add(&mut words, "for agent", agent);
    }
    if let Some(policy) = policy {
        add(&mut words, "for policy", policy);
    }
    if let Some(Launch { session, process: Process { pid, .. }, .. }) = launch {
        add(&mut words, "for session", session);
        add(&mut words, "as long as process", &pid.to_string());
    }
    if let Some(Browser { user, token }) = browser {
        words.push_str(", login to the dashboard");
        words.extend(user.map(|user| format!(" in a browser of user {user}")));
        words.extend(token.as_ref().map(|token| format!(", asked for with token {token}")));
    }
    if let Some(at) = expires_ms {
        add(&mut words, "until", &clock::rfc3339(*at));
    }
    words
}
