//! The table of `docs/preload.md`: each way in which programs start others, tried.

use super::{compile, preload, ready, run};
use crate::world::{World, have, root};

/// What of libc's functions, each called by a program of its own, and whether it comes by.
const FUNCTIONS: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>
extern char **environ;
int main(int argc, char **argv) {
    char *t = "/usr/bin/touch", *m = argv[2], *a[] = {"touch", m, NULL};
    char text[4096];
    snprintf(text, sizeof text, "/usr/bin/touch %s", m);
    const char *how = argv[1];
    if (!strncmp(how, "keep-", 5)) how += 5;
    else {
        clearenv();
        setenv("PATH", "/usr/bin:/bin", 1);
    }
    pid_t pid;
    if (!strcmp(how, "execve")) execve(t, a, environ);
    if (!strcmp(how, "execv")) execv(t, a);
    if (!strcmp(how, "execvp")) execvp("touch", a);
    if (!strcmp(how, "execvpe")) execvpe("touch", a, environ);
    if (!strcmp(how, "execl")) execl(t, "touch", m, (char *)NULL);
    if (!strcmp(how, "execlp")) execlp("touch", "touch", m, (char *)NULL);
    if (!strcmp(how, "execle")) execle(t, "touch", m, (char *)NULL, environ);
    if (!strcmp(how, "execveat")) execveat(AT_FDCWD, t, a, environ, 0);
    if (!strcmp(how, "execveat-fd")) execveat(open(t, O_PATH), "", a, environ, AT_EMPTY_PATH);
    if (!strcmp(how, "fexecve")) fexecve(open(t, O_RDONLY), a, environ);
    if (!strcmp(how, "vfork")) { if (!vfork()) { execv(t, a); _exit(1); } wait(NULL); }
    if (!strcmp(how, "posix_spawn")) { if (!posix_spawn(&pid, t, NULL, NULL, a, environ)) wait(NULL); }
    if (!strcmp(how, "posix_spawnp")) { if (!posix_spawnp(&pid, "touch", NULL, NULL, a, environ)) wait(NULL); }
    if (!strcmp(how, "system")) system(text);
    if (!strcmp(how, "popen")) { FILE *f = popen(text, "r"); if (f) pclose(f); }
    if (!strcmp(how, "wordexp")) { wordexp_t w; char e[4200]; snprintf(e, sizeof e, "$(%s)", text); wordexp(e, &w, 0); }
    if (!strcmp(how, "argv0")) { char *b[] = {"ls", m, NULL}; execv(t, b); }
    if (!strcmp(how, "link")) { symlink(t, "harmless"); execl("./harmless", "harmless", m, (char *)NULL); }
    if (!strcmp(how, "syscall")) syscall(SYS_execve, t, a, environ);
    if (!strcmp(how, "memfd")) {
        int from = open(t, O_RDONLY), to = memfd_create("x", 0);
        char b[65536];
        for (ssize_t n; (n = read(from, b, sizeof b)) > 0;) write(to, b, n);
        fexecve(to, a, environ);
    }
    return 0;
}
"#;

/// What is done, whether it comes by, and what there is to say.
const LIBC: [(&str, bool, &str); 20] = [
    ("execve", true, ""),
    ("execv", true, ""),
    ("execvp", true, ""),
    ("execvpe", true, ""),
    ("execl", true, ""),
    ("execlp", true, ""),
    ("execle", true, ""),
    ("execveat", true, ""),
    ("execveat-fd", true, "`execveat` of a descriptor"),
    ("fexecve", true, ""),
    ("vfork", true, "`vfork` and `execv`"),
    ("posix_spawn", true, ""),
    ("posix_spawnp", true, ""),
    ("system", true, ""),
    ("popen", true, ""),
    ("wordexp", true, "`wordexp` with a command in it"),
    ("argv0", true, "a program that is told another name"),
    ("link", true, "a link with another name"),
    (
        "memfd",
        false,
        "a copy in memory: it is asked about, under a name that says nothing; a rule about opaque code can refuse it",
    ),
    ("syscall", false, "a system call made by hand"),
];

