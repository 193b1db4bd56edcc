//! Finding what a wish is about: which file, where it really is, and what it would do to it in the words of a rule.

use std::{io, path::Path};

use libc::{AT_EMPTY_PATH, AT_SYMLINK_FOLLOW};
use rampart_call::{Action, CommandLine, Located};
use rustix::{
    fd::{AsFd as _, OwnedFd},
    fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, Stat, fstat, openat, readlinkat},
    io::Errno,
};

use super::wish::{Named, Wish};
use crate::{
    deed::{Deed, Entry, itself, kind},
    place::{Others, Thread, is_proc, real},
};

/// What a wish comes down to.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) deed: Deed,
    /// What has to be allowed first; nothing where it is nobody's secret.
    pub(crate) actions: Vec<Action>,
}

/// Links that the kernel follows in one path (path_resolution(7)).
const LINKS: usize = 40;

/// What every program reads to start, and holds nobody's secrets.
const PUBLIC: [&str; 6] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share", "/usr/local/lib"];
/// Files of that kind.
const PUBLIC_FILES: [&str; 3] = ["/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/localtime"];
/// Devices that hold nothing, and terminals, by their numbers (Linux's list of devices).
const DEVICES: [(u32, &[u32]); 2] = [(1, &[3, 5, 7, 8, 9]), (5, &[0, 2])];
/// Terminals: those of consoles, and the pseudo-terminals of eight numbers.
const TERMINALS: [u32; 9] = [4, 136, 137, 138, 139, 140, 141, 142, 143];
/// The terminal of whoever opens it.
const OWN_TERMINAL: (u32, u32) = (5, 0);

/// Finds it as the kernel would for this thread.
///
/// # Errors
/// What the kernel would say.
pub(crate) fn find(wish: Wish, thread: Thread) -> io::Result<Found> {
    match wish {
        Wish::Open { what, flags, mode } => open(thread, what, flags, mode),
        Wish::Cut { what, length } => {
            let length = u64::try_from(length).map_err(|_| Errno::INVAL)?;
            let file = whole(thread, &what, true)?;
            match kind(&fstat(&file)?) {
                FileType::RegularFile => {}
                FileType::Directory => return Err(Errno::ISDIR.into()),
                _ => return Err(Errno::INVAL.into()),
            }
            let actions = vec![write(located(thread, &what, &real(file.as_fd())?)?)];
            Ok(Found { deed: Deed::Cut { file, length }, actions })
        }
        Wish::Remove { what, flags } => {
            let entry = entry(thread, &what)?;
            let actions = vec![command(&["unlink"], &[&entry])?];
            Ok(Found { deed: Deed::Remove { entry, flags: AtFlags::from_bits_retain(flags as u32) }, actions })
        }
        Wish::Rename { from, to, flags } => {
            let (from, to) = (entry(thread, &from)?, entry(thread, &to)?);
            let actions = vec![command(&["mv", "-T"], &[&from, &to])?];
            Ok(Found { deed: Deed::Rename { from, to, flags: RenameFlags::from_bits_retain(flags) }, actions })
        }
        Wish::Link { from, to, flags } => link(thread, &from, &to, flags),
    }
}

/// A file gets one more name: whoever may read and change it under the one could under the other.
fn link(thread: Thread, from: &Named, to: &Named, flags: i32) -> io::Result<Found> {
    if flags & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::INVAL.into());
    }
    let file = if from.path.is_empty() && flags & AT_EMPTY_PATH != 0 {
        thread.descriptor(from.directory)?
    } else if flags & AT_SYMLINK_FOLLOW != 0 {
        whole(thread, from, true)?
    } else {
        let Entry { folder, name } = entry(thread, from)?;
        openat(folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?
    };
    let target = entry(thread, to)?;
    let mut actions = vec![write(located(thread, to, &target.path()?)?)];
    // One without a name was made here.
    if fstat(&file)?.st_nlink > 0 {
        let place = real(file.as_fd())?;
        actions.extend([
            Action::Read { paths: vec![located(thread, from, &place)?] },
            write(located(thread, from, &place)?),
        ]);
    }
    Ok(Found { deed: Deed::Link { file, to: target }, actions })
}

fn open(thread: Thread, what: Named, flags: i32, mode: u32) -> io::Result<Found> {
    let flags = OFlags::from_bits_retain(flags as u32);
    let mode = Mode::from_raw_mode(mode & 0o7777);
    let makes = flags.contains(OFlags::CREATE);
    // With O_EXCL a link at the end is something that is there.
    let follow = !flags.contains(OFlags::NOFOLLOW);
    if makes && flags.contains(OFlags::EXCL) {
        return make(thread, what, flags, mode);
    }
    match whole(thread, &what, follow) {
        Ok(file) => existing(thread, &what, file, flags, mode),
        Err(error) if makes && error.raw_os_error() == Some(libc::ENOENT) => make(thread, what, flags, mode),
        Err(error) => Err(error),
    }
}

