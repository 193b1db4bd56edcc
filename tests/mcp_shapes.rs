//! What reaches a server and comes back of a call: of the shape that its schemas say, and without what policy takes out.

use serde_json::{Value, json};

use crate::{
    mcp_http::{Listener, front_with},
    world::{Ran, Talk, World, have},
};

const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: secrets-stay-here
    match: { tool: mcp, phase: before }
    rules: [{ action: redact, when: { detects: [secret] } }]
"#;

/// A server over HTTP, or on standard output without a port: one tool, which answers what it is told to, and writes down
/// each message.
const SERVER: &str = r#"
import http.server, json, sys
TOOL = {
    "name": "add",
    "inputSchema": {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "Number"}, "out": {}, "note": {}}, "required": ["n"]},
    "outputSchema": {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]},
}
def answer(asked, headers=None):
    with open("LOG", "a") as log:
        told = {name: value for name, value in (headers or {}).items() if name.lower().startswith("mcp-param")}
        log.write(json.dumps([asked, told], ensure_ascii=False) + "\n")
    if asked["method"] == "tools/list":
        result = {"tools": [TOOL]}
    elif asked["method"] == "initialize":
        result = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}
    else:
        result = {"content": [{"type": "text", "text": "done"}], "structuredContent": asked["params"]["arguments"].get("out", {"sum": 1})}
    return json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result})
class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = answer(json.loads(self.rfile.read(int(self.headers["content-length"]))), self.headers).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
if len(sys.argv) > 1:
    for line in sys.stdin:
        print(answer(json.loads(line)), flush=True)
else:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    print(server.server_port, flush=True)
    server.serve_forever()
"#;

/// A way to the server.
enum Road<'w> {
    Stdio(Talk),
    Http { world: &'w World, front: Listener, _server: Listener },
}

impl<'w> Road<'w> {
    fn open(world: &'w World, http: bool, flags: &[&str]) -> Self {
        let code = SERVER.replace("LOG", world.path("log").to_str().unwrap());
        if http {
            let mut server = world.command("python3");
            server.args(["-c", &code]);
            let server = Listener::start(server);
            let front = front_with(world, &format!("http://127.0.0.1:{}/mcp", server.1), "sums", flags);
            return Self::Http { world, front, _server: server };
        }
        let mut command = world.rampart(&["mcp", "--name", "sums"]);
        command.args(flags).args(["--", "python3", "-c", &code, "stdio"]);
        Self::Stdio(Talk::start(command))
    }

    fn ask(&mut self, id: u32, method: &str, params: &Value, headers: &[&str]) -> Value {
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string();
        match self {
            Self::Stdio(talk) => {
                talk.say(&message);
                talk.hear_json()
            }
            Self::Http { world, front, .. } => {
                let mut curl = world.command("curl");
                curl.args(["-s", "--max-time", "20", "-H", "content-type: application/json"]);
                curl.args(headers.iter().flat_map(|header| ["-H", header]));
                Ran::from(curl.args(["--data-binary", &message, &front.1]).output().unwrap()).expect(0).json()
            }
        }
    }

    fn call(&mut self, id: u32, arguments: &Value) -> Value {
        self.ask(id, "tools/call", &json!({"name": "add", "arguments": arguments}), &[])
    }
}

