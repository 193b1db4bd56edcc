//! `rampart mcp pins`: what of a server's offer was approved, what waits for it, and where both are written.

mod difference;

use std::{ffi::OsString, path::PathBuf};

use anyhow::{Context as _, bail};
use rampart_call::{Action, Call, FindingClass, Judgement, Origin, Phase, Reason, Refusal, Verdict};
use rampart_client::wire::{ApproveMcp, McpRisk, McpServer, SeenMcp};
use rampart_mcp::{
    pins::store::{FirstUse, Store, read, update},
    scan::{self, Catalogue, Lock, Offered, Pinned, Risk},
};
use rampart_scan::visible;
use serde_json::{Value, json};

use self::difference::Waiting;
use super::mcp::naming_word;
use crate::{
    args::{Pinning, PinsApprove, PinsDiff, PinsList, PinsReset, PinsVerb},
    environment::Environment,
    exit::Exit,
    printer::{BOLD, DIM, Printer, styled},
    reach,
};

pub(crate) fn run(verb: PinsVerb, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    match verb {
        PinsVerb::List(args) => list(&args, environment, printer),
        PinsVerb::Diff(args) => diff(&args, environment, printer),
        PinsVerb::Approve(args) => approve(&args, environment, printer),
        PinsVerb::Reset(args) => reset(&args, environment, printer),
    }
}

/// Where the pins of a server are kept; nowhere where everything passes.
///
/// # Errors
/// When a lock cannot be relied on.
pub(super) fn store(
    pinning: Pinning,
    name: &str,
    identity: String,
    environment: &Environment,
) -> anyhow::Result<Option<Store>> {
    let first_use = match pinning {
        Pinning::Off => return Ok(None),
        Pinning::Approved => FirstUse::Withhold,
        Pinning::FirstUse => FirstUse::Trust { hides },
    };
    let [project, home] = books(environment);
    Ok(Some(if read(&project.lock)?.knows(name) {
        // What people review is not filled by itself.
        Store { lock: project.lock, key: name.to_owned(), seen: project.seen, first_use: FirstUse::Withhold }
    } else {
        Store { lock: home.lock, key: identity, seen: home.seen, first_use }
    }))
}

/// Which server this is, whatever it says of itself: the name that policy knows it by, and the package or file it comes
/// from where that is not the name. A package keeps its pins when it is updated.
pub(super) fn identity(name: &str, command: &[OsString], environment: &Environment) -> String {
    let Some(word) = naming_word(command) else { return name.to_owned() };
    let file =
        Some(environment.cwd.join(&word)).filter(|_| word.contains('/')).and_then(|file| file.canonicalize().ok());
    // Of a script in the command itself there is no place.
    let package = || {
        word.match_indices('@')
            .find(|(at, _)| *at > 0)
            .map_or(&*word, |(at, _)| word.get(..at).unwrap_or_default())
            .to_owned()
    };
    let from = match file {
        Some(file) => file.display().to_string(),
        None if word.contains(char::is_whitespace) => return name.to_owned(),
        None => package(),
    };
    if from == name { from } else { format!("{name} ({from})") }
}

fn hides(text: &str) -> bool {
    rampart_scan::scan(text).iter().any(|finding| finding.class == FindingClass::HiddenText)
}

/// What other servers offer, as it is pinned under the home.
///
/// # Errors
/// When the lock cannot be relied on.
pub(super) fn others(name: &str, environment: &Environment) -> anyhow::Result<Vec<(String, Offered)>> {
    let [_, home] = books(environment);
    let lock = read(&home.lock)?;
    let own = format!("{name} (");
    let others = lock.servers().filter(|key| *key != name && !key.starts_with(&own));
    Ok(others.filter_map(|key| Some((key.to_owned(), lock.offered(key)?.clone()))).collect())
}

/// What of one server could be taken for another's.
fn shadows(entry: &Entry, entries: &[Entry]) -> Vec<Risk> {
    let base = |key: &str| key.split(" (").next().unwrap_or(key).to_owned();
    let others = entries.iter().filter(|other| base(&other.key) != base(&entry.key));
    let others: Vec<_> = others.map(|other| (other.key.as_str(), &other.approved)).collect();
    scan::shadows(&Catalogue::of(&entry.approved), &others)
}

