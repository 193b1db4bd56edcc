//! The ways to start a program, none of which leads around the gate.

use super::*;

#[test]
fn no_way_to_start_a_program_leads_around() {
    let folder = Folder::new();
    let source = include_str!("ways.c");
    let is_root = rustix::process::geteuid().is_root();
    let mut failed = Vec::new();
    for (kind, options) in [("dynamic", &["-pthread"][..]), ("static", &["-pthread", "-static"])] {
        let program = folder.compile(source, options);
        for how in source.lines().filter_map(|line| line.trim().strip_prefix("if (!strcmp(how, \"")?.split('"').next())
        {
            let mut command = Command::new(&program);
            command.args([how, "marker"]);
            let (status, _, err) = folder.run(command, Supervision::new(&gate, Origin::default()));
            let refused = err.matches("rampart: refused: ").count();
            // What only root can do, and a process into whose standard error nobody else may write.
            let is_quiet = !is_root && ["hard link", "root", "not dumpable"].contains(&how);
            if status.code().is_none() || folder.at("marker").exists() || (refused == 0 && !is_quiet) {
                failed.push(format!("{kind}, {how}: {status}, refused {refused}: {err}"));
            }
            for left in ["marker", "harmless", "hard", "other"] {
                let _ = fs::remove_file(folder.at(left));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn a_script_is_judged_with_what_runs_it_and_a_loader_with_what_it_loads() {
    let folder = Folder::new();
    folder.script("by-touch", "#!/usr/bin/touch\n");
    folder.script("by-env", "#!/usr/bin/env -S /usr/bin/touch marker\n");
    folder.script("by-script", &format!("#!{}\n", folder.at("by-touch").display()));
    folder.script("harmless", "#!/bin/sh\necho $0 $1\n");
    for (line, said) in [
        ("./by-touch; echo $?", "126\n"),
        ("./by-env; echo $?", "126\n"),
        ("./by-script; echo $?", "126\n"),
        ("./harmless a", "./harmless a\n"),
        ("PATH=.:$PATH; harmless a", "./harmless a\n"),
        ("exec 3< harmless; /bin/sh /dev/fd/3 a", "/dev/fd/3 a\n"),
        ("/lib64/ld-linux-x86-64.so.2 /usr/bin/touch marker; echo $?", "126\n"),
        ("cp /lib64/ld-linux-x86-64.so.2 l; cp /usr/bin/touch t; ./l ./t marker; echo $?", "126\n"),
        ("/lib64/ld-linux-x86-64.so.2 ./nothing 2> /dev/null; echo $?", "127\n"),
        ("/lib64/ld-linux-x86-64.so.2 --argv0 x /bin/echo on", "on\n"),
        ("/proc/self/exe -c 'echo $0' x", "x\n"),
    ] {
        let (_, out, err) = folder.sh(line);
        assert_eq!(out, said, "{line}: {err}");
        assert!(!folder.at("marker").exists(), "{line}");
    }
}

#[test]
fn what_asks_by_itself_is_not_asked_about_wherever_it_is_named() {
    let folder = Folder::new();
    let mut command = Command::new("/bin/sh");
    command.args([
        "-c",
        "/usr/bin/touch one; ln -s /usr/bin/touch own; ./own two; cp /usr/bin/touch copy; ./copy three; ls",
    ]);
    let supervision =
        Supervision { asks_itself: Some("/usr/bin/touch".into()), ..Supervision::new(&gate, Origin::default()) };
    let (_, out, err) = folder.run(command, supervision);
    assert_eq!(out, "copy\nerr\none\nout\nown\ntwo\n", "{err}");
}

#[test]
fn a_supervisor_is_not_for_others_of_its_user_to_look_into() {
    let folder = Folder::new();
    folder.sh(":");
    let dumpable = rustix::process::dumpable_behavior().unwrap();
    assert_eq!(dumpable, rustix::process::DumpableBehavior::NotDumpable);
}
