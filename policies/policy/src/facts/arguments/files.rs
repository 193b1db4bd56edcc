//! Arguments that name files: what a tool does to them, by its name and theirs.

use rampart_call::{Certainty, CommandLine, Effect, EffectKind, Scope, Sensitivity, Target};
use rampart_shell::{Surroundings, verbs};
use serde_json::{Map, Value};

use super::{Role, names::Tool, role, said};
use crate::{facts::Known, sets::Sets};

/// Arguments that say where a tool puts what it made or got, in lower case and without what joins their words.
const INTO: &[&str] = &[
    "dest",
    "destdir",
    "destfile",
    "destination",
    "destinationdir",
    "destinationfolder",
    "destinationpath",
    "destpath",
    "downloaddir",
    "downloadpath",
    "downloadto",
    "dst",
    "exportpath",
    "localdir",
    "localfolder",
    "localpath",
    "newpath",
    "out",
    "outdir",
    "outfile",
    "outpath",
    "output",
    "outputdir",
    "outputdirectory",
    "outputfile",
    "outputfolder",
    "outputpath",
    "saveas",
    "savedir",
    "savefolder",
    "savepath",
    "saveto",
    "targetdir",
    "targetpath",
    "tofile",
    "topath",
];

/// Arguments that name the folder or project that a tool works in.
const AROUND: &[&str] = &[
    "cwd",
    "projectcwd",
    "projectdir",
    "projectpath",
    "projectroot",
    "repodir",
    "repopath",
    "repositorypath",
    "rootdir",
    "workdir",
    "workingdir",
    "workingdirectory",
];

/// Folders that lie at the root of a machine, in lower case. No place in a document begins with one of them.
const AT_ROOT: &[&str] = &[
    "",
    "applications",
    "bin",
    "boot",
    "c:",
    "dev",
    "etc",
    "home",
    "lib",
    "library",
    "media",
    "mnt",
    "opt",
    "private",
    "proc",
    "root",
    "run",
    "sbin",
    "srv",
    "sys",
    "system",
    "tmp",
    "users",
    "usr",
    "var",
    "volumes",
    "workspace",
];

/// Words of tools that are about files.
const FILES: &[&str] = &["dir", "directory", "file", "files", "filesystem", "folder", "fs", "path", "paths"];

/// Whether a member of an operation of JSON Patch (RFC 6902) is a place in a document, such as `/spec/replicas`, and no file.
pub(super) fn is_pointer(map: &Map<String, Value>, key: &str, tool: &Tool) -> bool {
    let operation = map.get("op").and_then(Value::as_str);
    let known = operation.is_some_and(|op| ["add", "copy", "move", "remove", "replace", "test"].contains(&op));
    let pointer = map.get(key).and_then(Value::as_str).and_then(|text| text.strip_prefix('/'));
    known
        && matches!(key, "path" | "from")
        && !tool.any(FILES)
        && pointer.is_some_and(|text| {
            let first = text.split('/').next().unwrap_or("").to_ascii_lowercase();
            !text.split('/').any(|part| part == "..") && !AT_ROOT.contains(&first.as_str())
        })
}

/// Whether a text is the name of something that a service keeps, such as `/dataset`, and no file: one word behind a slash that
/// is no folder at the root of a machine, for a tool that is not about files.
pub(super) fn is_name(text: &str, tool: &Tool) -> bool {
    let word = text.strip_prefix('/').filter(|rest| !rest.contains(['/', '\\']));
    !tool.any(FILES) && word.is_some_and(|word| !AT_ROOT.contains(&word.to_ascii_lowercase().as_str()))
}

/// Whether a text is the path of a page, for a tool that is about sites.
pub(super) fn is_page(text: &str, tool: &Tool) -> bool {
    let first = text.strip_prefix('/').map(|rest| rest.split('/').next().unwrap_or("").to_ascii_lowercase());
    tool.is_of_sites() && !text.contains("..") && first.is_some_and(|first| !AT_ROOT.contains(&first.as_str()))
}

/// Whether an argument names where a tool works.
fn is_around(key: &str) -> bool {
    said::one_of(key, AROUND)
}

/// What an argument is to a tool whose name says where something is put, or where it works.
pub(super) fn place(key: &str) -> Option<Role> {
    let key = said::plain(key);
    let role = |known: &[&str], role| known.contains(&key.as_str()).then_some(role);
    role(INTO, Role::Into).or_else(|| role(AROUND, Role::Around))
}

