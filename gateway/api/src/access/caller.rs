//! A caller as far as they are known, and what that lets them ask.

use std::sync::Arc;

use axum::extract::Request;
use http::{Method, StatusCode, header};
use rampart_call::Origin;
use rampart_gateway::{
    Question,
    credentials::{Bearer, OWNER, Scope},
    lineage::{self, Agents, Session, Standing},
};

use subtle::ConstantTimeEq as _;

use super::{Connection, Peer, cookie::PAGE_TOKEN, failures::Source, only};
use crate::{Api, error::Error, routes::dashboard};

/// A caller as far as they are known.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) peer: Peer,
    connection: Arc<Connection>,
    proof: Proof,
    /// What pages of ours send with a request, where the proof is a cookie.
    page_token: Option<Arc<str>>,
}

/// What the caller shows of who they are.
#[derive(Debug, Clone)]
enum Proof {
    /// Nothing, which on the socket leaves what the kernel says.
    None,
    /// Something that is no token.
    Wrong,
    Token(Arc<Bearer>),
}

impl Caller {
    pub(super) fn new(peer: Peer, connection: Arc<Connection>, shown: bool, bearer: Option<Arc<Bearer>>) -> Self {
        let proof = match bearer {
            Some(bearer) => Proof::Token(bearer),
            None if shown => Proof::Wrong,
            None => Proof::None,
        };
        Self { peer, connection, proof, page_token: None }
    }

    /// Who has a call decided on the socket, bearing this token or none; none where they may not, or not so.
    pub(crate) fn on_socket(peer: Peer, connection: &Arc<Connection>, token: Option<&str>, api: &Api) -> Option<Self> {
        let bearer = match token {
            Some(token) => Some(connection.bearer(token, api.gateway().credentials()).filter(|b| b.browser.is_none())?),
            None => None,
        };
        if let Some(bearer) = &bearer {
            connection.bears(bearer.life.clone());
        }
        let caller = Self::new(peer, Arc::clone(connection), token.is_some(), bearer);
        caller.require(Scope::Decide, true, api).ok().map(|()| caller)
    }

    /// Who it is, for the record.
    pub(crate) fn name(&self) -> String {
        match (&self.proof, self.peer) {
            (Proof::Token(bearer), Peer::Tcp) => bearer.name.clone(),
            (_, Peer::Tcp) => "nobody".to_owned(),
            (proof, Peer::Socket { pid, uid, .. }) => {
                let process = pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
                let token =
                    if let Proof::Token(bearer) = proof { format!(" with {}", bearer.name) } else { String::new() };
                format!("user {uid}{process}{token}")
            }
        }
    }

    /// The same, whose proof a browser sends with whatever it sends here.
    pub(super) fn on_a_page(self, page_token: Option<String>) -> Self {
        Self { page_token: page_token.map(Into::into), ..self }
    }

    /// What a page sends back so that it is known to be ours; none where the caller shows no cookie.
    pub(crate) fn page_token(&self) -> Option<&str> {
        self.page_token.as_deref()
    }

    /// Whether a form was filled in on a page that this caller was shown.
    pub(crate) fn was_shown(&self, token: &str) -> bool {
        self.page_token().is_some_and(|ours| ours.as_bytes().ct_eq(token.as_bytes()).into())
    }

    /// Refuses what a browser may have sent without its user's wish. Only a page of ours knows its token, and only a script
    /// of the same origin can send it in a header (Fetch standard, "CORS-safelisted request-header"). What answers forms
    /// looks for it in them.
    pub(super) fn meant(&self, request: &Request) -> Result<(), Error> {
        let method = request.method();
        let safe = matches!(*method, Method::GET | Method::HEAD);
        if self.page_token.is_none() || safe || request.uri().path().starts_with(dashboard::PREFIX) {
            return Ok(());
        }
        if !only(request.headers(), PAGE_TOKEN).is_some_and(|token| self.was_shown(token)) {
            let text = format!("a request by cookie that changes something bears the page's token as `{PAGE_TOKEN}`");
            return Err(Error::new(StatusCode::FORBIDDEN, "forged", text));
        }
        let kind = only(request.headers(), header::CONTENT_TYPE).unwrap_or_default();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
            let text = "a request by cookie says that it is JSON: `Content-Type: application/json`";
            return Err(Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", text));
        }
        Ok(())
    }

