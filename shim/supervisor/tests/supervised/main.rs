//! Supervised programs, from outside: what starts, what does not, and what passes through unchanged.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod races;
mod unchanged;
mod watched;
mod ways;

use std::{
    fs,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::{Mutex, PoisonError},
};

use rampart_call::{Action, Call, CommandLine, Judgement, Origin, Outcome, Permit, Reason, Refusal, Verdict};
use rampart_supervisor::{Supervision, run};

/// Whatever is called `touch` is refused.
#[expect(clippy::disallowed_methods, reason = "this is a gate")]
fn gate(call: Call) -> Verdict {
    let Action::Exec { command: CommandLine::Argv(words), .. } = &call.action else { panic!("{call:?}") };
    if Path::new(&words[0]).file_name().is_some_and(|name| name == "touch")
        || words.iter().any(|word| word == "forbidden")
    {
        return Verdict::Deny(Refusal { judgement: Judgement::refused(Reason::Rule, "no touching") });
    }
    Verdict::Allow(Permit::mint(Judgement { outcome: Outcome::Allow, ..Judgement::allowed(Reason::Default) }))
}

/// Supervised programs share this process's children, so one test goes on at a time.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.at(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    fn compile(&self, source: &str, options: &[&str]) -> PathBuf {
        let program = self.at("compiled");
        let file = self.at("compiled.c");
        let _alone = alone();
        fs::write(&file, source).unwrap();
        let done = Command::new("cc").args(["-O1", "-o"]).arg(&program).arg(&file).args(options).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        program
    }

    /// A shell's script, run below the gate: how it ended and what it said.
    fn sh(&self, script: &str) -> (ExitStatus, String, String) {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        self.run(command, Supervision::new(&gate, Origin::default()))
    }

    fn run(&self, mut command: Command, supervision: Supervision<'_>) -> (ExitStatus, String, String) {
        let _alone = alone();
        let (out, err) = (self.at("out"), self.at("err"));
        let create = |path: &Path| fs::File::create(path).unwrap();
        command.stdin(Stdio::null()).stdout(create(&out)).stderr(create(&err)).current_dir(self.0.path());
        let status = run(command, supervision).unwrap();
        (status, fs::read_to_string(out).unwrap(), fs::read_to_string(err).unwrap())
    }
}

#[test]
fn what_is_refused_does_not_start_and_the_reason_is_told() {
    let folder = Folder::new();
    let (status, out, err) = folder.sh("/usr/bin/touch marker; echo $?; /bin/echo done");
    assert_eq!((status.code(), out.as_str()), (Some(0), "126\ndone\n"), "{err}");
    assert!(!folder.at("marker").exists());
    assert!(err.contains("rampart: refused: no touching. Reason: rule.\n") && err.contains("not permitted"), "{err}");
}

#[test]
fn a_shell_that_looks_on_for_the_same_file_is_part_of_the_refusal() {
    let folder = Folder::new();
    std::os::unix::fs::symlink("/usr/bin", folder.at("again")).unwrap();
    for (line, refused) in [
        ("PATH=/usr/bin:$PWD/again:/bin touch marker", 1),
        ("PATH=/usr/bin touch marker; PATH=$PWD/again touch marker", 2), // another process
        ("PATH=/usr/bin touch marker; PATH=/usr/bin touch other", 2),
    ] {
        let (_, out, err) = folder.sh(line);
        assert_eq!(err.matches("rampart: refused: ").count(), refused, "{line}: {out} {err}");
        assert!(!folder.at("marker").exists() && !folder.at("other").exists(), "{line}");
    }
}

#[test]
fn it_ends_as_the_program_does() {
    let folder = Folder::new();
    assert_eq!(folder.sh("exit 7").0.code(), Some(7));
    assert_eq!(folder.sh("kill -TERM $$").0.signal(), Some(15));
    assert_eq!(folder.sh("kill -KILL $$").0.signal(), Some(9));
    assert_eq!(folder.sh("exec /bin/sh -c 'exit 3'").0.code(), Some(3));
    assert_eq!(folder.sh("/bin/sh -c 'kill -35 $$'; echo $?").1, "163\n");
    // An exec that fails in the kernel leaves things as they were.
    folder.script("odd", "\x01\x02");
    folder.script("none", "#!/not/there\n");
    assert_eq!(folder.sh("./odd; echo $?; ./none; echo $?; /bin/echo on").1, "126\n127\non\n");
}
