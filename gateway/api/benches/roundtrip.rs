//! How long one answer takes: a surface's question through the socket into the gateway and its trail, and back.
//! `cargo bench -p rampart-api --bench roundtrip`

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops at the first surprise and prints")]

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use rampart_api::{Api, bind_socket, serve};
use rampart_call::{Action, Call, CommandLine, Gate, Origin, Phase, Response, Surface};
use rampart_client::{Client, Settings, blocking};
use rampart_gateway::{Config, Gateway, Home};
use tokio_util::sync::CancellationToken;

const ROUNDS: usize = 5_000;

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path().join("home"));
    home.prepare().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let stop = CancellationToken::new();
    let gateway = runtime.block_on(open(&home));
    let api = Api::new(Arc::clone(&gateway), "a token that nobody needs here", "bench", stop.clone());
    let socket = runtime.block_on(async { bind_socket(&home.socket()).unwrap() });
    let serving = runtime.spawn(serve(Arc::new(api), socket, None));

    println!("{:44} {:>9} {:>9} {:>9}", "one answer", "p50", "p90", "p99");
    let status = exec("git status");
    row("decided only, in the gateway", ROUNDS, || drop(gateway.decide_only(&status)));
    row("decided and recorded, in the gateway", ROUNDS, || drop(runtime.block_on(gateway.answer(status.clone()))));
    // A surface is another process: its own runtime, on one thread, as the MCP road has.
    let surface = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = Client::new(settings(home.root()));
    row("allowed, over a kept connection", ROUNDS, || drop(surface.block_on(client.judge(status.clone()))));
    let result = after("x".repeat(2000));
    row("a result of 2 KB, over a kept connection", ROUNDS, || drop(surface.block_on(client.judge(result.clone()))));
    let hook = blocking::Client::new(settings(home.root()));
    row("allowed, as a hook asks (new connection)", ROUNDS, || drop(hook.judge(&status)));
    let denied = exec("rm -rf /");
    row("denied, on disk before the answer", 500, || drop(hook.judge(&denied)));

    stop.cancel();
    runtime.block_on(async {
        serving.await.unwrap();
        gateway.close().await;
    });
}

async fn open(home: &Home) -> Arc<Gateway> {
    let settings = rampart_gateway::Settings {
        home: home.clone(),
        config: Config::default(),
        project_policies: true,
        outside: None,
    };
    fs::remove_file(home.policies().join("custom.yaml")).ok();
    Gateway::open(settings).await.unwrap()
}

fn settings(home: &Path) -> Settings {
    Settings::new(rampart_client::socket(home))
}

fn exec(command: &str) -> Call {
    let origin = Origin { surface: Surface::Hook, agent: "bench".into(), session: "s".into(), ..Origin::default() };
    let command = CommandLine::Command(command.into());
    Call { origin, phase: Phase::Before, action: Action::Exec { command, cwd: Some("/tmp".into()) }, response: None }
}

fn after(text: String) -> Call {
    let mut call = exec("ls");
    call.phase = Phase::After;
    call.response = Some(Response { text, ..Response::default() });
    call
}

fn row(name: &str, rounds: usize, mut once: impl FnMut()) {
    for _ in 0..rounds / 10 {
        once();
    }
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let began = Instant::now();
            once();
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    let at =
        |part: usize| format!("{:.1} us", times[(times.len() * part / 100).min(times.len() - 1)].as_secs_f64() * 1e6);
    println!("{name:44} {:>9} {:>9} {:>9}", at(50), at(90), at(99));
}
