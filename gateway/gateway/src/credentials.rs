//! Tokens and launch credentials: who bears one, what that lets them do, and when it ends. What the bearer of one that
//! ended still has open ends with it.

mod file;
mod token;

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rampart_call::listener_of;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::token::{Secret, fits, split};
use crate::{
    HomeError, clock,
    lineage::{Process, Session},
};

pub use token::{Browser, Launch, Scope, Token};

/// How often it is looked whether the processes of launch credentials still run.
const ROUND: Duration = Duration::from_secs(5);
/// The most tokens that are kept; sessions come and go, so only something gone wrong makes more.
const MOST: usize = 10_000;

/// Every credential of a home.
#[derive(Debug)]
pub struct Credentials {
    file: PathBuf,
    book: Mutex<Book>,
    /// Something about when tokens end changed.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Book {
    kept: BTreeMap<String, Entry>,
    /// Tokens whose text a person chose or keeps in a file, by the name of where it stands.
    given: BTreeMap<String, Given>,
    /// Sessions by the process that everything of theirs is below.
    roots: HashMap<Process, Session>,
    /// How many launch credentials are of sessions that are only watched.
    watched: usize,
    /// How many are of sessions whose processes are confined.
    confined: usize,
}

#[derive(Debug)]
struct Entry {
    token: Token,
    /// When it ends, by the clock that nobody can set.
    ends: Option<u64>,
    life: CancellationToken,
    /// Who opened its session says that its processes are confined, as long as they say so.
    confined: bool,
}

impl Entry {
    fn is_confined(&self) -> bool {
        self.confined || self.token.launch.as_ref().is_some_and(|launch| launch.confined)
    }

    fn only_watches(&self) -> bool {
        self.token.launch.as_ref().is_some_and(|launch| launch.monitor)
    }
}

#[derive(Debug)]
struct Given {
    hash: String,
    life: CancellationToken,
}

/// What a caller that bears a token may do, until `life` ends.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// The token's id.
    pub id: Arc<str>,
    /// For the record: which token.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Only for this agent.
    pub agent: Option<String>,
    /// Only about questions of this policy.
    pub policy: Option<String>,
    /// Only for this session.
    pub session: Option<String>,
    /// Also for the sessions of clients below that one.
    pub clients: bool,
    /// Only for this MCP server of the session.
    pub server: Option<String>,
    /// It is the cookie of this browser.
    pub browser: Option<Browser>,
    /// Who it stands for where people are told apart: [`OWNER`], or the id of a token that somebody was given.
    pub person: Arc<str>,
    /// Cancelled when the token is revoked, rotated or expires.
    pub life: CancellationToken,
}

impl Bearer {
    /// Whether this is the session of a client of theirs.
    pub fn serves(&self, session: &str) -> bool {
        self.clients && self.session.is_some() && listener_of(session) == self.session.as_deref()
    }
}

/// What a new token shall be.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// What people call it.
    pub name: String,
    /// What it may do; at least one.
    pub scopes: Vec<Scope>,
    /// Only for this agent.
    pub agent: Option<String>,
    /// Only about questions of this policy.
    pub policy: Option<String>,
    /// How long it lasts; for ever without it.
    pub lasts: Option<Duration>,
    /// It is handed to the processes of a session.
    pub launch: Option<Launch>,
    /// It is handed to a browser.
    pub browser: Option<Browser>,
}

/// Why there is no such token, or none can be made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// No token begins so.
    #[error("there is no token `{0}`; `rampart token list` shows those there are")]
    Unknown(String),
    /// Several tokens begin so.
    #[error("several tokens begin with `{0}`; give more of the id")]
    Ambiguous(String),
    /// It is not kept here.
    #[error("the token `{0}` is what RAMPART_TOKEN said when the gateway started: start it with another, or without")]
    Environment(String),
    /// It holds as long as the gateway does.
    #[error("the token file of the home cannot be revoked, only rotated: `rampart token rotate home`")]
    Home,
    /// It makes no sense.
    #[error("{0}")]
    Senseless(String),
    /// It cannot be written down.
    #[error("cannot write {}: {source}", path.display())]
    Unwritten {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The audit trail cannot take it, and nothing is changed off the record.
    #[error("the audit trail cannot take it, so nothing was changed: {0}")]
    Unrecorded(String),
}

