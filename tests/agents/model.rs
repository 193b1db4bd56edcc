//! A model that says what a test tells it to: one tool call after the other, in the dialect that it is asked in. Real
//! agents take it for their provider's.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

/// A tool call that the model wants.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The agent's own name of the tool.
    pub(super) tool: &'static str,
    pub(super) input: Value,
    /// The input is text, not JSON, as OpenAI's freeform tools have it.
    pub(super) freeform: bool,
}

/// A listener on loopback.
pub(super) struct Model {
    pub(super) port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

/// What ends the conversation.
pub(super) const LAST_WORDS: &str = "that is all I wanted";

impl Model {
    /// Wants these one after the other, and then says its last words.
    pub(super) fn start(wants: Vec<Wanted>) -> Self {
        Self::of(wants, LAST_WORDS)
    }

    /// Wants nothing and says this.
    pub(super) fn saying(words: &'static str) -> Self {
        Self::of(Vec::new(), words)
    }

    fn of(wants: Vec<Wanted>, words: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let wants = Arc::new(wants);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (seen, wants) = (Arc::clone(&seen), Arc::clone(&wants));
                std::thread::spawn(move || serve(stream, &wants, words, &seen));
            }
        });
        Self { port, asked }
    }

    /// Everything that was asked so far, as it was sent.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// The last request that holds the results of tools.
    pub(super) fn conversation(&self) -> String {
        let asked = self.asked();
        let with_results = asked.iter().max_by_key(|body| results(&serde_json::from_str(body).unwrap_or_default()));
        with_results.cloned().unwrap_or_default()
    }
}

/// Answers one request, and closes the connection.
fn serve(stream: TcpStream, wants: &[Wanted], words: &str, seen: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let Some((path, body)) = request(&mut reader) else { return };
    let parsed: Value = serde_json::from_str(&body).unwrap_or_default();
    let turn = results(&parsed);
    // What an agent asks beside the conversation, such as for a title, comes without tools.
    let want = if parsed["tools"].as_array().is_some_and(|tools| !tools.is_empty()) { wants.get(turn) } else { None };
    let answer = if path.contains("/messages") && !path.contains("count_tokens") {
        Some(anthropic(turn, want))
    } else if path.contains("/responses") {
        Some(responses(turn, want))
    } else if path.contains("/chat/completions") {
        Some(chat(turn, want, words))
    } else if path.contains("GenerateContent") {
        Some(gemini(want))
    } else {
        None
    };
    seen.lock().unwrap().push(body);
    let (status, kind, text) = match answer {
        Some(events) if parsed["stream"] == true || path.contains("streamGenerateContent") => {
            ("200 OK", "text/event-stream", events.iter().map(event).collect::<String>())
        }
        // The last event of these holds the whole answer.
        Some(events) => ("200 OK", "application/json", events.last().unwrap().to_string()),
        None if path.contains("count_tokens") || path.contains("countTokens") => {
            ("200 OK", "application/json", json!({"input_tokens": 10, "totalTokens": 10}).to_string())
        }
        None if path.ends_with("/models") => {
            let model = json!({"id": "mock-model", "object": "model"});
            ("200 OK", "application/json", json!({"object": "list", "data": [model]}).to_string())
        }
        None => ("404 Not Found", "application/json", "{}".to_owned()),
    };
    let mut stream = stream;
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        text.len()
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(text.as_bytes()));
}

fn event(data: &Value) -> String {
    match data["type"].as_str() {
        Some(name) => format!("event: {name}\ndata: {data}\n\n"),
        None if data.is_string() => format!("data: {}\n\n", data.as_str().unwrap()),
        None => format!("data: {data}\n\n"),
    }
}

/// Path and body of a request.
fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, String)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut length, mut chunked) = (0, false);
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let header = line.trim().to_ascii_lowercase();
        match header.split_once(':') {
            None => break,
            Some(("content-length", value)) => length = value.trim().parse().ok()?,
            Some(("transfer-encoding", value)) => chunked = value.contains("chunked"),
            Some(_) => {}
        }
    }
    let mut body = Vec::new();
    if chunked {
        loop {
            line.clear();
            reader.read_line(&mut line).ok()?;
            let size = u64::from_str_radix(line.trim(), 16).ok()?;
            reader.take(size).read_to_end(&mut body).ok()?;
            line.clear();
            reader.read_line(&mut line).ok()?;
            if size == 0 {
                break;
            }
        }
    } else {
        reader.take(length).read_to_end(&mut body).ok()?;
    }
    Some((path, String::from_utf8_lossy(&body).into_owned()))
}

