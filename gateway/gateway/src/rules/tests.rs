use std::{fs, os::unix::fs::PermissionsExt};

use rampart_policy::Layer;

use super::*;

const GOOD: &str = r#"version: "1"
default_action: allow
policies:
  - name: first
    match: { tool: read }
    rules:
      - action: deny
        when: { path_matches: ["/one/**"] }
        message: The first
  - name: second
    match: { tool: read }
    rules:
      - action: deny
        when: { path_matches: ["/two/**"] }
        message: The second
"#;

struct Folder {
    dir: tempfile::TempDir,
}

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self { dir: tempfile::tempdir().unwrap() };
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.path().join(name), text).unwrap();
    }

    fn load(&self) -> Result<Rules, Vec<Diagnostic>> {
        Rules::load(self.dir.path().to_owned(), true)
    }
}

fn names(rules: &Rules) -> Vec<String> {
    rules.in_force().files.iter().map(|file| file.name.clone()).collect()
}

#[test]
fn a_file_has_its_layer_by_its_name() {
    for (name, expected) in [
        ("standard.yaml", Layer::Profile),
        ("paranoid.yml", Layer::Profile),
        ("aws.yaml", Layer::Profile),
        ("custom.yaml", Layer::User),
        ("mine.yaml", Layer::User),
        ("user-overrides.yaml", Layer::Overrides),
    ] {
        assert_eq!(layer(name), expected, "{name}");
    }
}

#[test]
fn where_nothing_is_chosen_the_default_profile_holds() {
    let none = Folder::with(&[]);
    assert_eq!(names(&none.load().unwrap()), ["standard.yaml"]);
    let overrides = "policies: []\n";
    let only_additions = Folder::with(&[("user-overrides.yaml", overrides), (".custom.yaml.swp", "x"), ("notes", "x")]);
    assert_eq!(names(&only_additions.load().unwrap()), ["standard.yaml", "user-overrides.yaml"]);
    let own = Folder::with(&[("custom.yaml", GOOD)]);
    assert_eq!(names(&own.load().unwrap()), ["custom.yaml"]);
    let missing = tempfile::tempdir().unwrap();
    assert!(Rules::load(missing.path().join("policies"), true).is_err(), "a folder that is gone is no empty folder");
}

#[test]
fn a_file_that_does_not_load_is_no_start() {
    let folder = Folder::with(&[("custom.yaml", "policies: [")]);
    let wrong = folder.load().unwrap_err();
    assert_eq!(wrong.first().unwrap().file, "custom.yaml");
}

#[test]
fn however_much_of_a_policy_is_written_the_last_good_one_stays() {
    let folder = Folder::with(&[("custom.yaml", GOOD)]);
    let rules = folder.load().unwrap();
    let mut last_good = rules.in_force().ruleset.hash().to_owned();
    for cut in 0..GOOD.len() {
        folder.write("custom.yaml", &GOOD[..cut]);
        match rules.refresh() {
            // What loads by itself is a policy; nobody can know that its author meant to write on.
            Refreshed::Changed => rules.in_force().ruleset.hash().clone_into(&mut last_good),
            Refreshed::Rejected(wrong) => {
                assert!(!wrong.is_empty());
                assert!(matches!(rules.refresh(), Refreshed::Same), "told once");
                assert!(!rules.rejected().is_empty(), "and shown as long as it is so");
            }
            Refreshed::Same => {}
        }
        assert_eq!(rules.in_force().ruleset.hash(), last_good, "after {cut} bytes");
    }
    folder.write("custom.yaml", GOOD);
    rules.refresh();
    assert!(rules.rejected().is_empty());
    assert_eq!(rules.in_force().ruleset.policies().len(), 2);
}

#[test]
fn what_is_no_proper_file_is_refused_in_its_own_words_and_changes_nothing() {
    type Spoil = fn(&std::path::Path);
    let table: [(Spoil, &str); 5] = [
        (|path| fs::write(path, b"\xff\xfe").unwrap(), "not UTF-8 at byte 1"),
        (|path| fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap(), "anybody may change it"),
        (|path| fs::write(path, "#".repeat(9 << 20)).unwrap(), "larger than 8 MiB"),
        (
            |path| {
                fs::remove_file(path).unwrap();
                fs::create_dir(path).unwrap();
            },
            "not an ordinary file",
        ),
        (
            |path| {
                fs::remove_file(path).unwrap();
                let mode = rustix::fs::Mode::from_raw_mode(0o600);
                rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
            },
            "not an ordinary file",
        ),
    ];
    for (spoil, words) in table {
        let folder = Folder::with(&[("custom.yaml", GOOD)]);
        let rules = folder.load().unwrap();
        let before = rules.in_force().ruleset.hash().to_owned();
        spoil(&folder.dir.path().join("custom.yaml"));
        let Refreshed::Rejected(wrong) = rules.refresh() else { panic!("not rejected: {words}") };
        assert!(wrong[0].message.contains(words), "{}", wrong[0].message);
        assert_eq!(rules.in_force().ruleset.hash(), before);
    }
}

#[test]
fn files_together_are_judged_by_content_and_not_by_name_alone() {
    let folder = Folder::with(&[("custom.yaml", GOOD)]);
    let rules = folder.load().unwrap();
    folder.write("custom.yaml", GOOD);
    assert!(matches!(rules.refresh(), Refreshed::Same), "written again, nothing new");
    folder.write("more.yaml", &GOOD.replace("first", "third").replace("second", "fourth"));
    assert!(matches!(rules.refresh(), Refreshed::Changed));
    assert_eq!(rules.in_force().ruleset.policies().len(), 4);
    fs::remove_file(folder.dir.path().join("more.yaml")).unwrap();
    assert!(matches!(rules.refresh(), Refreshed::Changed));
}

#[test]
fn a_project_only_restricts_and_is_read_with_care() {
    let folder = Folder::with(&[("custom.yaml", GOOD)]);
    let rules = folder.load().unwrap();
    let project = tempfile::tempdir().unwrap();
    let file = project.path().join(".rampart/policy.yaml");
    let workspace = project.path().to_str();
    fs::create_dir(project.path().join(".rampart")).unwrap();
    let alone = Arc::clone(&rules.in_force().ruleset);
    assert!(Arc::ptr_eq(&rules.for_workspace(workspace).unwrap(), &alone), "nothing there");
    assert!(Arc::ptr_eq(&rules.for_workspace(None).unwrap(), &alone));
    assert!(Arc::ptr_eq(&rules.for_workspace(Some("relative")).unwrap(), &alone));

    fs::write(&file, GOOD.replace("first", "third").replace("second", "fourth").replace("default_action: allow\n", ""))
        .unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    let both = rules.for_workspace(workspace).unwrap();
    assert_eq!(both.policies().len(), 4);
    assert!(Arc::ptr_eq(&rules.for_workspace(workspace).unwrap(), &both), "compiled once");

    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &file).unwrap();
    let wrong = rules.for_workspace(workspace).unwrap_err();
    assert!(wrong[0].message.contains("symbolic link"), "{}", wrong[0].message);

    let without = Rules::load(folder.dir.path().to_owned(), false).unwrap();
    assert!(without.for_workspace(workspace).is_ok(), "where projects have no say, their files are not looked at");
}
