//! A gateway in a home of its own, served on its socket and a free port.

mod access;
mod approvals;
mod at_once;
mod dashboard;
mod document;
mod judging;
mod rules;
mod serving;
mod stream;

use std::{fs, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use rampart_call::{Action, Call, Located, Origin, Phase, Surface};
use rampart_client::{
    Client, blocking,
    wire::{McpServer, McpWaiting, Road},
};
use rampart_gateway::{Config, Gateway, Home, Settings};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{Api, Beside, Peer, bind_socket, bind_tcp, router, serve};

const TOKEN: &str = "a-token-of-at-least-sixteen-characters";

const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: off-limits
    match: { tool: read }
    rules:
      - action: deny
        when: { path_matches: ["/forbidden/**"] }
        message: That is off limits
      - action: ask
        when: { path_matches: ["/deploy/**"] }
        message: A human decides that
"#;

struct World {
    _dir: tempfile::TempDir,
    home: Home,
    gateway: Arc<Gateway>,
    router: Router,
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

/// One road, and one server with a tool that waits for approval.
fn beside() -> Beside {
    let waiting = McpWaiting {
        section: "tools".into(),
        name: "run".into(),
        now: vec![Value::from("a definition")],
        hashes: vec!["ab".into()],
        ..McpWaiting::default()
    };
    let server = McpServer { server: "files".into(), lock: "/x/rampart.lock".into(), ..McpServer::default() };
    let server = McpServer { waiting: vec![waiting], ..server };
    Beside {
        user_home: "/home/ann".into(),
        roads: Box::new(|status| {
            let evidence = format!("the gateway is in mode {}", status.mode);
            vec![Road { road: "mcp".into(), protection: "advisory".into(), evidence, remedy: None }]
        }),
        servers: Box::new(move || Ok(vec![server.clone()])),
        approve: Box::new(|wanted| {
            Ok(wanted.items.iter().map(|item| format!("{}/{}", item.section, item.name)).collect())
        }),
    }
}

impl World {
    async fn new() -> Self {
        Self::with(Config::default()).await
    }

    async fn with(config: Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("home"));
        home.prepare().unwrap();
        fs::write(home.policies().join("custom.yaml"), POLICY).unwrap();
        let settings = Settings { home: home.clone(), config, project_policies: true, outside: None };
        let gateway = Gateway::open(settings).await.unwrap();
        let stop = CancellationToken::new();
        let socket = bind_socket(&home.socket()).unwrap();
        let tcp = bind_tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = tcp.local_addr().unwrap();
        let api =
            Api::new(Arc::clone(&gateway), TOKEN, "0.0.0", stop.clone()).listens_on(address).looks_beside(beside());
        let api = Arc::new(api);
        let router = router(Arc::clone(&api));
        let serving = tokio::spawn(serve(api, socket, Some(tcp)));
        Self { _dir: dir, home, gateway, router, address, stop, serving }
    }

    fn settings(&self) -> rampart_client::Settings {
        let mut settings = rampart_client::Settings::new(rampart_client::socket(self.home.root()));
        // A test has no terminal.
        settings.token = Some(TOKEN.to_owned());
        settings
    }

    fn client(&self) -> Arc<Client> {
        Arc::new(Client::new(self.settings()))
    }

    /// Runs a blocking client's work aside.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(blocking::Client) -> T + Send + 'static) -> T {
        let client = blocking::Client::new(self.settings());
        tokio::task::spawn_blocking(move || work(client)).await.unwrap()
    }

    /// One request as the socket or the port would hand it in, without either.
    async fn request(&self, peer: Peer, mut request: Request<Body>) -> (StatusCode, Value) {
        request.extensions_mut().insert(peer);
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// A request to the port that is in order and bears the token.
    fn good(&self, method: &str, path: &str, body: &str) -> Request<Body> {
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string())
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("content-type", "application/json")
            .body(Body::from(body.to_owned()))
            .unwrap()
    }

    fn records(&self) -> Vec<Value> {
        let mut files: Vec<_> = fs::read_dir(self.home.audit()).unwrap().map(|e| e.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|e| e == "jsonl"));
        files.sort();
        let text: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn decisions(&self) -> Vec<Value> {
        self.records().into_iter().filter(|r| r["type"] == "decision").collect()
    }

    async fn end(self) {
        self.stop.cancel();
        self.serving.await.unwrap();
        self.gateway.close().await;
    }
}

fn read(path: &str) -> Call {
    call(Action::Read { paths: vec![Located::written(path)] })
}

fn call(action: Action) -> Call {
    let origin = Origin { surface: Surface::Hook, agent: "bot".into(), session: "s1".into(), ..Origin::default() };
    Call { origin, phase: Phase::Before, action, response: None }
}

/// Looks until something is so, for at most five seconds.
async fn until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..500 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not within five seconds");
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}
