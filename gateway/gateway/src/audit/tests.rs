//! The trail as its users see it: what they append is on disk, chained, and survives what happens to it.

mod crash;
pub(super) mod examples;
mod faults;
mod power;
mod redaction;
mod tamper;

use std::{
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use rampart_call::{Action, Call, CommandLine, Judgement, Origin, Outcome, Phase, Reason, Surface};

use super::{verify::Report, *};

/// An audit directory that goes away with the test.
pub(super) struct Home {
    _temp: tempfile::TempDir,
    pub(super) dir: PathBuf,
}

impl Home {
    pub(super) fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("audit");
        Self { _temp: temp, dir }
    }

    pub(super) fn open(&self) -> Trail {
        Trail::open(&self.dir, Settings::default()).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The segments, oldest first.
    pub(super) fn segments(&self) -> Vec<PathBuf> {
        verify::segments(&self.dir).unwrap().into_iter().map(|n| self.path(&segment::file_name(n))).collect()
    }

    /// The directory as a crash at this moment leaves it.
    fn crash(&self) -> Self {
        let crashed = Self::new();
        std::fs::DirBuilder::new().mode(0o700).create(&crashed.dir).unwrap();
        for file in std::fs::read_dir(&self.dir).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), crashed.dir.join(file.file_name())).unwrap();
        }
        crashed
    }

    /// All records of all segments.
    fn lines(&self) -> Vec<String> {
        let read = |p: &PathBuf| String::from_utf8_lossy(&std::fs::read(p).unwrap()).into_owned();
        let texts: Vec<String> = self.segments().iter().map(read).collect();
        let lines = texts.iter().flat_map(|text| text.lines());
        lines.filter(|line| line::Line::parse(line.as_bytes()).is_some()).map(str::to_owned).collect()
    }

    fn types(&self) -> Vec<String> {
        self.lines().iter().map(|line| field(line, "type")).collect()
    }
}

fn field(line: &str, name: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    value[name].as_str().map_or_else(|| value[name].to_string(), str::to_owned)
}

fn verify_dir(dir: &Path) -> Report {
    verify::verify(dir, &verify::Options::default(), |_| {}).unwrap()
}

/// What the program finds, which `docs/verify.py` must agree to.
#[track_caller]
fn agreed(dir: &Path) -> Report {
    let report = verify_dir(dir);
    assert_ne!(tamper::second_opinion(dir), Some(!report.ok), "the script disagrees: {report:#?}");
    report
}

#[track_caller]
fn assert_sound(dir: &Path) -> Report {
    let report = agreed(dir);
    assert!(report.ok, "{report:#?}");
    report
}

fn exec(command: &str) -> Call {
    Call {
        origin: Origin {
            surface: Surface::Hook,
            agent: "claude-code".into(),
            session: "s-1".into(),
            ..Origin::default()
        },
        phase: Phase::Before,
        action: Action::Exec { command: CommandLine::Command(command.into()), cwd: None },
        response: None,
    }
}

async fn decide(trail: &Trail, command: &str, verdict: Outcome) -> Result<u64, Unavailable> {
    let judgement = Judgement { outcome: verdict, ..Judgement::refused(Reason::Rule, "because") };
    let call = exec(command);
    trail.append(Entry::Decision(Decision { call: &call, judgement: &judgement, verdict, mode: "enforce" })).await
}

pub(super) async fn allow(trail: &Trail, command: &str) -> Result<u64, Unavailable> {
    decide(trail, command, Outcome::Allow).await
}

pub(super) async fn deny(trail: &Trail, command: &str) -> Result<u64, Unavailable> {
    decide(trail, command, Outcome::Deny).await
}

#[tokio::test]
async fn what_is_appended_stands_in_the_file_before_the_answer() {
    let home = Home::new();
    let trail = home.open();
    let mut news = trail.subscribe();
    assert_eq!(allow(&trail, "ls").await.unwrap(), 2);
    assert_eq!(home.types(), ["open", "decision"]);
    let line = home.lines().pop().unwrap();
    assert_eq!(*news.recv().await.unwrap().line, *line);
    assert_eq!(field(&line, "verdict"), "allow");
    assert_eq!(trail.health().records, 2);
    trail.close().await;
    assert_eq!(home.types(), ["open", "decision", "close", "checkpoint"]);
    assert!(allow(&trail, "ls").await.is_err());
    assert_sound(&home.dir);
}

