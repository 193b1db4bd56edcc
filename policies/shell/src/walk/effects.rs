//! Effects on files and hosts.

use percent_encoding::percent_decode_str;
use rampart_call::{Certainty, Effect, EffectKind, Reversibility, Scope, Sensitivity, Target};

use super::Walk;
use crate::value::{Arg, Flow, Taint};
use crate::{host, place};

/// Most effects that one command line may have.
const MAX_EFFECTS: usize = 2_000;

impl Walk<'_> {
    pub(crate) fn note(&mut self, kind: EffectKind, note: &str) {
        self.push(kind, None, note);
    }

    pub(crate) fn push(&mut self, kind: EffectKind, target: Option<Target>, note: &str) {
        self.push_with(kind, target, note, self.certainty);
    }

    pub(crate) fn push_with(&mut self, kind: EffectKind, target: Option<Target>, note: &str, certainty: Certainty) {
        if self.out.effects.len() >= MAX_EFFECTS {
            self.out_of_budget();
            return;
        }
        let effect = Effect {
            kind,
            target,
            certainty: certainty.max(self.certainty),
            reversibility: reversibility(kind, note),
            via: self.via.clone(),
            note: note.to_owned(),
            span: Some(self.span),
        };
        self.out.effects.push(effect);
    }

    pub(crate) fn named(&mut self, kind: EffectKind, what: &str, name: &str, note: &str) {
        let target = Target::Named { what: what.to_owned(), name: name.to_owned() };
        self.push(kind, Some(target), note);
    }

    /// Where a word's path lies.
    pub(crate) fn target(&self, arg: &Arg, recursive: bool) -> Target {
        // where nothing is known, the source says more than a star
        let path = arg.shape.as_deref().filter(|s| s.chars().any(|c| c != '*')).unwrap_or(&arg.text);
        let glob = arg.glob || !arg.is_literal() || self.env.cwd.as_deref().is_some_and(|cwd| cwd.contains('*'));
        let mut target = place::find(path, &arg.text, &self.around, self.env.cwd.as_deref(), recursive, glob);
        if let Target::Path { path, .. } = &target
            && let Some(real) = self.through_link(path)
        {
            target = place::find(&real, &arg.text, &self.around, None, recursive, glob);
        }
        // what begins with something unknown may lie anywhere
        if let Target::Path { scope: scope @ Scope::Project, .. } = &mut target
            && arg.shape.as_deref().is_some_and(|s| s.starts_with('*'))
        {
            *scope = Scope::Elsewhere;
        }
        target
    }

    fn certainty_of(arg: &Arg) -> Certainty {
        if arg.is_literal() { Certainty::Proven } else { Certainty::Possible }
    }

    fn path_note<'n>(arg: &Arg, note: &'n str) -> &'n str {
        if arg.is_literal() || !note.is_empty() { note } else { "computed-path" }
    }

    /// A file is read. Returns what its content is known to be.
    pub(crate) fn read(&mut self, arg: &Arg, recursive: bool) -> Flow {
        if let Some(flow) = &arg.content {
            return (**flow).clone();
        }
        if matches!(
            arg.text.as_str(),
            "-" | "/dev/stdin" | "/dev/null" | "/dev/zero" | "/dev/urandom" | "/dev/random" | "/dev/tty"
        ) {
            return Flow::unknown(Taint::NONE);
        }
        let mut target = self.target(arg, recursive);
        // whoever reads the program, as one of all that lie beside it, learns nothing of what it keeps
        if let Target::Path { path, scope, .. } = &mut target
            && *scope == Scope::Rampart
            && path.rsplit_once('/').is_some_and(|(folder, _)| folder.ends_with("/bin") && !folder.contains("rampart"))
        {
            *scope = Scope::Elsewhere;
        }
        let Target::Path { path, sensitivity, .. } = &target else { return Flow::unknown(Taint::NONE) };
        let mut flow = match self.written.get(path) {
            Some(written) => written.flow.clone(),
            None => Flow::unknown(Taint::LOCAL),
        };
        let note = match sensitivity {
            Sensitivity::MayHoldSecrets if path.starts_with("/proc/") => "process-environment",
            Sensitivity::Credential if path.contains("/Keychains/") || path.contains("keyrings") => "keychain",
            _ => "",
        };
        if place::is_secret(*sensitivity) {
            flow.taint = flow.taint.with(Taint::SECRET);
        }
        if place::is_disk(path) {
            self.push(EffectKind::Privilege, Some(target.clone()), "raw-device");
        }
        if place::is_container_socket(path) {
            self.push(EffectKind::Privilege, Some(target.clone()), "privileged-container");
        }
        let (certainty, note) = (Self::certainty_of(arg), Self::path_note(arg, note));
        self.push_with(EffectKind::Read, Some(target), note, certainty);
        flow
    }

    /// Standard input from a file.
    pub(super) fn read_as_flow(&mut self, arg: &Arg) -> Flow {
        self.read(arg, false)
    }

    pub(crate) fn read_if_delicate(&mut self, arg: &Arg) {
        let target = self.target(arg, true);
        if let Target::Path { sensitivity, scope, .. } = &target
            && (place::is_secret(*sensitivity) || *scope == Scope::Rampart)
        {
            self.push_with(EffectKind::Read, Some(target), "", Certainty::Possible);
        }
    }

    /// A word that names a private key or credential store is taken to be read. Says whether it names one.
    pub(crate) fn read_if_key(&mut self, arg: &Arg) -> bool {
        let key = self.is_key(arg);
        if key {
            self.push_with(EffectKind::Read, Some(self.target(arg, false)), "", Certainty::Possible);
        }
        key
    }

    /// Whether a word names a private key or credential store.
    pub(crate) fn is_key(&self, arg: &Arg) -> bool {
        matches!(self.target(arg, false), Target::Path { sensitivity: Sensitivity::Credential, .. })
    }

    /// A file is created or changed.
    pub(crate) fn write(&mut self, arg: &Arg, note: &str) {
        let text = arg.text.as_str();
        if arg.content.is_some()
            || matches!(
                text,
                "-" | "/dev/null" | "/dev/stdout" | "/dev/stderr" | "/dev/tty" | "/dev/full" | "/dev/ptmx"
            )
            || text.starts_with("/dev/fd/")
            || text.starts_with(">(")
            || text.starts_with("/dev/pts/")
        {
            return;
        }
        let target = self.target(arg, false);
        // every file of a folder is emptied
        if let Target::Path { path, scope: Scope::Home, .. } = &target
            && arg.glob
            && place::is_home_folder(path, &self.around)
        {
            self.push(EffectKind::Delete, Some(target.clone()), "home-folder");
        }
        self.written_to(target, arg, note);
    }

    /// Files are put into a folder, under names that are not known.
    pub(crate) fn write_into(&mut self, folder: &Arg) {
        self.write(folder, "");
        let below = folder.with_text(&format!("{}/*", folder.text.trim_end_matches('/')));
        let below = Arg { glob: false, shape: None, ..below };
        let delicate = |target: &Target| {
            matches!(
                target,
                Target::Path { sensitivity: Sensitivity::Credential | Sensitivity::Persistence, .. }
                    | Target::Path { scope: Scope::AgentConfig | Scope::Rampart, .. }
            )
        };
        if folder.is_literal() && delicate(&self.target(&below, false)) {
            self.write(&below, "");
        }
    }

    fn written_to(&mut self, target: Target, arg: &Arg, note: &str) {
        let Target::Path { path, scope, sensitivity, .. } = &target else { return };
        let certainty = Self::certainty_of(arg);
        if *scope == Scope::Device {
            self.push_with(EffectKind::Delete, Some(target), "wipe-device", certainty);
            return;
        }
        if *sensitivity == Sensitivity::Persistence || *scope == Scope::AgentConfig {
            let note = persistence_note(path, *scope);
            self.push_with(EffectKind::Persist, Some(target.clone()), note, certainty);
        }
        if *scope == Scope::Rampart {
            self.push_with(EffectKind::SelfTamper, Some(target.clone()), "rampart-files", certainty);
        }
        self.history(&target, arg);
        if path.starts_with("/proc/") || path.starts_with("/sys/") {
            self.push_with(EffectKind::Privilege, Some(target.clone()), "kernel-setting", certainty);
        }
        let note = Self::path_note(arg, note);
        self.push_with(EffectKind::Write, Some(target), note, certainty);
    }

    /// What was typed before is changed or thrown away.
    fn history(&mut self, target: &Target, arg: &Arg) {
        if matches!(target, Target::Path { path, .. } if path.ends_with("_history")) && !arg.glob {
            self.push(EffectKind::Privilege, Some(target.clone()), "security-setting");
        }
    }

    /// A file or tree is deleted.
    pub(crate) fn delete(&mut self, arg: &Arg, recursive: bool, note: &str) {
        // everything below, as some globs say it
        let shorter;
        let arg = match arg.text.strip_suffix("/**") {
            Some(_) if arg.is_literal() => {
                shorter = Arg { text: arg.text.trim_end_matches('*').to_owned() + "*", ..arg.clone() };
                &shorter
            }
            _ => arg,
        };
        let target = self.target(arg, recursive);
        let Target::Path { path, scope, .. } = &target else { return };
        // what lies in a temporary folder goes sooner or later
        let note = if note == "shred" && *scope == Scope::Temp { "" } else { note };
        let certainty = Self::certainty_of(arg);
        self.history(&target, arg);
        if *scope == Scope::Rampart {
            self.push_with(EffectKind::SelfTamper, Some(target.clone()), "rampart-files", certainty);
        }
        if arg.taint.has(Taint::DECODED.with(Taint::DOWNLOADED)) && !arg.is_literal() {
            self.note(EffectKind::Opaque, "computed-code");
        }
        if is_history(path) {
            self.push_with(EffectKind::VcsHistory, Some(target.clone()), "delete-repository", certainty);
        }
        // what a synchronisation deletes may be the project
        let note = if note == "sync-delete" && place::is_project_root(path, &self.around) { "" } else { note };
        let note = if !note.is_empty() {
            note
        } else if *scope == Scope::Project && place::is_project_root(path, &self.around) {
            "project-root"
        } else if *scope == Scope::Home
            && (place::is_home_folder(path, &self.around) || recursive && self.is_collected(path))
        {
            "home-folder"
        } else if *scope == Scope::Device {
            "wipe-device"
        } else if recursive
            && (*scope == Scope::Elsewhere && arg.is_literal() && !place::is_rebuilt(path)
                || *scope == Scope::Temp && place::is_all_temp(path))
        {
            "other-tree"
        } else {
            Self::path_note(arg, "")
        };
        self.push_with(EffectKind::Delete, Some(target), note, certainty);
        // an unset variable leaves what stands around it
        if let Some(shape) = &arg.shape
            && matches!(shape.as_str(), "*/" | "*/*" | "/*" | "**/" | "*/." | "**/*")
        {
            let rest = shape.trim_start_matches('*');
            let bare = Arg { text: rest.to_owned(), shape: None, glob: rest.contains('*'), ..arg.clone() };
            let target = self.target(&bare, recursive);
            self.push_with(EffectKind::Delete, Some(target), "computed-path", Certainty::Possible);
        }
    }

    /// A folder of what a person keeps, unless the work is there or it is made again.
    fn is_collected(&self, path: &str) -> bool {
        let works_there = self.env.cwd.as_deref().is_some_and(|cwd| place::is_in_collection(cwd, &self.around));
        place::is_in_collection(path, &self.around) && !works_there && !place::is_rebuilt(path)
    }

    /// Something is moved, as far as is known to another place.
    pub(crate) fn moved(&mut self, arg: &Arg, to: Option<&Arg>) {
        let target = self.target(arg, true);
        let Target::Path { scope, path, .. } = &target else { return };
        if *scope == Scope::Rampart {
            self.push(EffectKind::SelfTamper, Some(target.clone()), "rampart-files");
        }
        if path.rsplit('/').next() == Some(".git") {
            self.push(EffectKind::VcsHistory, Some(target.clone()), "delete-repository");
        }
        // all of a project, into a folder of its own: nothing of it leaves
        let stays = to.is_some_and(|to| {
            let inside = matches!(self.target(to, false), Target::Path { scope: Scope::Project, .. });
            inside && !place::is_absolute(&to.text) && (to.is_literal() || arg.text != to.text)
        });
        let all = *scope == Scope::Project && arg.glob && !stays && place::is_project_root(path, &self.around);
        let folder = *scope == Scope::Home && place::is_home_folder(path, &self.around);
        let note = match (all, folder) {
            (true, _) => "project-root",
            (_, true) => "home-folder",
            _ => Self::path_note(arg, ""),
        };
        let certainty = Self::certainty_of(arg);
        self.push_with(EffectKind::Move, Some(target), note, certainty);
    }

    pub(crate) fn chmod(&mut self, arg: &Arg, recursive: bool, note: &str) {
        let target = self.target(arg, recursive);
        if matches!(&target, Target::Path { scope: Scope::Rampart, .. }) {
            self.push(EffectKind::SelfTamper, Some(target.clone()), "rampart-files");
        }
        let certainty = Self::certainty_of(arg);
        self.push_with(EffectKind::Chmod, Some(target), note, certainty);
    }

    /// A URL is fetched.
    pub(crate) fn net_url(&mut self, arg: &Arg, note: &str) {
        let Some(parsed) = host::of_url(&arg.text) else {
            // a host that is computed
            if !arg.is_literal() {
                let target = Target::Host { host: arg.text.clone(), port: None, url: Some(arg.text.clone()) };
                self.push_with(EffectKind::Net, Some(target), note, Certainty::Possible);
            }
            return;
        };
        if parsed.local_file {
            let path = percent_decode_str(arg.text.trim_start_matches("file://")).decode_utf8_lossy().into_owned();
            let _ = self.read(&arg.with_text(&path), false);
            return;
        }
        // what is known of a host that goes on with something unknown
        let known =
            arg.shape.as_deref().and_then(host::of_url).and_then(|p| p.host.split('*').next().map(str::to_owned));
        let note = match known {
            _ if !note.is_empty() => note,
            Some(known) if known != parsed.host => host::note(&known),
            _ => host::note_at(&parsed.host, &parsed.path),
        };
        self.rampart_interface(&parsed);
        self.container_interface(&parsed);
        let secret = arg.taint.has(Taint::SECRET.with(Taint::TOKEN));
        let target = Target::Host { host: parsed.host, port: parsed.port, url: Some(arg.text.clone()) };
        let certainty = Self::certainty_of(arg);
        if secret {
            let own = !arg.taint.has(Taint::SECRET)
                && matches!(&target, Target::Host { host, .. } if host::owners::are_its_own(&arg.text, host));
            let note = if own { "token-header" } else { "secret-to-net" };
            self.push_with(EffectKind::Secret, Some(target.clone()), note, certainty);
        }
        // the content of a file inside the address of a known host
        let inside = !arg.is_literal()
            && arg.taint.has(Taint::LOCAL)
            && arg.shape.as_deref().and_then(host::of_url).is_some_and(|p| !p.host.contains('*'));
        let note = if inside && note.is_empty() { "upload" } else { note };
        self.push_with(EffectKind::Net, Some(target), note, certainty);
    }

    /// What a database holds goes to the host of an address.
    pub(crate) fn sends_rows(&mut self, url: &str) {
        if let Some(parsed) = host::of_url(url)
            && !parsed.local_file
            && !host::is_loopback(&parsed.host)
        {
            let target = Target::Host { host: parsed.host, port: parsed.port, url: Some(url.to_owned()) };
            self.push(EffectKind::Net, Some(target), "upload");
        }
    }

    /// Docker's API without its socket: on port 2375 whoever asks is root (Docker, "Protect the Docker daemon socket").
    fn container_interface(&mut self, parsed: &host::Parsed) {
        let starts = parsed.path.ends_with("/containers/create") || parsed.path.contains("/exec");
        if matches!(parsed.port, Some(2375 | 2376)) && starts {
            let target = Target::Host { host: parsed.host.clone(), port: parsed.port, url: None };
            self.push(EffectKind::Privilege, Some(target), "privileged-container");
        }
    }

    fn rampart_interface(&mut self, parsed: &host::Parsed) {
        let own = parsed.port == Some(9090) && host::is_loopback(&parsed.host);
        let reads = matches!(parsed.path.as_str(), "" | "/" | "/healthz" | "/metrics" | "/v1/status");
        if own && !reads {
            let target = Target::Host { host: parsed.host.clone(), port: parsed.port, url: None };
            self.push(EffectKind::SelfTamper, Some(target), "rampart-api");
        }
    }

    /// A host, perhaps with a user in front and a port behind.
    pub(crate) fn net_host(&mut self, arg: &Arg, note: &str) {
        if arg.text.contains("://") {
            return self.net_url(arg, note);
        }
        let (name, port) = host::of_word(&arg.text);
        if name.is_empty() {
            return;
        }
        let own = host::note(&name);
        let note = if own.is_empty() { note } else { own };
        let (certainty, secret) = (Self::certainty_of(arg), arg.taint.has(Taint::SECRET.with(Taint::TOKEN)));
        let target = Target::Host { host: name, port, url: None };
        if secret {
            self.push_with(EffectKind::Secret, Some(target.clone()), "secret-to-net", certainty);
        }
        self.push_with(EffectKind::Net, Some(target), note, certainty);
    }

    /// Data leaves for a host.
    pub(crate) fn send(&mut self, taint: Taint, host: Option<&Target>) {
        if taint.has(Taint::SECRET.with(Taint::TOKEN)) {
            self.push(EffectKind::Secret, host.cloned(), "secret-to-net");
        } else if taint.has(Taint::LOCAL) && !matches!(host, Some(Target::Host { host, .. }) if host::is_loopback(host))
        {
            self.push(EffectKind::Net, host.cloned(), "upload");
        }
    }
}

