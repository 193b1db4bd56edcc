//! Links that answer one question. Elsewhere no secret stands in a URL; here one does, on purpose, because a person who
//! reads a notice on a telephone has no token to send. What makes that bearable:
//!
//! - The signature is no credential: it opens one question of one call, says yes or no to it once, and is worth nothing
//!   when the question is answered, withdrawn or expired, two minutes after it was asked. It is bound to what was
//!   asked (the payload's hash) and to the time it ends, so it cannot be carried to another question.
//! - Looking is not answering: GET and HEAD change nothing, so previews and mail scanners may follow the link. The answer
//!   is a POST with a second token that only the page holds, and that the link does not show.
//! - The link goes only where the installation's own configuration sends notices. It is in no log, no record and no
//!   answer to an agent, pages loaded through it send no referrer to others, and over a network it is HTTPS.

use std::{io, path::Path};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::home::key_of_installation;

/// Makes and checks links.
#[derive(Clone)]
pub(crate) struct Links {
    key: [u8; 32],
}

impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Links")
    }
}

/// What a link is about. `expires_ms` is the end that people are told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'q> {
    pub(crate) id: &'q str,
    pub(crate) payload: &'q str,
    pub(crate) expires_ms: u64,
}

/// What a signature is for. Each kind is worthless as the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To look at the question.
    Look,
    /// To answer it from the page.
    Answer,
}

impl Links {
    /// Reads the installation's key, or makes one.
    ///
    /// # Errors
    /// When the file is open to others, or cannot be read or made.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { key: key_of_installation(path)? })
    }

    /// The path of the link, behind the base URL.
    pub(crate) fn path(&self, about: About<'_>) -> String {
        format!("/approvals/{}/{}/{}", about.id, about.expires_ms, self.sign(Purpose::Look, about))
    }

    /// HMAC-SHA-256 (RFC 2104) over purpose, id, payload and end, in hex.
    pub(crate) fn sign(&self, purpose: Purpose, about: About<'_>) -> String {
        hex::encode(self.mac(purpose, about).finalize().into_bytes())
    }

    /// Whether a signature is ours, in the same time whatever is wrong with it.
    pub(crate) fn is_ours(&self, purpose: Purpose, about: About<'_>, signature: &str) -> bool {
        hex::decode(signature).is_ok_and(|bytes| self.mac(purpose, about).verify_slice(&bytes).is_ok())
    }

    fn mac(&self, purpose: Purpose, About { id, payload, expires_ms }: About<'_>) -> Hmac<Sha256> {
        let purpose = match purpose {
            Purpose::Look => "look",
            Purpose::Answer => "answer",
        };
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key");
        mac.update(format!("rampart/approval-link/v1\n{purpose}\n{id}\n{payload}\n{expires_ms}\n").as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: About<'_> = About { id: "0123456789ab", payload: "p", expires_ms: 7 };

    #[test]
    fn a_signature_is_for_one_question_and_one_purpose() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("links.key");
        let links = Links::open(&path).unwrap();
        let signature = links.sign(Purpose::Look, ABOUT);
        assert!(Links::open(&path).unwrap().is_ours(Purpose::Look, ABOUT, &signature), "after a restart too");
        assert!(links.path(ABOUT).ends_with(&signature));
        for (what, purpose, about, text) in [
            ("purpose", Purpose::Answer, ABOUT, signature.as_str()),
            ("id", Purpose::Look, About { id: "0123456789ac", ..ABOUT }, &signature),
            ("payload", Purpose::Look, About { payload: "q", ..ABOUT }, &signature),
            ("end", Purpose::Look, About { expires_ms: 8, ..ABOUT }, &signature),
            ("length", Purpose::Look, ABOUT, &signature[..62]),
            ("nothing", Purpose::Look, ABOUT, ""),
            ("no hex", Purpose::Look, ABOUT, "zz"),
        ] {
            assert!(!links.is_ours(purpose, about, text), "{what}");
        }
        let other = Links::open(&dir.path().join("other.key")).unwrap();
        assert!(!other.is_ours(Purpose::Look, ABOUT, &signature));
    }

    #[test]
    fn a_key_that_others_can_read_is_no_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("links.key");
        Links::open(&path).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        assert!(Links::open(&path).unwrap_err().to_string().contains("chmod"));
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::write(&path, "short").unwrap();
        assert!(Links::open(&path).unwrap_err().to_string().contains("32 bytes"));
    }
}
