//! Which stream a message of the server's goes to. Standard output is one for all; over HTTP each request has a stream of
//! its own, and the client may have one more open.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
};

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::message::{self, Id, Message, place};

/// How many messages wait for a stream to go to, and their bytes.
const HELD: usize = 1_000;
const HELD_BYTES: usize = 4 << 20;
/// How many messages a stream may be behind.
const BEHIND: usize = 64;
/// The id of the request that opened a subscription (MCP 2026-07-28), on all that comes of it.
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// What a request says that wants to hear of the server's log (MCP 2026-07-28).
const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";

/// A message on its way to a stream.
#[derive(Debug)]
pub(super) struct Said {
    /// One line, without its end.
    pub(super) line: Bytes,
    /// The answer to the request that the stream belongs to. Nothing comes after it.
    pub(super) last: bool,
    /// The code, where the answer is an error.
    pub(super) error: Option<i64>,
}

/// What becomes of a line.
#[derive(Debug)]
pub(super) enum Place {
    /// This stream gets it.
    Stream(mpsc::Sender<Said>, Said),
    /// It waits for a stream.
    Held,
    /// A request of the server's that nobody can answer.
    Unanswerable(Id),
    /// Nobody gets it, for the reason given.
    Nobody(&'static str),
}

/// The streams of one server's process.
#[derive(Debug)]
pub(super) struct Routes {
    /// Whether it serves clients that know nothing of each other.
    shared: bool,
    next: i64,
    waiting: BTreeMap<Id, Waiting>,
    /// The stream that the client opened by itself.
    open: Option<mpsc::Sender<Said>>,
    held: VecDeque<Bytes>,
    held_bytes: usize,
}

/// A request without an answer.
#[derive(Debug)]
pub(super) struct Waiting {
    to: mpsc::Sender<Said>,
    order: i64,
    token: Option<Value>,
    /// The tool that it calls.
    pub(super) tool: Option<String>,
    /// It has asked to hear what the server writes into its log (MCP 2026-07-28).
    logs: bool,
    /// The id and the token as the client wrote them, where the server was told others.
    written: Option<(String, Option<String>)>,
}

/// There is such a stream, or such a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken;

impl Routes {
    pub(super) fn new(shared: bool) -> Self {
        let (waiting, held) = (BTreeMap::new(), VecDeque::new());
        Self { shared, next: 0, waiting, open: None, held, held_bytes: 0 }
    }

    /// A request: what the server gets of it, under which id, and the stream that its answer comes on.
    pub(super) fn ask(
        &mut self,
        id: Id,
        tool: Option<&str>,
        params: &Value,
        line: &str,
    ) -> Result<(Id, Bytes, mpsc::Receiver<Said>), Taken> {
        let order = self.next;
        self.next += 1;
        let token = params.get("_meta").and_then(|meta| meta.get("progressToken")).cloned();
        let logs = params.get("_meta").is_some_and(|meta| meta.get(LOG_LEVEL).is_some());
        let (tool, (to, stream)) = (tool.map(str::to_owned), mpsc::channel(BEHIND));
        if !self.shared {
            if self.waiting.contains_key(&id) {
                return Err(Taken);
            }
            self.waiting.insert(id.clone(), Waiting { to, order, token, tool, logs, written: None });
            return Ok((id, Bytes::copy_from_slice(line.as_bytes()), stream));
        }
        // Each client counts from one.
        let own = order.to_string();
        let mut places = vec![place(line, &["id"])];
        places.extend(token.as_ref().map(|_| place(line, &["params", "_meta", "progressToken"])));
        let (renamed, mut written) = replaced(line, places.into_iter().flatten().collect(), &own);
        let written_token = token.as_ref().and_then(|_| (written.len() > 1).then(|| written.remove(1)));
        let written = Some((written.pop().unwrap_or_default(), written_token));
        let token = token.map(|_| Value::from(order));
        self.waiting.insert(Id::Number(order), Waiting { to, order, token, tool, logs, written });
        Ok((Id::Number(order), renamed.into(), stream))
    }

    /// Nobody waits for this answer any more. Gives what was waited for.
    pub(super) fn leave(&mut self, id: &Id) -> Option<Waiting> {
        self.waiting.remove(id)
    }

    /// Opens the client's own stream. What waits for it comes first.
    pub(super) fn open(&mut self) -> Result<(VecDeque<Bytes>, mpsc::Receiver<Said>), Taken> {
        if self.open.as_ref().is_some_and(|open| !open.is_closed()) {
            return Err(Taken);
        }
        let (to, stream) = mpsc::channel(BEHIND);
        self.open = Some(to);
        self.held_bytes = 0;
        Ok((std::mem::take(&mut self.held), stream))
    }

    /// Nobody listens and nobody waits.
    pub(super) fn is_quiet(&self) -> bool {
        self.waiting.is_empty() && self.open.as_ref().is_none_or(mpsc::Sender::is_closed)
    }

    /// The server is gone: whoever still waits hears no more.
    pub(super) fn close(&mut self) {
        (self.waiting, self.open) = (BTreeMap::new(), None);
    }

