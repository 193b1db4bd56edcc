//! The gateway dies, hangs, or is not ours (rows D1 to D4, D7, D11).

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    process::Stdio,
    time::{Duration, Instant},
};

use super::{HOOK, TOKEN, bash};
use crate::{
    telemetry::metric,
    world::{Ran, Talk, World, have},
};

const ASK: &str = "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: ask-everything\n    match: { tool: exec }\n    rules:\n      - action: ask\n        when: { default: true }\n        message: Everything is asked\n";

/// How often the gateway is killed; the full number is 200.
fn kills() -> usize {
    std::env::var("RAMPART_FAULT_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(5)
}

#[track_caller]
fn denied(ran: &Ran) {
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert_eq!(ran.json()["hookSpecificOutput"]["permissionDecision"], "deny", "{ran:?}");
    assert!(ran.stderr.contains("gateway"), "{ran:?}");
}

#[test]
fn d1_a_hook_whose_gateway_is_killed_under_it_denies_in_the_agents_own_words() {
    let mut world = World::new();
    for round in 0..kills() {
        world.serve(&[]);
        // It has the question and gives no answer.
        world.freeze();
        let mut hook = world.rampart(HOOK);
        hook.env("RAMPART_AUTOSTART", "0").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = hook.spawn().unwrap();
        child.stdin.take().unwrap().write_all(&bash("git status")).unwrap();
        std::thread::sleep(Duration::from_millis(20 + 7 * (round as u64 % 20)));
        let begun = Instant::now();
        world.gateway().kill().unwrap();
        let ran = Ran::from(child.wait_with_output().unwrap());
        denied(&ran);
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        world.gateway().wait().unwrap();
    }
    world.run(&["audit", "verify"]).expect(0);
}

#[test]
fn d2_a_shell_whose_gateway_is_killed_ends_with_126_and_one_line() {
    let mut world = World::with_policy(ASK);
    world.serve(&[]);
    let mut shell = world.rampart(&["wrap", "--", "sh", "-c", "sh -c 'echo ran'"]);
    let child = shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    waits(&world, 1);
    world.gateway().kill().unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(126), ""), "{ran:?}");
    let told: Vec<_> = ran.stderr.lines().filter(|line| line.contains("refused")).collect();
    assert_eq!(told.len(), 1, "{ran:?}");
}

#[test]
fn d2_mcp_answers_every_open_request_when_the_gateway_is_killed() {
    let policy = ASK.replace("tool: exec", "tool: '*'");
    let mut world = World::with_policy(&policy);
    world.serve(&[]);
    let server = ["mcp", "--", "sh", "-c", "while read l; do :; done"];
    let mut talk = Talk::start(world.rampart(&server));
    for id in 1..=3 {
        talk.say(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"t","arguments":{{}}}}}}"#
        ));
    }
    waits(&world, 3);
    world.gateway().kill().unwrap();
    let mut answered: Vec<_> = (0..3)
        .map(|_| {
            let answer = talk.hear_json();
            assert!(answer["result"]["isError"] == true || answer["error"].is_object(), "{answer}");
            answer["id"].as_u64().unwrap()
        })
        .collect();
    answered.sort_unstable();
    assert_eq!(answered, [1, 2, 3]);
    let ran = talk.finish();
    assert_eq!(ran.stdout, "", "a clean end: {ran:?}");
}

#[test]
fn d2_a_request_whose_proxy_is_killed_never_looks_complete() {
    if !have("d2_a_request_whose_proxy_is_killed_never_looks_complete", &["curl"]) {
        return;
    }
    let origin = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = origin.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let held: Vec<_> = origin
            .incoming()
            .map_while(Result::ok)
            .inspect(|mut stream| {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n");
                let _ = stream.write_all(&vec![b'x'; 500_000]);
            })
            .collect();
        drop(held);
    });
    let mut world = World::with_policy("version: \"1\"\ndefault_action: allow\npolicies: []\n");
    world.config("listen: 127.0.0.1:0\negress: {listen: '127.0.0.1:0', allow_private: [127.0.0.1]}\n");
    world.serve(&[]);
    let proxy = world.status()["egress"].as_str().unwrap().to_owned();
    let body = world.path("body");
    let mut curl = world.command("curl");
    curl.args(["-sS", "-x", &format!("http://{proxy}"), "-o"]).arg(&body).arg(format!("http://127.0.0.1:{port}/"));
    let child = curl.stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::fs::metadata(&body).map_or(0, |meta| meta.len()) == 0 {
        assert!(Instant::now() < deadline, "no body arrives");
        std::thread::sleep(Duration::from_millis(10));
    }
    world.gateway().kill().unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    // curl(1): 18 is a transfer that broke off, 56 a connection that was reset.
    assert!(matches!(ran.code, Some(18 | 56)), "{ran:?}");
}

/// Waits until so many questions wait.
fn waits(world: &World, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while world.status()["pending"] != count {
        assert!(Instant::now() < deadline, "no {count} questions wait");
    }
}

#[test]
fn d3_a_hook_whose_gateway_stands_still_denies_in_its_own_time() {
    let mut world = World::new();
    world.serve(&[]);
    world.freeze();
    let begun = Instant::now();
    denied(&world.run_with(HOOK, &bash("git status")));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let begun = Instant::now();
    let shell = world.command(crate::world::bin("rampart-shim")).args(["--shell", "sh", "-c", "echo ran"]).output();
    let ran = Ran::from(shell.unwrap());
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(126), ""), "{ran:?}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    world.thaw();
}

