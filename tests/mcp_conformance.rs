//! The official conformance suite (`@modelcontextprotocol/conformance`) on a server that has all it asks for: by itself,
//! and with Rampart in front of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use serde_json::Value;

use crate::{
    mcp_http::Listener,
    world::{Ran, World, bin, clients, have, root},
};

/// What the suite found: by scenario, each check with its outcomes. How often it was made depends on the time of day.
pub(crate) type Table = BTreeMap<String, BTreeSet<(String, String)>>;

const REVISIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];

/// Runs one of the suite's sets.
pub(crate) fn suite(world: &World, clients: &Path, args: &[&str], revision: &str) -> Table {
    let folder = tempfile::tempdir_in(world.path("")).unwrap();
    let mut suite = world.command(clients.join("node_modules/.bin/node"));
    suite.arg(clients.join("node_modules/@modelcontextprotocol/conformance/dist/index.js")).args(args);
    suite.args(["--requirements", revision, "-o"]).arg(folder.path());
    let ran = Ran::from(suite.stdin(Stdio::null()).output().unwrap());
    let mut table = Table::new();
    scenarios(folder.path(), &mut table);
    assert!(table.len() > 20, "{ran:?}");
    table
}

/// The checks of all scenarios below a folder. Each has one of its own, named after it and the time.
fn scenarios(folder: &Path, table: &mut Table) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.join("checks.json").is_file() {
            let name = entry.file_name().unwrap().to_str().unwrap();
            let name = name.get(..name.len() - "-2026-11-26T06-16-00-000Z".len()).unwrap();
            table.insert(name.to_owned(), checks(&entry.join("checks.json")));
        } else if entry.is_dir() {
            scenarios(&entry, table);
        }
    }
}

fn checks(file: &Path) -> BTreeSet<(String, String)> {
    let checks: Vec<Value> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    // Of what it only tells there is more or less, as events come.
    let checks = checks.iter().filter(|check| check["status"] != "INFO");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    checks.map(|check| (text(&check["id"]), text(&check["status"]))).collect()
}

/// Holds a table against that of the server, or client, by itself. A scenario has its own half a minute, and they all run at
/// once: what was late because of that is not late each time.
#[track_caller]
fn same(direct: &Table, mut table: impl FnMut() -> Table) {
    let mut differ = Vec::new();
    for _ in 0..3 {
        let table = table();
        let names: BTreeSet<&String> = direct.keys().chain(table.keys()).collect();
        let outcomes = |of: &Table, name: &String| of.get(name).cloned().unwrap_or_default();
        let told = |name: &String| (outcomes(direct, name), outcomes(&table, name));
        differ = names.into_iter().map(|name| (name.clone(), told(name))).filter(|(_, (a, b))| a != b).collect();
        if differ.is_empty() {
            return;
        }
    }
    panic!("by itself, and through Rampart: {differ:#?}");
}

/// Whether a scenario found nothing wrong.
fn is_passed(checks: &BTreeSet<(String, String)>) -> bool {
    checks.iter().all(|(_, status)| status != "FAILURE")
}

fn server(world: &World) -> Command {
    let mut server = world.command("python3");
    server.arg(root().join("tests/clients/mcp_fixture/server.py"));
    server
}

/// Says yes to whatever is asked, until it is dropped.
fn approving<T>(world: &World, work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for question in world.run(&["pending", "--json"]).stdout.lines() {
                    let question: Value = serde_json::from_str(question).unwrap();
                    world.run(&["approve", question["id"].as_str().unwrap()]);
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let done = work();
        over.store(true, Ordering::Relaxed);
        done
    })
}

/// Rampart in front of the server, by its URL or started by its command.
fn front(world: &World, url: Option<&str>, pins: &str) -> Listener {
    let mut rampart = world.command(bin("rampart"));
    rampart.args(["mcp", "serve", "--listen", "127.0.0.1:0", "--name", "fixture", "--pins", pins]);
    match url {
        Some(url) => rampart.args(["--upstream", url]),
        None => rampart.arg("--").arg("python3").arg(root().join("tests/clients/mcp_fixture/server.py")).arg("--stdio"),
    };
    Listener::start(rampart)
}

