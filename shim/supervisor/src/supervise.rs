//! The supervisor: what it hears of the filter, of the gate and of the processes, and what it does then. All on one thread, which
//! is the tracer of them all.

use std::{
    collections::HashMap,
    io,
    os::unix::process::ExitStatusExt as _,
    pin::Pin,
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use rampart_call::{Action, Call, CommandLine, Judgement, Origin, Permit, Phase, Reason, Refusal, Verdict};
use rustix::{
    io::Errno,
    process::{DumpableBehavior, Pid, Signal, kill_process, set_dumpable_behavior},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    runtime::Builder,
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use crate::{
    Supervision,
    attempt::Attempt,
    listener::{Listener, Notification},
    place::{Identity, Thread},
    program::{Program, Started, Unfit},
    refused::LastRefused,
    start::Held,
    tell::tell,
    trace::{self, Event},
    twins::Twins,
};

/// How long an exec that may go on is traced, before we look whether it has failed.
const PATIENCE: Duration = Duration::from_millis(20);

/// Runs a program to its end, and judges everything that it and its processes start. What outlives it can start nothing more.
///
/// # Errors
/// When it cannot be started, or not be supervised.
pub fn run(mut command: Command, supervision: Supervision<'_>) -> io::Result<ExitStatus> {
    run_held(Held::new(&mut command)?, move || command.spawn(), supervision)
}

/// The same for a command that is started in its own way: by `start`, on another thread.
///
/// # Errors
/// As `start`, or when it cannot be supervised.
pub fn run_held<E: From<io::Error> + Send>(
    held: Held,
    start: impl FnOnce() -> Result<Child, E> + Send,
    supervision: Supervision<'_>,
) -> Result<ExitStatus, E> {
    // Processes stay below us whatever they do, which some kernels want of who traces them (Yama's ptrace_scope).
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).map_err(io::Error::from)?;
    // Nobody of the same user takes the answers to the filter out of our hands or memory (ptrace(2), pidfd_getfd(2)); root still can.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(io::Error::from)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut children = signal(SignalKind::child())?;
        let (child, listener) = held.start(supervision.unasked, start)?;
        Ok(supervise(child, listener, supervision, &mut children).await?)
    })
}

async fn supervise(
    child: Child,
    listener: Listener,
    supervision: Supervision<'_>,
    children: &mut tokio::signal::unix::Signal,
) -> io::Result<ExitStatus> {
    let child = i32::try_from(child.id()).map_err(io::Error::other)?;
    let mut supervisor = Supervisor::new(listener, supervision)?;
    let mut looks = interval(PATIENCE);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // No process is left that could start anything.
    let mut is_deserted = false;
    let mut ended = supervisor.look_at_processes(child);
    while ended.is_none() {
        tokio::select! {
            biased;
            _ = children.recv() => ended = supervisor.look_at_processes(child),
            Some(judged) = supervisor.judging.next() => supervisor.settle(judged),
            Some((process, verdict)) = supervisor.stopped.next() => Supervisor::end(process, verdict),
            ready = supervisor.listener.readable(), if !is_deserted => {
                let mut ready = ready?;
                match ready.get_inner().next() {
                    Ok(Some(notification)) => {
                        drop(ready);
                        supervisor.begin(notification);
                    }
                    Ok(None) => ready.clear_ready(),
                    Err(error) => is_deserted = error.kind() == io::ErrorKind::BrokenPipe,
                }
            }
            _ = looks.tick(), if !supervisor.traced.is_empty() => supervisor.stop_what_takes_long(),
        }
    }
    while let Some((process, verdict)) = supervisor.stopped.next().await {
        Supervisor::end(process, verdict);
    }
    ended.ok_or_else(|| io::ErrorKind::Other.into())
}

type Pending<'a, T> = FuturesUnordered<Pin<Box<dyn Future<Output = T> + 'a>>>;

struct Supervisor<'a> {
    supervision: Supervision<'a>,
    asks_itself: Option<Identity>,
    twins: Twins,
    refused: LastRefused,
    listener: AsyncFd<Listener>,
    /// Calls that the gate has not answered.
    judging: Pending<'a, Judged>,
    /// Processes that stand at the end of an exec that was not the one that was judged, and are being recorded.
    stopped: Pending<'a, (i32, Verdict)>,
    /// Threads whose exec may go on and is not done.
    traced: HashMap<i32, Traced>,
}

struct Judged {
    notification: Notification,
    /// None when it could not be found out.
    program: Option<Program>,
    /// Where it would start.
    cwd: Option<String>,
    ruling: Result<Vec<Permit>, Refusal>,
}

