//! Power cuts. What was synced is on disk. Of what was written since, any pages may be there, in any order, the others
//! are zeros, and the file may end anywhere; of the last rename, nobody knows. Whatever is left, the next start goes on
//! from it, keeps every record that somebody was told of, and takes nothing for a record that was not written.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::fd::BorrowedFd,
    sync::{Arc, Mutex},
};

use super::*;
use crate::audit::{
    keys,
    read::forward,
    segment::{Disk, file_name, first_of},
};

const PAGE: usize = 4096;

/// What happened, in order.
#[derive(Clone)]
enum Event {
    Write {
        file: u64,
        bytes: Vec<u8>,
    },
    /// With the private keys as they lay in the folder.
    Sync {
        file: u64,
        keys: Vec<(String, Vec<u8>)>,
        checkpoint: Option<Vec<u8>>,
    },
    /// Somebody was told that this record is on disk.
    Told(u64),
}

type Events = Arc<Mutex<Vec<Event>>>;

/// A disk that works and remembers. Files are told apart by their inode.
fn recording(dir: &Path, events: &Events) -> Disk {
    let inode = |fd: BorrowedFd<'_>| rustix::fs::fstat(fd).unwrap().st_ino;
    let (real, dir) = (Disk::default(), dir.to_owned());
    let (written, synced) = (Arc::clone(events), Arc::clone(events));
    Disk {
        write: Arc::new(move |fd, bytes| {
            let n = (real.write)(fd, bytes)?;
            written.lock().unwrap().push(Event::Write { file: inode(fd), bytes: bytes[..n].to_vec() });
            Ok(n)
        }),
        sync: Arc::new(move |fd| {
            let names = fs::read_dir(&dir).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap());
            let keys = names.filter(|name| keys::is_file_name(name));
            let keys = keys.filter_map(|name| Some((name.clone(), fs::read(dir.join(name)).ok()?))).collect();
            let checkpoint = fs::read(dir.join("checkpoint")).ok();
            synced.lock().unwrap().push(Event::Sync { file: inode(fd), keys, checkpoint });
            Ok(())
        }),
    }
}

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }
}

/// A file as the events before a power cut leave it.
#[derive(Default)]
struct File {
    bytes: Vec<u8>,
    synced: usize,
    syncs: u32,
    /// It was written to after its making was done, so that its name is on disk.
    named: bool,
}

/// Writes a folder as a power cut after these events leaves it. Returns the records that somebody was told of.
fn cut(events: &[Event], names: &BTreeMap<u64, String>, chance: &mut Chance, into: &Path) -> BTreeSet<u64> {
    let mut files: BTreeMap<u64, File> = BTreeMap::new();
    let (mut told, mut kept, mut checkpoint) = (BTreeSet::new(), Vec::new(), None);
    for event in events {
        match event {
            Event::Write { file, bytes } => {
                let file = files.entry(*file).or_default();
                file.named |= file.syncs > 0;
                file.bytes.extend_from_slice(bytes);
            }
            Event::Sync { file, keys, checkpoint: seen } => {
                let file = files.entry(*file).or_default();
                (file.synced, file.syncs) = (file.bytes.len(), file.syncs + 1);
                kept.clone_from(keys);
                checkpoint.clone_from(seen);
            }
            Event::Told(seq) => drop(told.insert(*seq)),
        }
    }
    let newest = files.keys().filter_map(|inode| first_of(&names[inode])).max().unwrap_or_default();
    for (inode, file) in &files {
        let mut name = names[inode].clone();
        let is_newest = first_of(&name) == Some(newest);
        if is_newest && !file.named && (file.syncs == 0 || chance.below(2) == 0) {
            // its rename is lost, or was still to come
            name.push_str(".new");
        }
        let mut bytes = file.bytes.clone();
        if file.synced < bytes.len() {
            match chance.below(4) {
                0 => bytes.truncate(file.synced + chance.below(bytes.len() - file.synced + 1)),
                1 => bytes[file.synced..].fill(0),
                2 => bytes.resize(bytes.len() + chance.below(3 * PAGE), 0),
                _ => {
                    for page in file.synced / PAGE..=bytes.len() / PAGE {
                        let range = (page * PAGE).max(file.synced)..((page + 1) * PAGE).min(bytes.len());
                        if chance.below(2) == 0 && !range.is_empty() {
                            bytes[range].fill(0);
                        }
                    }
                }
            }
        }
        write_private(&into.join(name), &bytes);
    }
    for (name, key) in &kept {
        write_private(&into.join(name), key);
    }
    match (chance.below(4), checkpoint) {
        (0, _) | (_, None) => {}
        // a file that was replaced and whose content had not come to the disk
        (1, _) => write_private(&into.join("checkpoint"), b""),
        (_, Some(checkpoint)) => write_private(&into.join("checkpoint"), &checkpoint),
    }
    told
}

fn write_private(path: &Path, bytes: &[u8]) {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

/// A folder whose syncs take no time, if there is one.
fn quick() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

#[tokio::test]
async fn ten_thousand_power_cuts_lose_nothing_that_was_told() {
    let points: usize = if option_env!("RAMPART_ALL_CRASHES").is_some() { 10_000 } else { 1_000 };
    let home = quick();
    let dir = home.path().join("audit");
    let events = Events::default();
    let settings = Settings { segment_bytes: 9_000, disk: recording(&dir, &events), ..Settings::default() };
    let trail = Trail::open(&dir, settings).unwrap();
    for n in 0..120 {
        let command = format!("echo {n} {}", "x".repeat(n * 37 % 900));
        if n % 3 == 0 {
            let seq = deny(&trail, &command).await.unwrap();
            events.lock().unwrap().push(Event::Told(seq));
        } else {
            allow(&trail, &command).await.unwrap();
        }
    }
    trail.close().await;
    let events = events.lock().unwrap().clone();
    use std::os::unix::fs::MetadataExt as _;
    let segments = verify::segments(&dir).unwrap();
    assert!(segments.len() > 5, "{}", segments.len());
    let named = |&first: &u64| (fs::metadata(dir.join(file_name(first))).unwrap().ino(), file_name(first));
    let names: BTreeMap<u64, String> = segments.iter().map(named).collect();
    let written: BTreeMap<u64, String> =
        forward(&dir, 0).map(|record| record.unwrap()).map(|record| (record.seq, record.line)).collect();
    let mut chance = Chance(7);
    let mut torn = 0;
    for point in 0..points {
        let crashed = quick();
        let into = crashed.path().join("audit");
        std::fs::DirBuilder::new().mode(0o700).create(&into).unwrap();
        let told = cut(&events[..=chance.below(events.len())], &names, &mut chance, &into);
        let trail = Trail::open(&into, Settings::default()).unwrap();
        trail.close().await;
        let report = verify_dir(&into);
        assert!(report.ok, "cut {point}: {report:#?}");
        torn += report.notes.iter().filter(|note| note.what == verify::What::Torn).count();
        let mut old = BTreeSet::new();
        for record in forward(&into, 0).map(|record| record.unwrap()) {
            if record.line.contains(r#""type":"decision""#) {
                assert_eq!(written.get(&record.seq), Some(&record.line), "cut {point}: a record that nobody wrote");
                old.insert(record.seq);
            }
        }
        let lost: Vec<_> = told.difference(&old).collect();
        assert!(lost.is_empty(), "cut {point}: {lost:?} are lost");
    }
    assert!(torn > points / 20, "most cuts tear something: {torn}");
}
