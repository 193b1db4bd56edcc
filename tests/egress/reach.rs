//! Destinations that are reached in another way than the straight one, as the configuration says it; and the authority.

use super::{POLICY, Road};
use crate::world::Ran;

#[test]
fn what_passes_through_shows_its_own_certificate_and_is_recorded_as_unseen() {
    let test = "what_passes_through_shows_its_own_certificate_and_is_recorded_as_unseen";
    let Some(road) = Road::with(test, POLICY, "  passthrough: [origin.test]\n") else { return };
    let url = road.url("origin.test", "/1k");
    let root = road.world.path("origin/origin-ca.pem");
    let ran = road.shell(&format!("curl -sS --cacert {} {url}", root.display())).expect(0);
    assert_eq!(ran.stdout.len(), 1024);
    let ran = road.shell(&format!("curl -sS {url}"));
    assert_ne!(ran.code, Some(0), "our authority says nothing about it: {ran:?}");
    let records = road.world.run(&["log", "--json"]).expect(0).stdout;
    assert!(records.contains("\"uninspected\":"), "{records}");
    let denied = road.shell(&format!("curl -sS -k {}", road.url("denied.test", "/")));
    assert!(denied.stdout.contains("no-denied-test"), "{denied:?}");
}

#[test]
fn a_proxy_upstream_is_used_and_its_password_shown_to_nobody() {
    let test = "a_proxy_upstream_is_used_and_its_password_shown_to_nobody";
    let more = "  upstream_proxy: 'http://me:s3cretpw@127.0.0.1:1'\n  no_proxy: ['*.near.test']\n";
    let Some(road) = Road::with(test, POLICY, more) else { return };
    let far = road.shell("curl -sS -w '\\n%{http_code}' https://far.test/").expect(0);
    assert!(far.stdout.ends_with("502"), "{far:?}");
    let shown = road.world.run(&["config", "show"]).expect(0);
    let log = road.world.run(&["log", "--json"]).expect(0);
    for text in [&far.stdout, &far.stderr, &shown.stdout, &log.stdout] {
        assert!(!text.contains("s3cretpw"), "{text}");
    }
    assert!(shown.stdout.lines().any(|line| line.starts_with("egress.upstream_proxy") && line.contains("set")));
}

#[test]
fn n9_a_new_authority_is_trusted_once_the_gateway_is_started_again() {
    let test = "n9_a_new_authority_is_trusted_once_the_gateway_is_started_again";
    let Some(mut road) = Road::open(test) else { return };
    let before = road.world.run(&["ca", "export"]).expect(0).stdout;
    let refused = road.world.run(&["ca", "rotate"]);
    assert_ne!(refused.code, Some(0), "without a person or --yes: {refused:?}");
    let bad = road.world.run(&["ca", "rotate", "--yes", "--only", "*.x.test"]);
    assert!(bad.stderr.contains("is not a domain"), "{bad:?}");
    road.world.run(&["ca", "rotate", "--yes", "--only", "origin.test"]).expect(0);
    assert_ne!(road.world.run(&["ca", "export"]).expect(0).stdout, before);
    road.world.run(&["serve", "stop"]).expect(0);
    road.world.gateway().wait().unwrap();
    road.world.serve(&[]);
    road.shell(&format!("curl -sS -o /dev/null {}", road.url("origin.test", "/1k"))).expect(0);
    let other = road.shell(&format!("curl -sS -o /dev/null {}", road.url("denied.test", "/1k")));
    assert_ne!(other.code, Some(0), "the authority is good for one domain only: {other:?}");
}

#[test]
fn trust_alone_is_printed_and_installing_says_what_it_would_do() {
    let Some(road) = Road::open("trust_alone_is_printed_and_installing_says_what_it_would_do") else { return };
    let ran = road.world.run(&["ca", "trust-env"]).expect(0);
    assert!(ran.stdout.contains("export SSL_CERT_FILE=") && !ran.stdout.contains("HTTPS_PROXY"), "{ran:?}");
    let json = road.world.run(&["ca", "trust-env", "--shell", "json"]).expect(0);
    let map: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert!(map["NODE_EXTRA_CA_CERTS"].as_str().unwrap().ends_with("ca.pem"), "{map:#}");
    let would = road.world.run(&["ca", "install", "--dry-run"]);
    match would.code {
        Some(0) => assert!(would.stdout.contains("rampart-local-authority"), "{would:?}"),
        _ => assert!(would.stderr.contains("No store is found"), "{would:?}"),
    }
}

#[test]
fn n8_a_list_of_revoked_certificates_is_heeded_and_one_that_is_none_is_named() {
    let test = "n8_a_list_of_revoked_certificates_is_heeded_and_one_that_is_none_is_named";
    let Some(mut road) = Road::open(test) else { return };
    let get = format!("curl -sS -w ' %{{http_code}}' {}", road.url("origin.test", "/digest"));
    assert!(road.shell(&get).expect(0).stdout.ends_with(" 200"));
    road.world.write(
        "origin/ca.cnf",
        "[ca]\ndefault_ca = d\n[d]\ndatabase = index\ndefault_md = sha256\ndefault_crl_days = 9\ncrlnumber = number\n",
    );
    road.world.write("origin/index", "");
    road.world.write("origin/number", "01\n");
    for action in ["-revoke origin.pem", "-gencrl -out revoked.pem"] {
        let mut openssl = road.world.command("openssl");
        openssl.args("ca -config ca.cnf -keyfile origin-ca.key -cert origin-ca.pem".split(' ')).args(action.split(' '));
        let ran = Ran::from(openssl.current_dir(road.world.path("origin")).output().unwrap());
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    road.world.run(&["serve", "stop"]).expect(0);
    road.world.gateway().wait().unwrap();
    let config = std::fs::read_to_string(road.world.home().join("config.yaml")).unwrap();
    for (file, code) in [("ca.cnf", 2), ("revoked.pem", 0)] {
        let list = road.world.path("origin").join(file);
        road.world.config(&format!("{config}\n  upstream_crls: ['{}']\n", list.display()));
        if code > 0 {
            let ran = road.world.run(&["serve"]);
            assert!(
                ran.code != Some(0) && ran.stderr.contains("egress.upstream_crls") && ran.stderr.contains(file),
                "{ran:?}"
            );
        }
    }
    road.world.serve(&[]);
    let ran = road.shell(&get).expect(0);
    assert!(ran.stdout.ends_with(" 502") && ran.stdout.contains("upstream_unverified"), "{ran:?}");
    assert!(ran.stdout.contains("does not verify: Revoked"), "{ran:?}");
}