    /// Where a line of the server's goes.
    pub(super) fn place(&mut self, line: Bytes) -> Place {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        match message::parse(&line) {
            Ok(Message::Response { id, body, .. }) => {
                let Some(waiting) = self.waiting.remove(&id) else { return Place::Nobody("its client has left") };
                let error = body.get("code").and_then(Value::as_i64).filter(|_| body.get("message").is_some());
                let text = match waiting.written {
                    Some((id, _)) => replaced(&text, place(&text, &["id"]).into_iter().collect(), &id).0,
                    None => text,
                };
                Place::Stream(waiting.to, Said { line: text.into(), last: true, error })
            }
            Ok(Message::Request { id, .. }) if self.shared => Place::Unanswerable(id),
            Ok(Message::Request { .. }) => self.related(text),
            Ok(Message::Notification { method, params }) => match (method.as_str(), self.shared) {
                ("notifications/progress", shared) => {
                    let token = params.get("progressToken");
                    let waiting = self.waiting.values().find(|w| w.token.is_some() && w.token.as_ref() == token);
                    match waiting {
                        Some(waiting) => told(waiting, &text, &["params", "progressToken"]),
                        None if shared => Place::Nobody("its request is over"),
                        None => self.related(text),
                    }
                }
                // A server writes no log for requests that did not ask for it, so it is for the one that did.
                ("notifications/message", true) => {
                    let mut asked = self.waiting.values().filter(|waiting| waiting.logs);
                    match (asked.next(), asked.next()) {
                        (Some(waiting), None) => told(waiting, &text, &[]),
                        (Some(_), Some(_)) => Place::Nobody("it does not say which client it is for"),
                        (None, _) => self.subscribed(&params, &text),
                    }
                }
                (_, true) => self.subscribed(&params, &text),
                ("notifications/message" | "notifications/cancelled", false) => self.related(text),
                _ => self.unrelated(text),
            },
            Err(_) => Place::Nobody("it is no message"),
        }
    }

    /// What comes of a subscription, or belongs to the one request there is.
    fn subscribed(&self, params: &Value, text: &str) -> Place {
        let subscription = params.get("_meta").and_then(|meta| meta.get(SUBSCRIPTION));
        let (id, at) = match (subscription, params.get("requestId")) {
            (Some(id), _) => (Some(id), &["params", "_meta", SUBSCRIPTION][..]),
            (None, Some(id)) => (Some(id), &["params", "requestId"][..]),
            (None, None) => (None, &[][..]),
        };
        match id {
            Some(id) => match Id::from_value(id).ok().and_then(|id| self.waiting.get(&id)) {
                Some(waiting) => told(waiting, text, at),
                None => Place::Nobody("its subscription is over"),
            },
            None => match self.waiting.values().next().filter(|_| self.waiting.len() == 1) {
                Some(waiting) => told(waiting, text, &[]),
                None => Place::Nobody("it does not say which client it is for"),
            },
        }
    }

    /// What may belong to a request goes to the latest one, and else to whoever listens.
    fn related(&mut self, text: String) -> Place {
        let latest = self.waiting.values().filter(|w| !w.to.is_closed()).max_by_key(|w| w.order);
        match latest.map(|w| &w.to).or(self.open.as_ref().filter(|open| !open.is_closed())) {
            Some(to) => stream(to, text),
            None => self.hold(text),
        }
    }

    /// What belongs to none goes to whoever listens, and else to the latest request.
    fn unrelated(&mut self, text: String) -> Place {
        match self.open.as_ref().filter(|open| !open.is_closed()) {
            Some(to) => stream(to, text),
            None => self.related(text),
        }
    }