/// The name of the token in the home's file.
pub const HOME: &str = "home";
/// The name of the token that the environment gave.
pub const ENVIRONMENT: &str = "RAMPART_TOKEN";
/// The person whose home this is. The kernel's word for their user or root, the home's token and that of the environment
/// are all theirs; whoever else answers questions bears a token of their own.
pub const OWNER: &str = "owner";

impl Credentials {
    /// Reads the tokens that are kept. Those that ended meanwhile are forgotten.
    pub(crate) fn open(file: PathBuf) -> Result<Self, HomeError> {
        let mut book = Book::default();
        let now = clock::wall_ms();
        let (browsers, others): (Vec<_>, Vec<_>) =
            file::read(&file)?.into_iter().partition(|token| token.browser.is_some());
        for token in others.into_iter().chain(browsers) {
            let ended = token.expires_ms.is_some_and(|at| at <= now);
            let orphaned = token.launch.as_ref().is_some_and(|launch| !launch.process.lives());
            let asked_by = token.browser.as_ref().and_then(|browser| browser.token.as_deref());
            let parted = asked_by.is_some_and(|id| id != HOME && !book.kept.contains_key(id));
            if !ended && !orphaned && !parted {
                book.add(token, now);
            }
        }
        Ok(Self { file, book: Mutex::new(book), changed: Notify::new() })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a token that a person chose or keeps in a file. It may do everything.
    pub fn accept(&self, name: &str, text: &str) {
        let given = Given { hash: token::hash(text), life: CancellationToken::new() };
        let mut book = self.book();
        if let Some(before) = book.given.insert(name.to_owned(), given) {
            before.life.cancel();
        }
        if book.remove_logins(name)
            && let Err(error) = self.write(book.kept.values().map(|entry| &entry.token))
        {
            tracing::warn!("{error}");
        }
    }

    /// Whose token this is.
    pub fn bearer(&self, text: &str) -> Option<Bearer> {
        let book = self.book();
        if let Some((id, secret)) = split(text)
            && let Some(Entry { token, life, .. }) = book.kept.get(id)
            && fits(secret, &token.hash)
        {
            let Token { id, name, scopes, agent, policy, launch, browser, .. } = token.clone();
            let clients = launch.as_ref().is_some_and(|launch| launch.clients);
            let (session, server) = launch.map(|launch| (launch.session, launch.server)).unzip();
            let name = match (&browser, name.is_empty()) {
                (Some(_), _) => format!("{name} at the dashboard ({id})"),
                (None, true) => format!("token {id}"),
                (None, false) => format!("token {id} ({name})"),
            };
            let person = match &browser {
                Some(Browser { token, .. }) => token.as_deref().filter(|id| *id != HOME && *id != ENVIRONMENT),
                None => Some(id.as_str()),
            };
            let (person, life) = (person.unwrap_or(OWNER).into(), life.clone());
            return Some(Bearer {
                id: id.into(),
                name,
                scopes,
                agent,
                policy,
                session,
                clients,
                server: server.flatten(),
                browser,
                person,
                life,
            });
        }
        // All are compared, so that the time tells nothing of which.
        let mut found = None;
        for (name, given) in &book.given {
            if fits(text, &given.hash) {
                found = Some((name, given));
            }
        }
        let (name, given) = found?;
        Some(Bearer {
            id: name.as_str().into(),
            name: if name == HOME { "the home's token".to_owned() } else { format!("the token of {name}") },
            scopes: Scope::ALL.to_vec(),
            agent: None,
            policy: None,
            session: None,
            clients: false,
            server: None,
            browser: None,
            person: OWNER.into(),
            life: given.life.clone(),
        })
    }

    /// The session whose processes are below this one.
    pub fn session_of(&self, process: Process) -> Option<Session> {
        self.book().roots.get(&process).cloned()
    }

    /// Whether a session is only watched. All who opened one of that name must have wanted that.
    pub fn only_watches(&self, session: &str) -> bool {
        self.all_launches(session, |book| book.watched, Entry::only_watches)
    }

    /// Whether the processes of a session are confined, likewise.
    pub fn confines(&self, session: &str) -> bool {
        self.all_launches(session, |book| book.confined, Entry::is_confined)
    }

    /// Takes the word of whoever opened this bearer's session that its processes are confined from now on, or no longer. True
    /// when it is heard: that of an agent is not.
    pub fn confine(&self, bearer: &Bearer, confined: bool) -> bool {
        let mut book = self.book();
        let Book { kept, confined: count, .. } = &mut *book;
        let Some(entry) = kept.get_mut(&*bearer.id) else { return false };
        if !entry.token.launch.as_ref().is_some_and(|launch| launch.by_person && !launch.monitor) {
            return false;
        }
        *count -= usize::from(entry.is_confined());
        entry.confined = confined;
        *count += usize::from(entry.is_confined());
        true
    }

    /// Whether something holds of all who opened a session, of which there must be one. `some` says of how many sessions it does.
    fn all_launches(&self, session: &str, some: fn(&Book) -> usize, holds: fn(&Entry) -> bool) -> bool {
        let book = self.book();
        if some(&book) == 0 || session.is_empty() {
            return false;
        }
        let listener = listener_of(session);
        let is_of = |entry: &&Entry| {
            let is_of = |launch: &Launch| {
                launch.session == session || launch.clients && Some(launch.session.as_str()) == listener
            };
            entry.token.launch.as_ref().is_some_and(is_of)
        };
        let mut named = book.kept.values().filter(is_of).peekable();
        named.peek().is_some() && named.all(holds)
    }

    /// The process for which the session of this bearer was opened.
    pub fn opener(&self, bearer: &Bearer) -> Option<Process> {
        let book = self.book();
        book.kept.get(&*bearer.id)?.token.launch.as_ref().map(|launch| launch.process)
    }

    /// Whether a session is open whose processes are known by where they stand.
    pub fn knows_processes(&self) -> bool {
        !self.book().roots.is_empty()
    }

    /// Every token that is kept, oldest first. Launch credentials are among them.
    pub fn list(&self) -> Vec<Token> {
        let mut tokens: Vec<_> = self.book().kept.values().map(|entry| entry.token.clone()).collect();
        tokens.sort_by(|a, b| (a.created_ms, &a.id).cmp(&(b.created_ms, &b.id)));
        tokens
    }

    /// Names of the tokens that were given.
    pub fn given(&self) -> Vec<String> {
        self.book().given.keys().cloned().collect()
    }

    /// The token whose id begins so, or whose name is that.
    pub fn find(&self, word: &str) -> Result<Token, TokenError> {
        let book = self.book();
        let mut found = book.kept.values().map(|entry| &entry.token).filter(|token| {
            let named = token.launch.is_none() && token.browser.is_none();
            named && token.name == word || !word.is_empty() && token.id.starts_with(word)
        });
        match (found.next(), found.next()) {
            (Some(token), None) => Ok(token.clone()),
            (None, _) => Err(TokenError::Unknown(word.to_owned())),
            (Some(_), Some(_)) => Err(TokenError::Ambiguous(word.to_owned())),
        }
    }

    /// Keeps a new token and tells its text, which nobody can learn again.
    pub(crate) fn keep(&self, prepared: Prepared) -> Result<String, TokenError> {
        let Prepared { token, secret } = prepared;
        let mut book = self.book();
        // What was asked for with the old text ends with it.
        let goes = |other: &Token| {
            other.id == token.id || other.browser.as_ref().is_some_and(|b| b.token.as_ref() == Some(&token.id))
        };
        let stays = book.kept.values().map(|entry| &entry.token).filter(|other| !goes(other));
        let tokens = stays.chain([&token]);
        self.write(tokens)?;
        book.remove(&token.id);
        book.add(token, clock::wall_ms());
        self.changed.notify_one();
        Ok(secret.text())
    }

    /// What a new token will be. Nothing is kept yet.
    pub(crate) fn prepare(&self, wanted: Wanted) -> Result<Prepared, TokenError> {
        let Wanted { name, mut scopes, agent, policy, lasts, launch, browser } = wanted;
        scopes.retain(|scope| *scope != Scope::Open);
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            return Err(TokenError::Senseless("a token needs a scope: decide, approve or admin".to_owned()));
        }
        if scopes.contains(&Scope::Admin) && (agent.is_some() || policy.is_some()) {
            let text = "a token with the scope admin cannot be bound to an agent or a policy: it could unbind itself";
            return Err(TokenError::Senseless(text.to_owned()));
        }
        if policy.is_some() && scopes.contains(&Scope::Decide) {
            let text = "only a token that answers questions can be bound to a policy: give it the scope approve alone";
            return Err(TokenError::Senseless(text.to_owned()));
        }
        let plain = |text: &str| text.len() <= 100 && !text.chars().any(char::is_control);
        if ![Some(&name), agent.as_ref(), policy.as_ref()].into_iter().flatten().all(|text| plain(text)) {
            let text = "names have at most 100 bytes and no control characters";
            return Err(TokenError::Senseless(text.to_owned()));
        }
        let book = self.book();
        if launch.is_none()
            && browser.is_none()
            && !name.is_empty()
            && book.kept.values().any(|entry| entry.token.name == name)
        {
            return Err(TokenError::Senseless(format!("there is a token `{name}` already")));
        }
        if book.kept.len() >= MOST {
            return Err(TokenError::Senseless(format!("there are {MOST} tokens already: revoke some")));
        }
        let secret = Secret::draw().map_err(|source| TokenError::Unwritten { path: self.file.clone(), source })?;
        let created_ms = clock::wall_ms();
        let expires_ms = lasts.map(|lasts| created_ms.saturating_add(lasts.as_millis() as u64));
        let (id, hash) = (secret.id().to_owned(), secret.hash());
        let token = Token { id, name, scopes, agent, policy, created_ms, expires_ms, launch, browser, hash };
        Ok(Prepared { token, secret })
    }