/// How many results of tools a request tells of: the turn of the conversation.
fn results(body: &Value) -> usize {
    let list = |key: &str| body[key].as_array().cloned().unwrap_or_default();
    let in_content = |message: &Value| {
        let parts = message["content"].as_array().into_iter().flatten();
        parts.filter(|part| part["type"] == "tool_result").count()
    };
    let messages = list("messages")
        .iter()
        .map(|message| in_content(message) + usize::from(message["role"] == "tool"))
        .sum::<usize>();
    let outputs =
        list("input").iter().filter(|item| item["type"].as_str().is_some_and(|t| t.ends_with("_call_output"))).count();
    let parts = list("contents").into_iter().map(|content| {
        content["parts"].as_array().into_iter().flatten().filter(|part| part.get("functionResponse").is_some()).count()
    });
    messages + outputs + parts.sum::<usize>()
}

/// Anthropic's Messages API, as a stream.
fn anthropic(turn: usize, want: Option<&Wanted>) -> Vec<Value> {
    let usage = json!({"input_tokens": 10, "output_tokens": 10});
    let message = json!({"id": format!("msg_{turn}"), "type": "message", "role": "assistant", "model": "mock", "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage});
    let (block, delta, reason) = match want {
        Some(want) => (
            json!({"type": "tool_use", "id": format!("toolu_{turn}"), "name": want.tool, "input": {}}),
            json!({"type": "input_json_delta", "partial_json": want.input.to_string()}),
            "tool_use",
        ),
        None => (json!({"type": "text", "text": ""}), json!({"type": "text_delta", "text": LAST_WORDS}), "end_turn"),
    };
    vec![
        json!({"type": "message_start", "message": message}),
        json!({"type": "content_block_start", "index": 0, "content_block": block}),
        json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null}, "usage": {"output_tokens": 10}}),
        json!({"type": "message_stop"}),
    ]
}

/// OpenAI's Responses API, as a stream.
fn responses(turn: usize, want: Option<&Wanted>) -> Vec<Value> {
    let call = format!("call_{turn}");
    let item = match want {
        Some(want) if want.freeform => {
            json!({"type": "custom_tool_call", "id": format!("ctc_{turn}"), "call_id": call, "name": want.tool, "input": want.input, "status": "completed"})
        }
        Some(want) => {
            json!({"type": "function_call", "id": format!("fc_{turn}"), "call_id": call, "name": want.tool, "arguments": want.input.to_string(), "status": "completed"})
        }
        None => {
            json!({"type": "message", "id": format!("msg_{turn}"), "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": LAST_WORDS, "annotations": []}]})
        }
    };
    let usage = json!({"input_tokens": 10, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 10, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 20});
    let response = |status: &str, output: Value| json!({"id": format!("resp_{turn}"), "object": "response", "status": status, "model": "mock", "output": output, "usage": usage});
    vec![
        json!({"type": "response.created", "response": response("in_progress", json!([]))}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
        json!({"type": "response.completed", "response": response("completed", json!([item]))}),
    ]
}

/// OpenAI's Chat Completions API, as a stream.
fn chat(turn: usize, want: Option<&Wanted>, words: &str) -> Vec<Value> {
    let chunk = |delta: Value, reason: Value| json!({"id": format!("chatcmpl-{turn}"), "object": "chat.completion.chunk", "created": 1, "model": "mock-model", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]});
    let (delta, reason) = match want {
        Some(want) => {
            let function = json!({"name": want.tool, "arguments": want.input.to_string()});
            let call = json!({"index": 0, "id": format!("call_{turn}"), "type": "function", "function": function});
            (json!({"role": "assistant", "content": null, "tool_calls": [call]}), "tool_calls")
        }
        None => (json!({"role": "assistant", "content": words}), "stop"),
    };
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20});
    let mut last = chunk(json!({}), json!(reason));
    last["usage"] = usage.clone();
    vec![chunk(delta, Value::Null), last, json!("[DONE]")]
}

/// Google's API, as a stream of one event.
fn gemini(want: Option<&Wanted>) -> Vec<Value> {
    let part = match want {
        Some(want) => json!({"functionCall": {"name": want.tool, "args": want.input}}),
        None => json!({"text": LAST_WORDS}),
    };
    let usage = json!({"promptTokenCount": 10, "candidatesTokenCount": 10, "totalTokenCount": 20});
    vec![
        json!({"candidates": [{"index": 0, "content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}], "usageMetadata": usage, "modelVersion": "mock"}),
    ]
}
