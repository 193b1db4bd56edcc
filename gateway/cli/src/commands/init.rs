//! `rampart init`: the global policy from a profile, or a project's own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use rampart_gateway::Home;
use rampart_policy::packs;

use crate::{args::Init, commands::from_audit, environment::Environment, exit::Exit, printer::Printer, profile_file};

/// The profiles; one of them is in force at a time. The other packs come on top of it.
const PROFILES: [&str; 4] = ["standard", "paranoid", "ci", "yolo"];

const CUSTOM: &str = r#"# Your own rules. This file is never overwritten; what you save is in force at once.
# `rampart policy lint` checks it, `rampart test "COMMAND"` shows what it decides.
version: "1"
policies: []
#  - name: ask-before-deploys
#    match:
#      tool: exec
#    rules:
#      - action: ask
#        when:
#          command_matches: ["kubectl apply *", "terraform apply *"]
#        message: Production deployment requires approval
"#;

const PROJECT: &str = r#"# Rules for everybody who works on this project. They can only restrict what each person's own policy allows.
version: "1"
policies: []
#  - name: no-force-push
#    match:
#      tool: exec
#    rules:
#      - action: deny
#        when:
#          command_matches: ["git push --force*"]
#        message: Do not force-push here; open a pull request
"#;

pub(crate) fn run(args: &Init, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    if args.from_audit {
        return from_audit::run(args, environment, printer);
    }
    if args.project {
        return project(&environment.workspace(), printer);
    }
    if !PROFILES.contains(&args.profile.as_str()) {
        let name = &args.profile;
        if packs::builtin(name).is_some() {
            bail!("`{name}` is a pack, which comes on top of a profile; try `rampart policy fetch {name}`");
        }
        bail!("there is no profile `{name}`; the profiles are {}", PROFILES.join(", "));
    }
    profile(&Home::at(&environment.home), &args.profile, args.force, printer)?;
    printer.note("Try `rampart test \"rm -rf /\"`.");
    Ok(Exit::Yes)
}

/// Writes a profile in place of the one that is there, and a place for the human's own rules.
fn profile(home: &Home, name: &str, force: bool, printer: Printer) -> anyhow::Result<()> {
    home.prepare()?;
    let folder = home.policies();
    for name in PROFILES {
        retire(&folder.join(format!("{name}.yaml")), force, printer)?;
    }
    let pack = packs::builtin(name).context("the profile is built in")?;
    let path = folder.join(format!("{name}.yaml"));
    fs::write(&path, profile_file::stamp(&pack.text)).with_context(|| format!("cannot write {}", path.display()))?;
    printer.out(format!("profile {name}: {}", path.display()));
    let custom = folder.join("custom.yaml");
    if !custom.exists() {
        fs::write(&custom, CUSTOM).with_context(|| format!("cannot write {}", custom.display()))?;
        printer.out(format!("your rules: {}", custom.display()));
    }
    Ok(())
}

/// The standard profile and a place for the human's own rules, where there is no policy at all.
pub(crate) fn first(home: &Home, printer: Printer) -> anyhow::Result<()> {
    home.prepare()?;
    let folder = fs::read_dir(home.policies())?;
    let any = folder.flatten().any(|entry| entry.path().extension().is_some_and(|e| e == "yaml" || e == "yml"));
    if any { Ok(()) } else { profile(home, "standard", false, printer) }
}

/// Takes the file of a profile away, unless a person edited it.
fn retire(path: &Path, force: bool, printer: Printer) -> anyhow::Result<()> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    if profile_file::unedited(&text) {
        return fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()));
    }
    if !force {
        bail!(
            "{} was edited; move your changes to custom.yaml beside it, or give --force to replace it (a copy is kept)",
            path.display()
        );
    }
    let kept = PathBuf::from(format!("{}.edited", path.display()));
    fs::rename(path, &kept).with_context(|| format!("cannot move {} to {}", path.display(), kept.display()))?;
    printer.note(format!("your edited profile is kept as {}", kept.display()));
    Ok(())
}

fn project(workspace: &Path, printer: Printer) -> anyhow::Result<Exit> {
    let path = workspace.join(".rampart").join("policy.yaml");
    if path.exists() {
        bail!("{} exists already", path.display());
    }
    let folder = workspace.join(".rampart");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::write(&path, PROJECT).with_context(|| format!("cannot write {}", path.display()))?;
    printer.out(format!("project rules: {}", path.display()));
    printer.note("Commit it, and everybody who works here gets these rules.");
    Ok(Exit::Yes)
}
