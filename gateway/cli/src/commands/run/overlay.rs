//! What becomes of the changes to a copy of the project when the agent has ended.

use std::io::IsTerminal as _;

use anyhow::{Context as _, bail};
use rampart_gateway::Home;
use rustix::{
    stdio::stdin,
    termios::{OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr},
};

use crate::{
    args::{Run, SessionMode, WhenDone},
    environment::Environment,
    exit::Exit,
    launch::Launch,
    overlay::{Shown, View, show},
    printer::{BOLD, Printer, styled},
};

/// The most lines of changes that are shown before somebody is asked.
const MOST_LINES: usize = 500;

/// A copy of the project that an agent is about to change.
pub(super) struct Copied {
    view: View,
    when_done: WhenDone,
    /// How the terminal was before.
    terminal: Option<Termios>,
}

impl Copied {
    /// Prepares one where it was asked for.
    ///
    /// # Errors
    /// When it cannot be made, or nothing would keep the agent to it.
    pub(super) fn prepare(args: &Run, launch: &Launch, environment: &Environment) -> anyhow::Result<Option<Self>> {
        let Some(when_done) = args.overlay else { return Ok(None) };
        if args.mode == SessionMode::Monitor {
            bail!("`--overlay` takes the jail, and where nothing is refused there is none: leave one of them out");
        }
        let project = environment.workspace().canonicalize().context("cannot find the project")?;
        let home = Home::at(&environment.home);
        let view = View::begin(&home, &project, &launch.agent, &launch.session.session)?;
        Ok(Some(Self { view, when_done, terminal: tcgetattr(stdin()).ok() }))
    }

    pub(super) fn overlay(&self) -> rampart_jail::Overlay {
        self.view.overlay()
    }

    /// The agent did not run.
    pub(super) fn forget(self) {
        // Nothing is in it.
        let _ = self.view.remove();
    }

    /// The agent has ended as `exit` says.
    ///
    /// # Errors
    /// When what it changed cannot be read; it is kept.
    pub(super) fn settle(self, exit: Exit, printer: Printer) -> anyhow::Result<Exit> {
        let Self { view, when_done, terminal } = self;
        let id = view.id.clone();
        let kept = || format!("what the agent changed is kept: `rampart overlay show {id}`");
        let changes = view.changes().with_context(kept)?;
        if changes.is_empty() {
            printer.note("rampart: nothing of the project was changed");
            view.remove()?;
            return Ok(exit);
        }
        let project = rampart_scan::visible(&view.about.project.display().to_string());
        printer.note(styled(BOLD, format!("rampart: changed in a copy of {project}:")));
        printer.note(show(&changes, Shown::Lines(MOST_LINES)));
        match asked(when_done, terminal.as_ref(), printer)? {
            WhenDone::Accept => match changes.accept(false) {
                Ok(count) => {
                    view.remove()?;
                    printer.note(format!("rampart: {count} changes are in the project now"));
                    return Ok(exit);
                }
                Err(error) => {
                    printer.note(format!("rampart: {error:#}"));
                    tell_kept(&view, printer);
                    return Ok(match exit {
                        Exit::Child(0) => Exit::No,
                        failed => failed,
                    });
                }
            },
            WhenDone::Discard => {
                view.remove()?;
                printer.note("rampart: they are thrown away");
            }
            WhenDone::Ask | WhenDone::Keep => tell_kept(&view, printer),
        }
        Ok(exit)
    }
}

fn tell_kept(view: &View, printer: Printer) {
    let id = &view.id;
    printer.note(format!(
        "rampart: the project is as it was, and the changes are kept: `rampart overlay show {id}`, `accept {id}`, `discard {id}`"
    ));
}

/// What a person says where they were to be asked, and can be. What is neither word keeps the changes.
fn asked(when_done: WhenDone, terminal: Option<&Termios>, printer: Printer) -> anyhow::Result<WhenDone> {
    if when_done != WhenDone::Ask || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(when_done);
    }
    // The agent may have left it as it liked, and what was typed was for the agent.
    if let Some(terminal) = terminal {
        let _ = tcsetattr(stdin(), OptionalActions::Now, terminal);
    }
    let _ = tcflush(stdin(), QueueSelector::IFlush);
    Ok(match printer.answer("Accept them, discard them, or keep them for later? [a/d/K]")?.as_str() {
        "a" | "accept" => WhenDone::Accept,
        "d" | "discard" => WhenDone::Discard,
        _ => WhenDone::Keep,
    })
}
