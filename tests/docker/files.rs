//! What the files in `docker/` say, checked without running any of it.

use std::{collections::BTreeMap, process::Command};

use super::tool;
use crate::world::{Ran, World, have, root};

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join("docker").join(file)).unwrap()
}

/// The lines of a file of variables.
fn variables(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.split_once('=').unwrap()).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn what_makes_agents_trust_is_what_the_program_prints() {
    let world = World::new();
    let printed = world.run(&["ca", "trust-env", "--folder", "/run/rampart", "--shell", "json"]).expect(0).json();
    let printed: BTreeMap<String, String> = serde_json::from_value(printed).unwrap();
    let mut shipped = variables(&read("trust.env"));
    let feature: serde_json::Value =
        serde_json::from_str(&read("devcontainer-feature/devcontainer-feature.json")).unwrap();
    let feature: BTreeMap<String, String> = serde_json::from_value(feature["containerEnv"].clone()).unwrap();
    assert_eq!(feature, shipped);
    // Java's store is named where it is there, which is in the container only.
    assert!(shipped.remove("JAVA_TOOL_OPTIONS").unwrap().contains("/run/rampart/bundle.p12"));
    assert_eq!(shipped, printed);
    let manifest = read("kubernetes.yaml");
    for (name, file) in manifest
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- { name: ")?.strip_suffix(" }")?.split_once(", value: "))
    {
        if name != "HOME" {
            assert_eq!(shipped.get(name).map(String::as_str), Some(file), "{name}");
        }
    }
}

