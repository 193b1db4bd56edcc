//! What is changed between judging and starting.

use std::sync::{Mutex, PoisonError};

use rampart_call::{Gate, Judging};

use super::*;

/// The same gate, which notes what the supervisor refused by itself.
#[derive(Default)]
struct Noting(Mutex<Vec<Call>>);

impl Gate for Noting {
    fn judge(&self, call: Call) -> Judging<'_> {
        let verdict = gate(call);
        Box::pin(std::future::ready(verdict))
    }

    fn refused(&self, call: Call, refusal: Refusal) -> Judging<'_> {
        assert_eq!(refusal.judgement.reason, Reason::ExecUnverified);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        Box::pin(std::future::ready(Verdict::Deny(refusal)))
    }
}

/// How many of 200 attempts started what is forbidden, and how many were found out at the end of their exec.
fn race(kind: &str, verified: bool) -> (usize, usize) {
    let folder = Folder::new();
    let program = folder.compile(include_str!("race.c"), &["-pthread"]);
    let mut command = Command::new(program);
    command.arg(kind);
    let gate = Noting::default();
    let supervision = Supervision { verified, ..Supervision::new(&gate, Origin::default()) };
    let (status, _, err) = folder.run(command, supervision);
    assert!(status.success(), "{status} {err}");
    let lost = err.lines().find_map(|line| line.strip_prefix("lost ")).unwrap().parse().unwrap();
    let found = gate.0.into_inner().unwrap();
    (lost, found.len())
}

#[test]
fn no_race_is_won_that_a_naive_supervisor_loses() {
    for kind in ["argv", "path", "shared", "link"] {
        let (naive, _) = race(kind, false);
        let (lost, found) = race(kind, true);
        eprintln!("{kind}: naive {naive}, verified {lost}, found out {found}");
        assert_eq!(lost, 0, "{kind}: of 200");
        assert!(naive > 0, "{kind}: the race is none, if a supervisor that does not verify wins it too");
        assert!(found > 0, "{kind}: nothing had to be found out");
    }
}