#[tokio::test]
async fn every_start_begins_a_segment_that_continues_the_chain() {
    let home = Home::new();
    for _ in 0..3 {
        let trail = home.open();
        deny(&trail, "rm -rf /").await.unwrap();
        trail.close().await;
    }
    let report = assert_sound(&home.dir);
    assert_eq!((report.segments, report.records, report.checkpoints), (3, 12, 3));
    assert_eq!(report.notes, []);
    let keys = std::fs::read_dir(&home.dir).unwrap().filter(|f| {
        f.as_ref().unwrap().file_name().to_str().unwrap().starts_with("audit-")
            && f.as_ref().unwrap().path().extension().is_some_and(|e| e == "key")
    });
    assert_eq!(keys.count(), 1, "only the newest private key is kept");
}

#[tokio::test]
async fn a_full_segment_is_followed_by_another() {
    let home = Home::new();
    let trail = Trail::open(&home.dir, Settings { segment_bytes: 4000, ..Settings::default() }).unwrap();
    for _ in 0..30 {
        allow(&trail, "cargo build").await.unwrap();
    }
    trail.close().await;
    let report = assert_sound(&home.dir);
    assert!(report.segments > 3, "{}", report.segments);
}

#[tokio::test]
async fn retired_segments_are_gone_and_the_rest_still_holds() {
    let home = Home::new();
    for _ in 0..3 {
        let trail = home.open();
        allow(&trail, "ls").await.unwrap();
        trail.close().await;
    }
    let trail = home.open();
    let (now, _) = system_clock();
    let since = |since_ms| Keep { since_ms: Some(since_ms), bytes: None };
    assert_eq!(trail.retire(Keep::default()).await.unwrap(), 0);
    assert_eq!(trail.retire(since(now - 3_600_000)).await.unwrap(), 0);
    assert_eq!(trail.retire(since(now + 3_600_000)).await.unwrap(), 3);
    assert_eq!(trail.retire(since(now + 3_600_000)).await.unwrap(), 0);
    trail.close().await;
    home.open().close().await;
    assert_eq!(home.segments().len(), 2);
    let report = assert_sound(&home.dir);
    assert_eq!((report.first, report.notes[0].what), (13, verify::What::Retired));
}

#[tokio::test]
async fn a_crash_while_segments_are_removed_leaves_a_trail_that_holds() {
    let home = Home::new();
    for _ in 0..4 {
        let trail = home.open();
        allow(&trail, "ls").await.unwrap();
        trail.close().await;
    }
    let trail = home.open();
    let all: Vec<_> = home.segments().into_iter().map(|path| (std::fs::read(&path).unwrap(), path)).collect();
    let (now, _) = system_clock();
    assert_eq!(trail.retire(Keep { since_ms: Some(now + 3_600_000), bytes: None }).await.unwrap(), 4);
    trail.close().await;
    for (content, path) in all[1..4].iter().rev() {
        std::fs::write(path, content).unwrap();
        let report = assert_sound(&home.dir);
        assert_eq!(report.notes[0].what, verify::What::Retired, "{report:#?}");
    }
    std::fs::write(&all[0].1, &all[0].0).unwrap();
    assert_eq!(assert_sound(&home.dir).notes, []);
}

#[tokio::test]
async fn no_more_is_kept_than_there_is_room_for() {
    let home = Home::new();
    for _ in 0..4 {
        let trail = home.open();
        allow(&trail, "ls").await.unwrap();
        trail.close().await;
    }
    let trail = home.open();
    let size = |path: &PathBuf| std::fs::metadata(path).unwrap().len();
    let sizes: Vec<u64> = home.segments().iter().map(size).collect();
    let keep = |bytes| Keep { since_ms: None, bytes: Some(bytes) };
    assert_eq!(trail.retire(keep(sizes.iter().sum())).await.unwrap(), 0);
    assert_eq!(trail.retire(keep(sizes[2..].iter().sum())).await.unwrap(), 2);
    assert_eq!(trail.retire(keep(0)).await.unwrap(), 2, "never the one that is being written");
    trail.close().await;
    assert_eq!(home.segments().len(), 1);
    assert_sound(&home.dir);
}