/// What the server was told.
fn told(world: &World) -> Vec<Value> {
    let log = std::fs::read_to_string(world.path("log")).unwrap_or_default();
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn calls_and_results_are_held_to_the_schemas_where_that_is_wanted() {
    if !have("calls_and_results_are_held_to_the_schemas_where_that_is_wanted", &["python3", "curl"]) {
        return;
    }
    for http in [false, true] {
        for (which, more_passes, bad_passes) in [("off", true, true), ("check", true, false), ("closed", false, false)]
        {
            let mut world = World::with_policy("version: \"1\"\ndefault_action: allow\npolicies: []\n");
            world.serve(&[]);
            let mut road = Road::open(&world, http, &["--schemas", which]);
            road.ask(1, "tools/list", &json!({}), &[]);
            for (arguments, passes, reaches) in [
                (json!({"n": 1}), true, true),
                (json!({"n": 1, "unknown": 1}), more_passes, more_passes),
                (json!({"n": "1"}), bad_passes, bad_passes),
                (json!({}), bad_passes, bad_passes),
                (json!({"n": 1, "out": {"sum": "much"}}), bad_passes, true),
            ] {
                let before = told(&world).len();
                let answer = road.call(2, &arguments);
                let refused = answer["result"]["isError"] == true;
                assert_eq!(
                    (!refused, told(&world).len() > before),
                    (passes, reaches),
                    "{http} {which} {arguments}: {answer}"
                );
                assert!(
                    !refused
                        || answer["result"]["content"][0]["text"]
                            .as_str()
                            .unwrap()
                            .contains("are not what the tool takes")
                        || answer.to_string().contains("is not what the tool gives"),
                    "{answer}"
                );
            }
            let recorded = world.records().iter().filter(|record| record["reason"] == "malformed").count();
            assert_eq!(recorded, if bad_passes { 0 } else { 3 + usize::from(!more_passes) });
        }
    }
}

#[test]
fn a_tool_that_is_pinned_needs_no_list_before_it_is_held_to_its_schema() {
    if !have("a_tool_that_is_pinned_needs_no_list_before_it_is_held_to_its_schema", &["python3"]) {
        return;
    }
    let mut world = World::with_policy("version: \"1\"\ndefault_action: allow\npolicies: []\n");
    world.serve(&[]);
    Road::open(&world, false, &[]).ask(1, "tools/list", &json!({}), &[]);
    let answer = Road::open(&world, false, &["--schemas", "check"]).call(1, &json!({"n": "one"}));
    assert_eq!(answer["result"]["isError"], true, "{answer}");
}

#[test]
fn secrets_are_taken_out_of_calls_and_the_rest_reaches_the_server() {
    if !have("secrets_are_taken_out_of_calls_and_the_rest_reaches_the_server", &["python3", "curl"]) {
        return;
    }
    let secret = ["ghp_", "1B4a2e77838347a7E420", "ce178F2E7c", "05URMu"].concat();
    for http in [false, true] {
        let mut world = World::with_policy(POLICY);
        world.serve(&[]);
        let mut road = Road::open(&world, http, &["--pins", "off"]);
        let arguments = json!({"n": 1, "note": {"deep": [format!("the key is {secret}."), "größer"]}});
        let params = json!({"name": "add", "arguments": arguments, "_meta": {"vendor/key": secret}});
        let answer = road.ask(7, "tools/call", &params, &[&format!("mcp-param-note: the key is {secret}.")]);
        assert_eq!(answer["result"]["content"][0]["text"], "done", "{answer}");
        let told = told(&world);
        let said = &told[0][0]["params"];
        assert!(!told[0].to_string().contains(&secret), "{told:?}");
        assert_eq!((&said["name"], &said["arguments"]["n"]), (&json!("add"), &json!(1)));
        assert_eq!(said["arguments"]["note"]["deep"][1], "größer");
        let left = said["arguments"]["note"]["deep"][0].as_str().unwrap();
        assert!(left.starts_with("the key is [redacted: ") && left.ends_with("]."), "{left}");
        assert!(!http || told[0][1].to_string().contains(left), "the header says the same: {told:?}");
        let decisions = world.decisions();
        let decision = decisions.iter().find(|d| d["action"]["tool"] == "add" && d["phase"] != "after").unwrap();
        assert_eq!((&decision["outcome"], &decision["rule"]["policy"]), (&json!("watch"), &json!("secrets-stay-here")));
        assert!(decision["edits"].as_u64().unwrap() >= 2 && !decision.to_string().contains(&secret), "{decision}");
    }
}
