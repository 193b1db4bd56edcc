//! The doors of a session that has no other way out: whoever comes through them is that session, whatever they say of
//! themselves, and wherever they seem to come from.

use std::sync::Arc;

use rampart_call::{Origin, Surface};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc},
};
use tokio_util::sync::CancellationToken;

use crate::{
    dns::{self, Names},
    entrance::Door,
    proxy::{Proxy, listen},
};

/// What is listened at for one session.
#[derive(Debug)]
pub struct Doors {
    /// Whose calls they are that come through.
    pub origin: Origin,
    /// Where the kernel brings all that was going elsewhere (`SO_ORIGINAL_DST`).
    pub redirected: Vec<TcpListener>,
    /// Where clients know that we are a proxy.
    pub known: Vec<TcpListener>,
    /// Where names are asked for.
    pub names: Vec<Names>,
    /// Ports that lead to the same port of our own loopback, judged as connections and otherwise not looked into.
    pub host: Vec<TcpListener>,
    /// They are served until then.
    pub until: CancellationToken,
}

/// Serves the doors that are handed in, until the proxy is told to stop.
pub(crate) async fn serve(proxy: &Arc<Proxy>, mut handed: mpsc::Receiver<Doors>, slots: &Arc<Semaphore>) {
    loop {
        let doors = tokio::select! {
            () = proxy.shutdown.cancelled() => return,
            doors = handed.recv() => doors,
        };
        let Some(doors) = doors else { return };
        open(proxy, doors, slots);
    }
}

fn open(proxy: &Arc<Proxy>, doors: Doors, slots: &Arc<Semaphore>) {
    let Doors { origin, redirected, known, names, host, until } = doors;
    let resident = Arc::new(Origin { surface: Surface::Egress, can_ask: false, ..origin });
    let kinds = [(Door::Redirected, redirected), (Door::Known, known), (Door::Host, host)];
    for (door, listeners) in kinds {
        for listener in listeners {
            let (proxy, slots) = (Arc::clone(proxy), Arc::clone(slots));
            let (resident, until) = (Arc::clone(&resident), until.clone());
            proxy.tasks.clone().spawn(async move {
                tokio::select! {
                    () = until.cancelled() => {}
                    () = listen(&proxy, &listener, door, Some(&resident), &slots) => {}
                }
            });
        }
    }
    for names in names {
        let (proxy, resident, until) = (Arc::clone(proxy), Arc::clone(&resident), until.clone());
        proxy.tasks.clone().spawn(async move {
            tokio::select! {
                () = until.cancelled() => {}
                () = dns::serve(&proxy, names, Some(&resident)) => {}
            }
        });
    }
}
