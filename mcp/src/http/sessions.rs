//! What is outstanding between one client and the server, over all of their exchanges.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use rampart_call::Action;
use tokio::sync::Notify;

use super::{
    Failed,
    open::Open,
    whose::{Caller, Names, Whose},
};
use crate::{answer::Form, message::Id};

/// The most sessions that are remembered. The one that was quiet for longest makes room.
const SESSIONS: usize = 10_000;
/// The most requests of one side that wait for their answer.
const OUTSTANDING: usize = 1_000;

/// A request whose answer is still to come.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// What it would do; the answer is judged as the same.
    pub(crate) action: Action,
    /// How to refuse it.
    pub(crate) form: Form,
}

/// A session that the server has made (`Mcp-Session-Id`), or everything that has none.
#[derive(Debug)]
pub(crate) struct Session {
    whose: Whose,
    client: Table,
    server: Table,
    held: Arc<Holds>,
}

/// The client's requests that wait for their verdict, and how each hears that it was cancelled.
type Holds = Mutex<BTreeMap<Id, Arc<Notify>>>;

/// A request's place among those that wait, until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    cancelled: Arc<Notify>,
    place: Option<(Arc<Holds>, Id)>,
}

impl Hold {
    /// Resolves when the client has cancelled the request.
    pub(crate) async fn cancelled(&self) {
        self.cancelled.notified().await;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some((holds, id)) = self.place.take() {
            removed(&mut holds.lock().unwrap_or_else(PoisonError::into_inner), &id);
        }
    }
}

/// The requests of one side.
#[derive(Debug, Default)]
pub(crate) struct Table(Mutex<BTreeMap<Id, (Asked, Option<Open>)>>);

/// Why a request is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// No answer could be told from the other's.
    Duplicate,
    /// Too many wait already.
    TooMany,
}

impl Session {
    pub(super) fn of(whose: Whose) -> Self {
        Self { whose, client: Table::default(), server: Table::default(), held: Arc::default() }
    }

    /// Whose session of the gateway it is.
    pub(super) fn whose(&self) -> Whose {
        self.whose
    }

    /// The client's requests. An answer may come on another stream than the question, when a client resumes.
    pub(crate) fn of_client(&self) -> &Table {
        &self.client
    }

    /// Notes that a request of the client's waits for its verdict.
    pub(crate) fn hold(&self, id: &Id) -> Result<Hold, Full> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.contains_key(id) {
            return Err(Full::Duplicate);
        }
        let cancelled = Arc::new(Notify::new());
        held.insert(id.clone(), Arc::clone(&cancelled));
        Ok(Hold { cancelled, place: Some((Arc::clone(&self.held), id.clone())) })
    }

    /// Whether this request waited for its verdict. It does no more.
    pub(crate) fn cancel(&self, id: &Id) -> bool {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(id).inspect(|cancelled| cancelled.notify_one()).is_some()
    }

    /// The server's requests, which the client answers in exchanges of their own.
    pub(crate) fn of_server(&self) -> &Table {
        &self.server
    }
}

impl Table {
    fn held(&self) -> MutexGuard<'_, BTreeMap<Id, (Asked, Option<Open>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a request waits. Where it is not taken, what was begun with it is over.
    pub(super) fn insert(&self, id: Id, asked: Asked, open: Option<Open>) -> Result<(), Full> {
        let mut held = self.held();
        if held.contains_key(&id) {
            return Err(Full::Duplicate);
        }
        if held.len() >= OUTSTANDING {
            return Err(Full::TooMany);
        }
        held.insert(id, (asked, open));
        Ok(())
    }

    pub(super) fn take(&self, id: &Id) -> Option<(Asked, Option<Open>)> {
        removed(&mut self.held(), id)
    }

    /// Whoever asked wants no answer; one may come all the same.
    pub(super) fn give_up(&self, id: &Id) {
        let open = self.held().get_mut(id).and_then(|(_, open)| open.take());
        drop(open);
    }
}

/// An empty map keeps room for eleven, which is two kilobytes in each session that ever asked something.
fn removed<V>(from: &mut BTreeMap<Id, V>, id: &Id) -> Option<V> {
    let value = from.remove(id);
    if from.is_empty() {
        *from = BTreeMap::new();
    }
    value
}

