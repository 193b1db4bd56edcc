//! The supervisor: what it hears of the filter, of the gate and of the processes, and what it does then. All on one thread, which
//! is the tracer of them all.

use std::{
    collections::HashMap,
    io,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    pin::Pin,
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use rampart_call::{Action, Call, CommandLine, Judgement, Located, Origin, Permit, Phase, Reason, Refusal, Verdict};
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
    Supervision, Watched,
    attempt::{Attempt, starts_a_program},
    connection,
    deed::Deed,
    files::{self, Found, Wish},
    hands::{Confined, Hands, with_rights_as},
    listener::{Listener, Notification},
    memory::Memory,
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
    let held = Held::new(&mut command, supervision.watched)?;
    run_held(held, move || command.spawn().map(|child| (child, None)), supervision)
}

/// The same for a command that is started in its own way: by `start`, on another thread, which says what it is confined to.
///
/// # Errors
/// As `start`, or when it cannot be supervised.
pub fn run_held<E: From<io::Error> + Send>(
    held: Held,
    start: impl FnOnce() -> Result<(Child, Option<Confined>), E> + Send,
    supervision: Supervision<'_>,
) -> Result<ExitStatus, E> {
    // Processes stay below us whatever they do, which some kernels want of who traces them (Yama's ptrace_scope).
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).map_err(io::Error::from)?;
    // Nobody of the same user takes the answers to the filter out of our hands or memory (ptrace(2), pidfd_getfd(2)); root still can.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(io::Error::from)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut children = signal(SignalKind::child())?;
        let (child, confined, listener) = held.start(supervision.unasked, start)?;
        let rights = with_rights_as(confined.as_ref())?;
        let hands = match supervision.watched {
            Watched { files: false, connections: false } => None,
            _ => Some(Hands::new(&listener, confined)?),
        };
        let ended = supervise(child, listener, hands, supervision, &mut children).await;
        drop(rights);
        Ok(ended?)
    })
}

async fn supervise(
    child: Child,
    listener: Listener,
    hands: Option<Hands>,
    supervision: Supervision<'_>,
    children: &mut tokio::signal::unix::Signal,
) -> io::Result<ExitStatus> {
    let child = i32::try_from(child.id()).map_err(io::Error::other)?;
    let mut supervisor = Supervisor::new(listener, hands, supervision)?;
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
    /// What does what was judged, where more than programs is watched.
    hands: Option<Hands>,
    /// Calls that the gate has not answered.
    judging: Pending<'a, Judged>,
    /// Processes that stand at the end of an exec that was not the one that was judged, and are being recorded.
    stopped: Pending<'a, (i32, Verdict)>,
    /// Threads whose exec may go on and is not done.
    traced: HashMap<i32, Traced>,
}

struct Judged {
    notification: Notification,
    subject: Subject,
    ruling: Result<Vec<Permit>, Refusal>,
}

/// What a process wants to do.
enum Subject {
    /// Start this, in this folder.
    Program(Program, Option<String>),
    /// Something that is done for it.
    Deed(Deed),
    /// It could not be found out.
    Unknown,
}

struct Traced {
    program: Program,
    since: Instant,
    is_interrupted: bool,
}

impl<'a> Supervisor<'a> {
    fn new(listener: Listener, hands: Option<Hands>, supervision: Supervision<'a>) -> io::Result<Self> {
        let asks_itself = supervision.asks_itself.as_ref().and_then(|file| rustix::fs::stat(file).ok());
        // SAFETY: its descriptor is the same as long as it lives.
        let listener = unsafe { AsyncFd::register_with_interest(listener, Interest::READABLE)? };
        Ok(Self {
            asks_itself: asks_itself.as_ref().map(Identity::from),
            supervision,
            twins: Twins::default(),
            refused: LastRefused::default(),
            listener,
            hands,
            judging: FuturesUnordered::new(),
            stopped: FuturesUnordered::new(),
            traced: HashMap::new(),
        })
    }

    /// A process wants to do something, and waits.
    fn begin(&mut self, notification: Notification) {
        let begun = if starts_a_program(notification.number) {
            self.begin_program(notification)
        } else if notification.number == libc::SYS_connect {
            self.begin_connection(notification)
        } else {
            self.begin_with_file(notification)
        };
        let Err(error) = begun else { return };
        if error.kind() == io::ErrorKind::PermissionDenied && Memory::of(notification.thread).is_closed() {
            let action = if starts_a_program(notification.number) {
                exec(Vec::new(), working_directory(Thread(notification.thread)))
            } else {
                Action::Read { paths: vec![Located::written(format!("/proc/{}/mem", notification.thread))] }
            };
            self.refuse(notification, action, "the process keeps its memory from others (it is not dumpable)");
        } else {
            self.fail(&notification, Errno::from_io_error(&error).unwrap_or(Errno::FAULT));
        }
    }

