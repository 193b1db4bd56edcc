//! What is remembered of a session: what it has seen, as labels that rules can ask for, and how often it called what.

mod called;
mod reached;
mod spent;
mod temporary;

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rampart_call::{
    Action, Call, Effect, EffectKind, Judgement, Outcome, Phase, Reason, Sensitivity, Target, listener_of,
};
use rampart_policy::{History, Ruleset};
use tracing::warn;

use self::{called::Calls, temporary::Temporary};
use crate::clock::{self, Now};

/// The most sessions that are remembered; beyond that the longest silent one is forgotten.
const MAX_SESSIONS: usize = 4096;

/// The session may know a secret.
const SECRET_READ: &str = "secret-read";
/// The session has read text that anybody could have written.
const UNTRUSTED_CONTENT: &str = "untrusted-content";

/// Everything remembered of past calls.
#[derive(Debug)]
pub(crate) struct Sessions {
    inner: Mutex<Memory>,
}

/// The same, held still while a call is judged: two calls at once cannot both be the last one allowed.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) history: History,
    /// Where the rules are kept that held once and did.
    spent: PathBuf,
    /// Where the hosts are kept that were reached.
    reached: PathBuf,
    temporary: Temporary,
    /// By agent and session.
    sessions: HashMap<(String, String), Session>,
}

#[derive(Debug, Default)]
struct Session {
    labels: Arc<BTreeSet<String>>,
    calls: Calls,
    count: Count,
    last_ms: u64,
}

/// What became of the calls of a session, before they happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How many were judged.
    pub calls: u64,
    /// How many of them were refused.
    pub refused: u64,
}

/// What a judgement depends on of what went before.
pub(crate) struct Before<'a> {
    pub(crate) labels: Arc<BTreeSet<String>>,
    pub(crate) called: Cow<'a, [String]>,
    pub(crate) history: &'a History,
}

impl Sessions {
    /// Nothing is remembered but the rules that were used up, which stand in the file `spent-rules` of the folder, and
    /// when temporary ones end.
    pub(crate) fn open(state: &Path) -> io::Result<Self> {
        let spent = state.join("spent-rules");
        let mut history = History::default();
        history.restore_spent(spent::read(&spent)?);
        let reached = state.join("reached-hosts");
        reached::read(&reached, |host, tool| history.restore_reached(host, tool))?;
        let temporary = Temporary::open(state.join("temporary-rules"), &Now::read())?;
        Ok(Self { inner: Mutex::new(Memory { history, spent, reached, temporary, sessions: HashMap::new() }) })
    }

    pub(crate) fn remember(&self) -> MutexGuard<'_, Memory> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        self.remember().sessions.len()
    }
}

impl Memory {
    /// Opens the session of a call, or finds it.
    pub(crate) fn enter(&mut self, call: &Call) {
        let now = clock::boot_ms();
        let key = key(call);
        if self.sessions.len() >= MAX_SESSIONS && !self.sessions.contains_key(&key) {
            self.make_room(listener_of(&key.1).is_some());
        }
        let session = self.sessions.entry(key).or_default();
        session.last_ms = now;
        if let Some(server) = &call.origin.server {
            session.calls.look_at(server, now);
        }
    }

    /// Forgets the longest silent session. Clients of listeners come as they like, so theirs make room for each other's.
    fn make_room(&mut self, for_a_client: bool) {
        let may_go = self.sessions.iter().filter(|((_, name), _)| !for_a_client || listener_of(name).is_some());
        let oldest = may_go.min_by_key(|(_, session)| session.last_ms).map(|(key, _)| key.clone());
        oldest.and_then(|key| self.sessions.remove(&key));
    }

    /// Forgets a session that has ended, whichever agents used that name.
    pub(crate) fn end(&mut self, session: &str) {
        self.sessions.retain(|(_, name), _| name != session);
        self.history.end_session(session);
    }

    /// Takes note that a call which went on gets no answer any more.
    pub(crate) fn over(&mut self, call: &Call) {
        let Some(session) = self.sessions.get_mut(&key(call)) else { return };
        if let Action::Mcp { server, tool, .. } = &call.action {
            session.calls.end(server, tool, call.origin.run.as_deref());
        }
    }

