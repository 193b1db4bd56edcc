//! The client for programs without a runtime: the hook, the shim, most of the command line. One connection a question.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    thread,
    time::{Duration, Instant},
};

use rampart_call::{Answer, Call, Verdict};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Events, Fault, Settings,
    again::{Again, PAUSE},
    exchange::{Reading, post, request},
    fault,
    socket::{Attempt, attempt},
    wire,
};

/// Asks the gateway, and waits.
#[derive(Debug, Clone)]
pub struct Client {
    settings: Settings,
}

impl Client {
    /// A client; nothing is connected yet.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Decides and records, like [`rampart_call::Gate::judge`]: no answer is a refusal.
    pub fn judge(&self, call: &Call) -> Verdict {
        self.judge_or_start(call, || ())
    }

    /// The same; where nobody listens at first, `start` may change that, in the time that the settings leave for all of it.
    pub fn judge_or_start(&self, call: &Call, start: impl FnOnce()) -> Verdict {
        let mut again = Again::new(Instant::now(), self.settings.patience);
        let mut start = Some(start);
        loop {
            let patience = again.left(Instant::now());
            let asking = Self { settings: Settings { patience, ..self.settings.clone() } };
            let outcome = asking.post::<_, Answer>("/v1/judge", call);
            if let (Some(start), Err(Fault::Unreachable { .. })) = (start.take(), &outcome) {
                start();
                continue;
            }
            if !again.after(&outcome, Instant::now()) {
                return fault::verdict(again.in_all(outcome), &self.settings.unanswered, call);
            }
            thread::sleep(PAUSE);
        }
    }

    /// How the gateway is.
    pub fn status(&self) -> Result<wire::Status, Fault> {
        self.get("/v1/status")
    }

    /// The policies in force.
    pub fn policies(&self) -> Result<Vec<wire::Policy>, Fault> {
        self.get("/v1/policies")
    }

    /// The questions that wait for a human, oldest first.
    pub fn pending(&self) -> Result<Vec<wire::Pending>, Fault> {
        self.get("/v1/approvals")
    }

    /// The question whose id begins so.
    pub fn question(&self, id: &str) -> Result<wire::Pending, Fault> {
        self.get(&format!("/v1/approvals/{}", segment(id)))
    }

    /// Answers a question. `id` is any unique beginning of its id.
    pub fn resolve(&self, id: &str, resolve: &wire::Resolve) -> Result<wire::Resolved, Fault> {
        self.post(&format!("/v1/approvals/{}/resolve", segment(id)), resolve)
    }

    /// Whether a call would be allowed; leaves no record.
    pub fn preflight(&self, tool: &str, request: &wire::ToolRequest) -> Result<wire::Decision, Fault> {
        self.post(&format!("/v1/preflight/{}", segment(tool)), request)
    }

    /// What became of the calls of a session.
    pub fn session(&self, session: &str) -> Result<wire::SessionSummary, Fault> {
        self.get(&format!("/v1/sessions/{}", segment(session)))
    }

    /// Opens a session and gets its credential.
    pub fn open_session(&self, session: &wire::OpenSession) -> Result<wire::OpenedSession, Fault> {
        self.post("/v1/sessions", session)
    }

    /// Ends the session of a client below the one whose credential is borne.
    pub fn end_session(&self, session: &str) -> Result<wire::Noted, Fault> {
        self.delete(&format!("/v1/sessions/{}", segment(session)))
    }

    /// Who this process is to the gateway.
    pub fn whoami(&self) -> Result<wire::WhoAmI, Fault> {
        self.get("/v1/whoami")
    }

    /// Adds a rule of the human's own.
    pub fn add_rule(&self, rule: &wire::NewRule) -> Result<wire::AddedRule, Fault> {
        self.post("/v1/rules", rule)
    }

    /// Takes one back, by its number in the list or its name.
    pub fn remove_rule(&self, which: &str) -> Result<wire::RemovedRule, Fault> {
        self.delete(&format!("/v1/rules/{}", segment(which)))
    }

    /// Takes all of them back.
    pub fn reset_rules(&self) -> Result<wire::ResetRules, Fault> {
        self.delete("/v1/rules")
    }

    /// A link that logs one browser in to the dashboard.
    pub fn dashboard_link(&self) -> Result<wire::DashboardLink, Fault> {
        self.post("/v1/dashboard/link", &serde_json::json!({}))
    }

    /// The tokens there are.
    pub fn tokens(&self) -> Result<Vec<wire::TokenInfo>, Fault> {
        self.get("/v1/tokens")
    }

    /// Makes a token.
    pub fn create_token(&self, token: &wire::CreateToken) -> Result<wire::CreatedToken, Fault> {
        self.post("/v1/tokens", token)
    }

    /// Ends a token. `id` is its name or any unique beginning of its id.
    pub fn revoke_token(&self, id: &str) -> Result<wire::TokenInfo, Fault> {
        self.delete(&format!("/v1/tokens/{}", segment(id)))
    }

    /// Gives a token a new secret.
    pub fn rotate_token(&self, id: &str) -> Result<wire::CreatedToken, Fault> {
        self.post(&format!("/v1/tokens/{}/rotate", segment(id)), &serde_json::json!({}))
    }

    /// Loads the policies again, now.
    pub fn reload(&self) -> Result<wire::PolicyStatus, Fault> {
        self.post("/v1/policy/reload", &serde_json::json!({}))
    }

