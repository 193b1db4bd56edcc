//! Wrong tokens and forbidden wishes: a few are answered at once and written down, more of them slowly.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::StatusCode;
use rampart_gateway::Gateway;
use tokio::time::{Instant, sleep};

use crate::error::Error;

/// Failures of one source in a [`WINDOW`] that are answered at once.
const FREE: u32 = 10;
const WINDOW: Duration = Duration::from_mins(1);
/// How long the answer to any further one takes.
const DELAY: Duration = Duration::from_secs(1);
/// So many may wait for their answers; others are told so at once, since waiting takes room.
const MOST_WAITING: usize = 64;
/// Most sources that are remembered.
const MOST_SOURCES: usize = 4096;

/// Who fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// A network address, as coarse as one may choose one's own: all of loopback is one, and so is an IPv6 /64.
    Address(IpAddr),
    /// A user, on the socket.
    User(u32),
}

impl Source {
    pub(super) fn of(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            ip if ip.is_loopback() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
            IpAddr::V4(ip) => ip.into(),
        })
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::User(uid) => write!(f, "user {uid}"),
        }
    }
}

/// What becomes of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Written down, and answered at once.
    Record,
    /// The last that is written down for a while; answered slowly.
    RecordMany,
    /// Answered slowly.
    Delay,
}

#[derive(Debug, Default)]
pub(crate) struct Failures {
    sources: Mutex<HashMap<Source, (Instant, u32)>>,
    waiting: AtomicUsize,
}

impl Failures {
    /// Counts a failure, writes it down, and takes its time where there were many.
    pub(super) async fn punish(
        &self,
        source: Source,
        gateway: &Gateway,
        subject: &str,
        by: &str,
        refused: &Error,
    ) -> Result<(), Error> {
        let step = self.count(source, Instant::now());
        match step {
            Step::Record => gateway.record_refusal(subject, by, &refused.message).await,
            Step::RecordMany => {
                let text = format!("more than {FREE} refusals a minute of {source}: further ones are not recorded");
                gateway.record_refusal(subject, by, &text).await;
            }
            Step::Delay => {}
        }
        if step == Step::Record {
            return Ok(());
        }
        if self.waiting.fetch_add(1, Ordering::Relaxed) < MOST_WAITING {
            sleep(DELAY).await;
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Ok(());
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        let text = "too many wrong requests came from there within a minute; wait a while";
        Err(Error::new(StatusCode::TOO_MANY_REQUESTS, "too_many_failures", text))
    }

    fn count(&self, source: Source, now: Instant) -> Step {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if sources.len() >= MOST_SOURCES {
            sources.retain(|_, (began, _)| now.duration_since(*began) < WINDOW);
        }
        if sources.len() >= MOST_SOURCES && !sources.contains_key(&source) {
            return Step::Delay;
        }
        let (began, count) = sources.entry(source).or_insert((now, 0));
        if now.duration_since(*began) >= WINDOW {
            (*began, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        match *count {
            ..=FREE => Step::Record,
            n if n == FREE + 1 => Step::RecordMany,
            _ => Step::Delay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_a_minute_and_source_are_free_and_the_next_minute_begins_anew() {
        let failures = Failures::default();
        let (one, other) = (Source::User(1), Source::User(2));
        let now = Instant::now();
        for _ in 0..10 {
            assert_eq!(failures.count(one, now), Step::Record);
        }
        assert_eq!(failures.count(one, now), Step::RecordMany);
        assert_eq!(failures.count(one, now + Duration::from_secs(59)), Step::Delay);
        assert_eq!(failures.count(other, now), Step::Record, "others are not delayed");
        assert_eq!(failures.count(one, now + WINDOW), Step::Record);
    }

    #[test]
    fn nobody_is_a_new_source_by_choosing_another_address_of_their_own() {
        for (a, b) in [("127.0.0.1", "127.9.8.7"), ("127.0.0.1", "::1"), ("2001:db8::1", "2001:db8::ffff:2")] {
            assert_eq!(Source::of(a.parse().unwrap()), Source::of(b.parse().unwrap()), "{a} {b}");
        }
        assert_ne!(Source::of("10.0.0.1".parse().unwrap()), Source::of("10.0.0.2".parse().unwrap()));
    }

    #[test]
    fn a_flood_of_sources_takes_bounded_memory() {
        let failures = Failures::default();
        let now = Instant::now();
        for user in 0..10_000 {
            failures.count(Source::User(user), now);
        }
        assert_eq!(failures.sources.lock().unwrap().len(), MOST_SOURCES);
        assert_eq!(failures.count(Source::User(9_999), now), Step::Delay);
    }
}
