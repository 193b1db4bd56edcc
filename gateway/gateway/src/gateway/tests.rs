use std::fs;

use rampart_call::{Action, Call, CommandLine, Located, Origin, Phase, Response, Surface, Verdict};

use super::*;
use crate::{Config, Settings, config, credentials::Launch, lineage::Process};

const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: table
    rules:
      - action: deny
        when: { path_matches: ["/forbidden/**"] }
        message: Off limits
      - action: ask
        when: { path_matches: ["/ask/**"] }
        message: A human decides
      - action: webhook
        when: { path_matches: ["/webhook/**"] }
        webhook: { url: "http://127.0.0.1:1/verify" }
        message: Somebody else decides
      - action: deny
        when: { label: [secret-read], domain_matches: ["paste.example"] }
        message: This session has seen a secret
      - action: deny
        when: { label: [untrusted-content], path_matches: ["/careful/**"] }
        message: This session has read what anybody could have written
      - action: deny
        when: { path_matches: ["/often/**"], call_count: { gte: 3, window: 1h } }
        message: Too often
"#;

struct World {
    _dir: tempfile::TempDir,
    gateway: Arc<Gateway>,
}

impl World {
    async fn with(config: Config, headless: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("home"));
        home.prepare().unwrap();
        fs::write(home.policies().join("custom.yaml"), POLICY).unwrap();
        let settings = Settings { home, config: Config { headless, ..config }, project_policies: true, outside: None };
        Self { _dir: dir, gateway: Gateway::open(settings).await.unwrap() }
    }

    async fn reads(&self, path: &str) -> (Outcome, Reason) {
        let answer = self.gateway.answer(read(path)).await;
        (answer.verdict, answer.judgement.reason)
    }
}

fn call(action: Action) -> Call {
    let origin = Origin { agent: "bot".into(), session: "s".into(), ..Origin::default() };
    Call { origin, phase: Phase::Before, action, response: None }
}

fn read(path: &str) -> Call {
    call(Action::Read { paths: vec![Located::written(path)] })
}

fn fetch(url: &str) -> Call {
    let (method, url) = ("GET".to_owned(), url.to_owned());
    call(Action::Fetch { method, url, headers: vec![], body: None, body_size: None, addresses: vec![] })
}

#[tokio::test]
async fn where_nobody_can_be_asked_a_question_is_a_refusal() {
    let world = World::with(Config::default(), true).await;
    assert_eq!(world.reads("/ask/x").await, (Outcome::Deny, Reason::NobodyToAsk));
    assert!(world.gateway.pending().is_empty());
}

#[tokio::test]
async fn what_cannot_be_recorded_is_refused_unless_a_human_chose_otherwise() {
    let world = World::with(Config::default(), false).await;
    world.gateway.close().await;
    for path in ["/x", "/forbidden/x", "/ask/x"] {
        assert_eq!(world.reads(path).await, (Outcome::Deny, Reason::AuditUnavailable), "{path}");
    }
    assert!(world.gateway.pending().is_empty(), "and nobody is asked");

    let audit = config::Audit { allow_on_failure: true, ..config::Audit::default() };
    let world = World::with(Config { audit, ..Config::default() }, false).await;
    world.gateway.close().await;
    assert_eq!(world.reads("/x").await.0, Outcome::Allow);
    assert_eq!(world.reads("/forbidden/x").await, (Outcome::Deny, Reason::Rule));
    assert_eq!(world.reads("/ask/x").await.0, Outcome::Deny, "a question must be on record");

    let world = World::with(Config { mode: Mode::Monitor, ..Config::default() }, false).await;
    world.gateway.close().await;
    assert_eq!(world.reads("/forbidden/x").await.0, Outcome::Allow, "monitoring blocks nothing");
}

#[tokio::test]
async fn an_external_verifier_that_is_not_there_refuses() {
    let world = World::with(Config::default(), false).await;
    assert_eq!(world.reads("/webhook/x").await, (Outcome::Deny, Reason::Webhook));
}

#[tokio::test]
async fn monitoring_holds_no_call_to_ask_a_service() {
    let world = World::with(Config { mode: Mode::Monitor, ..Config::default() }, false).await;
    assert_eq!(world.reads("/webhook/x").await, (Outcome::Allow, Reason::Rule));
}

/// What a person wants who opens a session for this process, and no more.
fn launch(session: &str) -> Launch {
    let process = Process::of(std::process::id()).unwrap();
    let session = session.into();
    Launch {
        session,
        process,
        below: false,
        server: None,
        monitor: false,
        confined: false,
        clients: false,
        by_person: true,
    }
}

#[tokio::test]
async fn a_session_is_confined_only_where_all_who_opened_it_said_so_and_only_what_runs_in_it() {
    let world = World::with(Config::default(), false).await;
    let open = async |session: &str, confined| {
        let launch = Launch { confined, ..launch(session) };
        world.gateway.open_session("bot", launch, "a test").await.unwrap();
    };
    let confined = |session: &str, surface, claimed| {
        let origin = Origin { session: session.into(), surface, claimed, ..Origin::default() };
        let action = Action::Exec { command: CommandLine::Command("x".into()), cwd: None };
        world.gateway.is_confined(&Call { origin, phase: Phase::Before, action, response: None })
    };
    assert!(!confined("s", Surface::Hook, false));
    open("s", true).await;
    for surface in Surface::ALL {
        let runs_here = matches!(surface, Surface::Hook | Surface::Shell | Surface::Preload | Surface::Supervisor);
        assert_eq!(confined("s", surface, false), runs_here, "{surface}");
        assert!(!confined("s", surface, true) && !confined("t", surface, false), "{surface}");
    }
    open("s", false).await;
    assert!(!confined("s", Surface::Hook, false), "the stricter word holds");
}

