//! What is drawn, and what keys do, without a terminal.

use std::{collections::BTreeSet, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use rampart_call::{Action, Call, CommandLine, Judgement, Origin, Outcome, Phase, Reason, RuleRef, Surface};
use rampart_client::wire::{Detail, Pending, Resolved};
use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
    style::{Color, Modifier},
};

use crate::{
    draw,
    filter::Filter,
    keys::{TABLE, View},
    row::Row,
    state::{Answer, Effect, Input, Mode, Now, State},
};

const START: &str = "2026-01-31T09:30:00.000Z";

fn at(seconds: u64) -> Now {
    let wall = START.parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_secs(seconds.cast_signed());
    Now { wall, since_start: Duration::from_secs(seconds) }
}

fn watch(columns: u16, lines: u16, color: bool) -> State {
    let mut state = State::new(Filter::default(), color, TimeZone::UTC);
    state.step(Input::Resize(columns, lines), at(0));
    state.step(Input::Connected, at(0));
    state
}

/// A decision about a command.
fn decision(seq: u64, outcome: &str, agent: &str, command: &str, effects: &str, rule: &str) -> Row {
    let command = serde_json::Value::from(command);
    let rule = if rule == "default" {
        String::new()
    } else {
        format!(
            r#""rule":{{"policy":"{rule}","index":0,"action":"{outcome}","file":"standard.yaml","line":34}},"effect":0,"#
        )
    };
    let reason = if rule.is_empty() { "default" } else { "rule" };
    let second = seq % 60;
    let line = format!(
        r#"{{"v":"rampart.audit.v2","seq":{seq},"type":"decision","at":"2026-01-31T09:30:{second:02}.000Z","boot_ms":9,"actor":{{"agent":"{agent}","session":"s-{agent}","surface":"hook","depth":0,"pid":77}},"tool":"exec","action":{{"type":"exec","command":{command}}},"effects":[{effects}],"outcome":"{outcome}","verdict":"{outcome}","reason":"{reason}",{rule}"message":"This is the message.","ruleset":"","mode":"enforce","micros":9,"h":"ab"}}"#
    );
    Row::parse(seq, line)
}

const DELETE: &str = r#"{"kind":"delete","target":{"is":"path","path":"/","written":"/","scope":"system-root","sensitivity":"ordinary"},"certainty":"proven","reversibility":"irreversible","span":{"start":0,"end":8}}"#;
const NET: &str = r#"{"kind":"net","target":{"is":"host","host":"api.example.com","port":443},"certainty":"proven","reversibility":"unknown"}"#;
const EXEC: &str =
    r#"{"kind":"exec","target":{"is":"program","name":"ls"},"certainty":"proven","reversibility":"unknown"}"#;

fn some_decisions() -> Vec<Row> {
    vec![
        decision(1, "allow", "claude-code", "ls -la", EXEC, "default"),
        decision(2, "deny", "claude-code", "rm -rf /", DELETE, "block-destruction"),
        decision(3, "watch", "codex", "curl https://api.example.com/v1/things", NET, "watch-network"),
        decision(4, "ask", "codex", "echo \u{1b}[2J \u{202e}evil\u{7} 日本語 e\u{301}\u{301}\u{301}", EXEC, "ask-me"),
        Row::parse(5, r#"{"v":"rampart.audit.v2","seq":5,"type":"approval","at":"2026-01-31T09:30:05.000Z","boot_ms":9,"id":"e0157d77a8d8","event":"granted","decision":4,"by":"user 0","h":"ab"}"#.to_owned()),
    ]
}

fn question(id: &str, command: &str) -> Pending {
    let action = Action::Exec { command: CommandLine::Command(command.to_owned()), cwd: Some("/home/me/shop".into()) };
    let origin = Origin { agent: "aider".into(), session: "s-7".into(), surface: Surface::Shell, ..Origin::default() };
    let call = Call { origin, phase: Phase::Before, action, response: None };
    let rule = RuleRef {
        policy: "ask-before-deploys".into(),
        index: 0,
        action: Outcome::Ask,
        file: "custom.yaml".into(),
        line: 6,
    };
    let message = "A deployment needs a human".to_owned();
    let judgement = Judgement { outcome: Outcome::Ask, rule: Some(rule), ..Judgement::refused(Reason::Rule, message) };
    Pending {
        id: id.to_owned(),
        payload: format!("hash of {id}"),
        subject: command.to_owned(),
        asked: START.to_owned(),
        expires: START.to_owned(),
        expires_in_ms: 120_000,
        approvals: 1,
        agreed: vec![],
        details: vec![Detail { name: "in".into(), text: "/home/me/shop".into() }],
        call,
        judgement,
    }
}

fn drawn(state: &State, now: Now) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(state.size.0, state.size.1)).unwrap();
    terminal.draw(|frame| draw::frame(state, now, frame)).unwrap();
    terminal
}