struct Traced {
    program: Program,
    since: Instant,
    is_interrupted: bool,
}

impl<'a> Supervisor<'a> {
    fn new(listener: Listener, supervision: Supervision<'a>) -> io::Result<Self> {
        let asks_itself = supervision.asks_itself.as_ref().and_then(|file| rustix::fs::stat(file).ok());
        // SAFETY: its descriptor is the same as long as it lives.
        let listener = unsafe { AsyncFd::register_with_interest(listener, Interest::READABLE)? };
        Ok(Self {
            asks_itself: asks_itself.as_ref().map(Identity::from),
            supervision,
            twins: Twins::default(),
            refused: LastRefused::default(),
            listener,
            judging: FuturesUnordered::new(),
            stopped: FuturesUnordered::new(),
            traced: HashMap::new(),
        })
    }

    /// A process wants to start something, and waits.
    fn begin(&mut self, notification: Notification) {
        let thread = Thread(notification.thread);
        let attempt = match Attempt::of(&notification) {
            Ok(attempt) if attempt.only_check => return self.go_on(&notification),
            Ok(attempt) => attempt,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return self.refuse(
                    notification,
                    Vec::new(),
                    "the process keeps its memory from others (it is not dumpable)",
                );
            }
            Err(error) => return self.fail(&notification, Errno::from_io_error(&error).unwrap_or(Errno::FAULT)),
        };
        let program = match Program::of(&attempt, thread, &self.twins) {
            Ok(program) => program,
            Err(Unfit::Fails(error)) => return self.fail(&notification, error),
            Err(Unfit::Unverifiable(why)) => {
                let words = std::iter::once(&attempt.path).chain(attempt.argv.iter().skip(1));
                return self.refuse(
                    notification,
                    words.map(|w| String::from_utf8_lossy(w).into_owned()).collect(),
                    why,
                );
            }
        };
        if self.asks_itself.is_some_and(|own| program.is(own)) {
            return self.let_go(notification, program);
        }
        let cwd = working_directory(thread);
        if self.refused.knows(thread, &program, cwd.as_deref()) {
            return self.fail(&notification, Errno::PERM);
        }
        let calls: Vec<Call> =
            program.readings().into_iter().map(|words| self.call(thread, words, cwd.clone())).collect();
        let gate = self.supervision.gate;
        self.judging.push(Box::pin(async move {
            let mut permits = Vec::new();
            let mut ruling = Ok(());
            for call in calls {
                match gate.judge(call).await {
                    Verdict::Allow(permit) => permits.push(permit),
                    Verdict::Deny(refusal) => ruling = Err(refusal),
                    // Nobody sits at an exec, and the origin said so.
                    Verdict::Ask(question) => {
                        let judgement = Judgement { reason: Reason::NobodyToAsk, ..question.judgement };
                        ruling = Err(Refusal { judgement });
                    }
                }
                if ruling.is_err() {
                    break;
                }
            }
            Judged { notification, program: Some(program), cwd, ruling: ruling.map(|()| permits) }
        }));
    }

    /// Refuses by itself what it cannot judge, and has that recorded.
    fn refuse(&mut self, notification: Notification, words: Vec<String>, why: &str) {
        let thread = Thread(notification.thread);
        let call = self.call(thread, words, working_directory(thread));
        let refusal = Refusal { judgement: Judgement::refused(Reason::ExecUnverified, why) };
        let gate = self.supervision.gate;
        self.judging.push(Box::pin(async move {
            let ruling = match gate.refused(call, refusal).await {
                Verdict::Allow(permit) => Ok(vec![permit]),
                Verdict::Deny(refusal) => Err(refusal),
                Verdict::Ask(question) => Err(Refusal { judgement: question.judgement }),
            };
            Judged { notification, program: None, cwd: None, ruling }
        }));
    }

    /// The gate has answered.
    fn settle(&mut self, judged: Judged) {
        let Judged { notification, program, cwd, ruling } = judged;
        match ruling {
            // The permits are spent here.
            Ok(_permits) => match program {
                Some(program) => self.let_go(notification, program),
                // Nothing is enforced, or it would have been refused.
                None => self.go_on(&notification),
            },
            Err(refusal) => {
                if self.listener.get_ref().still_waits(notification.id) {
                    tell(notification.thread, &line(&refusal));
                }
                if let Some(program) = program {
                    self.refused.add(notification.thread, program, cwd);
                }
                self.fail(&notification, Errno::PERM);
            }
        }
    }

    /// Lets an exec happen, and sees that it is the one that was judged.
    fn let_go(&mut self, notification: Notification, program: Program) {
        let thread = notification.thread;
        if !self.supervision.verified {
            return self.go_on(&notification);
        }
        if !self.listener.get_ref().still_waits(notification.id) {
            return;
        }
        // One whose last exec has failed is traced still.
        if !self.traced.contains_key(&thread) && trace::seize(thread).is_err() {
            let words = program.readings().into_iter().next().unwrap_or_default();
            return self.refuse(
                notification,
                words,
                "another program traces this process, so that what it starts cannot be verified",
            );
        }
        self.traced.insert(thread, Traced { program, since: Instant::now(), is_interrupted: false });
        self.go_on(&notification);
    }

    fn go_on(&self, notification: &Notification) {
        // An error is that nobody waits any more.
        let _ = self.listener.get_ref().go_on(notification.id);
    }

    fn fail(&self, notification: &Notification, error: Errno) {
        let _ = self.listener.get_ref().fail(notification.id, error);
    }

    /// What happened to children and traced processes; how `child` ended, if it did.
    fn look_at_processes(&mut self, child: i32) -> Option<ExitStatus> {
        while let Ok(Some((process, event))) = trace::next() {
            match event {
                Event::Exec => self.verify(process),
                // It is out of its exec, which must have failed.
                Event::Stopped { signal } => {
                    self.traced.remove(&process);
                    let _ = trace::detach(process, signal);
                }
                Event::Gone(status) => {
                    self.traced.remove(&process);
                    if process == child {
                        return Some(ExitStatus::from_raw(status));
                    }
                }
            }
        }
        None
    }

    /// Compares what the kernel has started with what was judged.
    fn verify(&mut self, process: i32) {
        let judged = trace::former(process).ok().and_then(|thread| self.traced.remove(&thread));
        // The thread that had the number before is gone.
        self.traced.remove(&process);
        let started = Started::of(process);
        match (judged, &started) {
            (Some(Traced { program, .. }), Ok(started)) if program.expected().as_ref() == Some(started) => {
                let _ = trace::detach(process, 0);
            }
            // Killed while it stood there.
            (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => kill(process),
            _ => {
                let words = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
                let name = std::fs::read_link(format!("/proc/{process}/exe")).unwrap_or_default();
                let rest =
                    words.split(|byte| *byte == 0).skip(1).map(|word| String::from_utf8_lossy(word).into_owned());
                let mut words: Vec<_> = std::iter::once(name.to_string_lossy().into_owned()).chain(rest).collect();
                // What stands behind the last NUL.
                words.truncate(words.len().saturating_sub(1).max(1));
                let call = self.call(Thread(process), words, working_directory(Thread(process)));
                let why = "the program or its arguments were changed while they were judged";
                let refusal = Refusal { judgement: Judgement::refused(Reason::ExecUnverified, why) };
                let gate = self.supervision.gate;
                self.stopped.push(Box::pin(async move { (process, gate.refused(call, refusal).await) }));
            }
        }
    }

    /// It is on record that a process has started something else than what was judged.
    fn end(process: i32, verdict: Verdict) {
        match verdict {
            // Nothing is enforced.
            Verdict::Allow(_) => drop(trace::detach(process, 0)),
            Verdict::Deny(refusal) => {
                tell(process, &line(&refusal));
                kill(process);
            }
            Verdict::Ask(_) => kill(process),
        }
    }

    /// Stops execs that take long as soon as they are out of the kernel: those that failed shall not stay traced.
    fn stop_what_takes_long(&mut self) {
        self.traced.retain(|thread, traced| {
            if traced.is_interrupted || traced.since.elapsed() < PATIENCE {
                return true;
            }
            traced.is_interrupted = true;
            trace::interrupt(*thread).is_ok()
        });
    }

    fn call(&self, thread: Thread, words: Vec<String>, cwd: Option<String>) -> Call {
        let pid = u32::try_from(thread.0).ok();
        Call {
            origin: Origin { pid, ..self.supervision.origin.clone() },
            phase: Phase::Before,
            action: Action::Exec { command: CommandLine::Argv(words), cwd },
            response: None,
        }
    }
}

fn working_directory(thread: Thread) -> Option<String> {
    thread.working_directory().ok().and_then(|cwd| cwd.into_os_string().into_string().ok())
}

fn kill(process: i32) {
    if let Some(process) = Pid::from_raw(process) {
        let _ = kill_process(process, Signal::KILL);
    }
}

fn line(refusal: &Refusal) -> String {
    let text = refusal.explain();
    format!("rampart: refused: {}\n", text.strip_prefix("Rampart refused this: ").unwrap_or(&text))
}