#[tokio::test]
async fn a_segment_that_is_old_enough_is_followed_by_another() {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    static BOOT: AtomicU64 = AtomicU64::new(1_000);
    fn clock() -> (u64, u64) {
        (1_800_000_000_000 + BOOT.load(SeqCst), BOOT.load(SeqCst))
    }
    let home = Home::new();
    let settings = Settings { segment_ms: Some(60_000), clock, ..Settings::default() };
    let trail = Trail::open(&home.dir, settings).unwrap();
    for (boot, segments) in [(30_000, 1), (60_000, 1), (61_001, 2), (61_002, 2), (200_000, 3)] {
        BOOT.store(boot, SeqCst);
        allow(&trail, "ls").await.unwrap();
        deny(&trail, "ls").await.unwrap();
        assert_eq!(home.segments().len(), segments, "at {boot}");
    }
    trail.close().await;
    assert_sound(&home.dir);
}

#[tokio::test]
async fn many_callers_share_one_chain() {
    let home = Home::new();
    let trail = home.open();
    let tasks: Vec<_> = (0..64)
        .map(|n| {
            let trail = trail.clone();
            tokio::spawn(async move { deny(&trail, &format!("echo {n}")).await.unwrap() })
        })
        .collect();
    let mut seqs = Vec::new();
    for task in tasks {
        seqs.push(task.await.unwrap());
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (2..66).collect::<Vec<_>>());
    assert_sound(&home.dir);
}

#[tokio::test]
async fn every_kind_of_entry_has_its_record() {
    let home = Home::new();
    let trail = home.open();
    let change = Change { event: "loaded", subject: "standard.yaml", ruleset: "ab", ..Change::default() };
    let approval = Approval { id: "q1", event: "granted", decision: 2, by: "alice", ..Approval::default() };
    for entry in [Entry::Policy(change), Entry::Config(change), Entry::Auth(change), Entry::Approval(approval)] {
        trail.append(entry).await.unwrap();
    }
    let mut after = exec("cat notes");
    after.phase = Phase::After;
    after.response = Some(rampart_call::Response { text: "the notes".into(), ..Default::default() });
    let judgement = Judgement::allowed(Reason::Default);
    let result = Decision { call: &after, judgement: &judgement, verdict: Outcome::Allow, mode: "monitor" };
    trail.append(Entry::Decision(result)).await.unwrap();
    assert_eq!(home.types(), ["open", "policy", "config", "auth", "approval", "result"]);
    let result = home.lines().pop().unwrap();
    assert!(result.contains(r#""bytes":9"#) && !result.contains("the notes"), "{result}");
}

#[test]
fn each_unsafe_directory_or_file_is_refused_in_its_own_words() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let chmod = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    type Spoil = fn(&Home);
    let spoilers: [(&str, Spoil, &str); 7] = [
        (
            "mode",
            |h| std::fs::set_permissions(&h.dir, std::fs::Permissions::from_mode(0o777)).unwrap(),
            "has mode 0777",
        ),
        (
            "linked directory",
            |h| {
                std::fs::rename(&h.dir, h.dir.with_extension("real")).unwrap();
                symlink(h.dir.with_extension("real"), &h.dir).unwrap();
            },
            "audit is a symbolic link",
        ),
        (
            "file for a directory",
            |h| {
                std::fs::remove_dir_all(&h.dir).unwrap();
                std::fs::write(&h.dir, "x").unwrap();
            },
            "is not a directory",
        ),
        (
            "linked segment",
            |h| {
                std::fs::remove_file(&h.segments()[0]).unwrap();
                symlink("/etc/passwd", h.path("audit-0000000000000001.jsonl")).unwrap();
            },
            "jsonl is a symbolic link",
        ),
        ("hard link", |h| std::fs::hard_link(&h.segments()[0], h.path("other")).unwrap(), "has 2 names"),
        (
            "segment mode",
            |h| std::fs::set_permissions(&h.segments()[0], std::fs::Permissions::from_mode(0o644)).unwrap(),
            "jsonl has mode 0644",
        ),
        (
            "fifo",
            |h| {
                std::fs::remove_file(&h.segments()[0]).unwrap();
                rustix::fs::mknodat(
                    rustix::fs::CWD,
                    h.path("audit-0000000000000001.jsonl"),
                    rustix::fs::FileType::Fifo,
                    rustix::fs::Mode::from_raw_mode(0o600),
                    0,
                )
                .unwrap();
            },
            "is not a regular file",
        ),
    ];
    for (name, spoil, expected) in spoilers {
        let running = Home::new();
        let _trail = running.open();
        let home = running.crash();
        spoil(&home);
        let error = Trail::open(&home.dir, Settings::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
        if home.dir.is_dir() {
            chmod(&home.dir, 0o700);
        }
    }
}