    /// The tools that are being called of the MCP server whose own doing a call is.
    fn called(&self, call: &Call) -> &[String] {
        let Some(server) = &call.origin.server else { return &[] };
        self.sessions.get(&key(call)).map_or(&[], |session| session.calls.of(server))
    }

    /// What the judgement of a call depends on.
    pub(crate) fn before(&self, call: &Call) -> Before<'_> {
        let labels = self.sessions.get(&key(call)).map(|session| Arc::clone(&session.labels)).unwrap_or_default();
        Before { labels, called: Cow::Borrowed(self.called(call)), history: &self.history }
    }

    /// What became of the calls of a session, whichever agents used that name.
    pub(crate) fn counted(&self, session: &str) -> Count {
        let of_it = self.sessions.iter().filter(|((_, name), _)| name == session);
        of_it.fold(Count::default(), |sum, (_, Session { count, .. })| Count {
            calls: sum.calls + count.calls,
            refused: sum.refused + count.refused,
        })
    }

    /// Uses up the rules that hold only once and had a part in a judgement. That is on disk when this returns.
    pub(crate) fn spend(&mut self, ruleset: &Ruleset, judgement: &Judgement) -> io::Result<()> {
        let before = self.history.spent().count();
        self.history.spend(ruleset, judgement);
        if self.history.spent().count() == before {
            return Ok(());
        }
        spent::write(&self.spent, self.history.spent())
    }

    /// Takes in the rules in force.
    pub(crate) fn take_in(&mut self, ruleset: &Ruleset) {
        self.temporary.take_in(ruleset, &Now::read());
    }

    /// Ends the temporary rules whose time is over. They stay ended, whatever the clock on the wall says later.
    pub(crate) fn expire(&mut self) {
        let over = self.temporary.over(clock::wall_ms(), clock::boot_ms());
        if over.is_empty() {
            return;
        }
        self.history.restore_spent(over.iter().cloned());
        match spent::write(&self.spent, self.history.spent()) {
            Ok(()) => self.temporary.forget(&over),
            Err(why) => warn!("that temporary rules have ended cannot be written down: {why}"),
        }
    }

    /// Remembers what became of a call, and what it brings into its session if it goes on.
    pub(crate) fn learn(&mut self, call: &Call, judgement: &Judgement, verdict: Outcome) {
        let Some(session) = self.sessions.get_mut(&key(call)) else { return };
        let refused = verdict == Outcome::Deny;
        if call.phase == Phase::Before {
            session.count.calls += 1;
            session.count.refused += u64::from(refused);
        }
        if let Action::Mcp { server, method, tool, .. } = &call.action
            && method == "tools/call"
        {
            let run = call.origin.run.as_deref();
            match call.phase {
                Phase::Before if !refused => session.calls.begin(server, tool, run, clock::boot_ms()),
                Phase::Before => {}
                Phase::After => session.calls.end(server, tool, run),
            }
        }
        if refused {
            return;
        }
        if call.phase == Phase::Before {
            let by_human = judgement.reason == Reason::ApprovalGranted;
            let fresh = self.history.reached(call, &judgement.effects, by_human);
            if let Err(why) = reached::append(&self.reached, &fresh) {
                warn!("hosts will be new again after a restart, they cannot be written down: {why}");
            }
        }
        for label in labels(call, &judgement.effects) {
            if !session.labels.contains(label) {
                Arc::make_mut(&mut session.labels).insert(label.to_owned());
            }
        }
    }
}

/// The labels that a session gets by a call with these effects, if that goes on.
pub fn labels(call: &Call, effects: &[Effect]) -> impl Iterator<Item = &'static str> {
    let secret = effects.iter().any(|effect| {
        let delicate = |s: &Sensitivity| matches!(s, Sensitivity::MayHoldSecrets | Sensitivity::Credential);
        let secret_file = matches!(&effect.target, Some(Target::Path { sensitivity, .. }) if delicate(sensitivity));
        effect.kind == EffectKind::Secret || effect.kind == EffectKind::Read && secret_file
    });
    let untrusted = call.phase == Phase::After && matches!(call.action, Action::Fetch { .. } | Action::Mcp { .. });
    [secret.then_some(SECRET_READ), untrusted.then_some(UNTRUSTED_CONTENT)].into_iter().flatten()
}

fn key(call: &Call) -> (String, String) {
    (call.origin.agent.clone(), call.origin.session.clone())
}