#[tokio::test]
async fn whoever_opened_a_session_says_later_that_it_is_confined_unless_that_was_an_agent() {
    let world = World::with(Config::default(), false).await;
    let credentials = world.gateway.credentials();
    let open = async |session: &str, by_person, monitor| {
        let launch = Launch { monitor, by_person, ..launch(session) };
        let made = world.gateway.open_session("bot", launch, "a test").await.unwrap();
        credentials.bearer(&made.text).unwrap()
    };
    let person = open("s", true, false).await;
    assert!(!credentials.confines("s"));
    assert!(credentials.confine(&person, true) && credentials.confines("s"));
    assert!(credentials.confine(&person, true) && credentials.confine(&person, false));
    assert!(!credentials.confines("s"), "what was said twice is taken back once");
    let agent = open("s", false, false).await;
    assert!(credentials.confine(&person, true) && !credentials.confine(&agent, true));
    assert!(!credentials.confines("s"), "the agent's own is not");
    let alone = open("t", false, false).await;
    assert!(!credentials.confine(&alone, true) && !credentials.confines("t"));
    let watched = open("u", true, true).await;
    assert!(!credentials.confine(&watched, true) && !credentials.confines("u"), "nothing of it is refused");
    world.gateway.revoke_token(&agent.id, "a test").await.unwrap();
    assert!(credentials.confines("s"));
    world.gateway.revoke_token(&person.id, "a test").await.unwrap();
    assert!(!credentials.confines("s"));
}

#[tokio::test]
async fn a_session_can_be_watched_only_while_all_who_opened_it_wanted_that() {
    let world = World::with(Config::default(), false).await;
    let open = async |session: &str, monitor| {
        let launch = Launch { monitor, ..launch(session) };
        world.gateway.open_session("bot", launch, "a test").await.unwrap().token.unwrap().id
    };
    open("another", true).await;
    assert_eq!(world.reads("/forbidden/x").await.0, Outcome::Deny, "that is another session");
    open("s", true).await;
    assert_eq!(world.reads("/forbidden/x").await, (Outcome::Allow, Reason::Rule));
    assert_eq!(world.reads("/ask/x").await.0, Outcome::Allow);
    let strict = open("s", false).await;
    assert_eq!(world.reads("/forbidden/x").await.0, Outcome::Deny, "the stricter wish holds");
    world.gateway.revoke_token(&strict, "a test").await.unwrap();
    assert_eq!(world.reads("/forbidden/x").await.0, Outcome::Allow);
}

#[tokio::test]
async fn a_session_is_remembered_by_what_it_has_seen() {
    let world = World::with(Config::default(), false).await;
    let gateway = &world.gateway;
    let paste = || fetch("https://paste.example/");
    assert_eq!(gateway.answer(paste()).await.verdict, Outcome::Allow);
    gateway.answer(read("/home/x/.ssh/id_rsa")).await;
    assert_eq!(gateway.answer(paste()).await.verdict, Outcome::Deny);
    let mut other = paste();
    other.origin.session = "another".into();
    assert_eq!(gateway.answer(other).await.verdict, Outcome::Allow, "another session has not seen it");

    assert_eq!(world.reads("/careful/x").await.0, Outcome::Allow);
    let mut page = fetch("https://news.example/");
    page.phase = Phase::After;
    page.response = Some(Response { text: "hello".into(), ..Response::default() });
    gateway.answer(page).await;
    assert_eq!(world.reads("/careful/x").await.0, Outcome::Deny);
}

#[tokio::test]
async fn calls_are_counted_and_previews_are_not() {
    let world = World::with(Config::default(), false).await;
    for _ in 0..10 {
        assert_eq!(world.gateway.decide_only(&read("/often/x")).outcome, Outcome::Allow);
    }
    let mut said = Vec::new();
    for _ in 0..5 {
        said.push(world.reads("/often/x").await.0);
    }
    assert!(said.contains(&Outcome::Allow) && said.ends_with(&[Outcome::Deny]), "{said:?}");
    assert_eq!(world.gateway.decide_only(&read("/often/x")).outcome, Outcome::Deny, "a preview sees what was counted");
}

#[tokio::test]
async fn what_is_allowed_once_is_allowed_once_over_restarts_too() {
    let world = World::with(Config::default(), false).await;
    let once = "version: \"1\"\npolicies:\n  - name: once\n    rules:\n      - action: allow\n        once: true\n        when: { path_matches: [\"/forbidden/x\"] }\n";
    fs::write(world.gateway.home().policies().join("user-overrides.yaml"), once).unwrap();
    world.gateway.reload().await.unwrap();
    assert_eq!(world.gateway.decide_only(&read("/forbidden/x")).outcome, Outcome::Allow, "a preview uses nothing up");
    assert_eq!(world.reads("/forbidden/x").await.0, Outcome::Allow);
    assert_eq!(world.reads("/forbidden/x").await.0, Outcome::Deny);

    let World { _dir: dir, gateway } = world;
    gateway.close().await;
    let settings =
        Settings { home: gateway.home().clone(), config: Config::default(), project_policies: true, outside: None };
    while Arc::strong_count(&gateway) > 1 {
        tokio::task::yield_now().await;
    }
    drop(gateway);
    let world = World { _dir: dir, gateway: Gateway::open(settings).await.unwrap() };
    assert_eq!(world.reads("/forbidden/x").await.0, Outcome::Deny);
}

#[tokio::test]
async fn the_gateway_is_a_gate() {
    let world = World::with(Config::default(), false).await;
    assert!(matches!(world.gateway.judge(read("/x")).await, Verdict::Allow(_)));
    assert!(matches!(world.gateway.judge(read("/forbidden/x")).await, Verdict::Deny(_)));
}
