//! The two clocks: one for people, one that nobody can set.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

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

/// Milliseconds since 1970-01-01 UTC. Can be set back; nothing expires by it alone.
pub(crate) fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Milliseconds since the machine started, sleep included. What expires, expires by this.
pub(crate) fn boot_ms() -> u64 {
    crate::audit::system_clock().1
}

/// A wall time as people and the API write it (RFC 3339, UTC).
pub(crate) fn rfc3339(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}