#[test]
fn each_file_is_what_its_format_wants() {
    let test = "each_file_is_what_its_format_wants";
    let (Some(schemas), Some(kubernetes)) = (tool(test, "check-jsonschema"), tool(test, "kubernetes-validate")) else {
        return;
    };
    let check = |kind: &str, files: &[&str]| {
        let mut check = Command::new(&schemas);
        check.args(["--builtin-schema", kind]).args(files).current_dir(root().join("docker"));
        let ran = Ran::from(check.output().unwrap());
        assert_eq!(ran.code, Some(0), "{files:?}: {ran:?}");
    };
    let composed = ["compose.yaml", "compose.transparent.yaml", "compose.mcp.yaml", "compose.headless.yaml"];
    check("vendor.compose-spec", &composed);
    check("vendor.github-workflows", &["github-actions.yaml"]);
    let ran = Ran::from(Command::new(kubernetes).arg(root().join("docker/kubernetes.yaml")).output().unwrap());
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn the_rules_and_configurations_that_are_shipped_load_and_do_what_they_say() {
    for config in ["config.yaml", "config.transparent.yaml"] {
        let world = World::with_policy(&read("policies/agent.yaml"));
        world.config(&read(config));
        world.run(&["config", "show"]).expect(0);
        let tests = world.run(&["test", "--run"]);
        assert_eq!(tests.code, Some(0), "{tests:?}");
    }
}

#[test]
fn the_api_listens_beyond_loopback_only_under_a_name() {
    let world = World::new();
    world.config("listen: 0.0.0.0:0\negress:\n  listen: 127.0.0.1:0\n");
    let refused = world.run(&["serve"]);
    assert!(refused.code == Some(2) && refused.stderr.contains("`listen_as`"), "{refused:?}");
}

#[test]
fn init_sets_the_rules_that_it_is_told_and_gives_folders_away() {
    if !have("init_sets_the_rules_that_it_is_told_and_gives_folders_away", &["unshare", "nft", "setpriv"]) {
        return;
    }
    let world = World::new();
    let folder = |name: &str| world.path(name).display().to_string();
    let mut unshare = world.command("unshare");
    let script = r#"rampart=$1; shift; "$rampart" sidecar init "$@" >&2 && "$rampart" sidecar init "$@" >&2 && nft list table inet rampart"#;
    unshare.args(["-n", "sh", "-ec", script, "sh"]).arg(crate::world::bin("rampart"));
    unshare.args([
        "--proxy-uid",
        "7",
        "--tcp",
        "1501",
        "--dns",
        "1553",
        "--home",
        &folder("h"),
        "--shared",
        &folder("s"),
    ]);
    let ran = Ran::from(unshare.args(["--program", &folder(".")]).output().unwrap());
    if ran.stderr.contains("unshare failed") {
        return crate::world::cannot(
            "init_sets_the_rules_that_it_is_told_and_gives_folders_away",
            "no network of its own",
        );
    }
    let ran = ran.expect(0);
    for rule in ["meta skuid 7 return", "redirect to :1501", "redirect to :1553", "policy drop"] {
        assert!(ran.stdout.contains(rule), "{rule}: {ran:?}");
    }
    for (name, mode) in [("h", 0o700), ("s", 0o755)] {
        use std::os::unix::fs::MetadataExt as _;
        let meta = std::fs::metadata(world.path(name)).unwrap();
        assert_eq!((meta.uid(), meta.mode() & 0o7777), (7, mode), "{name}");
    }
    assert!(Ran::from(world.command(world.path("rampart")).arg("--version").output().unwrap()).success());
    let mut nobody = world.command("setpriv");
    nobody.args(["--reuid=65534", "--clear-groups"]).arg(crate::world::bin("rampart")).args(["sidecar", "init"]);
    let refused = Ran::from(nobody.env("RAMPART_HOME", "/nowhere").current_dir("/").output().unwrap());
    assert!(refused.code == Some(2) && refused.stderr.contains("CAP_NET_ADMIN"), "{refused:?}");
}

#[test]
fn the_list_of_what_the_program_is_made_of_is_whole() {
    let test = "the_list_of_what_the_program_is_made_of_is_whole";
    if !have(test, &["python3"]) {
        return;
    }
    let ran = Ran::from(Command::new(root().join("docker/sbom")).arg("amd64").output().unwrap()).expect(0);
    let told = ran.json();
    assert_eq!((told["bomFormat"].as_str(), told["specVersion"].as_str()), (Some("CycloneDX"), Some("1.5")));
    assert_eq!(told["metadata"]["component"]["name"], "rampart-cli");
    let components = told["components"].as_array().unwrap();
    let names: Vec<_> = components.iter().filter_map(|c| c["name"].as_str()).collect();
    for crate_name in ["rampart-egress", "rustls", "aws-lc-rs", "tokio", "rampart-jail"] {
        assert!(names.contains(&crate_name), "{crate_name}");
    }
    for component in components.iter().filter(|c| !c["name"].as_str().unwrap().starts_with("rampart-")) {
        assert!(component["hashes"][0]["content"].as_str().is_some_and(|hash| hash.len() == 64), "{component}");
        assert!(component["licenses"][0]["expression"].is_string(), "{component}");
    }
}

#[test]
fn the_feature_of_dev_containers_installs_what_it_names() {
    if !have("the_feature_of_dev_containers_installs_what_it_names", &["unshare", "mount"]) {
        return;
    }
    let world = World::new();
    world.write("etc/profile.d/.keep", "");
    // With a folder of the test in place of the machine's.
    let script = r#"mount --bind "$1" /etc/profile.d
        store=/usr/local/share/ca-certificates; [ ! -d $store ] || mount -t tmpfs none $store
        PROXY="$3" sh "$2" && cat /etc/profile.d/rampart.sh"#;
    for (proxy, wanted) in [("http://rampart:9091", "export HTTPS_PROXY='http://rampart:9091'"), ("", "")] {
        let mut unshare = world.command("unshare");
        unshare.args(["-m", "sh", "-ec", script, "sh"]).arg(world.path("etc/profile.d"));
        unshare.arg(root().join("docker/devcontainer-feature/install.sh")).arg(proxy);
        let ran = Ran::from(unshare.output().unwrap()).expect(0);
        assert!(ran.stdout.contains(wanted) && (proxy.is_empty() == ran.stdout.is_empty()), "{ran:?}");
    }
}