    /// A token like this one with a new secret. Nothing is kept yet.
    pub(crate) fn prepare_again(&self, token: Token) -> Result<Prepared, TokenError> {
        if token.browser.is_some() {
            let text = "a login to the dashboard has no other text: revoke it, and log in again";
            return Err(TokenError::Senseless(text.to_owned()));
        }
        let drawn = Secret::redraw(&token.id);
        let secret = drawn.map_err(|source| TokenError::Unwritten { path: self.file.clone(), source })?;
        Ok(Prepared { token: Token { hash: secret.hash(), ..token }, secret })
    }

    /// Forgets a token, and ends what its bearers have open.
    pub(crate) fn forget(&self, id: &str) -> Result<(), TokenError> {
        let mut book = self.book();
        // First of all it is no longer taken: a full disk must not keep a stolen token alive.
        book.remove(id);
        self.write(book.kept.values().map(|entry| &entry.token))
    }

    /// Forgets what has ended. Gives how many milliseconds nothing more can end.
    fn sweep(&self) -> Option<u64> {
        let mut book = self.book();
        let (now, wall) = (clock::boot_ms(), clock::wall_ms());
        let ended = |Entry { token, ends, .. }: &Entry| {
            ends.is_some_and(|at| at <= now)
                || token.expires_ms.is_some_and(|at| at <= wall)
                || token.launch.as_ref().is_some_and(|launch| !launch.process.lives())
        };
        let over: Vec<_> = book.kept.iter().filter(|(_, entry)| ended(entry)).map(|(id, _)| id.clone()).collect();
        for id in &over {
            book.remove(id);
        }
        if !over.is_empty()
            && let Err(error) = self.write(book.kept.values().map(|entry| &entry.token))
        {
            // They are not taken any more, and a restart forgets them too.
            tracing::warn!("{error}");
        }
        let soonest = book.kept.values().filter_map(|entry| entry.ends).min().map(|at| at.saturating_sub(now));
        let round = book.kept.values().any(|entry| entry.token.launch.is_some()).then_some(ROUND.as_millis() as u64);
        [soonest, round].into_iter().flatten().min()
    }

