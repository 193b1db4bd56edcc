//! `rampart sidecar init`: what root does once, before the proxy and the agent start without any power.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::Path,
};

use anyhow::{Context as _, bail};
use rampart_jail::Redirection;

use crate::{args::SidecarInit, exit::Exit, printer::Printer};

pub(super) fn run(args: &SidecarInit, printer: Printer) -> anyhow::Result<Exit> {
    // The folder of certificates is for all to read, the home for nobody else.
    for (folder, mode) in [(&args.home, 0o700), (&args.shared, 0o755)] {
        if let Some(folder) = folder {
            give(folder, args.proxy_uid, mode)?;
            printer.out(format!("{} belongs to user {}", folder.display(), args.proxy_uid));
        }
    }
    if let Some(folder) = &args.program {
        let to = folder.join("rampart");
        // Aside and then in place at once: an agent may be running the one that is there.
        let draft = folder.join(".rampart.new");
        fs::copy(std::env::current_exe()?, &draft)
            .and_then(|_| fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)))
            .and_then(|()| fs::rename(&draft, &to))
            .with_context(|| format!("cannot write {}", to.display()))?;
        printer.out(format!("{} is this program", to.display()));
    }
    let rules = Redirection { tcp: args.tcp, dns: args.dns, exempt: Some(args.proxy_uid) };
    rules.install()?;
    if !rules.stands()? {
        bail!("the kernel took the rules and does not have them: something else writes the table `rampart` too");
    }
    printer.out(format!(
        "of everybody but user {}, TCP goes to port {} and questions for names to port {}; all else is refused",
        args.proxy_uid, args.tcp, args.dns
    ));
    Ok(Exit::Yes)
}

/// A folder that is there already keeps what is in it.
fn give(folder: &Path, uid: u32, mode: u32) -> anyhow::Result<()> {
    let cannot = || format!("cannot give {} to user {uid}", folder.display());
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let meta = fs::symlink_metadata(folder).with_context(cannot)?;
    if meta.is_symlink() {
        bail!("{} is a symbolic link: name the folder itself", folder.display());
    }
    if meta.uid() == uid && meta.mode() & 0o7777 == mode {
        return Ok(());
    }
    // In this order CAP_CHOWN is enough: who has given it away may not change its mode any more.
    fs::set_permissions(folder, fs::Permissions::from_mode(mode))
        .and_then(|()| chown(folder, Some(uid), Some(uid)))
        .with_context(cannot)
}
