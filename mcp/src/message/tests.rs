use serde_json::json;

use super::*;

#[track_caller]
fn refuses(line: impl AsRef<[u8]>, code: i64, why: &str) {
    let fault = parse(line.as_ref()).unwrap_err();
    let line = String::from_utf8_lossy(line.as_ref()).into_owned();
    assert!(fault.code == code && fault.why.contains(why), "{line}\n{fault:?}");
}

#[test]
fn messages_are_told_apart() {
    assert_eq!(
        parse(b"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/list\"}\n"),
        Ok(Message::Request { id: Id::Number(7), method: "tools/list".into(), params: Value::Null })
    );
    assert_eq!(
        parse(br#"{"method":"x/y","jsonrpc":"2.0","params":{"a":[1]},"extra":0}"#),
        Ok(Message::Notification { method: "x/y".into(), params: json!({"a": [1]}) })
    );
    let line = " {\"id\":\"\\u0037\",\"result\": {\"é\":1} ,\"jsonrpc\":\"2.0\"}\r\n".as_bytes();
    let Ok(Message::Response { id, body, place }) = parse(line) else { panic!() };
    assert_eq!((id, body), (Id::Text("7".into()), json!({"é": 1})));
    assert_eq!(line.get(place), Some("{\"é\":1}".as_bytes()));
    let Ok(Message::Response { body, .. }) = parse(br#"{"jsonrpc":"2.0","id":1,"error":{"code":1}}"#) else { panic!() };
    assert_eq!(body, json!({"code": 1}));
}

#[test]
fn what_is_not_json_is_a_parse_error() {
    for (line, why) in [
        (&b""[..], "EOF"),
        (b"npm WARN deprecated", "expected"),
        (b"{\"jsonrpc\":", "EOF"),
        (b"{\"jsonrpc\":\"2.0\"} {}", "trailing"),
        (b"{'jsonrpc':1}", "key must be"),
        (b"{\"a\":1,}", "trailing comma"),
        (b"{\"a\":01}", "invalid number"),
        (b"{\"a\":NaN}", "expected"),
        (b"{\"a\":\"\x00\"}", "control character"),
        (b"{\"a\":\x00}", "expected value"),
        (b"\xef\xbb\xbf{}", "expected value"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8 at byte 1"),
        (b"{\"a\":\"\xc3(\"}", "not UTF-8 at byte 7"),
        (b"{\"a\":\"\xed\xa0\x80\"}", "not UTF-8"),
        (b"{\"a\":\"\xc0\xaf\"}", "not UTF-8"),
        (b"\"text\"", "JSON object"),
        (b"null", "JSON object"),
        (b"{\"jsonrpc\":\"2.0\",\r\"id\":1,\"method\":\"ping\"}\n", "carriage return"),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\r\r\n", "carriage return"),
    ] {
        refuses(line, PARSE_ERROR, why);
    }
}

#[test]
fn a_message_hidden_between_carriage_returns_is_refused() {
    let hidden = r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"evil"}}"#;
    let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{{\"a\":\r{hidden}\r}}}}\n");
    refuses(line, PARSE_ERROR, "carriage return");
}

#[test]
fn what_means_two_things_is_refused_and_the_id_is_kept() {
    for (rest, why) in [
        (r#""method":"a","method":"b""#, "`method` stands twice"),
        (r#""method":"a","params":{"x":{"k":1,"k":2}}"#, "`k` stands twice"),
        (r#""method":"a","params":{"x":{"k":1,"\u006b":2}}"#, "`k` stands twice"),
        (r#""method":"a","Method":"b""#, "differs from `method`"),
        (r#""method":"a","PARAMS":{}"#, "differs from `params`"),
        (r#""Method":"a""#, "differs from `method`"),
        (r#""method":"a","\u017fult":1,"re\u017fult":{}"#, "differs from `result`"),
        (r#""method":"tools/call","params":{"name":"a","Name":"b"}"#, "differs from `name`"),
        (r#""method":"tools/call","params":{"name":"a","ARGUMENTS":{}}"#, "differs from `arguments`"),
        (r#""method":"resources/read","params":{"URI":"b"}"#, "differs from `uri`"),
        (r#""method":"a","params":{"x":"\ud800"}"#, "hex escape"),
        (r#""method":"a","params":{"x":"\ud800\u0041"}"#, "surrogate"),
        (r#""method":"a","params":{"x":1e999}"#, "out of range"),
        (r#""method":"a","params":[1]"#, "`params` must be an object"),
        (r#""method":"a","params":"x""#, "`params` must be an object"),
        (r#""method":"a","result":{}"#, "not both"),
        (r#""result":{},"error":{}"#, "not both"),
        (r#""result":5"#, "must be objects"),
        (r#""error":null"#, "must be objects"),
        (r#""method":1"#, "must be a string"),
        (r#""method":"""#, "is empty"),
        (r#""method":"a\u0000b""#, "control"),
        (r#""x":1"#, "neither"),
    ] {
        let line = format!(r#"{{"jsonrpc":"2.0","id":"x",{rest}}}"#);
        refuses(&line, INVALID_REQUEST, why);
        assert_eq!(parse(line.as_bytes()).unwrap_err().id, Some(Id::Text("x".into())), "{line}");
    }
    refuses(r#"{"jsonrpc":"1.0","id":1,"method":"a"}"#, INVALID_REQUEST, "2.0");
    refuses(r#"{"id":1,"method":"a"}"#, INVALID_REQUEST, "2.0");
    refuses(r#"{"jsonrpc":2.0,"id":1,"method":"a"}"#, INVALID_REQUEST, "2.0");
    refuses(r#"{"jsonrpc":"2.0","result":{}}"#, INVALID_REQUEST, "needs the `id`");
    refuses(r#"{"jsonrpc":"2.0","error":{},"id":null}"#, INVALID_REQUEST, "string or an integer");
}

#[test]
fn ids_are_strings_and_exact_integers() {
    for (id, why) in [
        ("null", "string or an integer"),
        ("true", "string or an integer"),
        ("{}", "string or an integer"),
        ("[1]", "string or an integer"),
        ("1.0", "not an integer"),
        ("1.5", "not an integer"),
        ("1e2", "not an integer"),
        ("-0", "not an integer"),
        ("9007199254740992", "beyond 2^53-1"),
        ("-9007199254740992", "beyond 2^53-1"),
        ("9223372036854775808", "not an integer"),
        ("1e400", "out of range"),
        (r#""a\u0000""#, "NUL"),
        (&format!("\"{}\"", "x".repeat(1025)), "1024 bytes"),
    ] {
        let fault = parse(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#).as_bytes()).unwrap_err();
        assert!(fault.why.contains(why) && fault.id.is_none(), "{id}: {fault:?}");
    }
    for (text, id) in [
        ("0", Id::Number(0)),
        ("-5", Id::Number(-5)),
        ("9007199254740991", Id::Number(MAX_SAFE_INTEGER)),
        (r#""""#, Id::Text(String::new())),
        (r#""1""#, Id::Text("1".into())),
    ] {
        match parse(format!(r#"{{"jsonrpc":"2.0","id":{text},"method":"ping"}}"#).as_bytes()) {
            Ok(Message::Request { id: read, .. }) => assert_eq!(read, id),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_id_that_stands_twice_names_no_request() {
    let fault = parse(br#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#).unwrap_err();
    assert_eq!((fault.id, fault.code), (None, INVALID_REQUEST));
}

#[test]
fn a_batch_is_refused_whatever_is_in_it() {
    for line in ["[]", " [1]", "\t[", r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#] {
        refuses(line, INVALID_REQUEST, "batches are not accepted");
    }
}

#[test]
fn nesting_and_odd_content_are_bounded_but_not_forbidden() {
    let nested = |n: usize| {
        let (open, close) = ("[".repeat(n), "]".repeat(n));
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"a","params":{{"x":{open}{close}}}}}"#)
    };
    assert!(parse(nested(90).as_bytes()).is_ok());
    for deep in [120, 100_000] {
        let fault = parse(nested(deep).as_bytes()).unwrap_err();
        assert_eq!((fault.code, fault.id), (INVALID_REQUEST, Some(Id::Number(1))), "{}", fault.why);
    }
    for fine in [
        r#""params":null"#,
        r#""params":{"Path":1,"path":2}"#,
        r#""params":{"x":"\u0000\u2028😀"}"#,
        r#""params":{"n":18446744073709551616}"#,
        r#""params":{"arguments":{"Name":1,"name":2}}"#,
    ] {
        assert!(parse(format!(r#"{{"jsonrpc":"2.0","method":"a",{fine}}}"#).as_bytes()).is_ok(), "{fine}");
    }
    let keys = (0..100_000).map(|i| format!(r#""k{i}":{i},"#)).collect::<Vec<_>>().concat();
    assert!(parse(format!(r#"{{"jsonrpc":"2.0","method":"a","params":{{{keys}"z":0}}}}"#).as_bytes()).is_ok());
}

#[test]
fn a_reason_does_not_repeat_foreign_text_at_length() {
    let key = format!("\\u001b[2J{}", "k".repeat(5000));
    let fault = parse(format!(r#"{{"jsonrpc":"2.0","id":1,"{key}":1,"{key}":2}}"#).as_bytes()).unwrap_err();
    assert!(fault.why.len() < 250 && !fault.why.contains('\u{1b}'), "{}", fault.why);
}