/// The sessions of one server, by their id and whose they are.
pub(super) struct Sessions {
    names: Names,
    all: Mutex<HashMap<Key, (Arc<Session>, Instant)>>,
}

/// The session's id, and what its client shows of who it is, so that one cannot answer in the other's place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) session: Vec<u8>,
    pub(super) shown: Vec<u8>,
    pub(super) caller: Caller,
}

impl Sessions {
    pub(super) fn new(names: Names) -> Self {
        Self { names, all: Mutex::default() }
    }

    /// The session that a client's first request begins. The server will give it its id.
    pub(super) fn begun(&self, caller: Caller) -> Result<Arc<Session>, Failed> {
        self.names.beginning(caller).map(|whose| Arc::new(Session::of(whose)))
    }

    /// The session of this key. One that is not known was begun before us, or its server gives it no id.
    pub(super) fn of(&self, key: Key, now: Instant) -> Result<Arc<Session>, Failed> {
        let whose = match key.session.as_slice() {
            [] => self.names.stateless(key.caller),
            _ => self.names.beginning(key.caller)?,
        };
        Ok(self.known(key, now, || Arc::new(Session::of(whose))))
    }

    /// The session that has got this key. Where the server gives two clients one id, they are in one.
    pub(super) fn named(&self, key: Key, now: Instant, begun: Arc<Session>) -> Arc<Session> {
        let whose = begun.whose();
        let session = self.known(key, now, || begun);
        if session.whose() != whose {
            self.names.end(whose);
        }
        session
    }

    fn known(&self, key: Key, now: Instant, new: impl FnOnce() -> Arc<Session>) -> Arc<Session> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= SESSIONS && !all.contains_key(&key) {
            let oldest = all.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone());
            if let Some((gone, _)) = oldest.and_then(|oldest| all.remove(&oldest)) {
                self.names.end(gone.whose());
            }
        }
        let (session, used) = all.entry(key).or_insert_with(|| (new(), now));
        *used = now;
        Arc::clone(session)
    }

    /// Forgets one that has ended.
    pub(super) fn end(&self, key: &Key) {
        let gone = self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        if let Some((gone, _)) = gone {
            self.names.end(gone.whose());
        }
    }

    /// Forgets what a client had that has left by its stream.
    pub(super) fn leave(&self, key: &Key) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(key);
        all.remove(&Key { session: Vec::new(), ..key.clone() });
        self.names.end(self.names.stateless(key.caller));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn asked() -> Asked {
        let action = Action::Mcp {
            server: "s".into(),
            method: "tools/call".into(),
            tool: "t".into(),
            arguments: serde_json::Value::Null.into(),
            beside: serde_json::Value::Null,
        };
        Asked { action, form: Form::ToolResult }
    }

    #[test]
    fn an_id_is_asked_once_and_answered_once() {
        let table = Table::default();
        assert_eq!(table.insert(Id::Number(1), asked(), None), Ok(()));
        assert_eq!(table.insert(Id::Number(1), asked(), None), Err(Full::Duplicate));
        assert_eq!(table.insert(Id::Text("1".into()), asked(), None), Ok(()));
        assert!(table.take(&Id::Number(1)).is_some());
        assert!(table.take(&Id::Number(1)).is_none());
        for n in 2..=1_000 {
            table.insert(Id::Number(n), asked(), None).unwrap();
        }
        assert_eq!(table.insert(Id::Number(0), asked(), None), Err(Full::TooMany));
    }

    #[test]
    fn the_session_that_was_quiet_for_longest_makes_room() {
        let (sessions, begun) = (Sessions::new(Names::new("l".into(), None)), Instant::now());
        let key = |n: usize| Key { session: n.to_string().into_bytes(), shown: Vec::new(), caller: Caller::default() };
        let of = |n, after| sessions.of(key(n), begun + after).ok().unwrap();
        for n in 0..SESSIONS {
            of(n, Duration::from_millis(n as u64));
        }
        let first = of(0, Duration::from_secs(100));
        of(SESSIONS, Duration::from_secs(101));
        assert!(Arc::ptr_eq(&first, &of(0, Duration::from_secs(102))));
        assert_eq!(sessions.all.lock().unwrap().len(), SESSIONS);
        assert!(!sessions.all.lock().unwrap().contains_key(&key(1)));
    }
}
