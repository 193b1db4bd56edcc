//! Who comes in to `rampart mcp serve`, and with whose word: TLS, the listener's tokens, logins of the servers behind it.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::{
    mcp_http::{Listener, call, front_with},
    world::{Ran, World, bin, have, set_mode},
};

/// A server that wants a login, and writes down what it is shown: `NAME LOG`.
const SERVER: &str = r#"
import http.server, json, sys
class Server(http.server.BaseHTTPRequestHandler):
    def note(self):
        with open(sys.argv[2], "a") as log:
            log.write(f"{sys.argv[1]} {self.command} {self.path} {self.headers.get('authorization')} {self.headers.get('x-rampart-token')}\n")
    def answer(self, status, body, **more):
        body = json.dumps(body).encode()
        self.send_response(status)
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def here(self):
        return f"http://127.0.0.1:{server.server_port}"
    def do_GET(self):
        self.note()
        if self.path == "/.well-known/special":
            return self.answer(200, {"resource": self.here() + "/mcp", "authorization_servers": ["https://login.example"]})
        if self.path == "/.well-known/oauth-protected-resource":
            return self.answer(200, {"resource": "https://another.example", "authorization_servers": ["https://login.example"]})
        if self.path == "/.well-known/oauth-authorization-server" and sys.argv[1] == "old":
            return self.answer(200, {"issuer": self.here(), "token_endpoint": self.here() + "/token"})
        self.answer(404, {})
    def do_POST(self):
        self.note()
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if asked["params"]["name"] == "moved":
            return self.answer(307, {}, location="http://127.0.0.1:9/elsewhere")
        if not self.headers.get("authorization"):
            return self.answer(401, {}, www_authenticate=f'Bearer resource_metadata="{self.here()}/.well-known/special", scope="all"')
        self.answer(200, {"jsonrpc": "2.0", "id": asked["id"], "result": {"content": []}})
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
print(server.server_port, flush=True)
server.serve_forever()
"#;

fn server(world: &World, name: &str) -> Listener {
    let mut server = world.command("python3");
    server.args(["-c", SERVER, name]).arg(world.path("log"));
    Listener::start(server)
}

/// The status, the headers and the body of an answer.
fn curl(world: &World, args: &[&str]) -> (String, String, Value) {
    let mut curl = world.command("curl");
    curl.args(["-si", "--max-time", "20", "-H", "content-type: application/json"]).args(args);
    let ran = Ran::from(curl.stdin(Stdio::null()).output().unwrap());
    let (head, body) = ran.stdout.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{ran:?}"));
    let status = head.split(' ').nth(1).unwrap().to_owned();
    (status, head.to_owned(), serde_json::from_str(body).unwrap_or_default())
}

fn log(world: &World) -> String {
    std::fs::read_to_string(world.path("log")).unwrap_or_default()
}

#[test]
fn a_server_of_2025_03_26_is_its_own_login_for_clients_of_any_time() {
    if !have("a_server_of_2025_03_26_is_its_own_login_for_clients_of_any_time", &["python3", "curl"]) {
        return;
    }
    let mut world = World::with_policy("version: \"1\"\ndefault_action: allow\npolicies: []\n");
    world.serve(&[]);
    let login = server(&world, "old");
    let site = format!("http://127.0.0.1:{}", login.1);
    let front = front_with(&world, &format!("{site}/mcp"), "old", &[]);
    let here = front.1.strip_suffix("/mcp").unwrap_or_else(|| panic!("{}", front.1));
    for path in ["", "/mcp"] {
        let (status, _, told) = curl(&world, &[&format!("{here}/.well-known/oauth-authorization-server{path}")]);
        assert_eq!((status.as_str(), &told["issuer"]), ("200", &json!(site)), "{path} {told}");
    }
    let (status, _, told) = curl(&world, &[&format!("{here}/.well-known/oauth-protected-resource/mcp")]);
    let expected = json!({"resource": front.1, "authorization_servers": [site]});
    assert_eq!((status.as_str(), told), ("200", expected));
    assert_eq!(curl(&world, &[&format!("{here}/.well-known/oauth-authorization-server/other")]).0, "404");
}

