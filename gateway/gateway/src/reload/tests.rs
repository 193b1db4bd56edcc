use std::{fs, os::unix::fs::symlink, path::PathBuf};

use super::*;
use crate::{Config, Home, Settings};

fn policy(name: &str) -> String {
    format!(
        "version: \"1\"\npolicies:\n  - name: {name}\n    match: {{ tool: read }}\n    rules:\n      - action: deny\n        when: {{ path_matches: [\"/x\"] }}\n        message: no\n"
    )
}

struct World {
    _dir: tempfile::TempDir,
    gateway: Arc<Gateway>,
    folder: PathBuf,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("home"));
        home.prepare().unwrap();
        fs::write(home.policies().join("custom.yaml"), policy("zero")).unwrap();
        let folder = home.policies();
        let settings = Settings { home, config: Config::default(), project_policies: true, outside: None };
        Self { _dir: dir, gateway: Gateway::open(settings).await.unwrap(), folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.join("custom.yaml")
    }

    fn in_force(&self) -> Vec<String> {
        self.gateway.rules_in_force().ruleset.policies().iter().map(|p| p.name.clone()).collect()
    }

    /// Waits until a policy is in force; at no time may there be none.
    async fn comes(&self, name: &str) {
        let until = Instant::now() + Duration::from_secs(5);
        while self.in_force() != [name] {
            assert_eq!(self.in_force().len(), 1, "a moment without the policy, or with another one");
            assert!(Instant::now() < until, "{name} is not in force: {:?}", self.in_force());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_an_editor_saves_is_noticed() {
    let world = World::new().await;
    let aside = world.folder.join(".custom.yaml.new");

    fs::write(world.file(), policy("in-place")).unwrap();
    world.comes("in-place").await;

    fs::write(&aside, policy("renamed-over")).unwrap();
    fs::rename(&aside, world.file()).unwrap();
    world.comes("renamed-over").await;

    fs::rename(world.file(), world.folder.join("custom.yaml~")).unwrap();
    fs::write(world.file(), policy("backup-kept")).unwrap();
    world.comes("backup-kept").await;

    fs::remove_file(world.file()).unwrap();
    fs::write(world.file(), policy("deleted-and-made")).unwrap();
    world.comes("deleted-and-made").await;

    let (one, two) = (world.folder.join("..one"), world.folder.join("..two"));
    fs::write(&one, policy("linked")).unwrap();
    fs::write(&two, policy("linked-elsewhere")).unwrap();
    symlink(&one, &aside).unwrap();
    fs::rename(&aside, world.file()).unwrap();
    world.comes("linked").await;
    symlink(&two, &aside).unwrap();
    fs::rename(&aside, world.file()).unwrap();
    world.comes("linked-elsewhere").await;

    let other = world.folder.with_file_name("policies.new");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("custom.yaml"), policy("folder-replaced")).unwrap();
    fs::rename(&world.folder, world.folder.with_file_name("policies.old")).unwrap();
    fs::rename(&other, &world.folder).unwrap();
    world.comes("folder-replaced").await;

    fs::write(world.file(), policy("in-the-new-folder")).unwrap();
    world.comes("in-the-new-folder").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_policy_is_seen_and_the_old_one_stays() {
    let world = World::new().await;
    // At once: half of what is written would be rejected too.
    let replace = |text: &str| {
        let beside = world.file().with_extension("new");
        fs::write(&beside, text).unwrap();
        fs::rename(&beside, world.file()).unwrap();
    };
    replace("policies: [");
    let until = Instant::now() + Duration::from_secs(5);
    while world.gateway.rules_in_force().rejected.is_empty() {
        assert!(Instant::now() < until, "nobody noticed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(world.in_force(), ["zero"]);
    assert!(world.gateway.reload().await.is_err(), "asked again it says so again");
    replace(&policy("mended"));
    world.comes("mended").await;
    assert!(world.gateway.rules_in_force().rejected.is_empty());
    let changes = |event: &str| {
        let files = fs::read_dir(world.gateway.home().audit()).unwrap().map(|entry| entry.unwrap().path());
        let segments = files.filter(|path| path.extension().is_some_and(|e| e == "jsonl"));
        let trail: String = segments.map(|path| fs::read_to_string(path).unwrap()).collect();
        let event = format!(r#""event":"{event}""#);
        trail.lines().filter(|line| line.contains(r#""type":"policy""#) && line.contains(&event)).count()
    };
    // The record follows the change that it tells of.
    while changes("loaded") < 2 {
        assert!(Instant::now() < until + Duration::from_secs(5), "the change is not recorded");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.gateway.close().await;
    assert_eq!((changes("loaded"), changes("rejected")), (2, 1), "each is recorded once");
}
