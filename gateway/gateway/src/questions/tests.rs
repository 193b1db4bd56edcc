use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use rampart_call::{Action, Origin, Outcome, Phase};
use serde_json::Value;

use super::*;
use crate::{Config, Home, Settings, approvals::NotTaken};

const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: deploys
    rules: [{ action: ask, when: { command_matches: ["deploy *"] }, message: A human decides }]
"#;

/// How many races are run, and how many of them at a time.
const RACES: u32 = 10_000;
const AT_A_TIME: u32 = 500;

async fn gateway(dir: &tempfile::TempDir) -> Arc<Gateway> {
    let home = Home::at(dir.path().join("home"));
    home.prepare().unwrap();
    fs::write(home.policies().join("custom.yaml"), POLICY).unwrap();
    let config = Config::default();
    Gateway::open(Settings { home, config, project_policies: true, outside: None }).await.unwrap()
}

fn call(race: u32) -> Call {
    // An agent each, so that nobody's share runs out.
    let origin = Origin { agent: format!("agent {race}"), session: "s".into(), ..Origin::default() };
    let command = rampart_call::CommandLine::Command(format!("deploy {race}"));
    Call { origin, phase: Phase::Before, action: Action::Exec { command, cwd: None }, response: None }
}

fn reply(approve: bool, by: &str) -> Reply {
    let (by, scope) = (by.to_owned(), "once".to_owned());
    Reply { approve, person: Some(by.clone()), by, from: "api", reason: String::new(), payload: None, scope }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_races_have_one_winner_and_one_record_each() {
    // In memory where there is such a place: this is about who wins, and forty thousand times about the disk otherwise.
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let gateway = gateway(&dir).await;
    let approvals = Arc::new(AtomicU32::new(0));
    for round in 0..RACES / AT_A_TIME {
        let races: Vec<_> = (round * AT_A_TIME..(round + 1) * AT_A_TIME)
            .map(|race| {
                let gateway = Arc::clone(&gateway);
                tokio::spawn(async move { gateway.answer(call(race)).await })
            })
            .collect();
        while gateway.pending().len() < AT_A_TIME as usize {
            tokio::task::yield_now().await;
        }
        let answers: Vec<_> = gateway
            .pending()
            .into_iter()
            .map(|question| question.id)
            .map(|id| {
                let answering = |approve, by: &'static str| {
                    let (gateway, id) = (Arc::clone(&gateway), id.clone());
                    tokio::spawn(async move { gateway.resolve(&id, reply(approve, by)).await })
                };
                // Neither has the better place at the start.
                let (yes, no) = (answering(true, "ann"), answering(false, "bob"));
                let approvals = Arc::clone(&approvals);
                async move {
                    match (yes.await.unwrap(), no.await.unwrap()) {
                        (Ok(_), Err(ResolveError::NotTaken(NotTaken::Answered { approved: true, by, .. }))) => {
                            assert_eq!(by, "ann");
                            approvals.fetch_add(1, Ordering::Relaxed);
                        }
                        (Err(ResolveError::NotTaken(NotTaken::Answered { approved: false, by, .. })), Ok(_)) => {
                            assert_eq!(by, "bob");
                        }
                        other => panic!("{other:?}"),
                    }
                }
            })
            .collect();
        for answer in answers {
            answer.await;
        }
        for race in races {
            race.await.unwrap();
        }
    }
    let records = records(&gateway);
    let count = |event: &str| records.iter().filter(|r| r["type"] == "approval" && r["event"] == event).count() as u32;
    let yes = approvals.load(Ordering::Relaxed);
    assert_eq!((count("asked"), count("granted"), count("denied")), (RACES, yes, RACES - yes));
    assert!(yes > 0 && yes < RACES, "{yes}: there was no race");
    gateway.close().await;
}

fn records(gateway: &Gateway) -> Vec<Value> {
    let mut files: Vec<_> = fs::read_dir(gateway.home().audit()).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "jsonl"));
    files.sort();
    let text: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_cannot_be_recorded_lets_nothing_through() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = gateway(&dir).await;
    let asked = {
        let gateway = Arc::clone(&gateway);
        tokio::spawn(async move { gateway.answer(call(0)).await })
    };
    while gateway.pending().is_empty() {
        tokio::task::yield_now().await;
    }
    gateway.close().await;
    let id = gateway.pending()[0].id.clone();
    assert!(matches!(gateway.resolve(&id, reply(true, "ann")).await, Err(ResolveError::Unrecorded(_))));
    assert_eq!(asked.await.unwrap().verdict, Outcome::Deny);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_not_sure_to_count_once_lets_nothing_through() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = gateway(&dir).await;
    let asked = {
        let gateway = Arc::clone(&gateway);
        tokio::spawn(async move { gateway.answer(call(0)).await })
    };
    while gateway.pending().is_empty() {
        tokio::task::yield_now().await;
    }
    let id = gateway.pending()[0].id.clone();
    // Its file cannot be removed: a folder stands in its place.
    let file = gateway.home().state().join("approvals").join(&id).with_extension("json");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(matches!(gateway.resolve(&id, reply(true, "ann")).await, Err(ResolveError::Unclaimed(_))));
    assert_eq!(asked.await.unwrap().verdict, Outcome::Deny);
    gateway.close().await;
}