    /// Finds out what [`require`](Self::require) will want to know.
    pub(super) async fn look(&self, scope: Scope) {
        let Some(bearer) = self.bearer().filter(|_| self.peer == Peer::Tcp) else { return };
        if bearer.browser.is_some() || matches!(scope, Scope::Approve | Scope::Admin) {
            self.connection.look().await;
        }
    }

    /// The user of this machine at the other end of a TCP connection, unless an agent is there.
    ///
    /// # Errors
    /// When an agent is.
    pub(crate) async fn browses(&self, api: &Api) -> Result<Option<u32>, Error> {
        self.connection.look().await;
        self.refuse_agents(true, api)?;
        Ok(self.connection.user())
    }

    /// The user of this machine who asks, where the kernel tells.
    pub(crate) fn user(&self) -> Option<u32> {
        match self.peer {
            Peer::Socket { uid, .. } => Some(uid),
            Peer::Tcp => self.connection.user(),
        }
    }

    fn refuse_agents(&self, acts: bool, api: &Api) -> Result<(), Error> {
        let agents = self.connection.holders().iter().map(|pid| self.standing(Some(*pid), api));
        agents
            .filter(|standing| matches!(standing, Standing::Agent { .. }))
            .try_for_each(|agent| refuse_agent(agent, acts))
    }

    /// The token they bear.
    pub(crate) fn bearer(&self) -> Option<&Bearer> {
        match &self.proof {
            Proof::Token(bearer) => Some(bearer),
            Proof::None | Proof::Wrong => None,
        }
    }

    /// Refuses what the caller may not ask. Having calls decided, the one thing that must be quick, looks nothing up.
    pub(crate) fn require(&self, scope: Scope, acts: bool, api: &Api) -> Result<(), Error> {
        match (scope, &self.proof, self.peer) {
            (Scope::Open, ..) => return Ok(()),
            (_, Proof::Wrong, _) | (_, Proof::None, Peer::Tcp) => return Err(Error::unauthorized()),
            (_, Proof::Token(bearer), _) => {
                let reaches = |held: &Scope| *held == scope || *held == Scope::Admin;
                if !bearer.scopes.iter().any(reaches) {
                    let text = format!("this needs a token with the scope `{scope}`, which this one has not");
                    return Err(Error::new(StatusCode::FORBIDDEN, "forbidden", text));
                }
                let theirs = bearer.browser.as_ref().and_then(|browser| browser.user);
                if theirs.zip(self.connection.user()).is_some_and(|(theirs, user)| theirs != user) {
                    let text = "this cookie was given to another user's browser";
                    return Err(Error::new(StatusCode::FORBIDDEN, "other_user", text));
                }
            }
            (Scope::Approve | Scope::Admin, Proof::None, Peer::Socket { ours: false, .. }) => {
                let text = "this gateway serves the whole machine and is not yours: ask its administrator, or set \
                            RAMPART_TOKEN to a token with the scope for it";
                return Err(Error::new(StatusCode::FORBIDDEN, "other_user", text));
            }
            (_, Proof::None, Peer::Socket { .. }) => {}
        }
        match (scope, self.peer) {
            (Scope::Open | Scope::Decide, _) => Ok(()),
            // Its token says who it is, unless an agent holds the other end.
            (_, Peer::Tcp) => self.refuse_agents(acts, api),
            (_, Peer::Socket { pid, .. }) => self.require_person(pid, acts, api),
        }
    }

    /// A person's process stands below no agent; to change something without a token it also needs a terminal.
    fn require_person(&self, pid: Option<u32>, acts: bool, api: &Api) -> Result<(), Error> {
        let refuse = |code, text: String| Err(Error::new(StatusCode::FORBIDDEN, code, text));
        match self.standing(pid, api) {
            agent @ Standing::Agent { .. } => refuse_agent(agent, acts),
            Standing::Gone => refuse("unknown_process", "the kernel does not tell which process asks".to_owned()),
            Standing::Free { terminal: false } if acts && self.bearer().is_none() => refuse(
                "no_terminal",
                "no terminal belongs to this process, so nobody can be seen to mean it: do it in a terminal, or set \
                 RAMPART_TOKEN to a token with the scope for it"
                    .to_owned(),
            ),
            Standing::Free { .. } => Ok(()),
        }
    }

    /// What the process on the socket is.
    pub(crate) fn standing(&self, pid: Option<u32>, api: &Api) -> Standing {
        let session = |process| api.gateway().credentials().session_of(process);
        let agents = Agents { programs: &api.agents, session: &session };
        pid.map_or(Standing::Gone, |pid| lineage::standing(pid, self.connection.accepted, agents))
    }

