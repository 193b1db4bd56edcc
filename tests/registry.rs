//! A registry of signed policies, over real TLS: publishing, listing, fetching, and what is refused.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
};

use crate::world::{Ran, World, have, root};

/// A home that trusts a registry, the registry's folder on a web server, and its maintainer's key.
struct Registry {
    world: World,
    server: Child,
    port: u16,
}

const POSTGRES: &str = "\
# version: 1.0.0
# description: databases: looking is free, dropping is denied
version: \"1\"
policies:
  - name: postgres-no-drop
    match: { tool: exec }
    rules:
      - action: deny
        when: { command_contains: [\"drop database\"] }
tests:
  - exec: \"psql -c 'DROP DATABASE x'\"
    expect: deny
";

impl Registry {
    /// None where a program is missing that the test named `test` needs.
    fn open(test: &str) -> Option<Self> {
        if !have(test, &["python3", "openssl"]) {
            return None;
        }
        let world = World::new();
        world.write("web/postgres.yaml", POSTGRES);
        std::fs::create_dir_all(world.path("origin")).unwrap();
        let mut server = world
            .command("python3")
            .arg(root().join("tests/clients/origin.py"))
            .args([world.path("origin"), world.path("web")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("the origin prints its port");
        let registry = Self { world, server, port };
        registry.publish(&["--new-key"]).expect(0);
        registry.trust(&registry.key());
        Some(registry)
    }

    fn publish(&self, more: &[&str]) -> Ran {
        let (folder, key) = (self.world.path("web"), self.world.path("maintainer.key"));
        let args = ["policy", "publish", folder.to_str().unwrap(), "--key", key.to_str().unwrap()];
        self.world.run(&[&args, more].concat())
    }

    /// The public key, as `publish` prints it.
    fn key(&self) -> String {
        let said = self.publish(&[]).expect(0).stdout;
        format!("ed25519:{}", said.trim().rsplit("ed25519:").next().unwrap())
    }

    fn trust(&self, key: &str) {
        self.world.config(&format!(
            "listen: 127.0.0.1:0\negress:\n  listen: 127.0.0.1:0\n  upstream_ca: ['{}']\nregistry:\n  url: https://localhost:{}/index.json\n  key: {key}\n",
            self.world.path("origin/origin-ca.pem").display(),
            self.port
        ));
    }

    fn web(&self, name: &str) -> String {
        std::fs::read_to_string(self.world.path("web").join(name)).unwrap()
    }

    #[track_caller]
    fn refused(&self, args: &[&str], says: &str) {
        let ran = self.world.run(args).expect(2);
        assert!(ran.stderr.contains(says), "`{says}` is missing: {ran:?}");
        assert!(!self.installed().exists(), "nothing is written: {ran:?}");
    }

    fn installed(&self) -> std::path::PathBuf {
        self.world.home().join("policies/postgres.pack.yaml")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn a_signed_policy_is_listed_fetched_and_in_force() {
    let Some(registry) = Registry::open("a_signed_policy_is_listed_fetched_and_in_force") else { return };
    let world = &registry.world;
    let listed = |world: &World| -> serde_json::Value {
        let ran = world.run(&["policy", "list", "--json"]).expect(0);
        let last = ran.stdout.lines().last().unwrap();
        serde_json::from_str(last).unwrap()
    };
    let entry = listed(world);
    assert_eq!((&entry["name"], &entry["version"]), (&"postgres".into(), &"1.0.0".into()), "{entry}");
    assert_eq!(entry["installed"], false);
    world.run(&["test", "psql -c 'drop database x'"]).expect(3);
    let ran = world.run(&["policy", "fetch", "postgres"]).expect(0);
    assert!(ran.stdout.contains("postgres.pack.yaml"), "{ran:?}");
    world.run(&["test", "psql -c 'drop database x'"]).expect(1);
    world.run(&["test", "--run"]).expect(0);
    // The default profile holds as before: a pack is an addition.
    world.run(&["test", "rm -rf /"]).expect(1);
    assert_eq!(listed(world)["installed"], true);
    let again = world.run(&["policy", "fetch", "postgres"]).expect(0);
    assert!(again.stdout.contains("is installed"), "{again:?}");
    // A newer version takes the place of an unedited one, and of an edited one only by force.
    world.write("web/postgres.yaml", POSTGRES.replace("1.0.0", "1.1.0").replace("drop database", "drop table"));
    registry.publish(&[]).expect(0);
    assert_eq!(listed(world)["outdated"], true);
    world.run(&["policy", "fetch", "postgres"]).expect(0);
    world.run(&["test", "psql -c 'drop table x'"]).expect(1);
    let mine = format!("{}# mine\n", std::fs::read_to_string(registry.installed()).unwrap());
    std::fs::write(registry.installed(), &mine).unwrap();
    assert_eq!(listed(world)["edited"], true);
    let ran = world.run(&["policy", "fetch", "postgres"]).expect(2);
    assert!(ran.stderr.contains("--force"), "{ran:?}");
    assert_eq!(std::fs::read_to_string(registry.installed()).unwrap(), mine);
    world.run(&["policy", "fetch", "postgres", "--force"]).expect(0);
    assert_eq!(std::fs::read_to_string(registry.installed().with_extension("yaml.edited")).unwrap(), mine);
}

#[test]
fn s13_what_a_registry_must_not_do_is_refused() {
    let Some(registry) = Registry::open("s13_what_a_registry_must_not_do_is_refused") else { return };
    let world = &registry.world;
    let (index, signature) = (registry.web("index.json"), registry.web("index.json.sig"));
    let fetch = ["policy", "fetch", "postgres"];
    // A text that is not the one that was signed, and a list that is not.
    world.write("web/postgres.yaml", POSTGRES.replace("deny", "allow"));
    registry.refused(&fetch, "not what the list says");
    world.write("web/index.json", index.replace("1.0.0", "1.0.1"));
    registry.refused(&fetch, "its signature is not of the key");
    world.write("web/index.json", &index);
    world.write("web/index.json.sig", "00");
    registry.refused(&fetch, "128 hexadecimal digits");
    std::fs::remove_file(world.path("web/index.json.sig")).unwrap();
    registry.refused(&fetch, "404");
    world.write("web/index.json.sig", &signature);
    // Somebody else's key, one that is none, and no key at all.
    registry.trust("ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    registry.refused(&fetch, "its signature is not of the key");
    registry.trust("ed25519:00");
    registry.refused(&fetch, "64 hexadecimal");
    registry.trust(&registry.key());
    registry.refused(&["policy", "fetch", "postgres", "--registry", "https://localhost/x"], "Give its public key");
    let plain = ["policy", "fetch", "postgres", "--registry", "http://localhost/x", "--key", &registry.key()];
    registry.refused(&plain, "not https");
    // An older list than was seen, and another one with the same serial.
    world.write("web/postgres.yaml", POSTGRES.replace("1.0.0", "1.1.0"));
    let said = registry.publish(&[]).expect(0).stdout;
    assert!(said.contains("serial 3"), "{said}");
    world.run(&["policy", "list"]).expect(0);
    let newest = (registry.web("index.json"), registry.web("index.json.sig"));
    world.write("web/index.json", &index);
    world.write("web/index.json.sig", &signature);
    registry.refused(&fetch, "somebody may hand out an old list");
    let forced = world.run(&["policy", "list", "--force"]).expect(0);
    assert!(forced.stderr.contains("going on as forced"), "{forced:?}");
    world.write("web/index.json", &newest.0);
    world.write("web/index.json.sig", &newest.1);
    // What does not load, asks others, or is too long.
    for (text, says) in [
        (POSTGRES.replace("when:", "wen:"), "wen"),
        (
            POSTGRES.replace("action: deny", "action: webhook\n        webhook: { url: 'https://x.example/' }"),
            "asks no service",
        ),
        (format!("{POSTGRES}notify: {{ url: 'https://x.example/' }}\n"), "notify"),
    ] {
        world.write("web/postgres.yaml", &text);
        let ran = registry.publish(&[]).expect(2);
        assert!(ran.stderr.contains(says) && ran.stderr.contains("does not load"), "{ran:?}");
    }
    world.write("web/postgres.yaml", format!("{POSTGRES}{}", "# long\n".repeat(200_000)));
    registry.publish(&[]).expect(0);
    registry.refused(&fetch, "longer than 1024 KiB");
    // A redirect, which the web server answers for a folder.
    std::fs::create_dir_all(world.path("web/moved")).unwrap();
    let moved = format!("https://localhost:{}/moved", registry.port);
    let key = registry.key();
    registry.refused(&["policy", "fetch", "postgres", "--registry", &moved, "--key", &key], "no redirect is followed");
    registry.refused(&["policy", "fetch", "../custom"], "there is no policy");
    registry.refused(&["policy", "fetch", "mysql"], "postgres");
}
