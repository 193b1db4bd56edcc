//! The disk fails, or somebody else writes to it.

use std::{
    fs,
    io::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst},
    },
};

use rustix::io::Errno;

use super::*;
use crate::audit::{segment::Disk, system_clock, verify::What};

/// Settings whose disk answers the nth call (from 0) to write or sync with these errors.
fn failing(writes: &'static [(u32, Errno)], syncs: &'static [(u32, Errno)]) -> Settings {
    let real = Disk::default();
    let (written, synced) = (AtomicU32::new(0), AtomicU32::new(0));
    let nth = |plan: &[(u32, Errno)], n| plan.iter().find(|(at, _)| *at == n).map(|(_, e)| io::Error::from(*e));
    Settings {
        disk: Disk {
            write: Arc::new(move |fd, bytes| match nth(writes, written.fetch_add(1, SeqCst)) {
                Some(e) => Err(e),
                None => (real.write)(fd, bytes),
            }),
            sync: Arc::new(move |fd| match nth(syncs, synced.fetch_add(1, SeqCst)) {
                Some(e) => Err(e),
                None => Ok(rustix::fs::fdatasync(fd)?),
            }),
        },
        ..Settings::default()
    }
}

#[tokio::test]
async fn short_and_interrupted_writes_tear_nothing() {
    let home = Home::new();
    let real = Disk::default();
    let calls = AtomicUsize::new(0);
    let disk = Disk {
        write: Arc::new(move |fd, bytes| match calls.fetch_add(1, SeqCst) % 3 {
            0 => Err(Errno::INTR.into()),
            n => (real.write)(fd, &bytes[..bytes.len().min(n * 11)]),
        }),
        ..Disk::default()
    };
    let trail = Trail::open(&home.dir, Settings { disk, ..Settings::default() }).unwrap();
    for _ in 0..5 {
        deny(&trail, "x").await.unwrap();
    }
    trail.close().await;
    assert_eq!(assert_sound(&home.dir).notes, []);
}

#[tokio::test]
async fn an_allowance_waits_for_the_disk_only_where_that_does_not_keep_up() {
    use std::sync::{
        Mutex,
        atomic::AtomicU64,
        mpsc::{Receiver, Sender, channel},
    };
    use tokio::time::timeout;

    static BOOT: AtomicU64 = AtomicU64::new(1_000);
    fn clock() -> (u64, u64) {
        (1_800_000_000_000 + BOOT.load(SeqCst), BOOT.load(SeqCst))
    }
    let home = Home::new();
    let (begun, begins): (Sender<()>, Receiver<()>) = channel();
    let (goes_on, held): (Sender<()>, Receiver<()>) = channel();
    let held = Mutex::new(held);
    let sync = move |fd: std::os::fd::BorrowedFd<'_>| {
        // Nobody listens at first and at the end.
        if begun.send(()).is_ok() {
            let _ = held.lock().unwrap().recv();
        }
        Ok(rustix::fs::fdatasync(fd)?)
    };
    let disk = Disk { sync: Arc::new(sync), ..Disk::default() };
    goes_on.send(()).unwrap();
    let trail = Trail::open(&home.dir, Settings { clock, disk, ..Settings::default() }).unwrap();
    begins.recv().unwrap();
    let moment = std::time::Duration::from_secs(10);

    timeout(moment, allow(&trail, "one")).await.unwrap().unwrap();
    BOOT.store(1_000 + 5, SeqCst);
    begins.recv_timeout(moment).unwrap();
    // The writer waits for the disk now.
    timeout(moment, allow(&trail, "two")).await.unwrap().unwrap();
    BOOT.store(1_000 + 5 + 9, SeqCst);
    timeout(moment, allow(&trail, "three")).await.expect("the writer sees to it").unwrap();
    BOOT.store(1_000 + 5 + 10, SeqCst);
    let mut late = Box::pin(allow(&trail, "four"));
    assert!(timeout(moment / 100, &mut late).await.is_err(), "it was answered although the disk does not keep up");
    drop(begins);
    goes_on.send(()).unwrap();
    drop(goes_on);
    timeout(moment, late).await.unwrap().unwrap();
    trail.close().await;
    assert_sound(&home.dir);
}

#[tokio::test]
async fn a_failed_sync_is_never_retried_on_that_file() {
    let home = Home::new();
    let trail = Trail::open(&home.dir, failing(&[], &[(2, Errno::IO)])).unwrap();
    assert_eq!(deny(&trail, "first").await.unwrap(), 2);
    let seq = deny(&trail, "second").await.unwrap();
    trail.close().await;
    assert_eq!(seq, 5, "after the new segment's open and lost records");
    let types = home.types();
    assert_eq!(types, ["open", "decision", "decision", "open", "lost", "decision", "close", "checkpoint"]);
    let report = assert_sound(&home.dir);
    assert_eq!(report.notes[0].what, What::Lost);
    assert_eq!(report.records, 7, "what was written twice counts once");
}

