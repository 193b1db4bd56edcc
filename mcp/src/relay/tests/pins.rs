//! Pins in the relay: what is hidden, what is refused, and what of a list stays as it was.

use super::*;
use crate::scan::{Item, Lock};

fn tool(name: &str, description: &str) -> String {
    format!(r#"{{ "name":"{name}","description":"{description}","inputSchema":{{"type":"object"}}, "x":1.0 }}"#)
}

fn offered(items: &[(Section, &str, &str)]) -> Offered {
    let mut lock = Lock::default();
    for section in [Section::Server, Section::Tools, Section::Prompts, Section::Templates] {
        lock.open("s", section);
    }
    for (section, name, definition) in items {
        let definition = serde_json::from_str(definition).unwrap();
        lock.add("s", &Item { section: *section, name: (*name).to_owned(), definition });
    }
    lock.offered("s").unwrap().clone()
}

/// A session in which the tools `a` and `b` are approved.
fn pinned() -> Session {
    let approved = offered(&[(Section::Tools, "a", &tool("a", "one")), (Section::Tools, "b", &tool("b", "two"))]);
    let mut session = Session::new();
    session.relay.pins = Some(Pins::new("fs", approved));
    session
}

fn first_use() -> Session {
    let mut session = Session::new();
    session.relay.pins = Some(Pins::new("fs", Offered::new()).trusting(|text| text.contains('\u{200b}')));
    session
}

/// A list request and its result; what came of the result.
fn list(s: &mut Session, id: u32, tools: &[String], more: &str) -> String {
    s.pass(Client, &request(id, "tools/list", "{}"));
    s.line(Server, &result(id, &format!(r#"{{ "tools": [{}]{more} }}"#, tools.join(" , "))))
}

#[test]
fn a_list_of_what_is_approved_passes_byte_for_byte() {
    let mut s = pinned();
    let tools = [tool("a", "one"), tool("b", "two")];
    let judged = list(&mut s, 1, &tools, r#","nextCursor":null,"ttlMs":5"#);
    assert_eq!(judged, "judge 2 After tools/list\n");
    let line = result(1, &format!(r#"{{ "tools": [{}],"nextCursor":null,"ttlMs":5 }}"#, tools.join(" , ")));
    assert_eq!(s.allow(2), format!("Client <- {line}\n"));
}

#[test]
fn what_is_new_or_changed_is_taken_out_and_the_rest_stays_as_it_was() {
    let mut s = pinned();
    let more = r#", "ttlMs":3600000,"cacheScope":"public","_meta":{"x":1e0}"#;
    let told = list(&mut s, 1, &[tool("a", "one"), tool("b", "obey"), tool("c", "three")], more);
    assert_eq!(
        told,
        "offered: learned [] withheld [b c]\nrefuse 2 After 2 tools of `fs` hidden: `b` (changed), `c` (new)\n"
    );
    assert_eq!(s.deny(2), "judge 2 After tools/list\n");
    let text = &s.calls[&2].response.as_ref().unwrap().text;
    assert!(text.contains("one") && !text.contains("obey") && !text.contains("three"), "{text}");
    let left =
        format!(r#"{{ "tools": [{}], "ttlMs":0,"cacheScope":"private","_meta":{{"x":1e0}} }}"#, tool("a", "one"));
    assert_eq!(s.allow(2), format!("Client <- {}\n", result(1, &left)));
}

#[test]
fn where_nothing_is_enforced_the_whole_list_passes_and_it_is_on_record() {
    let mut s = pinned();
    list(&mut s, 1, &[tool("c", "three")], "");
    assert_eq!(s.allow(2), "judge 2 After tools/list\n");
    assert!(s.calls[&2].response.as_ref().unwrap().text.contains("three"));
    assert_eq!(
        s.allow(2),
        format!("Client <- {}\n", result(1, &format!(r#"{{ "tools": [{}] }}"#, tool("c", "three"))))
    );
}

#[test]
fn a_call_of_what_is_not_approved_is_refused_without_any_list() {
    let mut s = pinned();
    s.pass(Client, &call(1, "a"));
    let told = s.line(Client, &call(2, "c"));
    assert_eq!(
        told,
        "refuse 2 Before the tool `c` of `fs` is not among what was approved. `rampart mcp pins diff fs` shows it\n"
    );
    assert!(s.deny(2).starts_with("Client <- "));
    for (id, method, params, what) in [
        (3, "prompts/get", r#"{"name":"p"}"#, "prompt `p`"),
        (4, "completion/complete", r#"{"ref":{"type":"ref/prompt","name":"p"}}"#, "prompt `p`"),
        (5, "completion/complete", r#"{"ref":{"type":"ref/resource","uri":"f://{x}"}}"#, "resource template `f://{x}`"),
        (6, "tools/call", r#"{"name":"a\u001b[2J"}"#, "tool `a\\u001b[2J`"),
    ] {
        let told = s.line(Client, &request(id, method, params));
        assert!(told.starts_with(&format!("refuse {id} Before the {what}")), "{told}");
    }
    // What the server asks for is not its own offer.
    assert!(s.line(Server, &request(7, "tools/call", r#"{"name":"c"}"#)).starts_with("judge"));
}

#[test]
fn a_tool_that_changed_is_refused_until_it_is_as_it_was_or_approved() {
    let mut s = pinned();
    list(&mut s, 1, &[tool("a", "obey")], "");
    s.deny(2);
    s.allow(2);
    let told = s.line(Client, &call(2, "a"));
    assert!(told.starts_with("refuse 3 Before the tool `a` of `fs` is not what was approved"), "{told}");
    s.deny(3);
    assert!(list(&mut s, 3, &[tool("a", "one")], "").contains("judge 5"));
    s.allow(5);
    assert_eq!(s.line(Client, &call(4, "a")), "judge 6 Before tools/call a\n");
}

#[test]
fn two_tools_of_one_name_are_not_the_approved_one() {
    for tools in [[tool("a", "one"), tool("a", "obey")], [tool("a", "obey"), tool("a", "one")]] {
        let mut s = pinned();
        assert!(list(&mut s, 1, &tools, "").contains("1 tools of `fs` hidden: `a` (changed)"));
        assert!(s.line(Client, &call(2, "a")).starts_with("refuse"));
    }
}

#[test]
fn approval_takes_effect_in_the_session_and_the_client_hears_of_it() {
    let mut s = pinned();
    s.pass(Client, &request(0, "initialize", "{}"));
    s.pass(Server, &result(0, r#"{"capabilities":{"tools":{"listChanged":true}}}"#));
    list(&mut s, 1, &[tool("a", "one"), tool("c", "three")], "");
    let approved = offered(&[(Section::Tools, "a", &tool("a", "one")), (Section::Tools, "c", &tool("c", "three"))]);
    assert_eq!(
        s.step(Input::Approved(approved)),
        "Client <- {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n"
    );
    assert!(!s.relay.withholds());
    assert!(s.line(Client, &call(2, "c")).starts_with("judge"));
    assert!(s.line(Client, &call(3, "b")).starts_with("refuse"), "approval was taken back");
}

#[test]
fn the_first_list_is_trusted_page_by_page_and_nothing_after_it() {
    let mut s = first_use();
    s.pass(Client, &call(0, "unseen"));
    let told = list(&mut s, 1, &[tool("a", "one"), tool("h", "one\u{200b}")], r#","nextCursor":"2""#);
    assert!(told.starts_with("offered: learned [a] withheld [h]\n"), "what hides something is not trusted: {told}");
    assert!(s.line(Client, &call(9, "h")).starts_with("refuse"));
    assert!(s.line(Client, &call(10, "on-the-next-page")).starts_with("judge"));
    let told = list(&mut s, 2, &[tool("b", "two"), tool("a", "obey")], "");
    assert!(told.starts_with("offered: learned [b] withheld [a]\n"), "a page may not change another: {told}");
    let told = list(&mut s, 3, &[tool("a", "one"), tool("b", "two"), tool("c", "three")], "");
    assert!(told.starts_with("offered: learned [] withheld [c]\n"), "{told}");
    assert!(s.line(Client, &call(11, "c")).starts_with("refuse"));
    assert!(s.line(Client, &call(12, "b")).starts_with("judge"));
}

#[test]
fn changed_instructions_are_withheld_and_the_server_keeps_its_name() {
    let definition = r#"{"serverInfo":{"name":"s","version":"1"},"instructions":"Be kind.","capabilities":{}}"#;
    for (now, left) in [
        (r#"{"serverInfo":{"name":"s","version":"1"},"instructions":"Be kind.","capabilities":{"x":{}}}"#, None),
        (
            r#"{"protocolVersion":"v", "serverInfo":{"name":"s","version":"1"}, "instructions":"Obey."}"#,
            Some(r#"{"protocolVersion":"v", "serverInfo":{"name":"s","version":"1"}, "instructions":"Be kind."}"#),
        ),
        (
            r#"{"serverInfo":{"name":"Obey","version":"1"},"instructions":"Be kind."}"#,
            Some(r#"{"serverInfo":{"name":"s","version":"1"},"instructions":"Be kind."}"#),
        ),
    ] {
        for method in ["initialize", "server/discover"] {
            let mut s = Session::new();
            s.relay.pins = Some(Pins::new("fs", offered(&[(Section::Server, "", definition)])));
            s.pass(Client, &request(1, method, "{}"));
            let told = s.line(Server, &result(1, now));
            if left.is_some() {
                assert!(told.contains("refuse 2 After what `fs` says of itself has changed and is withheld"), "{told}");
                s.deny(2);
            }
            assert_eq!(s.allow(2), format!("Client <- {}\n", result(1, left.unwrap_or(now))));
        }
    }
}

#[test]
fn a_list_that_two_readers_read_differently_is_no_answer() {
    let mut s = pinned();
    s.pass(Client, &request(1, "tools/list", "{}"));
    let told = s.line(Server, &result(1, &format!(r#"{{"tools":[],"Tools":[{}]}}"#, tool("c", "obey"))));
    assert!(told.contains("differs from `tools` in case only") && !told.contains("obey"), "{told}");
}

proptest! {
    #[test]
    fn nothing_that_is_not_approved_reaches_the_client(names in prop::collection::vec("[a-d]", 0..6), changed in any::<u8>()) {
        let mut s = pinned();
        let description = |n: usize, name: &str| match (changed >> n & 1, name) {
            (0, "a") => "one",
            (0, "b") => "two",
            _ => "secretly other",
        };
        let tools: Vec<String> = names.iter().enumerate().map(|(n, name)| tool(name, description(n, name))).collect();
        let told = list(&mut s, 1, &tools, "");
        if told.contains("refuse") {
            s.deny(2);
        }
        let sent = s.allow(2);
        prop_assert!(!sent.contains("secretly other"), "{}", sent);
        let line: Value = serde_json::from_str(sent.strip_prefix("Client <- ").unwrap()).unwrap();
        let approved = tools.iter().filter(|t| !t.contains("secretly other")).count();
        prop_assert_eq!(line["result"]["tools"].as_array().unwrap().len(), approved);
    }
}
