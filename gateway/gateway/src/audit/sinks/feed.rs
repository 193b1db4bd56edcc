//! Sends the records of the trail to one collector, in order, and after a break again from where it certainly had them
//! all. A collector may see some records twice (their `seq` tells), and misses none that the trail still holds.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Seen, Sender, Syslog, cursor::Cursor, peer::Connection};
use crate::{
    audit::{Entry, Trail, Untold},
    records::Following,
};

/// Records that a collector may lag behind. Beyond that the oldest are left out, and a `gap` record says so.
const MOST_BEHIND: u64 = 1_000_000;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often what has arrived is looked at and written down.
const LOOK: Duration = Duration::from_millis(250);

/// What is sent where, and how far that has come.
pub(super) struct Feed {
    syslog: Syslog,
    tls: Option<Arc<rustls::ClientConfig>>,
    sender: Sender,
    following: Following,
    trail: Trail,
    /// Everything up to here has arrived.
    cursor: Cursor,
    /// Number of the last record that was sent.
    sent: u64,
    /// Records that were sent and may not have arrived: when, and up to which.
    underway: VecDeque<(Instant, u64)>,
    most_behind: u64,
}

impl Feed {
    pub(super) fn new(
        syslog: Syslog,
        tls: Option<Arc<rustls::ClientConfig>>,
        following: Following,
        trail: Trail,
        cursor: Cursor,
    ) -> Self {
        let sent = cursor.at();
        let (sender, underway, most_behind) = (Sender::this(), VecDeque::new(), MOST_BEHIND);
        Self { syslog, tls, sender, following, trail, cursor, sent, underway, most_behind }
    }

    /// Runs until `ending`, and then until the collector has all that the trail holds.
    pub(super) async fn run(mut self, ending: CancellationToken) {
        let mut pause = FIRST_PAUSE;
        loop {
            let why = match Connection::open(&self.syslog.peer, self.tls.as_ref()).await {
                Ok(connection) => {
                    let before = self.cursor.at();
                    let Err(why) = self.serve(connection, &ending).await else { break };
                    if self.cursor.at() > before {
                        pause = FIRST_PAUSE;
                    }
                    why
                }
                Err(why) => why,
            };
            warn!(peer = %self.syslog.peer, "syslog is behind, and goes on when it can: {why}");
            tokio::select! {
                () = sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                () = ending.cancelled() => break,
            }
        }
        self.cursor.save();
    }

    /// Feeds one connection. Ends well only when the gateway does.
    async fn serve(&mut self, mut connection: Connection, ending: &CancellationToken) -> std::io::Result<()> {
        self.resume().await;
        info!(peer = %self.syslog.peer, after = self.sent, "feeding syslog");
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if ending.is_cancelled() && self.sent >= self.trail.health().records {
                if connection.finish().await {
                    self.cursor.advance(self.sent);
                }
                return Ok(());
            }
            tokio::select! {
                why = connection.gone() => return Err(why),
                next = self.following.next() => match next? {
                    Some((seq, line)) => self.send(&mut connection, seq, &line).await?,
                    None => return Ok(()),
                },
                _ = looks.tick() => self.settle(),
            }
        }
    }

    /// Goes back to what has certainly arrived, or forward where that is too far behind.
    async fn resume(&mut self) {
        self.underway.clear();
        let oldest = self.trail.health().records.saturating_sub(self.most_behind);
        if self.cursor.at() < oldest {
            self.lose(oldest - self.cursor.at(), "the collector was away for too long").await;
            self.cursor.advance(oldest);
        }
        self.sent = self.cursor.at();
        self.following.resume_after(self.sent);
    }

    async fn send(&mut self, connection: &mut Connection, seq: u64, line: &str) -> std::io::Result<()> {
        let missing = seq.saturating_sub(self.sent + 1);
        if missing > 0 {
            self.lose(missing, "they were removed from the trail before the collector had them").await;
        }
        if let Some(record) = Seen::new(line) {
            connection.send(&self.syslog.layout.render(&record, &self.sender)).await?;
        }
        self.sent = seq;
        match self.underway.back_mut() {
            Some((since, last)) if since.elapsed() < LOOK => *last = seq,
            _ => self.underway.push_back((Instant::now(), seq)),
        }
        Ok(())
    }

    /// What was sent long enough ago on a connection that lives has arrived.
    fn settle(&mut self) {
        // A batch goes on for a while after it began.
        let long_enough = self.syslog.peer.transport.settles() + LOOK;
        while let Some((since, last)) = self.underway.front()
            && since.elapsed() >= long_enough
        {
            self.cursor.advance(*last);
            self.underway.pop_front();
        }
        self.cursor.save();
    }

    async fn lose(&self, dropped: u64, why: &str) {
        let cause = format!("{}: {why}", self.syslog.peer);
        warn!(dropped, "{cause}");
        let untold = Untold { reason: "syslog", dropped, cause: &cause };
        if let Err(unavailable) = self.trail.append(Entry::Gap(untold)).await {
            warn!("cannot record that syslog left out records: {unavailable}");
        }
    }
}

#[cfg(test)]
mod tests;