/// A lock, and what was seen of its servers otherwise.
struct Book {
    lock: PathBuf,
    seen: PathBuf,
}

/// The project's own, and the home's.
fn books(environment: &Environment) -> [Book; 2] {
    use sha2::Digest as _;
    let project = environment.workspace();
    let folder = environment.home.join("mcp");
    let of = hex::encode(sha2::Sha256::digest(project.as_os_str().as_encoded_bytes()));
    let seen = folder.join(format!("seen-{}.lock", of.get(..16).unwrap_or_default()));
    [
        Book { lock: project.join("rampart.lock"), seen },
        Book { lock: folder.join("rampart.lock"), seen: folder.join("seen.lock") },
    ]
}

/// One server in one book.
struct Entry {
    book: Book,
    key: String,
    approved: Offered,
    waiting: Vec<Waiting>,
}

/// All servers that have pins or something that waits for approval.
fn entries(environment: &Environment) -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for book in books(environment) {
        let (lock, seen) = (read(&book.lock)?, read(&book.seen)?);
        let mut keys: Vec<&str> = lock.servers().chain(seen.servers()).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let book = Book { lock: book.lock.clone(), seen: book.seen.clone() };
            let approved = lock.offered(key).cloned().unwrap_or_default();
            entries.push(Entry { book, key: key.to_owned(), waiting: waiting(&approved, &seen, key), approved });
        }
    }
    Ok(entries)
}

fn waiting(approved: &Offered, seen: &Lock, key: &str) -> Vec<Waiting> {
    let mut waiting = Vec::new();
    for (section, items) in seen.offered(key).into_iter().flatten() {
        for (name, now) in items {
            let before = approved.get(section).and_then(|items| items.get(name)).cloned();
            let waiting_still = |before: &Pinned| !now.hashes().all(|hash| before.holds(hash));
            if before.as_ref().is_none_or(waiting_still) {
                waiting.push(Waiting { section: section.clone(), name: name.clone(), before, now: now.clone() });
            }
        }
    }
    waiting
}

/// The one server that is meant.
fn entry(server: &str, environment: &Environment) -> anyhow::Result<Entry> {
    let all = entries(environment)?;
    let beginning = format!("{server} (");
    let exact = all.iter().position(|e| e.key == server);
    let mut like = all.iter().enumerate().filter(|(_, e)| e.key.starts_with(&beginning)).map(|(n, _)| n);
    let found = match (exact, like.next(), like.next()) {
        (Some(n), ..) | (None, Some(n), None) => n,
        (None, None, _) => bail!(
            "no pins of a server `{}` are here or in {}; `rampart mcp pins list` names those there are",
            visible(server),
            environment.home.join("mcp").display()
        ),
        (None, Some(_), Some(_)) => {
            let keys = all.iter().map(|e| &e.key).filter(|k| k.starts_with(&beginning));
            let keys: Vec<_> = keys.map(|key| visible(key)).collect();
            bail!(
                "several servers are called `{}`; give one of these in whole:\n  {}",
                visible(server),
                keys.join("\n  ")
            )
        }
    };
    all.into_iter().nth(found).ok_or_else(|| anyhow::anyhow!("the pins changed meanwhile; try again"))
}

