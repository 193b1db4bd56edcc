//! `rampart doctor`: looks at everything that protection stands on, tries what can be tried, and says what was seen.
//! Nothing is inferred from what the configuration intends.

mod gateway;
mod home;
#[cfg(target_os = "linux")]
mod jail;
#[cfg(target_os = "linux")]
mod probe;
mod roads;

use std::path::PathBuf;

use rampart_agents::setup::{self, Setup};
use rampart_call::Outcome;
use rampart_client::wire;
use serde::Serialize;

use crate::{
    args::Doctor,
    commands::setup::{again, has_drifted},
    environment::Environment,
    exit::Exit,
    printer::{BOLD, DIM, Printer, outcome_style, styled},
};

/// What became of one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// As it should be.
    Ok,
    /// It works, and could be better.
    Warn,
    /// It does not protect.
    Fail,
}

/// One look.
#[derive(Debug, Serialize)]
struct Check {
    /// Stable id.
    id: &'static str,
    state: State,
    /// What was seen.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    /// `--fix` does that.
    fixable: bool,
    #[serde(skip)]
    fix: Option<Fix>,
}

/// What `--fix` can do.
#[derive(Debug)]
enum Fix {
    /// Make a folder or file private.
    Mode(PathBuf, u32),
    /// Make the folders of the home.
    Folders,
    /// Set an agent up again.
    Setup(&'static Setup),
}

/// How much a road holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Protection {
    /// Nothing gets around it.
    Enforced,
    /// It works for programs that take part.
    Advisory,
    /// Nothing is asked there.
    Open,
}

impl Protection {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Enforced => "enforced",
            Self::Advisory => "advisory",
            Self::Open => "open",
        }
    }
}

/// One way from an agent to the world.
#[derive(Debug, Serialize)]
struct Road {
    #[serde(rename = "road")]
    name: &'static str,
    protection: Protection,
    /// What shows it.
    evidence: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    /// No check failed.
    ok: bool,
    checks: Vec<Check>,
    roads: Vec<Road>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixed: Vec<String>,
}

impl Check {
    fn ok(id: &'static str, found: impl Into<String>) -> Self {
        Self { id, state: State::Ok, found: found.into(), remedy: None, fixable: false, fix: None }
    }

    fn warn(id: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state: State::Warn, remedy: Some(remedy.into()), ..Self::ok(id, found) }
    }

    fn fail(id: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state: State::Fail, remedy: Some(remedy.into()), ..Self::ok(id, found) }
    }

    fn fixed_by(self, fix: Fix) -> Self {
        Self { fixable: true, fix: Some(fix), ..self }
    }
}

pub(crate) fn run(args: &Doctor, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    if args.probe {
        return probed(args, environment, printer);
    }
    let mut report = look(environment);
    if args.fix {
        let fixed = mend(&report.checks, environment);
        report = look(environment);
        report.fixed = fixed;
    }
    if args.json {
        printer.json(&report)?;
    } else {
        show(&report, args.fix, printer);
    }
    Ok(if report.ok { Exit::Yes } else { Exit::No })
}

#[cfg(target_os = "linux")]
fn probed(args: &Doctor, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let roads = probe::measured(environment)?;
    let ok = roads.iter().all(|road| road.protection == Protection::Enforced);
    if args.json {
        printer.json(&Report { schema: "rampart.doctor.v1", ok, checks: Vec::new(), roads, fixed: Vec::new() })?;
    } else {
        show_roads(&roads, printer);
    }
    Ok(if ok { Exit::Yes } else { Exit::No })
}

#[cfg(not(target_os = "linux"))]
fn probed(_: &Doctor, _: &Environment, _: Printer) -> anyhow::Result<Exit> {
    anyhow::bail!("`--probe` walks roads on Linux only; `rampart egress probe` tries the way past the proxy")
}

