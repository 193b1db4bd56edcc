//! `--overlay`: an agent changes a copy of the project, and a person decides what becomes of that.

use std::{fs, io::Write as _, process::Stdio};

use super::Jail;
use crate::world::{Ran, World, have};

/// Everything that can be done to a file.
const WORK: &str = r#"
echo two >> a; rm -r gone; rm -r again; mkdir again; echo new > again/new; ln -s /etc/passwd link; chmod 600 tool
cp /bin/true program && ./program && echo started
printf '\033[2Jx' > "$(printf 'na\033[2Jme')"; mkfifo pipe
cat a >/dev/null; mv b c
"#;

fn prepare(world: &World) {
    for (path, text) in [("a", "one\n"), ("b", "b\n"), ("gone/x", "x"), ("again/old", "old"), ("tool", "tool")] {
        world.write(&format!("project/{path}"), text);
    }
    crate::world::set_mode(&world.project().join("tool"), 0o755);
}

/// Every path below the project with what it holds.
fn state(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![world.project()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let name = path.strip_prefix(world.project()).unwrap().display().to_string();
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_symlink() {
                found.push(format!("{name} -> {}", fs::read_link(&path).unwrap().display()));
            } else if name != "program" {
                found.push(format!("{name}: {}", String::from_utf8_lossy(&fs::read(&path).unwrap()).trim()));
            } else {
                found.push(name);
            }
        }
    }
    found.sort();
    found
}

const BEFORE: [&str; 5] = ["a: one", "again/old: old", "b: b", "gone/x: x", "tool: tool"];
const AFTER: [&str; 7] =
    ["a: one\ntwo", "again/new: new", "c: b", "link -> /etc/passwd", "na\x1b[2Jme: \x1b[2Jx", "program", "tool: tool"];