    /// Forgets the credentials of the processes of a session.
    pub(crate) fn end_session(&self, session: &str) -> Result<(), TokenError> {
        let mut book = self.book();
        let is_of = |entry: &Entry| entry.token.launch.as_ref().is_some_and(|launch| launch.session == session);
        let over: Vec<_> = book.kept.iter().filter(|(_, entry)| is_of(entry)).map(|(id, _)| id.clone()).collect();
        if over.is_empty() {
            return Ok(());
        }
        for id in &over {
            book.remove(id);
        }
        self.write(book.kept.values().map(|entry| &entry.token))
    }

    fn write<'t>(&self, tokens: impl Iterator<Item = &'t Token>) -> Result<(), TokenError> {
        file::write(&self.file, tokens).map_err(|source| TokenError::Unwritten { path: self.file.clone(), source })
    }
}

/// Ends tokens when their time comes, as long as somebody holds them.
pub(crate) async fn watch(credentials: std::sync::Weak<Credentials>) {
    loop {
        let Some(held) = credentials.upgrade() else { return };
        // A clock that people can set may jump, so no sleep is long.
        let rest = Duration::from_millis(held.sweep().unwrap_or(u64::MAX)).min(Duration::from_mins(1));
        tokio::select! {
            () = held.changed.notified() => {}
            () = tokio::time::sleep(rest) => {}
        }
    }
}

