use std::{fs, io::Write as _, os::unix::process::CommandExt as _, process::Stdio, time::Duration};

use crate::gateway::{Manner, Ran, World, run};

fn refused(ran: &Ran) {
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(126), ""), "{ran:?}");
    assert!(ran.stderr.starts_with("rampart: refused: It is forbidden"), "{ran:?}");
    assert!(ran.stderr.contains("rampart allow x"), "{ran:?}");
}

#[test]
fn every_order_of_options_is_judged_by_its_text_and_runs_unchanged() {
    let orders: &[(&str, &[&str])] = &[
        ("bash", &["-c"]),
        ("bash", &["-lc"]),
        ("bash", &["-c", "-l"]),
        ("bash", &["-ec"]),
        ("bash", &["-o", "pipefail", "-c"]),
        ("bash", &["-oc", "pipefail"]),
        ("bash", &["-O", "extglob", "-c"]),
        ("bash", &["+O", "extglob", "-c"]),
        ("bash", &["--norc", "--noprofile", "-c"]),
        ("bash", &["-norc", "-c"]),
        ("bash", &["-c", "--"]),
        ("bash", &["-c", "-"]),
        ("sh", &["-c"]),
        ("sh", &["-ec"]),
        ("sh", &["-o", "errexit", "-c"]),
        ("sh", &["-c", "--"]),
        ("dash", &["-ce"]),
        ("dash", &["+e", "-c"]),
    ];
    for (name, options) in orders {
        let world = World::with(Manner::Answers);
        let line = |text| [*options, &[text]].concat();
        let ran = run(world.shell(name, &line("echo \"ran $0\"; exit 7")), b"");
        assert_eq!(ran.code, Some(7), "{name} {options:?}: {ran:?}");
        assert!(ran.stdout.starts_with("ran ") && ran.stdout.contains(name), "{ran:?}");
        refused(&run(world.shell(name, &line("echo forbidden; touch ran")), b""));
        assert!(!world.path("project/ran").exists());
        let expected = ["shell: echo \"ran $0\"; exit 7", "shell: echo forbidden; touch ran"];
        assert_eq!(world.asked(), expected, "{name} {options:?}");
    }
}

#[test]
fn parameters_are_part_of_what_is_judged() {
    let world = World::with(Manner::Answers);
    let ran = run(world.shell("bash", &["-c", "echo \"$0|$1\"", "zero", "one two"]), b"");
    assert_eq!(ran.stdout, "zero|one two\n");
    refused(&run(world.shell("bash", &["-c", "\"$@\"", "x", "touch", "forbidden"]), b""));
    assert_eq!(
        world.asked(),
        ["shell: bash -c 'echo \"$0|$1\"' zero 'one two'", "shell: bash -c '\"$@\"' x touch forbidden"]
    );
}

#[test]
fn a_login_shell_stays_one() {
    let world = World::with(Manner::Answers);
    fs::write(world.path("project/.bash_profile"), "echo profile\n").unwrap();
    let mut command = world.shell("bash", &["-c", "shopt -q login_shell && echo login"]);
    command.arg0("-bash");
    let ran = run(command, b"");
    assert_eq!(ran.stdout, "profile\nlogin\n", "{ran:?}");
}

#[test]
fn scripts_are_judged_by_their_text() {
    let world = World::with(Manner::Answers);
    fs::write(world.path("project/good.sh"), "echo \"good $1\"\n").unwrap();
    fs::write(world.path("project/bad.sh"), "echo forbidden\n").unwrap();
    fs::write(world.path("bin/on-path.sh"), "echo path\n").unwrap();
    assert_eq!(run(world.shell("bash", &["good.sh", "-c"]), b"").stdout, "good -c\n");
    assert_eq!(run(world.shell("sh", &["-e", "--", "good.sh", "x"]), b"").stdout, "good x\n");
    assert_eq!(run(world.shell("bash", &["on-path.sh"]), b"").stdout, "path\n");
    refused(&run(world.shell("bash", &["bad.sh"]), b""));
    refused(&run(world.shell("bash", &["./bad.sh"]), b""));
    assert!(world.asked().iter().all(|asked| asked.starts_with("shell: echo ")), "{:?}", world.asked());
    let missing = run(world.shell("bash", &["none.sh"]), b"");
    assert_eq!(missing.code, Some(127), "{missing:?}");
    assert!(missing.stderr.contains("none.sh"), "{missing:?}");
}

#[test]
fn scripts_that_cannot_be_judged_do_not_run() {
    let world = World::with(Manner::Answers);
    fs::write(world.path("project/nul.sh"), b"ec\0ho x\n").unwrap();
    fs::write(world.path("project/latin.sh"), b"echo \xe9\n").unwrap();
    fs::write(world.path("project/large.sh"), vec![b'#'; 2 << 20]).unwrap();
    for (script, why) in
        [("nul.sh", "NUL"), ("latin.sh", "UTF-8"), ("large.sh", "larger than 1 MiB"), (".", "directory")]
    {
        let ran = run(world.shell("bash", &[script]), b"");
        assert_eq!(ran.code, Some(126), "{ran:?}");
        assert!(ran.stderr.contains(why), "{ran:?}");
    }
    let ran = run(world.shell("dash", &["-O", "x", "-c", "echo ran"]), b"");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(126), ""), "{ran:?}");
    assert!(world.asked().is_empty(), "{:?}", world.asked());
}

