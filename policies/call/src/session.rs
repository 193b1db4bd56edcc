//! Names of sessions. A listener that serves many clients has a session, and each of its clients one below it.

/// What stands between the name of a listener's session and a client's own. No session has it in its name that anybody
/// may choose.
const BELOW: char = '~';

/// The longest name of a client, in bytes.
const LONGEST: usize = 40;

/// The session of a client of the listener whose session this is.
pub fn client_session(listener: &str, client: &str) -> String {
    format!("{listener}{BELOW}{client}")
}

/// The session of the listener whose client's session this is; none where it is no client's.
pub fn listener_of(session: &str) -> Option<&str> {
    let (listener, client) = session.split_once(BELOW)?;
    let plain = client.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (plain && !client.is_empty() && client.len() <= LONGEST).then_some(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_session_is_told_from_any_other() {
        assert_eq!(listener_of(&client_session("s-1", "0a")), Some("s-1"));
        let long = client_session("s", &"x".repeat(LONGEST + 1));
        for other in ["s-1", "", "s~", "s~a~b", "s~a/b", "s~\n", &long] {
            assert_eq!(listener_of(other), None, "{other:?}");
        }
    }
}