/// Whether commits, or how to find them, lie there: a repository, or what it keeps apart from locks and messages.
fn is_history(path: &str) -> bool {
    let path = path.trim_end_matches("/*");
    let Some((_, inside)) =
        path.rsplit_once("/.git/").or_else(|| path.split_once(".git/").filter(|(b, _)| b.is_empty()))
    else {
        return path == ".git" || path.ends_with("/.git");
    };
    let first = inside.split('/').next().unwrap_or("");
    matches!(
        first,
        "objects" | "refs" | "logs" | "HEAD" | "packed-refs" | "worktrees" | "modules" | "index" | "*" | "?*"
    ) && !inside.ends_with(".lock")
        && !inside.contains("tmp_")
}

fn persistence_note(path: &str, scope: Scope) -> &'static str {
    if scope == Scope::AgentConfig {
        "agent-config"
    } else if path.contains("/.git/")
        || path.starts_with(".git/")
        || path.ends_with("gitconfig")
        || path.contains(".husky")
        || path.contains(".githooks")
    {
        "git-hook"
    } else if path.contains("authorized_keys") || path.contains("/ssh") {
        "authorized-keys"
    } else if path.contains("cron") {
        "crontab"
    } else if path.contains("systemd")
        || path.contains("Launch")
        || path.contains("/init")
        || path.contains("supervisor")
    {
        "service-unit"
    } else {
        "startup-file"
    }
}

fn reversibility(kind: EffectKind, note: &str) -> Reversibility {
    match (kind, note) {
        (EffectKind::Delete, _)
        | (_, "discard-changes" | "force-push" | "rewrite-history" | "wipe-device" | "publish") => {
            Reversibility::Irreversible
        }
        (
            _,
            "cloud-delete" | "cluster-delete" | "infra-destroy" | "database-drop" | "repo-delete" | "container-prune"
            | "delete-repository",
        ) => Reversibility::Irreversible,
        (EffectKind::Move | EffectKind::Chmod, _) => Reversibility::Reversible,
        _ => Reversibility::Unknown,
    }
}
