//! The client for programs that run tokio. Connections are kept and as many are open as questions wait, so one that
//! waits for a human holds up no other.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use rampart_call::{Answer, Call, Gate, Judging, Noting, Refusal, Refused, Telling, Verdict};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Duration, Instant, Sleep, sleep, sleep_until},
};

use crate::{
    Fault, Settings, Stream,
    again::{Again, PAUSE},
    blocking,
    exchange::Reading,
    fault,
    question::Question,
    socket::{Attempt, attempt},
    wire::{Closed, ClosedRequest, Noted},
};

/// How many connections are kept for later.
const IDLE: usize = 16;
/// A [`Gate`] in another process.
pub struct Client {
    settings: Settings,
    authorization: String,
    idle: Mutex<Vec<Connection>>,
}

/// A connection, and the alarm for whoever waits on it.
struct Connection {
    stream: Stream,
    /// Kept with the connection, because an alarm that is only put off costs nothing, and a new one that rings earlier
    /// than all others wakes the runtime's driver.
    alarm: Pin<Box<Sleep>>,
}

impl Connection {
    fn new(stream: Stream, rings: Instant) -> Self {
        Self { stream, alarm: Box::pin(sleep_until(rings)) }
    }

    /// What became of work on the stream; None when it was not done by then.
    async fn by<'s, W: Future + 's>(
        &'s mut self,
        then: Instant,
        work: impl FnOnce(&'s mut Stream) -> W,
    ) -> Option<W::Output> {
        self.alarm.as_mut().reset(then);
        tokio::select! {
            biased;
            done = work(&mut self.stream) => Some(done),
            () = self.alarm.as_mut() => None,
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Client {
    /// A client; nothing is connected yet.
    pub fn new(settings: Settings) -> Self {
        Self { authorization: settings.authorization(), settings, idle: Mutex::default() }
    }

    /// `about` is how many bytes the body might take.
    async fn ask<T>(&self, path: &str, body: &Arc<T>, about: usize) -> Result<Answer, Fault>
    where
        T: Serialize + Send + Sync + 'static,
    {
        let question = Question::new(path, body, about, &self.authorization)?;
        let deadline = Instant::now() + self.settings.patience;
        let mut again = Again::new(Instant::now().into_std(), self.settings.patience);
        loop {
            let outcome = self.ask_once(&question, deadline).await;
            if !again.after(&outcome, Instant::now().into_std()) {
                return again.in_all(outcome);
            }
            sleep(PAUSE).await;
        }
    }

    async fn ask_what_is_closed(&self, calls: Vec<Call>) -> Result<Closed, Fault> {
        let about = calls.iter().map(Call::size).sum();
        let body = Arc::new(ClosedRequest { calls });
        let question = Question::new("/v1/closed", &body, about, &self.authorization)?;
        self.ask_once(&question, Instant::now() + self.settings.patience).await
    }

    async fn ask_once<T: DeserializeOwned>(&self, question: &Question, deadline: Instant) -> Result<T, Fault> {
        if let Some(kept) = self.take_idle() {
            match self.exchange(kept, question, deadline).await {
                // A gateway that was restarted meanwhile has closed it.
                Err(Fault::HungUp) => {}
                done => return done,
            }
        }
        let made = self.connect(deadline).await?;
        self.exchange(made, question, deadline).await
    }

    async fn connect(&self, deadline: Instant) -> Result<Connection, Fault> {
        let until = self.next_wait(deadline);
        loop {
            match attempt(&self.settings)? {
                Attempt::Connected(stream) => {
                    let stream = Stream::new(stream).map_err(|_| Fault::HungUp)?;
                    return Ok(Connection::new(stream, until));
                }
                Attempt::Busy if Instant::now() > until => return Err(self.late(deadline)),
                Attempt::Busy => sleep(Duration::from_millis(2)).await,
            }
        }
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        mut connection: Connection,
        question: &Question,
        deadline: Instant,
    ) -> Result<T, Fault> {
        // A gateway that refuses a long body answers before it has read all of it.
        let written = self.send(&mut connection, question, deadline).await;
        let mut reading = Reading::new();
        // Most answers are an eighth of it.
        let mut buffer = vec![0; 4 << 10];
        let mut complete = false;
        while !complete {
            complete = match self.read(&mut connection, &mut buffer, deadline).await {
                Ok(size) => reading.feed(buffer.get(..size).unwrap_or_default())?,
                Err(Fault::HungUp) if reading.has_head() => return Err(Fault::Left),
                Err(fault) => return Err(written.err().unwrap_or(fault)),
            };
        }
        let answer = blocking::answer(reading.status(), &reading.take_body());
        if reading.keeps_alive() && written.is_ok() {
            self.keep(connection);
        }
        answer
    }

    async fn send(&self, connection: &mut Connection, question: &Question, deadline: Instant) -> Result<(), Fault> {
        self.write(connection, question.front(), deadline).await?;
        let mut rest = question.rest();
        while let Some(piece) = rest.next().await {
            self.write(connection, &piece, deadline).await?;
        }
        Ok(())
    }

    async fn write(&self, connection: &mut Connection, mut bytes: &[u8], deadline: Instant) -> Result<(), Fault> {
        while !bytes.is_empty() {
            let written = connection.by(self.next_wait(deadline), |stream| stream.write(bytes)).await;
            match written.ok_or_else(|| self.late(deadline))? {
                Ok(size) => bytes = bytes.get(size..).unwrap_or_default(),
                Err(_) => return Err(Fault::HungUp),
            }
        }
        Ok(())
    }

    async fn read(&self, connection: &mut Connection, buffer: &mut [u8], deadline: Instant) -> Result<usize, Fault> {
        let read = connection.by(self.next_wait(deadline), |stream| stream.read(buffer)).await;
        match read.ok_or_else(|| self.late(deadline))? {
            Ok(0) | Err(_) => Err(Fault::HungUp),
            Ok(size) => Ok(size),
        }
    }

    fn next_wait(&self, deadline: Instant) -> Instant {
        deadline.min(Instant::now() + self.settings.silence)
    }

    fn late(&self, deadline: Instant) -> Fault {
        if Instant::now() >= deadline {
            Fault::OutOfTime(self.settings.patience)
        } else {
            Fault::Silent(self.settings.silence)
        }
    }

    fn take_idle(&self) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(connection);
        }
    }
}

impl Gate for Client {
    fn over(&self, call: Call) -> Noting<'_> {
        let (about, call) = (call.size(), Arc::new(call));
        Box::pin(async move {
            let Ok(question) = Question::new("/v1/over", &call, about, &self.authorization) else { return };
            // Where it cannot be said, the gateway takes the call to be over in time.
            drop(self.ask_once::<Noted>(&question, Instant::now() + self.settings.silence).await);
        })
    }

    fn closed(&self, calls: Vec<Call>) -> Telling<'_> {
        Box::pin(async move { self.ask_what_is_closed(calls).await.map(|told| told.closed).unwrap_or_default() })
    }

    fn judge(&self, call: Call) -> Judging<'_> {
        let call = Arc::new(call);
        Box::pin(async move {
            let answer = self.ask("/v1/judge", &call, call.size()).await;
            fault::verdict(answer, &self.settings.unanswered, &call)
        })
    }

    fn refused(&self, call: Call, refusal: Refusal) -> Judging<'_> {
        let refused = Arc::new(Refused::new(call, &refusal));
        Box::pin(async move {
            match self.ask("/v1/refused", &refused, refused.call.size()).await {
                // Whatever passes without a gateway: what was refused already does not.
                Err(_) => Verdict::Deny(refusal),
                answer => fault::verdict(answer, &self.settings.unanswered, &refused.call),
            }
        })
    }
}

#[cfg(test)]
mod tests;
