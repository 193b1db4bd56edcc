//! A jail as its user sees it: how it ends, what it is at a terminal, and a gateway that comes back.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::Stdio,
    time::{Duration, Instant},
};

use super::Jail;
use crate::world::{Ran, have};

#[test]
fn it_ends_as_the_agent_does() {
    let Some(jail) = Jail::ordinary("it_ends_as_the_agent_does") else { return };
    for (script, code) in [("exit 0", 0), ("exit 42", 42), ("kill -TERM $$", 143), ("kill -KILL $$", 137)] {
        assert_eq!(jail.shell(script).code, Some(code), "{script}");
    }
    let ran = jail.run(&["-q", "--", "/etc/passwd"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("/etc/passwd") && ran.stderr.contains("ermission denied"), "{ran:?}");
    // What is piped in arrives.
    let ran = crate::world::run_with(jail.command(&["-q", "--", "cat"]), b"through");
    assert_eq!(ran.stdout, "through");
}

#[test]
fn a_terminal_stays_the_agents() {
    let test = "a_terminal_stays_the_agents";
    if !have(test, &["script"]) {
        return;
    }
    let Some(jail) = Jail::open(test) else { return };
    let inner = format!(
        "stty rows 33 cols 77; exec {} run -q -- {} -c 'import os,signal,sys,time\nprint(os.isatty(0), os.tcgetpgrp(0) == os.getpgrp(), tuple(os.get_terminal_size()))\nsignal.signal(signal.SIGINT, lambda *_: (os.write(1, b\"interrupted\"), os._exit(7)))\nprint(\"ready\", flush=True)\ntime.sleep(30)'",
        crate::world::bin("rampart").display(),
        super::PYTHON
    );
    let mut command = jail.road.world.command("script");
    command.args(["-qefc", &inner, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut next = || lines.next().unwrap_or_default();
    assert_eq!(next().trim(), "True True (77, 33)");
    assert_eq!(next().trim(), "ready");
    // Ctrl-C reaches the agent, which decides what that means.
    child.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
    let line = next();
    assert!(line.contains("interrupted"), "{line}");
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

#[test]
fn a_gateway_that_comes_back_serves_it_again() {
    let Some(mut jail) = Jail::open("a_gateway_that_comes_back_serves_it_again") else { return };
    let url = jail.road.url("origin.test", "/1k");
    // One process: to start another wants a gateway as well.
    let script = format!(
        "import sys, time, urllib.request as u\n\
         def get():\n\
         \x20   try: print(u.build_opener(u.ProxyHandler({{}})).open('{url}', timeout=5).status, flush=True)\n\
         \x20   except OSError as error: print('nothing', flush=True)\n\
         get()\n\
         for line in sys.stdin: get()\n"
    );
    let mut command = jail.command(&["-q", "--", super::PYTHON, "-c", &script]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert_eq!(lines.next().as_deref(), Some("200"));
    assert_eq!(jail.road.world.status()["jailed"], 1);
    jail.road.world.run(&["serve", "stop"]).expect(0);
    jail.road.world.gateway().wait().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"\n").unwrap();
    assert_eq!(lines.next().as_deref(), Some("nothing"), "without a gateway there is no way out");
    jail.road.world.serve(&[]);
    let again = || {
        stdin.write_all(b"\n").unwrap();
        lines.next()
    };
    let served = std::iter::repeat_with(again).take(20).inspect(|_| std::thread::sleep(Duration::from_millis(250)));
    assert!(served.into_iter().any(|line| line.as_deref() == Some("200")));
    drop(stdin);
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while jail.road.world.status()["jailed"] != 0 {
        assert!(Instant::now() < deadline, "its doors are closed when it is gone");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_runs_in_a_jail_opens_no_door_of_its_own() {
    let Some(jail) = Jail::open("what_runs_in_a_jail_opens_no_door_of_its_own") else { return };
    // Even where it could reach the place: the one that opened the session stands elsewhere.
    let doors = jail.road.world.home().join("run/doors.sock");
    let script = format!(
        "import json, socket, sys, array, os\n\
         s = socket.socket(socket.AF_UNIX); s.connect('{}')\n\
         l = socket.create_server(('127.0.0.1', 0))\n\
         text = json.dumps({{'credential': os.environ['RAMPART_CREDENTIAL'], 'doors': ['host']}}).encode()\n\
         s.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [l.fileno()]))])\n\
         print(s.recv(4096).decode())",
        doors.display()
    );
    let mut wrapped = jail.road.world.rampart(&["wrap", "--", super::PYTHON, "-c", &script]);
    let ran = Ran::from(wrapped.stdin(Stdio::null()).output().unwrap()).expect(0);
    assert!(ran.stdout.contains("unauthorized"), "{ran:?}");
    let kinds: Vec<_> =
        jail.road.world.records().iter().filter(|r| r["type"] == "auth").map(ToString::to_string).collect();
    assert!(kinds.iter().any(|record| record.contains("doors of a session")), "it is on record: {kinds:#?}");
}

#[test]
fn doctor_measures_each_road_from_where_it_stands() {
    let test = "doctor_measures_each_road_from_where_it_stands";
    let own = crate::world::bin("rampart").display().to_string();
    let names = ["http", "names", "packets", "way back", "exec", "files"];
    let measured = |jail: &Jail, words: &[&str], code: i32| {
        let probe = [own.as_str(), "doctor", "--probe", "--json"];
        let mut command = jail.road.world.rampart(&[words, &["--agent", "mine", "--"], &probe].concat());
        let ran = Ran::from(command.stdin(Stdio::null()).output().unwrap()).expect(code);
        let roads = ran.json()["roads"].clone();
        names.map(|name| {
            let road = roads.as_array().unwrap().iter().find(|road| road["road"] == name).unwrap().clone();
            (road["protection"].as_str().unwrap().to_owned(), road["evidence"].as_str().unwrap().to_owned())
        })
    };
    for jail in [Jail::open(test), Jail::ordinary(test)] {
        let Some(jail) = jail else { return };
        for (word, evidence) in measured(&jail, &["run", "-q"], 0) {
            assert_eq!(word, "enforced", "{evidence}");
        }
    }
    let Some(jail) = Jail::ordinary(test) else { return };
    let [.., exec, files] = measured(&jail, &["run", "-q", "--no-jail"], 1);
    assert_eq!((&*exec.0, &*files.0), ("enforced", "open"), "{exec:?} {files:?}");
    let [.., exec, files] = measured(&jail, &["wrap"], 1);
    assert_eq!((&*exec.0, &*files.0), ("open", "open"), "{exec:?} {files:?}");
    let [.., exec, _] = measured(&jail, &["preload"], 1);
    assert_eq!(exec.0, "advisory", "{exec:?}");
    // A person reads lines.
    let ran = jail.run(&["-q", "--", &own, "doctor", "--probe"]).expect(0);
    let line = ran.stdout.lines().find(|line| line.contains("packets")).unwrap();
    assert!(line.starts_with("enforced") && line.ends_with("UDP, ICMP and raw packets go nowhere"), "{ran:?}");
}

#[test]
fn doctor_tries_whether_one_can_be_made() {
    let Some(jail) = Jail::ordinary("doctor_tries_whether_one_can_be_made") else { return };
    let world = &jail.road.world;
    let checks = world.run(&["doctor", "--json"]).json()["checks"].clone();
    let check = checks.as_array().unwrap().iter().find(|check| check["id"] == "jail").cloned().unwrap();
    assert_eq!(check["state"], "ok", "{check:#}");
    assert!(check["found"].as_str().unwrap().contains("Landlock"), "{check:#}");
    let left = std::fs::read_dir(world.path(".")).unwrap().filter_map(Result::ok);
    assert!(!left.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("rampart-")));
    assert!(world.run(&["status"]).expect(0).stdout.contains("no session runs in one"));
}
