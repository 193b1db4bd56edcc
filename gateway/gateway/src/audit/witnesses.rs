//! Witnesses: other places that keep checkpoints, so that nobody can cut the end of the trail off or write it anew
//! without contradicting them. Each is served by a task of its own with a deadline; no decision waits for one. A newer
//! checkpoint covers all that older ones do, so one that is behind gets the newest.

mod folder;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use serde_json::json;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use super::{
    Checkpoint, Entry, Trail, Untold,
    ledger::Stamp,
    settings::system_clock,
    sinks::{Lines, Peer},
};
use crate::outside::{self, Http};

/// How long a witness may take for one checkpoint.
const DEADLINE: Duration = Duration::from_secs(5);
/// Checkpoints go to a witness no faster than this.
const PACE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How long the end of the gateway waits for witnesses to take the last one.
const FAREWELL: Duration = Duration::from_secs(2);

/// Where checkpoints are kept as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Witness {
    /// A folder: a line is appended to `rampart-checkpoints.jsonl` in it.
    Folder(PathBuf),
    /// A web server: each is posted to it as JSON.
    Webhook(Uri),
    /// A syslog collector.
    Syslog(Peer),
}

impl Witness {
    /// Reads an absolute path, an `http` or `https` URL, or the address of a syslog collector with its scheme.
    pub fn parse(word: &str) -> Option<Self> {
        if word.starts_with('/') {
            return Some(Self::Folder(PathBuf::from(word)));
        }
        match word.split_once("://")?.0 {
            "http" | "https" => {
                let url: Uri = word.parse().ok()?;
                // a user name and password in it would be shown where the address is
                let named = url.host().is_some_and(|host| !host.is_empty()) && !url.authority()?.as_str().contains('@');
                named.then_some(Self::Webhook(url))
            }
            _ => Peer::parse(word).map(Self::Syslog),
        }
    }
}

/// Which one it is. The path of a URL may be a secret and is not shown.
impl std::fmt::Display for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::Webhook(url) => write!(f, "webhook at {}", url.host().unwrap_or_default()),
            Self::Syslog(peer) => write!(f, "{peer}"),
        }
    }
}

/// How a witness is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attested {
    /// Which one.
    pub witness: String,
    /// Size of the newest checkpoint that it took in this run.
    pub size: Option<u64>,
    /// Why it takes none at present.
    pub problem: Option<String>,
}

/// The tasks that serve witnesses.
#[derive(Debug)]
pub(crate) struct Witnesses {
    states: Vec<Arc<Mutex<Attested>>>,
    tasks: TaskTracker,
    ending: CancellationToken,
}

impl Witnesses {
    /// Tells these from now on.
    pub(crate) fn begin(
        witnesses: &[Witness],
        http: Option<&Http>,
        tls: Option<&Arc<rustls::ClientConfig>>,
        trail: &Trail,
    ) -> Self {
        let mut this = Self { states: Vec::new(), tasks: TaskTracker::new(), ending: CancellationToken::new() };
        for witness in witnesses {
            let state = Attested { witness: witness.to_string(), ..Attested::default() };
            let state = Arc::new(Mutex::new(state));
            this.states.push(Arc::clone(&state));
            let way = match witness {
                Witness::Folder(path) => Way::Folder(folder::Folder::new(path.clone())),
                Witness::Webhook(url) => Way::Webhook(url.clone(), http.cloned()),
                Witness::Syslog(peer) => Way::Syslog(Box::new(Lines::new(peer.clone(), tls.cloned()))),
            };
            let teller = Teller { way, state, trail: trail.clone(), checkpoints: trail.checkpoints(), missed: 0 };
            this.tasks.spawn(teller.run(this.ending.clone()));
        }
        this
    }

