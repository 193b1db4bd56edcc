//! Every program that the knowledge has an entry for stands in a line of the fixtures.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use rampart_call::CommandLine;
use rampart_shell::{Surroundings, analyze};

/// The entries of `commands/*.toml`: each with all its names.
fn entries() -> BTreeMap<String, BTreeSet<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("commands");
    let mut entries = BTreeMap::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "toml") {
            continue;
        }
        let programs: toml::Table = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        for (name, program) in programs {
            let also = program.get("also").and_then(toml::Value::as_array).into_iter().flatten();
            let names = also.filter_map(|n| n.as_str().map(str::to_owned)).chain([name.clone()]).collect();
            entries.insert(name, names);
        }
    }
    entries
}

/// The programs that the lines of a fixture run, wherever in the line.
fn run_by(text: &str, seen: &mut BTreeSet<String>) {
    let around =
        Surroundings { cwd: Some("/home/u/proj"), home: Some("/home/u"), workspace: None, rampart_home: None };
    for line in text.lines().filter(|line| !line.starts_with("# ")) {
        for component in analyze(&CommandLine::Command(line.replace("\\n", "\n")), &around).components {
            let name = component.argv.first().map_or("", String::as_str);
            let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
            let name = name.strip_suffix(".exe").unwrap_or(name);
            seen.insert(name.to_owned());
            seen.insert(name.to_ascii_lowercase());
        }
    }
}

#[test]
fn every_entry_has_a_line_that_shows_it() {
    let mut seen = BTreeSet::new();
    run_by(include_str!("../fixtures/attacks.txt"), &mut seen);
    run_by(include_str!("../fixtures/everyday.txt"), &mut seen);
    let without: Vec<String> =
        entries().into_iter().filter(|(_, names)| names.is_disjoint(&seen)).map(|(name, _)| name).collect();
    assert!(without.is_empty(), "write a line into fixtures/attacks.txt or everyday.txt for: {without:?}");
}