/// Agents that were set up and are no longer.
fn agents(environment: &Environment) -> impl Iterator<Item = Check> {
    setup::ALL.iter().copied().filter(|setup| has_drifted(setup, environment)).map(|setup| {
        let found = format!("{} was set up, and its settings are no longer so", setup.title);
        Check::fail("agents", found, format!("`rampart setup {}`", setup.agent.name)).fixed_by(Fix::Setup(setup))
    })
}

fn look(environment: &Environment) -> Report {
    let mut checks = home::checks(environment);
    checks.extend(agents(environment));
    let status = gateway::checks(environment, &mut checks);
    #[cfg(target_os = "linux")]
    checks.push(jail::jail(environment));
    let roads = roads::roads(environment, status.as_ref());
    let ok = checks.iter().all(|check| check.state != State::Fail);
    Report { schema: "rampart.doctor.v1", ok, checks, roads, fixed: Vec::new() }
}

/// How much each road holds, by what can be seen from a gateway.
pub(super) fn roads_from(environment: &Environment, status: &wire::Status) -> Vec<wire::Road> {
    let told = |Road { name, protection, evidence, remedy }: Road| wire::Road {
        road: name.to_owned(),
        protection: protection.as_str().to_owned(),
        evidence,
        remedy,
    };
    roads::roads_of_all(environment, status).into_iter().map(told).collect()
}

/// Does what is safe to do, and says what was done.
fn mend(checks: &[Check], environment: &Environment) -> Vec<String> {
    let done = |check: &Check| -> Option<String> {
        match check.fix.as_ref()? {
            Fix::Mode(path, mode) => match home::set_mode(path, *mode) {
                Ok(()) => Some(format!("{} has mode {mode:04o} now", path.display())),
                Err(e) => Some(format!("{} could not be made private: {e}", path.display())),
            },
            Fix::Setup(setup) => match again(setup, environment) {
                Ok(()) => Some(format!("{} asks Rampart again", setup.title)),
                Err(e) => Some(format!("{} could not be set up: {e:#}", setup.title)),
            },
            Fix::Folders => match rampart_gateway::Home::at(&environment.home).prepare() {
                Ok(()) => Some(format!("the folders of {} are there now", environment.home.display())),
                Err(e) => Some(format!("the folders could not be made: {e}")),
            },
        }
    };
    checks.iter().filter_map(done).collect()
}

fn show(report: &Report, fixing: bool, printer: Printer) {
    for line in &report.fixed {
        printer.out(format!("{} {line}", styled(outcome_style(Outcome::Allow), "fixed")));
    }
    for check in &report.checks {
        let (mark, style) = match check.state {
            State::Ok => ("ok  ", outcome_style(Outcome::Allow)),
            State::Warn => ("warn", outcome_style(Outcome::Ask)),
            State::Fail => ("FAIL", outcome_style(Outcome::Deny)),
        };
        printer.hung(17, format!("{}  {:<10} {}", styled(style, mark), check.id, rampart_scan::visible(&check.found)));
        if let Some(remedy) = &check.remedy {
            printer.hung(17, styled(DIM, format!("{:17}{remedy}", "")));
        }
    }
    printer.out("");
    printer.out(styled(BOLD, "Roads"));
    show_roads(&report.roads, printer);
    if !fixing && report.checks.iter().any(|check| check.fixable) {
        printer.note("`rampart doctor --fix` mends modes, folders and the settings of agents");
    }
}

fn show_roads(roads: &[Road], printer: Printer) {
    for road in roads {
        let style = match road.protection {
            Protection::Enforced => outcome_style(Outcome::Allow),
            Protection::Advisory => outcome_style(Outcome::Ask),
            Protection::Open => outcome_style(Outcome::Deny),
        };
        let word = styled(style, format!("{:<8}", road.protection.as_str()));
        printer.hung(22, format!("{word}  {:<11} {}", road.name, rampart_scan::visible(&road.evidence)));
        if let Some(remedy) = &road.remedy {
            printer.hung(22, styled(DIM, format!("{:22}{remedy}", "")));
        }
    }
    printer.note(styled(DIM, "advisory: a program that does not take part can walk around it"));
}
