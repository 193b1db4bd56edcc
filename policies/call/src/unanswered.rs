//! What holds while no gateway answers: what it said beforehand that its surfaces shall do, and what they write down of a
//! call that goes on without it. The gateway and its client both know these words, and neither knows the other.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Call, Phase, Surface, strict};

/// What a gateway says at its start about calls that get no answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// `enforce`, `monitor` or `disabled`.
    pub mode: String,
    /// Surfaces that let a call go on although decisions are enforced.
    pub fail_open: Vec<Surface>,
    /// How many milliseconds a surface waits for a sign of life; as long as usual where nothing is said.
    #[serde(default)]
    pub deadline_ms: Option<u64>,
}

impl Standing {
    /// Where it stands below Rampart's home.
    pub const FILE: &str = "run/surfaces.json";
    /// How long a surface waits for a sign of life unless it is told otherwise: it shall refuse within two seconds.
    pub const DEADLINE: Duration = Duration::from_millis(1500);

    /// How long a surface waits for a sign of life.
    pub fn deadline(&self) -> Duration {
        self.deadline_ms.map_or(Self::DEADLINE, Duration::from_millis)
    }

    /// Whether no decision is enforced, so that none holds a call up either.
    pub fn only_watches(&self) -> bool {
        matches!(self.mode.as_str(), "monitor" | "disabled")
    }
}

/// A call that went on without a decision, as its surface wrote it down: one line of JSON. It says nothing of what the
/// call would do, because nobody has looked for secrets in that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lost {
    /// When, in milliseconds since 1970 UTC.
    pub at_ms: u64,
    /// The road's entrance.
    pub surface: Surface,
    /// The agent's name, where that is a plain one.
    pub agent: String,
    /// One run of it, likewise.
    pub session: String,
    /// The action's word, likewise.
    pub tool: String,
    /// Before it happened or after.
    pub phase: Phase,
    /// Why there was no answer, one of [`Lost::WHY`].
    pub why: String,
}

impl Lost {
    /// Where they stand below Rampart's home, until its gateway takes them into the audit trail.
    pub const FILE: &str = "state/lost.jsonl";
    /// Bytes after which no more are added.
    pub const FILE_BYTES: u64 = 256 << 10;
    /// Longest line, in bytes.
    pub const LINE_BYTES: usize = 1024;
    /// Why there can be no answer: nobody listens, or shows a sign of life; the gateway went away, or did so while a human
    /// was asked; the surface's own time was over; the gateway could not do its work.
    pub const WHY: [&str; 6] = ["unreachable", "silent", "hung_up", "left", "out_of_time", "refused"];

    /// What is written down of a call.
    pub fn of(call: &Call, why: &str, at_ms: u64) -> Self {
        Self {
            at_ms,
            surface: call.origin.surface,
            agent: plain(&call.origin.agent),
            session: plain(&call.origin.session),
            tool: plain(call.action.tool()),
            phase: call.phase,
            why: why.to_owned(),
        }
    }

    /// Reads a line, without its end. None when no surface writes such a line.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let lost: Self = strict::from_slice(line).ok().filter(|_| line.len() < Self::LINE_BYTES)?;
        let names = [&lost.agent, &lost.session, &lost.tool];
        (names.into_iter().all(|name| plain(name) == *name) && Self::WHY.contains(&lost.why.as_str())).then_some(lost)
    }
}

/// A name that cannot be a secret by its form, being a UUID or short and all in lower case; `?` in place of any other.
fn plain(name: &str) -> String {
    let is_word = name.len() <= 20 && name.bytes().all(|b| b.is_ascii_lowercase() || b"-_. ".contains(&b));
    let is_uuid = name.len() == 36
        && name.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        });
    if is_word || is_uuid || name == "?" { name.to_owned() } else { "?".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Action, CommandLine, Origin};

    #[test]
    fn what_is_written_down_holds_no_name_that_could_be_a_secret() {
        for (name, kept) in [
            ("claude-code", "claude-code"),
            ("", ""),
            ("0199c3a4-7d1e-7c3b-9a55-0242ac120002", "0199c3a4-7d1e-7c3b-9a55-0242ac120002"),
            ("AKIAIOSFODNN7EXAMPLE", "?"),
            ("hunter2", "?"),
            ("ghp_aaaabbbbccccddddeeeeffffgggghhhhiiii", "?"),
            ("a-name-that-is-quite-long", "?"),
            ("0199c3a4-7d1e-7c3b-9a55-0242ac12000 ", "?"),
        ] {
            let action = Action::Exec { command: CommandLine::Command("mysql -psecret".into()), cwd: None };
            let origin = Origin { agent: name.into(), session: name.into(), ..Origin::default() };
            let call = Call { origin, phase: Phase::Before, action, response: None };
            let lost = Lost::of(&call, "silent", 7);
            assert_eq!((lost.agent.as_str(), lost.session.as_str(), lost.tool.as_str()), (kept, kept, "exec"));
            let line = serde_json::to_string(&lost).unwrap();
            assert!(!line.contains("mysql") && line.len() < Lost::LINE_BYTES, "{line}");
            assert_eq!(Lost::parse(line.as_bytes()), Some(lost));
        }
    }

    #[test]
    fn a_line_that_no_surface_writes_is_none() {
        let line =
            r#"{"at_ms":1,"surface":"hook","agent":"a","session":"s","tool":"exec","phase":"before","why":"silent"}"#;
        assert!(Lost::parse(line.as_bytes()).is_some());
        let long = " ".repeat(Lost::LINE_BYTES);
        for (from, to) in [
            ("\"a\"", "\"AKIAIOSFODNN7EXAMPLE\""),
            ("silent", "because"),
            ("\"at_ms\":1", "\"at_ms\":1,\"at_ms\":1"),
            ("\"at_ms\":1", "\"at_ms\":1,\"seq\":1"),
            ("\"at_ms\":1", "\"at_ms\":-1"),
            ("hook", "hooks"),
            ("}", ""),
            ("}", &format!("{long}}}")),
        ] {
            assert_eq!(Lost::parse(line.replacen(from, to, 1).as_bytes()), None, "{from} {to}");
        }
    }

    #[test]
    fn only_the_modes_that_hold_nothing_up_let_everything_pass() {
        for (mode, passes) in
            [("monitor", true), ("disabled", true), ("enforce", false), ("Monitor", false), ("", false)]
        {
            assert_eq!(
                Standing { mode: mode.into(), fail_open: vec![Surface::Hook], ..Standing::default() }.only_watches(),
                passes,
                "{mode}"
            );
        }
    }
}
