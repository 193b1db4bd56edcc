//! Paths as rules see them: every spelling of them, and the patterns that match.

use rampart_call::{Effect, EffectKind, Located};
use rampart_shell::Surroundings;

use super::Known;
use crate::{
    pattern::{Extent, Ids, PathGlob, Reading, plain_path},
    sets::Sets,
};

impl Known<'_> {
    pub(super) fn add_paths(&mut self, kind: EffectKind, paths: &[Located], around: &Surroundings<'_>, sets: &Sets) {
        for located in paths {
            let written = rampart_shell::locate(&located.path, around);
            self.add_effect(Effect::new(kind, Some(written)), around, sets);
            if let Some(resolved) = &located.resolved
                && *resolved != located.path
            {
                let mut effect = Effect::new(kind, Some(rampart_shell::locate(resolved, around)));
                effect.via = vec!["symbolic link".to_owned()];
                self.add_effect(effect, around, sets);
            }
        }
    }
}

/// The patterns that match a path in one of its spellings. Patterns that are read exactly see only the spellings that
/// were normalised.
pub(super) fn find(
    sets: &Sets,
    around: &Surroundings<'_>,
    path: &str,
    written: &str,
    glob: bool,
    recursive: bool,
) -> Ids {
    let mut found = Ids::default();
    if sets.paths.is_empty() {
        return found;
    }
    let extent = Extent { glob, recursive };
    let path = plain_path(path);
    let mut look = |spelling: &str, also_exact: bool| {
        let verify = |p: &PathGlob| (also_exact || p.reading() == Reading::Broad) && p.is_match(spelling, extent);
        if glob || recursive {
            // A pattern may meet a tree or another pattern without sharing a literal piece with it.
            sets.paths.patterns().filter(|(_, p)| verify(p)).for_each(|(id, _)| {
                found.insert(id);
            });
        } else {
            sets.paths.find(spelling, &mut found, verify);
        }
    };
    look(&path, true);
    if let Some(rest) = around.home.and_then(|home| below(&path, home)) {
        look(&format!("~{rest}"), true);
    }
    if let Some(rest) = around.workspace.and_then(|workspace| below(&path, workspace)) {
        let rest = rest.trim_start_matches('/');
        look(if rest.is_empty() { "." } else { rest }, true);
    }
    if written != path {
        let written = plain_path(written);
        look(written.strip_prefix("./").unwrap_or(&written), false);
    }
    found
}

/// What follows `root` in `path`; empty for the root itself.
fn below<'p>(path: &'p str, root: &str) -> Option<&'p str> {
    let root = root.strip_suffix('/').unwrap_or(root);
    path.strip_prefix(root).filter(|rest| !root.is_empty() && (rest.is_empty() || rest.starts_with('/')))
}
