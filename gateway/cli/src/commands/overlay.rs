//! `rampart overlay`: copies of projects that agents changed, which were kept for later.

use rampart_gateway::Home;
use serde::Serialize;

use crate::{
    args::OverlayVerb,
    environment::Environment,
    exit::Exit,
    overlay::{Shown, View, show},
    printer::{DIM, Printer, styled},
};

/// One that is kept.
#[derive(Serialize)]
struct Kept<'a> {
    id: &'a str,
    project: &'a std::path::Path,
    agent: &'a str,
    session: &'a str,
    began: &'a str,
}

pub(crate) fn run(verb: OverlayVerb, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let home = Home::at(&environment.home);
    match verb {
        OverlayVerb::List { json } => list(&home, json, printer),
        OverlayVerb::Show(one) => {
            let changes = View::find(&home, &one.copy)?.changes()?;
            printer.out_raw(show(&changes, Shown::Whole));
            Ok(Exit::Yes)
        }
        OverlayVerb::Accept(one) => {
            let view = View::find(&home, &one.copy)?;
            let changes = view.changes()?;
            let conflicts = changes.conflicts();
            if !conflicts.is_empty() && !one.force {
                for conflict in &conflicts {
                    printer.note(format!("  {conflict}"));
                }
                printer.note(format!(
                    "rampart: the project was changed as well, and nothing is done; `rampart overlay accept --force {}` goes over that",
                    view.id
                ));
                return Ok(Exit::No);
            }
            let count = changes.accept(one.force)?;
            let project = view.about.project.display().to_string();
            view.remove()?;
            printer.out(format!("{count} changes are in {} now", rampart_scan::visible(&project)));
            Ok(Exit::Yes)
        }
        OverlayVerb::Discard(one) => {
            let view = View::find(&home, &one.copy)?;
            let id = view.id.clone();
            view.remove()?;
            printer.out(format!("{id} is thrown away"));
            Ok(Exit::Yes)
        }
    }
}

fn list(home: &Home, json: bool, printer: Printer) -> anyhow::Result<Exit> {
    let views = View::all(home)?;
    let kept = views.iter().map(|View { id, about, .. }| Kept {
        id,
        project: &about.project,
        agent: &about.agent,
        session: &about.session,
        began: &about.began,
    });
    if json {
        printer.json(&kept.collect::<Vec<_>>())?;
        return Ok(Exit::Yes);
    }
    for Kept { id, project, agent, began, .. } in kept {
        let text = format!("{} by {agent}", project.display());
        printer.out(format!("{id}  {began}  {}", rampart_scan::visible(&text)));
    }
    if views.is_empty() {
        printer.note(styled(DIM, "none is kept"));
    }
    Ok(Exit::Yes)
}
