//! Code that nobody can read: asked about, unless everything that it does is seen.

use std::os::unix::net::UnixListener;

use super::Jail;
use crate::world::Ran;

/// Refuses where the profile would ask.
const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: nothing-unseen
    rules:
      - action: deny
        when: {effect: [opaque, exec], note: [computed-program, computed-code], confined: false}
        message: what would run cannot be seen
      - action: deny
        when: {command_matches: ["truncate *", "*/truncate *"]}
        message: nothing is cut
"#;

/// Says what stands beside it.
fn write_code(jail: &Jail) {
    let code = jail.road.world.write("project/code", "#!/bin/sh\ncat words\n");
    crate::world::set_mode(&code, 0o755);
    jail.road.world.write("project/words", "echo ran\n");
}

/// A shell that asks by itself runs what a program of the project says.
const UNREADABLE: &str = r#"sh -c 'bash -c "$(./code)"'"#;

#[test]
fn code_that_cannot_be_read_is_left_to_the_jail_and_the_exec_check_where_both_hold() {
    let test = "code_that_cannot_be_read_is_left_to_the_jail_and_the_exec_check_where_both_hold";
    let Some(jail) = Jail::with(test, POLICY) else { return };
    let world = &jail.road.world;
    write_code(&jail);
    let socket = world.path("agent.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    let socket = socket.to_str().unwrap();
    for (flags, runs) in [
        (&[][..], true),
        (&["--allow-write", world.path("home").to_str().unwrap()], true),
        (&["--no-jail"], false),
        (&["--allow-socket", socket], false),
    ] {
        let words = [flags, &["--agent", "mine", "--", "/bin/sh", "-c", UNREADABLE]].concat();
        let ran = jail.run(&words);
        assert_eq!(ran.stdout == "ran\n", runs, "{flags:?}: {ran:?}");
        assert_eq!(ran.stderr.contains("opaque   judged"), runs, "{flags:?}: {ran:?}");
        assert_eq!(ran.stderr.contains("cannot be seen"), !runs, "{flags:?}: {ran:?}");
    }
    // What it comes to is judged when it starts.
    world.write("project/words", "truncate -s 7 marker\n");
    let ran = jail.shell(UNREADABLE);
    assert!(ran.stderr.contains("nothing is cut") && !world.project().join("marker").exists(), "{ran:?}");
    // A session that is opened inside of it is as confined.
    world.write("project/words", "echo ran\n");
    let script = format!("{SESSION}\nown = session(agent='mine')\n{RUN}");
    let ran = jail.python(&script).expect(0);
    assert!(ran.stdout.contains("stdout='ran"), "{ran:?}");
}

/// Python that opens a session.
const SESSION: &str = r"
import array, http.client, json, os, socket, subprocess
run = os.environ['RAMPART_HOME'] + '/run/'
def connect(name):
    s = socket.socket(socket.AF_UNIX); s.connect(run + name); return s
def session(**what):
    c = http.client.HTTPConnection('localhost'); c.sock = connect('gateway.sock')
    c.request('POST', '/v1/sessions', json.dumps(what), {'Content-Type': 'application/json'})
    return json.loads(c.getresponse().read())
";

/// Python that runs [`UNREADABLE`] in the session `own`.
const RUN: &str = r"
os.environ['RAMPART_CREDENTIAL'] = own['credential']
print(subprocess.run(['sh', '-c', 'bash -c \x22$(./code)\x22'], capture_output=True, text=True))
";

#[test]
fn an_agent_that_says_that_it_is_confined_is_not_heard() {
    let Some(jail) = Jail::with("an_agent_that_says_that_it_is_confined_is_not_heard", POLICY) else { return };
    write_code(&jail);
    // It opens a session, and hands in doors of its own making with the word, as `rampart run` does.
    let hands_in = r"
own = session(agent='mine', confined=True)
s = connect('doors.sock')
listener = socket.create_server(('127.0.0.1', 0))
text = json.dumps({'credential': own['credential'], 'doors': ['redirected'], 'confined': True}).encode()
s.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [listener.fileno()]))])
print(s.recv(4096).decode().strip())
";
    let script = format!("{SESSION}\n{hands_in}\n{RUN}");
    let mut wrapped = jail.road.world.rampart(&["wrap", "--agent", "mine", "--", super::PYTHON, "-c", &script]);
    let ran = Ran::from(wrapped.stdin(std::process::Stdio::null()).output().unwrap()).expect(0);
    assert!(ran.stdout.contains("served"), "the doors alone are its own matter: {ran:?}");
    assert!(ran.stdout.contains("cannot be seen") && !ran.stdout.contains("stdout='ran"), "{ran:?}");
    let records = jail.road.world.records();
    let refused = records.iter().filter(|record| record["type"] == "auth").map(ToString::to_string);
    assert!(refused.into_iter().any(|record| record.contains("a confined session")), "it is on record");
}
