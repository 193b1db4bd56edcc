//! The files that a patch touches: the `*** Begin Patch` format of OpenAI's `apply_patch`, and unified diffs.

/// What a patch would do to which files.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Patch {
    /// Files it creates.
    pub(crate) adds: Vec<String>,
    /// Files it changes, deletes or moves, and where it moves them.
    pub(crate) edits: Vec<String>,
    /// The lines it puts in.
    pub(crate) content: String,
}

/// Reads a patch. Every line that could name a file is taken for one: a path too many is the safe mistake.
pub(crate) fn read(text: &str) -> Patch {
    let mut patch = Patch::default();
    for line in text.lines().map(|line| line.trim_end_matches('\r')) {
        let named = |prefix: &str| {
            let path = line.trim_start().strip_prefix(prefix)?.trim();
            (!path.is_empty() && path != "/dev/null").then_some(path)
        };
        if let Some(path) = named("*** Add File:") {
            push(&mut patch.adds, path);
        } else if let Some(path) =
            ["*** Update File:", "*** Delete File:", "*** Move to:"].iter().find_map(|prefix| named(prefix))
        {
            push(&mut patch.edits, path);
        } else if let Some(path) = named("--- ").or_else(|| named("+++ ")) {
            push(&mut patch.edits, unified(path));
        } else if let Some(added) = line.strip_prefix('+') {
            patch.content.push_str(added);
            patch.content.push('\n');
        }
    }
    patch
}

fn push(paths: &mut Vec<String>, path: &str) {
    if !paths.iter().any(|known| known == path) {
        paths.push(path.to_owned());
    }
}

/// The path in a header of a unified diff: git puts `a/` or `b/` before it, diff a tab and a date behind it.
fn unified(path: &str) -> &str {
    let path = path.split('\t').next().unwrap_or(path);
    path.strip_prefix("a/").or_else(|| path.strip_prefix("b/")).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_a_patch_is_named() {
        let patch = read(
            "*** Begin Patch\n*** Add File: new.txt\n+hello\n*** Update File: src/a.rs\n*** Move to: ../b.rs\n@@\n-x\n+y\n\
             *** Delete File: /etc/passwd\n*** End Patch\n",
        );
        assert_eq!(patch.adds, ["new.txt"]);
        assert_eq!(patch.edits, ["src/a.rs", "../b.rs", "/etc/passwd"]);
        assert_eq!(patch.content, "hello\ny\n");
    }

    #[test]
    fn a_unified_diff_names_its_files() {
        let patch =
            read("diff --git a/x b/y\n--- a/home/dev/x.txt\t2026-01-01\n+++ b/home/dev/y.txt\n@@ -1 +1 @@\n-a\n+b\n");
        assert_eq!(patch.edits, ["home/dev/x.txt", "home/dev/y.txt"]);
        assert_eq!(patch.content, "b\n");
        assert_eq!(read("--- /dev/null\n+++ b/n\n").edits, ["n"]);
    }
}
