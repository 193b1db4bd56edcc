//! What a server's processes leave behind: they lose their parent and become our children
//! (PR_SET_CHILD_SUBREAPER(2const)), so that none outlives its session by becoming a daemon.
//!
//! Linux only. Elsewhere what leaves the server's process group is out of reach.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    io::Read as _,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tokio::time::{Instant, sleep};

/// How long killed processes may take to end.
const LAST: Duration = Duration::from_secs(2);
const STEP: Duration = Duration::from_millis(10);

/// The variable by which it is known whose an orphan is, where this process has several servers. What wipes its environment
/// is nobody's until this process ends.
const MARK: &str = "RAMPART_MCP_SERVER";

/// The servers that run: who has started them waits for them, and nobody else may.
static SERVERS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// The servers that run. While this is held none is started or has been waited for.
pub(crate) fn servers() -> MutexGuard<'static, BTreeSet<i32>> {
    SERVERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A mark for the processes of one server, as a variable of its environment.
pub(crate) fn mark() -> Option<(OsString, OsString)> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).ok()?;
    Some((MARK.into(), hex::encode(random).into()))
}

/// Whether a process has this mark or, without one, any.
fn is_marked(pid: Pid, mark: Option<&(OsString, OsString)>) -> bool {
    let mut environment = Vec::new();
    let read = std::fs::File::open(format!("/proc/{}/environ", pid.as_raw_nonzero()));
    if read.and_then(|file| file.take(1 << 20).read_to_end(&mut environment)).is_err() {
        return false;
    }
    let wanted = match mark {
        Some((name, value)) => format!("{}={}", name.display(), value.display()),
        None => format!("{MARK}="),
    };
    environment.split(|byte| *byte == 0).any(|variable| match mark {
        Some(_) => variable == wanted.as_bytes(),
        None => variable.starts_with(wanted.as_bytes()),
    })
}

/// Takes note of orphans that have ended, where this process has several servers.
pub(crate) fn reap_all() {
    let servers = servers();
    for orphan in children(None).into_iter().filter(|pid| !servers.contains(&pid.as_raw_nonzero().get())) {
        let _ = waitpid(Some(orphan), WaitOptions::NOHANG);
    }
}

/// Ends the orphans with this mark or, without one, with any.
pub(crate) async fn end_marked(mark: Option<(OsString, OsString)>, grace: Duration) {
    end_those(grace, reap_all, || {
        let servers = servers().clone();
        let orphans = children(None).into_iter().filter(|pid| !servers.contains(&pid.as_raw_nonzero().get()));
        orphans.filter(|pid| is_marked(*pid, mark.as_ref())).collect()
    })
    .await;
}

/// Makes this process the next parent of what its children leave behind. Who does so ends them.
#[cfg(target_os = "linux")]
pub(crate) fn adopt() {
    if let Err(error) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
        tracing::warn!(%error, "what the server leaves behind cannot be ended with it");
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn adopt() {
    tracing::debug!("what leaves the server's process group is not ended with it on this system");
}

/// Our children but for the server, which is waited for elsewhere.
fn children(server: Option<Pid>) -> Vec<Pid> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    let lists = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let pids = lists.flat_map(|list| list.split_whitespace().filter_map(|p| p.parse().ok()).collect::<Vec<i32>>());
    pids.filter_map(Pid::from_raw).filter(|pid| Some(*pid) != server).collect()
}

/// Takes note of the orphans that have ended.
pub(crate) fn reap(server: Option<Pid>) {
    for orphan in children(server) {
        // An error says that somebody else did.
        let _ = waitpid(Some(orphan), WaitOptions::NOHANG);
    }
}

/// Ends all that is left: asks first, and does not wait for more than `grace`. The end of one makes orphans of others.
pub(crate) async fn end(grace: Duration) {
    end_those(grace, || reap(None), || children(None)).await;
}

async fn end_those(grace: Duration, reap: impl Fn(), those: impl Fn() -> Vec<Pid>) {
    let asked = Instant::now();
    let mut told = Vec::new();
    while asked.elapsed() < grace + LAST {
        reap();
        let left = those();
        if left.is_empty() {
            return;
        }
        for orphan in left {
            let kill = asked.elapsed() >= grace;
            if kill || !told.contains(&orphan) {
                // The only failure is that it is gone.
                let _ = kill_process(orphan, if kill { Signal::KILL } else { Signal::TERM });
                told.push(orphan);
            }
        }
        sleep(STEP).await;
    }
    tracing::warn!("the server has left processes behind that do not end");
}
