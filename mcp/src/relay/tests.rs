use std::fmt::Write as _;

use proptest::prelude::*;
use rampart_call::{Action, Edit, Judgement, Outcome, Permit, Question, Reason, Refusal, RuleRef, Span, Verdict::Deny};
use serde_json::Value;

use super::*;
use Side::{Client, Server};

mod pins;

/// A session whose gate is the test, and which writes down what it does.
struct Session {
    relay: Relay,
    calls: BTreeMap<Ticket, Call>,
    /// The calls that are over without an answer: the tool and the id.
    over: Vec<(String, String)>,
}

impl Session {
    fn new() -> Self {
        Self::limited(Limits::default())
    }

    fn limited(limits: Limits) -> Self {
        let origin = Origin { agent: "tester".into(), can_ask: true, ..Origin::default() };
        Self { relay: Relay::new("fs".into(), origin, limits), calls: BTreeMap::new(), over: Vec::new() }
    }

    /// One line for each effect.
    fn step(&mut self, input: Input) -> String {
        let mut log = String::new();
        for effect in self.relay.step(input) {
            match effect {
                Effect::Judge(ticket, call) => {
                    let Action::Mcp { server, method, tool, .. } = &call.action else { panic!("{call:?}") };
                    assert_eq!((server.as_str(), call.origin.can_ask), ("fs", false));
                    let space = if tool.is_empty() { "" } else { " " };
                    writeln!(log, "judge {ticket} {:?} {method}{space}{tool}", call.phase).unwrap();
                    self.calls.insert(ticket, *call);
                }
                Effect::Refuse(ticket, refused) => {
                    let (call, refusal) = *refused;
                    let message = &refusal.judgement.message;
                    writeln!(log, "refuse {ticket} {:?} {message}", call.phase).unwrap();
                    self.calls.insert(ticket, call);
                }
                Effect::Preview(ticket, calls) => {
                    let tool = |call: &Call| match &call.action {
                        Action::Mcp { tool, .. } => tool.clone(),
                        other => panic!("{other:?}"),
                    };
                    let tools: Vec<String> = calls.iter().map(tool).collect();
                    writeln!(log, "preview {ticket} {}", tools.join(" ")).unwrap();
                }
                Effect::Offered(screened) => {
                    let names = |items: &[crate::scan::Item]| {
                        items.iter().map(|item| item.name.clone()).collect::<Vec<_>>().join(" ")
                    };
                    let (learned, withheld) = (names(&screened.learned), names(&screened.withheld));
                    writeln!(log, "offered: learned [{learned}] withheld [{withheld}]").unwrap();
                }
                Effect::Abandon(ticket) => writeln!(log, "abandon {ticket}").unwrap(),
                Effect::Send(side, line) => {
                    let text = std::str::from_utf8(&line).unwrap();
                    assert_eq!(text.find('\n'), Some(text.len() - 1), "not one line: {text:?}");
                    writeln!(log, "{side:?} <- {}", text.trim_end()).unwrap();
                }
                Effect::Over(call) => {
                    let Action::Mcp { tool, arguments, .. } = &call.action else { panic!("{call:?}") };
                    assert_eq!(arguments.to_string(), "null", "which call it was is enough");
                    self.over.push((tool.clone(), call.origin.run.clone().unwrap()));
                }
                Effect::Dropped(side, why) => writeln!(log, "{side:?} dropped: {why}").unwrap(),
                Effect::CloseServer => log.push_str("close server\n"),
                Effect::End => log.push_str("end\n"),
            }
        }
        log
    }

    fn line(&mut self, side: Side, line: &str) -> String {
        self.step(Input::Line(side, Bytes::from(format!("{line}\n"))))
    }

    fn allow(&mut self, ticket: Ticket) -> String {
        self.step(Input::Verdict(ticket, allowed(vec![])))
    }

    fn deny(&mut self, ticket: Ticket) -> String {
        self.step(Input::Verdict(ticket, denied()))
    }

