//! What a server's processes leave behind: they lose their parent and become our children
//! (PR_SET_CHILD_SUBREAPER(2const)), so that none outlives its session by becoming a daemon.
//!
//! Linux only. Elsewhere what leaves the server's process group is out of reach.

use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tokio::time::{Instant, sleep};

/// How long killed processes may take to end.
const LAST: Duration = Duration::from_secs(2);
const STEP: Duration = Duration::from_millis(10);

/// Makes this process the next parent of what its children leave behind. Only for a process whose children all belong to
/// one server.
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
    let asked = Instant::now();
    let mut told = Vec::new();
    while asked.elapsed() < grace + LAST {
        reap(None);
        let left = children(None);
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
