//! Which hosts were reached, for `first_seen`.

use std::collections::HashSet;

/// The most hosts that are remembered. Beyond that a new host stays new, which is the strict side.
const MOST: usize = 1 << 16;

/// Within what a host is new.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Circle {
    Session(String),
    Agent(String),
    /// Everybody whom this gateway has ever served.
    Everybody,
}

/// Hosts that allowed calls named.
#[derive(Debug, Clone, Default)]
pub(super) struct Contacts {
    seen: HashSet<(Circle, String, String)>,
}

impl Contacts {
    /// Whether such a call went to the host before. To have opened a connection there is not to have sent a request.
    pub(super) fn knows(&self, circle: &Circle, host: &str, tool: &str) -> bool {
        let key = |tool: &str| (circle.clone(), host.to_owned(), tool.to_owned());
        self.seen.contains(&key(tool))
            || self.seen.contains(&key(ANY))
            || tool == "connect" && self.seen.contains(&key("fetch"))
    }

    /// Remembers it. True when that is new.
    pub(super) fn add(&mut self, circle: Circle, host: &str, tool: &str) -> bool {
        self.seen.len() < MOST && self.seen.insert((circle, host.to_owned(), tool.to_owned()))
    }

    /// Forgets a circle.
    pub(super) fn forget(&mut self, circle: &Circle) {
        self.seen.retain(|(of, _, _)| of != circle);
    }
}

/// In place of a tool: whatever goes there. A human said so.
pub(super) const ANY: &str = "*";
