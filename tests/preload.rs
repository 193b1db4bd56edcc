//! `rampart preload`: which ways to start a program, open a file and connect come by the library, and which do not.

mod coverage;
mod faults;

use std::process::Command;

use serde_json::Value;

use crate::world::{Ran, World, root};

const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: tests
    rules:
      - action: deny
        when: {command_matches: ["touch *", "/usr/bin/touch *", "/bin/touch *"]}
        message: no touching
      - action: deny
        when: {path_matches: ["**/secret*"]}
        message: no secrets
      - action: deny
        when: {command_matches: ["unlink *kept*", "mv * *kept*"]}
        message: it is kept
      - action: deny
        when: {port: [9]}
        message: nothing is discarded
"#;

/// A world with a gateway; starting one with each command would take its time.
fn ready() -> World {
    let mut world = World::with_policy(POLICY);
    world.serve(&[]);
    world
}

/// `rampart preload` with these options, running this.
fn preload(world: &World, options: &[&str], words: &[&str]) -> Command {
    world.rampart(&[&["preload"], options, &["--"], words].concat())
}

fn run(mut command: Command) -> Ran {
    Ran::from(command.stdin(std::process::Stdio::null()).output().unwrap())
}

fn compile(world: &World, name: &str, source: &str, options: &[&str]) -> String {
    let file = world.write(&format!("{name}.c"), source);
    let program = world.path(name);
    let done = Command::new("cc").args(options).arg("-o").arg(&program).arg(file).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    program.to_str().unwrap().to_owned()
}

#[test]
fn a_refusal_is_eperm_and_says_who_asked_in_the_trail() {
    let world = ready();
    let ran = run(preload(&world, &["--agent", "tester"], &["/bin/sh", "-c", "touch marker; echo $?; ls; echo done"]));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "126\ndone\n"), "{ran:?}");
    assert!(ran.stderr.contains("Operation not permitted"), "{ran:?}");
    // Once for each folder of PATH that has it.
    assert!(ran.stderr.contains(" judged, ") && ran.stderr.contains("rampart log --deny"), "{ran:?}");
    let decisions = world.decisions();
    let denied = decisions.iter().find(|d| d["outcome"] == "deny").unwrap();
    assert_eq!(denied["actor"]["surface"], "preload", "{denied:#}");
    assert_eq!(denied["actor"]["agent"], "tester", "{denied:#}");
    assert_eq!(denied["rule"]["policy"], "tests", "{denied:#}");
    assert_eq!(denied["action"]["cwd"], world.project().canonicalize().unwrap().to_str().unwrap(), "{denied:#}");
}

#[test]
fn to_watch_hinders_nothing_and_to_do_without_asks_nothing() {
    let world = ready();
    run(preload(&world, &["--mode", "monitor"], &["sh", "-c", "/usr/bin/touch one"])).expect(0);
    assert!(world.project().join("one").exists());
    assert_eq!(world.decisions().len(), 1, "{:#?}", world.decisions());
    run(preload(&world, &["--mode", "disabled"], &["sh", "-c", "/usr/bin/touch two"])).expect(0);
    assert!(world.project().join("two").exists());
    assert_eq!(world.decisions().len(), 1, "{:#?}", world.decisions());
}

#[test]
fn files_are_asked_about_when_wanted() {
    let world = ready();
    world.write("project/secret", "s");
    world.write("project/kept", "k");
    let script = "cat < secret; echo x > secret; rm kept; mv secret kept; echo y > other; cat other";
    let plain = run(preload(&world, &[], &["sh", "-c", "read line < secret; echo $line"]));
    assert_eq!(plain.stdout, "s\n", "{plain:?}");
    let ran = run(preload(&world, &["--files"], &["sh", "-c", script]));
    assert_eq!(ran.stdout, "y\n", "{ran:?}");
    let read = |name: &str| std::fs::read_to_string(world.project().join(name)).unwrap();
    assert_eq!((read("secret").as_str(), read("kept").as_str()), ("s", "k"), "{ran:?}");
    let python = "import os\nfor work in (lambda: open('secret'), lambda: open('secret', 'w'), lambda: os.remove('kept'), lambda: os.rename('secret', 'kept'), lambda: os.truncate('secret', 0), lambda: os.open('secret', os.O_RDONLY, dir_fd=os.open('.', os.O_RDONLY))):\n  try: work(); print('done')\n  except PermissionError: print('refused')\n  except OSError as e: print(e)\n";
    world.write("project/try.py", python);
    let ran = run(preload(&world, &["--files"], &["/usr/bin/python3", "try.py"]));
    assert_eq!(ran.stdout, "refused\n".repeat(6), "{ran:?}");
}