impl Known<'_> {
    pub(super) fn add_file(&mut self, path: &str, role: Role, tool: &Tool, around: &Surroundings<'_>, sets: &Sets) {
        let into = role == Role::Into && !tool.sends();
        let (into_only, from_only) = ([EffectKind::Write], [EffectKind::Read]);
        let kinds = match role {
            _ if into => &into_only[..],
            // the file at the other end of a download
            Role::Remote if tool.downloads() => &from_only[..],
            Role::Around => &from_only[..],
            _ => &tool.kinds,
        };
        for kind in kinds {
            let mut target = rampart_shell::locate(path, around);
            if let (true, EffectKind::Read, Target::Path { sensitivity, .. }) = (tool.looks, kind, &mut target) {
                *sensitivity = Sensitivity::Ordinary;
            }
            let mut effect = Effect::new(*kind, Some(target));
            match kind {
                EffectKind::Delete => effect.note = note_of(&["rm", "--", path], *kind, around),
                EffectKind::Move => effect.note = note_of(&["mv", "--", path, "/tmp/x"], *kind, around),
                _ => {}
            }
            if kinds.len() > 1 {
                effect.certainty = Certainty::Possible;
            }
            self.add_effect(effect, around, sets);
        }
        if matches!(role, Role::Remote | Role::Around)
            || !(into || tool.downloads() || tool.takes_trees() || tool.searches)
        {
            return;
        }
        let below = rampart_shell::locate(&format!("{}/*", path.trim_end_matches('/')), around);
        let Target::Path { sensitivity, scope, .. } = &below else { return };
        let secret = *sensitivity == Sensitivity::Credential;
        let runs = *sensitivity == Sensitivity::Persistence || matches!(scope, Scope::AgentConfig | Scope::Rampart);
        // files are put into the folder, under names that are not known
        if (into || tool.downloads()) && (secret || runs) {
            let effect = Effect::new(EffectKind::Write, Some(below.clone()));
            self.add_effect(Effect { certainty: Certainty::Possible, ..effect }, around, sets);
        }
        // every file of the folder is read, or goes with it
        if !into && (tool.searches || tool.takes_trees() && secret) {
            let effect = Effect::new(EffectKind::Read, Some(below));
            self.add_effect(Effect { certainty: Certainty::Possible, ..effect }, around, sets);
        }
    }
}

/// What is to be said of a file that is deleted or moved, as of one that a program deletes or moves.
fn note_of(argv: &[&str], kind: EffectKind, around: &Surroundings<'_>) -> String {
    let argv = argv.iter().map(|word| (*word).to_owned()).collect();
    let mut effects = rampart_shell::analyze(&CommandLine::Argv(argv), around).effects.into_iter();
    effects.find(|effect| effect.kind == kind).map(|effect| effect.note).unwrap_or_default()
}

/// Whether an argument is a path, so that the rules for files say what is to be said.
pub(super) fn names_a_path(arguments: &Value) -> bool {
    let Some(map) = arguments.as_object() else { return false };
    // a path of a repository or bucket that is elsewhere
    if ["owner", "repo", "repository", "project_id", "bucket"].iter().any(|key| map.contains_key(*key)) {
        return false;
    }
    let is_name =
        |key: &str| verbs::words(key).last().is_some_and(|word| matches!(word.as_str(), "id" | "ids" | "key"));
    let is_path = |key: &str| matches!(role(key), Role::Path | Role::Remote) && !is_name(key);
    map.iter()
        .filter(|(key, _)| !is_around(key))
        .filter(|(_, value)| !value.as_str().is_some_and(is_elsewhere))
        .any(|(key, value)| is_path(key) || value.as_str().is_some_and(looks_like_path))
}

/// `dbfs:/mnt/a`, `//depot/main/...`: a path of what is kept elsewhere.
fn is_elsewhere(path: &str) -> bool {
    let scheme = path.split_once(":/").map(|(scheme, _)| scheme);
    let named = scheme.is_some_and(|scheme| {
        scheme.len() > 1 && scheme != "file" && scheme.bytes().all(|b| b.is_ascii_alphanumeric())
    });
    named || path.starts_with("//")
}

/// Whether an argument is a path that can only be one of this machine.
pub(super) fn names_a_local_path(arguments: &Value) -> bool {
    arguments.as_object().is_some_and(|map| {
        let near = map.iter().filter(|(key, _)| !is_around(key)).filter_map(|(_, value)| value.as_str());
        near.into_iter().any(|text| looks_like_path(text) && !is_elsewhere(text))
    })
}

pub(super) fn looks_like_path(text: &str) -> bool {
    let one_line = !text.contains(['\n', '\0']) && text.len() <= 4_096;
    // `~DEFAULT_BRANCH` is nobody's home
    let home = text.strip_prefix('~').is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_uppercase()));
    // `//button[@id='x']` is XPath
    let element = text.starts_with("//") && text.contains(['[', '(']);
    one_line && !element && (text.starts_with('/') || home || text.starts_with("./") || text.starts_with("../"))
}
