//! Where paths lie, and how delicate they are.

use rampart_call::{Scope, Sensitivity, Target};
use rampart_shell::{Surroundings, locate};

const AROUND: Surroundings<'_> = Surroundings {
    cwd: Some("/home/u/proj/src"),
    home: Some("/home/u"),
    workspace: Some("/home/u/proj"),
    rampart_home: Some("/srv/guard"),
};

#[test]
fn paths_are_told_apart() {
    use Scope::{AgentConfig, Device, Elsewhere, Home, HomeRoot, Project, Rampart, System, SystemRoot, Temp};
    use Sensitivity::{Credential, MayHoldSecrets, Ordinary, Persistence};
    for (path, scope, sensitivity) in [
        ("main.rs", Project, Ordinary),
        ("../Cargo.toml", Project, Ordinary),
        ("../../other/x", Home, Ordinary),
        ("/home/u/proj", Project, Ordinary),
        ("~", HomeRoot, Ordinary),
        ("~/*", HomeRoot, Ordinary),
        ("/home/*", HomeRoot, Ordinary),
        ("/root", HomeRoot, Ordinary),
        ("/", SystemRoot, Ordinary),
        ("/*", SystemRoot, Ordinary),
        ("/etc", SystemRoot, Ordinary),
        ("/usr/lib/x", System, Ordinary),
        ("/tmp/x", Temp, Ordinary),
        ("/dev/sda", Device, Ordinary),
        ("/dev/null", Elsewhere, Ordinary),
        ("~/.ssh/id_rsa", Home, Credential),
        ("~/.ssh/id_rsa.pub", Home, Ordinary),
        ("/proc/self/root/etc/shadow", System, Credential),
        ("//etc//./shadow", System, Credential),
        ("../id_ed25519", Project, Credential),
        ("../.env", Project, MayHoldSecrets),
        ("../.env.example", Project, Ordinary),
        ("credentials.rs", Project, Ordinary),
        ("../docs/ssh-keys.md", Project, Ordinary),
        ("~/.bashrc", Home, Persistence),
        ("../.git/hooks/pre-commit", Project, Persistence),
        ("/etc/cron.d/x", System, Persistence),
        ("../.claude/settings.json", AgentConfig, Ordinary),
        ("../CLAUDE.md", Project, Ordinary),
        ("~/.rampart/policies/a.yaml", Rampart, Ordinary),
        ("/srv/guard/token", Rampart, Ordinary),
        ("/usr/local/bin/rampart", Rampart, Ordinary),
        (r"C:\Users\Alice\.aws\credentials", Home, Credential),
        (r"\\server\share\.ssh\id_rsa", Elsewhere, Credential),
        (r"C:\Windows\System32\config\SAM", System, Credential),
        ("/run/secrets/db", System, Credential),
        ("/proc/self/environ", System, MayHoldSecrets),
        ("~/.supabase/access-token", Home, Credential),
        ("~/.config/configstore/firebase-tools.json", Home, Credential),
        ("/var/lib/rancher/k3s/server/node-token", System, Credential),
        ("/var/backups/shadow.bak", System, Credential),
        ("~/.bundle/config", Home, MayHoldSecrets),
        ("../.bundle/config", Project, Ordinary),
        ("~/.config/i3/config", Home, Persistence),
        ("~/.docker/cli-plugins/docker-x", Home, Persistence),
        ("~/.pyenv/shims/python", Home, Persistence),
        ("~/.pyenv/version", Home, Ordinary),
        ("~/.cargo/bin/cargo", Home, Persistence),
        ("~/.cargo/bin/mytool", Home, Ordinary),
    ] {
        let Target::Path { scope: is, sensitivity: delicate, path: normal, .. } = locate(path, &AROUND) else {
            panic!("`{path}` is no path");
        };
        assert_eq!((is, delicate), (scope, sensitivity), "{path} is {normal}");
    }
}

#[test]
fn nothing_known_makes_relative_paths_the_project_s() {
    for (path, scope) in
        [("x", Scope::Project), ("../x", Scope::Elsewhere), ("~/x", Scope::Home), ("~/../..", Scope::SystemRoot)]
    {
        let Target::Path { scope: is, .. } = locate(path, &Surroundings::default()) else {
            panic!("`{path}` is no path")
        };
        assert_eq!(is, scope, "{path}");
    }
}

#[test]
fn neither_the_root_nor_a_home_is_a_project() {
    for around in [Surroundings { cwd: Some("/"), ..AROUND }, Surroundings { cwd: Some("/home/u"), ..AROUND }] {
        let around = Surroundings { workspace: None, ..around };
        let Target::Path { scope, .. } = locate("x", &around) else { panic!("no path") };
        assert_ne!(scope, Scope::Project);
    }
}

#[test]
fn a_home_in_a_temporary_directory_is_a_home() {
    let around = Surroundings { cwd: Some("/tmp/t1/home/p"), home: Some("/tmp/t1/home"), workspace: None, ..AROUND };
    for (home, path, scope) in [
        ("/tmp/t1/home", "~", Scope::HomeRoot),
        ("/tmp/t1/home", "/tmp/t1/home/notes", Scope::Home),
        ("/tmp/t1/home", "x", Scope::Project),
        ("/tmp/t1/home", "/tmp/t1/x", Scope::Temp),
        ("/tmp", "/tmp/x", Scope::Temp),
    ] {
        let Target::Path { scope: is, .. } = locate(path, &Surroundings { home: Some(home), ..around }) else {
            panic!("`{path}` is no path")
        };
        assert_eq!(is, scope, "{path}");
    }
}

#[test]
fn what_containers_check_out_is_a_project_and_all_of_it_is_not() {
    for (path, scope) in [
        ("/repo/dist", Scope::Project),
        ("/repo/.venv", Scope::Project),
        ("/repo", Scope::SystemRoot),
        ("/repo/*", Scope::Elsewhere),
        ("/workspace/app/target", Scope::Project),
        ("/workspace/app", Scope::Elsewhere),
        ("/data/x", Scope::Elsewhere),
    ] {
        let Target::Path { scope: is, .. } = locate(path, &AROUND) else { panic!("`{path}` is no path") };
        assert_eq!(is, scope, "{path}");
    }
}
