use std::{
    fs,
    io::Write as _,
    os::unix::{ffi::OsStringExt as _, fs::PermissionsExt as _},
    process::{Command, Stdio},
};

use super::*;

fn read_words(dialect: Dialect, line: &[&str]) -> Result<Wanted, String> {
    read(dialect, &line.iter().map(OsString::from).collect::<Vec<_>>())
}

fn command(text: &str, parameters: &[&str]) -> Wanted {
    let parameters = parameters.iter().map(|p| (*p).to_owned()).collect();
    Wanted::Command { text: text.to_owned(), parameters, startup: None }
}

#[test]
fn the_text_after_c_is_found_in_every_order_of_options() {
    let lines: &[&[&str]] = &[
        &["-c", "X"],
        &["-lc", "X"],
        &["-cl", "X"],
        &["-ec", "X"],
        &["-c", "-l", "X"],
        &["-l", "-c", "X"],
        &["-o", "pipefail", "-c", "X"],
        &["-oc", "pipefail", "X"],
        &["-ceo", "pipefail", "X"],
        &["-c", "-o", "pipefail", "-e", "X"],
        &["+o", "posix", "-c", "X"],
        &["+e", "-c", "X"],
        &["+c", "X"],
        &["-c", "--", "X"],
        &["-c", "-", "X"],
    ];
    for line in lines {
        for dialect in [Dialect::Bash, Dialect::Ash, Dialect::Unknown] {
            assert_eq!(read_words(dialect, line), Ok(command("X", &[])), "{line:?}");
        }
    }
    let bash: &[&[&str]] = &[
        &["-O", "extglob", "-c", "X"],
        &["+O", "extglob", "-c", "X"],
        &["-Oc", "extglob", "X"],
        &["-oOc", "pipefail", "extglob", "X"],
        &["--norc", "--noprofile", "-c", "X"],
        &["-norc", "-login", "-c", "X"],
        &["--rcfile", "F", "-c", "X"],
        &["-sc", "X"],
    ];
    for line in bash {
        assert_eq!(read_words(Dialect::Bash, line), Ok(command("X", &[])), "{line:?}");
    }
    let zsh: &[&[&str]] = &[&["-opipefail", "-c", "X"], &["-o", "pipefail", "-c", "X"], &["-fc", "X"], &["-cb", "X"]];
    for line in zsh {
        assert_eq!(read_words(Dialect::Zsh, line), Ok(command("X", &[])), "{line:?}");
    }
    assert_eq!(read_words(Dialect::Bash, &["-c", "X", "a", "-c"]), Ok(command("X", &["a", "-c"])));
}

#[test]
fn scripts_and_standard_input_are_told_apart() {
    let stdin = || Ok(Wanted::Stdin { startup: None });
    for (line, expected) in [
        (&[][..], stdin()),
        (&["-s", "a", "b"], stdin()),
        (&["-l"], stdin()),
        (&["-i"], stdin()),
        (&["-"], stdin()),
        (&["--"], stdin()),
        (&["-o"], stdin()),
        (&["script", "-c", "x"], Ok(Wanted::Script(0))),
        (&["-e", "script"], Ok(Wanted::Script(1))),
        (&["-x", "-o", "errexit", "--", "-c"], Ok(Wanted::Script(4))),
        (&["--version"], Ok(Wanted::Nothing)),
    ] {
        assert_eq!(read_words(Dialect::Bash, line), expected, "{line:?}");
    }
}

#[test]
fn a_startup_file_named_in_the_arguments_will_run_in_an_interactive_shell() {
    let startup = Some(OsString::from("F"));
    assert_eq!(
        read_words(Dialect::Bash, &["--rcfile", "F", "-ic", "X"]),
        Ok(Wanted::Command { text: "X".into(), parameters: vec![], startup: startup.clone() })
    );
    assert_eq!(read_words(Dialect::Bash, &["--init-file", "F"]), Ok(Wanted::Stdin { startup }));
}

