//! Watches the policy files and takes over what changed. The folder is watched and not the files, since editors write
//! beside them and rename; what changed is told by content, and only after the writing has settled.

use std::{
    path::Path,
    sync::{Arc, Weak},
    time::Duration,
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};
use tracing::warn;

use crate::Gateway;

/// The folder must be quiet for this long.
const SETTLE: Duration = Duration::from_millis(100);
/// A folder that never gets quiet is looked at anyway.
const PATIENCE: Duration = Duration::from_millis(500);
/// Network file systems and exhausted watches tell nothing, so the folder is also looked at unasked.
const LOOK: Duration = Duration::from_secs(2);

/// Watches until the gateway is gone.
pub(crate) async fn watch(gateway: Weak<Gateway>) {
    let Some(home) = gateway.upgrade().map(|gateway| gateway.home().clone()) else { return };
    let changed = Arc::new(Notify::new());
    let mut watcher = watcher(&changed);
    loop {
        // The folder may have been replaced, and the watch is on what it was. Watch first and look afterwards: what is
        // written in between is seen by one of the two.
        for folder in [home.root(), &home.policies()] {
            follow(watcher.as_mut(), folder);
        }
        let Some(alive) = gateway.upgrade() else { return };
        // What is wrong was told and recorded; `status` shows it too.
        let _ = alive.reload().await;
        drop(alive);
        let _ = timeout(LOOK, changed.notified()).await;
        settle(&changed).await;
    }
}

async fn settle(changed: &Notify) {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until && timeout(SETTLE, changed.notified()).await.is_ok() {}
}

fn watcher(changed: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let changed = Arc::clone(changed);
    let tell = move |event: notify::Result<notify::Event>| {
        if !event.is_ok_and(|event| event.kind.is_access()) {
            changed.notify_one();
        }
    };
    notify::recommended_watcher(tell)
        .inspect_err(|e| warn!("cannot watch the policies ({e}); looking every {} s instead", LOOK.as_secs()))
        .ok()
}

fn follow(watcher: Option<&mut RecommendedWatcher>, folder: &Path) {
    if let Some(watcher) = watcher {
        // It may be gone for a moment; the next look finds it.
        let _ = watcher.watch(folder, RecursiveMode::NonRecursive);
    }
}

#[cfg(test)]
mod tests;
