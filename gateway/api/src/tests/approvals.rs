use std::sync::atomic::{AtomicUsize, Ordering};

use rampart_call::{Gate, Reason, Verdict};
use rampart_client::{Fault, wire::Resolve};

use super::*;

fn reply(approve: bool) -> Resolve {
    Resolve { approve, reason: "because".into(), payload: None, scope: None }
}

/// A held question, and the task that waits for its answer.
async fn asked(world: &World, command: &'static str) -> (String, JoinHandle<Verdict>) {
    let before = world.gateway.pending().len();
    let client = world.client();
    let waiting = tokio::spawn(async move { client.judge(read(command)).await });
    until("the question waits", || world.gateway.pending().len() > before).await;
    let newest = world.gateway.pending().into_iter().find(|q| q.call.action.subject() == command).unwrap();
    (newest.id, waiting)
}

fn steps(world: &World) -> Vec<String> {
    let records = world.records();
    let approvals = records.iter().filter(|r| r["type"] == "approval");
    approvals.map(|r| r["event"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_held_until_a_human_answers_it() {
    let world = World::new().await;
    for (command, approve) in [("/deploy/one", true), ("/deploy/two", false)] {
        let (id, waiting) = asked(&world, command).await;
        let pending = world.blocking(|client| client.pending().unwrap()).await.remove(0);
        assert_eq!((pending.id.as_str(), pending.subject.as_str()), (id.as_str(), command));
        assert!((1..=120_000).contains(&pending.expires_in_ms));
        let prefix = id[..6].to_owned();
        let resolved = world.blocking(move |client| client.resolve(&prefix, &reply(approve)).unwrap()).await;
        assert_eq!((resolved.id, resolved.approved), (id.clone(), approve));
        match waiting.await.unwrap() {
            Verdict::Allow(permit) => {
                assert!(approve);
                assert_eq!(permit.judgement().reason, Reason::ApprovalGranted);
            }
            Verdict::Deny(refusal) => {
                assert!(!approve);
                assert_eq!(refusal.judgement.reason, Reason::ApprovalDenied);
                assert!(refusal.judgement.message.contains("because"), "{}", refusal.judgement.message);
            }
            Verdict::Ask(_) => panic!("asked back"),
        }
        let late = world.blocking(move |client| client.resolve(&id, &reply(true)).unwrap_err()).await;
        assert!(matches!(late, Fault::Refused { status: 409, .. }), "{late}");
    }
    assert_eq!(steps(&world), ["asked", "granted", "asked", "denied"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_can_ask_is_handed_the_question() {
    let world = World::new().await;
    let mut call = read("/deploy/now");
    call.origin.can_ask = true;
    let Verdict::Ask(question) = world.client().judge(call).await else { panic!("not asked") };
    assert_eq!(question.judgement.message, "A human decides that");
    assert!(world.gateway.pending().is_empty());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_nobody_answers_expires_as_a_refusal() {
    let world = World::with(Config { approval_timeout: Duration::from_millis(700), ..Config::default() }).await;
    let (id, waiting) = asked(&world, "/deploy/now").await;
    let Verdict::Deny(refusal) = waiting.await.unwrap() else { panic!("let through") };
    assert_eq!(refusal.judgement.reason, Reason::ApprovalExpired);
    let late = world.blocking(move |client| client.resolve(&id, &reply(true)).unwrap_err()).await;
    assert!(matches!(late, Fault::Refused { status: 410, .. }), "{late}");
    assert_eq!(steps(&world), ["asked", "expired"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_withdrawn_when_whoever_asked_goes_away() {
    let world = World::new().await;
    let (id, waiting) = asked(&world, "/deploy/now").await;
    waiting.abort();
    until("it is withdrawn", || world.gateway.pending().is_empty()).await;
    let late = world.blocking(move |client| client.resolve(&id, &reply(true)).unwrap_err()).await;
    assert!(matches!(late, Fault::Refused { status: 410, .. }), "{late}");
    until("that is recorded", || steps(&world).last().is_some_and(|step| step == "cancelled")).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_answers_at_once_one_wins() {
    let world = World::new().await;
    for _ in 0..10 {
        let (id, waiting) = asked(&world, "/deploy/now").await;
        let wins = Arc::new(AtomicUsize::new(0));
        let answers: Vec<_> = (0..32)
            .map(|n| {
                let (gateway, id, wins) = (Arc::clone(&world.gateway), id.clone(), Arc::clone(&wins));
                tokio::spawn(async move {
                    let reply = rampart_gateway::Reply {
                        approve: n % 2 == 0,
                        by: format!("human {n}"),
                        person: None,
                        from: "cli",
                        reason: String::new(),
                        payload: None,
                        scope: "once".into(),
                    };
                    if gateway.resolve(&id, reply).await.is_ok() {
                        wins.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for answer in answers {
            answer.await.unwrap();
        }
        assert_eq!(wins.load(Ordering::SeqCst), 1);
        waiting.await.unwrap();
    }
    assert_eq!(steps(&world).len(), 20, "asked and answered, once each");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_bound_to_what_was_shown() {
    let world = World::new().await;
    let (id, waiting) = asked(&world, "/deploy/now").await;
    let other = Resolve { payload: Some("0".repeat(64)), ..reply(true) };
    let body = serde_json::to_string(&other).unwrap();
    let path = format!("/v1/approvals/{id}/resolve");
    let (status, answer) = world.request(Peer::Tcp, world.good("POST", &path, &body)).await;
    assert_eq!((status.as_u16(), answer["error"]["code"].as_str()), (409, Some("other_payload")));
    let (_, shown) = world.request(Peer::Tcp, world.good("GET", &format!("/v1/approvals/{id}"), "")).await;
    let same = Resolve { payload: shown["payload"].as_str().map(str::to_owned), ..reply(true) };
    let body = serde_json::to_string(&same).unwrap();
    assert_eq!(world.request(Peer::Tcp, world.good("POST", &path, &body)).await.0, 200);
    assert!(matches!(waiting.await.unwrap(), Verdict::Allow(_)));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_questions_is_refused_and_others_are_not_affected() {
    let world = World::new().await;
    let client = world.client();
    let flood: Vec<_> = (0..32)
        .map(|_| {
            let client = Arc::clone(&client);
            tokio::spawn(async move { client.judge(read("/deploy/flood")).await })
        })
        .collect();
    until("all wait", || world.gateway.pending().len() == 32).await;
    let Verdict::Deny(refusal) = client.judge(read("/deploy/more")).await else { panic!("let through") };
    assert_eq!(refusal.judgement.reason, Reason::TooManyPending);
    assert!(matches!(client.judge(read("/tmp/x")).await, Verdict::Allow(_)), "other calls pass meanwhile");
    for waiting in flood {
        waiting.abort();
    }
    until("all are withdrawn", || world.gateway.pending().is_empty()).await;
    world.end().await;
}