#[tokio::test]
async fn a_write_that_breaks_off_is_told_and_done_again() {
    let home = Home::new();
    let real = Disk::default();
    let calls = AtomicUsize::new(0);
    let disk = Disk {
        write: Arc::new(move |fd, bytes| match calls.fetch_add(1, SeqCst) {
            2 => (real.write)(fd, &bytes[..40]),
            3 => Err(Errno::IO.into()),
            _ => (real.write)(fd, bytes),
        }),
        ..Disk::default()
    };
    let trail = Trail::open(&home.dir, Settings { disk, ..Settings::default() }).unwrap();
    allow(&trail, "first").await.unwrap();
    allow(&trail, "second").await.unwrap();
    trail.close().await;
    let report = assert_sound(&home.dir);
    assert_eq!(report.notes.iter().map(|n| n.what).collect::<Vec<_>>(), [What::Torn], "{report:#?}");
    assert_eq!(home.segments().len(), 2);
}

/// Disk full after a number of bytes, until told otherwise.
fn small_disk(room: &Arc<AtomicUsize>) -> Disk {
    let real = Disk::default();
    let room = Arc::clone(room);
    Disk {
        write: Arc::new(move |fd, bytes| {
            let left = room.load(SeqCst);
            if left == 0 {
                return Err(Errno::NOSPC.into());
            }
            let written = (real.write)(fd, &bytes[..bytes.len().min(left)])?;
            room.fetch_sub(written, SeqCst);
            Ok(written)
        }),
        ..Disk::default()
    }
}

#[tokio::test]
async fn a_full_disk_refuses_and_ends_by_itself() {
    let home = Home::new();
    let room = Arc::new(AtomicUsize::new(4000));
    let trail = Trail::open(&home.dir, Settings { disk: small_disk(&room), ..Settings::default() }).unwrap();
    let mut refused = 0_u64;
    let why = loop {
        match deny(&trail, "x").await {
            Ok(_) => {}
            Err(e) => break e.to_string(),
        }
    };
    refused += 1;
    assert!(why.contains("No space left on device"), "{why}");
    assert!(trail.health().error.is_some());
    assert!(deny(&trail, "x").await.is_err());
    refused += 1;
    trail.passed_unrecorded();
    room.store(1 << 20, SeqCst);
    while deny(&trail, "x").await.is_err() {
        refused += 1;
        tokio::task::yield_now().await;
    }
    assert!(trail.health().error.is_none());
    trail.close().await;
    let report = assert_sound(&home.dir);
    assert!(report.notes.iter().all(|n| n.what == What::Torn), "{report:#?}");
    let gaps: Vec<_> = home.lines().into_iter().filter(|l| field(l, "type") == "gap").collect();
    let told = |name| gaps.iter().map(|gap| field(gap, name).parse::<u64>().unwrap()).sum::<u64>();
    assert_eq!((told("refused"), told("passed")), (refused, 1), "{gaps:#?}");
    assert_eq!(field(&gaps[0], "reason"), "disk_full");
}

