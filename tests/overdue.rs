//! A test that stands still ends the run and is named, with what it waits for; libtest would wait with it for ever.

use std::{
    collections::BTreeMap,
    process::Command,
    sync::{
        Mutex, Once,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Longer than any test takes on a slow machine.
const PATIENCE: Duration = Duration::from_mins(15);

static RUNNING: Mutex<BTreeMap<u64, (String, Instant)>> = Mutex::new(BTreeMap::new());

/// While it lives, its test has to end in time.
#[derive(Debug)]
pub(crate) struct Watched(u64);

/// Watches the test of this thread.
pub(crate) fn watch() -> Watched {
    static WATCHER: Once = Once::new();
    static NEXT: AtomicU64 = AtomicU64::new(0);
    WATCHER.call_once(|| drop(std::thread::spawn(watcher)));
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    RUNNING.lock().unwrap().insert(id, (test, Instant::now()));
    Watched(id)
}

impl Drop for Watched {
    fn drop(&mut self) {
        RUNNING.lock().unwrap().remove(&self.0);
    }
}

#[expect(clippy::print_stdout, clippy::exit, reason = "where libtest prints, and nothing else ends it")]
fn watcher() {
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let overdue: Vec<_> =
            RUNNING.lock().unwrap().values().filter(|(_, since)| since.elapsed() > PATIENCE).cloned().collect();
        if overdue.is_empty() {
            continue;
        }
        for (test, _) in &overdue {
            println!("test {test} ... FAILED: it stands still since {} minutes", PATIENCE.as_secs() / 60);
        }
        let _ = Command::new("ps").args(["-eo", "pid,ppid,etimes,stat,wchan:20,args"]).status();
        std::process::exit(101);
    }
}