    /// How each is doing.
    pub(crate) fn states(&self) -> Vec<Attested> {
        self.states.iter().map(|state| state.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect()
    }

    /// Ends, once the last checkpoint of the closed trail is told, or a witness does not take it.
    pub(crate) async fn close(&self) {
        self.ending.cancel();
        self.tasks.close();
        let _ = timeout(FAREWELL, self.tasks.wait()).await;
    }
}

/// How a witness is reached.
enum Way {
    Folder(folder::Folder),
    Webhook(Uri, Option<Http>),
    Syslog(Box<Lines>),
}

/// Serves one witness.
struct Teller {
    way: Way,
    state: Arc<Mutex<Attested>>,
    trail: Trail,
    checkpoints: watch::Receiver<Option<Checkpoint>>,
    /// Attempts that failed since one went well.
    missed: u64,
}

impl Teller {
    async fn run(mut self, ending: CancellationToken) {
        // None come any more once the trail is closed and the last is told.
        while self.checkpoints.changed().await.is_ok() {
            let mut pause = PACE;
            loop {
                let Some(checkpoint) = self.checkpoints.borrow_and_update().clone() else { break };
                let told = timeout(DEADLINE, self.way.tell(&checkpoint)).await;
                let told = told.unwrap_or_else(|_| Err(format!("it took longer than {} s", DEADLINE.as_secs())));
                let well = told.is_ok();
                self.note(&checkpoint, told).await;
                let rest = if well { PACE } else { pause };
                tokio::select! {
                    () = sleep(rest) => pause = (pause * 2).min(LONGEST_PAUSE),
                    () = ending.cancelled() => if !well { return },
                }
                if well {
                    break;
                }
            }
        }
    }

    /// Makes known how it went; when that changed, on record too.
    async fn note(&mut self, checkpoint: &Checkpoint, told: Result<(), String>) {
        let well = told.is_ok();
        let name = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            match &told {
                Ok(()) => (state.size, state.problem) = (Some(checkpoint.size), None),
                Err(why) => state.problem = Some(why.clone()),
            }
            state.witness.clone()
        };
        let (dropped, cause) = match told {
            Ok(()) => (std::mem::take(&mut self.missed), format!("{name} takes checkpoints again")),
            Err(why) => {
                self.missed += 1;
                (self.missed, format!("{name} takes no checkpoints: {why}"))
            }
        };
        // The first failure, and its end.
        let changed = if well { dropped > 0 } else { dropped == 1 };
        if !changed {
            return;
        }
        if well {
            info!("{cause}");
        } else {
            warn!("{cause}");
        }
        if let Err(unavailable) =
            self.trail.append(Entry::Gap(Untold { reason: "witness", dropped, cause: &cause })).await
        {
            warn!("cannot record how a witness is doing: {unavailable}");
        }
    }
}

impl Way {
    async fn tell(&mut self, checkpoint: &Checkpoint) -> Result<(), String> {
        let json = serde_json::to_string(checkpoint).map_err(|e| e.to_string())?;
        match self {
            Self::Folder(folder) => folder.append(json).await,
            Self::Webhook(url, http) => {
                let http = http.as_ref().ok_or("this gateway has no way to other machines")?;
                let mut request = Request::new(Bytes::from(json));
                *request.method_mut() = Method::POST;
                *request.uri_mut() = url.clone();
                request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                let reply = outside::send(http, request).await?;
                if reply.status.is_success() { Ok(()) } else { Err(format!("it answered {}", reply.status)) }
            }
            Self::Syslog(lines) => {
                let at = Stamp::from(system_clock()).rfc3339();
                let mut record = json!({ "type": "checkpoint", "at": at });
                if let (Some(members), Ok(serde_json::Value::Object(said))) =
                    (record.as_object_mut(), serde_json::to_value(checkpoint))
                {
                    members.extend(said);
                }
                lines.send(&record.to_string()).await.map_err(|e| e.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn witnesses_are_read_and_shown_without_secrets() {
        for (word, shown) in [
            ("/mnt/other", Some("/mnt/other")),
            ("https://w.example/hook/s3cret", Some("webhook at w.example")),
            ("tcp://siem.example", Some("tcp://siem.example:514")),
            ("other", None),
            ("../other", None),
            ("https://user:pass@w.example/", None),
            ("ftp://w.example/", None),
            ("localhost:514", None),
        ] {
            assert_eq!(Witness::parse(word).map(|w| w.to_string()).as_deref(), shown, "{word}");
        }
    }
}
