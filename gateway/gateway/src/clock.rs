//! The two clocks: one for people, one that nobody can set.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

/// Both clocks at one moment, and which boot the second is of. What outlives a restart is measured by these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Now {
    pub(crate) wall_ms: u64,
    pub(crate) boot_ms: u64,
    pub(crate) boot: String,
}

impl Now {
    pub(crate) fn read() -> Self {
        // Where the kernel does not tell boots apart, every start counts as a boot of its own.
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned());
        let boot = boot.unwrap_or_else(|_| format!("unknown, process {}", std::process::id()));
        Self { wall_ms: wall_ms(), boot_ms: boot_ms(), boot }
    }
}

/// An end that was set once, and that no restart and no clock that is set puts off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deadline {
    /// The boot whose clock `boot_ms` is of.
    boot: String,
    boot_ms: u64,
    /// When it was set, and when it ends, as the clock on the wall went then.
    set_ms: u64,
    end_ms: u64,
}

impl Deadline {
    /// One that ends at a time of the clock on the wall.
    pub(crate) fn at(end_ms: u64, now: &Now) -> Self {
        let boot_ms = now.boot_ms.saturating_add(end_ms.saturating_sub(now.wall_ms));
        Self { boot: now.boot.clone(), boot_ms, set_ms: now.wall_ms, end_ms }
    }

    /// Its end in milliseconds of the boot clock as it runs now. Within one boot that is what was set, whatever became
    /// of the clock on the wall. After a reboot the wall clock is all there is; one that was set back before the time
    /// of setting is not believed, and none gives more time than there was.
    pub(crate) fn boot_ms(&self, now: &Now) -> u64 {
        if self.boot == now.boot {
            return self.boot_ms;
        }
        if now.wall_ms < self.set_ms {
            return 0;
        }
        let whole = self.end_ms.saturating_sub(self.set_ms);
        now.boot_ms.saturating_add(self.end_ms.saturating_sub(now.wall_ms).min(whole))
    }
}

/// Milliseconds since 1970-01-01 UTC. Can be set back; nothing expires by it alone.
pub fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Milliseconds since the machine started, sleep included. What expires, expires by this.
pub(crate) fn boot_ms() -> u64 {
    crate::audit::system_clock().1
}

/// A wall time as people and the API write it (RFC 3339, UTC).
pub fn rfc3339(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_clock_that_is_set_puts_an_end_off() {
        let set = Now { wall_ms: 1_000_000, boot_ms: 500_000, boot: "this boot".to_owned() };
        let deadline = Deadline::at(1_120_000, &set);
        for (boot, wall_ms, boot_ms, left) in [
            // The same boot: its clock alone counts.
            ("this boot", 1_010_000, 510_000, 110_000),
            ("this boot", 0, 510_000, 110_000),
            ("this boot", u64::MAX, 510_000, 110_000),
            ("this boot", 1_010_000, 620_000, 0),
            // After a reboot the wall clock counts, as far as it can be believed.
            ("another", 1_050_000, 9_000, 70_000),
            ("another", 1_120_000, 9_000, 0),
            ("another", 999_999, 9_000, 0),
            ("another", 0, 9_000, 0),
        ] {
            let now = Now { wall_ms, boot_ms, boot: boot.to_owned() };
            assert_eq!(deadline.boot_ms(&now).saturating_sub(boot_ms), left, "{boot} {wall_ms} {boot_ms}");
        }
        assert_eq!(Deadline::at(7, &set).boot_ms(&set), 500_000, "what is past is past");
    }
}
