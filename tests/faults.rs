//! Faults, injected from outside into the real program, and the page that lists them all.

mod exhausted;
mod gateway_dies;
mod idle;
mod matrix;
mod telling;
mod unanswered;

use serde_json::json;

/// A hook's input for a command.
fn bash(command: &str) -> Vec<u8> {
    json!({"hook_event_name": "PreToolUse", "session_id": "s", "cwd": "/tmp", "tool_name": "Bash",
        "tool_input": {"command": command}})
    .to_string()
    .into_bytes()
}

const HOOK: &[&str] = &["hook", "--format", "claude-code"];
const TOKEN: &str = "a-token-of-enough-length";
