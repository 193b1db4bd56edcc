//! `rampart upgrade`: replaces the program by a newer release that carries the right signature, and profiles that nobody
//! edited by those of this program.

use std::{
    fs,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use bytes::{Bytes, BytesMut};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use rampart_egress::Client;
use rampart_gateway::{Home, config::Upgrade as Source};
use rampart_policy::packs;
use tower::ServiceExt as _;

use crate::{
    args::Upgrade,
    configuration,
    environment::Environment,
    exit::Exit,
    outbound,
    printer::Printer,
    profile_file,
    release::{Manifest, numbers, target},
};

/// Bytes of a manifest, and of a program.
const SMALL: usize = 64 << 10;
const LARGE: usize = 512 << 20;
/// How long one download may take.
const PATIENCE: Duration = Duration::from_mins(5);
const OURS: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn run(args: &Upgrade, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let home = Home::at(&environment.home);
    if !args.no_binary {
        let config = configuration::read(&home, printer)?;
        let Some(source) = &config.upgrade else {
            bail!(
                "nobody has said where releases come from: set `upgrade: {{from: URL or folder, key: HEX}}` in {}; `rampart upgrade --no-binary` refreshes the profiles only",
                home.config_file().display()
            );
        };
        home.prepare()?;
        let client = match &source.from {
            from if from.starts_with('/') => None,
            _ => Some(outbound::client(&config)?),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let store = Store { from: source.from.trim_end_matches('/'), client };
        if !runtime.block_on(replace(&store, source, args, &home, printer))? {
            return Ok(Exit::Error);
        }
    }
    refresh(&home, printer)?;
    Ok(Exit::Yes)
}

/// Where releases are.
struct Store<'a> {
    from: &'a str,
    /// None for a folder.
    client: Option<Client>,
}

impl Store<'_> {
    async fn get(&self, name: &str, longest: usize) -> anyhow::Result<Bytes> {
        let place = format!("{}/{name}", self.from);
        let Some(client) = &self.client else {
            let length = fs::metadata(&place).with_context(|| format!("cannot read {place}"))?.len();
            ensure!(length <= longest as u64, "{place} is longer than {longest} bytes");
            return Ok(fs::read(&place).with_context(|| format!("cannot read {place}"))?.into());
        };
        let fetched = tokio::time::timeout(PATIENCE, async {
            let request = Request::get(&place).body(Full::new(Bytes::new()))?;
            let response = client.clone().oneshot(request).await.map_err(|e| anyhow::anyhow!("{e}"))?;
            ensure!(response.status().is_success(), "it answered {}", response.status());
            let (mut body, mut all) = (response.into_body(), BytesMut::new());
            while let Some(frame) = body.frame().await {
                let Ok(data) = frame.map_err(|e| anyhow::anyhow!("{e}"))?.into_data() else { continue };
                ensure!(all.len() + data.len() <= longest, "it is longer than {longest} bytes");
                all.extend_from_slice(&data);
            }
            anyhow::Ok(all.freeze())
        });
        let late = || format!("{place}: not within {} s", PATIENCE.as_secs());
        fetched.await.with_context(late)?.with_context(|| format!("cannot get {place}"))
    }
}

/// Gets the newest release and puts it in place of this one. False when it may not be.
async fn replace(
    store: &Store<'_>,
    source: &Source,
    args: &Upgrade,
    home: &Home,
    printer: Printer,
) -> anyhow::Result<bool> {
    let key =
        ed25519_dalek::VerifyingKey::from_bytes(source.key.as_bytes()).context("`upgrade.key` is no Ed25519 key")?;
    let name = format!("{}.json", target());
    let (text, signature) = (store.get(&name, SMALL).await?, store.get(&format!("{name}.sig"), SMALL).await?);
    let manifest = Manifest::read(&text, &signature, &key)?;
    let theirs = numbers(&manifest.version).context("the manifest's version is not three numbers")?;
    let serial_file = home.state().join("release-serial");
    let seen: u64 = fs::read_to_string(&serial_file).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    if manifest.serial < seen || Some(theirs) < numbers(OURS) {
        let older = format!("version {} (serial {}) is older than what was here", manifest.version, manifest.serial);
        if !args.force {
            printer.note(format!(
                "rampart: {older}: whoever serves an old release may want its holes back; --force takes it"
            ));
            return Ok(false);
        }
        printer.note(format!("{older}; taken because of --force"));
    } else if manifest.version == OURS && !args.force {
        printer.note(format!("version {OURS} is the newest"));
        return Ok(true);
    }
    let own = std::env::current_exe()?.canonicalize().context("cannot find this program's own file")?;
    let folder = own.parent().context("this program's file is in no folder")?;
    let mut drafts = Vec::new();
    for program in &manifest.files {
        let bytes = store.get(&format!("{}/{}", target(), program.name), LARGE).await?;
        ensure!(program.is(&bytes), "{} is not what the manifest says (SHA-256): nothing was changed", program.name);
        let place = if program.name == "rampart" { own.clone() } else { folder.join(&program.name) };
        drafts.push(Draft::write(place, &bytes)?);
    }
    // What does not even tell its version on this machine does not get into place.
    let first = drafts.first().context("a manifest has a program")?;
    tells_version(&first.new, &manifest.version)?;
    let put = drafts.iter_mut().try_for_each(Draft::put);
    let works = put.and_then(|()| tells_version(&own, &manifest.version)).and_then(|()| {
        let noted = fs::write(&serial_file, manifest.serial.to_string());
        noted.with_context(|| format!("cannot note the release's serial in {}", serial_file.display()))
    });
    if let Err(error) = works {
        let back = drafts.iter_mut().try_for_each(Draft::take_back);
        return Err(match back {
            Ok(()) => error.context("the old programs are back in place"),
            Err(stuck) => error.context(format!("and the old programs could not be put back: {stuck:#}")),
        });
    }
    printer.note(format!(
        "version {OURS} is now {}; `rampart serve stop` ends a gateway that still runs the old one",
        manifest.version
    ));
    Ok(true)
}

