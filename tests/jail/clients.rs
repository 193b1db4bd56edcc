//! What people do all day in a jail: git, npm, pip, a server for development, ports of the host let in and out.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::Stdio,
    time::{Duration, Instant},
};

use super::{Jail, PYTHON};
use crate::world::{clients, have};

#[test]
fn git_clones_fetches_and_pushes() {
    let Some(jail) = Jail::ordinary("git_clones_fetches_and_pushes") else { return };
    // It belongs to another user than the one that serves it.
    jail.road.world.write("home/.gitconfig", "[safe]\n\tdirectory = *\n");
    let bare = jail.road.world.path("origin/web/work.git").display().to_string();
    let make = "git init -q --bare -b main $0 && git -C $0 config http.receivepack true && git clone -q $0 seed 2>/dev/null && cd seed && \
                git checkout -q -b main && echo one > a && git add a && git -c user.name=t -c user.email=t@t commit -q -m one && git push -q origin main";
    let made = jail.road.world.command("sh").args(["-c", make, &bare]).status();
    assert!(made.unwrap().success());
    let (url, denied) = (jail.road.url("origin.test", "/git/work.git"), jail.road.url("denied.test", "/git/work.git"));
    let ran = jail
        .shell(&format!(
            "set -e; git clone -q {url} work; cd work; cat a; git config user.name t; git config user.email t@t; git fetch -q; \
             echo two > a; git commit -q -a -m two; git push -q origin main; git -c http.proxy= fetch -q; git log --oneline | wc -l; git status --short; \
             git clone -q {denied} no || echo refused"
        ))
        .expect(0);
    assert_eq!(ran.stdout, "one\n2\nrefused\n", "{ran:?}");
    let log = jail
        .road
        .world
        .command("git")
        .args(["-C", &bare, "-c", "safe.directory=*", "log", "--oneline", "main"])
        .output();
    assert!(String::from_utf8(log.unwrap().stdout).unwrap().contains("two"));
}

#[test]
fn npm_and_pip_install_and_run_what_they_install() {
    let test = "npm_and_pip_install_and_run_what_they_install";
    if !have(test, &["npm", "tar", "sha1sum"]) {
        return;
    }
    let Some(clients) = clients(test) else { return };
    // The clients lie where ordinary users may not come by.
    let Some(jail) = Jail::open(test) else { return };
    crate::egress::make_registry(&jail.road);
    let base = jail.road.url("origin.test", "");
    let python = clients.join("python/bin/python");
    let ran = jail.shell(&format!(
        "set -e; {python} -m pip install -q --disable-pip-version-check --no-cache-dir --target pip --index-url {base}/simple/ tinything; \
         PYTHONPATH=pip {python} -c 'import tinything; print(tinything.word)'; \
         mkdir n; cd n; npm install --silent --no-audit --no-fund --registry {base}/ tinything; node -e 'console.log(require(\"tinything\"))'; \
         env -i PATH=\"$PATH\" HOME=\"$HOME\" NODE_EXTRA_CA_CERTS=\"$NODE_EXTRA_CA_CERTS\" LD_PRELOAD= npm view --registry {base}/ tinything version",
        python = python.display()
    ));
    assert_eq!(ran.stdout, "42\n42\n1.0.0\n", "{ran:?}");
    let fetched = jail.road.world.decisions();
    for end in ["tinything-1.0-py3-none-any.whl", "tinything-1.0.0.tgz"] {
        let by = |d: &serde_json::Value| d["actor"]["surface"] == "egress" && d["actor"]["agent"] == "mine";
        assert!(fetched.iter().any(|d| by(d) && d.to_string().contains(end)), "{end} went through the proxy");
    }
}

