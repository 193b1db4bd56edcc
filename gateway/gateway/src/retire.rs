//! `audit.retention`: old segments of the trail are removed at the start and every hour.

use std::{sync::Weak, time::Duration};

use tracing::{info, warn};

use crate::{
    Gateway,
    audit::{Keep, system_clock},
};

const EVERY: Duration = Duration::from_hours(1);
/// So far may wall clock and time since boot run apart, in milliseconds. More means that somebody set the wall clock,
/// and by that no record is removed.
const DRIFT_MS: u64 = 3_600_000;

/// Removes what need not be kept, as long as the gateway lives.
pub(crate) async fn keep(gateway: Weak<Gateway>) {
    let (wall_0, boot_0) = system_clock();
    loop {
        let Some(gateway) = gateway.upgrade() else { return };
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
            Ok(0) => {}
            Ok(segments) => info!(segments, "old segments of the audit trail were removed"),
            Err(e) => warn!("old segments of the audit trail could not be removed: {e}"),
        }
        drop(gateway);
        tokio::time::sleep(EVERY).await;
    }
}