fn list(args: &PinsList, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let entries = entries(environment)?;
    if args.json {
        let all = entries.iter().map(|entry| {
            let counts: serde_json::Map<_, _> =
                entry.approved.iter().map(|(section, items)| (section.clone(), items.len().into())).collect();
            let shadows = shadows(entry, &entries);
            let shadows = shadows.iter().map(|risk| {
                json!({
                    "id": risk.id, "severity": risk.severity.as_str(), "section": risk.section.as_str(),
                    "item": risk.item, "message": risk.message,
                })
            });
            json!({
                "server": entry.key, "lock": entry.book.lock, "approved": counts, "waiting": entry.waiting.len(),
                "risks": shadows.collect::<Vec<_>>(),
            })
        });
        printer.json(&all.collect::<Vec<_>>())?;
        return Ok(Exit::Yes);
    }
    if entries.is_empty() {
        printer.note("no server has pins yet; `rampart mcp -- SERVER` makes them on first use");
    }
    for entry in &entries {
        let counts = entry.approved.iter().filter(|(section, items)| *section != "server" && !items.is_empty());
        let counts: Vec<_> = counts.map(|(section, items)| format!("{} {section}", items.len())).collect();
        let waiting = match entry.waiting.len() {
            0 => String::new(),
            n => format!("; {n} waiting for approval"),
        };
        printer.out(format!("{}  {}{waiting}", styled(BOLD, visible(&entry.key)), counts.join(", ")));
        printer.out(styled(DIM, format!("  {}", entry.book.lock.display())));
        for risk in shadows(entry, &entries) {
            let (item, message) = (difference::line(&risk.item), difference::line(&risk.message));
            printer.out(format!("  {} {}  {item}: {message}", risk.severity.as_str(), risk.id));
        }
    }
    Ok(Exit::Yes)
}

fn diff(args: &PinsDiff, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let entries = match &args.server {
        Some(server) => vec![entry(server, environment)?],
        None => entries(environment)?,
    };
    let waiting = entries.iter().flat_map(|entry| entry.waiting.iter().map(|waiting| (&entry.key, waiting)));
    if args.json {
        printer.json(&waiting.clone().map(|(key, waiting)| waiting.json(key)).collect::<Vec<_>>())?;
    } else {
        for (key, waiting) in waiting.clone() {
            printer.out(waiting.text(key));
        }
    }
    let any = waiting.count() > 0;
    if !any && !args.json {
        printer.note("nothing waits for approval");
    }
    Ok(if any { Exit::No } else { Exit::Yes })
}

fn approve(args: &PinsApprove, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let entry = entry(&args.server, environment)?;
    let meant = |w: &&Waiting| args.only.is_empty() || args.only.iter().any(|only| *only == w.place());
    let approved: Vec<&Waiting> = entry.waiting.iter().filter(meant).collect();
    if let Some(unknown) = args.only.iter().find(|only| !entry.waiting.iter().any(|w| w.place() == **only)) {
        bail!("`{}` does not wait for approval; `rampart mcp pins diff` shows what does", visible(unknown));
    }
    if approved.is_empty() {
        printer.note("nothing waits for approval");
        return Ok(Exit::Yes);
    }
    keep(&entry, &approved)?;
    let places: Vec<String> = approved.iter().map(|waiting| waiting.place()).collect();
    let hashes = approved.iter().map(|w| (w.place(), w.now.hashes().collect::<Vec<_>>().into()));
    let hashes: serde_json::Map<_, _> = hashes.collect();
    record("approve", &entry, json!({"approved": hashes}), environment, printer);
    if args.json {
        printer.json(&json!({"server": entry.key, "lock": entry.book.lock, "approved": places}))?;
    } else {
        let places = places.iter().map(|place| difference::line(place)).collect::<Vec<_>>().join(", ");
        printer.note(format!("approved in {}: {places}", entry.book.lock.display()));
    }
    Ok(Exit::Yes)
}

/// What servers offer and people approved, for people who look elsewhere than in a terminal.
///
/// # Errors
/// When a lock cannot be relied on.
pub(super) fn servers(environment: &Environment) -> anyhow::Result<Vec<McpServer>> {
    let entries = entries(environment)?;
    let told = |entry: &Entry| {
        let approved = entry.approved.iter().filter(|(section, _)| *section != "server");
        let risk = |risk: Risk| McpRisk {
            id: risk.id.to_string(),
            severity: risk.severity.as_str().to_owned(),
            item: risk.item,
            message: risk.message,
        };
        McpServer {
            server: entry.key.clone(),
            lock: entry.book.lock.clone(),
            approved: approved.map(|(section, items)| (section.clone(), items.len())).collect(),
            waiting: entry.waiting.iter().map(Waiting::told).collect(),
            risks: shadows(entry, &entries).into_iter().map(risk).collect(),
        }
    };
    Ok(entries.iter().map(told).collect())
}

