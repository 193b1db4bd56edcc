use rampart_call::{Action, Call, Judgement, Origin, Phase, Reason};

use super::*;

fn ask(queue: &mut Queue, question: Question) -> Result<(), TooMany> {
    queue.ask(question, 1).map(|_| ())
}

fn question(id: &str, agent: &str) -> Question {
    let origin = Origin { agent: agent.into(), ..Origin::default() };
    let action = Action::Tool { name: "deploy".into(), input: serde_json::Value::Null };
    Question {
        id: id.into(),
        payload: format!("hash of {id}"),
        call: Call { origin, phase: Phase::Before, action, response: None },
        judgement: Judgement::refused(Reason::Rule, "needs a human"),
        decision: 1,
        asked_ms: 5,
        expires_ms: 100,
        expires_boot_ms: 100,
        approvals: 1,
        agreed: Vec::new(),
    }
}

/// An answer that ends a question.
fn end(queue: &mut Queue, prefix: &str, reply: Reply, now: u64) -> Ended {
    match queue.answer(prefix, reply, now).unwrap() {
        Taken::Ended(ended) => ended,
        Taken::Agreed(question) => panic!("{} more must agree", question.missing()),
    }
}

fn yes(by: &str) -> Reply {
    let (by, person, scope) = (by.to_owned(), Some(by.to_owned()), "once".to_owned());
    Reply { approve: true, by, person, from: "cli", reason: String::new(), payload: None, scope }
}

#[test]
fn the_first_answer_wins_and_the_next_learns_who_won() {
    let mut queue = Queue::default();
    ask(&mut queue, question("abc123", "a")).unwrap();
    let ended = end(&mut queue, "ab", yes("ann"), 99);
    assert_eq!(ended.ending, Ending::Answered(yes("ann")));
    let late = queue.answer("abc123", Reply { approve: false, ..yes("bob") }, 99).unwrap_err();
    assert_eq!(late.to_string(), "abc123 was approved by ann already");
    assert!(queue.waiting(1).is_empty());
}

#[test]
fn an_answer_at_the_moment_of_expiry_is_too_late() {
    let mut queue = Queue::default();
    ask(&mut queue, question("abc123", "a")).unwrap();
    assert_eq!(queue.answer("abc", yes("ann"), 100).unwrap_err(), NotTaken::Expired("abc123".into()));
    assert!(queue.tick(99).is_empty());
    assert_eq!(queue.tick(100).len(), 1);
    assert!(queue.tick(101).is_empty(), "expires once");
    assert_eq!(queue.answer("abc", yes("ann"), 1).unwrap_err(), NotTaken::Expired("abc123".into()));
}

#[test]
fn an_id_is_known_by_any_unique_beginning() {
    let mut queue = Queue::default();
    ask(&mut queue, question("abc123", "a")).unwrap();
    ask(&mut queue, question("abd456", "a")).unwrap();
    assert_eq!(queue.find("abc").unwrap().id, "abc123");
    assert!(matches!(queue.find("ab"), Err(NotTaken::Ambiguous { ids, .. }) if ids.len() == 2));
    assert!(matches!(queue.find("x"), Err(NotTaken::Unknown(_))));
    assert!(matches!(queue.find(""), Err(NotTaken::Unknown(_))));
    queue.withdraw("abc123").unwrap();
    assert!(matches!(queue.find("abc"), Err(NotTaken::Withdrawn(_))));
    assert_eq!(queue.find("ab").unwrap().id, "abd456");
}

#[test]
fn an_answer_to_something_else_is_not_taken() {
    let mut queue = Queue::default();
    ask(&mut queue, question("abc123", "a")).unwrap();
    let other = Reply { payload: Some("hash of another".into()), ..yes("ann") };
    assert_eq!(queue.answer("abc", other, 1).unwrap_err(), NotTaken::OtherPayload("abc123".into()));
    let same = Reply { payload: Some("hash of abc123".into()), ..yes("ann") };
    queue.answer("abc", same, 1).unwrap();
}

#[test]
fn a_question_that_is_not_on_record_is_not_seen() {
    let mut queue = Queue::default();
    ask(&mut queue, Question { decision: 0, ..question("abc123", "a") }).unwrap();
    assert!(queue.waiting(1).is_empty());
    assert_eq!(queue.count(1), 0, "what is counted is what is listed");
    assert!(matches!(queue.answer("abc", yes("ann"), 1), Err(NotTaken::Unknown(_))));
    queue.publish("abc123", 7);
    assert_eq!(queue.count(1), 1);
    assert_eq!(end(&mut queue, "abc", yes("ann"), 1).question.decision, 7);
}

#[test]
fn an_agent_that_floods_fills_only_its_own_share() {
    let mut queue = Queue::default();
    for n in 0..PER_AGENT {
        ask(&mut queue, question(&format!("{n:012x}"), "flood")).unwrap();
    }
    assert_eq!(ask(&mut queue, question("f00000000000", "flood")), Err(TooMany));
    ask(&mut queue, question("f00000000001", "other")).unwrap();
    queue.withdraw("000000000000").unwrap();
    ask(&mut queue, question("f00000000002", "flood")).unwrap();
}

#[test]
fn whoever_comes_back_after_a_restart_finds_the_same_question() {
    let mut queue = Queue::default();
    queue.restore(question("abc123", "a"), None);
    assert!(queue.any_alone());
    assert_eq!(queue.find("abc").unwrap().id, "abc123");
    let again = Question { id: "new000".into(), payload: "hash of abc123".into(), ..question("new000", "a") };
    assert!(matches!(queue.ask(again.clone(), 1), Ok(Asked::Again(q)) if q.id == "abc123" && q.expires_boot_ms == 100));
    assert!(!queue.any_alone());
    // The very same call at the same time is a question of its own.
    assert!(matches!(queue.ask(again, 1), Ok(Asked::New(_))));
    let ended = end(&mut queue, "abc", yes("ann"), 99);
    assert!(!queue.settle(&ended, true), "somebody waits for it");
}

