use std::{
    fs,
    io::Write as _,
    os::unix::fs::{PermissionsExt, symlink},
};

use super::*;

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn first_use_creates_a_private_home() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path().join("home"));
    home.prepare().unwrap();
    home.prepare().unwrap();
    for folder in [home.root().to_owned(), home.policies(), home.audit(), home.ca(), home.state()] {
        assert_eq!(mode(&folder), 0o700, "{}", folder.display());
    }
    let token = home.token().unwrap();
    assert!(token.len() > 64);
    assert_eq!(home.token().unwrap(), token, "written once");
    assert_eq!(mode(&home.root().join("token")), 0o600);
    assert_eq!(home.config().unwrap(), None);
}

#[test]
fn each_way_a_home_can_be_unsafe_is_refused_in_its_own_words() {
    type Spoil = fn(&Home);
    let table: [(Spoil, &str); 9] = [
        (|home| chmod(home.root(), 0o777), "others may use"),
        (|home| chmod(&home.policies(), 0o775), "chmod 700"),
        (|home| chmod(&home.root().join("token"), 0o644), "mode 0644"),
        (
            |home| {
                fs::remove_dir(home.audit()).unwrap();
                symlink("/etc", home.audit()).unwrap();
            },
            "symbolic link",
        ),
        (
            |home| {
                fs::remove_file(home.root().join("token")).unwrap();
                symlink("/etc/passwd", home.root().join("token")).unwrap();
            },
            "symbolic link",
        ),
        (|home| fs::hard_link(home.root().join("token"), home.root().join("second")).unwrap(), "2 names"),
        (
            |home| {
                fs::remove_dir(home.state()).unwrap();
                fs::write(home.state(), "").unwrap();
            },
            "not a folder",
        ),
        (
            |home| {
                fs::remove_file(home.root().join("token")).unwrap();
                fs::create_dir(home.root().join("token")).unwrap();
            },
            "not an ordinary file",
        ),
        (|home| fs::write(home.root().join("token"), "short\n").unwrap(), "no token"),
    ];
    for (spoil, words) in table {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("home"));
        home.prepare().unwrap();
        home.token().unwrap();
        spoil(&home);
        let error = home.prepare().and_then(|()| home.token()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    assert!(Home::at("relative").prepare().unwrap_err().to_string().contains("absolute"));
}

/// Says by name what was not tested, because only root can give a file away. Not by `eprintln!`, which a test that passes
/// keeps to itself.
#[expect(clippy::disallowed_methods, reason = "the tests of a crate read the environment of the tests")]
fn skipped(test: &str) {
    assert!(std::env::var_os("CI").is_none(), "{test} needs root, and in CI nothing is skipped");
    let _ = writeln!(std::io::stderr(), "skipped: {test} needs root");
}

#[test]
fn a_home_that_is_a_link_or_anothers_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let real = Home::at(dir.path().join("real"));
    real.prepare().unwrap();
    let link = dir.path().join("link");
    symlink(real.root(), &link).unwrap();
    assert!(matches!(Home::at(&link).prepare(), Err(HomeError::Link(_))));
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(real.root(), Some(12345), None).unwrap();
        assert!(real.prepare().unwrap_err().to_string().contains("belongs to user 12345"));
    } else {
        skipped("a_home_that_is_a_link_or_anothers_is_refused");
    }
}

#[test]
fn a_pipe_in_place_of_a_file_is_refused_without_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path().join("home"));
    home.prepare().unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, home.root().join("token"), kind, mode, 0).unwrap();
    assert!(matches!(home.token(), Err(HomeError::NotFile(_))));
}

#[test]
fn a_second_gateway_refuses_and_names_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path().join("home"));
    home.prepare().unwrap();
    let first = home.lock().unwrap();
    let error = home.lock().unwrap_err().to_string();
    assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
    drop(first);
    home.lock().unwrap();
}
