//! `rampart serve install`: what the service managers would be given, checked by their own tools.

mod everybody;
mod systemd;

use std::path::PathBuf;

use crate::world::{Ran, World, have};

#[test]
fn the_units_are_what_systemd_accepts() {
    if !have("the_units_are_what_systemd_accepts", &["systemd-analyze"]) {
        return;
    }
    let world = World::new();
    let installed = world.run(&["serve", "install", "--no-start"]).expect(0);
    assert!(installed.stderr.contains("rampart.service"), "{installed:?}");
    let unit = world.path("home/.config/systemd/user/rampart.service");
    let verified = Ran::from(world.command("systemd-analyze").args(["verify", "--user"]).arg(&unit).output().unwrap());
    let about_us: Vec<_> = verified.stderr.lines().filter(|line| line.contains("rampart")).collect();
    assert!(about_us.is_empty(), "{about_us:#?}");
    let again = world.run(&["serve", "install", "--no-start"]).expect(0);
    assert!(again.stderr.contains("is as it should be"), "{again:?}");
    world.run(&["serve", "uninstall", "--no-start"]).expect(0);
    assert!(!unit.exists());
    let shown = world.run(&["serve", "install", "--system", "--dry-run"]).expect(0).stdout;
    let start = shown.find("# /etc/systemd/system").expect("the unit's place");
    let (_, text) = shown[start..].split_once('\n').unwrap();
    let text = text.split("# /etc/rampart").next().unwrap();
    let unit: PathBuf = world.write("system/rampart.service", text);
    let verified = Ran::from(world.command("systemd-analyze").arg("verify").arg(&unit).output().unwrap());
    // The user is made by the second file, which is not in place here.
    let about_us: Vec<_> = verified.stderr.lines().filter(|line| line.contains("rampart.service")).collect();
    assert!(about_us.is_empty(), "{about_us:#?}");
    let mut security = world.command("systemd-analyze");
    security.args(["security", "--offline=true", "--threshold=25", "--no-pager"]).arg(&unit);
    let exposure = Ran::from(security.output().unwrap());
    assert_eq!(exposure.code, Some(0), "an exposure of 2.5 at most: {exposure:?}");
}

#[test]
fn a_unit_of_somebody_else_is_left_alone() {
    let world = World::new();
    let unit = world.write("home/.config/systemd/user/rampart.service", "[Service]\nExecStart=/bin/true\n");
    let refused = world.run(&["serve", "install", "--no-start"]).expect(2);
    assert!(refused.stderr.contains("was not written by Rampart"), "{refused:?}");
    world.run(&["serve", "uninstall", "--no-start"]).expect(0);
    assert!(unit.exists());
}

#[test]
fn an_agent_installs_and_removes_no_service() {
    let world = World::new();
    for verb in ["install", "uninstall"] {
        let mut command = world.rampart(&["serve", verb, "--no-start"]);
        let ran = Ran::from(command.env("RAMPART_SESSION", "s").output().unwrap()).expect(2);
        assert!(ran.stderr.contains("session"), "{ran:?}");
    }
    assert!(!world.path("home/.config/systemd").exists());
}