#[test]
fn d4_what_is_not_our_gateway_is_not_asked() {
    let untrusted = |world: &World, what: &str| {
        let ran = world.run_with(HOOK, &bash("git status"));
        assert_eq!(ran.code, Some(2), "{what}: {ran:?}");
        assert!(ran.stderr.contains("gateway_untrusted"), "{what}: {ran:?}");
    };
    let world = World::new();
    let socket = world.home().join("run/gateway.sock");
    std::fs::create_dir_all(socket.parent().unwrap()).unwrap();

    std::fs::write(&socket, "").unwrap();
    untrusted(&world, "an ordinary file");
    std::fs::remove_file(&socket).unwrap();

    std::os::unix::fs::symlink("/dev/null", &socket).unwrap();
    untrusted(&world, "a link");
    std::fs::remove_file(&socket).unwrap();

    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o666)).unwrap();
    untrusted(&world, "a socket that others may use");
    drop(listener);
    std::fs::remove_file(&socket).unwrap();

    if !have("d4_what_is_not_our_gateway_is_not_asked", &["setpriv", "python3"]) {
        return;
    }
    // Somebody else listens, on a socket that looks like ours.
    let folder = std::env::temp_dir().join(format!("rampart-foreign-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    let there = folder.join("s");
    let script = "import socket,sys,time,os; os.umask(0o177); s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); time.sleep(30)";
    let as_nobody = |python: &str, script: &str| {
        let mut command = std::process::Command::new("setpriv");
        command.args(["--reuid", "65534", "--clear-groups", python, "-c", script]).arg(&there).current_dir("/");
        command.stderr(Stdio::null());
        command
    };
    // The first of the PATH may stand in a home that nobody else can enter.
    let runs = |python: &&&str| as_nobody(python, "").status().is_ok_and(|status| status.success());
    let python = ["python3", "/usr/bin/python3"].iter().find(runs).copied().unwrap_or("python3");
    let mut foreign = as_nobody(python, script).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while !there.exists() {
        if foreign.try_wait().unwrap().is_some() {
            // Only root may become another user.
            return crate::world::skip("d4_what_is_not_our_gateway_is_not_asked", "root");
        }
        assert!(Instant::now() < deadline, "nobody listens");
    }
    std::fs::rename(&there, &socket)
        .unwrap_or_else(|_| panic!("{} and the home are one file system", folder.display()));
    untrusted(&world, "a socket of another user");
    let uid = std::os::unix::fs::chown(&socket, Some(0), Some(0));
    if uid.is_ok() {
        untrusted(&world, "another user's listener behind a socket of ours");
    }
    let _ = foreign.kill();
    let _ = foreign.wait();
    let _ = std::fs::remove_dir_all(folder);
}

/// The failpoint is in debug builds only.
#[cfg(debug_assertions)]
#[test]
fn d7_a_panic_ends_its_connection_and_nothing_else_and_is_counted_and_on_record() {
    if !have("d7_a_panic_ends_its_connection_and_nothing_else_and_is_counted_and_on_record", &["curl"]) {
        return;
    }
    let mut world = World::new();
    world.serve_with(&[], &[("RAMPART_TOKEN", TOKEN)]);
    let api = world.status()["listen"].as_str().unwrap().to_owned();
    let call = |tool: &str| {
        let mut curl = world.command("curl");
        curl.args(["-sS", "-H", &format!("Authorization: Bearer {TOKEN}"), "-d", r#"{"params":{"command":"true"}}"#]);
        Ran::from(curl.arg(format!("http://{api}/v1/tool/{tool}")).output().unwrap())
    };
    let broken = call("rampart-failpoint");
    // curl(1): 52 is an empty reply.
    assert_eq!((broken.code, broken.stdout.as_str()), (Some(52), ""), "{broken:?}");
    assert!(call("exec").stdout.contains("\"allowed\":true"));
    let ran = world.run_with(HOOK, &bash("git status"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!((metric(&world, &api, "rampart_panics_total") - 1.0).abs() < f64::EPSILON);
    let gaps: Vec<_> = world.records().into_iter().filter(|r| r["reason"] == "panic").collect();
    assert_eq!(gaps.len(), 1, "{gaps:#?}");
    assert!(gaps[0]["cause"].as_str().unwrap().contains("tool.rs"), "{gaps:#?}");
    assert!(world.gateway().try_wait().unwrap().is_none(), "the process lives");
}

#[test]
fn d11_the_end_is_in_order_with_questions_and_requests_in_flight() {
    let mut world = World::with_policy(ASK);
    world.serve_with(&[], &[("RAMPART_TOKEN", TOKEN)]);
    let api = world.status()["listen"].as_str().unwrap().to_owned();
    let body = r#"{"agent":"a","session":"s","params":{"command":"true"}}"#;
    let request = format!(
        "POST /v1/tool/exec HTTP/1.1\r\nhost: {api}\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let asked: Vec<_> = (0..3)
        .map(|_| {
            let mut stream = TcpStream::connect(&api).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();
    waits(&world, 3);
    // Requests that have begun and go on slowly.
    let slow: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(&api).unwrap();
            stream.write_all(&request.as_bytes()[..request.len() - 5]).unwrap();
            stream
        })
        .collect();
    let begun = Instant::now();
    let pid = world.gateway().id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    std::thread::sleep(Duration::from_millis(500));
    assert!(TcpStream::connect(&api).is_err(), "nothing new is taken");
    let status = world.gateway().wait().unwrap();
    assert!(status.success(), "{status}");
    assert!(begun.elapsed() < Duration::from_secs(13), "{:?}", begun.elapsed());
    drop((asked, slow));
    let records = world.records();
    assert!(records.iter().any(|r| r["type"] == "close"), "{records:#?}");
    world.run(&["audit", "verify"]).expect(0);
}