fn screen(state: &State, now: Now) -> String {
    let terminal = drawn(state, now);
    let buffer = terminal.backend().buffer();
    let mut lines = Vec::new();
    for cells in buffer.content.chunks(usize::from(state.size.0)) {
        let (mut line, mut covered) = (String::new(), 0);
        for cell in cells {
            // What a wide letter covers holds nothing.
            if covered == 0 {
                line.push_str(cell.symbol());
                covered = crate::text::width(cell.symbol()).max(1);
            }
            covered -= 1;
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

fn press(state: &mut State, keys: &str, now: Now) -> Vec<Effect> {
    let mut effects = vec![];
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            c => KeyCode::Char(c),
        };
        effects.extend(state.step(Input::Key(KeyEvent::new(code, KeyModifiers::NONE)), now));
    }
    effects
}

#[test]
fn decisions_on_a_small_terminal() {
    let mut state = watch(80, 14, false);
    state.step(Input::Records(some_decisions()), at(5));
    insta::assert_snapshot!(screen(&state, at(5)));
}

#[test]
fn decisions_on_a_wide_terminal_with_details() {
    let mut state = watch(180, 24, false);
    state.step(Input::Records(some_decisions()), at(5));
    press(&mut state, "kkk\n", at(5));
    insta::assert_snapshot!(screen(&state, at(5)));
}

#[test]
fn a_question_on_a_small_terminal() {
    let mut state = watch(80, 24, false);
    let command = "kubectl apply -f - <<EOF\nkind: Pod\nEOF\necho \u{1b}[2J";
    state.step(Input::Questions(vec![question("e0157d77a8d8", command), question("aa", "ls")]), at(0));
    let notice = screen(&state, at(3)).lines().nth(1).unwrap().to_owned();
    assert!(notice.starts_with("waits for you and 1 more (press 2): kubectl apply -f "), "{notice}");
    press(&mut state, "2", at(3));
    insta::assert_snapshot!(screen(&state, at(3)));
}

#[test]
fn sessions_rates_and_what_is_stopped_most() {
    let mut state = watch(80, 20, false);
    state.step(Input::Records(some_decisions()), at(5));
    press(&mut state, "3", at(6));
    insta::assert_snapshot!(screen(&state, at(6)));
}

#[test]
fn the_keys_of_each_view_fit_on_a_small_terminal() {
    let mut state = watch(80, 24, false);
    for (key, view) in ["1", "2", "3"].into_iter().zip(View::ALL) {
        press(&mut state, key, at(1));
        press(&mut state, "?", at(1));
        let shown = screen(&state, at(1));
        assert!(shown.contains(&format!("Keys in {}", view.name())), "{shown}");
        for (_, place, _, what) in TABLE {
            let here = place == crate::keys::Place::Everywhere || place == crate::keys::Place::In(view);
            assert_eq!(shown.contains(what), here, "{what}\n{shown}");
        }
        assert!(shown.contains("quit; everything goes on"), "{shown}");
        press(&mut state, "x", at(1));
        assert_eq!(state.mode, Mode::Normal);
    }
}

#[test]
fn no_key_has_two_meanings_in_one_view() {
    for view in View::ALL {
        let mut seen = BTreeSet::new();
        for (codes, place, ..) in TABLE {
            let here = place == crate::keys::Place::Everywhere || place == crate::keys::Place::In(view);
            for code in codes.iter().filter(|_| here) {
                assert!(seen.insert(format!("{code:?}")), "{code:?} in {view:?}");
            }
        }
    }
}

#[test]
fn meaning_has_colour_only_where_that_is_wanted() {
    for color in [true, false] {
        let mut state = watch(100, 20, color);
        state.step(Input::Records(some_decisions()), at(5));
        state.step(Input::Questions(vec![question("aa", "ls")]), at(5));
        for keys in ["", "k\n", "2", "3", "?"] {
            press(&mut state, keys, at(6));
            let terminal = drawn(&state, at(6));
            let cells = &terminal.backend().buffer().content;
            let colored = cells.iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset);
            assert_eq!(colored, color, "after {keys:?}");
        }
    }
    let mut state = watch(100, 20, true);
    state.step(Input::Records(some_decisions()), at(5));
    let terminal = drawn(&state, at(6));
    let deny = terminal.backend().buffer().cell((9, 3)).unwrap();
    assert_eq!((deny.symbol(), deny.fg), ("d", Color::Red));
    assert!(deny.modifier.contains(Modifier::BOLD));
}

