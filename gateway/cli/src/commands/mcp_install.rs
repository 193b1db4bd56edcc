//! `rampart mcp install`: puts `rampart mcp --` in front of the servers in the configurations of MCP clients, and takes it
//! away again.

mod clients;
mod servers;
mod wrapping;

use std::fs;

use anyhow::{Context as _, bail};
use rampart_scan::visible;

use self::{
    clients::{CLIENTS, Place},
    wrapping::{Changed, unwrap, wrap},
};
use crate::{
    args::McpInstall,
    environment::Environment,
    exit::Exit,
    printer::{BOLD, DIM, Printer, styled},
    settings_file::{self, show, shown},
    user_overrides::text_of,
};

pub(crate) fn run(args: &McpInstall, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let clients = CLIENTS.iter().filter(|client| args.client.as_ref().is_none_or(|wanted| wanted == client.name));
    let places: Vec<Place> = clients.flat_map(|client| (client.places)(environment)).collect();
    if places.is_empty() {
        let known = CLIENTS.map(|client| client.name).join(", ");
        bail!("no client `{}` is known; there are {known}", visible(args.client.as_deref().unwrap_or_default()));
    }
    let found: Vec<&Place> = places.iter().filter(|place| place.path.is_file()).collect();
    if found.is_empty() {
        let looked: Vec<String> = places.iter().map(|place| format!("\n  {}", place.path.display())).collect();
        if args.client.is_some() {
            bail!("there is no configuration to change; looked for{}", looked.concat());
        }
        printer.note(format!("no MCP client keeps servers here; looked for{}", looked.concat()));
        return Ok(Exit::Yes);
    }
    let mut whole = true;
    for place in found {
        if let Err(error) = one(place, args, environment, printer) {
            printer.note(format!("rampart: {}: {error:#}", place.path.display()));
            whole = false;
        }
    }
    Ok(if whole { Exit::Yes } else { Exit::Error })
}

/// Changes one file.
fn one(place: &Place, args: &McpInstall, environment: &Environment, printer: Printer) -> anyhow::Result<()> {
    // A link into a folder of dotfiles stays a link.
    let path = place.path.canonicalize()?;
    let text = text_of(&path)?;
    let own = own_command(place)?;
    let backup = settings_file::backup(&path, "mcp", environment);
    let kept = fs::read_to_string(&backup).ok();
    // The backup is what stood here before only as long as nobody else has changed the file.
    let before = kept.filter(|kept| wrap(kept, place.shape, &own).is_ok_and(|wrapped| wrapped.text == text));
    let changed = if args.remove {
        let changed = unwrap(&text, place.shape)?;
        Changed { text: before.clone().unwrap_or(changed.text), ..changed }
    } else {
        wrap(&text, place.shape, &own)?
    };
    printer.note(styled(BOLD, place.path.display()));
    for (name, why) in &changed.left {
        printer.note(format!("  {} is left as it is: {why}", shown(name)));
    }
    if changed.text == text {
        printer.note(styled(DIM, if args.remove { "  nothing to remove" } else { "  nothing to wrap" }));
        return Ok(());
    }
    show(&text, &changed.text, printer);
    let names = changed.names.iter().map(|name| shown(name)).collect::<Vec<_>>().join(", ");
    let verb = if args.remove { "unwrapped" } else { "wrapped" };
    if args.dry_run {
        printer.note(format!("  would be {verb}: {names}"));
        return Ok(());
    }
    if !args.remove {
        let original = match before {
            Some(before) => before,
            None => unwrap(&text, place.shape)?.text,
        };
        settings_file::keep(&backup, &original, environment)?;
    }
    settings_file::swap(&path, Some(&text), Some(&changed.text), 0o600)?;
    printer.note(format!("  {verb}: {names}"));
    if args.remove {
        let _ = fs::remove_file(&backup);
    } else {
        printer.note(styled(DIM, format!("  as it was: {}; `--remove` undoes it", backup.display())));
    }
    Ok(())
}

/// How the client is to start this program: by its place, since clients often have another PATH than shells; by its name in
/// files that people share.
fn own_command(place: &Place) -> anyhow::Result<String> {
    if place.shared {
        return Ok("rampart".to_owned());
    }
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    own.into_os_string().into_string().map_err(|own| anyhow::anyhow!("the path {} is no text", own.display()))
}
