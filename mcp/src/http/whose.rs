//! Whose session of the gateway a message belongs to: what one client has seen and done is nothing to another.

use std::{ffi::OsString, sync::Arc};

use futures_util::future::BoxFuture;
use http::StatusCode;
use rampart_call::client_session;

use super::Failed;
use crate::message;

/// The environment of a server's process, and why there is none.
pub type Opening = BoxFuture<'static, Result<Vec<(OsString, OsString)>, String>>;

/// The sessions that clients have of their own, below the one of the listener.
pub trait Clients: Send + Sync {
    /// Opens the session of a client for whom this server is started; gives the variables by which what the process does by
    /// itself is known to be of that session.
    fn open(&self, session: String, server: &str) -> Opening;

    /// Nobody is in this session any more.
    fn end(&self, session: String);
}

/// Who sends a request, as far as the listener itself knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Caller {
    /// Which of the listener's tokens was shown.
    pub(super) token: Option<usize>,
    /// The stream of a client of HTTP+SSE that it belongs to.
    pub(super) stream: Option<u64>,
}

/// Whose session it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// That of all who come to the listener.
    Listener,
    /// That of whoever shows this token.
    Token(usize),
    /// That of one client, as long as it is there.
    Client(u64),
}

/// The sessions of one listener.
#[derive(Clone)]
pub(super) struct Names {
    listener: String,
    /// None where all clients share the listener's session.
    clients: Option<Arc<dyn Clients>>,
}

impl Names {
    pub(super) fn new(listener: String, clients: Option<Arc<dyn Clients>>) -> Self {
        Self { listener, clients }
    }

    /// Where a client is that begins a session of its own.
    pub(super) fn beginning(&self, caller: Caller) -> Result<Whose, Failed> {
        match (&self.clients, caller.stream) {
            (None, _) => Ok(Whose::Listener),
            (Some(_), Some(stream)) => Ok(Whose::Client(stream)),
            (Some(_), None) => drawn().map(Whose::Client),
        }
    }

    /// Where a client is whose requests belong to no session.
    pub(super) fn stateless(&self, caller: Caller) -> Whose {
        match (&self.clients, caller) {
            (None, _) => Whose::Listener,
            (Some(_), Caller { stream: Some(stream), .. }) => Whose::Client(stream),
            (Some(_), Caller { token: Some(token), .. }) => Whose::Token(token),
            (Some(_), _) => Whose::Listener,
        }
    }

    /// The session's name.
    pub(super) fn of(&self, whose: Whose) -> String {
        match whose {
            Whose::Listener => self.listener.clone(),
            Whose::Token(number) => client_session(&self.listener, &format!("token-{}", number + 1)),
            Whose::Client(drawn) => client_session(&self.listener, &format!("{drawn:016x}")),
        }
    }

    /// What is set for the process of a server; nothing where it has the listener's session.
    pub(super) async fn open(&self, whose: Whose, server: &str) -> Result<Vec<(OsString, OsString)>, String> {
        match &self.clients {
            Some(clients) if whose != Whose::Listener => clients.open(self.of(whose), server).await,
            _ => Ok(Vec::new()),
        }
    }

    /// A client has left. Whoever shows a token may come again.
    pub(super) fn end(&self, whose: Whose) {
        if let (Some(clients), Whose::Client(_)) = (&self.clients, whose) {
            clients.end(self.of(whose));
        }
    }
}

/// A name that no other client has.
pub(super) fn drawn() -> Result<u64, Failed> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map(|()| u64::from_le_bytes(random)).map_err(|error| {
        let why = format!("the system gives no random numbers: {error}");
        Failed::new(StatusCode::INTERNAL_SERVER_ERROR, None, message::INTERNAL_ERROR, &why)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Clients for Nobody {
        fn open(&self, _: String, _: &str) -> Opening {
            Box::pin(std::future::ready(Err("nobody".to_owned())))
        }

        fn end(&self, _: String) {}
    }

    #[test]
    fn clients_are_apart_where_they_can_be_told_apart() {
        let own = Names::new("l".into(), Some(Arc::new(Nobody)));
        let shared = Names::new("l".into(), None);
        let caller = |token, stream| Caller { token, stream };
        for (who, stateless, beginning) in [
            (caller(None, None), "l", None),
            (caller(Some(0), None), "l~token-1", None),
            (caller(Some(0), Some(10)), "l~000000000000000a", Some("l~000000000000000a")),
        ] {
            assert_eq!(own.of(own.stateless(who)), stateless, "{who:?}");
            let begins = || own.of(own.beginning(who).ok().unwrap());
            let (first, second) = (begins(), begins());
            match beginning {
                Some(beginning) => assert_eq!(first, beginning, "{who:?}"),
                None => assert!(first != second && first.starts_with("l~"), "{first} {second}"),
            }
            assert_eq!(shared.of(shared.stateless(who)), "l", "{who:?}");
            assert_eq!(shared.of(shared.beginning(who).ok().unwrap()), "l", "{who:?}");
        }
    }
}
