//! The home: its folders and files, whose they are, who else may touch them, and whether what stands in them loads.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rampart_certs::Authority;
use rampart_gateway::{Config, Home, audit::verify, policy_files};

use super::{Check, Fix};
use crate::{environment::Environment, reach};

/// What lies in the home, and the bits that its mode must not have.
const FOLDERS: [(&str, u32); 5] =
    [("policies", 0o022), ("audit", 0o022), ("ca", 0o077), ("run", 0o022), ("state", 0o022)];
const FILES: [(&str, u32); 4] =
    [("token", 0o077), ("ca/authority.pem", 0o077), ("audit/redaction.key", 0o077), ("config.yaml", 0o022)];

pub(super) fn checks(environment: &Environment) -> Vec<Check> {
    let home = Home::at(&environment.home);
    if !environment.home.is_dir() && reach::is_of_the_machine(environment) {
        let found =
            format!("{} is not needed: the machine's gateway has a home of its own", environment.home.display());
        return vec![Check::ok("home", found), shim()];
    }
    if !environment.home.is_dir() {
        let found = format!("{} is not there yet", environment.home.display());
        let remedy = "the first command that needs it makes it; so does --fix";
        return vec![Check::warn("home", found, remedy).fixed_by(Fix::Folders)];
    }
    let mut checks = modes(&environment.home);
    let missing: Vec<&str> =
        FOLDERS.iter().map(|(name, _)| *name).filter(|name| !environment.home.join(name).is_dir()).collect();
    if !missing.is_empty() {
        let found = format!("{} has no {} yet", environment.home.display(), missing.join(", "));
        checks.push(
            Check::warn("folders", found, "the first command that needs them makes them; so does --fix")
                .fixed_by(Fix::Folders),
        );
    }
    checks.push(config(&home));
    if !missing.contains(&"policies") {
        checks.push(policies(environment));
    }
    checks.push(authority(&home));
    if !missing.contains(&"audit") {
        checks.push(trail(&home));
    }
    checks.push(shim());
    checks
}

/// Owner and mode of everything that others must not touch.
fn modes(root: &Path) -> Vec<Check> {
    let us = rustix::process::geteuid().as_raw();
    let policies = fs::read_dir(root.join("policies")).into_iter().flatten().flatten().map(|entry| entry.path());
    let known = FOLDERS.iter().chain(&FILES).map(|(name, mask)| (root.join(name), *mask));
    let mut all: Vec<(PathBuf, u32)> = vec![(root.to_owned(), 0o077)];
    all.extend(known.chain(policies.map(|path| (path, 0o022))));
    let mut checks = Vec::new();
    let mut seen = 0;
    for (path, mask) in all {
        let meta = match path.symlink_metadata() {
            Ok(meta) => meta,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => {
                let found = format!("{} cannot be looked at: {e}", path.display());
                checks.push(Check::fail("home", found, "mend it, or use another RAMPART_HOME"));
                continue;
            }
        };
        seen += 1;
        if meta.file_type().is_symlink() {
            let found = format!("{} is a symbolic link, and none is followed here", path.display());
            checks.push(Check::fail("home", found, "put the real thing in its place"));
        } else if meta.uid() != us {
            let found = format!("{} belongs to user {}, not to you (user {us})", path.display(), meta.uid());
            checks.push(Check::fail("home", found, format!("chown {us} {}", path.display())));
        } else if meta.mode() & mask != 0 {
            let mode = meta.mode() & 0o777 & !mask;
            let found = format!("others may use {} (mode {:04o})", path.display(), meta.mode() & 0o777);
            let remedy = format!("chmod {mode:o} {}", path.display());
            checks.push(Check::fail("home", found, remedy).fixed_by(Fix::Mode(path, mode)));
        }
    }
    if checks.is_empty() {
        checks.push(Check::ok("home", format!("{}: {seen} folders and files, all yours alone", root.display())));
    }
    checks
}

/// Sets the mode of something that is not a link.
pub(super) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    if path.symlink_metadata()?.file_type().is_symlink() {
        return Err(io::Error::other("it is a symbolic link"));
    }
    fs::set_permissions(path, Permissions::from_mode(mode))
}

fn config(home: &Home) -> Check {
    let file = home.config_file();
    let text = match home.config() {
        Ok(text) => text,
        Err(e) => return Check::fail("config", e.to_string(), "mend it or remove it"),
    };
    match text.map(|text| Config::parse(&text, &file.display().to_string())) {
        None => Check::ok("config", "no config.yaml: everything has its default"),
        Some(Ok(_)) => Check::ok("config", format!("{} loads", file.display())),
        Some(Err(wrong)) => {
            let first = wrong.first().map(ToString::to_string).unwrap_or_default();
            Check::fail("config", first, "mend the line; the gateway does not start with it")
        }
    }
}

fn policies(environment: &Environment) -> Check {
    let files = match policy_files(&Home::at(&environment.home).policies()) {
        Ok(files) => files,
        Err(wrong) => {
            let first = wrong.first().map(ToString::to_string).unwrap_or_default();
            return Check::fail("policies", first, "mend or remove the file");
        }
    };
    match rampart_policy::load(&files) {
        Err(wrong) => {
            let first = wrong.first().map(ToString::to_string).unwrap_or_default();
            Check::fail("policies", first, "`rampart policy lint` shows the line")
        }
        Ok(loaded) => {
            let found = format!("{} rules from {} files", loaded.ruleset.rule_count(), files.len());
            match loaded.warnings.len() {
                0 => Check::ok("policies", found),
                count => {
                    Check::warn("policies", format!("{found}, {count} warnings"), "`rampart policy lint` shows them")
                }
            }
        }
    }
}

fn authority(home: &Home) -> Check {
    let dir = home.ca();
    if !dir.join("authority.pem").exists() {
        return Check::ok("ca", "made when the egress proxy first starts");
    }
    match Authority::open(&dir) {
        Ok(_) => Check::ok("ca", format!("the key is private and the certificate is valid: {}", dir.display())),
        Err(e) => Check::fail("ca", e.to_string(), "without it the egress proxy does not start"),
    }
}

/// The whole trail is read: what is not verified is not claimed.
fn trail(home: &Home) -> Check {
    match verify::verify(&home.audit(), &verify::Options::default(), |_| {}) {
        Err(e) => Check::fail("audit", format!("the trail cannot be read: {e}"), "`rampart audit verify` says more"),
        Ok(report) if !report.ok => {
            let first = report.problems.first().map(|p| format!("{}:{}: {}", p.file, p.line, p.message));
            Check::fail("audit", first.unwrap_or_default(), "`rampart audit verify` shows all of it")
        }
        Ok(report) => {
            let notes = match report.notes.len() {
                0 => String::new(),
                count => format!(", {count} accounted interruptions"),
            };
            Check::ok("audit", format!("{} records in {} files verified{notes}", report.records, report.segments))
        }
    }
}

/// The small binary that hooks and shells run.
fn shim() -> Check {
    let beside = std::env::current_exe().map(|own| own.with_file_name("rampart-shim"));
    match beside {
        Ok(path) if path.exists() => Check::ok("shim", format!("{} is there", path.display())),
        Ok(path) => Check::warn(
            "shim",
            format!("{} is not there; hooks and shells run this program instead, which starts slower", path.display()),
            "install `rampart-shim` beside `rampart`",
        ),
        Err(e) => Check::warn("shim", format!("this program's own file is not known: {e}"), "run it by its path"),
    }
}