#[test]
fn a_login_is_for_one_server_and_its_metadata_names_the_gateway() {
    if !have("a_login_is_for_one_server_and_its_metadata_names_the_gateway", &["python3", "curl"]) {
        return;
    }
    let mut world = World::with_policy("version: \"1\"\ndefault_action: allow\npolicies: []\n");
    let (one, two) = (server(&world, "one"), server(&world, "two"));
    world.config(&format!(
        "listen: 127.0.0.1:0\negress: {{listen: '127.0.0.1:0'}}\nmcp:\n  listen: 127.0.0.1:0\n  public_url: https://mcp.example\n  \
         servers:\n    one: {{url: 'http://127.0.0.1:{}/mcp', pins: 'off'}}\n    two: {{url: 'http://127.0.0.1:{}/mcp', pins: 'off'}}\n",
        one.1, two.1
    ));
    world.serve(&[]);
    // The address that it prints is the public one, so it is told a port.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut rampart = world.command(bin("rampart"));
    rampart.args(["mcp", "serve", "--listen", &format!("127.0.0.1:{port}")]);
    let front = Listener::start(rampart);
    assert_eq!(front.1, "https://mcp.example/mcp/one");
    let at = |path: &str| format!("http://127.0.0.1:{port}{path}");

    let (status, head, _) = curl(&world, &["--data-binary", &call(1, "x"), &at("/mcp/one")]);
    assert_eq!(status, "401");
    let metadata = "/.well-known/oauth-protected-resource/mcp/one";
    let expected =
        format!(r#"www-authenticate: Bearer resource_metadata="https://mcp.example{metadata}", scope="all""#);
    assert!(head.contains(&expected), "{head}");
    // Its own host is one that the listener is asked for.
    let (status, _, told) = curl(&world, &["-H", "host: mcp.example", &at(metadata)]);
    let expected =
        json!({"resource": "https://mcp.example/mcp/one", "authorization_servers": ["https://login.example"]});
    assert_eq!((status.as_str(), told), ("200", expected));
    let (status, _, told) = curl(&world, &[&at("/.well-known/oauth-protected-resource/mcp/two")]);
    assert_eq!((status.as_str(), told), ("404", Value::Null), "that one has not said where its metadata is");
    assert_eq!(curl(&world, &[&at("/.well-known/oauth-protected-resource")]).0, "404", "which of both is not said");

    let token = "authorization: Bearer token-for-one";
    assert_eq!(curl(&world, &["-H", token, "--data-binary", &call(1, "x"), &at("/mcp/one")]).0, "200");
    // Whoever sends on elsewhere takes no token along.
    let (status, head, told) = curl(&world, &["-L", "-H", token, "--data-binary", &call(1, "moved"), &at("/mcp/one")]);
    assert!(status == "502" && !head.contains("location"), "{head}");
    assert!(told["error"]["message"].as_str().unwrap().contains("http://127.0.0.1:9/elsewhere"), "{told}");
    let log = log(&world);
    let shown: Vec<&str> = log.lines().filter(|line| line.contains("token-for-one")).collect();
    assert!(shown.len() == 2 && shown.iter().all(|line| line.starts_with("one POST /mcp ")), "{log}");
}

#[test]
fn others_than_this_machine_come_by_tls_and_with_a_token() {
    if !have("others_than_this_machine_come_by_tls_and_with_a_token", &["python3", "curl"]) {
        return;
    }
    let mut world = World::with_policy("version: \"1\"\ndefault_action: allow\npolicies: []\n");
    let server = server(&world, "one");
    let upstream = format!("http://127.0.0.1:{}/mcp", server.1);
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = world.write("cert.pem", made.cert.pem());
    let key = world.write("key.pem", made.signing_key.serialize_pem());
    let tokens = world.write("tokens", "first-token-of-enough-length\n\nsecond-token-of-enough-length\n");
    let [certificate, key, tokens] = [&certificate, &key, &tokens].map(|path| path.to_str().unwrap());

    let refused =
        |args: &[&str]| world.run(&[&["mcp", "serve", "--upstream", &upstream], args].concat()).expect(2).stderr;
    let tls = ["--tls-cert", certificate, "--tls-key", key];
    for (args, why) in [
        (&["--listen", "0.0.0.0:0"][..], "--token-file"),
        (&[&["--listen", "0.0.0.0:0"], &tls[..]].concat(), "--token-file"),
        (&["--listen", "0.0.0.0:0", "--token-file", tokens], "--tls-cert"),
        (&[&["--listen", "0.0.0.0:0", "--token-file", tokens], &tls[..]].concat(), "--public-url"),
        (&["--listen", "127.0.0.1:0", "--token-file", tokens], "chmod 600"),
        (&["--listen", "127.0.0.1:0", "--tls-cert", key, "--tls-key", key], "no certificate"),
        (&["--listen", "127.0.0.1:0", "--public-url", "https://x.example/path"], "--public-url"),
    ] {
        let told = refused(args);
        assert!(told.contains(why), "{args:?}: {told}");
    }
    set_mode(tokens.as_ref(), 0o600);
    let short = world.write("short", "short\n");
    set_mode(&short, 0o600);
    assert!(refused(&["--listen", "127.0.0.1:0", "--token-file", short.to_str().unwrap()]).contains("16 characters"));

    world.serve(&[]);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let public = format!("https://localhost:{port}");
    let mut rampart = world.command(bin("rampart"));
    rampart.args(["mcp", "serve", "--upstream", &upstream, "--pins", "off", "--listen", &format!("0.0.0.0:{port}")]);
    rampart.args(["--public-url", &public, "--token-file", tokens]).args(tls);
    let front = Listener::start(rampart);
    assert_eq!(front.1, format!("{public}/mcp"));
    let post = |more: &[&str]| {
        curl(&world, &[&["--cacert", certificate, "--data-binary", &call(1, "x")], more, &[&front.1]].concat())
    };
    let (status, head, told) = post(&[]);
    assert!(status == "401" && head.contains("www-authenticate: Bearer"), "{head}");
    assert!(told["error"]["message"].as_str().unwrap().contains("X-Rampart-Token"), "{told}");
    assert_eq!(post(&["-H", "authorization: Bearer wrong"]).0, "401");
    assert_eq!(log(&world), "", "the server has heard of nobody");
    // The listener's token is not the server's, which wants one of its own.
    let (status, head, _) = post(&["-H", "authorization: Bearer second-token-of-enough-length"]);
    assert!(status == "401" && head.contains(&format!("{public}/.well-known/oauth-protected-resource/mcp")), "{head}");
    let both = ["-H", "authorization: Bearer of-the-server", "-H", "x-rampart-token: first-token-of-enough-length"];
    assert_eq!(post(&both).0, "200");
    assert_eq!(log(&world), "one POST /mcp None None\none POST /mcp Bearer of-the-server None\n");
    // Without TLS there is no answer.
    let mut plain = world.command("curl");
    plain.args(["-s", "--max-time", "5", &format!("http://localhost:{port}/mcp")]);
    assert_ne!(plain.status().unwrap().code(), Some(0));
}
