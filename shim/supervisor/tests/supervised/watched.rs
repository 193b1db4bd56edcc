//! Files and connections that are watched: what is refused does not happen, whichever call it was, and all else is as ever.

use rampart_call::Located;
use rampart_supervisor::Watched;

use super::*;

const ALL: Watched = Watched { files: true, connections: true };

/// Whatever is named `secret` is neither read nor changed, `fixed` not changed, and nobody connects to port 9.
#[expect(clippy::disallowed_methods, reason = "this is a gate")]
fn gate(call: Call) -> Verdict {
    let names = |place: &Located, name: &str| {
        [Some(&place.path), place.resolved.as_ref()].into_iter().flatten().any(|path| path.contains(name))
    };
    let refused = match &call.action {
        Action::Read { paths } => paths.iter().any(|place| names(place, "secret")),
        Action::Write { paths, .. } => paths.iter().any(|place| names(place, "secret") || names(place, "fixed")),
        Action::Exec { command: CommandLine::Argv(words), .. } if words[0] == "unlink" || words[0] == "mv" => {
            words.iter().any(|word| word.contains("secret") || word.contains("fixed"))
        }
        Action::Connect { port, .. } => *port == 9,
        _ => false,
    };
    if refused {
        return Verdict::Deny(Refusal { judgement: Judgement::refused(Reason::Rule, "not this") });
    }
    Verdict::Allow(Permit::mint(Judgement { outcome: Outcome::Allow, ..Judgement::allowed(Reason::Default) }))
}

fn watched(folder: &Folder, script: &str) -> (ExitStatus, String, String) {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    folder.run(command, Supervision { watched: ALL, ..Supervision::new(&gate, Origin::default()) })
}