#[test]
fn standard_input_is_judged_whole_and_handed_on() {
    for name in ["bash", "sh", "dash"] {
        let world = World::with(Manner::Answers);
        let ran = run(world.shell(name, &["-s", "one"]), b"echo ran $1\nexit 5\n");
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(5), "ran one\n"), "{name}: {ran:?}");
        refused(&run(world.shell(name, &[]), b"true\necho forbidden\n"));
        assert_eq!(world.asked().len(), 2);
    }
    let world = World::with(Manner::Answers);
    let ran = run(world.shell("bash", &[]), b"read line\nsome text\necho \"got $line\"\n");
    assert_eq!(ran.stdout, "got some text\n", "{ran:?}");
    assert_eq!(run(world.shell("bash", &[]), b"").code, Some(0));
    assert_eq!(world.asked().last().unwrap(), "shell: bash");
}

#[test]
fn a_script_from_a_pipe_is_judged_and_runs() {
    let world = World::with(Manner::Answers);
    let mut real = world.command("/bin/bash");
    real.args(["-c", "bash <(echo 'echo ran $1') one; bash <(echo 'echo forbidden'); echo $?"]);
    assert_eq!(run(real, b"").stdout, "ran one\n126\n");
}

#[test]
fn a_shell_inside_a_shell_is_judged_too() {
    let world = World::with(Manner::Answers);
    let ran = run(world.shell("sh", &["-c", "x=forbid; bash -c \"echo ${x}den\"; echo $?"]), b"");
    assert_eq!(ran.stdout, "126\n");
    assert_eq!(world.asked().len(), 2);
}

#[test]
fn a_startup_file_named_in_the_arguments_is_judged() {
    let world = World::with(Manner::Answers);
    fs::write(world.path("project/rc"), "echo forbidden\n").unwrap();
    refused(&run(world.shell("bash", &["--rcfile", "rc", "-ic", "true"]), b""));
    let ran = run(world.shell("bash", &["--rcfile", "none", "-c", "echo ran"]), b"");
    assert_eq!(ran.stdout, "ran\n");
}

#[test]
fn the_shim_can_be_called_by_its_own_name() {
    let world = World::with(Manner::Answers);
    let mut command = world.command(crate::shim());
    command.args(["--shell", "bash", "-c", "echo $0"]).env("RAMPART_AGENT", "aider").env("RAMPART_SESSION", "s1");
    assert_eq!(run(command, b"").stdout, "bash\n");
    let call = world.calls().remove(0);
    assert_eq!((call.origin.agent.as_str(), call.origin.session.as_str()), ("aider", "s1"));
    let rampart_call::Action::Exec { cwd: Some(cwd), .. } = call.action else { panic!() };
    assert_eq!(fs::canonicalize(cwd).unwrap(), fs::canonicalize(world.path("project")).unwrap());
}

#[test]
fn what_only_prints_is_judged_as_the_command_it_is() {
    let world = World::with(Manner::Answers);
    assert!(run(world.shell("bash", &["--version"]), b"").stdout.contains("GNU bash"));
    assert_eq!(world.asked(), ["shell: bash --version"]);
}

#[test]
fn an_interactive_shell_starts_with_a_notice() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let world = World::with(Manner::Answers);
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let side = fs::OpenOptions::new().read(true).write(true).open(name).unwrap();
    let mut shell = world.shell("bash", &["--norc"]);
    let child = shell.stdin(side).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    fs::File::from(terminal.try_clone().unwrap()).write_all(b"echo ran; exit 3\n").unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stdout.as_slice()), (Some(3), &b"ran\n"[..]));
    assert!(String::from_utf8(ended.stderr).unwrap().starts_with("rampart: an interactive shell"));
    assert_eq!(world.asked(), ["shell: bash --norc"]);
}

#[test]
fn a_gateway_that_fails_is_a_refusal_within_two_seconds() {
    for manner in [Manner::Hangs, Manner::HangsUp] {
        let world = World::with(manner);
        let ran = run(world.shell("bash", &["-c", "echo ran"]), b"");
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(126), ""), "{ran:?}");
        assert!(ran.stderr.contains("gateway"), "{ran:?}");
        assert!(ran.took < Duration::from_secs(2), "{:?}", ran.took);
    }
    let ran = run(World::empty().shell("bash", &["-c", "echo ran"]), b"");
    assert_eq!(ran.code, Some(126), "{ran:?}");
    assert!(ran.stderr.contains("rampart serve"), "{ran:?}");
}

#[test]
fn a_terminal_is_not_written_to_by_what_was_refused() {
    let world = World::empty();
    let ran = run(world.shell("bash", &["\u{1b}[2Jnone.sh"]), b"");
    assert!(!ran.stderr.contains('\u{1b}'), "{ran:?}");
}
