//! Where there is not everything that a jail takes.

use std::process::Stdio;

use super::Jail;
use crate::world::{Ran, have};

/// Runs `rampart run` where no further user namespace can be made.
fn without_namespaces(jail: &Jail, home: &std::path::Path, script: &str) -> Ran {
    let inside = format!(
        "echo 0 > /proc/sys/user/max_user_namespaces && exec {} run --agent mine -- /bin/sh -c '{script}'",
        crate::world::bin("rampart").display()
    );
    let mut command = jail.road.world.command("unshare");
    command.env("HOME", home).env("RAMPART_HOME", home.join(".rampart"));
    command.args(["--user", "--map-root-user", "--", "sh", "-c", &inside]);
    Ran::from(command.stdin(Stdio::null()).output().unwrap())
}

#[test]
fn what_is_missing_is_named_and_the_next_best_is_taken_by_choice_only() {
    let test = "what_is_missing_is_named_and_the_next_best_is_taken_by_choice_only";
    if !have(test, &["unshare"]) {
        return;
    }
    let Some(jail) = Jail::open(test) else { return };
    let world = &jail.road.world;
    let probe = world.command("unshare").args(["--user", "--map-root-user", "true"]).status();
    assert!(probe.is_ok_and(|status| status.success()), "{test} needs a user namespace");
    // Not among temporary files, which all may be written there.
    let folder = crate::world::bin("rampart").parent().unwrap().to_path_buf();
    let elsewhere = tempfile::tempdir_in(folder).unwrap();
    let home = elsewhere.path();
    let rampart = home.join(".rampart");
    let write = |path: &str, text: &str| {
        let path = home.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    for path in [".ssh/id_rsa", ".config/gh/hosts.yml", ".config/other"] {
        write(path, "content\n");
    }
    let config = std::fs::read_to_string(world.home().join("config.yaml")).unwrap();
    write(".rampart/config.yaml", &config);
    write(".rampart/policies/custom.yaml", super::POLICY);
    crate::world::set_mode(&rampart, 0o700);
    let ran = without_namespaces(&jail, home, "touch made").expect(2);
    assert!(ran.stderr.contains("no jail can be made here (namespaces: making a user namespace"), "{ran:?}");
    assert!(ran.stderr.contains("jail: {without: files}") && ran.stderr.contains("--no-jail"), "{ran:?}");
    assert!(!world.project().join("made").exists());

    write(".rampart/config.yaml", &format!("{config}\njail: {{without: files}}\n"));
    let script = "touch made; touch ~/made; cat ~/.ssh/id_rsa ~/.config/gh/hosts.yml ~/.config/other $RAMPART_HOME/token; \
                  curl -sS -m 5 -o /dev/null -w \"%{http_code} \" $URL; curl --noproxy \"*\" -sS -m 5 http://203.0.113.1/; \
                  cat /proc/self/status | grep NoNewPrivs";
    let script = script.replace("$URL", &jail.road.url("origin.test", "/1k"));
    let ran = without_namespaces(&jail, home, &script);
    assert!(ran.stderr.contains("jail     enforced"), "{ran:?}");
    assert!(ran.stderr.contains("http     advisory  the host's network, but no packets"), "{ran:?}");
    assert!(ran.stderr.contains("namespaces: making a user namespace"), "{ran:?}");
    assert!(world.project().join("made").exists() && !home.join("made").exists(), "{ran:?}");
    assert_eq!(ran.stdout, "content\n200 NoNewPrivs:\t1\n", "{ran:?}");

    write(".rampart/config.yaml", &format!("{config}\njail: {{without: run}}\n"));
    let ran = without_namespaces(&jail, home, "touch ~/made; echo ran").expect(0);
    assert!(ran.stdout == "ran\n" && ran.stderr.contains("jail     open"), "{ran:?}");
    assert!(home.join("made").exists());
    let mut stop = world.rampart(&["serve", "stop"]);
    assert!(stop.env("RAMPART_HOME", &rampart).status().unwrap().success());
}

#[test]
fn a_session_that_is_only_watched_has_the_network_and_all_its_files() {
    let Some(jail) = Jail::open("a_session_that_is_only_watched_has_the_network_and_all_its_files") else { return };
    let denied = jail.road.url("denied.test", "/1k");
    let script = format!("touch ~/made; curl --noproxy '*' -sS -o /dev/null -w '%{{http_code}}' {denied}");
    let ran = jail.run(&["--mode", "monitor", "--", "/bin/sh", "-c", &script]).expect(0);
    assert_eq!(ran.stdout, "200", "{ran:?}");
    assert!(ran.stderr.contains("http     enforced") && ran.stderr.contains("jail     open"), "{ran:?}");
    assert!(jail.road.world.path("home/made").exists());
    assert!(jail.road.world.decisions().iter().any(|d| d.to_string().contains("denied.test")));
}