/// The sets of server scenarios give one table with and without Rampart.
fn conforms(test: &str, mut world: World, pins: &str) -> Option<World> {
    let clients = clients(test).filter(|_| have(test, &["python3"]))?;
    world.serve(&[]);
    let server = Listener::start(server(&world));
    let url = format!("http://127.0.0.1:{}/mcp", server.1);
    let direct = REVISIONS.map(|revision| suite(&world, &clients, &["server", "--url", &url], revision));
    let passed = |table: &Table| table.values().all(is_passed);
    assert!(direct.iter().all(passed), "the fixture does all that it should: {direct:#?}");
    approving(&world, || {
        for server in [Some(url.as_str()), None] {
            let front = front(&world, server, pins);
            for (revision, direct) in REVISIONS.into_iter().zip(&direct) {
                same(direct, || {
                    let mut table = suite(&world, &clients, &["server", "--url", &front.1], revision);
                    // Standard output has no event ids, so there is no stream to come back for: the one thing that differs.
                    let polling = "server-server-sse-polling";
                    if server.is_none() && table.get(polling).is_some_and(BTreeSet::is_empty) {
                        table.insert(polling.into(), direct[polling].clone());
                    }
                    table
                });
            }
        }
    });
    Some(world)
}

#[test]
fn servers_conform_behind_rampart_as_they_do_by_themselves() {
    let test = "servers_conform_behind_rampart_as_they_do_by_themselves";
    conforms(test, World::with_policy("version: \"1\"\ndefault_action: allow\npolicies: []\n"), "off");
}

#[test]
fn servers_conform_under_the_policy_and_the_pins_that_users_get() {
    let test = "servers_conform_under_the_policy_and_the_pins_that_users_get";
    let Some(world) = conforms(test, World::new(), "first-use") else { return };
    let asks = |decision: &&Value| decision["rule"]["policy"] == "ask-before-servers-use-the-model";
    let asked = world.decisions().iter().filter(asks).count();
    assert!(asked > 4, "a person is asked before the model answers: {asked}");
}

#[test]
fn clients_conform_through_rampart_and_log_in_where_the_server_wants_it() {
    let test = "clients_conform_through_rampart_and_log_in_where_the_server_wants_it";
    let (Some(clients), true) = (clients(test), have(test, &["python3"])) else { return };
    let mut world = World::with_policy("version: \"1\"\ndefault_action: allow\npolicies: []\n");
    world.config("listen: 127.0.0.1:0\negress: {listen: '127.0.0.1:0', allow_private: ['127.0.0.0/8', '::1']}\n");
    world.serve(&[]);
    let client = world.write("client.mjs", std::fs::read(root().join("tests/clients/mcp_client.mjs")).unwrap());
    std::os::unix::fs::symlink(clients.join("node_modules"), world.path("node_modules")).unwrap();
    let direct = format!("{} {}", clients.join("node_modules/.bin/node").display(), client.display());
    let rampart = bin("rampart").display().to_string();
    let gateway = root().join("tests/clients/mcp_through.py");
    let gateway = format!("python3 {} {rampart} {direct}", gateway.display());
    // The suite's servers are on this machine, where clients go past a proxy otherwise.
    let proxy = format!("{rampart} wrap -- env NO_PROXY= no_proxy= {direct}");
    for (revision, passes) in REVISIONS.into_iter().zip([20, 33]) {
        let suite = |command: &str| suite(&world, &clients, &["client", "--command", command], revision);
        let direct = suite(&direct);
        let passed = direct.values().filter(|checks| is_passed(checks)).count();
        assert!(passed >= passes, "the client does what it should: {direct:#?}");
        same(&direct, || suite(&proxy));
        same(&direct, || {
            let mut table = suite(&gateway);
            for (scenario, checks) in &mut table {
                // The suite's server knows itself by its own address alone. A client of the gateway logs in for the gateway's,
                // which a server that stands behind one is told to take.
                let resource = |status: &str| ("resource-parameter-matches-prm".to_owned(), status.to_owned());
                if checks.remove(&resource("FAILURE")) {
                    checks.insert(resource("SUCCESS"));
                }
                // Metadata of somebody else does not even reach the client.
                if scenario == "resource-mismatch" {
                    checks.insert(("authorization-server-metadata".into(), "SUCCESS".into()));
                }
            }
            table
        });
    }
    let egress = world.decisions().iter().filter(|d| d["actor"]["surface"] == "egress").count();
    assert!(egress > 500, "the proxy saw it: {egress}");
}