#[test]
fn connections_are_asked_about_when_wanted() {
    let world = ready();
    let python = "import socket\nfor at in (('127.0.0.1', 9), ('::1', 9), ('127.0.0.1', 10)):\n  try: socket.create_connection(at)\n  except OSError as e: print(type(e).__name__)\n";
    world.write("project/try.py", python);
    let ran = run(preload(&world, &["--net"], &["/usr/bin/python3", "try.py"]));
    assert_eq!(ran.stdout, "PermissionError\nPermissionError\nConnectionRefusedError\n", "{ran:?}");
    let ran = run(preload(&world, &[], &["/usr/bin/python3", "try.py"]));
    assert_eq!(ran.stdout.matches("ConnectionRefusedError").count(), 3, "{ran:?}");
}

#[test]
fn what_the_library_imports_is_on_this_list() {
    /// Functions that take no lock and no memory, the tables of the linker, and `dlsym`, which is called while the process
    /// starts.
    const ALLOWED: [&str; 18] = [
        "_ITM_deregisterTMCloneTable",
        "_ITM_registerTMCloneTable",
        "__cxa_finalize",
        "__errno_location",
        "__gmon_start__",
        "bcmp",
        "close",
        "dlsym",
        "environ",
        "faccessat",
        "memcpy",
        "memmove",
        "memset",
        "recv",
        "send",
        "setsockopt",
        "socket",
        "strlen",
    ];
    if !crate::world::have("what_the_library_imports_is_on_this_list", &["nm"]) {
        return;
    }
    let world = ready();
    run(preload(&world, &[], &["true"])).expect(0);
    let folder = world.home().join("state/preload");
    let library = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let names = |which: &str| {
        let ran = Ran::from(Command::new("nm").args(["-D", which]).arg(&library).output().unwrap());
        ran.stdout
            .lines()
            .map(|line| line.split_whitespace().last().unwrap().split('@').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let strange: Vec<_> =
        names("--undefined-only").into_iter().filter(|name| !ALLOWED.contains(&name.as_str())).collect();
    assert!(strange.is_empty(), "{strange:?}");
    let exported = names("--defined-only");
    for name in [
        "execve",
        "execv",
        "execvp",
        "execvpe",
        "execl",
        "execlp",
        "execle",
        "execveat",
        "fexecve",
        "posix_spawn",
        "posix_spawnp",
        "system",
        "popen",
        "wordexp",
    ] {
        assert!(exported.iter().any(|there| there == name), "{name}");
    }
    assert!(library.metadata().unwrap().len() < 64 << 10, "it is loaded into every process");
}

#[test]
fn a_library_that_was_changed_is_put_right_and_a_bad_place_is_told() {
    let world = ready();
    run(preload(&world, &[], &["true"])).expect(0);
    let folder = world.home().join("state/preload");
    let library = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&library).unwrap();
    std::fs::write(&library, "not a library").unwrap();
    let ran = run(preload(&world, &[], &["sh", "-c", "/usr/bin/touch marker"]));
    assert!(!ran.success() && !world.project().join("marker").exists(), "{ran:?}");
    assert!(std::fs::read(&library).unwrap() == whole);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    assert_eq!(
        std::fs::read_dir(world.home().join("run"))
            .unwrap()
            .flatten()
            .filter(|e| e.file_name().to_string_lossy().starts_with("preload-"))
            .count(),
        0
    );
    let odd = world.path("a home");
    std::fs::create_dir(&odd).unwrap();
    crate::world::set_mode(&odd, 0o700);
    let mut command = preload(&world, &[], &["true"]);
    let ran = run({
        command.env("RAMPART_HOME", &odd);
        command
    });
    assert!(ran.stderr.contains("a colon or a space"), "{ran:?}");
    let pid = std::fs::read_to_string(odd.join("run/gateway.pid")).unwrap_or_default();
    let _ = Command::new("kill").arg(pid.trim()).output();
}

/// What the records say was started, in order.
fn started(world: &World) -> Vec<String> {
    let words = |decision: &Value| match decision["action"]["argv"].as_array() {
        Some(argv) => argv.iter().map(|word| word.as_str().unwrap()).collect::<Vec<_>>().join(" "),
        None => decision["action"]["command"].as_str().unwrap_or_default().to_owned(),
    };
    world.decisions().iter().map(words).collect()
}

#[test]
fn the_environment_is_given_on_whatever_becomes_of_it() {
    let world = ready();
    world.write("project/inner", "unset LD_PRELOAD RAMPART_PRELOAD\nexport LD_PRELOAD=\n/usr/bin/touch marker\n");
    world.write("project/outer", "/usr/bin/env -u LD_PRELOAD -u RAMPART_PRELOAD /bin/sh inner\n");
    let script = "/usr/bin/env -i /usr/bin/env -i /bin/sh outer";
    let ran = run(preload(&world, &[], &["sh", "-c", script]));
    assert!(!world.project().join("marker").exists(), "{ran:?}");
    assert!(started(&world).iter().any(|words| words.starts_with("/usr/bin/touch")), "{:?}", started(&world));
    assert!(root().join("shim/preload").is_dir());
}
