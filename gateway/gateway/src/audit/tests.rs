//! The trail as its users see it: what they append is on disk, chained, and survives what happens to it.

use rampart_call::{Action, Call, CommandLine, Judgement, Origin, Outcome, Phase, Reason, Surface};

use super::*;

fn call(command: &str) -> Call {
    Call {
        origin: Origin { surface: Surface::Hook, agent: "claude-code".into(), session: "s-1".into(), ..Origin::default() },
        phase: Phase::Before,
        action: Action::Exec { command: CommandLine::Command(command.into()), cwd: None },
        response: None,
    }
}

#[tokio::test]
async fn what_is_appended_stands_in_the_file() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("audit");
    let trail = Trail::open(&dir, Settings::default()).unwrap();
    let (call, judgement) = (call("ls"), Judgement::allowed(Reason::Default));
    let entry = Entry::Decision(Decision { call: &call, judgement: &judgement, verdict: Outcome::Allow, mode: "enforce" });
    let mut lines = trail.subscribe();
    assert_eq!(trail.append(entry).await.unwrap(), 2);
    assert_eq!(lines.recv().await.unwrap().seq, 2);
    trail.close().await;
    let text = std::fs::read_to_string(dir.join("audit-0000000000000001.jsonl")).unwrap();
    println!("{text}");
    assert_eq!(text.lines().count(), 4);
    let trail = Trail::open(&dir, Settings::default()).unwrap();
    assert_eq!(trail.append(entry).await.unwrap(), 6);
    for f in std::fs::read_dir(&dir).unwrap() { println!("{:?}", f.unwrap()); }
}
