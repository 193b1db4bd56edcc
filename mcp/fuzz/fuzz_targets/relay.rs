//! A session in which nothing is denied: each side gets lines of the other's, each at most once, or an error. Lines begin
//! with the side that they come from and with how many verdicts come after them, and which first.

#![no_main]

use std::collections::HashMap;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rampart_call::{Answer, Judgement, Origin, Outcome, Reason, answer_to_verdict};
use rampart_mcp::relay::{Effect, Input, Limits, Relay, Side, Ticket};
use serde_json::Value;

fn allowed() -> Answer {
    Answer { verdict: Outcome::Allow, judgement: Judgement::allowed(Reason::Default), seq: None }
}

struct Session {
    relay: Relay,
    asked: Vec<Ticket>,
    /// Lines that came from each side and went nowhere yet.
    came: [HashMap<Bytes, usize>; 2],
}

impl Session {
    fn step(&mut self, input: Input) {
        for effect in self.relay.step(input) {
            match effect {
                Effect::Judge(ticket, _) | Effect::Refuse(ticket, _) => self.asked.push(ticket),
                Effect::Abandon(ticket) => self.asked.retain(|asked| *asked != ticket),
                Effect::Send(to, line) => {
                    let from = usize::from(to == Side::Client);
                    if let Some(left) = self.came[from].get_mut(&line).filter(|left| **left > 0) {
                        *left -= 1;
                        continue;
                    }
                    let own: Value = serde_json::from_slice(&line).expect("a line of our own is JSON");
                    let told = own.get("error").is_some() || own["result"]["isError"] == true;
                    let sign = own["method"] == "notifications/progress";
                    assert!(told || sign, "made up: {own}");
                }
                _ => {}
            }
        }
    }

    fn decide(&mut self, which: usize) {
        if !self.asked.is_empty() {
            let ticket = self.asked.swap_remove(which % self.asked.len());
            self.step(Input::Verdict(ticket, answer_to_verdict(allowed())));
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let relay = Relay::new("s".into(), Origin::default(), Limits { outstanding: 8, outstanding_bytes: 1 << 16 });
    let mut session = Session { relay, asked: Vec::new(), came: Default::default() };
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        let Some(([how, which], line)) = line.split_first_chunk::<2>() else { continue };
        let (side, at) = if how & 1 == 0 { (Side::Client, 0) } else { (Side::Server, 1) };
        let line = Bytes::copy_from_slice(line);
        *session.came[at].entry(line.clone()).or_default() += 1;
        session.step(match how >> 4 {
            14 => Input::Tick,
            15 => Input::Unread(side, None, "too long".into()),
            _ => Input::Line(side, line),
        });
        for _ in 0..(how >> 1) & 7 {
            session.decide(usize::from(*which));
        }
    }
    session.step(Input::ClientEof);
    session.step(Input::ServerGone("it ended".into()));
    while !session.asked.is_empty() {
        session.decide(0);
    }
    assert!(session.relay.is_idle(), "somebody waits for ever");
});