/// Title, programs that are needed, the words, whether it comes by, and what there is to say. `MARKER` is a file that
/// must not come to be.
type Row = (&'static str, &'static [&'static str], &'static [&'static str], bool, &'static str);

const PROGRAMS: [Row; 29] = [
    ("dash", &["dash"], &["dash", "-c", "/usr/bin/touch MARKER"], true, ""),
    ("bash", &["bash"], &["bash", "-c", "/usr/bin/touch MARKER; :"], true, ""),
    ("bash, `env -i`", &["bash"], &["bash", "-c", "/usr/bin/env -i /bin/sh -c '/usr/bin/touch MARKER; :'"], true, ""),
    ("bash, `exec -a`", &["bash"], &["bash", "-c", "exec -a ls /usr/bin/touch MARKER"], true, ""),
    (
        "python, `subprocess.run([...])`",
        &["python3"],
        &["/usr/bin/python3", "-c", "import subprocess; subprocess.run(['/usr/bin/to' + 'uch', 'MARKER'])"],
        true,
        "",
    ),
    (
        "python, `subprocess.run(shell=True)`",
        &["python3"],
        &["/usr/bin/python3", "-c", "import subprocess; subprocess.run('/usr/bin/to' + 'uch MARKER', shell=True)"],
        true,
        "",
    ),
    (
        "python, `subprocess.Popen(close_fds=False)`",
        &["python3"],
        &[
            "/usr/bin/python3",
            "-c",
            "import subprocess; subprocess.Popen(['/usr/bin/to' + 'uch', 'MARKER'], close_fds=False).wait()",
        ],
        true,
        "",
    ),
    (
        "python, `os.system`",
        &["python3"],
        &["/usr/bin/python3", "-c", "import os; os.system('/usr/bin/to' + 'uch MARKER')"],
        true,
        "",
    ),
    (
        "python, `os.popen`",
        &["python3"],
        &["/usr/bin/python3", "-c", "import os; os.popen('/usr/bin/to' + 'uch MARKER').read()"],
        true,
        "",
    ),
    (
        "python, `os.execv`",
        &["python3"],
        &["/usr/bin/python3", "-c", "import os; os.execv('/usr/bin/to' + 'uch', ['x', 'MARKER'])"],
        true,
        "",
    ),
    (
        "python, `os.posix_spawn`",
        &["python3"],
        &[
            "/usr/bin/python3",
            "-c",
            "import os; os.waitpid(os.posix_spawn('/usr/bin/to' + 'uch', ['x', 'MARKER'], {}), 0)",
        ],
        true,
        "",
    ),
    (
        "python, `ctypes` and `syscall`",
        &["python3"],
        &[
            "/usr/bin/python3",
            "-c",
            "import ctypes, os; c = ctypes.CDLL(None); a = (ctypes.c_char_p * 3)(b'x', b'MARKER', None); c.syscall(59 if os.uname().machine == 'x86_64' else 221, b'/usr/bin/to' + b'uch', a, None)",
        ],
        false,
        "a system call made by hand",
    ),
    ("perl, `system LIST`", &["perl"], &["perl", "-e", "system '/usr/bin/to'.'uch', 'MARKER'"], true, ""),
    ("perl, backticks", &["perl"], &["perl", "-e", "$t = '/usr/bin/to'.'uch'; `$t MARKER; :`"], true, ""),
    ("ruby, `system`", &["ruby"], &["ruby", "-e", "system('/usr/bin/to' + 'uch', 'MARKER')"], true, ""),
    ("ruby, backticks", &["ruby"], &["ruby", "-e", "t = '/usr/bin/to' + 'uch'; `#{t} MARKER; :`"], true, ""),
    (
        "node, `execFileSync`",
        &["node"],
        &["node", "-e", "try { require('child_process').execFileSync('/usr/bin/to' + 'uch', ['MARKER']) } catch {}"],
        true,
        "",
    ),
    (
        "node, `exec`",
        &["node"],
        &["node", "-e", "require('child_process').exec('/usr/bin/to' + 'uch MARKER', () => {})"],
        true,
        "",
    ),
    ("make", &["make"], &["make", "-f", "MAKEFILE"], true, ""),
    ("git, an alias with `!`", &["git"], &["git", "-c", "alias.x=!/usr/bin/touch MARKER; :", "x"], true, ""),
    ("find, `-exec`", &["find"], &["find", ".", "-maxdepth", "0", "-exec", "/usr/bin/touch", "MARKER", ";"], true, ""),
    ("xargs", &["xargs"], &["sh", "-c", "echo MARKER | xargs /usr/bin/touch"], true, ""),
    (
        "tar, `--checkpoint-action`",
        &["tar"],
        &["tar", "cf", "/dev/null", "--checkpoint=1", "--checkpoint-action=exec=/usr/bin/touch MARKER", "."],
        true,
        "",
    ),
    (
        "ssh, `ProxyCommand`",
        &["ssh"],
        &["ssh", "-o", "ProxyCommand=/usr/bin/touch MARKER", "-o", "BatchMode=yes", "nowhere.invalid"],
        true,
        "",
    ),
    ("awk, `system`", &["awk"], &["awk", "BEGIN { system(\"/usr/bin/to\" \"uch MARKER\") }"], true, ""),
    ("Go, `exec.Command`", &["go"], &["GO", "/usr/bin/touch", "MARKER"], false, "it makes its system calls by hand"),
    (
        "Go, a shell",
        &["go"],
        &["GO", "/bin/sh", "-c", "/usr/bin/touch MARKER; :"],
        true,
        "the shell is not seen, and what that starts is",
    ),
    ("a static program", &["cc"], &["STATIC", "execv", "MARKER"], false, "it has no library before it"),
    (
        "a static program whose child is not",
        &["cc"],
        &["STATIC", "keep-system", "MARKER"],
        true,
        "the shell that it starts is not seen, and what that starts is",
    ),
];

const GO: &str = r#"package main

import (
	"os"
	"os/exec"
)

func main() {
	exec.Command(os.Args[1], os.Args[2:]...).Run()
}
"#;

/// A program that Go builds.
fn go(world: &World) -> String {
    let program = world.path("go-program");
    if !have("the rows of Go", &["go"]) {
        return String::new();
    }
    let source = world.write("go/main.go", GO);
    let mut build = world.command("go");
    build.args(["build", "-o"]).arg(&program).arg(source).env("GOFLAGS", "-mod=mod").env("GO111MODULE", "off");
    let done = build.env("CGO_ENABLED", "0").output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    program.to_str().unwrap().to_owned()
}

/// Whether the marker came to be, without and with the library.
fn tried(world: &World, words: &[&str], marker: &str) -> (bool, bool) {
    let file = world.project().join(marker);
    let mut came = [false; 2];
    for (mode, came) in ["disabled", "enforce"].iter().zip(&mut came) {
        let _ = std::fs::remove_file(&file);
        let _ = std::fs::remove_file(world.project().join("harmless"));
        run(preload(world, &["--mode", mode], words));
        // A child that outlives its parent.
        for _ in 0..10 {
            *came = file.exists();
            if *came || *mode == "enforce" {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
    (came[0], came[1])
}

#[test]
fn every_way_to_start_a_program_is_as_the_page_says() {
    if !have("every_way_to_start_a_program_is_as_the_page_says", &["cc"]) {
        return;
    }
    let world = ready();
    let dynamic = compile(&world, "dynamic", FUNCTIONS, &["-w"]);
    let fixed = compile(&world, "static", FUNCTIONS, &["-w", "-static"]);
    let by_go = go(&world);
    world.write("project/makefile", "all:\n\t@/usr/bin/touch marker; :\n");
    for (how, seen, _) in LIBC {
        let (without, with) = tried(&world, &[&dynamic, how, "marker"], "marker");
        assert!(without, "{how} works without the library");
        assert_eq!(with, !seen, "{how}");
    }
    for (title, needs, words, seen, _) in PROGRAMS {
        if !have(title, needs) {
            continue;
        }
        let words: Vec<String> = words
            .iter()
            .map(|word| {
                word.replace("MARKER", "marker")
                    .replace("MAKEFILE", "makefile")
                    .replace("STATIC", &fixed)
                    .replace("GO", &by_go)
            })
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (without, with) = tried(&world, &words, "marker");
        assert!(without, "{title} works without the library");
        assert_eq!(with, !seen, "{title}");
    }
}

const BEFORE: &str = "<!-- the table: written by a test, `UPDATE_DOCS=1 cargo test -p rampart-tests preload` -->\n";
const AFTER: &str = "<!-- the end of the table -->\n";

#[test]
fn the_page_has_the_table_that_was_tried() {
    let mark = |seen: bool| if seen { "yes" } else { "**no**" };
    let mut table = String::from("| started by | asked and refused | |\n|---|---|---|\n");
    for (how, seen, note) in LIBC {
        let name = if note.starts_with('`') { note.to_owned() } else { format!("libc's `{how}`") };
        let name = if matches!(how, "argv0" | "link" | "memfd" | "syscall") {
            note.split(':').next().unwrap().to_owned()
        } else {
            name
        };
        let note = note.split_once(": ").map_or("", |(_, rest)| rest);
        table.push_str(&format!("| {name} | {} | {note} |\n", mark(seen)));
    }
    for (title, _, _, seen, note) in PROGRAMS {
        table.push_str(&format!("| {title} | {} | {note} |\n", mark(seen)));
    }
    let path = root().join("docs/preload.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (start, rest) = page.split_once(BEFORE).expect("the page has a place for the table");
    let (_, end) = rest.split_once(AFTER).expect("the table ends");
    let wanted = format!("{start}{BEFORE}\n{table}\n{AFTER}{end}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    assert!(
        std::fs::read_to_string(path).unwrap() == wanted,
        "docs/preload.md is not what was tried; write it with UPDATE_DOCS=1"
    );
}