    /// The records of the audit trail as they are made, from the one after `after`.
    pub fn events(&self, after: Option<u64>) -> Result<Events, Fault> {
        let resume = after.map(|seq| format!("last-event-id: {seq}\r\n")).unwrap_or_default();
        let mut line = Line::open(&self.settings)?;
        let extra = resume + &self.settings.authorization();
        line.write(&request("GET", "/v1/events/stream", &extra))?;
        let mut reading = Reading::new();
        while !reading.has_head() {
            line.read_into(&mut reading)?;
        }
        if reading.status() == 200 {
            return Ok(Events::new(line, reading));
        }
        let status = reading.status();
        Err(refused(status, &line.rest(reading)?))
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        self.exchange(&request("GET", path, &self.extra()))
    }

    fn post<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, Fault> {
        self.exchange(&post(path, body, SMALL, &self.extra())?)
    }

    fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        self.exchange(&request("DELETE", path, &self.extra()))
    }

    /// Headers of each request.
    fn extra(&self) -> String {
        format!("connection: close\r\n{}", self.settings.authorization())
    }

    fn exchange<T: DeserializeOwned>(&self, request: &[u8]) -> Result<T, Fault> {
        let mut line = Line::open(&self.settings)?;
        // A gateway that refuses a long body answers before it has read all of it.
        let written = line.write(request);
        let mut reading = Reading::new();
        while !reading.has_head() {
            if let Err(fault) = line.read_into(&mut reading) {
                return Err(written.err().unwrap_or(fault));
            }
        }
        let status = reading.status();
        let body = line.rest(reading).map_err(|fault| if let Fault::HungUp = fault { Fault::Left } else { fault })?;
        answer(status, &body)
    }
}

/// What most bodies fit into.
const SMALL: usize = 512;

/// What a complete response says.
pub(crate) fn answer<T: DeserializeOwned>(status: u16, body: &[u8]) -> Result<T, Fault> {
    if status != 200 {
        return Err(refused(status, body));
    }
    serde_json::from_slice(body).map_err(|e| Fault::Garbled(e.to_string()))
}

fn refused(status: u16, body: &[u8]) -> Fault {
    match serde_json::from_slice::<wire::ErrorBody>(body) {
        Ok(body) => Fault::Refused { status, code: body.error.code, message: body.error.message },
        Err(_) => Fault::Garbled(format!("status {status} without a reason")),
    }
}

/// One segment of a path: what is not plain becomes percent-encoded (RFC 3986 section 2.1).
fn segment(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => out.push(byte.into()),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// A connection on which every wait is bounded.
#[derive(Debug)]
pub(crate) struct Line {
    stream: UnixStream,
    silence: Duration,
    patience: Duration,
    began: Instant,
    /// The last read filled the buffer, so that there is more.
    more: bool,
}

impl Line {
    fn open(settings: &Settings) -> Result<Self, Fault> {
        let began = Instant::now();
        let wait = settings.silence.min(settings.patience);
        let stream = loop {
            match attempt(settings)? {
                Attempt::Connected(stream) => break stream,
                Attempt::Busy if began.elapsed() > wait => return Err(Fault::Silent(wait)),
                Attempt::Busy => thread::sleep(Duration::from_millis(2)),
            }
        };
        stream.set_nonblocking(false).map_err(|_| Fault::HungUp)?;
        Ok(Self { stream, silence: settings.silence, patience: settings.patience, began, more: false })
    }

    /// How long the next wait may be.
    fn wait(&self) -> Result<Duration, Fault> {
        match self.patience.checked_sub(self.began.elapsed()) {
            Some(left) if !left.is_zero() => Ok(left.min(self.silence)),
            _ => Err(Fault::OutOfTime(self.patience)),
        }
    }

    fn fault(&self, error: &io::Error) -> Fault {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut if self.began.elapsed() >= self.patience => {
                Fault::OutOfTime(self.patience)
            }
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Fault::Silent(self.silence),
            _ => Fault::HungUp,
        }
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        while !bytes.is_empty() {
            self.stream.set_write_timeout(Some(self.wait()?)).map_err(|_| Fault::HungUp)?;
            match self.stream.write(bytes) {
                Ok(0) => return Err(Fault::HungUp),
                Ok(size) => bytes = bytes.get(size..).unwrap_or_default(),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.fault(&e)),
            }
        }
        Ok(())
    }

    /// Waits for bytes and feeds them. True when the response is complete.
    pub(crate) fn read_into(&mut self, reading: &mut Reading) -> Result<bool, Fault> {
        let mut buffer = [0; 16 << 10];
        loop {
            self.stream.set_read_timeout(Some(self.wait()?)).map_err(|_| Fault::HungUp)?;
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(Fault::HungUp),
                Ok(size) => {
                    self.more = size == buffer.len();
                    return reading.feed(buffer.get(..size).unwrap_or_default());
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.fault(&e)),
            }
        }
    }

    /// Whether there is more to read without waiting.
    pub(crate) fn more(&self) -> bool {
        self.more
    }

    fn rest(&mut self, mut reading: Reading) -> Result<Vec<u8>, Fault> {
        while !reading.feed(&[])? {
            self.read_into(&mut reading)?;
        }
        Ok(reading.take_body())
    }
}

#[cfg(test)]
mod tests;
