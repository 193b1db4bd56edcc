//! What an agent may touch, and whom.

use std::os::unix::net::UnixListener;

use super::Jail;

#[test]
fn writes_stay_in_the_project_and_keys_are_out_of_reach() {
    for (name, jail) in [
        ("root", Jail::open("writes_stay_in_the_project_and_keys_are_out_of_reach")),
        ("ordinary", Jail::ordinary("writes_stay_in_the_project_and_keys_are_out_of_reach")),
    ] {
        let Some(mut jail) = jail else { return };
        let world = &jail.road.world;
        for path in [
            "home/.ssh/id_rsa",
            "home/.aws/credentials",
            "home/.config/gh/hosts.yml",
            "home/.netrc",
            "home/.config/nvim/init",
            "more/x",
        ] {
            world.write(path, "content\n");
        }
        world.write("project/.git/hooks/pre-commit", "#!/bin/sh\n");
        world.write("project/.rampart/policy.yaml", "version: \"1\"\npolicies: []\n");
        jail.own();
        let world = &jail.road.world;
        let more = world.path("more");
        let ran = jail
            .python_with(
                &["--allow-write", more.to_str().unwrap()],
                &format!(
                    r"
home, rampart, more = os.environ['HOME'], os.environ['RAMPART_HOME'], {more:?}
def read(path): return open(path).read()
def write(path):
    with open(path, 'w') as f: f.write('x')
attempt('1 project', lambda: write('made'))
attempt('1 folder', lambda: (os.makedirs('a/b'), os.rename('made', 'a/b/made'), os.unlink('a/b/made')))
attempt('1 temp', lambda: write('/tmp/made'))
attempt('1 allowed', lambda: write(more + '/y'))
attempt('1 null', lambda: write('/dev/null'))
attempt('1 read', lambda: (read('/etc/passwd') and None, read(home + '/.config/nvim/init')))
attempt('0 home', lambda: write(home + '/made'))
attempt('0 rc', lambda: write(home + '/.bashrc'))
attempt('0 etc', lambda: write('/etc/made'))
attempt('0 tmp of others', lambda: os.listdir('/tmp/.X11-unix'))
attempt('0 key', lambda: read(home + '/.ssh/id_rsa'))
attempt('0 keys', lambda: os.listdir(home + '/.ssh'))
attempt('0 aws', lambda: read(home + '/.aws/credentials'))
attempt('0 gh', lambda: read(home + '/.config/gh/hosts.yml'))
attempt('0 netrc', lambda: read(home + '/.netrc'))
attempt('0 netrc write', lambda: write(home + '/.netrc'))
attempt('0 link', lambda: (os.symlink(home + '/.ssh/id_rsa', 'link'), read('link')))
attempt('0 hard link', lambda: os.link(home + '/.netrc', 'hard'))
attempt('0 move', lambda: os.rename(home + '/.config', home + '/.moved'))
attempt('0 root', lambda: read('/proc/self/root' + home + '/.ssh/id_rsa'))
attempt('0 token', lambda: read(rampart + '/token'))
attempt('0 config', lambda: read(rampart + '/config.yaml'))
attempt('0 ca', lambda: read(rampart + '/ca/ca.key'))
attempt('0 policies', lambda: os.listdir(rampart + '/policies'))
attempt('0 audit', lambda: os.listdir(rampart + '/audit'))
attempt('0 hook', lambda: write('.git/hooks/pre-commit'))
attempt('0 new hook', lambda: write('.git/hooks/post-merge'))
attempt('0 policy', lambda: write('.rampart/policy.yaml'))
attempt('0 kernel', lambda: write('/proc/sys/kernel/core_pattern'))
attempt('0 cut', lambda: os.truncate(home + '/.config/nvim/init', 0))
attempt('0 memory', lambda: open('/proc/kcore', 'rb').read(1))
for disk in os.listdir('/dev'):
    if disk[:2] in ('sd', 'vd', 'nv'): attempt('0 ' + disk, lambda: open('/dev/' + disk, 'rb').read(1))
print(oct(os.umask(0)), sorted(os.environ.get(n, '') for n in ('SSH_AUTH_SOCK', 'DBUS_SESSION_BUS_ADDRESS')))
"
                ),
            )
            .expect(0);
        for line in ran.stdout.lines().filter(|line| line.starts_with(['0', '1'])) {
            let (expected, done) = (line.starts_with('1'), line.contains(" DONE "));
            assert!(expected == done || line.starts_with("0o"), "{name}: {line}\n{}", ran.stderr);
        }
        assert!(ran.stdout.lines().count() > 30, "{}", ran.stdout);
        assert!(!world.path("home/.config/nvim/init").metadata().is_ok_and(|meta| meta.len() == 0));
        assert!(more.join("y").exists());
        assert_eq!(
            std::fs::read_dir(world.path("."))
                .unwrap()
                .filter(|e| e.as_ref().is_ok_and(|e| e.file_name().to_string_lossy().starts_with("rampart-")))
                .count(),
            0,
            "what stood in place of things is gone"
        );
    }
}