/// Opens a file that is not there, if need be where links lead that are.
fn make(thread: Thread, what: Named, flags: OFlags, mode: Mode) -> io::Result<Found> {
    let mask = Mode::from_raw_mode(thread.mask()?);
    let mode = mode - mask;
    let (mut start, mut path) = (thread.start(what.directory, &what.path)?, what.path.clone());
    for _ in 0..LINKS {
        let (folder, name) = thread.folder(start, &path, Others::Refused)?;
        let text = match readlinkat(&folder, name.as_slice(), Vec::new()) {
            Ok(text) if !flags.intersects(OFlags::EXCL | OFlags::NOFOLLOW) => text.into_bytes(),
            _ => {
                let entry = Entry { folder, name };
                let actions = vec![write(located(thread, &what, &entry.path()?)?)];
                return Ok(Found { deed: Deed::Make { entry, flags, mode }, actions });
            }
        };
        start = if text.starts_with(b"/") { thread.start(libc::AT_FDCWD, &text)? } else { folder };
        path = text;
    }
    Err(Errno::LOOP.into())
}

fn existing(thread: Thread, what: &Named, mut file: OwnedFd, flags: OFlags, mode: Mode) -> io::Result<Found> {
    let stat = fstat(&file)?;
    let is_device = kind(&stat) == FileType::CharacterDevice;
    if is_device && numbers(&stat) == OWN_TERMINAL {
        // Ours may be another.
        file = thread.terminal()?.ok_or(Errno::NXIO)?;
    } else if is_proc(&file)? && thread.owns(&file)? {
        // What the kernel tells a process of itself; it would not tell a thread that is confined on its own.
        let file =
            openat(CWD, itself(&file), (flags - OFlags::NOFOLLOW - OFlags::CREATE) | OFlags::CLOEXEC, Mode::empty())?;
        return Ok(Found { deed: Deed::Opened { file, flags }, actions: Vec::new() });
    }
    let place = real(file.as_fd())?;
    let mut actions = Vec::new();
    let makes_within = flags.contains(OFlags::TMPFILE);
    let writes = flags.intersects(OFlags::RWMODE | OFlags::TRUNC);
    let reads = !writes || flags & OFlags::RWMODE == OFlags::RDWR && !flags.contains(OFlags::TRUNC);
    let holds_nothing = match kind(&stat) {
        FileType::Directory => !makes_within,
        FileType::CharacterDevice => is_harmless(numbers(&stat)),
        // Nothing but what somebody else has written there.
        FileType::Fifo | FileType::Socket => true,
        _ => false,
    };
    if reads && !holds_nothing && !makes_within && !is_public(&place) {
        actions.push(Action::Read { paths: vec![located(thread, what, &place)?] });
    }
    if writes && !holds_nothing {
        actions.push(write(located(thread, what, &place)?));
    }
    let mode = if makes_within { mode - Mode::from_raw_mode(thread.mask()?) } else { mode };
    Ok(Found { deed: Deed::Open { file, flags, mode }, actions })
}

fn numbers(stat: &Stat) -> (u32, u32) {
    (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev))
}

fn is_harmless((major, minor): (u32, u32)) -> bool {
    TERMINALS.contains(&major) || DEVICES.iter().any(|(number, minors)| *number == major && minors.contains(&minor))
}

/// Whether every program may read what is there. Of what the kernel tells, that is what is not about one process.
fn is_public(place: &Path) -> bool {
    let of_kernel = || {
        let first = place.strip_prefix("/proc").ok().and_then(|rest| rest.iter().next()?.to_str());
        first.is_some_and(|name| !name.bytes().all(|byte| byte.is_ascii_digit()))
    };
    PUBLIC.iter().any(|top| place.starts_with(top))
        || PUBLIC_FILES.iter().any(|file| place == Path::new(file))
        || of_kernel()
}

fn whole(thread: Thread, what: &Named, follow: bool) -> io::Result<OwnedFd> {
    thread.find(thread.start(what.directory, &what.path)?, &what.path, follow, Others::Refused)
}

fn entry(thread: Thread, what: &Named) -> io::Result<Entry> {
    let start = thread.start(what.directory, &what.path)?;
    let (folder, name) = thread.folder(start, &what.path, Others::Refused)?;
    Ok(Entry { folder, name })
}

/// A path as it was named, and where that really is.
fn located(thread: Thread, what: &Named, place: &Path) -> io::Result<Located> {
    let named = if what.path.is_empty() { place.to_owned() } else { thread.named(what.directory, &what.path)? };
    let text = |path: &Path| path.to_string_lossy().into_owned();
    Ok(Located { path: text(&named), resolved: Some(text(place)) })
}

fn write(place: Located) -> Action {
    Action::Write { paths: vec![place], content: None }
}

/// What has no word of its own is what the command of that name does.
fn command(words: &[&str], places: &[&Entry]) -> io::Result<Action> {
    let mut words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
    for place in places {
        words.push(place.path()?.to_string_lossy().into_owned());
    }
    Ok(Action::Exec { command: CommandLine::Argv(words), cwd: None })
}
