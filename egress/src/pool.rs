//! Connections to origins that can be used again, each only for the session and the destination it was opened for.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper::client::conn::{http1, http2};
use tokio::time::Instant;

use crate::{body::Body, destination::Destination, resolve::Addresses};

/// Origins close idle connections after about a minute; one that is reused later is likely dead.
const IDLE: Duration = Duration::from_secs(50);
/// Idle HTTP/1 connections kept for one destination of one session, and destinations kept at all.
const MAX_IDLE: usize = 64;
const MAX_SHELVES: usize = 1024;
const SWEEP: Duration = Duration::from_secs(10);
/// Shelves with an idle connection. A session that is quiet for longest gives way: each holds a file, and sessions may be
/// many more than files.
const MAX_HELD: usize = 256;

/// Whose connection, and where to. Connections are never shared between sessions: origins may tie a login to one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) session: String,
    pub(crate) to: Destination,
}

/// The HTTP version spoken with an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

#[derive(Default)]
struct Shelf {
    idle: Vec<(http1::SendRequest<Body>, SocketAddr, Instant)>,
    shared: Option<(http2::SendRequest<Body>, SocketAddr, Instant)>,
    /// What the origin chose when it had the choice.
    chosen: Option<Protocol>,
}

pub(crate) struct Pool {
    shelves: Mutex<(HashMap<Arc<Key>, Shelf>, Instant)>,
}

impl Pool {
    pub(crate) fn new() -> Self {
        Self { shelves: Mutex::new((HashMap::new(), Instant::now())) }
    }

    fn with<T>(&self, key: &Arc<Key>, f: impl FnOnce(&mut Shelf) -> T) -> T {
        let mut guard = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        let (shelves, swept) = &mut *guard;
        let now = Instant::now();
        if now.duration_since(*swept) > SWEEP || shelves.len() > MAX_SHELVES {
            *swept = now;
            let full = shelves.len() > MAX_SHELVES;
            shelves.retain(|_, shelf| {
                shelf.idle.retain(|(sender, _, at)| !sender.is_closed() && now.duration_since(*at) < IDLE);
                shelf.shared.take_if(|(sender, _, at)| sender.is_closed() || now.duration_since(*at) > IDLE);
                !shelf.idle.is_empty() || shelf.shared.is_some() || (shelf.chosen.is_some() && !full)
            });
        }
        f(shelves.entry(Arc::clone(key)).or_default())
    }

    /// An idle HTTP/1 connection to one of the judged addresses.
    pub(crate) fn take(&self, key: &Arc<Key>, judged: &Addresses) -> Option<(http1::SendRequest<Body>, SocketAddr)> {
        self.with(key, |shelf| {
            while let Some((sender, address, at)) = shelf.idle.pop() {
                if !sender.is_closed() && at.elapsed() < IDLE && judged.list.contains(&address) {
                    return Some((sender, address));
                }
            }
            None
        })
    }

    /// The HTTP/2 connection to one of the judged addresses, for one more stream.
    pub(crate) fn share(&self, key: &Arc<Key>, judged: &Addresses) -> Option<http2::SendRequest<Body>> {
        self.with(key, |shelf| {
            let (sender, address, at) = shelf.shared.as_mut()?;
            if sender.is_closed() || !judged.list.contains(address) {
                return None;
            }
            *at = Instant::now();
            Some(sender.clone())
        })
    }

    pub(crate) fn put(&self, key: &Arc<Key>, sender: http1::SendRequest<Body>, address: SocketAddr) {
        if sender.is_closed() {
            return;
        }
        self.with(key, |shelf| {
            if shelf.idle.len() < MAX_IDLE {
                shelf.idle.push((sender, address, Instant::now()));
            }
        });
        self.make_room();
    }

    /// Lets go of the idle connections that were put back before all others, where too many are held.
    fn make_room(&self) {
        let mut guard = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        let shelves = &mut guard.0;
        if shelves.len() <= MAX_HELD {
            return;
        }
        let latest = |shelf: &Shelf| shelf.idle.last().map(|(_, _, at)| *at);
        let held = shelves.values().filter_map(latest).count();
        if held > MAX_HELD
            && let Some(oldest) = shelves.values().filter_map(latest).min()
        {
            shelves.values_mut().filter(|shelf| latest(shelf) == Some(oldest)).for_each(|shelf| shelf.idle.clear());
        }
    }

    pub(crate) fn put_shared(&self, key: &Arc<Key>, sender: http2::SendRequest<Body>, address: SocketAddr) {
        self.with(key, |shelf| shelf.shared = Some((sender, address, Instant::now())));
    }

    /// What the origin chose when it was offered both versions.
    pub(crate) fn chosen(&self, key: &Arc<Key>) -> Option<Protocol> {
        self.with(key, |shelf| shelf.chosen)
    }

    pub(crate) fn remember(&self, key: &Arc<Key>, chosen: Option<Protocol>) {
        self.with(key, |shelf| shelf.chosen = chosen);
    }
}

/// An HTTP/1 connection that is in use by one response.
pub(crate) struct Lease {
    pub(crate) pool: Arc<Pool>,
    pub(crate) key: Arc<Key>,
    pub(crate) sender: http1::SendRequest<Body>,
    pub(crate) address: SocketAddr,
}

impl Lease {
    pub(crate) fn give_back(self) {
        self.pool.put(&self.key, self.sender, self.address);
    }
}
