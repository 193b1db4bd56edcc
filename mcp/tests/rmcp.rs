//! The field's Rust SDK as client and as server, with the relay between them.

#![expect(clippy::disallowed_methods, reason = "tests; the closure is the gate here")]

use std::{path::Path, process::Command, sync::Arc};

use rampart_call::{Action, Call, Judgement, Origin, Permit, Reason, Refusal, Verdict};
use rampart_mcp::{environment::clean, stdio};
use rmcp::{ServiceExt as _, model::CallToolRequestParams};

/// Refuses calls that name a `.env`.
fn gate(call: Call) -> Verdict {
    match &call.action {
        Action::Mcp { arguments, .. } if arguments.to_string().contains(".env") => {
            Verdict::Deny(Refusal { judgement: Judgement::refused(Reason::Rule, "Credential access blocked") })
        }
        _ => Verdict::Allow(Permit::mint(Judgement::allowed(Reason::Default))),
    }
}

#[tokio::test]
async fn the_rust_sdk_lists_calls_and_is_refused_through_the_relay() {
    // An example, since only those and tests may use what the library does not depend on.
    let build = ["build", "--quiet", "-p", "rampart-mcp", "--example", "rmcp_server"];
    assert!(Command::new(env!("CARGO")).args(build).status().unwrap().success());
    let server = Path::new(env!("CARGO_BIN_EXE_rampart-mcp-fixture")).with_file_name("examples/rmcp_server");
    let options = stdio::Options {
        command: vec![server.into()],
        server: "files".into(),
        origin: Origin::default(),
        env: clean(std::env::vars_os()),
        pins: None,
        schemas: rampart_mcp::Schemas::default(),
        filter_tools: false,
        clean: None,
        orphans: stdio::Orphans::Leave,
        limits: stdio::Limits::default(),
    };
    let (client_side, our_side) = tokio::io::duplex(1 << 16);
    let (our_in, our_out) = tokio::io::split(our_side);
    let relay = tokio::spawn(stdio::run(options, Arc::new(gate), our_in, our_out, futures_util::stream::pending()));

    let client = ().serve(client_side).await.unwrap();
    let tools = client.list_all_tools().await.unwrap();
    assert_eq!(tools.iter().map(|t| t.name.as_ref()).collect::<Vec<_>>(), ["read_file"]);

    let call = |path: &str| {
        let arguments = serde_json::json!({ "path": path }).as_object().cloned().unwrap();
        client.call_tool(CallToolRequestParams::new("read_file").with_arguments(arguments))
    };
    let read = serde_json::to_value(call("a.txt").await.unwrap()).unwrap();
    assert_eq!(read["content"][0]["text"], "content of a.txt");
    let refused = serde_json::to_value(call("/x/.env").await.unwrap()).unwrap();
    assert_eq!(refused["isError"], true, "{refused:#}");
    assert!(refused["content"][0]["text"].as_str().unwrap().contains("Credential access blocked"), "{refused:#}");

    client.cancel().await.unwrap();
    assert_eq!(relay.await.unwrap().unwrap().exit_code, 0);
}
