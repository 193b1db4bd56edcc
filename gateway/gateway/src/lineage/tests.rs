use std::process::{Child, Command, Stdio};

use super::*;

/// What a process is when these are known.
fn told(pid: u32, sessions: &[(Process, &str)], programs: &[&str]) -> Standing {
    let opened = |name: &str| Session { name: name.to_owned(), agent: "bot".to_owned() };
    let session = |process| sessions.iter().find(|(root, _)| *root == process).map(|(_, name)| opened(name));
    standing(pid, now(), Agents { programs, session: &session })
}

/// A process that prints the number of the one that matters and then waits for its end.
struct Tree(Child);

impl Tree {
    fn new(script: &str) -> (Self, u32) {
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .env_remove("RAMPART_SESSION")
            .spawn()
            .unwrap();
        let mut line = String::new();
        io::BufRead::read_line(&mut io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
        let pid = line.trim().parse().unwrap();
        (Self(child), pid)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Prints its own number and lives until standard input ends.
const WAIT: &str = "echo $$; read x; true";

#[test]
fn what_stands_behind_the_name_is_read_whatever_the_name_is() {
    let rest = "S 700 812 811 34816 812 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2";
    for name in ["bash", "a) R 1 (b", "", "((("] {
        let stat = parse(format!("812 ({name}) {rest}\n").as_bytes()).unwrap();
        assert_eq!((stat.name.as_str(), stat.parent, stat.leader), (name, 700, 811));
        assert_eq!((stat.terminal, stat.started), (true, 98765));
    }
    for junk in ["", "812 (bash) S", "812 (bash) S x 1 1 1"] {
        assert_eq!(parse(junk.as_bytes()), None, "{junk}");
    }
}

#[test]
fn a_program_is_named_by_its_script_where_an_interpreter_runs_it() {
    for (cmdline, name) in [
        (&b"/usr/local/bin/claude\0--resume\0"[..], Some("claude")),
        (b"node\0/usr/lib/node_modules/bin/codex.js\0exec\0", Some("codex")),
        (b"/usr/bin/python3.11\0-u\0/opt/agent.py\0", Some("agent")),
        (b"node\0--no-warnings\0/usr/bin/gemini\0", Some("gemini")),
        (b"node\0", None),
        (b"", None),
    ] {
        assert_eq!(program(cmdline).as_deref(), name, "{}", String::from_utf8_lossy(cmdline));
    }
}

#[test]
fn only_the_verbs_that_run_an_agent_make_a_session() {
    for (cmdline, is) in [
        (&b"/usr/bin/rampart\0wrap\0--\0aider\0"[..], true),
        (b"rampart\0run\0--\0x\0", true),
        (b"rampart\0mcp\0--\0x\0", true),
        (b"rampart\0serve\0", false),
        (b"rampart\0approve\0mcp\0", false),
        (b"bash\0wrap\0", false),
        (b"", false),
    ] {
        assert_eq!(is_runner(cmdline), is, "{}", String::from_utf8_lossy(cmdline));
    }
}

#[test]
fn whoever_stands_below_an_opened_session_is_an_agent_however_deep() {
    let (tree, deep) = Tree::new(&format!("env -i sh -c 'sh -c \"{}\"; true'; true", WAIT.replace('$', "\\$")));
    let root = Process::of(tree.0.id()).unwrap();
    assert!(root.lives());
    let Standing::Agent { pid, what, session } = told(deep, &[(root, "s1")], &["sh"]) else {
        panic!("taken for a person")
    };
    assert_eq!((pid, what.as_str(), session.as_deref()), (root.pid, "bot", Some("s1")));
    // A number that another process had before is no session.
    let stale = Process { started: root.started - 1, ..root };
    assert!(matches!(told(deep, &[(stale, "s1")], &[]), Standing::Free { .. }));
    assert!(!stale.lives());
}

#[test]
fn an_agent_is_known_by_its_programs_name_and_by_its_sessions_mark() {
    let (tree, pid) = Tree::new(&format!("sh -c '{WAIT}'; true"));
    assert!(matches!(told(pid, &[], &[]), Standing::Free { .. }));
    assert!(matches!(told(pid, &[], &["sh"]), Standing::Agent { .. }));
    drop(tree);
    let (_tree, pid) = Tree::new(&format!("RAMPART_SESSION=s2 env -i sh -c '{WAIT}'; true"));
    assert!(matches!(told(pid, &[], &[]), Standing::Free { .. }), "the mark was taken away");
    let (_tree, pid) =
        Tree::new(&format!("RAMPART_SESSION=s2 sh -c 'env -i sh -c \"{}\"; true'", WAIT.replace('$', "\\$")));
    assert!(matches!(told(pid, &[], &[]), Standing::Agent { .. }), "an ancestor bears it");
}

#[test]
fn who_opens_a_session_is_no_agent_by_what_it_will_run() {
    // A script of that name, so that the words are those of the program.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("wrap"), WAIT).unwrap();
    fs::write(dir.path().join("run"), "bash wrap; true").unwrap();
    let runs = |script: &str| format!("cd {} && exec bash -c 'exec -a rampart bash {script}'", dir.path().display());
    let opens = |pid| opener(pid, now(), Agents { programs: &["node"], session: &|_| None });
    let (_tree, pid) = Tree::new(&runs("wrap"));
    assert!(matches!(told(pid, &[], &[]), Standing::Agent { .. }));
    assert!(matches!(opens(pid), Standing::Free { .. }));
    let (_tree, pid) = Tree::new(&format!("export RAMPART_SESSION=s2; {}", runs("wrap")));
    assert!(matches!(opens(pid), Standing::Agent { .. }), "it was started in a session");
    let (_tree, pid) = Tree::new(&runs("run"));
    assert!(matches!(opens(pid), Standing::Agent { .. }), "another one is above it");
}

#[test]
fn a_process_that_began_after_the_connection_is_another_one() {
    let connected = now();
    std::thread::sleep(std::time::Duration::from_millis(30));
    let (_tree, pid) = Tree::new(WAIT);
    assert_eq!(standing(pid, connected, Agents { programs: &[], session: &|_| None }), Standing::Gone);
    assert_eq!(told(u32::MAX - 1, &[], &[]), Standing::Gone);
}

#[test]
fn a_process_without_a_terminal_is_seen_as_such() {
    let (_tree, pid) = Tree::new(&format!("setsid sh -c '{WAIT}'"));
    assert_eq!(told(pid, &[], &[]), Standing::Free { terminal: false });
    assert_eq!(Process::leader_of(pid).unwrap(), Process::of(pid).unwrap());
}

#[test]
fn where_the_leader_of_a_session_ended_the_farthest_ancestor_in_it_stands_for_it() {
    let (_tree, pid) =
        Tree::new("exec 3<&0; setsid sh -c '(sh -c \"echo \\$\\$; read x <&3; true\"; true) & exit' </dev/null");
    let leader = stat(pid).unwrap().leader;
    while stat(leader).is_ok() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let outer = stat(pid).unwrap().parent;
    assert_eq!(Process::leader_of(pid).unwrap(), Process::of(outer).unwrap());
    assert_eq!(Process::leader_of(outer).unwrap(), Process::of(outer).unwrap());
}