/// Appends a record that fits in every respect but that we did not write it.
fn continued(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    let last = line::Line::parse(text.lines().last().unwrap().as_bytes()).unwrap();
    let seq = last.seq + 1;
    let mut forged =
        format!(r#"{{"v":"rampart.audit.v2","seq":{seq},"type":"decision","at":"x","boot_ms":1"#).into_bytes();
    chain::seal(&mut forged, 0, &last.hash);
    fs::OpenOptions::new().append(true).open(path).unwrap().write_all(&forged).unwrap();
}

#[tokio::test]
async fn a_segment_that_others_touch_is_left_at_once() {
    type Touch = fn(&Path);
    let touches: [(&str, Touch, bool); 4] = [
        ("continued as we would have", continued, true),
        ("appended to", |p| fs::OpenOptions::new().append(true).open(p).unwrap().write_all(b"hello\n").unwrap(), true),
        ("cut", |p| fs::OpenOptions::new().write(true).open(p).unwrap().set_len(700).unwrap(), false),
        ("removed", |p| fs::remove_file(p).unwrap(), false),
    ];
    for (name, touch, innocent) in touches {
        let home = Home::new();
        let trail = home.open();
        for _ in 0..3 {
            deny(&trail, "x").await.unwrap();
        }
        touch(&home.segments()[0]);
        deny(&trail, "y").await.unwrap();
        trail.close().await;
        let report = agreed(&home.dir);
        assert_eq!(report.ok, innocent, "{name}: {report:#?}");
        let account = if innocent { "recover" } else { "lost" };
        assert!(home.types().contains(&account.into()), "{name}: {:?}", home.types());
        assert!(!report.problems.iter().any(|p| p.what == What::Edited), "{name}: {report:#?}");
    }
}

#[tokio::test]
async fn a_trail_whose_folder_is_gone_waits_instead_of_spinning() {
    static LOOKS: AtomicUsize = AtomicUsize::new(0);
    fn counted() -> (u64, u64) {
        LOOKS.fetch_add(1, SeqCst);
        system_clock()
    }
    let home = Home::new();
    let trail = Trail::open(&home.dir, Settings { clock: counted, ..failing(&[], &[(2, Errno::IO)]) }).unwrap();
    fs::remove_dir_all(&home.dir).unwrap();
    deny(&trail, "x").await.unwrap_err();
    let before = LOOKS.load(SeqCst);
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    assert!(LOOKS.load(SeqCst) - before < 40, "it looked {} times", LOOKS.load(SeqCst) - before);
}

/// A disk whose second sync, the first after opening the segment, waits until told how to end.
fn held_sync() -> (Disk, std::sync::mpsc::Sender<io::Result<()>>, Arc<AtomicUsize>) {
    let (end, ends) = std::sync::mpsc::channel();
    let ends = std::sync::Mutex::new(ends);
    let begun = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&begun);
    let sync = move |fd: std::os::fd::BorrowedFd<'_>| match counter.fetch_add(1, SeqCst) {
        1 => ends.lock().unwrap().recv().unwrap(),
        _ => Ok(rustix::fs::fdatasync(fd)?),
    };
    (Disk { sync: Arc::new(sync), ..Disk::default() }, end, begun)
}

async fn begins_to_flush(trail: &Trail, begun: &AtomicUsize) {
    allow(trail, "before").await.unwrap();
    while begun.load(SeqCst) < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn allowances_are_recorded_while_the_disk_is_waited_for() {
    let home = Home::new();
    let (disk, end, begun) = held_sync();
    let trail = Trail::open(&home.dir, Settings { disk, ..Settings::default() }).unwrap();
    begins_to_flush(&trail, &begun).await;
    assert_eq!(allow(&trail, "during").await.unwrap(), 3);
    assert_eq!(home.types(), ["open", "decision", "decision"]);
    end.send(Ok(())).unwrap();
    trail.close().await;
    assert_eq!(assert_sound(&home.dir).notes, []);
    assert!(begun.load(SeqCst) > 2, "what came during the flush was waited for as well");
}

#[tokio::test]
async fn a_flush_that_fails_accounts_for_all_that_it_may_have_lost() {
    let home = Home::new();
    let (disk, end, begun) = held_sync();
    let trail = Trail::open(&home.dir, Settings { disk, ..Settings::default() }).unwrap();
    begins_to_flush(&trail, &begun).await;
    allow(&trail, "during").await.unwrap();
    end.send(Err(Errno::IO.into())).unwrap();
    deny(&trail, "after").await.unwrap();
    trail.close().await;
    let lost = home.lines().into_iter().find(|line| field(line, "type") == "lost").expect("an account");
    assert_eq!((field(&lost, "first"), field(&lost, "last")), ("2".into(), "3".into()), "{lost}");
    assert_sound(&home.dir);
    // The disk kept nothing of what it did not confirm, or the half of it.
    let path = &home.segments()[0];
    let offset: u64 = field(&lost, "offset").parse().unwrap();
    for kept in [offset + 40, offset] {
        fs::OpenOptions::new().write(true).open(path).unwrap().set_len(kept).unwrap();
        assert_sound(&home.dir);
    }
}

#[tokio::test]
async fn a_segment_that_fails_twice_at_once_is_told_of_twice() {
    let home = Home::new();
    let (disk, end, begun) = held_sync();
    let trail = Trail::open(&home.dir, Settings { disk, ..Settings::default() }).unwrap();
    begins_to_flush(&trail, &begun).await;
    fs::OpenOptions::new().append(true).open(&home.segments()[0]).unwrap().write_all(b"hello\n").unwrap();
    allow(&trail, "into the next segment").await.unwrap();
    end.send(Err(Errno::IO.into())).unwrap();
    deny(&trail, "after").await.unwrap();
    trail.close().await;
    let types = home.types();
    assert_eq!(types.iter().filter(|t| *t == "recover" || *t == "lost").count(), 2, "{types:?}");
    assert_sound(&home.dir);
}
