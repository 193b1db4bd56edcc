//! Every way of changing a trail is found, at the place where it was done, by the program and by `docs/verify.py`.

use std::{fs, process::Command};

use super::*;
use crate::audit::verify::{Options, What, verify};

/// A trail of three segments, with a decision of every outcome in each.
async fn trail() -> Home {
    let home = Home::new();
    for _ in 0..3 {
        let trail = home.open();
        allow(&trail, "ls").await.unwrap();
        deny(&trail, "rm -rf /").await.unwrap();
        decide(&trail, "git push", Outcome::Ask).await.unwrap();
        trail.close().await;
    }
    home
}

/// What `docs/verify.py` says; none where there is no Python.
pub(super) fn second_opinion(dir: &Path) -> Option<bool> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/verify.py");
    match Command::new("python3").arg(script).arg(dir).output() {
        Ok(output) => {
            let code = output.status.code();
            assert!(matches!(code, Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
            assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(code == Some(0))
        }
        Err(e) => {
            assert!(option_env!("CI").is_none(), "python3 is needed to check docs/verify.py: {e}");
            println!("skipped: python3 is missing, so docs/verify.py is not checked");
            None
        }
    }
}

fn edit_lines(path: &Path, edit: impl Fn(&mut Vec<String>)) {
    let mut lines: Vec<String> = fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
    edit(&mut lines);
    fs::write(path, lines.join("\n") + "\n").unwrap();
}

/// Recomputes the chain of a segment from its second line on, as somebody would who knows how it is made.
fn rechain(path: &Path) {
    edit_lines(path, |lines| {
        let mut head = line::Line::parse(lines[0].as_bytes()).unwrap().hash;
        for line in &mut lines[1..] {
            let mut bytes = line.as_bytes()[..line.len() - 72].to_vec();
            head = chain::seal(&mut bytes, 0, &head);
            *line = String::from_utf8(bytes).unwrap().trim_end().to_owned();
        }
    });
}

type Tampering = fn(&[PathBuf]);

/// Name, what is done to the segments, whether `docs/verify.py` can see it too, and the place and kind of the first
/// problem.
const TAMPERINGS: [(&str, Tampering, bool, usize, u64, What); 19] = [
    ("an edit", |s| edit_lines(&s[1], |l| l[2] = l[2].replace("rm -rf /", "ls -la /")), true, 1, 3, What::Edited),
    (
        "an edited first record",
        |s| edit_lines(&s[1], |l| l[0] = l[0].replace("rampart 0", "rampart 9")),
        true,
        1,
        1,
        What::Edited,
    ),
    (
        "an edited hash",
        |s| edit_lines(&s[0], |l| l[1] = l[1].replace(r#""h":""#, r#""h":"0"#)),
        true,
        0,
        2,
        What::Edited,
    ),
    ("a line that is no record", |s| edit_lines(&s[0], |l| l[1] = "{}".into()), true, 0, 2, What::Edited),
    ("a deleted line", |s| edit_lines(&s[1], |l| drop(l.remove(2))), true, 1, 3, What::Missing),
    ("two deleted lines", |s| edit_lines(&s[1], |l| drop(l.drain(1..3))), true, 1, 2, What::Missing),
    ("a deleted first line", |s| edit_lines(&s[1], |l| drop(l.remove(0))), true, 1, 1, What::Misplaced),
    ("two lines swapped", |s| edit_lines(&s[1], |l| l.swap(2, 3)), true, 1, 3, What::Missing),
    ("a line doubled", |s| edit_lines(&s[1], |l| l.insert(2, l[1].clone())), true, 1, 3, What::Misplaced),
    ("an inserted line", |s| edit_lines(&s[1], |l| l.insert(1, l[1].replace("ls", "pwd"))), true, 1, 2, What::Edited),
    ("an empty line", |s| edit_lines(&s[1], |l| l.insert(1, String::new())), true, 1, 2, What::Edited),
    ("the end cut off", |s| edit_lines(&s[2], |l| l.truncate(3)), false, 2, 0, What::Truncated),
    ("the end of an earlier segment cut off", |s| edit_lines(&s[1], |l| l.truncate(3)), true, 2, 1, What::Missing),
    ("a missing segment", |s| fs::remove_file(&s[1]).unwrap(), true, 2, 1, What::Missing),
    ("a missing first segment", |s| fs::remove_file(&s[0]).unwrap(), true, 1, 1, What::Missing),
    (
        "two segments swapped",
        |s| {
            let (a, b) = (fs::read(&s[0]).unwrap(), fs::read(&s[1]).unwrap());
            fs::write(&s[0], b).unwrap();
            fs::write(&s[1], a).unwrap();
        },
        true,
        0,
        1,
        What::Misplaced,
    ),
    ("an emptied segment", |s| fs::write(&s[1], "").unwrap(), true, 1, 0, What::Missing),
    ("an emptied last segment", |s| fs::write(&s[2], "").unwrap(), true, 2, 0, What::Missing),
    (
        "a changed end of the last line",
        |s| {
            let mut text = fs::read(&s[2]).unwrap();
            *text.last_mut().unwrap() = b' ';
            fs::write(&s[2], text).unwrap();
        },
        true,
        2,
        6,
        What::Edited,
    ),
];

#[tokio::test]
async fn every_tampering_is_found_where_it_was_done() {
    let home = trail().await;
    assert_sound(&home.dir);
    for (name, tamper, python_sees, segment, line, what) in TAMPERINGS {
        let victim = home.crash();
        let segments = victim.segments();
        tamper(&segments);
        let report = verify_dir(&victim.dir);
        let first = report.problems.first().unwrap_or_else(|| panic!("{name} is not found"));
        assert_eq!((first.what, first.line), (what, line), "{name}: {report:#?}");
        assert_eq!(*first.file, *segments[segment].file_name().unwrap().to_str().unwrap(), "{name}: {report:#?}");
        assert!(!first.message.is_empty() && !first.remedy.is_empty());
        if let Some(sound) = second_opinion(&victim.dir) {
            assert_eq!(sound, !python_sees, "docs/verify.py on {name}");
        }
    }
}

#[tokio::test]
async fn a_rewritten_chain_is_betrayed_by_its_signatures() {
    let home = trail().await;
    let segments = home.segments();
    edit_lines(&segments[1], |l| l[2] = l[2].replace("rm -rf /", "ls -la /"));
    rechain(&segments[1]);
    let report = verify_dir(&home.dir);
    assert!(report.problems.iter().all(|p| p.what == What::Rewritten), "{report:#?}");
    assert_eq!(report.problems[0].line, 6, "the checkpoint: {report:#?}");
}

#[tokio::test]
async fn a_trail_made_anew_is_betrayed_by_a_witness() {
    let (home, forged) = (trail().await, trail().await);
    let witness: Checkpoint = serde_json::from_slice(&fs::read(home.path("checkpoint")).unwrap()).unwrap();
    let options = Options { witnesses: vec![witness.clone()], expect_head: None };
    assert!(verify(&home.dir, &options, |_| {}).unwrap().ok);
    let report = verify(&forged.dir, &options, |_| {}).unwrap();
    assert_eq!(report.problems[0].what, What::Rewritten, "{report:#?}");
    assert!(report.problems[0].message.contains("the witness"));

    let size = verify_dir(&home.dir).records;
    let head = verify_dir(&home.dir).head;
    let expect = |head: &str| Options { expect_head: Some(head.into()), ..Options::default() };
    assert!(verify(&home.dir, &expect(&head), |_| {}).unwrap().ok);
    assert!(!verify(&home.dir, &expect(&"0".repeat(64)), |_| {}).unwrap().ok);

    // the end and the checkpoint file are gone; only what was kept elsewhere tells
    edit_lines(&home.segments()[2], |l| l.truncate(2));
    fs::remove_file(home.path("checkpoint")).unwrap();
    assert!(verify_dir(&home.dir).ok);
    let report = verify(&home.dir, &options, |_| {}).unwrap();
    assert_eq!(report.problems[0].what, What::Truncated, "{report:#?}");
    assert!(report.problems[0].message.contains(&format!("saw {} records", size - 1)), "{report:#?}");

    let forged = Options { witnesses: vec![Checkpoint { size: 1, ..witness }], expect_head: None };
    assert!(!verify(&home.dir, &forged, |_| {}).unwrap().ok, "a witness that nobody signed is no witness");
}

#[tokio::test]
async fn every_changed_byte_is_found_at_its_record() {
    let home = Home::new();
    for _ in 0..2 {
        let trail = home.open();
        deny(&trail, "x").await.unwrap();
        trail.close().await;
    }
    for path in home.segments() {
        let sound = fs::read(&path).unwrap();
        let mut line = 1;
        for at in 0..sound.len() {
            let mut bad = sound.clone();
            // a change of case, of one bit, or to what is no text
            bad[at] ^= [0x20, 0x01, 0x80][at % 3];
            fs::write(&path, &bad).unwrap();
            let report = verify_dir(&home.dir);
            let first = report.problems.first();
            let first = first.unwrap_or_else(|| panic!("byte {at} of {} is not found", path.display()));
            assert!(path.ends_with(&first.file), "{report:#?}");
            assert_eq!(first.line, line, "byte {at}: {report:#?}");
            line += u64::from(sound[at] == b'\n');
        }
        fs::write(&path, &sound).unwrap();
    }
}

#[tokio::test]
async fn docs_verify_py_finds_every_changed_byte_too() {
    let home = Home::new();
    let trail = home.open();
    deny(&trail, "x").await.unwrap();
    trail.close().await;
    home.open().close().await;
    let path = &home.segments()[0];
    let sound = fs::read(path).unwrap();
    // a process for each is slow, so a sample that hits every field
    for at in (0..sound.len()).step_by(29).chain([sound.len() - 1]) {
        let mut bad = sound.clone();
        bad[at] ^= 1;
        fs::write(path, &bad).unwrap();
        assert_ne!(second_opinion(&home.dir), Some(true), "byte {at}");
    }
}
