//! What is done about segments of the trail that are closed: old ones are removed (`audit.retention`) at the start and
//! every hour, and what the others hold is summed up for who looks something up.

use std::{path::PathBuf, sync::Weak, time::Duration};

use tokio::{task::spawn_blocking, time::Instant};
use tracing::{info, warn};

use crate::{
    Gateway,
    audit::{
        Keep,
        read::{summarise, unsummarised},
        system_clock,
    },
};

const EVERY: Duration = Duration::from_hours(1);
/// How often the trail is looked at for a segment that was closed.
const LOOK: Duration = Duration::from_secs(10);
/// So far may wall clock and time since boot run apart, in milliseconds. More means that somebody set the wall clock,
/// and by that no record is removed.
const DRIFT_MS: u64 = 3_600_000;

/// Does that as long as the gateway lives.
pub(crate) async fn keep(gateway: Weak<Gateway>) {
    let began = system_clock();
    let (mut segment, mut due) = (String::new(), Instant::now());
    loop {
        let Some(alive) = gateway.upgrade() else { return };
        let mut changed = false;
        if Instant::now() >= due {
            due = Instant::now() + EVERY;
            changed |= retire(&alive, began).await;
        }
        let now = alive.trail.health().segment;
        changed |= now != segment;
        segment = now;
        let audit = alive.home.audit();
        drop(alive);
        if changed && let Err(e) = sum_up(audit, &gateway).await {
            warn!("searching the audit trail will take longer, since what it holds could not be summed up: {e}");
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Removes what need not be kept, and tells whether there was any.
async fn retire(gateway: &Gateway, (wall_0, boot_0): (u64, u64)) -> bool {
    let audit = gateway.config().audit.clone();
    let (wall, boot) = system_clock();
    let leapt = wall.wrapping_sub(wall_0).abs_diff(boot.wrapping_sub(boot_0)) > DRIFT_MS;
    let ago = |age: Duration| wall.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    let keep = Keep { since_ms: audit.keep_age.filter(|_| !leapt).map(ago), bytes: audit.keep_bytes };
    if leapt && audit.keep_age.is_some() {
        warn!("the clock was set, so no records are removed by their age until the next start");
    }
    let keeps_all = audit.keep_age.is_none() && audit.keep_bytes.is_none();
    let retired = if keeps_all { Ok(0) } else { gateway.trail.retire(keep).await };
    match retired {
        Ok(0) => false,
        Ok(segments) => {
            info!(segments, "old segments of the audit trail were removed");
            true
        }
        Err(e) => {
            warn!("old segments of the audit trail could not be removed: {e}");
            false
        }
    }
}

/// Sums up closed segments, one after the other, and removes what summed up others.
async fn sum_up(audit: PathBuf, gateway: &Weak<Gateway>) -> std::io::Result<()> {
    let dir = audit.clone();
    let Some(closed) = apart(move || unsummarised(&dir)).await? else { return Ok(()) };
    for first in closed {
        if gateway.strong_count() == 0 {
            break;
        }
        let dir = audit.clone();
        apart(move || summarise(&dir, first)).await?;
    }
    Ok(())
}

/// Does such work on a thread of its own; none where the gateway ends before it is done.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<Option<T>> {
    match spawn_blocking(work).await {
        Ok(done) => done.map(Some),
        Err(e) if e.is_cancelled() => Ok(None),
        Err(e) => Err(e.into()),
    }
}