/// A program that waits beside its place. What is left of it goes when it is dropped.
struct Draft {
    place: PathBuf,
    new: PathBuf,
    old: PathBuf,
    stands: Stands,
}

/// What stands in the place of a draft.
#[derive(Clone, Copy)]
enum Stands {
    /// What stood there before.
    Before,
    /// The new program, where there was another.
    InPlace,
    /// The new program, where there was none.
    Alone,
}

impl Draft {
    fn write(place: PathBuf, bytes: &[u8]) -> anyhow::Result<Self> {
        let beside = |ending: &str| {
            let name = place.file_name().unwrap_or_default().to_string_lossy();
            place.with_file_name(format!(".{name}.{}.{ending}", std::process::id()))
        };
        let draft = Self { new: beside("new"), old: beside("old"), place, stands: Stands::Before };
        let mut options = fs::OpenOptions::new();
        let written = options.write(true).create_new(true).mode(0o755).open(&draft.new).and_then(|mut file| {
            std::io::Write::write_all(&mut file, bytes)?;
            file.sync_all()
        });
        written.with_context(|| format!("cannot write {}", draft.new.display()))?;
        Ok(draft)
    }

    /// Puts it in place at once; the old one stays aside.
    fn put(&mut self) -> anyhow::Result<()> {
        let failed = || format!("cannot replace {}", self.place.display());
        let stands = match fs::hard_link(&self.place, &self.old) {
            Ok(()) => Stands::InPlace,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Stands::Alone,
            Err(error) => return Err(error).with_context(failed),
        };
        fs::rename(&self.new, &self.place).with_context(failed)?;
        self.stands = stands;
        Ok(())
    }

    /// Leaves things as they were.
    fn take_back(&mut self) -> anyhow::Result<()> {
        let back = match self.stands {
            Stands::Before => Ok(()),
            Stands::InPlace => fs::rename(&self.old, &self.place),
            Stands::Alone => fs::remove_file(&self.place),
        };
        back.with_context(|| format!("{} is the new one", self.place.display()))?;
        self.stands = Stands::Before;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.new);
        let _ = fs::remove_file(&self.old);
    }
}

fn tells_version(program: &Path, version: &str) -> anyhow::Result<()> {
    let output = Command::new(program).arg("--version").output();
    let output = output
        .with_context(|| format!("the new program does not start, nothing was changed: {}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    ensure!(
        output.status.success() && said == format!("rampart {version}"),
        "the new program says `{said}` where `rampart {version}` was expected: nothing was changed"
    );
    Ok(())
}

/// Brings the profiles that nobody edited to what this program has.
fn refresh(home: &Home, printer: Printer) -> anyhow::Result<()> {
    let folder = home.policies();
    for entry in fs::read_dir(&folder).into_iter().flatten() {
        let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let Some(pack) = packs::builtin(&name) else { continue };
        let there = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let fresh = profile_file::stamp(&pack.text);
        if !profile_file::unedited(&there) {
            printer.note(format!("{} was edited and stays", path.display()));
        } else if there != fresh {
            let draft = path.with_extension("new");
            fs::write(&draft, fresh)
                .and_then(|()| fs::rename(&draft, &path))
                .with_context(|| format!("cannot write {}", path.display()))?;
            printer.note(format!("refreshed {}", path.display()));
        }
    }
    Ok(())
}