#[test]
fn sockets_of_other_programs_are_hidden_unless_they_are_allowed() {
    let Some(mut jail) = Jail::ordinary("sockets_of_other_programs_are_hidden_unless_they_are_allowed") else { return };
    let world = &jail.road.world;
    let paths = ["home/agent.sock", "agent.sock"].map(|path| world.path(path));
    let _listeners: Vec<_> = paths.iter().map(|path| UnixListener::bind(path).unwrap()).collect();
    for path in &paths {
        crate::world::set_mode(path, 0o777);
    }
    jail.own();
    let [in_home, elsewhere] = paths.each_ref().map(|path| path.to_str().unwrap());
    let look = format!(
        "for path in ('{in_home}', '{elsewhere}', os.environ.get('RAMPART_HOME') + '/run/doors.sock', os.environ['RAMPART_HOME'] + '/run/gateway.sock'):\n\
         \x20   attempt(path.rsplit('/', 2)[-2:], lambda: socket.socket(socket.AF_UNIX).connect(path))\n\
         print(os.environ.get('SSH_AUTH_SOCK'))\n"
    );
    let shown = |ran: &crate::world::Ran| ran.stdout.lines().map(|line| line.contains("DONE")).collect::<Vec<_>>();
    let mut command = jail.command(&["-q", "--", super::PYTHON, "-c", &format!("{}\n{look}", super::TRY)]);
    let ran = crate::world::Ran::from(command.env("SSH_AUTH_SOCK", in_home).output().unwrap()).expect(0);
    assert_eq!(shown(&ran), [false, false, false, true, false], "{ran:?}");
    assert!(ran.stdout.ends_with("None\n"), "{ran:?}");
    let script = format!("{}\n{look}", super::TRY);
    let mut command = jail.command(&["-q", "--allow-socket", in_home, "--", super::PYTHON, "-c", &script]);
    let ran = crate::world::Ran::from(command.env("SSH_AUTH_SOCK", in_home).output().unwrap()).expect(0);
    assert_eq!(shown(&ran), [true, false, false, true, false], "{ran:?}");
    assert!(ran.stdout.ends_with("agent.sock\n"), "{ran:?}");
}

#[test]
fn other_processes_are_neither_ended_nor_traced() {
    for jail in [
        Jail::open("other_processes_are_neither_ended_nor_traced"),
        Jail::ordinary("other_processes_are_neither_ended_nor_traced"),
    ] {
        let Some(mut jail) = jail else { return };
        let gateway = jail.road.world.gateway().id();
        let mut other = jail.road.world.command("sleep");
        other.arg("60");
        let mut other = other.spawn().unwrap();
        let ran = jail.python(&format!(
            r"
import signal
libc = ctypes.CDLL(None, use_errno=True)
def ptrace(request, pid):
    if libc.ptrace(request, pid, 0, 0) < 0: raise OSError(ctypes.get_errno(), '')
for name, pid in (('gateway', {gateway}), ('other', {other}), ('launcher', os.getppid())):
    attempt(name + ' kill', lambda: os.kill(pid, signal.SIGKILL))
    attempt(name + ' stop', lambda: os.kill(pid, signal.SIGSTOP))
    attempt(name + ' trace', lambda: ptrace(16, pid))
    attempt(name + ' memory', lambda: open('/proc/%d/mem' % pid, 'r+b'))
    attempt(name + ' environment', lambda: open('/proc/%d/environ' % pid, 'rb').read())
    attempt(name + ' root', lambda: os.listdir('/proc/%d/root/etc' % pid))
    attempt(name + ' files', lambda: os.readlink('/proc/%d/fd/0' % pid))
    attempt(name + ' namespace', lambda: os.stat('/proc/%d/ns/net' % pid))
try: os.kill(-1, signal.SIGKILL)
except OSError: pass
child = subprocess.Popen(['sleep', '60']); child.kill(); print('own', child.wait())
",
            other = other.id()
        ));
        assert!(!ran.stdout.contains("DONE"), "{ran:?}");
        assert!(other.try_wait().unwrap().is_none());
        assert!(jail.road.world.gateway().try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
        // Asked to end everybody, it ended itself at most.
        assert!(ran.stdout.contains("own -9") || ran.code == Some(137), "{ran:?}");
    }
}

#[test]
fn a_terminal_is_not_typed_into_and_nothing_more_is_inherited() {
    let Some(jail) = Jail::ordinary("a_terminal_is_not_typed_into_and_nothing_more_is_inherited") else { return };
    let ran = jail
        .python(
            r"
import fcntl, pty, termios
leader, follower = pty.openpty()
attempt('typing', lambda: fcntl.ioctl(follower, termios.TIOCSTI, b'x'))
attempt('pasting', lambda: fcntl.ioctl(follower, 0x541C, b'\x03'))
os.close(leader); os.close(follower)
print(sorted(set(os.listdir('/proc/self/fd')) - {'0', '1', '2', '3'}))
status = dict(line.split(':\t') for line in open('/proc/self/status').read().splitlines() if ':\t' in line)
print({name: status[name] for name in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs')})
",
        )
        .expect(0);
    let none = "0000000000000000";
    assert_eq!(
        ran.stdout,
        format!(
            "typing failed Operation not permitted\npasting failed Operation not permitted\n[]\n\
             {{'CapInh': '{none}', 'CapPrm': '{none}', 'CapEff': '{none}', 'CapBnd': '{none}', 'CapAmb': '{none}', 'NoNewPrivs': '1'}}\n"
        )
    );
}

#[test]
fn a_home_is_no_project() {
    let Some(jail) = Jail::open("a_home_is_no_project") else { return };
    let mut command = jail.command(&["--", "true"]);
    let ran = crate::world::Ran::from(command.current_dir(jail.road.world.path("home")).output().unwrap()).expect(2);
    assert!(ran.stderr.contains("holds your whole home"), "{ran:?}");
}
