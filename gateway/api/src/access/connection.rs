//! What is known of a connection beside its peer.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use rampart_gateway::{
    credentials::{Bearer, Credentials},
    lineage::{self, Holders, Session},
};
use tokio::sync::{OnceCell, watch};
use tokio_util::sync::CancellationToken;

/// One connection, for all of its requests.
pub(crate) struct Connection {
    /// When it was accepted, in milliseconds since the machine started: its peer is older.
    pub(super) accepted: u64,
    /// Where a TCP connection comes from, and where it arrived.
    ends: Option<(SocketAddr, SocketAddr)>,
    /// The processes at its other end, once somebody had to know.
    holders: OnceCell<Holders>,
    /// The life of the token that its last request bore.
    life: watch::Sender<Option<CancellationToken>>,
    /// The session whose processes its other end belongs to, once somebody had to know.
    session: std::sync::OnceLock<Option<Session>>,
    /// The last token that was good, and whose it is.
    known: Mutex<Option<(String, Arc<Bearer>)>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the token.
        f.debug_struct("Connection").field("accepted", &self.accepted).field("ends", &self.ends).finish_non_exhaustive()
    }
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            accepted: lineage::now(),
            ends: None,
            holders: OnceCell::new(),
            life: watch::Sender::new(None),
            session: std::sync::OnceLock::new(),
            known: Mutex::default(),
        }
    }
}

impl Connection {
    /// A TCP connection from one end to another.
    pub(crate) fn between(theirs: SocketAddr, ours: SocketAddr) -> Self {
        Self { ends: Some((theirs, ours)), ..Self::default() }
    }

    /// Where a TCP connection comes from.
    pub(super) fn from(&self) -> Option<IpAddr> {
        self.ends.map(|(theirs, _)| theirs.ip())
    }

    /// Finds out which processes of this machine are at the other end of a TCP connection.
    pub(super) async fn look(&self) {
        let Some((theirs, ours)) = self.ends.filter(|(theirs, _)| theirs.ip().to_canonical().is_loopback()) else {
            return;
        };
        // It walks through all processes.
        let looking = || async { tokio::task::spawn_blocking(move || lineage::holders(theirs, ours)).await };
        let _ = self.holders.get_or_try_init(looking).await;
    }

    /// What [`look`](Self::look) found.
    pub(super) fn holders(&self) -> &[u32] {
        self.holders.get().map_or(&[], |holders| &holders.pids)
    }

    /// The user at the other end, where that is known once somebody looked.
    pub(super) fn user(&self) -> Option<u32> {
        self.holders.get().and_then(|holders| holders.user)
    }

    /// Whose token this is. The one that the connection bore before is known again as long as it lives; whoever sent
    /// that learns nothing from the time it takes to compare.
    pub(super) fn bearer(&self, token: &str, credentials: &Credentials) -> Option<Arc<Bearer>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((text, bearer)) = known.as_ref()
            && text == token
            && !bearer.life.is_cancelled()
        {
            return Some(Arc::clone(bearer));
        }
        let bearer = Arc::new(credentials.bearer(token)?);
        *known = Some((token.to_owned(), Arc::clone(&bearer)));
        Some(bearer)
    }

    /// The session that was opened for the process at the other end or one above it. Which one that is does not change while
    /// the connection lasts.
    pub(super) fn session(&self, pid: u32, credentials: &Credentials) -> Option<&Session> {
        let look = || lineage::session_above(pid, self.accepted, &|process| credentials.session_of(process));
        self.session.get_or_init(look).as_ref()
    }

    /// Takes note that it bears a token. It ends with that.
    pub(super) fn bears(&self, life: CancellationToken) {
        self.life.send_if_modified(|borne| {
            // The same token again and again is the rule, and nobody need be woken for it.
            let other = borne.as_ref().is_none_or(|borne| borne.is_cancelled() != life.is_cancelled());
            *borne = Some(life);
            other
        });
    }

    /// Resolves when the token that its last request bore has ended.
    pub(crate) async fn over(&self) {
        let mut lives = self.life.subscribe();
        loop {
            let life = lives.borrow_and_update().clone();
            let cancelled = async {
                match &life {
                    Some(life) => life.cancelled().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = cancelled => return,
                changed = lives.changed() => if changed.is_err() { std::future::pending().await },
            }
        }
    }
}
