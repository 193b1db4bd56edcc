//! The rules of the house, kept by tests: who may know whom, what the core may touch, how long a file may be.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Who may know whom inside the workspace. A new line here is an architecture decision.
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    ("call", &[]),
    ("shell", &["call"]),
    ("scan", &["call"]),
    ("policy", &["call", "scan", "shell"]),
    ("certs", &[]),
    ("mcp", &["call"]),
    ("egress", &["call", "certs"]),
    ("agents", &["call"]),
    ("frame", &[]),
    ("jail", &[]),
    ("shim", &["agents", "call", "client"]),
    ("supervisor", &["call"]),
    ("client", &["call"]),
    ("gateway", &["call", "policy", "scan"]),
    ("api", &["call", "client", "gateway"]),
    ("tui", &["call", "client", "scan"]),
    (
        "cli",
        &[
            "agents",
            "api",
            "call",
            "certs",
            "client",
            "egress",
            "frame",
            "gateway",
            "jail",
            "mcp",
            "policy",
            "scan",
            "shell",
            "shim",
            "supervisor",
            "tui",
        ],
    ),
    ("verify", &["call", "egress", "scan"]),
    ("tests", &[]),
];

/// What the pure core must never have below it.
const NOT_IN_THE_CORE: &[&str] = &["tokio", "hyper", "mio", "rustls", "socket2", "notify"];

const LICENCES: &[&str] = &[
    "Apache-2.0",
    "MIT",
    "MIT-0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "OpenSSL",
    "Unlicense",
    "0BSD",
    "MIT-0",
    "MPL-2.0",
    "BSL-1.0",
    "LLVM-exception",
];

/// Lines that a source file may have.
const LONGEST_FILE: usize = 800;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn cargo(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(args).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "cargo {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn metadata() -> Value {
    serde_json::from_str(&cargo(&["metadata", "--format-version=1", "--locked"])).unwrap()
}

/// Files that git tracks, or would.
fn files(ending: &str) -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    let list = String::from_utf8(output.stdout).unwrap();
    let all: Vec<_> = list.lines().filter(|f| f.ends_with(ending)).map(|f| root().join(f)).collect();
    all.into_iter().filter(|f| f.is_file()).collect()
}

#[test]
fn crates_know_only_whom_they_may() {
    let metadata = metadata();
    let mut seen = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        let Some(name) = package["name"].as_str().unwrap().strip_prefix("rampart-") else { continue };
        let folder = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap();
        assert_eq!(folder.file_name().unwrap(), name, "a crate is called rampart- and its folder's name");
        let allowed = MAY_DEPEND_ON.iter().find(|(n, _)| *n == name);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("rampart-{name} is not in the table"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let Some(other) = dependency["name"].as_str().unwrap().strip_prefix("rampart-") else { continue };
            if dependency["kind"].as_str() != Some("dev") {
                assert!(allowed.contains(&other), "rampart-{name} may not know rampart-{other}");
            }
        }
        seen.insert(name.to_owned());
    }
    let table: BTreeSet<_> = MAY_DEPEND_ON.iter().map(|(n, _)| (*n).to_owned()).collect();
    assert_eq!(table, seen, "the table names crates that are not there");
}

#[test]
fn the_core_has_no_runtime_network_or_system_below_it() {
    for core in ["call", "shell", "scan", "policy"] {
        let package = format!("rampart-{core}");
        let tree = cargo(&["tree", "-p", &package, "-e", "normal,no-proc-macro", "--prefix", "none", "--locked"]);
        let names: BTreeSet<_> = tree.lines().filter_map(|l| l.split(' ').next()).collect();
        for banned in NOT_IN_THE_CORE {
            assert!(!names.contains(banned), "{package} has {banned} below it");
        }
    }
}

#[test]
fn the_core_names_no_clock_file_socket_or_environment() {
    const BANNED: &[&str] = &[
        "std::fs",
        "std::net::Tcp",
        "std::net::Udp",
        "std::os::unix",
        "std::process::",
        "std::time::SystemTime",
        "std::time::Instant",
        "std::env",
        "std::thread::spawn",
    ];
    for file in files(".rs").iter().filter(|f| f.starts_with(root().join("policies"))) {
        let path = file.to_string_lossy();
        if ["/tests/", "/benches/", "/examples/", "/tests.rs", "_tests.rs"].iter().any(|t| path.contains(t)) {
            continue;
        }
        let text = std::fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for banned in BANNED {
            assert!(!code.contains(banned), "{}: {banned}", file.display());
        }
    }
}

#[test]
fn no_source_file_is_too_long() {
    for file in
        [files(".rs"), files(".py"), files(".mjs"), files(".ts"), files(".tsx"), files(".css"), files(".sh")].concat()
    {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= LONGEST_FILE, "{} has {lines} lines; split it by what it is about", file.display());
    }
}

#[test]
fn file_names_say_what_is_inside() {
    for file in files(".rs") {
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        for vague in ["util", "utils", "helper", "helpers", "common", "manager", "handler", "handlers", "misc"] {
            assert_ne!(stem, vague, "{}", file.display());
        }
    }
}

#[test]
fn no_unfinished_work_is_left_in_the_code() {
    let words = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X"].concat(), ["#[ign", "ore]"].concat()];
    for file in files(".rs") {
        let text = std::fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            for word in &words {
                let marker = line.contains(&format!("{word}:")) || line.contains(&format!("{word}("));
                let ignored = word.starts_with('#') && line.contains(word.as_str());
                assert!(!marker && !ignored, "{}:{}: {line}", file.display(), number + 1);
            }
        }
    }
}

#[test]
fn every_dependency_has_a_licence_we_accept() {
    for package in metadata()["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or("");
        let split = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.');
        let words = licence.split(split).filter(|w| !w.is_empty() && !["OR", "AND", "WITH"].contains(w));
        let (good, bad): (Vec<_>, Vec<_>) = words.partition(|w| LICENCES.contains(w));
        let choice = licence.contains(" OR ") || licence.contains('/');
        assert!(!good.is_empty() && (bad.is_empty() || choice), "{name}: `{licence}`");
    }
}

#[test]
fn the_workspace_uses_each_dependency_it_lists() {
    let manifest: toml::Table = std::fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let listed: BTreeSet<String> = manifest["workspace"]["dependencies"].as_table().unwrap().keys().cloned().collect();
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    for file in files("Cargo.toml") {
        let text = std::fs::read_to_string(file).unwrap();
        let table: toml::Table = text.parse().unwrap();
        let systems = table.get("target").and_then(|t| t.as_table()).into_iter().flat_map(toml::Table::values);
        for table in systems.filter_map(|t| t.as_table()).chain([&table]) {
            for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
                for name in table.get(section).and_then(|t| t.as_table()).into_iter().flat_map(toml::Table::keys) {
                    *used.entry(name.clone()).or_default() += 1;
                }
            }
        }
    }
    let unused: Vec<_> = listed.iter().filter(|name| !used.contains_key(*name)).collect();
    assert!(unused.is_empty(), "listed but used by no crate: {unused:?}");
}

#[test]
fn nothing_committed_names_a_place_it_should_not() {
    let words = [["/wo", "rk/"].concat(), ["registry.", "npmjs"].concat(), ["files.python", "hosted"].concat()];
    let output = Command::new("git").args(["ls-files"]).current_dir(root()).output().unwrap();
    for name in String::from_utf8(output.stdout).unwrap().lines() {
        let Ok(text) = std::fs::read_to_string(root().join(name)) else { continue };
        for word in &words {
            assert!(!text.contains(word.as_str()), "{name} names `{word}`");
        }
    }
}