#[test]
fn what_shells_read_differently_is_no_guess() {
    for (dialect, line) in [
        (Dialect::Unknown, &["-posix", "errexit", "-c", "X"][..]),
        (Dialect::Unknown, &["-O", "extglob", "-c", "X"]),
        (Dialect::Ash, &["-c", "-s", "X"]),
        (Dialect::Ash, &["-O", "extglob", "-c", "X"]),
        (Dialect::Ash, &["--login", "-c", "X"]),
        (Dialect::Bash, &["--no-such", "-c", "X"]),
        (Dialect::Bash, &["-l", "--norc", "-c", "X"]),
        (Dialect::Zsh, &["--emulate", "sh", "-c", "X"]),
        (Dialect::Bash, &["-c"]),
        (Dialect::Bash, &["--rcfile"]),
    ] {
        assert!(read_words(dialect, line).is_err(), "{line:?}");
    }
    assert!(read(Dialect::Bash, &["-c".into(), OsString::from_vec(vec![0xff])]).is_err());
}

/// What the real shell did with these arguments, where each word is a command, a script and a text to be found.
fn ran(shell: &str, dir: &Path, line: &[&str]) -> Vec<String> {
    let mut child = Command::new(shell)
        .args(line)
        .env_clear()
        .env("PATH", dir.join("commands"))
        .env("HOME", dir)
        .current_dir(dir.join("scripts"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // A shell that does not read it is gone already.
    let _ = child.stdin.take().unwrap().write_all(b"echo stdin\n");
    let stdout = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    // Besides, a shell may list its options.
    let did = |line: &&str| line.starts_with("command ") || line.starts_with("script ") || *line == "stdin";
    stdout.lines().filter(did).map(str::to_owned).collect()
}

/// The law that counts: whatever a real shell runs is what we said it would, or we said that we do not know.
#[test]
fn real_shells_run_what_was_read() {
    const WORDS: [&str; 15] =
        ["-c", "-ec", "-oc", "-co", "-e", "-o", "+o", "+c", "-O", "-s", "--", "-", "-posix", "errexit", "extglob"];
    let dir = tempfile::tempdir().unwrap();
    for folder in ["commands", "scripts"] {
        fs::create_dir(dir.path().join(folder)).unwrap();
    }
    for word in WORDS {
        let command = dir.path().join("commands").join(word);
        fs::write(&command, format!("#!/bin/sh\necho command {word}\n")).unwrap();
        fs::set_permissions(&command, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(dir.path().join("scripts").join(word), format!("echo script {word}\n")).unwrap();
    }
    let words = || WORDS.into_iter();
    let three = words().flat_map(|a| words().flat_map(move |b| words().map(move |c| vec![a, b, c])));
    let lines: Vec<Vec<&str>> = words().map(|a| vec![a]).chain(three).collect();
    let check = |shell: &str, dialects: &[Dialect], line: &[&str]| {
        let ran = ran(shell, dir.path(), line);
        for dialect in dialects {
            let read = match read_words(*dialect, line) {
                Ok(Wanted::Command { text, .. }) => format!("command {text}"),
                Ok(Wanted::Script(place)) => format!("script {}", line[place]),
                Ok(Wanted::Stdin { .. }) => "stdin".to_owned(),
                Ok(Wanted::Nothing) => String::new(),
                Err(_) => continue,
            };
            assert!(ran.iter().all(|did| *did == read), "{shell} {line:?} did {ran:?}, not `{read}`");
        }
    };
    const SHELLS: [(&str, &[Dialect]); 3] = [
        ("/bin/zsh", &[Dialect::Zsh]),
        ("/bin/bash", &[Dialect::Bash, Dialect::Unknown]),
        ("/bin/dash", &[Dialect::Ash, Dialect::Unknown]),
    ];
    std::thread::scope(|scope| {
        for (shell, dialects) in SHELLS {
            if Path::new(shell).exists() {
                let (lines, check) = (&lines, &check);
                scope.spawn(move || lines.iter().for_each(|line| check(shell, dialects, line)));
            } else {
                assert!(option_env!("CI").is_none(), "{shell} is missing, and in CI nothing is skipped");
                println!("skipped: {shell} is missing, so its options are not compared with ours");
            }
        }
    });
}
