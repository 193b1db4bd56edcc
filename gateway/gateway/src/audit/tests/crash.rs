//! After a crash the trail goes on, says what happened, and has what it answered for.

use std::{fs, io::Write as _};

use super::*;
use crate::audit::verify::What;

#[tokio::test]
async fn a_trail_cut_anywhere_goes_on_and_keeps_whole_records() {
    let home = Home::new();
    let trail = home.open();
    for n in 0..4 {
        deny(&trail, &format!("echo {n}")).await.unwrap();
    }
    let whole = fs::read(&home.segments()[0]).unwrap();
    let first_line = whole.iter().position(|&b| b == b'\n').unwrap() + 1;
    for end in (first_line..=whole.len()).step_by(97).chain([whole.len()]) {
        let crashed = home.crash();
        let copy = &crashed.segments()[0];
        fs::write(copy, &whole[..end]).unwrap();
        let _ = fs::remove_file(crashed.path("checkpoint"));
        let records = whole[..end].split(|&b| b == b'\n').count() - 1;
        let torn = whole[..end].last() != Some(&b'\n');
        if torn {
            assert_eq!(agreed(&crashed.dir).notes[0].what, What::Torn, "before the next start, at {end}");
        }
        let trail = crashed.open();
        deny(&trail, "after").await.unwrap();
        trail.close().await;
        let report = assert_sound(&crashed.dir);
        assert_eq!(crashed.types().iter().filter(|t| *t == "recover").count(), usize::from(torn));
        assert_eq!(report.records as usize, records + 4 + usize::from(torn));
        assert_eq!(fs::read(copy).unwrap(), &whole[..end], "the torn tail stays");
        if torn {
            let mut changed = whole[..end].to_vec();
            *changed.last_mut().unwrap() ^= 1;
            fs::write(copy, changed).unwrap();
            assert!(!agreed(&crashed.dir).ok, "a torn tail that was changed, cut at {end}");
        }
    }
}

#[tokio::test]
async fn what_a_power_cut_leaves_at_the_end_is_recorded_as_torn() {
    type Damage = fn(&mut Vec<u8>);
    let tails: [(&str, Damage); 4] = [
        ("zeros", |f| f.extend_from_slice(&[0; 4096])),
        ("zeros over the last record", |f| {
            let at = f.len() - 100;
            f[at..].fill(0);
        }),
        ("a page that was written before the one in front of it", |f| {
            let at = f.len() - 1500;
            f[at..at + 700].fill(0);
        }),
        ("lines of another file", |f| f.extend_from_slice(b"Nov 23 kernel: hello\nNov 23 kernel: world\n")),
    ];
    for (name, damage) in tails {
        let running = Home::new();
        let trail = running.open();
        for n in 0..8 {
            allow(&trail, &format!("echo {n}")).await.unwrap();
        }
        let home = running.crash();
        let _ = fs::remove_file(home.path("checkpoint"));
        let path = &home.segments()[0];
        let mut file = fs::read(path).unwrap();
        damage(&mut file);
        fs::write(path, &file).unwrap();
        let trail = home.open();
        allow(&trail, "after").await.unwrap();
        trail.close().await;
        let report = assert_sound(&home.dir);
        assert_eq!(report.notes.iter().filter(|n| n.what == What::Torn).count(), 1, "{name}: {report:#?}");
        assert_eq!(fs::read(path).unwrap(), file, "{name}");
    }
}

#[tokio::test]
async fn records_behind_the_checkpoint_that_are_gone_at_the_start_are_reported_for_good() {
    let home = Home::new();
    let trail = home.open();
    deny(&trail, "x").await.unwrap();
    trail.close().await;
    let path = &home.segments()[0];
    let whole = fs::read_to_string(path).unwrap();
    fs::write(path, whole.lines().next().unwrap().to_owned() + "\n").unwrap();
    let trail = home.open();
    trail.close().await;
    assert_eq!(home.types(), ["open", "open", "lost", "close", "checkpoint"]);
    let report = agreed(&home.dir);
    assert_eq!(report.problems[0].what, What::Lost, "{report:#?}");
}

#[tokio::test]
async fn a_crash_at_any_step_of_a_new_segment_is_mended_by_the_next_start() {
    type Leave = fn(&Home);
    let leftovers: [(&str, Leave); 4] = [
        ("a half-made segment", |h| fs::write(h.path("audit-0000000000000005.jsonl.new"), "{\"v\"").unwrap()),
        ("the key of a segment that was never made", |h| {
            fs::write(h.path("audit-0000000000000005.key"), [1; 32]).unwrap();
        }),
        ("a half-made checkpoint", |h| fs::write(h.path("checkpoint.new"), "{").unwrap()),
        ("an old key that was not wiped", |h| fs::write(h.path("audit-0000000000000000.key"), [1; 32]).unwrap()),
    ];
    for (name, leave) in leftovers {
        let home = Home::new();
        let trail = home.open();
        deny(&trail, "x").await.unwrap();
        trail.close().await;
        leave(&home);
        for file in fs::read_dir(&home.dir).unwrap() {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(file.unwrap().path(), fs::Permissions::from_mode(0o600)).unwrap();
        }
        let trail = home.open();
        deny(&trail, "y").await.unwrap();
        trail.close().await;
        assert_sound(&home.dir);
        let left = fs::read_dir(&home.dir).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap());
        let left: Vec<_> = left.filter(|f| f.contains(".new") || f.contains("0.key")).collect();
        assert!(left.is_empty(), "{name}: {left:?}");
    }
}

#[tokio::test]
async fn a_segment_whose_first_record_does_not_hold_is_set_aside() {
    let home = Home::new();
    for _ in 0..2 {
        let trail = home.open();
        trail.close().await;
    }
    let path = &home.segments()[1];
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all(b"garbage").unwrap();
    let trail = home.open();
    deny(&trail, "x").await.unwrap();
    assert!(home.types().contains(&"recover".into()));
    assert!(!verify_dir(&home.dir).ok, "the checkpoint file remembers");
}
