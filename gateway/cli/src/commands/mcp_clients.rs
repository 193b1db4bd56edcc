//! The sessions that clients of `rampart mcp serve` have of their own, as the gateway is told of them.

use std::ffi::OsString;

use rampart_client::{Settings, blocking::Client, wire::OpenSession};
use rampart_mcp::http::{Clients, Opening};
use tokio::task::spawn_blocking;
use tracing::debug;

use super::mcp::server_word;
use crate::outbound::{self, Files};

/// Opens sessions below the one of the listener.
pub(super) struct ClientSessions {
    /// How the listener reaches the gateway.
    pub(super) road: Settings,
    pub(super) agent: String,
    /// What the own traffic of servers goes by; none where it goes past the proxy.
    pub(super) through: Option<Files>,
}

impl Clients for ClientSessions {
    fn open(&self, session: String, server: &str) -> Opening {
        let Some(files) = self.through.clone() else { return Box::pin(std::future::ready(Ok(Vec::new()))) };
        let (agent, server) = (self.agent.clone(), Some(server_word(server)));
        let wanted = OpenSession { agent, server, session: Some(session.clone()), ..OpenSession::default() };
        let (client, unanswered) = (Client::new(self.road.clone()), self.road.unanswered.clone());
        Box::pin(async move {
            let opened = spawn_blocking(move || opened(&client, &wanted, &files)).await;
            match opened.unwrap_or_else(|broken| Err(broken.into())) {
                // Where nothing is refused, what cannot be opened is done without.
                Err(error) if unanswered.only_watches() => {
                    tracing::warn!(session, "the own traffic of a server is not told from others': {error:#}");
                    Ok(Vec::new())
                }
                opened => opened.map_err(|error| format!("{error:#}")),
            }
        })
    }

    fn end(&self, session: String) {
        let client = Client::new(self.road.clone());
        drop(spawn_blocking(move || {
            if let Err(error) = client.end_session(&session) {
                // The gateway forgets it in time, and its credential ends with us.
                debug!(session, "a session was not ended: {error}");
            }
        }));
    }
}

fn opened(client: &Client, wanted: &OpenSession, files: &Files) -> anyhow::Result<Vec<(OsString, OsString)>> {
    let opened = client.open_session(wanted)?;
    if wanted.session.as_ref() != Some(&opened.session) {
        anyhow::bail!("the gateway knows the listener no more; start it anew");
    }
    let variables = match opened.egress {
        None => Vec::new(),
        Some(_) => outbound::variables(&opened, files, None)?,
    };
    Ok(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
}