    fn hold(&mut self, text: String) -> Place {
        if self.held.len() >= HELD || self.held_bytes + text.len() > HELD_BYTES {
            return Place::Nobody("nobody listens, and too much waits already");
        }
        self.held_bytes += text.len();
        self.held.push_back(text.into());
        Place::Held
    }
}

fn stream(to: &mpsc::Sender<Said>, text: String) -> Place {
    Place::Stream(to.clone(), Said { line: text.into(), last: false, error: None })
}

/// A notification about a request, in which the request is named as its client did.
fn told(waiting: &Waiting, text: &str, at: &[&str]) -> Place {
    let named = match (&waiting.written, at) {
        (Some((_, Some(token))), ["params", "progressToken"]) => Some(token),
        (Some((id, _)), [_, ..]) => Some(id),
        _ => None,
    };
    let text = match named {
        Some(named) => replaced(text, place(text, at).into_iter().collect(), named).0,
        None => text.to_owned(),
    };
    stream(&waiting.to, text)
}

/// The text with this in each of these places, and what stood there, in the order that was asked for.
fn replaced(text: &str, places: Vec<Range<usize>>, with: &str) -> (String, Vec<String>) {
    let stood = places.iter().filter_map(|place| text.get(place.clone())).map(str::to_owned).collect();
    let mut sorted = places;
    sorted.sort_by_key(|place| std::cmp::Reverse(place.start));
    let mut changed = text.to_owned();
    for place in sorted {
        changed.replace_range(place, with);
    }
    (changed, stood)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ask(routes: &mut Routes, id: &str, more: &str) -> (Id, String, mpsc::Receiver<Said>) {
        let line = format!(r#"{{"params": {{"_meta":{{"progressToken":"t","x":1.0}}{more}}}, "id" : {id}}}"#);
        let id = Id::from_value(&serde_json::from_str(id).unwrap()).unwrap();
        let params = json!({"_meta": {"progressToken": "t"}});
        let (id, sent, stream) = routes.ask(id, None, &params, &line).unwrap();
        (id, String::from_utf8(sent.to_vec()).unwrap(), stream)
    }

    fn hears(routes: &mut Routes, line: &str, stream: &mut mpsc::Receiver<Said>) -> String {
        match routes.place(Bytes::from(line.to_owned())) {
            Place::Stream(to, said) => to.try_send(said).unwrap(),
            other => panic!("{line}: {other:?}"),
        }
        String::from_utf8(stream.try_recv().unwrap().line.to_vec()).unwrap()
    }

    #[test]
    fn clients_that_know_nothing_of_each_other_may_use_the_same_ids() {
        let mut routes = Routes::new(true);
        let (_, one, mut first) = ask(&mut routes, "1", "");
        let (_, two, mut second) = ask(&mut routes, r#""1""#, r#","id":1"#);
        assert_eq!(one, r#"{"params": {"_meta":{"progressToken":0,"x":1.0}}, "id" : 0}"#);
        assert_eq!(two, r#"{"params": {"_meta":{"progressToken":1,"x":1.0},"id":1}, "id" : 1}"#);
        let progress = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1}}"#;
        assert!(hears(&mut routes, progress, &mut second).contains(r#"{"progressToken":"t"}"#));
        let told = format!(r#"{{"jsonrpc":"2.0","method":"x","params":{{"_meta":{{"{SUBSCRIPTION}":0}}}}}}"#);
        assert!(hears(&mut routes, &told, &mut first).contains(&format!(r#"{{"{SUBSCRIPTION}":1}}"#)));
        let whose = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#;
        assert!(matches!(routes.place(whose.into()), Place::Nobody(_)));
        let answer = r#"{ "id":1, "jsonrpc":"2.0", "result":{"id":1} }"#;
        let expected = r#"{ "id":"1", "jsonrpc":"2.0", "result":{"id":1} }"#;
        assert_eq!(hears(&mut routes, answer, &mut second), expected);
        assert!(hears(&mut routes, whose, &mut first).contains("message"), "the only one that is left");
        let request = r#"{"jsonrpc":"2.0","id":9,"method":"sampling/createMessage"}"#;
        assert!(matches!(routes.place(request.into()), Place::Unanswerable(Id::Number(9))));
    }

    #[test]
    fn what_a_shared_server_logs_goes_to_the_one_who_asked_for_it() {
        let mut routes = Routes::new(true);
        let line = r#"{"id":1}"#;
        let logging = json!({"_meta": {LOG_LEVEL: "info"}});
        let (_, _, _other) = routes.ask(Id::Number(1), None, &Value::Null, line).unwrap();
        let (first, _, mut stream) = routes.ask(Id::Number(1), None, &logging, line).unwrap();
        let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}"#;
        assert_eq!(hears(&mut routes, log, &mut stream), log);
        let (_, _, mut second) = routes.ask(Id::Number(1), None, &logging, line).unwrap();
        assert!(matches!(routes.place(log.into()), Place::Nobody(_)), "two have asked");
        routes.leave(&first);
        assert_eq!(hears(&mut routes, log, &mut second), log);
    }

    #[test]
    fn what_belongs_to_no_request_waits_for_whoever_listens() {
        let mut routes = Routes::new(false);
        let changed = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
        let request = r#"{"jsonrpc":"2.0","id":9,"method":"sampling/createMessage"}"#;
        assert!(matches!(routes.place(changed.into()), Place::Held));
        let (held, mut open) = routes.open().unwrap();
        assert_eq!(held, [changed]);
        assert_eq!(routes.open().unwrap_err(), Taken, "one stream gets each message");
        let (id, line, mut asked) = ask(&mut routes, "7", "");
        assert!(line.contains(r#""progressToken":"t""#) && id == Id::Number(7), "{line}");
        assert!(routes.ask(Id::Number(7), None, &Value::Null, "").is_err());
        assert_eq!(hears(&mut routes, changed, &mut open), changed);
        assert_eq!(hears(&mut routes, request, &mut asked), request);
        drop(asked);
        assert_eq!(hears(&mut routes, request, &mut open), request);
        drop(open);
        assert!(matches!(routes.place(request.into()), Place::Held));
        assert!(!routes.is_quiet() && routes.leave(&id).is_some() && routes.is_quiet());
        for _ in 0..2 * HELD {
            let _ = routes.place(changed.into());
        }
        assert_eq!(routes.open().unwrap().0.len(), HELD);
    }
}