    fn begin_program(&mut self, notification: Notification) -> io::Result<()> {
        let thread = Thread(notification.thread);
        let attempt = Attempt::of(&notification)?;
        if attempt.only_check {
            self.go_on(&notification);
            return Ok(());
        }
        let program = match Program::of(&attempt, thread, &self.twins) {
            Ok(program) => program,
            Err(Unfit::Fails(error)) => return Err(error.into()),
            Err(Unfit::Unverifiable(why)) => {
                let words = std::iter::once(&attempt.path).chain(attempt.argv.iter().skip(1));
                let words = words.map(|w| String::from_utf8_lossy(w).into_owned()).collect();
                self.refuse(notification, exec(words, working_directory(thread)), why);
                return Ok(());
            }
        };
        if self.asks_itself.is_some_and(|own| program.is(own)) {
            self.let_go(notification, program);
            return Ok(());
        }
        let cwd = working_directory(thread);
        if self.refused.knows(thread, &program, cwd.as_deref()) {
            return Err(Errno::PERM.into());
        }
        let actions = program.readings().into_iter().map(|words| exec(words, cwd.clone())).collect();
        self.judge(notification, Subject::Program(program, cwd), actions);
        Ok(())
    }

    fn begin_with_file(&mut self, notification: Notification) -> io::Result<()> {
        let wish = Wish::of(&notification)?.ok_or(Errno::NOSYS)?;
        let Found { deed, mut actions } = files::find(wish, Thread(notification.thread))?;
        actions.retain(|action| !self.is_given(action));
        self.judge(notification, Subject::Deed(deed), actions);
        Ok(())
    }

    fn is_given(&self, action: &Action) -> bool {
        let Action::Read { paths } = action else { return false };
        let is_given = |place: &Path| self.supervision.given.iter().any(|given| place.starts_with(given));
        paths.iter().all(|path| path.resolved.as_deref().is_some_and(|place| is_given(Path::new(place))))
    }

    fn begin_connection(&mut self, notification: Notification) -> io::Result<()> {
        match connection::find(&notification)? {
            Some((deed, action)) => self.judge(notification, Subject::Deed(deed), action.into_iter().collect()),
            None => self.go_on(&notification),
        }
        Ok(())
    }

    /// Has all of what it comes down to judged, if it is anything that has to be.
    fn judge(&mut self, notification: Notification, subject: Subject, actions: Vec<Action>) {
        if actions.is_empty() {
            return self.settle(Judged { notification, subject, ruling: Ok(Vec::new()) });
        }
        let thread = Thread(notification.thread);
        let calls: Vec<Call> = actions.into_iter().map(|action| self.call(thread, action)).collect();
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
            Judged { notification, subject, ruling: ruling.map(|()| permits) }
        }));
    }

    /// Refuses by itself what it cannot judge, and has that recorded.
    fn refuse(&mut self, notification: Notification, action: Action, why: &str) {
        let call = self.call(Thread(notification.thread), action);
        let refusal = Refusal { judgement: Judgement::refused(Reason::ExecUnverified, why) };
        let gate = self.supervision.gate;
        self.judging.push(Box::pin(async move {
            let ruling = match gate.refused(call, refusal).await {
                Verdict::Allow(permit) => Ok(vec![permit]),
                Verdict::Deny(refusal) => Err(refusal),
                Verdict::Ask(question) => Err(Refusal { judgement: question.judgement }),
            };
            Judged { notification, subject: Subject::Unknown, ruling }
        }));
    }

    /// The gate has answered.
    fn settle(&mut self, judged: Judged) {
        let Judged { notification, subject, ruling } = judged;
        match ruling {
            // The permits are spent here.
            Ok(_permits) => match subject {
                Subject::Program(program, _) => self.let_go(notification, program),
                Subject::Deed(deed) => self.perform(&notification, deed),
                // Nothing is enforced, or it would have been refused.
                Subject::Unknown => self.go_on(&notification),
            },
            Err(refusal) => {
                if self.listener.get_ref().still_waits(notification.id) {
                    tell(notification.thread, &line(&refusal));
                }
                let error = match subject {
                    Subject::Program(program, cwd) => {
                        self.refused.add(notification.thread, program, cwd);
                        Errno::PERM
                    }
                    // What programs expect of files that are not for them.
                    Subject::Deed(_) => Errno::ACCESS,
                    Subject::Unknown => Errno::PERM,
                };
                self.fail(&notification, error);
            }
        }
    }

    fn perform(&self, notification: &Notification, deed: Deed) {
        let done = self.hands.as_ref().map(|hands| hands.perform(notification.id, deed));
        if !matches!(done, Some(Ok(()))) {
            self.fail(notification, Errno::IO);
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
                exec(words, working_directory(Thread(thread))),
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
                let call = self.call(Thread(process), exec(words, working_directory(Thread(process))));
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

    fn call(&self, thread: Thread, action: Action) -> Call {
        let origin = &self.supervision.origin;
        // Where a path belongs is not said by the action.
        let workspace = if matches!(action, Action::Exec { .. }) { None } else { working_directory(thread) };
        let workspace = workspace.or_else(|| origin.workspace.clone());
        let pid = u32::try_from(thread.0).ok();
        Call { origin: Origin { pid, workspace, ..origin.clone() }, phase: Phase::Before, action, response: None }
    }
}

fn exec(words: Vec<String>, cwd: Option<String>) -> Action {
    Action::Exec { command: CommandLine::Argv(words), cwd }
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
