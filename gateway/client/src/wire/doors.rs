//! The doors of a session that has no other way out, as they are handed to the gateway: one message with as many descriptors.

use serde::{Deserialize, Serialize};

/// What comes with the descriptors.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandIn {
    /// The credential of the session.
    pub credential: String,
    /// What each descriptor is.
    pub doors: Vec<Door>,
    /// As long as they are served, its processes are in a jail and whatever they start is judged. An agent that says so is not heard.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confined: bool,
}

/// One way out of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Door {
    /// A listener for connections that the kernel redirected.
    Redirected,
    /// A listener for clients that know that they talk to a proxy.
    Known,
    /// A UDP socket for questions for names. The next one is the listener for such questions over TCP.
    Questions,
    /// A listener for questions over TCP.
    LongQuestions,
    /// A listener at a port that leads to the same port of the host's loopback.
    Host,
}

/// What the gateway says to it, in one line, before it serves them. It does so as long as the connection stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HandedIn {
    /// They are served.
    Served,
    /// They are not: a stable code, and the reason.
    Refused {
        /// Stable code.
        code: String,
        /// Why.
        message: String,
    },
}
