//! Which tools of which MCP servers are being called in a session.

use std::collections::HashMap;

/// A call of a tool of whose end nobody tells is over by then: its server and its client may be gone, and with them
/// whoever stood between.
const LONGEST_CALL_MS: u64 = 3_600_000;
/// The most servers of a session, and calls of one of them, that are known to go on.
const MOST_CALLED: usize = 64;

/// The calls of a session that go on, by server.
#[derive(Debug, Default)]
pub(super) struct Calls(HashMap<String, Called>);

/// Those of one server, in the order in which they began. What is called twice at a time is there twice.
#[derive(Debug, Default)]
struct Called {
    tools: Vec<String>,
    begun: Vec<Begun>,
}

#[derive(Debug)]
struct Begun {
    /// The id that the call has where it was made.
    run: Option<String>,
    since_ms: u64,
}

impl Calls {
    pub(super) fn begin(&mut self, server: &str, tool: &str, run: Option<&str>, now: u64) {
        if self.0.len() >= MOST_CALLED && !self.0.contains_key(server) {
            let since = |called: &Called| called.begun.first().map(|begun| begun.since_ms);
            let oldest = self.0.iter().min_by_key(|(_, called)| since(called)).map(|(name, _)| name.clone());
            oldest.and_then(|name| self.0.remove(&name));
        }
        let called = self.0.entry(server.to_owned()).or_default();
        called.forget_before(now.saturating_sub(LONGEST_CALL_MS));
        if called.tools.len() >= MOST_CALLED {
            called.remove(0);
        }
        called.tools.push(tool.to_owned());
        called.begun.push(Begun { run: run.map(str::to_owned), since_ms: now });
    }

    /// A call is over. That may be said twice, so where both say which call it is, no other is meant.
    pub(super) fn end(&mut self, server: &str, tool: &str, run: Option<&str>) {
        let Some(called) = self.0.get_mut(server) else { return };
        let named = |begun: &Begun| begun.run.as_deref() == run;
        let perhaps = |begun: &Begun| begun.run.is_none() || run.is_none();
        if let Some(at) = called.position(tool, named).or_else(|| called.position(tool, perhaps)) {
            called.remove(at);
        }
        if called.tools.is_empty() {
            self.0.remove(server);
        }
    }

    /// Forgets what has gone on for too long.
    pub(super) fn look_at(&mut self, server: &str, now: u64) {
        if let Some(called) = self.0.get_mut(server) {
            called.forget_before(now.saturating_sub(LONGEST_CALL_MS));
        }
    }

    /// The tools of a server that are being called.
    pub(super) fn of(&self, server: &str) -> &[String] {
        self.0.get(server).map_or(&[], |called| &called.tools)
    }
}

impl Called {
    fn position(&self, tool: &str, which: impl Fn(&Begun) -> bool) -> Option<usize> {
        self.tools.iter().zip(&self.begun).position(|(called, begun)| called == tool && which(begun))
    }

    fn forget_before(&mut self, then: u64) {
        while self.begun.first().is_some_and(|begun| begun.since_ms < then) {
            self.remove(0);
        }
    }

    fn remove(&mut self, at: usize) {
        self.tools.remove(at);
        self.begun.remove(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_called_ends_once_for_each_answer_and_after_an_hour() {
        let mut calls = Calls::default();
        for (tool, run, at) in [("a", "1", 0), ("b", "2", 1), ("a", "3", 2)] {
            calls.begin("s", tool, Some(run), at);
        }
        calls.end("s", "a", Some("3"));
        assert_eq!(calls.of("s"), ["a", "b"]);
        calls.end("s", "a", Some("3"));
        calls.end("s", "nothing", Some("1"));
        calls.end("other", "a", Some("1"));
        assert_eq!(calls.of("s"), ["a", "b"], "the same answer twice ends no other call");
        calls.begin("s", "a", None, 3);
        calls.end("s", "a", Some("9"));
        assert_eq!(calls.of("s"), ["a", "b"], "of one that has no id it is not known which it is");
        calls.end("s", "a", None);
        assert_eq!(calls.of("s"), ["b"]);
        calls.begin("s", "c", Some("4"), LONGEST_CALL_MS + 1);
        calls.look_at("s", LONGEST_CALL_MS + 1);
        assert_eq!(calls.of("s"), ["b", "c"]);
        calls.look_at("s", LONGEST_CALL_MS + 2);
        assert_eq!(calls.of("s"), ["c"]);
    }

    #[test]
    fn no_session_is_filled_with_what_never_ends() {
        let mut calls = Calls::default();
        for number in 0..3 * MOST_CALLED {
            calls.begin("one", &format!("tool-{number}"), Some("1"), 0);
            calls.begin(&format!("server-{number}"), "tool", None, 1);
        }
        assert_eq!(calls.0.len(), MOST_CALLED);
        assert!(calls.0.values().all(|c| c.tools.len() <= MOST_CALLED && c.tools.len() == c.begun.len()));
        let last = format!("server-{}", 3 * MOST_CALLED - 1);
        calls.end(&last, "tool", None);
        assert!(!calls.0.contains_key(&last), "nothing of it is kept");
    }
}
