//! Credentials are read again while the gateway runs: a file when it has changed, what a program prints when its time has
//! come, and all of them when somebody asks for it (SIGHUP). Sessions keep the placeholders that they have, whatever a new value looks like.

use std::{
    os::unix::fs::MetadataExt as _,
    sync::Arc,
    time::{Duration, Instant},
};

use rampart_egress::Credentials;
use rampart_gateway::{Gateway, config::From};
use tokio::signal::unix::Signal;
use tokio_util::sync::CancellationToken;

use super::{Held, for_proxy, source};

/// How often files are looked at. One that is being written is read when it has not changed for so long.
const LOOK: Duration = Duration::from_secs(1);
/// When a program that failed is asked again.
const AGAIN: Duration = Duration::from_mins(1);

/// What tells that a file is another one than before: which, how long, and when it was written.
type Mark = (u64, u64, i64, i64);

/// One credential, with what is known of its file.
struct Watched {
    held: Held,
    /// When it was looked at last.
    seen: Option<Mark>,
    /// When it was read.
    read: Option<Mark>,
    /// When its program is asked again.
    due: Option<Instant>,
}

/// Reads credentials again until the gateway ends. `asked` tells when all of them are wanted.
pub(crate) async fn renew(
    held: Vec<Held>,
    credentials: Credentials,
    gateway: Arc<Gateway>,
    mut asked: Signal,
    stop: CancellationToken,
) {
    let mut all: Vec<Watched> = held.into_iter().map(Watched::new).collect();
    let change = all.iter().any(|one| one.read.is_some() || one.due.is_some());
    loop {
        let wanted = tokio::select! {
            () = stop.cancelled() => return,
            Some(()) = asked.recv() => true,
            () = tokio::time::sleep(LOOK), if change => false,
        };
        // Programs take their time, and files may be on a network.
        let looked = tokio::task::spawn_blocking(move || {
            let changed = all.iter_mut().filter_map(|one| one.look(wanted).then_some(&one.held.credential.name));
            let changed: Vec<String> = changed.cloned().collect();
            (all, changed)
        });
        let Ok((back, changed)) = looked.await else { return };
        all = back;
        if changed.is_empty() {
            continue;
        }
        match for_proxy(all.iter().map(|one| &one.held)) {
            Ok(list) => {
                gateway.follow_secrets(all.iter().flat_map(|one| one.held.followed()).collect());
                credentials.renew(list);
                tracing::info!(credentials = changed.join(", "), "read again, and they are others than before");
            }
            Err(why) => tracing::error!("credentials are not renewed: {why:#}"),
        }
    }
}

impl Watched {
    fn new(held: Held) -> Self {
        let mark = mark(&held.credential.from);
        let due = held.credential.renew.map(|every| Instant::now() + every);
        Self { held, seen: mark, read: mark, due }
    }

    /// Whether the value is another one now. One that cannot be read leaves the one that is there.
    fn look(&mut self, wanted: bool) -> bool {
        let now = mark(&self.held.credential.from);
        let settled = now.is_some() && now == self.seen && now != self.read;
        self.seen = now;
        let due = self.due.is_some_and(|due| due <= Instant::now());
        if !wanted && !settled && !due {
            return false;
        }
        self.read = now;
        let every = self.held.credential.renew;
        let again = self.again();
        self.due = every.map(|every| Instant::now() + if again.is_ok() { every } else { every.min(AGAIN) });
        match again {
            Ok(changed) => changed,
            Err(why) => {
                tracing::warn!("the credential `{}` stays as it was: {why:#}", self.held.credential.name);
                false
            }
        }
    }

    fn again(&mut self) -> anyhow::Result<bool> {
        let fresh = self.held.with(source(&self.held.credential.from)?)?;
        if fresh.values() == self.held.values() {
            return Ok(false);
        }
        fresh.for_proxy()?;
        self.held = fresh;
        Ok(true)
    }
}

fn mark(from: &From) -> Option<Mark> {
    let From::File(path) = from else { return None };
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
}
