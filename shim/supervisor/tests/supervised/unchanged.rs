//! What passes through as if there were no supervisor.

use std::time::{Duration, Instant};

use super::*;

#[test]
fn signals_stops_and_terminals_are_the_programs_own() {
    let folder = Folder::new();
    for (line, said) in [
        ("trap 'echo got' USR1; kill -USR1 $$; echo on", "got\non\n"),
        ("trap '' INT; kill -INT $$; echo on", "on\n"),
        ("sleep 9 & kill $!; wait $!; echo $?", "143\n"),
        // A stop that hits an exec, or whatever else, is seen by the parent and ends when it is told to.
        (
            "sleep 9 & kill -STOP $!; sleep 0.3; grep -c '^State.*T' /proc/$!/status; kill -CONT $!; kill $!; wait $!; echo $?",
            "1\n143\n",
        ),
        ("/bin/sh -c 'kill -STOP $$; exec /bin/echo on' & sleep 0.2; kill -CONT $!; wait; echo off", "on\noff\n"),
    ] {
        let (status, out, err) = folder.sh(line);
        assert_eq!((out.as_str(), status.code()), (said, Some(0)), "{line}: {err}");
    }
    let script = "import signal, subprocess, time\n\
        children = [subprocess.Popen(['/bin/sh', '-c', 'i=0; while [ $i -lt 40 ]; do /bin/true; i=$((i+1)); done']) for _ in range(4)]\n\
        for turn in range(100):\n  \
          for child in children: child.send_signal(signal.SIGSTOP if turn % 2 == 0 else signal.SIGCONT)\n  \
          time.sleep(0.002)\n\
        print([child.wait(30) for child in children])\n";
    folder.script("stops.py", script);
    assert_eq!(folder.sh("exec python3 stops.py").1, "[0, 0, 0, 0]\n");
}

#[test]
fn many_and_deep_processes_end_as_they_should() {
    let folder = Folder::new();
    folder.script("deep", "#!/bin/sh\nif [ \"$1\" -gt 0 ]; then \"$0\" $(($1 - 1)); else exit 5; fi\n");
    assert_eq!(folder.sh("./deep 40").0.code(), Some(5));
    let (_, out, err) = folder.sh("i=0; while [ $i -lt 1000 ]; do /bin/true || echo no; i=$((i+1)); done; echo $i");
    assert_eq!(out, "1000\n", "{err}");
    let (_, out, err) = folder
        .sh("for i in 1 2 3 4 5 6 7 8; do (j=0; while [ $j -lt 50 ]; do /bin/echo x; j=$((j+1)); done) & done; wait");
    assert_eq!(out.matches('x').count(), 400, "{err}");
    // Those that die while their exec is judged, or stopped, or just before.
    let began = Instant::now();
    folder.script("kills.py", "import os, random, signal, time\nfor i in range(200):\n  child = os.fork()\n  if child == 0: os.execv('/bin/sleep', ['sleep', '9'])\n  time.sleep(random.random() / 1000)\n  os.kill(child, signal.SIGKILL)\n  assert os.waitpid(child, 0)[1] == 9\nprint('all')\n");
    assert_eq!(folder.sh("exec python3 kills.py").1, "all\n");
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn what_outlives_it_can_start_nothing_more_and_holds_nothing_up() {
    let folder = Folder::new();
    let mode = rustix::fs::Mode::RWXU;
    rustix::fs::mknodat(rustix::fs::CWD, folder.at("go"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    // The shell's own `read` waits: nothing is started until the supervisor is gone.
    let (status, _, _) = folder.sh("(read go < go; /bin/echo late > late; echo $? > code) & exit 0");
    assert_eq!((status.code(), folder.at("code").exists()), (Some(0), false), "it is not waited for");
    fs::write(folder.at("go"), "on\n").unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while !folder.at("code").exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(fs::read_to_string(folder.at("late")).unwrap_or_default(), "");
}

#[test]
fn other_filters_and_tools_keep_working_as_far_as_they_can() {
    let folder = Folder::new();
    let source = r#"
        #define _GNU_SOURCE
        #include <errno.h>
        #include <linux/filter.h>
        #include <linux/seccomp.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <sys/syscall.h>
        #include <sys/uio.h>
        #include <unistd.h>
        int main(void) {
            struct sock_filter allow = {6, 0, 0, SECCOMP_RET_ALLOW};
            struct sock_fprog program = {1, &allow};
            // A filter of its own is fine; one that is told of system calls is there already.
            printf("%ld ", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
            long second = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
            printf("%d ", second == -1 && errno == EBUSY);
            printf("%d ", syscall(SYS_io_uring_setup, 1, NULL) == -1 && errno == EPERM);
            printf("%d ", syscall(SYS_process_vm_writev, getpid(), NULL, 0, NULL, 0, 0) == -1 && errno == EPERM);
            fflush(stdout);
            system("/bin/echo on");
            return 0;
        }"#;
    let program = folder.compile(source, &[]);
    let (status, out, err) = folder.run(Command::new(program), Supervision::new(&gate, Origin::default()));
    assert_eq!((status.code(), out.as_str()), (Some(0), "0 1 1 1 on\n"), "{err}");
    // The system calls of 32 bits have other numbers.
    let old = "int main(void) { long done; __asm__ volatile(\"int $0x80\" : \"=a\"(done) : \"a\"(20)); return done == -1 ? 3 : 4; }";
    if cfg!(target_arch = "x86_64") {
        let program = folder.compile(old, &[]);
        assert_eq!(folder.run(Command::new(program), Supervision::new(&gate, Origin::default())).0.code(), Some(3));
    }
}
