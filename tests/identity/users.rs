//! C5: what other processes, of the gateway's own user and of another one, get to see of the secrets that people hold.

use std::{os::unix::fs::chown, process::Command};

use super::*;
use crate::world::{set_mode, skip};

/// The gateway's user, and somebody else.
const OWN: u32 = 64011;
const OTHER: u32 = 64012;
const SECRET: &str = "a-token-in-the-environment-0123456789";

/// A command as some user in the surroundings of this world.
fn as_user(world: &World, uid: u32, words: &[&str]) -> Command {
    let mut command = world.command("setpriv");
    let id = uid.to_string();
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).args(words);
    command
}

#[test]
fn c5_no_process_of_any_user_reads_the_secrets_of_people() {
    let test = "c5_no_process_of_any_user_reads_the_secrets_of_people";
    if !have(test, &["setpriv", "gcore", "cp"]) {
        return;
    }
    let world = World::with_policy(OPEN);
    // Root looks at everything, so the gateway belongs to somebody else here.
    if chown(world.home(), Some(OWN), Some(OWN)).is_err() {
        return skip(test, "root, who may become other users");
    }
    set_mode(&world.path(""), 0o755);
    for path in
        ["home", "project", "home/.rampart/policies", "home/.rampart/config.yaml", "home/.rampart/policies/custom.yaml"]
    {
        chown(world.path(path), Some(OWN), Some(OWN)).unwrap();
    }
    std::fs::create_dir(world.path("bin")).unwrap();
    let rampart = world.path("bin/rampart");
    // By another process, so that none which a test forks at this moment holds it open for writing.
    assert!(Command::new("cp").arg(bin("rampart")).arg(&rampart).status().unwrap().success());
    let rampart = rampart.to_str().unwrap();
    let log = std::fs::File::create(world.path("gateway.log")).unwrap();
    let mut serve = as_user(&world, OWN, &[rampart, "serve"]);
    serve.env("RAMPART_TOKEN", SECRET).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    let mut gateway = serve.spawn().unwrap();
    let run = |uid: u32, words: &[&str]| Ran::from(as_user(&world, uid, words).output().unwrap());
    let deadline = Instant::now() + Duration::from_secs(20);
    while !run(OWN, &[rampart, "status"]).success() {
        assert!(Instant::now() < deadline, "{}", world.gateway_log());
        std::thread::sleep(Duration::from_millis(50));
    }
    // setpriv(1) has become the gateway.
    let pid = gateway.id().to_string();
    let token = std::fs::read_to_string(world.home().join("token")).unwrap();
    let token = token.trim();
    let home = world.home();
    let at = |name: &str| home.join(name).display().to_string();

    // Of the gateway itself nobody sees anything but its name, not even who may end it.
    let core = world.path("project/core").display().to_string();
    for uid in [OWN, OTHER] {
        for words in [
            &["cat", &format!("/proc/{pid}/environ")][..],
            &["cat", &format!("/proc/{pid}/mem")],
            &["ls", &format!("/proc/{pid}/fd")],
            &["gcore", "-o", &core, &pid],
        ] {
            let ran = run(uid, words);
            assert!(!ran.success() && !ran.stdout.contains(SECRET), "user {uid}, {words:?}: {ran:?}");
        }
        let shown = run(uid, &["cat", &format!("/proc/{pid}/cmdline"), &format!("/proc/{pid}/status")]);
        assert!(!shown.stdout.contains(SECRET) && !shown.stdout.contains(token), "user {uid}: {shown:?}");
    }
    assert!(std::fs::read_dir(world.project()).unwrap().next().is_none(), "there is no core");

    // Another user reads no file and is not answered on the socket; on the port without a token neither.
    for file in ["token", "state/tokens.json", "audit/redaction.key", "ca/authority.pem", "config.yaml"] {
        let ran = run(OTHER, &["cat", &at(file)]);
        assert!(!ran.success() && ran.stderr.contains("Permission denied"), "{file}: {ran:?}");
    }
    let ran = run(OTHER, &[rampart, "pending"]);
    assert!(!ran.success() && ran.stderr.contains("Permission denied"), "{ran:?}");

    // What is said and kept of it all holds neither.
    let said = [
        run(OWN, &[rampart, "doctor"]),
        run(OWN, &[rampart, "status", "--json"]),
        run(OWN, &[rampart, "config", "show"]),
        run(OWN, &[rampart, "log", "--json"]),
        run(OWN, &[rampart, "audit", "search", "--json"]),
    ];
    let kept: String = world.records().iter().map(Value::to_string).collect();
    let said: String = said.into_iter().flat_map(|ran| [ran.stdout, ran.stderr]).collect();
    for text in [&said, &kept, &world.gateway_log()] {
        assert!(!text.contains(SECRET) && !text.contains(token), "{text}");
    }
    gateway.kill().unwrap();
    gateway.wait().unwrap();
}
