//! Where the records of the trail go as well: a syslog collector, in RFC 5424's own form or as CEF. The trail itself is
//! the spool: while the peer is down nothing is copied, and when it is back it gets what it missed, in order.

mod cef;
mod cursor;
mod feed;
mod peer;
mod seen;
mod syslog;

use std::{io, sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::peer::{Peer, Transport};
use self::{cursor::Cursor, feed::Feed, peer::Connection, seen::Seen, syslog::Sender};
use super::{Trail, read::backward};
use crate::{Home, records::follow};

/// How long the end of the gateway waits for the peer to take the last records.
const FAREWELL: Duration = Duration::from_secs(2);

/// A syslog collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syslog {
    /// Where it listens.
    pub peer: Peer,
    /// What a message looks like.
    pub layout: Layout,
}

/// What a syslog message looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Layout {
    /// Structured data and a sentence (RFC 5424).
    #[default]
    Rfc5424,
    /// The same header with a Common Event Format message.
    Cef,
}

impl Layout {
    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rfc5424 => "rfc5424",
            Self::Cef => "cef",
        }
    }

    /// The layout a word names.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Rfc5424, Self::Cef].into_iter().find(|layout| layout.as_str() == word)
    }

    fn render(self, record: &Seen, sender: &Sender) -> String {
        match self {
            Self::Rfc5424 => syslog::render(record, sender),
            Self::Cef => cef::render(record, sender),
        }
    }
}

/// Renders records in the Common Event Format.
#[derive(Debug)]
pub(super) struct Cef(Sender);

impl Cef {
    /// As sent from here.
    pub(super) fn this_machine() -> Self {
        Self(Sender::this())
    }

    /// A line of the trail in that format. None when it is no record.
    pub(super) fn render(&self, line: &str) -> Option<String> {
        Some(cef::render(&Seen::new(line)?, &self.0))
    }
}

/// Sends single records to a collector, in RFC 5424's own form.
pub(super) struct Lines {
    peer: Peer,
    tls: Option<Arc<rustls::ClientConfig>>,
    sender: Sender,
    connection: Option<Connection>,
}

impl Lines {
    /// Nothing is sent yet.
    pub(super) fn new(peer: Peer, tls: Option<Arc<rustls::ClientConfig>>) -> Self {
        Self { peer, tls, sender: Sender::this(), connection: None }
    }

    /// Sends one, on another connection if the one that stood is gone.
    pub(super) async fn send(&mut self, line: &str) -> io::Result<()> {
        let Some(record) = Seen::new(line) else { return Ok(()) };
        let mut old = self.connection.take();
        if let Some(connection) = &mut old
            && timeout(Duration::ZERO, connection.gone()).await.is_ok()
        {
            // What a peer that went away does not read would be lost without a word.
            old = None;
        }
        let mut connection = match old {
            Some(connection) => connection,
            None => Connection::open(&self.peer, self.tls.as_ref()).await?,
        };
        connection.send(&syslog::render(&record, &self.sender)).await?;
        self.connection = Some(connection);
        Ok(())
    }
}

/// The tasks that feed collectors.
#[derive(Debug)]
pub(crate) struct Sinks {
    tasks: TaskTracker,
    ending: CancellationToken,
}

impl Sinks {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { tasks: TaskTracker::new(), ending: CancellationToken::new() }
    }

    /// Feeds a collector until [`close`](Self::close): from where the last run came to, else with what comes from now on.
    pub(crate) fn feed(&self, syslog: Syslog, tls: Option<Arc<rustls::ClientConfig>>, home: &Home, trail: &Trail) {
        let newest = backward(&home.audit()).ok().and_then(|mut records| records.next()?.ok());
        let cursor = Cursor::open(home.state().join("syslog"), newest.map_or(0, |record| record.seq));
        let feed = Feed::new(syslog, tls, follow(trail, &home.audit(), None), trail.clone(), cursor);
        self.tasks.spawn(feed.run(self.ending.clone()));
    }

    /// Ends, once all that the closed trail holds is sent, or the peer does not take it.
    pub(crate) async fn close(&self) {
        self.ending.cancel();
        self.tasks.close();
        // What is left is sent by the next run.
        let _ = timeout(FAREWELL, self.tasks.wait()).await;
    }
}