/// A token that only lacks being kept.
pub(crate) struct Prepared {
    pub(crate) token: Token,
    secret: Secret,
}

impl Book {
    fn add(&mut self, token: Token, wall: u64) {
        let ends = token.expires_ms.map(|at| clock::boot_ms() + at.saturating_sub(wall));
        if let Some(launch) = token.launch.as_ref().filter(|launch| launch.below) {
            let agent = token.agent.clone().unwrap_or_default();
            self.roots.insert(launch.process, Session { name: launch.session.clone(), agent });
        }
        let entry = Entry { token, ends, life: CancellationToken::new(), confined: false };
        self.watched += usize::from(entry.only_watches());
        self.confined += usize::from(entry.is_confined());
        self.kept.insert(entry.token.id.clone(), entry);
    }

    fn remove(&mut self, id: &str) {
        let Some(entry) = self.kept.remove(id) else { return };
        self.watched -= usize::from(entry.only_watches());
        self.confined -= usize::from(entry.is_confined());
        let Entry { token, life, .. } = entry;
        if let Some(launch) = token.launch.filter(|launch| launch.below) {
            self.roots.remove(&launch.process);
        }
        life.cancel();
        self.remove_logins(id);
    }

    /// Forgets the logins that were asked for by a token. True when there were some.
    fn remove_logins(&mut self, token: &str) -> bool {
        let asked_by = |entry: &Entry| entry.token.browser.as_ref().is_some_and(|b| b.token.as_deref() == Some(token));
        let logins: Vec<Entry> = self.kept.extract_if(.., |_, entry| asked_by(entry)).map(|(_, entry)| entry).collect();
        for login in &logins {
            login.life.cancel();
        }
        !logins.is_empty()
    }
}

#[cfg(test)]
mod tests;
