//! `rampart dashboard`: a link that logs one browser in, printed and opened.

use std::{
    io::IsTerminal as _,
    process::{Command, Stdio},
};

use anyhow::Context as _;

use crate::{args::Dashboard, environment::Environment, exit::Exit, printer::Printer, reach};

pub(crate) fn run(args: &Dashboard, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    reach::ensure(environment)?;
    let link = reach::client(environment).dashboard_link()?;
    if args.json {
        printer.json(&link)?;
        return Ok(Exit::Yes);
    }
    printer.out(&link.url);
    printer.note(format!("It logs in the browser that opens it first, within {} s.", link.expires_in_s));
    let opener = opener(environment);
    if args.open {
        let opener = opener.context("no browser is at hand: set BROWSER to one, or open the link yourself")?;
        open(&opener, &link.url)?;
    } else if let Some(opener) = opener.filter(|_| !args.no_open && std::io::stdout().is_terminal())
        && let Err(error) = open(&opener, &link.url)
    {
        printer.note(format!("{error:#}; open the link yourself"));
    }
    Ok(Exit::Yes)
}

/// What opens links here: `BROWSER`, or what the desktop has for that where there is one.
fn opener(environment: &Environment) -> Option<String> {
    if let Some(browser) = &environment.browser {
        return Some(browser.clone());
    }
    if cfg!(target_os = "macos") {
        return Some("open".to_owned());
    }
    let there = std::env::split_paths(&environment.path).any(|folder| folder.join("xdg-open").is_file());
    (environment.display && there).then(|| "xdg-open".to_owned())
}

/// Other users can see the link in the list of processes; it is of no use to them, since only a browser of the user who
/// asked for it is logged in.
fn open(opener: &str, url: &str) -> anyhow::Result<()> {
    let mut command = Command::new(opener);
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // It may stay as long as the browser does.
    command.spawn().map(drop).with_context(|| format!("cannot start `{opener}`"))
}