    /// A line that is judged at once, and allowed.
    fn pass(&mut self, side: Side, line: &str) -> String {
        let judged = self.line(side, line);
        let ticket = judged.split(' ').nth(1).and_then(|t| t.parse().ok());
        self.allow(ticket.unwrap_or_else(|| panic!("not judged: {judged}")))
    }
}

fn response(id: u32) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)
}

fn cancel(id: u32) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#)
}

#[test]
fn a_call_is_over_when_its_answer_does_not_come_or_is_none() {
    type End = fn(&mut Session);
    let ends: [(&str, End, bool); 8] = [
        ("answered", |s| drop(s.pass(Side::Server, &response(1))), false),
        ("refused", |s| drop((s.line(Side::Server, &response(1)), s.deny(3))), true),
        ("cancelled", |s| drop(s.pass(Side::Client, &cancel(1))), true),
        ("no answer in time", |s| (0..=ROUNDS).for_each(|_| drop(s.step(Input::Round))), true),
        ("no message", |s| drop(s.line(Side::Server, r#"{"jsonrpc":"2.0","id":1,"result":1,"result":2}"#)), true),
        ("an id twice", |s| drop(s.line(Side::Client, &call(1, "read"))), true),
        ("the server has ended", |s| drop(s.step(Input::ServerGone("it ended".into()))), true),
        ("no call", |s| drop(s.pass(Side::Client, &cancel(2))), false),
    ];
    for (what, end, is_over) in ends {
        let mut s = Session::new();
        s.pass(Side::Client, &call(1, "read"));
        s.pass(Side::Client, &request(2, "tools/list", "{}"));
        end(&mut s);
        let expected = if is_over { vec![("read".to_owned(), "1".to_owned())] } else { Vec::new() };
        assert_eq!(s.over, expected, "{what}");
    }
    // What waits when everything ends is over as well.
    let mut s = Session::new();
    s.pass(Side::Client, &call(1, "read"));
    s.line(Side::Client, &call(2, "write"));
    assert_eq!(s.relay.unanswered().count(), 1);
}

#[expect(clippy::disallowed_methods, reason = "the test is the gate")]
fn allowed(edits: Vec<Edit>) -> Verdict {
    Verdict::Allow(Permit::mint(Judgement { edits, ..Judgement::allowed(Reason::Default) }))
}

fn denied() -> Verdict {
    let rule = RuleRef { policy: "p".into(), index: 0, action: Outcome::Deny, file: "f.yaml".into(), line: 3 };
    Deny(Refusal { judgement: Judgement { rule: Some(rule), ..Judgement::refused(Reason::Rule, "no") } })
}

fn request(id: impl std::fmt::Display, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

fn call(id: impl std::fmt::Display, tool: &str) -> String {
    request(id, "tools/call", &format!(r#"{{"name":"{tool}","arguments":{{"path":"a"}}}}"#))
}

fn result(id: impl std::fmt::Display, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

fn notification(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#)
}

const REFUSED_TEXT: &str = "Rampart refused this: no. Rule: p (f.yaml:3).";

#[test]
fn a_call_and_its_response_are_judged_and_pass_unchanged() {
    let mut s = Session::new();
    let ask =
        r#" {"id":"x" ,"jsonrpc":"2.0","method":"tools/call","params":{"name":"read","_meta":{},"n":1.0},"new":[]}"#;
    assert_eq!(s.line(Client, ask), "judge 1 Before tools/call read\n");
    assert_eq!(s.calls[&1].origin.run.as_deref(), Some("x"));
    assert_eq!(s.allow(1), format!("Server <- {ask}\n"));
    let answer = r#"{"result":{"content":[{"type":"text","text":"\u0061\nb"}],"x":1e0},"jsonrpc":"2.0","id":"\u0078"}"#;
    assert_eq!(s.line(Server, answer), "judge 2 After tools/call read\n");
    let response = s.calls[&2].response.as_ref().unwrap();
    assert_eq!(response.text, "content: type: text\ntext: a\nb\nx: 1e0\n");
    assert_eq!(s.allow(2), format!("Client <- {answer}\n"));
    assert!(s.relay.is_idle());
}

#[test]
fn a_refused_tool_call_is_a_tool_result_and_anything_else_an_error() {
    let mut s = Session::new();
    s.line(Client, &call(1, "rm"));
    assert_eq!(
        s.deny(1),
        format!(
            "Client <- {}\n",
            result(1, &format!(r#"{{"content":[{{"text":"{REFUSED_TEXT}","type":"text"}}],"isError":true}}"#))
                .replace(r#"{"jsonrpc":"2.0","id":1"#, r#"{"id":1,"jsonrpc":"2.0""#)
        )
    );
    s.line(Client, &request(2, "resources/read", r#"{"uri":"file:///x"}"#));
    let error = format!(
        r#"{{"code":-31403,"data":{{"reason":"rule","rule":"p (f.yaml:3)","suggestions":[]}},"message":"{REFUSED_TEXT}"}}"#
    );
    assert_eq!(s.deny(2), format!("Client <- {{\"error\":{error},\"id\":2,\"jsonrpc\":\"2.0\"}}\n"));
    // The ids are free again, and the server has heard of nothing.
    assert_eq!(s.line(Client, &call(1, "ls")), "judge 3 Before tools/call ls\n");
    assert_eq!(s.line(Server, &result(2, "{}")), "Server dropped: a response to no request\n");
}

#[test]
fn a_refused_response_is_replaced() {
    let mut s = Session::new();
    s.pass(Client, &call(1, "read"));
    s.line(Server, &result(1, r#"{"content":[]}"#));
    assert!(s.deny(2).contains(r#""isError":true"#));
    s.pass(Client, &request(2, "tools/list", "{}"));
    s.line(Server, &result(2, "{}"));
    assert!(s.deny(4).contains(r#"{"code":-31403"#));
    assert_eq!(s.relay.summary().refused, 2);
}

#[test]
fn a_question_that_reaches_the_relay_is_a_refusal() {
    let mut s = Session::new();
    s.line(Client, &call(1, "read"));
    let question = Question { judgement: Judgement::refused(Reason::Rule, "sure?") };
    assert!(s.step(Input::Verdict(1, Verdict::Ask(question))).contains("nobody_to_ask"));
}

#[test]
fn redactions_are_made_inside_the_response_and_the_parameters_only() {
    let mut s = Session::new();
    s.pass(Client, &call(1, "read"));
    s.line(Server, r#"{"id":1,"result":{"text":"key \u0041KIA!"},"jsonrpc":"2.0","x":"AKIA"}"#);
    let span = |start, end| vec![Edit { span: Span { start, end }, with: "[aws-key]".into() }];
    assert_eq!(s.calls[&2].response.as_ref().unwrap().text.get(10..14), Some("AKIA"));
    assert_eq!(
        s.step(Input::Verdict(2, allowed(span(10, 14)))),
        "Client <- {\"id\":1,\"result\":{\"text\":\"key [aws-key]!\"},\"jsonrpc\":\"2.0\",\"x\":\"AKIA\"}\n"
    );
    s.pass(Client, &call(2, "read"));
    s.line(Server, &result(2, "{}"));
    assert!(
        s.step(Input::Verdict(4, allowed(span(5, 9)))).contains("the response is withheld: a redaction lies outside")
    );
    let said = r#"{"id":3,"jsonrpc":"2.0","x":"AKIA","params":{"arguments":{"b":1.50,"a":"\u0041KIA!"},"name":"write"},"method":"tools/call"}"#;
    s.line(Client, said);
    // The place is one in the arguments as `Action::mcp_text` writes them.
    let start = s.calls[&5].action.mcp_text().unwrap().find("AKIA").unwrap();
    assert_eq!(
        s.step(Input::Verdict(5, allowed(span(start, start + 4)))),
        format!("Server <- {}\n", said.replace(r"\u0041KIA", "[aws-key]"))
    );
    s.line(Client, &call(4, "write"));
    assert!(s.step(Input::Verdict(6, allowed(span(900, 901)))).contains("a redaction lies outside the call"));
}

#[test]
fn pings_cancellations_and_other_calls_pass_while_a_call_is_held() {
    let mut s = Session::new();
    s.line(Client, &call(1, "held"));
    let ping = request(2, "ping", "{}");
    assert_eq!(s.pass(Client, &ping), format!("Server <- {ping}\n"));
    assert_eq!(s.pass(Server, &result(2, "{}")), format!("Client <- {}\n", result(2, "{}")));
    assert_eq!(s.pass(Client, &call(3, "ls")), format!("Server <- {}\n", call(3, "ls")));
    let cancel = |id: &str| notification("notifications/cancelled", &format!(r#"{{"requestId":{id}}}"#));
    assert_eq!(s.pass(Client, &cancel("3")), format!("Server <- {}\n", cancel("3")));
    // The held call never reached the server, so neither does its end; the question is withdrawn.
    assert_eq!(s.pass(Client, &cancel("1")), "abandon 1\n");
    assert_eq!(s.allow(1), "");
    assert!(s.relay.is_idle());
    // An answer that crossed the cancellation passes, judged; after that the id is unknown.
    assert_eq!(s.pass(Server, &result(3, "{}")), format!("Client <- {}\n", result(3, "{}")));
    assert_eq!(s.line(Server, &result(3, "{}")), "Server dropped: a response to no request\n");
    assert_eq!(s.pass(Client, &cancel("99")), format!("Server <- {}\n", cancel("99")));
    assert_eq!(
        s.line(Client, &cancel("1.5")),
        "Client dropped: the id is a number but not an integer that every peer can hold\n"
    );
}

#[test]
fn a_refused_cancellation_cancels_nothing() {
    let mut s = Session::new();
    s.line(Client, &call(1, "held"));
    s.line(Client, &notification("notifications/cancelled", r#"{"requestId":1}"#));
    assert_eq!(s.deny(2), "");
    assert!(s.allow(1).starts_with("Server <- "));
}

#[test]
fn nothing_overtakes_initialize_or_a_notification() {
    let mut s = Session::new();
    let initialize = request(1, "initialize", "{}");
    let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    s.line(Client, &initialize);
    s.line(Client, initialized);
    s.line(Client, &call(2, "a"));
    s.line(Client, &call(3, "b"));
    assert_eq!(s.allow(3), "");
    assert_eq!(s.allow(2), "");
    assert_eq!(s.allow(1), format!("Server <- {initialize}\nServer <- {initialized}\nServer <- {}\n", call(2, "a")));
    assert_eq!(s.allow(4), format!("Server <- {}\n", call(3, "b")));
    // The same from the server: progress stays before the response it belongs to.
    let progress = notification("notifications/progress", r#"{"progressToken":1,"progress":1}"#);
    s.line(Server, &progress);
    s.line(Server, &result(2, "{}"));
    assert_eq!(s.allow(6), "");
    assert_eq!(s.allow(5), format!("Client <- {progress}\nClient <- {}\n", result(2, "{}")));
}

#[test]
fn a_refused_or_withdrawn_barrier_lets_the_rest_pass() {
    let mut s = Session::new();
    s.line(Client, &notification("notifications/x", "{}"));
    s.line(Client, &call(1, "a"));
    s.allow(2);
    assert_eq!(s.deny(1), format!("Server <- {}\n", call(1, "a")));
    s.line(Client, &request(2, "initialize", "{}"));
    s.line(Client, &call(3, "b"));
    s.allow(4);
    let cancel = notification("notifications/cancelled", r#"{"requestId":2}"#);
    assert_eq!(s.pass(Client, &cancel), format!("abandon 3\nServer <- {}\n", call(3, "b")));
    s.line(Client, &request(4, "initialize", "{}"));
    s.line(Client, &call(5, "c"));
    s.allow(7);
    let log = s.line(Client, &call(4, "the same id"));
    assert!(log.starts_with(&format!("abandon 6\nServer <- {}\n", call(5, "c"))), "{log}");
}

#[test]
fn one_id_for_two_requests_is_an_error_for_both() {
    let twice = "Client <- {\"error\":{\"code\":-32600,\"message\":\"this id belongs to a request that is still \
                 outstanding\"},\"id\":1,\"jsonrpc\":\"2.0\"}\n"
        .repeat(2);
    let dropped = "Client dropped: this id belongs to a request that is still outstanding\n";
    let mut s = Session::new();
    s.pass(Client, &call(1, "a"));
    assert_eq!(s.line(Client, &call(1, "b")), format!("{twice}{dropped}"));
    // The server still owes an answer, which would be taken for a third request's.
    assert!(s.line(Client, &call(1, "c")).ends_with(dropped));
    assert_eq!(
        s.line(Server, &result(1, "{}")),
        "Server dropped: a response to a request that was answered with an error\n"
    );
    assert_eq!(s.line(Client, &call(1, "d")), "judge 2 Before tools/call d\n");
    assert_eq!(s.line(Client, &call(1, "e")), format!("abandon 2\n{twice}{dropped}"));
    // `1` and `"1"` are two ids, and the same id may live in both directions.
    s.pass(Client, &call(1, "f"));
    assert!(s.pass(Client, &call("\"1\"", "g")).starts_with("Server <- "));
    assert!(s.pass(Server, &request(1, "roots/list", "{}")).starts_with("Client <- "));
}

#[test]
fn responses_that_nobody_asked_for_go_nowhere() {
    let mut s = Session::new();
    for (id, why) in [("1", "to no request"), ("\"1\"", "to no request")] {
        assert!(s.line(Server, &result(id, "{}")).contains(why));
        assert!(s.line(Client, &result(id, "{}")).contains(why));
    }
    s.line(Client, &call(1, "a"));
    assert!(s.line(Server, &result(1, "{}")).contains("was not sent yet"));
    s.allow(1);
    assert!(s.line(Server, &result("\"1\"", "{}")).contains("to no request"));
    s.line(Server, &result(1, "{}"));
    assert!(s.line(Server, &result(1, "{}")).contains("a second response"));
    assert_eq!(s.relay.summary().dropped, 7);
}

#[test]
fn what_the_server_asks_of_the_client_is_judged_as_well() {
    let mut s = Session::new();
    let sample = request(7, "sampling/createMessage", r#"{"maxTokens":1}"#);
    assert_eq!(s.line(Server, &sample), "judge 1 Before sampling/createMessage\n");
    assert_eq!(s.allow(1), format!("Client <- {sample}\n"));
    assert_eq!(s.line(Client, &result(7, r#"{"x":1}"#)), "judge 2 After sampling/createMessage\n");
    assert_eq!(s.allow(2), format!("Server <- {}\n", result(7, r#"{"x":1}"#)));
    s.line(Server, &sample);
    assert!(s.deny(3).starts_with(r#"Server <- {"error":{"code":-31403"#));
    s.line(Server, &notification("notifications/message", "{}"));
    assert_eq!(s.deny(4), "");
}

#[test]
fn requests_inside_a_result_are_judged_before_it() {
    let mut s = Session::new();
    s.pass(Client, &call(1, "deploy"));
    let answer = result(
        1,
        r#"{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{}},"b":{"method":"roots/list"}}}"#,
    );
    assert_eq!(s.line(Server, &answer), "judge 2 Before roots/list\n");
    assert_eq!(s.allow(2), "judge 2 Before elicitation/create\n");
    assert_eq!(s.allow(2), "judge 2 After tools/call deploy\n");
    assert_eq!(s.allow(2), format!("Client <- {answer}\n"));
    s.pass(Client, &call(2, "deploy"));
    s.line(Server, &answer.replace(r#""id":1"#, r#""id":2"#));
    assert!(s.deny(4).contains("isError"));
    s.pass(Client, &call(3, "deploy"));
    assert!(s.line(Server, &result(3, r#"{"inputRequests":{"a":5}}"#)).contains("isError"));
}

#[test]
fn what_is_no_message_is_answered_to_a_client_and_dropped_from_a_server() {
    let mut s = Session::new();
    let log = s.line(Client, "hello");
    assert!(log.starts_with(r#"Client <- {"error":{"code":-32700"#) && log.contains(r#""id":null"#), "{log}");
    assert!(s.line(Client, "[]").starts_with(r#"Client <- {"error":{"code":-32600"#));
    assert!(s.line(Client, &request(5, "tools/call", "{}")).starts_with(r#"Client <- {"error":{"code":-32602"#));
    assert!(s.line(Client, &request(5, "tools/call", r#"{"Name":"x"}"#)).contains(r#""id":5"#));
    assert_eq!(s.line(Client, "  "), "Client dropped: an empty line\n");
    let noise = s.line(Server, "Server running on stdio");
    assert!(noise.starts_with("Server dropped: expected value"), "{noise}");
    assert!(s.line(Server, "[1]").starts_with("Server dropped: batches"));
    assert_eq!(s.relay.summary().dropped, 7);
}

#[test]
fn an_ambiguous_answer_is_an_answer_all_the_same() {
    let mut s = Session::new();
    s.pass(Client, &call(1, "read"));
    let log = s.line(Server, r#"{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}"#);
    assert!(log.contains("isError") && log.contains("`a` stands twice"), "{log}");
    s.pass(Client, &call(2, "read"));
    let log = s.step(Input::Unread(Server, Some(Id::Number(2)), "longer than 10 bytes".into()));
    assert!(log.contains("isError") && log.contains("longer than 10 bytes"), "{log}");
    assert!(s.relay.is_idle());
}

#[test]
fn too_many_requests_are_refused_and_pings_of_others_are_not() {
    let mut s = Session::limited(Limits { outstanding: 2, outstanding_bytes: 1_000 });
    s.line(Client, &call(1, "a"));
    s.line(Client, &call(2, "b"));
    assert!(s.line(Client, &call(3, "c")).contains("too many requests wait"));
    assert!(s.line(Server, &request(1, "ping", "{}")).starts_with("judge 3"));
    s.deny(1);
    assert_eq!(s.line(Client, &call(3, "c")), "judge 4 Before tools/call c\n");
    let mut s = Session::limited(Limits { outstanding: 10, outstanding_bytes: 100 });
    assert!(s.line(Client, &call(1, &"x".repeat(100))).contains("limit_exceeded"));
}

#[test]
fn a_flood_is_not_read_any_more() {
    let mut s = Session::new();
    let mut read = 0;
    while s.relay.accepts(Server) {
        s.line(Server, &notification("notifications/message", "{}"));
        read += 1;
    }
    assert!(read < 1_100 && s.relay.accepts(Client), "{read}");
}

#[test]
fn a_server_that_ends_leaves_no_request_without_an_answer() {
    let mut s = Session::new();
    s.pass(Client, &call(1, "sent"));
    s.pass(Client, &call(2, "answered"));
    s.line(Client, &call(3, "held"));
    s.line(Server, &result(2, "{}"));
    let log = s.step(Input::ServerGone("the server ended with exit code 3".into()));
    let error = |id| {
        format!(
            "Client <- {{\"error\":{{\"code\":-32603,\"message\":\"the server ended with exit code 3 before it \
             answered\"}},\"id\":{id},\"jsonrpc\":\"2.0\"}}\n"
        )
    };
    assert_eq!(log, format!("abandon 3\n{}{}", error(3), error(1)));
    assert!(s.line(Client, &call(4, "late")).contains("the server has ended"));
    assert_eq!(s.allow(4), format!("Client <- {}\nend\n", result(2, "{}")));
}

#[test]
fn a_client_that_ends_is_obeyed_to_the_last_request() {
    let mut s = Session::new();
    s.line(Client, &call(1, "a"));
    assert_eq!(s.step(Input::ClientEof), "");
    assert_eq!(s.allow(1), format!("Server <- {}\nclose server\n", call(1, "a")));
    assert!(!s.relay.is_idle());
    assert!(s.line(Server, &request(9, "roots/list", "{}")).contains("the client has ended"));
    s.pass(Server, &result(1, "{}"));
    assert!(s.relay.is_idle());
    let mut s = Session::new();
    s.line(Client, &call(1, "held"));
    s.step(Input::ClientEof);
    let log = s.step(Input::GiveUp);
    assert!(log.starts_with("abandon 1\nClient <- ") && log.ends_with("close server\n"), "{log}");
}

#[test]
fn a_held_request_gives_signs_of_life_that_only_increase() {
    let mut s = Session::new();
    s.line(Client, &request(1, "tools/call", r#"{"name":"x","_meta":{"progressToken":"t"}}"#));
    s.line(Client, &call(2, "no token"));
    assert_eq!(s.step(Input::Tick), "");
    let mut last = 0.0;
    for _ in 0..3 {
        let log = s.step(Input::Tick);
        let message: Value = serde_json::from_str(log.strip_prefix("Client <- ").unwrap()).unwrap();
        assert_eq!(
            (&message["method"], &message["params"]["progressToken"]),
            (&"notifications/progress".into(), &"t".into())
        );
        let progress = message["params"]["progress"].as_f64().unwrap();
        assert!(progress > last && progress < 1e-6);
        last = progress;
    }
    s.allow(1);
    assert_eq!(s.step(Input::Tick), "");
}

#[test]
fn a_server_that_is_silent_about_a_request_loses_it() {
    let mut s = Session::new();
    for (ticket, line) in [
        (1, request(1, "tools/call", r#"{"name":"x","_meta":{"progressToken":"t"}}"#)),
        (2, call(2, "slow")),
        (3, request(3, "subscriptions/listen", "{}")),
        (4, request(4, "initialize", "{}")),
    ] {
        s.line(Client, &line);
        s.allow(ticket);
    }
    s.line(Client, &call(5, "held"));
    let rounds = |s: &mut Session, n| (0..n).map(|_| s.step(Input::Round)).collect::<String>();
    assert_eq!(rounds(&mut s, ROUNDS), "");
    s.line(Server, &notification("notifications/progress", r#"{"progressToken":"t","progress":1}"#));
    let log = s.step(Input::Round);
    let why = "the server did not answer in time (--timeout)";
    let lost = |id| format!(r#"Client <- {{"error":{{"code":-32603,"message":"{why}"}},"id":{id},"jsonrpc":"2.0"}}"#);
    let params = format!(r#"{{"reason":"{why}","requestId":2}}"#);
    let cancelled = format!(r#"Server <- {{"jsonrpc":"2.0","method":"notifications/cancelled","params":{params}}}"#);
    let told: std::collections::BTreeSet<&str> = log.lines().collect();
    let (two, four) = (lost(2), lost(4));
    assert_eq!(told, [two.as_str(), &cancelled, &four].into(), "an initialize is not cancelled");
    // What it says now goes nowhere, and nothing is told twice.
    assert!(s.line(Server, &result(2, "{}")).contains("dropped"));
    assert_eq!(rounds(&mut s, ROUNDS - 1), "");
    // While it waits for the client itself, no time passes.
    s.line(Server, &request(9, "roots/list", "{}"));
    assert_eq!(rounds(&mut s, 20), "");
}

fn any_line() -> impl Strategy<Value = String> {
    let id = prop_oneof!["[0-3]", Just("\"a\"".to_owned())];
    prop_oneof![
        id.clone().prop_map(|id| call(id, "t")),
        id.clone().prop_map(|id| request(id, "ping", "{}")),
        id.clone().prop_map(|id| request(id, "initialize", "{}")),
        id.clone().prop_map(|id| result(id, r#"{"content":[]}"#)),
        id.prop_map(|id| notification("notifications/cancelled", &format!(r#"{{"requestId":{id}}}"#))),
        Just(notification("notifications/x", "{}")),
        "[ -~]{0,20}",
    ]
}

proptest! {
    /// Whatever comes, and in whatever order verdicts come: what goes on is what came and was allowed, once each, and every
    /// request is answered at the end.
    #[test]
    fn nothing_goes_on_that_did_not_come(
        lines in prop::collection::vec((any::<bool>(), any_line(), any::<u8>(), any::<bool>()), 0..60),
    ) {
        let mut s = Session::new();
        let mut came: Vec<(Side, String)> = Vec::new();
        let mut open: Vec<Ticket> = Vec::new();
        let mut log = String::new();
        let note = |text: String, open: &mut Vec<Ticket>, log: &mut String| {
            for line in text.lines() {
                let number = |prefix: &str| line.strip_prefix(prefix)?.split(' ').next()?.parse::<Ticket>().ok();
                if let Some(ticket) = number("judge ") {
                    open.push(ticket);
                }
                if let Some(ticket) = number("abandon ") {
                    open.retain(|t| *t != ticket);
                }
            }
            log.push_str(&text);
        };
        for (from_client, line, pick, allow) in lines {
            let side = if from_client { Client } else { Server };
            came.push((side.other(), line.clone()));
            let text = s.line(side, &line);
            note(text, &mut open, &mut log);
            if !open.is_empty() && pick % 3 != 0 {
                let ticket = open.remove(usize::from(pick) % open.len());
                let text = if allow { s.allow(ticket) } else { s.deny(ticket) };
                note(text, &mut open, &mut log);
            }
        }
        while let Some(ticket) = open.pop() {
            let text = s.allow(ticket);
            note(text, &mut open, &mut log);
        }
        let text = s.step(Input::ServerGone("gone".into()));
        note(text, &mut open, &mut log);
        let text = s.step(Input::ClientEof);
        note(text, &mut open, &mut log);
        for line in log.lines() {
            for side in [Client, Server] {
                let Some(sent) = line.strip_prefix(&format!("{side:?} <- ")) else { continue };
                // Our own answers begin with another member than those of the test.
                if sent.starts_with(r#"{"error""#) || sent.starts_with(r#"{"id""#) {
                    continue;
                }
                let at = came.iter().position(|(to, l)| *to == side && l == sent);
                prop_assert!(at.is_some(), "{side:?} got {sent}\n{log}");
                came.remove(at.unwrap());
            }
        }
        prop_assert!(s.relay.pending.is_empty() && s.relay.from_client.asked.live() == 0, "{log}");
        prop_assert!(log.contains("close server\n") && log.contains("end\n"));
        let halves = [&s.relay.from_client, &s.relay.from_server];
        prop_assert!(halves.iter().all(|h| h.barriers.is_empty() && h.decided.is_empty() && h.pending == 0));
    }

    #[test]
    fn no_line_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), text in "[\\[\\]{}\":,a-z0-9\\\\u ]{0,60}") {
        let mut s = Session::new();
        for side in [Client, Server] {
            s.step(Input::Line(side, Bytes::from(bytes.clone())));
            s.step(Input::Line(side, Bytes::from(text.clone())));
        }
    }
}

#[test]
fn closed_tools_are_taken_out_of_a_list_that_waits_for_it() {
    const LIST: &str =
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}, {"name":"b","x":1e0},{"name":"c"}]}}"#;
    let mut world = Session::new();
    world.relay = world.relay.filtering(true);
    world.pass(Side::Client, r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    assert_eq!(world.line(Side::Server, LIST), "preview 2 a b c\n");
    assert!(!world.relay.is_idle());
    // The server leaves meanwhile: it has answered.
    assert_eq!(world.step(Input::ServerGone("the server ended".into())), "");
    let refused = "2 tools of `fs` hidden, which policy refuses whatever they are called with: `a`, `c`";
    assert_eq!(world.step(Input::Previewed(2, vec![true, false, true])), format!("refuse 3 After {refused}\n"));
    assert_eq!(world.deny(3), "judge 3 After tools/list\n");
    let sent = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"b","x":1e0}]}}"#;
    assert_eq!(world.allow(3), format!("Client <- {sent}\nend\n"));
}

#[test]
fn where_nothing_is_closed_or_enforced_a_list_is_as_it_came() {
    const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}]}}"#;
    for (closed, refused) in [(vec![false], ""), (vec![], ""), (vec![true], "refuse 3 After")] {
        let mut world = Session::new();
        world.relay = world.relay.filtering(true);
        world.pass(Side::Client, r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
        assert_eq!(world.line(Side::Server, LIST), "preview 2 a\n");
        let said = world.step(Input::Previewed(2, closed));
        if !refused.is_empty() {
            assert!(said.starts_with(refused), "{said}");
            // Monitor mode: it is on record, and passes.
            assert_eq!(world.allow(3), "judge 3 After tools/list\n");
        }
        assert_eq!(world.allow(3), format!("Client <- {LIST}\n"));
    }
}
