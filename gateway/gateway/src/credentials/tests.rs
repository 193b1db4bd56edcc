use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;

fn open(dir: &tempfile::TempDir) -> Credentials {
    Credentials::open(dir.path().join("tokens.json")).unwrap()
}

fn make(credentials: &Credentials, wanted: Wanted) -> (String, String) {
    let prepared = credentials.prepare(wanted).unwrap();
    let id = prepared.token.id.clone();
    (id, credentials.keep(prepared).unwrap())
}

fn named(name: &str, scopes: &[Scope]) -> Wanted {
    Wanted { name: name.to_owned(), scopes: scopes.to_vec(), ..Wanted::default() }
}

#[test]
fn a_token_is_known_again_after_a_restart_and_its_text_stands_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let (id, text) = make(&open(&dir), named("ci", &[Scope::Approve]));
    let file = dir.path().join("tokens.json");
    let kept = fs::read_to_string(&file).unwrap();
    let (_, secret) = split(&text).unwrap();
    assert!(!kept.contains(secret) && kept.contains(&id));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let credentials = open(&dir);
    let bearer = credentials.bearer(&text).unwrap();
    assert_eq!((bearer.scopes.as_slice(), &*bearer.id), (&[Scope::Approve][..], id.as_str()));
    assert_eq!(bearer.name, format!("token {id} (ci)"));
    let mut wrong = text.clone();
    wrong.pop();
    for wrong in [wrong.as_str(), &format!("{text}0"), &format!("rampart_{id}_"), secret, "", "rampart__"] {
        assert!(credentials.bearer(wrong).is_none(), "{wrong}");
    }
}

#[test]
fn a_file_that_others_may_read_or_that_makes_no_sense_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    make(&open(&dir), named("ci", &[Scope::Approve]));
    let file = dir.path().join("tokens.json");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(Credentials::open(file.clone()), Err(HomeError::Open { .. })));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    for text in ["", "{}", r#"{"version":2,"tokens":[]}"#, r#"{"version":1,"tokens":[],"more":1}"#] {
        fs::write(&file, text).unwrap();
        let error = Credentials::open(file.clone()).unwrap_err();
        assert!(error.to_string().starts_with("cannot understand "), "{error}");
    }
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/dev/null", &file).unwrap();
    assert!(matches!(Credentials::open(file), Err(HomeError::Link(_))));
}

#[test]
fn what_makes_no_sense_is_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let credentials = open(&dir);
    make(&credentials, named("ci", &[Scope::Decide]));
    let bound = |scopes: &[Scope], agent: Option<&str>, policy: Option<&str>| Wanted {
        agent: agent.map(str::to_owned),
        policy: policy.map(str::to_owned),
        ..named("x", scopes)
    };
    for (wanted, why) in [
        (named("x", &[]), "needs a scope"),
        (named("x", &[Scope::Open]), "needs a scope"),
        (named("ci", &[Scope::Decide]), "already"),
        (named("a\nb", &[Scope::Decide]), "control characters"),
        (named(&"x".repeat(101), &[Scope::Decide]), "100 bytes"),
        (bound(&[Scope::Admin], Some("a"), None), "unbind itself"),
        (bound(&[Scope::Decide], None, Some("p")), "approve alone"),
    ] {
        let Err(error) = credentials.prepare(wanted.clone()) else { panic!("{wanted:?} was made") };
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn what_is_revoked_rotated_or_replaced_ends_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let credentials = open(&dir);
    let (id, text) = make(&credentials, named("ci", &[Scope::Approve]));
    let bearer = credentials.bearer(&text).unwrap();
    let again = credentials.prepare_again(credentials.find("ci").unwrap()).unwrap();
    let fresh = credentials.keep(again).unwrap();
    assert!(bearer.life.is_cancelled() && credentials.bearer(&text).is_none());
    let bearer = credentials.bearer(&fresh).unwrap();
    assert_eq!(*bearer.id, id);
    credentials.forget(&id).unwrap();
    assert!(bearer.life.is_cancelled() && credentials.bearer(&fresh).is_none() && open(&dir).list().is_empty());

    credentials.accept(HOME, "a token of the home");
    let bearer = credentials.bearer("a token of the home").unwrap();
    assert_eq!((bearer.scopes, bearer.name.as_str()), (Scope::ALL.to_vec(), "the home's token"));
    credentials.accept(HOME, "another");
    assert!(bearer.life.is_cancelled() && credentials.bearer("a token of the home").is_none());
}