#[test]
fn an_answer_waits_for_one_call_the_very_same() {
    let mut queue = Queue::default();
    queue.restore(question("abc123", "a"), None);
    let ended = end(&mut queue, "abc", yes("ann"), 99);
    let same = || Question { payload: "hash of abc123".into(), ..question("new000", "a") };
    // Until it is on record it counts for nothing, and whoever comes back waits for that.
    assert!(matches!(queue.ask(same(), 1), Ok(Asked::Again(q)) if q.id == "abc123"));
    assert!(matches!(queue.ask(same(), 1), Ok(Asked::New(_))), "but only one");
    queue.withdraw("new000");
    // That one has gone away again.
    assert!(queue.settle(&ended, false));
    assert_eq!(queue.answer("abc", yes("bob"), 99).unwrap_err().to_string(), "abc123 was approved by ann already");
    assert!(matches!(queue.ask(question("def456", "a"), 1), Ok(Asked::New(_))), "another call");
    assert!(matches!(queue.ask(same(), 1), Ok(Asked::Answered(_, reply)) if reply == yes("ann")));
    assert!(matches!(queue.ask(same(), 1), Ok(Asked::New(_))), "once is once");
}

#[test]
fn an_answer_that_nobody_fetches_expires_with_its_question() {
    let mut queue = Queue::default();
    queue.restore(question("abc123", "a"), Some(yes("ann")));
    queue.restore(question("def456", "a"), None);
    let late = Question { payload: "hash of abc123".into(), ..question("new000", "a") };
    assert!(matches!(queue.ask(late, 100), Ok(Asked::New(_))));
    assert_eq!(queue.tick(100).len(), 3);
    assert!(!queue.any_alone() && queue.waiting(1).is_empty());
}

#[test]
fn a_question_that_was_left_alone_is_not_withdrawn_by_that() {
    let mut queue = Queue::default();
    ask(&mut queue, question("abc123", "a")).unwrap();
    queue.leave_alone();
    let ended = end(&mut queue, "abc", yes("ann"), 99);
    assert!(queue.settle(&ended, false));
}

/// A question that two people must agree to; `asker` is whose token asks.
fn of_two(asker: Option<&str>) -> Queue {
    let mut queue = Queue::default();
    let mut question = Question { approvals: 2, ..question("abc123", "a") };
    question.call.origin.person = asker.map(str::to_owned);
    ask(&mut queue, question).unwrap();
    queue
}

#[test]
fn two_people_are_two_and_neither_is_who_asked() {
    let mut queue = of_two(Some("cid"));
    let agreed = match queue.answer("abc", yes("ann"), 1).unwrap() {
        Taken::Agreed(question) => question,
        Taken::Ended(ended) => panic!("{ended:?}"),
    };
    assert_eq!((agreed.missing(), agreed.agreed[0].by.as_str()), (1, "ann"));
    let again = queue.answer("abc", yes("ann"), 1).unwrap_err();
    assert_eq!(
        again.to_string(),
        "abc123 needs 2 people, and you are one of them already as ann: somebody else must answer"
    );
    assert_eq!(queue.answer("abc", yes("cid"), 1).unwrap_err(), NotTaken::OwnQuestion("abc123".into()));
    let nobody = Reply { person: None, ..yes("whoever holds the link") };
    assert_eq!(queue.answer("abc", nobody, 1).unwrap_err(), NotTaken::Nameless("abc123".into()));
    // What could not be written down does not count.
    queue.disagree("abc123", Some("ann"));
    assert!(matches!(queue.answer("abc", yes("bob"), 1), Ok(Taken::Agreed(q)) if q.missing() == 1));
    let ended = end(&mut queue, "abc", yes("ann"), 1);
    assert!(matches!(ended.ending, Ending::Answered(Reply { approve: true, by, .. }) if by == "bob and ann"));
    assert_eq!(
        queue.answer("abc", yes("dan"), 1).unwrap_err().to_string(),
        "abc123 was approved by bob and ann already"
    );
}

#[test]
fn of_several_people_one_who_refuses_decides() {
    for first in [Some(yes("ann")), None] {
        let mut queue = of_two(None);
        first.map(|reply| queue.answer("abc", reply, 1).unwrap());
        // Also who has agreed before, and whoever holds a link.
        for no in [Reply { approve: false, ..yes("ann") }, Reply { approve: false, person: None, ..yes("a link") }] {
            let mut queue = of_two(None);
            queue.answer("abc", yes("ann"), 1).unwrap();
            assert!(matches!(end(&mut queue, "abc", no, 1).ending, Ending::Answered(Reply { approve: false, .. })));
        }
        let ended = end(&mut queue, "abc", Reply { approve: false, ..yes("bob") }, 1);
        assert!(matches!(ended.ending, Ending::Answered(Reply { approve: false, by, .. }) if by == "bob"));
    }
}

#[test]
fn who_agreed_before_a_restart_still_agrees() {
    let mut queue = of_two(None);
    let Taken::Agreed(kept) = queue.answer("abc", yes("ann"), 1).unwrap() else { panic!("it is over") };
    let mut queue = Queue::default();
    queue.restore(kept, None);
    assert!(matches!(queue.answer("abc", yes("ann"), 1), Err(NotTaken::SamePerson { .. })));
    end(&mut queue, "abc", yes("bob"), 1);
}
