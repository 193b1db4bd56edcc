//! The other end of the gateway's socket: ask for a verdict, and for what the command line shows.
//!
//! Not here: any judgement of its own. A client that cannot reach its gateway refuses; it never decides.

mod again;
pub mod blocking;
mod doors;
mod events;
mod exchange;
mod fault;
#[cfg(feature = "async")]
mod pool;
#[cfg(feature = "async")]
mod question;
mod socket;
pub mod start;
#[cfg(feature = "async")]
mod stream;
pub mod system;
mod unanswered;
pub mod wire;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

pub use doors::{MOST_DOORS, hand_in};
pub use events::{Event, Events};
pub use fault::Fault;
#[cfg(feature = "async")]
pub use pool::Client;
use rampart_call::Standing;
#[cfg(feature = "async")]
pub use stream::Stream;
use system::Trusted;
pub use unanswered::Unanswered;

/// Where the gateway of a home listens.
pub fn socket(home: &Path) -> PathBuf {
    home.join("run").join("gateway.sock")
}

/// How a client behaves.
#[derive(Clone)]
pub struct Settings {
    /// The gateway's socket; see [`socket`].
    pub socket: PathBuf,
    /// How long the gateway may show no sign of life. While it holds a question it sends one twice a second, so this
    /// tells a gateway that waits for a human from one that hangs.
    pub silence: Duration,
    /// How long one answer may take in all, held questions included. A hook sets less than its host allows it.
    pub patience: Duration,
    /// What to answer when the gateway does not.
    pub unanswered: Unanswered,
    /// The token to bear; visible ASCII.
    pub token: Option<String>,
    /// Who may listen there.
    pub trusted: Trusted,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { socket, silence, patience, unanswered, token, trusted } = self;
        let mut shown = f.debug_struct("Settings");
        shown.field("socket", socket).field("silence", silence).field("patience", patience);
        shown
            .field("unanswered", unanswered)
            .field("trusted", trusted)
            .field("token", &token.as_ref().map(|_| "..."))
            .finish()
    }
}

impl Settings {
    /// Refuses after 1.5 s without a sign of life, and waits up to an hour for a human.
    pub fn new(socket: PathBuf) -> Self {
        Self {
            socket,
            silence: Standing::DEADLINE,
            patience: Duration::from_hours(1),
            unanswered: Unanswered::Refuse,
            token: None,
            trusted: Trusted::Own,
        }
    }

    /// The same for the gateway that the surfaces of a home ask: the machine's, where there is one, else the home's, which
    /// says how long they wait for a sign of life.
    pub fn of(home: &Path) -> Self {
        match system::find() {
            Ok(None) => Self {
                silence: unanswered::deadline(home),
                unanswered: Unanswered::AsTold(home.to_owned()),
                ..Self::new(socket(home))
            },
            Ok(Some((socket, uid))) => Self { trusted: Trusted::User(uid), ..Self::new(socket) },
            Err(why) => Self { trusted: Trusted::Nobody(why), ..Self::new(system::FILE.into()) },
        }
    }

    /// Whether they lead to the machine's gateway, which nobody but its administrator starts.
    pub fn is_of_the_machine(&self) -> bool {
        self.trusted != Trusted::Own
    }

    /// The header that bears the token. A token that no header can carry is left out, and so not taken for another.
    pub(crate) fn authorization(&self) -> String {
        let token = self.token.as_ref().filter(|token| token.bytes().all(|b| b.is_ascii_graphic()));
        token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    /// Whether we are root, who alone can make files of others; says by name which test is skipped where we are not. Not by
    /// `eprintln!`, which a test that passes keeps to itself.
    #[expect(clippy::disallowed_methods, reason = "the tests of a crate read the environment of the tests")]
    pub(crate) fn is_root(test: &str) -> bool {
        let is_root = rustix::process::geteuid().is_root();
        if !is_root {
            assert!(std::env::var_os("CI").is_none(), "{test} needs root, and in CI nothing is skipped");
            let _ = writeln!(std::io::stderr(), "skipped: {test} needs root");
        }
        is_root
    }
}