#[test]
fn nothing_that_others_wrote_reaches_the_terminal_raw() {
    let hostile = "\u{1b}]0;x\u{7}\u{1b}[2J\r\n\u{9b}31m\u{202e}\u{2066}\u{200b}\u{feff}\u{e0041}\u{301}\u{301}\u{ad}";
    let agent = serde_json::Value::from(hostile).to_string();
    let row = format!(
        r#"{{"v":"rampart.audit.v2","seq":1,"type":"decision","at":"2026-01-31T09:30:01.000Z","boot_ms":9,"actor":{{"agent":{agent},"session":{agent},"surface":{agent},"depth":0,"person":{agent},"workspace":{agent}}},"tool":{agent},"action":{{"type":"mcp","server":{agent},"method":"tools/call","tool":{agent},"arguments":{{"x":{agent}}}}},"effects":[{{"kind":"net","target":{{"is":"host","host":{agent}}},"certainty":"proven","reversibility":"unknown"}}],"outcome":"deny","verdict":"deny","reason":"rule","rule":{{"policy":{agent},"index":0,"action":"deny","file":{agent},"line":1}},"message":{agent},"mode":"enforce","micros":1,"h":"ab"}}"#
    );
    let other = format!(r#"{{"seq":2,"type":"config","at":"x","event":{agent},"subject":{agent},"message":{agent}}}"#);
    let mut asked = question("aa", hostile);
    asked.judgement.message = hostile.to_owned();
    asked.call.origin.agent = hostile.to_owned();
    asked.details = vec![Detail { name: "content".into(), text: format!("{hostile}\n{hostile}") }];
    for (columns, lines) in [(80, 24), (200, 50), (41, 9)] {
        let mut state = watch(columns, lines, true);
        let rows = vec![
            Row::parse(1, row.clone()),
            Row::parse(2, other.clone()),
            Row::parse(3, format!("{hostile} is no JSON")),
            Row::parse(4, row.replace("\"seq\":1", "\"seq\":4")),
        ];
        state.step(Input::Records(rows), at(1));
        state.step(Input::Questions(vec![asked.clone()]), at(1));
        state.step(Input::Answered { approve: true, done: Err(hostile.to_owned()) }, at(1));
        for keys in ["", "\n", "k", "k", "k", "n", "2", "d", "x", "\u{1b}", "3", "1", "/", "\n"] {
            press(&mut state, keys, at(3));
            for symbol in drawn(&state, at(3)).backend().buffer().content.iter().map(ratatui::buffer::Cell::symbol) {
                let raw =
                    symbol.chars().find(|c| c.is_control() || rampart_scan::visible(&c.to_string()) != c.to_string());
                assert_eq!(raw, None, "{symbol:?} after {keys:?}");
            }
        }
    }
}

#[test]
fn an_answer_is_about_what_was_looked_at() {
    let mut state = watch(80, 24, false);
    let rang = state.step(Input::Questions(vec![question("one", "ls"), question("two", "rm -r x")]), at(0));
    assert_eq!(rang, [Effect::Ring]);
    let answer = |id: &str, approve, reason: &str, scope| {
        let payload = format!("hash of {id}");
        [Effect::Answer(id.into(), Box::new(Answer { approve, reason: reason.into(), payload, scope }))]
    };
    // Keys that answer do so where the question is seen, and nowhere else.
    assert_eq!(press(&mut state, "aA", at(5)), []);
    press(&mut state, "2", at(5));
    assert_eq!(press(&mut state, "a", at(5)), answer("one", true, "", "once"));
    assert_eq!(press(&mut state, "jh", at(5)), answer("two", true, "", "1h"));
    assert_eq!(press(&mut state, "A", at(5)), answer("two", true, "", "always"));
    assert_eq!(press(&mut state, "dno, quit it\n", at(5)), answer("two", false, "no, quit it", "once"));
    // What comes into sight by itself is not answered by a second press that was meant for the one before.
    assert_eq!(state.step(Input::Questions(vec![question("one", "ls")]), at(6)), []);
    assert_eq!(press(&mut state, "a", at(6)), []);
    assert_eq!(press(&mut state, "d", at(6)), []);
    assert_eq!(press(&mut state, "a", at(7)), answer("one", true, "", "once"));
    // A reason that is being typed goes to nobody else when its question ends.
    press(&mut state, "dbecause", at(8));
    state.step(Input::Questions(vec![question("three", "ls")]), at(9));
    assert_eq!(state.mode, Mode::Normal);
    assert_eq!(press(&mut state, "\n", at(20)), []);
}

#[test]
fn what_became_of_an_answer_is_said() {
    let resolved = |approved, missing, unwritten: Option<&str>| {
        let subject = "ls \u{1b}".to_owned();
        let unwritten = unwritten.map(str::to_owned);
        Ok(Box::new(Resolved { id: "aa".into(), approved, missing, subject, rule: None, unwritten }))
    };
    for (approve, done, said) in [
        (true, resolved(true, 0, None), r"approved: ls \u{1b}"),
        (true, resolved(false, 2, None), r"you agreed, and 2 more must too: ls \u{1b}"),
        (true, resolved(true, 0, Some("disk full")), "let through once; no rule for later was written: disk full"),
        (false, resolved(false, 0, None), r"denied: ls \u{1b}"),
        (true, Err("aa has expired; the call was refused".to_owned()), "aa has expired; the call was refused"),
    ] {
        let mut state = watch(80, 24, false);
        state.step(Input::Answered { approve, done }, at(1));
        assert_eq!(screen(&state, at(1)).lines().last(), Some(said));
        state.step(Input::Tick, at(60));
        assert!(!screen(&state, at(60)).contains(said));
    }
}

#[test]
fn filters_show_less_and_give_it_back() {
    let mut state = watch(80, 24, false);
    state.step(Input::Records(some_decisions()), at(5));
    let table: [(&str, usize); 9] =
        [("", 5), ("f", 1), ("c", 5), ("/RM -RF", 1), ("\u{1b}", 5), ("/evil\n", 1), ("c", 5), ("kn", 2), ("s", 2)];
    for (keys, wanted) in table {
        press(&mut state, keys, at(5));
        assert_eq!(state.list.admitted(), wanted, "after {keys:?}: {}", screen(&state, at(5)));
    }
    assert!(screen(&state, at(5)).contains("2 of 5: agent codex"));
    // What comes later is filtered alike.
    let more =
        vec![decision(6, "allow", "codex", "a", EXEC, "default"), decision(7, "allow", "x", "b", EXEC, "default")];
    state.step(Input::Records(more), at(6));
    assert_eq!(state.list.admitted(), 3);
}

#[test]
fn the_newest_is_followed_until_somebody_looks_up() {
    let mut state = watch(80, 12, false);
    let many =
        |from: u64, to: u64| (from..to).map(|n| decision(n, "allow", "x", &format!("echo {n}"), EXEC, "default"));
    state.step(Input::Records(many(1, 100).collect()), at(5));
    assert!(screen(&state, at(5)).contains("echo 99"));
    press(&mut state, "kk", at(5));
    assert_eq!(state.list.selected().unwrap().seq, 97);
    let before = screen(&state, at(5));
    state.step(Input::Records(many(100, 20_000).collect()), at(5));
    assert_eq!(state.missed, 0);
    // Even the row that was looked at is gone by now; the list stands at its beginning.
    assert!(before.contains("echo 97") && !screen(&state, at(5)).contains("echo 19999"));
    press(&mut state, "G", at(5));
    assert!(state.list.follows() && screen(&state, at(5)).contains("echo 19999"));
    press(&mut state, "g", at(5));
    assert_eq!(state.list.selected().unwrap().seq, 10_000);
    state.step(Input::Resize(200, 50), at(6));
    assert!(screen(&state, at(6)).contains("echo 10000"));
    state.step(Input::Resize(30, 5), at(6));
    assert!(screen(&state, at(6)).contains("needs 40 columns"));
}

#[test]
fn what_did_not_come_is_said() {
    let mut state = watch(80, 12, false);
    let row = |n| decision(n, "allow", "x", "ls", EXEC, "default");
    state.step(Input::Records(vec![row(1), row(2), row(7)]), at(5));
    assert!(screen(&state, at(5)).contains("4 records did not come"));
    state.step(Input::Disconnected("no gateway answers\u{1b}".into()), at(6));
    let shown = screen(&state, at(6));
    assert!(shown.contains(r"no gateway answers\u{1b}; trying again"), "{shown}");
    // Another trail begins anew.
    state.step(Input::Records(vec![row(3)]), at(7));
    assert_eq!((state.list.all(), state.missed), (1, 4));
}
