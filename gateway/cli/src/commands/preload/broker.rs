//! The other end of the library's questions: what a process is about to do becomes a call, and the gateway's verdict one
//! byte.

use std::{
    ffi::OsStr,
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::unix::{
        ffi::OsStrExt as _,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::Context as _;
use rampart_call::{Action, Call, CommandLine, Gate as _, Located, Origin, Phase, Surface, Verdict};
use rampart_client::Client;
use rampart_frame::{GO, HEAD, Kind, NO, read_head, words};
use rampart_gateway::Home;
use rampart_shim::{place, resolve};
use tokio::runtime::{Builder, Runtime};

use crate::{environment::Environment, launch::Launch, outbound::Files};

/// Answers on `listener` as long as this process lives. With `always` everything may go on, and is asked about all the same.
///
/// # Errors
/// When the system has no room for another runtime.
pub(super) fn listen(
    listener: UnixListener,
    launch: &Launch,
    always: bool,
    environment: &Environment,
) -> anyhow::Result<()> {
    let origin = Origin {
        surface: Surface::Preload,
        agent: launch.agent.clone(),
        session: launch.session.session.clone(),
        home: environment.user_home.to_str().map(str::to_owned),
        trace: environment.trace,
        ..Origin::default()
    };
    let own = std::env::current_exe().and_then(|own| own.canonicalize()).ok();
    let shell = own.map(|own| own.with_file_name("rampart-shim")).filter(|shim| shim.is_file());
    let broker = Broker {
        shell,
        given: Files::given(&Home::at(&environment.home)),
        client: Client::new(launch.road().clone()),
        runtime: Builder::new_current_thread().enable_all().build().context("cannot ask the gateway")?,
        origin,
        always,
        listener,
        idle: AtomicUsize::new(0),
        threads: AtomicUsize::new(0),
    };
    Broker::work(&Arc::new(broker));
    Ok(())
}

struct Broker {
    client: Client,
    /// Driven by whichever thread waits for a verdict, so that the connections to the gateway are kept.
    runtime: Runtime,
    origin: Origin,
    always: bool,
    listener: UnixListener,
    /// The shell that asks by itself, with more to say than `EPERM`.
    shell: Option<PathBuf>,
    /// What of Rampart's own everybody may read.
    given: Vec<PathBuf>,
    /// Threads that wait for a question, and threads in all.
    idle: AtomicUsize,
    threads: AtomicUsize,
}

/// The most threads. Whoever asks beyond that waits, so that one that starts very much does not hold up others. More than
/// questions that may wait for a human.
const MOST: usize = 48;

impl Broker {
    /// One more thread that answers. One waits at any time, as long as there are not too many.
    fn work(this: &Arc<Self>) {
        let broker = Arc::clone(this);
        if broker.threads.fetch_add(1, Ordering::SeqCst) >= MOST {
            broker.threads.fetch_sub(1, Ordering::SeqCst);
            return;
        }
        broker.idle.fetch_add(1, Ordering::SeqCst);
        let work = move || {
            while let Ok((stream, _)) = broker.listener.accept() {
                if broker.idle.fetch_sub(1, Ordering::SeqCst) == 1 {
                    Self::work(&broker);
                }
                broker.answer(stream);
                // Enough others wait.
                if broker.idle.fetch_add(1, Ordering::SeqCst) >= 4 {
                    broker.idle.fetch_sub(1, Ordering::SeqCst);
                    broker.threads.fetch_sub(1, Ordering::SeqCst);
                    return;
                }
            }
        };
        // Without a thread nobody answers, and that refuses.
        let _ = thread::Builder::new().name("preload".to_owned()).spawn(work);
    }

    fn answer(&self, mut stream: UnixStream) {
        let calls = self.read(&mut stream).unwrap_or_default();
        let unasked = calls.iter().any(|call| self.is_our_shell(&call.action) || self.is_given(&call.action));
        let may =
            unasked || !calls.is_empty() && calls.into_iter().all(|call| matches!(self.judge(call), Verdict::Allow(_)));
        let _ = stream.write_all(&[if may || self.always { GO } else { NO }]);
    }

    fn judge(&self, call: Call) -> Verdict {
        self.runtime.block_on(self.client.judge(call))
    }

    /// Reads nothing but what every process of a session is told to read.
    fn is_given(&self, action: &Action) -> bool {
        let Action::Read { paths } = action else { return false };
        let is_given = |place: &Path| self.given.iter().any(|given| place.starts_with(given));
        paths.iter().all(|path| path.resolved.as_deref().is_some_and(|place| is_given(Path::new(place))))
    }

    /// One of the links of `rampart wrap` to the shell that asks before it becomes the real one.
    fn is_our_shell(&self, action: &Action) -> bool {
        let Action::Exec { command: CommandLine::Argv(words), .. } = action else { return false };
        let program =
            words.first().map(Path::new).filter(|program| rampart_shim::shell::name(program.as_os_str()).is_some());
        let real = program.and_then(|program| program.canonicalize().ok());
        real.is_some() && real == self.shell
    }

    /// The calls that a question is about, all of which must be allowed; none when it cannot be understood.
    fn read(&self, stream: &mut UnixStream) -> Option<Vec<Call>> {
        let pid = rustix::net::sockopt::socket_peercred(&*stream).ok()?.pid.as_raw_nonzero().get();
        let mut head = [0; HEAD];
        stream.read_exact(&mut head).ok()?;
        let (kind, length) = read_head(head)?;
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        // The process stands still while it waits, so this is where it works.
        let process = Process { pid, cwd: std::fs::read_link(format!("/proc/{pid}/cwd")).ok() };
        let words: Vec<&[u8]> = words(&body)?.collect();
        let action = action(kind, &words, &process)?;
        let call = |action| {
            let mut call = Call { origin: self.origin.clone(), phase: Phase::Before, action, response: None };
            resolve(&mut call, process.cwd.as_deref());
            place(&mut call.origin, process.cwd.as_deref());
            call
        };
        let behind = behind_link(&action);
        Some(std::iter::once(action).chain(behind).map(call).collect())
    }
}

/// Who asks.
struct Process {
    pid: i32,
    cwd: Option<PathBuf>,
}

impl Process {
    /// Where a path that starts from a descriptor leads (openat(2)); an empty one is the descriptor's own file.
    fn path(&self, descriptor: &[u8], path: &[u8]) -> Option<String> {
        let path = Path::new(OsStr::from_bytes(path));
        let start = match descriptor {
            b"-100" => self.cwd.clone(),
            number => std::fs::read_link(format!("/proc/{}/fd/{}", self.pid, std::str::from_utf8(number).ok()?)).ok(),
        };
        let whole = if path.is_absolute() { path.to_owned() } else { start?.join(path) };
        let whole = whole.to_string_lossy();
        // What `join` leaves behind an empty path.
        Some(if whole.len() > 1 { whole.trim_end_matches('/').to_owned() } else { whole.into_owned() })
    }
}

fn action(kind: Kind, words: &[&[u8]], process: &Process) -> Option<Action> {
    let text = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
    let exec = |command| {
        let cwd = process.cwd.as_ref().and_then(|cwd| cwd.to_str()).map(str::to_owned);
        Some(Action::Exec { command, cwd })
    };
    let located = |descriptor, path| Some(vec![Located::written(process.path(descriptor, path)?)]);
    match (kind, words) {
        (Kind::Exec, [descriptor, path, arguments @ ..]) => {
            // What really starts, whatever the program is told that its name is.
            let program = if descriptor.is_empty() { text(path) } else { process.path(descriptor, path)? };
            let rest = arguments.iter().skip(1).map(|word| text(word));
            exec(CommandLine::Argv(std::iter::once(program).chain(rest).collect()))
        }
        (Kind::Shell, [command]) => exec(CommandLine::Command(text(command))),
        (Kind::Words, [words]) => exec(CommandLine::Command(format!(": {}", text(words)))),
        (Kind::Read, [descriptor, path]) => Some(Action::Read { paths: located(descriptor, path)? }),
        (Kind::Write, [descriptor, path]) => Some(Action::Write { paths: located(descriptor, path)?, content: None }),
        (Kind::Delete, [descriptor, path]) => {
            exec(CommandLine::Argv(vec!["unlink".to_owned(), process.path(descriptor, path)?]))
        }
        (Kind::Rename, [from, old, to, new]) => exec(CommandLine::Argv(vec![
            "mv".to_owned(),
            "-T".to_owned(),
            process.path(from, old)?,
            process.path(to, new)?,
        ])),
        (Kind::Connect, [address, port]) => {
            let address = address_of(address)?;
            let port = std::str::from_utf8(port).ok()?.parse().ok()?;
            Some(Action::Connect { host: address.to_string(), port, addresses: vec![address] })
        }
        _ => None,
    }
}

/// Programs that are many, and do what their name says.
const MANY: [&str; 4] = ["busybox", "coreutils", "toybox", "rampart-shim"];

/// The same under the program's own name, where it is started by a link that is called otherwise.
fn behind_link(action: &Action) -> Option<Action> {
    let Action::Exec { command: CommandLine::Argv(words), cwd } = action else { return None };
    let (program, arguments) = words.split_first().filter(|(program, _)| program.starts_with('/'))?;
    let real = Path::new(program).canonicalize().ok()?;
    let name = real.file_name()?.to_str()?;
    if Path::new(program).file_name()? == name || MANY.contains(&name) || (program.ends_with("/sh") && name == "dash") {
        return None;
    }
    let words = std::iter::once(real.to_str()?.to_owned()).chain(arguments.iter().cloned());
    Some(Action::Exec { command: CommandLine::Argv(words.collect()), cwd: cwd.clone() })
}

/// An address in hexadecimal digits.
fn address_of(digits: &[u8]) -> Option<IpAddr> {
    let bytes = hex::decode(digits).ok()?;
    match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(four) => Some(Ipv4Addr::from(four).into()),
        Err(_) => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.as_slice()).ok()?).to_canonical()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: Kind, words: &[&str]) -> Option<Action> {
        let process = Process { pid: 1, cwd: Some("/job".into()) };
        action(kind, &words.iter().map(|word| word.as_bytes()).collect::<Vec<_>>(), &process)
    }

    fn argv(words: &[&str]) -> Action {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Action::Exec { command: CommandLine::Argv(words), cwd: Some("/job".into()) }
    }

    #[test]
    fn a_link_is_asked_about_under_both_names() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("harmless");
        std::os::unix::fs::symlink("/usr/bin/env", &link).unwrap();
        let real = PathBuf::from("/usr/bin/env").canonicalize().unwrap();
        let link = link.to_str().unwrap();
        assert_eq!(behind_link(&argv(&[link, "x"])), Some(argv(&[real.to_str().unwrap(), "x"])));
        for plain in ["/usr/bin/env", "git", "/nowhere/at/all"] {
            assert_eq!(behind_link(&argv(&[plain])), None, "{plain}");
        }
    }

    #[test]
    fn a_question_is_about_what_really_happens() {
        let located = |path: &str| vec![Located::written(path)];
        for (kind, words, expected) in [
            (Kind::Exec, &["-100", "/bin/rm", "ls", "-rf", "/"][..], argv(&["/bin/rm", "-rf", "/"])),
            (Kind::Exec, &["", "git", "git", "status"], argv(&["git", "status"])),
            (Kind::Exec, &["-100", "./run"], argv(&["/job/./run"])),
            (Kind::Read, &["-100", "notes"], Action::Read { paths: located("/job/notes") }),
            (Kind::Write, &["5", "/etc/x"], Action::Write { paths: located("/etc/x"), content: None }),
            (Kind::Delete, &["-100", "a b"], argv(&["unlink", "/job/a b"])),
            (Kind::Rename, &["-100", "a", "-100", "/b"], argv(&["mv", "-T", "/job/a", "/b"])),
            (
                Kind::Connect,
                &["7f000001", "80"],
                Action::Connect { host: "127.0.0.1".into(), port: 80, addresses: vec![Ipv4Addr::LOCALHOST.into()] },
            ),
        ] {
            assert_eq!(of(kind, words), Some(expected), "{words:?}");
        }
        let mapped = of(Kind::Connect, &["00000000000000000000ffffa9fea9fe", "80"]);
        assert!(format!("{mapped:?}").contains("169.254.169.254"), "{mapped:?}");
        for (kind, words) in [
            (Kind::Exec, &["-100"][..]),
            (Kind::Connect, &["7f", "80"]),
            (Kind::Connect, &["7f000001", "x"]),
            (Kind::Read, &["x", "y"]),
        ] {
            assert_eq!(of(kind, words), None, "{words:?}");
        }
    }
}