#[test]
fn what_is_refused_is_not_read_nor_changed_and_all_else_is() {
    let folder = Folder::new();
    fs::write(folder.at("secret"), "key\n").unwrap();
    fs::write(folder.at("fixed"), "text\n").unwrap();
    fs::write(folder.at("plain"), "text\n").unwrap();
    fs::create_dir(folder.at("sub")).unwrap();
    std::os::unix::fs::symlink("../secret", folder.at("sub/link")).unwrap();
    let mut failed = Vec::new();
    for (line, said) in [
        ("cat plain; echo $?", "text\n0\n"),
        ("cat secret; echo $?", "1\n"),
        ("cat sub/link; echo $?", "1\n"),
        ("cat fixed; echo more >> fixed; echo $?", "text\n2\n"),
        ("echo more > secret; echo $?", "2\n"),
        ("echo more >> plain; cat plain; echo text > plain", "text\nmore\n"),
        ("rm -f secret fixed; mv fixed x; mv plain fixed; ls", "err\nfixed\nout\nplain\nsecret\nsub\n"),
        (
            "ln secret other; ln -s secret symbolic; cat symbolic other; ls; rm symbolic",
            "err\nfixed\nout\nplain\nsecret\nsub\nsymbolic\n",
        ),
        ("ln fixed other; ls; ln plain other; cat other; rm other", "err\nfixed\nout\nplain\nsecret\nsub\ntext\n"),
        (
            "truncate -s 2 fixed; truncate -s 2 plain; wc -c fixed plain | head -2; echo text > plain",
            "5 fixed\n2 plain\n",
        ),
        ("umask 027; echo x > new; stat -c %a new; rm new; mkdir d; rmdir d; ls -d new d", "640\n"),
        ("cd sub; cat ../secret ../plain", "text\n"),
        ("exec 3< plain; cat /proc/self/fd/3 /dev/fd/3 <&3", "text\ntext\n"),
        ("cat /proc/$$/fd/1; head -c 9 /proc/self/status; echo; head -z -n 1 /proc/self/cmdline", "Name:\thea\nhead\0"),
        ("mkfifo f; cat f & echo through > f; wait; rm f", "through\n"),
        ("cat < /dev/null; echo > /dev/null; head -c 0 /dev/urandom; echo $?", "0\n"),
        ("find . -name 's*'; [ -r secret ] && echo there", "./secret\n./sub\nthere\n"),
        ("cat none; echo $?; cat sub; echo $?; cat plain/; echo $?", "1\n1\n1\n"),
    ] {
        let (status, out, err) = watched(&folder, line);
        if out != said {
            failed.push(format!("{line}: {status} {out:?} {err}"));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(fs::read_to_string(folder.at("secret")).unwrap(), "key\n");
    assert_eq!(fs::read_to_string(folder.at("fixed")).unwrap(), "text\n");
}

fn by_hand(folder: &Folder, program: &Path, words: &[&str]) -> (ExitStatus, String, String) {
    let mut command = Command::new(program);
    command.args(words);
    folder.run(command, Supervision { watched: ALL, ..Supervision::new(&gate, Origin::default()) })
}

/// What each line says of the call that it names.
fn told(out: &str) -> Vec<(&str, &str)> {
    out.lines().filter_map(|line| line.rsplit_once(' ')).collect()
}

#[test]
fn no_call_leads_to_a_file_that_is_refused() {
    let folder = Folder::new();
    let program = folder.compile(include_str!("watched.c"), &["-pthread"]);
    fs::write(folder.at("secret"), "key\n").unwrap();
    fs::write(folder.at("plain0"), "text\n").unwrap();
    let (status, out, err) = by_hand(&folder, &program, &["files"]);
    assert_eq!(status.code(), Some(0), "{out} {err}");
    let told = told(&out);
    assert_eq!(told.len(), 16, "{out}");
    for (call, got) in told {
        let expected = if call == "openat2" { "ENOSYS" } else { "EACCES" };
        assert_eq!(got, expected, "{call}: {out} {err}");
    }
    assert_eq!(fs::read_to_string(folder.at("secret")).unwrap(), "key\n");
    assert!(!folder.at("x").exists());
    for _ in 0..3 {
        let (_, out, err) = by_hand(&folder, &program, &["race"]);
        assert_eq!(out, "read held\n", "{err}");
    }
}

#[test]
fn a_file_is_opened_as_the_kernel_opens_it() {
    let folder = Folder::new();
    let program = folder.compile(include_str!("watched.c"), &["-pthread"]);
    let prepare = || {
        let _ = ["made", "named"].map(|name| fs::remove_file(folder.at(name)));
        fs::write(folder.at("plain0"), "text\n").unwrap();
        let _ = fs::create_dir(folder.at("sub"));
        let _ = std::os::unix::fs::symlink("plain0", folder.at("link"));
        let _ = std::os::unix::fs::symlink("made", folder.at("dangling"));
    };
    prepare();
    // In a session of its own, which has no terminal.
    let run = |command: &mut Command| {
        use std::os::unix::process::CommandExt as _;
        // SAFETY: one system call.
        unsafe { command.pre_exec(|| rustix::process::setsid().map(drop).map_err(Into::into)) };
    };
    let mut alone = Command::new(&program);
    alone.arg("kinds").current_dir(folder.at(""));
    run(&mut alone);
    let alone = alone.stdin(Stdio::null()).output().unwrap();
    let alone = String::from_utf8(alone.stdout).unwrap();
    prepare();
    let mut command = Command::new(&program);
    command.arg("kinds");
    run(&mut command);
    let (_, out, err) = folder.run(command, Supervision { watched: ALL, ..Supervision::new(&gate, Origin::default()) });
    assert_eq!(out, alone, "{err}");
    assert_eq!(told(&out).len(), 20, "{out}");
    assert!(folder.at("named").exists());
    // Root looks into every process.
    let is_root = rustix::process::geteuid().is_root();
    let (_, out, err) = by_hand(&folder, &program, &["closed"]);
    assert_eq!(out, if is_root { "closed ok\n" } else { "closed EPERM\n" }, "{err}");
}

#[test]
fn connections_are_those_that_were_judged() {
    let folder = Folder::new();
    let program = folder.compile(include_str!("watched.c"), &["-pthread"]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let (status, out, err) = by_hand(&folder, &program, &["connections", &port]);
    assert_eq!(status.code(), Some(0), "{out} {err}");
    let expected = [
        ("refused", "EACCES"),
        ("six", "EACCES"),
        ("fast", "EOPNOTSUPP"),
        ("short", "EINVAL"),
        ("no socket", "ENOTSOCK"),
        ("not open", "EBADF"),
        ("local", "ok"),
        ("allowed", "ok"),
        ("twice", "EISCONN"),
        ("packets", "ok"),
        ("undone", "ok"),
        ("not connected", "ENOTCONN"),
        ("later", "ok"),
    ];
    assert_eq!(told(&out), expected, "{err}");
    assert!(out.ends_with("held\n"), "{out}");
}
