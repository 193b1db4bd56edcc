//! The first line of a profile that Rampart wrote: its version and the hash of what follows, so that an edited file is
//! never overwritten.

use sha2::{Digest as _, Sha256};

const MARK: &str = "# Written by rampart ";

/// The text with its first line.
pub(crate) fn stamp(text: &str) -> String {
    stamp_from(text, "")
}

/// The text with its first line, which also says where it comes from.
pub(crate) fn stamp_from(text: &str, origin: &str) -> String {
    let origin = if origin.is_empty() { String::new() } else { format!("; {}", rampart_scan::visible(origin)) };
    let (version, hash) = (env!("CARGO_PKG_VERSION"), hash(text));
    format!("{MARK}{version} sha256:{hash}{origin}; put rules of your own into custom.yaml\n{text}")
}

/// Whether the file is as it was written.
pub(crate) fn unedited(text: &str) -> bool {
    let Some((first, rest)) = text.split_once('\n') else { return false };
    first.strip_prefix(MARK).is_some_and(|mark| mark.contains(&format!(" sha256:{};", hash(rest))))
}

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_shows() {
        let text = stamp("version: \"1\"\n");
        assert!(unedited(&text));
        assert!(!unedited(&format!("{text}# mine\n")));
        assert!(!unedited(&text.replacen("# Written", "# written", 1)));
        assert!(!unedited("version: \"1\"\n"));
    }
}
