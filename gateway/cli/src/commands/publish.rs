//! `rampart policy publish`: makes a folder of policies a registry. Nothing here changes what is in force.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::{Context as _, bail, ensure};
use ed25519_dalek::SigningKey;
use rampart_gateway::PublicKey;
use rampart_policy::{Layer, Severity, SourceFile, lint, packs};

use crate::{
    args::Publish,
    exit::Exit,
    printer::Printer,
    registry::index::{Entry, Index, is_name, sha256},
    rules,
    user_overrides::replace,
};

const INDEX: &str = "index.json";

pub(crate) fn run(args: &Publish, printer: Printer) -> anyhow::Result<Exit> {
    let key = if args.new_key { new_key(&args.key)? } else { read_key(&args.key)? };
    let public = PublicKey::new(key.verifying_key().to_bytes())?;
    let entries = entries(&args.folder, printer)?;
    let path = args.folder.join(INDEX);
    let signature = args.folder.join(format!("{INDEX}.sig"));
    let before = if path.exists() {
        let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        let index = Index::verified(&read(&path)?, &read(&signature)?, &public);
        Some(index.with_context(|| format!("{} is not by this key; remove it to begin anew", path.display()))?)
    } else {
        None
    };
    let serial = match &before {
        Some(index) if index.policies == entries => index.serial,
        Some(index) => index.serial.checked_add(1).context("there are no more serials")?,
        None => 1,
    };
    let (text, signed) = Index::new(serial, entries).signed(&key)?;
    replace(&path, &text, 0o644)?;
    replace(&signature, &signed, 0o644)?;
    printer.out(format!("{} with serial {serial}, signed by {public}", path.display()));
    printer.note(format!(
        "Serve the folder over https. Who trusts it writes into config.yaml:\n\n  registry:\n    url: https://HOST/PATH/{INDEX}\n    key: {public}"
    ));
    Ok(Exit::Yes)
}

/// Every policy of the folder, by name.
fn entries(folder: &Path, printer: Printer) -> anyhow::Result<Vec<Entry>> {
    let cannot = || format!("cannot list {}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let name = entry.with_context(cannot)?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".yaml").filter(|stem| !stem.starts_with('.')).map(str::to_owned));
    }
    ensure!(!names.is_empty(), "{} holds no policy, which would be a NAME.yaml", folder.display());
    names.sort();
    names.iter().map(|name| entry(name, folder, printer)).collect()
}

fn entry(name: &str, folder: &Path, printer: Printer) -> anyhow::Result<Entry> {
    let url = format!("{name}.yaml");
    let path = folder.join(&url);
    ensure!(is_name(name), "{}: a name has lower case letters, digits and dashes only", path.display());
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let head = |key: &str| {
        let mut comments = text.lines().take_while(|line| line.starts_with('#'));
        comments.find_map(|line| line.trim_start_matches('#').trim().strip_prefix(key))
    };
    let (Some(version), Some(description)) = (head("version: "), head("description: ")) else {
        bail!("{}: begin it with the lines `# version: 1.0.0` and `# description: what it is for`", path.display());
    };
    // As it will be loaded: on top of a profile.
    let file = SourceFile { name: path.display().to_string(), text: text.clone(), layer: Layer::Profile };
    let profile = packs::builtin("standard").context("the profile is built in")?.to_file();
    let mut found = lint(&[file.clone(), profile]);
    found.retain(|diagnostic| diagnostic.file == file.name);
    if !found.is_empty() {
        rules::show(&found, std::slice::from_ref(&file), printer);
    }
    ensure!(found.iter().all(|d| d.severity != Severity::Error), "{} does not load", path.display());
    let (version, description) = (version.trim().to_owned(), description.trim().to_owned());
    Ok(Entry { name: name.to_owned(), version, description, sha256: sha256(text.as_bytes()), url })
}

/// The private key: 32 bytes (RFC 8032 section 5.1.5), in hex.
fn read_key(path: &Path) -> anyhow::Result<SigningKey> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}; --new-key makes it", path.display()))?;
    let seed: Option<[u8; 32]> = hex::decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    let seed = seed.with_context(|| format!("{} holds no private key", path.display()))?;
    Ok(SigningKey::from_bytes(&seed))
}

fn new_key(path: &Path) -> anyhow::Result<SigningKey> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| anyhow::anyhow!("no random numbers: {e}"))?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("cannot make {}", path.display()))?;
    let write = writeln!(file, "{}", hex::encode(seed)).and_then(|()| file.sync_all());
    write.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(SigningKey::from_bytes(&seed))
}