#[test]
fn a_server_for_development_is_reached_inside_only_and_by_every_client() {
    let test = "a_server_for_development_is_reached_inside_only_and_by_every_client";
    let Some(jail) = Jail::ordinary(test) else { return };
    jail.road.world.write("project/site/word", "hello");
    let script = format!(
        "{PYTHON} -u -m http.server --directory site 18473 >log 2>&1 & for i in $(seq 100); do grep -q Serving log && break; sleep 0.1; done; \
         for host in 127.0.0.1 localhost; do curl -sS -m 5 http://$host:18473/word; curl -sS -m 5 --noproxy '*' http://$host:18473/word; done; \
         {PYTHON} -c \"import urllib.request as u; print(u.urlopen('http://localhost:18473/word').read().decode(), end='')\"; echo ready; read line; kill $!"
    );
    let mut command = jail.command(&["-q", "--agent", "mine", "--", "/bin/sh", "-c", &script]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = [0; 31];
    child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
    assert_eq!(String::from_utf8_lossy(&said), "hellohellohellohellohelloready\n");
    assert!(TcpStream::connect("127.0.0.1:18473").is_err(), "nobody outside reaches it");
    drop(child.stdin.take());
    child.wait().unwrap();
    assert!(
        !jail
            .road
            .world
            .decisions()
            .iter()
            .any(|d| d["actor"]["surface"] == "egress" && d.to_string().contains("18473"))
    );
}

#[test]
fn chosen_ports_of_the_host_answer_and_no_others() {
    let Some(jail) = Jail::ordinary("chosen_ports_of_the_host_answer_and_no_others") else { return };
    let open = || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut said = [0; 5];
                let _ = stream.read_exact(&mut said);
                let _ = stream.write_all(&said);
            }
        });
        port
    };
    let (one, two, closed) = (open(), open(), open());
    let script = format!(
        "
def echo(host, port):
    s = socket.create_connection((host, port), 5); s.send(b'12345'); return s.recv(5)
for port in ({one}, {two}, {closed}):
    attempt(port, lambda: echo('127.0.0.1', port))
attempt('by name', lambda: echo('localhost', {one}))
attempt('elsewhere', lambda: echo('10.1.2.3', {one}))
"
    );
    let [first, second] = [one, two].map(|port| port.to_string());
    let ran = jail.python_with(&["--allow-host-port", &first, "--allow-host-port", &second], &script).expect(0);
    let lines: Vec<_> = ran.stdout.lines().collect();
    let echoed = |name: String| format!("{name} DONE b'12345'");
    assert_eq!((lines[0], lines[1]), (&*echoed(first), &*echoed(second)), "{ran:?}");
    assert_eq!(lines.get(2), Some(&&*format!("{closed} failed Connection refused")), "{ran:?}");
    assert_eq!(lines.get(3), Some(&"by name DONE b'12345'"), "{ran:?}");
    assert!(!lines.get(4).is_some_and(|line| line.contains("12345'")), "{ran:?}");
}

#[test]
fn the_preload_library_is_nothing_that_a_jail_stands_on() {
    let Some(jail) = Jail::ordinary("the_preload_library_is_nothing_that_a_jail_stands_on") else { return };
    let (allowed, denied) = (jail.road.url("origin.test", "/1k"), jail.road.url("denied.test", "/1k"));
    jail.road.world.write("project/denied", format!("url = {denied}"));
    let status = "-sS -m 20 -o /dev/null -w '%{http_code} '";
    for before in [
        "LD_PRELOAD=",
        "LD_PRELOAD=/lib/none.so",
        "env -u LD_PRELOAD",
        "env -i PATH=$PATH CURL_CA_BUNDLE=$CURL_CA_BUNDLE",
    ] {
        // With the library for files and connections, and without.
        for flags in [&[][..], &["--files", "--net"]] {
            let script = format!(
                "{before} curl {status} {allowed}; {before} curl --noproxy '*' {status} -K denied; {before} cat ~/.ssh/key"
            );
            let before_it = Instant::now();
            let ran = jail.shell_with(flags, &script);
            assert!(ran.stdout.starts_with("200 403 "), "{before} {flags:?}: {ran:?}");
            assert!(before_it.elapsed() < Duration::from_secs(30), "{before} {flags:?}");
        }
    }
}

#[test]
fn in_a_jail_too_an_mcp_server_is_told_from_its_session_by_the_credential_it_was_given() {
    let policy = r#"
version: "1"
default_action: allow
policies:
  - name: what-web-reaches
    match: { server: web, tool: [fetch, connect] }
    rules: [{ action: deny, when: { domain_matches: [denied.test] } }]
"#;
    let test = "in_a_jail_too_an_mcp_server_is_told_from_its_session_by_the_credential_it_was_given";
    let Some(jail) = Jail::with(test, policy) else { return };
    for (name, host) in [("1", "origin.test"), ("2", "denied.test")] {
        jail.road.world.write(&format!("project/{name}"), format!("url = {}", jail.road.url(host, "/1k")));
    }
    // The second time it forgets that it was told of a proxy, and goes the one way out all the same.
    let curl = "curl -sS -m 20 -o /dev/null -w '%{http_code} ' -K";
    let script =
        format!("set -f; for f in 1 2; do {curl} $f >&2; done; for f in 1 2; do {curl} $f --noproxy '*' >&2; done");
    let rampart = crate::world::bin("rampart");
    let ran = jail.run(&[
        "-q",
        "--agent",
        "mine",
        "--",
        rampart.to_str().unwrap(),
        "mcp",
        "--pins",
        "off",
        "--name",
        "web",
        "--",
        "sh",
        "-c",
        &script,
    ]);
    assert!(ran.stderr.contains("200 403 200 200 "), "{ran:?}");
}
