//! Clients that take nothing of what they are sent, and would hold an answer, its origin and a place for as long as they
//! like.

use std::{
    error::Error as _,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use rampart_call::Action;
use socket2::SockRef;
use tokio::net::TcpStream;

use crate::{exchange::record_failure, proxy::Connection, refusal::Refused};

/// Has the kernel end a connection whose other side takes nothing that was sent to it for so long: TCP_USER_TIMEOUT (RFC
/// 5482), which on Linux also ends those that answer probes and keep their window shut.
pub(crate) fn bound(tcp: &TcpStream, limit: Duration) {
    if let Err(error) = SockRef::from(tcp).set_tcp_user_timeout(Some(limit)) {
        tracing::debug!(%error, "a client may take its time");
    }
}

/// Puts on record that a connection was ended by that, if it was.
pub(crate) async fn record_if_cause(error: &hyper::Error, connection: &Connection) {
    let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    if io.is_some_and(|io| io.kind() == io::ErrorKind::TimedOut) {
        record(connection).await;
    }
}

/// Puts on record that a connection was ended because its client took nothing.
pub(crate) async fn record(connection: &Connection) {
    let Some((origin, to)) = connection.latest() else { return };
    let proxy = connection.proxy();
    let refused = Refused::stalled(proxy.limits.answer_time);
    tracing::info!(%to, "{}", refused.message());
    let action = Action::Connect { host: to.host.text(), port: to.port, addresses: Vec::new() };
    record_failure(proxy, &origin, action, &refused).await;
}

/// How the answers of one connection are taken. A stream of HTTP/2 can be kept shut while its connection is not.
pub(crate) struct Taking {
    began: Instant,
    /// Answers that have more, and wait to be asked for it.
    waiting: AtomicUsize,
    /// When one of them was last asked, in milliseconds since then.
    asked: AtomicU64,
}

impl Default for Taking {
    fn default() -> Self {
        Self { began: Instant::now(), waiting: AtomicUsize::new(0), asked: AtomicU64::new(0) }
    }
}

impl Taking {
    /// Resolves when there is something to take and nothing was taken for so long.
    pub(crate) async fn stalls(&self, limit: Duration) {
        loop {
            tokio::time::sleep(limit / 4).await;
            let since = self.now().saturating_sub(self.asked.load(Relaxed));
            if self.waiting.load(Relaxed) > 0 && u128::from(since) > limit.as_millis() {
                return;
            }
        }
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }
}

/// One answer of them.
pub(crate) struct Taker {
    taking: Arc<Taking>,
    waits: bool,
}

impl Taker {
    pub(crate) fn new(taking: &Arc<Taking>) -> Self {
        let mut taker = Self { taking: Arc::clone(taking), waits: false };
        taker.asks();
        // Behind a window that is shut, nobody asks even for the beginning.
        taker.has_more();
        taker
    }

    /// It is asked.
    pub(crate) fn asks(&mut self) {
        self.taking.asked.store(self.taking.now(), Relaxed);
        self.settle();
    }

    /// It gave something, and there may be more.
    pub(crate) fn has_more(&mut self) {
        self.waits = true;
        self.taking.waiting.fetch_add(1, Relaxed);
    }

    fn settle(&mut self) {
        if std::mem::take(&mut self.waits) {
            self.taking.waiting.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        self.settle();
    }
}