/// Approves what a server offers as somebody saw it; what has changed since is not approved. Gives the places.
///
/// # Errors
/// When one of them is offered otherwise by now, and when a lock cannot be written.
pub(super) fn approve_seen(wanted: &ApproveMcp, environment: &Environment) -> anyhow::Result<Vec<String>> {
    let all = entries(environment)?;
    let entry = all.iter().find(|entry| entry.key == wanted.server && entry.book.lock == wanted.lock);
    let entry = entry.context("no such server has anything that waits for approval")?;
    let seen = |item: &SeenMcp| {
        let waits = entry.waiting.iter().find(|w| w.section == item.section && w.name == item.name);
        let same = waits.filter(|waits| waits.now.hashes().eq(item.hashes.iter().map(String::as_str)));
        same.with_context(|| {
            format!("`{}/{}` is offered otherwise by now", visible(&item.section), visible(&item.name))
        })
    };
    let approved = wanted.items.iter().map(seen).collect::<anyhow::Result<Vec<_>>>()?;
    keep(entry, &approved)?;
    Ok(approved.iter().map(|waiting| waiting.place()).collect())
}

/// Moves what is approved from what was seen into the lock.
fn keep(entry: &Entry, approved: &[&Waiting]) -> anyhow::Result<()> {
    update(&entry.book.lock, |lock| {
        for waiting in approved {
            lock.replace(&entry.key, &waiting.section, &waiting.name, waiting.now.clone());
        }
    })?;
    update(&entry.book.seen, |seen| {
        for waiting in approved {
            seen.forget(&entry.key, &waiting.section, &waiting.name);
        }
    })?;
    Ok(())
}

fn reset(args: &PinsReset, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let entry = entry(&args.server, environment)?;
    update(&entry.book.seen, |seen| seen.remove(&entry.key))?;
    update(&entry.book.lock, |lock| lock.remove(&entry.key))?;
    record("reset", &entry, Value::Null, environment, printer);
    if args.json {
        printer.json(&json!({"server": entry.key, "lock": entry.book.lock}))?;
    } else {
        printer.note(format!("{} does not know `{}` any more", entry.book.lock.display(), visible(&entry.key)));
    }
    Ok(Exit::Yes)
}

/// Puts on record what a person has decided. It has happened: what policy says of it changes nothing.
fn record(what: &str, entry: &Entry, arguments: Value, environment: &Environment, printer: Printer) {
    let action = Action::Mcp {
        server: entry.key.clone(),
        method: format!("rampart/pins/{what}"),
        tool: String::new(),
        arguments: arguments.into(),
        beside: Value::Null,
    };
    let origin = Origin { workspace: Some(environment.workspace().display().to_string()), ..Origin::default() };
    let call = Call { origin, phase: Phase::After, action, response: None };
    let asked = reach::ensure(environment).map(|()| reach::client(environment).judge(&call));
    if matches!(
        asked,
        Err(_) | Ok(Verdict::Deny(Refusal { judgement: Judgement { reason: Reason::GatewayUnreachable, .. } }))
    ) {
        printer.note("rampart: this is not on record in the audit trail, since no gateway answers");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_what_it_comes_from_and_not_by_its_version() {
        let environment = Environment { cwd: PathBuf::from("/"), ..Environment::read().unwrap() };
        for (name, command, key) in [
            ("files", "npx -y @scope/server-files@1.2.3 /x", "files (@scope/server-files)"),
            ("server-files", "npx -y @scope/server-files", "server-files (@scope/server-files)"),
            ("mcp-server-git", "uvx mcp-server-git@2", "mcp-server-git"),
            ("x", "node /etc/passwd", "x (/etc/passwd)"),
            ("x", "python3 -m no/such/file", "x (no/such/file)"),
        ] {
            let words: Vec<OsString> = command.split(' ').map(OsString::from).collect();
            assert_eq!(identity(name, &words, &environment), key, "{command}");
        }
        let script = ["sh", "-c", "a && b"].map(OsString::from);
        assert_eq!(identity("x", &script, &environment), "x");
    }
}