#[test]
fn a_token_is_found_by_its_name_or_the_beginning_of_its_id() {
    let dir = tempfile::tempdir().unwrap();
    let credentials = open(&dir);
    let (id, _) = make(&credentials, named("ci", &[Scope::Approve]));
    make(&credentials, named("other", &[Scope::Approve]));
    for word in ["ci", &id, &id[..6]] {
        assert_eq!(credentials.find(word).unwrap().id, id, "{word}");
    }
    for word in ["", "nobody"] {
        assert!(matches!(credentials.find(word), Err(TokenError::Unknown(_))), "{word}");
    }
}

#[tokio::test]
async fn a_token_ends_when_its_time_has_come() {
    let dir = tempfile::tempdir().unwrap();
    let credentials = Arc::new(open(&dir));
    tokio::spawn(watch(Arc::downgrade(&credentials)));
    tokio::task::yield_now().await;
    let lasts = Some(Duration::from_millis(200));
    let (_, text) = make(&credentials, Wanted { lasts, ..named("brief", &[Scope::Decide]) });
    let bearer = credentials.bearer(&text).unwrap();
    tokio::time::timeout(Duration::from_millis(900), bearer.life.cancelled()).await.expect("it ended");
    assert!(credentials.bearer(&text).is_none() && open(&dir).list().is_empty());
}

#[test]
fn a_launch_credential_names_its_session_and_ends_with_its_process() {
    let dir = tempfile::tempdir().unwrap();
    let credentials = open(&dir);
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let process = Process::of(child.id()).unwrap();
    let launch = Some(Launch {
        session: "s1".into(),
        process,
        below: true,
        server: None,
        monitor: false,
        confined: false,
        clients: false,
        by_person: true,
    });
    let (_, text) = make(&credentials, Wanted { launch, agent: Some("bot".into()), ..named("", &[Scope::Decide]) });
    let bearer = credentials.bearer(&text).unwrap();
    assert_eq!((bearer.session.as_deref(), bearer.agent.as_deref()), (Some("s1"), Some("bot")));
    assert_eq!(credentials.session_of(process), Some(Session { name: "s1".into(), agent: "bot".into() }));
    assert!(credentials.sweep().is_some_and(|ms| ms <= 5000));
    assert_eq!(open(&dir).session_of(process), credentials.session_of(process), "a restart remembers it");
    child.kill().unwrap();
    child.wait().unwrap();
    credentials.sweep();
    assert!(bearer.life.is_cancelled() && credentials.session_of(process).is_none());
    assert!(open(&dir).list().is_empty());
}

/// Guesses of somebody who has seen the id and the form, and at first all of the secret but one digit.
#[test]
fn c4_a_million_guesses_open_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let credentials = open(&dir);
    let (id, text) = make(&credentials, named("ops", &[Scope::Admin]));
    let (_, secret) = split(&text).unwrap();
    let mut guess = secret.as_bytes().to_vec();
    for n in 0..1_000_000_u32 {
        let at = n as usize % guess.len();
        let digit = guess[at];
        guess[at] = b"0123456789abcdef"[(n / 64) as usize % 16];
        let near = std::str::from_utf8(&guess).unwrap();
        if near != secret {
            assert!(credentials.bearer(&format!("rampart_{id}_{near}")).is_none(), "{near}");
        }
        guess[at] = if n % 3 == 0 { guess[at] } else { digit };
    }
    assert!(credentials.bearer(&text).is_some());
}

#[test]
fn a_listener_serves_its_clients_and_nobody_elses_and_ends_them_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let credentials = open(&dir);
    let process = Process::of(std::process::id()).unwrap();
    let launch = |session: &str, clients: bool, below: bool| Launch {
        session: session.into(),
        process,
        below,
        server: None,
        monitor: clients,
        confined: false,
        clients,
        by_person: true,
    };
    let make = |launch: Launch| {
        let wanted = Wanted { launch: Some(launch), agent: Some("bot".into()), ..named("", &[Scope::Decide]) };
        make(&credentials, wanted).1
    };
    let listener = credentials.bearer(&make(launch("l", true, true))).unwrap();
    for (session, serves) in [("l~1", true), ("l", false), ("m~1", false), ("l~", false), ("l~1~2", false), ("", false)]
    {
        assert_eq!(listener.serves(session), serves, "{session:?}");
    }
    let client = make(Launch { monitor: true, ..launch("l~1", false, false) });
    assert!(!credentials.bearer(&client).unwrap().serves("l~1"), "a client has no clients");
    assert!(credentials.only_watches("l~1") && credentials.only_watches("l~2"), "as the listener's session is");
    assert!(!credentials.only_watches("m~1"));
    credentials.end_session("l~1").unwrap();
    assert!(credentials.bearer(&client).is_none() && open(&dir).list().len() == 1);
    assert!(credentials.only_watches("l~2") && !listener.life.is_cancelled());
    assert_eq!(credentials.session_of(process).unwrap().name, "l", "the processes below the listener stay known");
}
