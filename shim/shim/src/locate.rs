//! Where things really are, as far as this process can see: the paths of a call with symbolic links resolved, and the
//! project that a directory belongs to.

use std::path::{Component, Path, PathBuf};

use rampart_call::{Action, Call, Origin};

/// Fills in where the call's paths lead. `cwd` is where relative ones start.
pub fn resolve(call: &mut Call, cwd: Option<&Path>) {
    let home = call.origin.home.as_deref().map(Path::new);
    if let Action::Read { paths } | Action::Write { paths, .. } | Action::Edit { paths, .. } = &mut call.action {
        for located in paths.iter_mut().filter(|located| located.resolved.is_none()) {
            let real = absolute(&located.path, cwd, home).map(|path| real(&path));
            located.resolved = real.and_then(|path| path.into_os_string().into_string().ok());
        }
    }
}

/// The project that a directory belongs to, whose own policy counts: the outermost folder upwards that has one, so that
/// an agent does not escape it into a folder with another; else the nearest checkout; else the directory itself. Never
/// the home directory nor anything above it.
pub fn project(cwd: &Path, home: Option<&Path>) -> PathBuf {
    let folders = || cwd.ancestors().take_while(|folder| Some(*folder) != home && folder.parent().is_some());
    let with_policy = folders().filter(|folder| folder.join(".rampart/policy.yaml").exists()).last();
    let checkout = || folders().find(|folder| folder.join(".git").exists());
    with_policy.or_else(checkout).unwrap_or(cwd).to_owned()
}

/// Puts the project in place of the directory that the call came with, or of `cwd`.
pub fn place(origin: &mut Origin, cwd: Option<&Path>) {
    let told = origin.workspace.as_deref().map(Path::new).or(cwd).filter(|folder| folder.is_absolute());
    let project = told.map(|folder| project(folder, origin.home.as_deref().map(Path::new)));
    origin.workspace = project.and_then(|project| project.into_os_string().into_string().ok());
}

fn absolute(path: &str, cwd: Option<&Path>, home: Option<&Path>) -> Option<PathBuf> {
    match path.strip_prefix('~') {
        Some("") => home.map(Path::to_owned),
        Some(rest) if rest.starts_with('/') => Some(home?.join(rest.trim_start_matches('/'))),
        _ => {
            let path = cwd.unwrap_or(Path::new("")).join(path);
            path.is_absolute().then_some(path)
        }
    }
}

/// The real path of the deepest part that exists, with the rest behind it.
fn real(path: &Path) -> PathBuf {
    let mut missing = Vec::new();
    let mut existing = path;
    loop {
        if let Ok(real) = existing.canonicalize() {
            let rest = missing.into_iter().rev();
            return rest.fold(real, |mut real, component| {
                match component {
                    Component::ParentDir => drop(real.pop()),
                    Component::CurDir => {}
                    other => real.push(other),
                }
                real
            });
        }
        match (existing.components().next_back(), existing.parent()) {
            (Some(last), Some(parent)) => {
                missing.push(last);
                existing = parent;
            }
            _ => return path.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rampart_call::{Located, Phase};

    use super::*;

    fn resolved(path: &str, cwd: &Path, home: &Path) -> Option<String> {
        let origin = Origin { home: Some(home.to_str().unwrap().into()), ..Origin::default() };
        let action = Action::Read { paths: vec![Located::written(path)] };
        let mut call = Call { origin, phase: Phase::Before, action, response: None };
        resolve(&mut call, Some(cwd));
        let Action::Read { paths } = call.action else { panic!() };
        paths.into_iter().next().unwrap().resolved
    }

    #[test]
    fn the_project_is_where_its_policy_or_its_checkout_is_but_never_the_home() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path();
        for folder in
            [".git", "app/.git", "app/src/deep", "strict/.rampart", "strict/sub/.git", "strict/sub/.rampart", "notes"]
        {
            std::fs::create_dir_all(home.join(folder)).unwrap();
        }
        for folder in [".rampart", "strict/.rampart", "strict/sub/.rampart"] {
            std::fs::create_dir_all(home.join(folder)).unwrap();
            std::fs::write(home.join(folder).join("policy.yaml"), "").unwrap();
        }
        for (cwd, expected) in [
            ("app/src/deep", "app"),
            ("app", "app"),
            ("strict/sub", "strict"),
            ("notes", "notes"),
            ("none/at/all", "none/at/all"),
        ] {
            assert_eq!(project(&home.join(cwd), Some(home)), home.join(expected), "{cwd}");
        }
        assert_eq!(project(home, Some(home)), home);
    }

    #[test]
    fn links_are_followed_even_where_the_end_does_not_exist_yet() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let (home, work) = (dir.join("home"), dir.join("work"));
        std::fs::create_dir_all(home.join(".ssh")).unwrap();
        std::fs::create_dir_all(&work).unwrap();
        std::os::unix::fs::symlink(home.join(".ssh"), work.join("innocent")).unwrap();
        for (written, expected) in [
            ("innocent/id_new", home.join(".ssh/id_new")),
            ("~/.ssh", home.join(".ssh")),
            ("~", home.clone()),
            ("./a/../b", work.join("b")),
            ("innocent/../x", home.join("x")),
            ("/etc/../none/x", PathBuf::from("/none/x")),
        ] {
            assert_eq!(resolved(written, &work, &home).as_deref(), expected.to_str(), "{written}");
        }
    }
}