    /// The same where it opens a session.
    pub(crate) fn opener(&self, pid: u32, api: &Api) -> Standing {
        let session = |process| api.gateway().credentials().session_of(process);
        let agents = Agents { programs: &api.agents, session: &session };
        lineage::opener(pid, self.connection.accepted, agents)
    }

    /// Who they are where people are told apart.
    pub(crate) fn person(&self) -> Option<String> {
        match (&self.proof, self.peer) {
            (Proof::Token(bearer), _) => Some(bearer.person.to_string()),
            (Proof::None, Peer::Socket { ours: true, .. }) => Some(OWNER.to_owned()),
            _ => None,
        }
    }

    /// Says whose call it is where the credential knows better than the caller claims.
    pub(crate) fn sign(&self, origin: &mut Origin, api: &Api) -> Result<(), Error> {
        origin.person = self.bearer().filter(|bearer| bearer.session.is_none()).map(|bearer| bearer.person.to_string());
        origin.server = self.bearer().and_then(|bearer| bearer.server.clone());
        origin.claimed = true;
        if let Peer::Socket { pid, uid, .. } = self.peer {
            (origin.pid, origin.uid) = (pid, Some(uid));
        }
        let Some(bearer @ Bearer { agent, session, .. }) = self.bearer() else {
            self.sign_by_process(origin, api);
            return Ok(());
        };
        if let Some(session) = session {
            if !bearer.serves(&origin.session) {
                origin.session.clone_from(session);
            }
            origin.claimed = false;
        }
        match agent {
            // The credential of a session stands for whatever runs in it.
            Some(agent) if session.is_some() || origin.agent.is_empty() => origin.agent.clone_from(agent),
            Some(agent) if *agent != origin.agent => {
                let text = format!("this token is for calls of the agent `{agent}` only");
                return Err(Error::new(StatusCode::FORBIDDEN, "other_agent", text));
            }
            _ => {}
        }
        Ok(())
    }

    /// Whoever shows nothing may still stand below the process that a session was opened for. The kernel is asked once a
    /// connection, and only as long as there is such a session.
    fn sign_by_process(&self, origin: &mut Origin, api: &Api) {
        let Peer::Socket { pid: Some(pid), .. } = self.peer else { return };
        let credentials = api.gateway().credentials();
        if !credentials.knows_processes() {
            return;
        }
        if let Some(Session { name, agent }) = self.connection.session(pid, credentials) {
            origin.session.clone_from(name);
            if !agent.is_empty() {
                origin.agent.clone_from(agent);
            }
            origin.claimed = false;
        }
    }

    /// Refuses to let a token that is bound to an agent or a policy answer questions of others.
    pub(crate) fn covers(&self, question: &Question) -> Result<(), Error> {
        let Some(Bearer { agent, policy, .. }) = self.bearer() else { return Ok(()) };
        let asked_by = question.judgement.rule.as_ref().map(|rule| rule.policy.as_str());
        let refuse = |what: &str, name: &str| {
            let text = format!("this token answers questions of the {what} `{name}` only");
            Err(Error::new(StatusCode::FORBIDDEN, "other_question", text))
        };
        match (agent, policy) {
            (Some(agent), _) if *agent != question.call.origin.agent => refuse("agent", agent),
            (_, Some(policy)) if Some(policy.as_str()) != asked_by => refuse("policy", policy),
            _ => Ok(()),
        }
    }

    /// Whose failure a refusal is: one that shows no token at all has only forgotten it.
    pub(super) fn at_fault(&self, refused: &Error) -> Option<Source> {
        if refused.status == StatusCode::UNAUTHORIZED && matches!(self.proof, Proof::None) {
            return None;
        }
        Some(match self.peer {
            Peer::Socket { uid, .. } => Source::User(uid),
            Peer::Tcp => Source::of(self.connection.from().unwrap_or(std::net::Ipv4Addr::LOCALHOST.into())),
        })
    }
}

fn refuse_agent(standing: Standing, acts: bool) -> Result<(), Error> {
    let Standing::Agent { pid, what, .. } = standing else { return Ok(()) };
    let why = if acts {
        "what an agent may do is decided by people: do it in a terminal of your own"
    } else {
        "what is in force, asked and recorded is told to people: look in a terminal of your own"
    };
    let text = format!("this comes from a session of `{what}` (process {pid}), and {why}");
    Err(Error::new(StatusCode::FORBIDDEN, "agent", text))
}