fn ids(world: &World) -> Vec<String> {
    let kept = world.run(&["overlay", "list", "--json"]).expect(0).json();
    kept.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_project_stays_as_it_was_until_somebody_takes_the_changes_over() {
    let test = "the_project_stays_as_it_was_until_somebody_takes_the_changes_over";
    for jail in [Jail::open(test), Jail::ordinary(test)] {
        let Some(mut jail) = jail else { return };
        prepare(&jail.road.world);
        jail.own();
        let world = &jail.road.world;
        // Nobody is at a terminal.
        let ran = jail.shell_with(&["--overlay"], WORK).expect(0);
        assert_eq!(ran.stdout, "started\n", "{ran:?}");
        for text in [
            "changed  a  +1 -0",
            "+two",
            "removed  gone",
            "removed  again/old",
            "made     again/new",
            "rights   tool  755 to 600",
            "linked   link -> /etc/passwd",
            "made     program  binary",
            r"na\u{1b}[2Jme",
            r"+\u{1b}[2Jx",
            "not kept pipe",
            "the changes are kept",
        ] {
            assert!(ran.stderr.contains(text), "{text}: {}", ran.stderr);
        }
        assert!(!ran.stderr.contains("\x1b[2J"), "{ran:?}");
        assert_eq!(state(world), BEFORE);
        let [id] = ids(world).try_into().unwrap();
        assert!(world.run(&["overlay", "list"]).expect(0).stdout.starts_with(&id));
        assert!(world.run(&["overlay", "show", &id]).expect(0).stdout.contains("+two"));
        world.run(&["overlay", "accept", id.get(..4).unwrap()]).expect(0);
        assert_eq!(state(world), AFTER);
        assert!(ids(world).is_empty() && world.run(&["overlay", "show", &id]).code == Some(2));
    }
}

#[test]
fn what_becomes_of_changes_can_be_said_before() {
    let Some(mut jail) = Jail::ordinary("what_becomes_of_changes_can_be_said_before") else { return };
    prepare(&jail.road.world);
    // Which is no name that options of a mount have room for.
    jail.road.world.write("project/.git/HEAD", "");
    let odd = r"project/a,b:c\d e\040=f";
    jail.road.world.write(&format!("{odd}/a"), "one\n");
    jail.own();
    let world = &jail.road.world;
    fs::remove_dir_all(world.project().join(".git")).unwrap();
    for (word, says, holds) in [
        ("discard", "thrown away", "one\n"),
        ("keep", "are kept", "one\n"),
        ("accept", "2 changes are in the project now", "two\n"),
    ] {
        let mut command = jail.command(&[
            "-q",
            &format!("--overlay={word}"),
            "--",
            "/bin/sh",
            "-c",
            "echo two > a; touch new; exit 7",
        ]);
        let ran = Ran::from(command.current_dir(world.path(odd)).output().unwrap()).expect(7);
        assert!(ran.stderr.contains(says), "{word}: {ran:?}");
        assert_eq!(fs::read_to_string(world.path(odd).join("a")).unwrap(), holds, "{word}");
    }
    let [id] = ids(world).try_into().unwrap();
    // The one that was kept is older than what was accepted.
    let ran = world.run(&["overlay", "accept", &id]).expect(0);
    assert!(ran.stdout.starts_with("0 changes"), "both are the same: {ran:?}");
    let ran = jail.run(&["-q", "--overlay", "--", "true"]).expect(0);
    assert!(ran.stderr.contains("nothing of the project was changed") && ids(world).is_empty(), "{ran:?}");
    let ran = jail.run(&["-q", "--overlay", "--", "/not/there"]).expect(2);
    assert!(ids(world).is_empty(), "{ran:?}");
}

#[test]
fn what_others_changed_meanwhile_is_not_overwritten_unasked() {
    let Some(mut jail) = Jail::ordinary("what_others_changed_meanwhile_is_not_overwritten_unasked") else { return };
    prepare(&jail.road.world);
    jail.own();
    let world = &jail.road.world;
    jail.shell_with(&["--overlay=keep"], WORK).expect(0);
    world.write("project/a", "theirs\n");
    let [id] = ids(world).try_into().unwrap();
    let ran = world.run(&["overlay", "accept", &id]).expect(1);
    assert!(ran.stderr.contains("a: changed meanwhile") && ran.stderr.contains("--force"), "{ran:?}");
    let mut before = BEFORE.map(str::to_owned).to_vec();
    before[0] = "a: theirs".to_owned();
    assert_eq!(state(world), before);
    world.run(&["overlay", "accept", "--force", &id]).expect(0);
    assert_eq!(state(world), AFTER);
    // And at the end of a run, where that was said before.
    let mut command =
        jail.command(&["-q", "--overlay=accept", "--", "/bin/sh", "-c", "echo mine > a; echo ready; cat >/dev/null"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = [0; 6];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
    world.write("project/a", "theirs again\n");
    drop(child.stdin.take());
    let ran = Ran::from(child.wait_with_output().unwrap()).expect(1);
    assert!(ran.stderr.contains("a: changed meanwhile") && ran.stderr.contains("are kept"), "{ran:?}");
    assert_eq!(fs::read_to_string(world.project().join("a")).unwrap(), "theirs again\n");
    let [id] = ids(world).try_into().unwrap();
    world.run(&["overlay", "discard", &id]).expect(0);
}

#[test]
fn a_person_at_a_terminal_is_asked() {
    let test = "a_person_at_a_terminal_is_asked";
    if !have(test, &["script"]) {
        return;
    }
    let Some(jail) = Jail::open(test) else { return };
    let world = &jail.road.world;
    for (answer, says, holds) in
        [("a\n", "1 changes are in the project now", "two"), ("d\n", "thrown away", "one"), ("\n", "are kept", "one")]
    {
        world.write("project/a", "one");
        // The agent leaves the terminal raw, and something typed for it.
        let inner = format!(
            "exec {} run -q --overlay -- /bin/sh -c 'printf two > a; stty raw -echo; sleep 1'",
            crate::world::bin("rampart").display()
        );
        let mut command = world.command("script");
        command.args(["-qefc", &inner, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut output = child.stdout.take().unwrap();
        let mut seen = Vec::new();
        let mut piece = [0; 4096];
        child.stdin.as_mut().unwrap().write_all(b"accept\n").unwrap();
        while !String::from_utf8_lossy(&seen).contains("[a/d/K]") {
            let read = std::io::Read::read(&mut output, &mut piece).unwrap();
            assert_ne!(read, 0, "{}", String::from_utf8_lossy(&seen));
            seen.extend(&piece[..read]);
        }
        std::thread::sleep(std::time::Duration::from_millis(300));
        child.stdin.as_mut().unwrap().write_all(answer.as_bytes()).unwrap();
        std::io::Read::read_to_end(&mut output, &mut seen).unwrap();
        child.wait().unwrap();
        let seen = String::from_utf8_lossy(&seen);
        assert!(seen.contains(says), "{answer:?}: {seen}");
        assert_eq!(fs::read_to_string(world.project().join("a")).unwrap(), holds, "{answer:?}: {seen}");
    }
}

#[test]
fn where_no_copy_can_be_made_nothing_is_run() {
    let test = "where_no_copy_can_be_made_nothing_is_run";
    if !have(test, &["unshare"]) {
        return;
    }
    let Some(jail) = Jail::open(test) else { return };
    let world = &jail.road.world;
    let config = fs::read_to_string(world.home().join("config.yaml")).unwrap();
    world.config(&format!("{config}\njail: {{without: run}}\n"));
    let own = crate::world::bin("rampart");
    for (before, says) in [
        (
            "echo 0 > /proc/sys/user/max_user_namespaces",
            "no copy of the project can be made here (namespaces: making a user namespace",
        ),
        ("mkdir -p m && mount -t tmpfs x m", "m is another file system"),
    ] {
        let inside = format!("{before} && exec {} run --overlay -- /bin/sh -c 'touch made'", own.display());
        let mut command = world.command("unshare");
        command.args(["--user", "--map-root-user", "--mount", "--", "sh", "-c", &inside]);
        let ran = Ran::from(command.stdin(Stdio::null()).output().unwrap()).expect(2);
        assert!(ran.stderr.contains(says), "{ran:?}");
        assert!(!world.project().join("made").exists() && ids(world).is_empty(), "{ran:?}");
    }
    let ran = jail.run(&["--overlay", "--mode", "monitor", "--", "true"]).expect(2);
    assert!(ran.stderr.contains("leave one of them out"), "{ran:?}");
    assert_eq!(jail.run(&["--overlay", "--no-jail", "--", "true"]).code, Some(2));
}

#[test]
fn an_agent_neither_sees_nor_accepts_what_is_kept() {
    let Some(jail) = Jail::open("an_agent_neither_sees_nor_accepts_what_is_kept") else { return };
    let world = &jail.road.world;
    jail.shell_with(&["--overlay=keep"], "echo x > made; cat $RAMPART_HOME/state/overlays/*/upper/made").code.unwrap();
    let [id] = ids(world).try_into().unwrap();
    let own = crate::world::bin("rampart");
    let ran = jail.shell(&format!("ls $RAMPART_HOME/state/overlays; {} overlay accept {id}", own.display()));
    assert!(!ran.success() && !ran.stdout.contains(&id), "{ran:?}");
    let mut wrapped =
        world.rampart(&["wrap", "--", "/bin/sh", "-c", &format!("{} overlay accept {id}", own.display())]);
    let ran = Ran::from(wrapped.stdin(Stdio::null()).output().unwrap());
    assert!(!ran.success() && !world.project().join("made").exists(), "{ran:?}");
    assert_eq!(ids(world), [id]);
}
