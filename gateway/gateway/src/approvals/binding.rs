//! What an answer is bound to: who asks, in which session, and everything that would be done.

use rampart_call::{Call, Origin};
use sha2::{Digest, Sha256};

/// SHA-256 of a call, in hex. Two calls have the same one only if the same credential of the same session asks, on the
/// same road and from the same place, for the same action with the same operands, resolved to the same things.
///
/// What tells two attempts at one call apart does not count: the process that puts the question, the host's own number
/// of the call, and the trace that it is part of.
pub(super) fn payload(call: &Call) -> String {
    let Call { origin, phase, action, response } = call;
    let origin = Origin { pid: None, run: None, can_ask: false, trace: None, ..origin.clone() };
    let text = serde_json::to_vec(&("rampart/approval/v1", origin, phase, action, response)).unwrap_or_default();
    hex::encode(Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use rampart_call::{Action, CommandLine, Located, Phase};

    use super::*;

    fn exec(command: &str, cwd: &str) -> Action {
        Action::Exec { command: CommandLine::Command(command.into()), cwd: Some(cwd.into()) }
    }

    fn write(path: &str, resolved: &str, content: &str) -> Action {
        let located = Located { path: path.into(), resolved: Some(resolved.into()) };
        Action::Write { paths: vec![located], content: Some(content.into()) }
    }

    fn call(action: Action) -> Call {
        let origin = Origin {
            agent: "a".into(),
            session: "s".into(),
            uid: Some(1),
            pid: Some(7),
            run: Some("1".into()),
            ..Origin::default()
        };
        Call { origin, phase: Phase::Before, action, response: None }
    }

    #[test]
    fn whatever_is_changed_after_the_answer_makes_it_another_question() {
        let asked = payload(&call(exec("deploy app", "/p")));
        for (what, other) in [
            ("argument", exec("deploy other", "/p")),
            ("environment", exec("TARGET=x deploy app", "/p")),
            ("working directory", exec("deploy app", "/q")),
            ("form", Action::Exec { command: CommandLine::Argv(vec!["deploy app".into()]), cwd: Some("/p".into()) }),
        ] {
            assert_ne!(payload(&call(other)), asked, "{what}");
        }
        let asked = payload(&call(write("x", "/p/x", "text")));
        assert_ne!(payload(&call(write("x", "/etc/x", "text"))), asked, "link");
        assert_ne!(payload(&call(write("x", "/p/x", "other"))), asked, "content");
        assert_ne!(payload(&call(write("y", "/p/x", "text"))), asked, "name");
    }

    #[test]
    fn whoever_asks_counts_and_how_often_does_not() {
        let asked = call(exec("deploy", "/p"));
        let with = |change: fn(&mut Origin)| {
            let mut other = asked.clone();
            change(&mut other.origin);
            payload(&other)
        };
        for (what, other) in [
            ("agent", with(|o| o.agent = "b".into())),
            ("session", with(|o| o.session = "t".into())),
            ("user", with(|o| o.uid = Some(2))),
            ("road", with(|o| o.surface = rampart_call::Surface::Hook)),
            ("project", with(|o| o.workspace = Some("/w".into()))),
            ("home", with(|o| o.home = Some("/h".into()))),
            ("depth", with(|o| o.depth = 1)),
            ("server", with(|o| o.server = Some("docs".into()))),
        ] {
            assert_ne!(other, payload(&asked), "{what}");
        }
        assert_eq!(with(|o| o.pid = Some(8)), payload(&asked));
        assert_eq!(with(|o| o.run = Some("2".into())), payload(&asked));
    }
}
