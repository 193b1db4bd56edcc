//! Changes for people to read. Names and content are an agent's: nothing of them reaches the terminal as it is.

use std::{fmt::Write as _, time::Duration};

use anstyle::{AnsiColor, Style};
use similar::{ChangeTag, TextDiff};

use super::changes::{Change, Changes, What};
use crate::printer::{BOLD, DIM, styled};

/// The longest content that is compared line by line, in bytes.
const LONGEST: u64 = 1 << 20;
/// How long one comparison may take before it becomes a coarse one.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest line that is shown, in characters.
const LINE: usize = 2_000;

/// How much is shown of what changed within files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// All.
    Whole,
    /// So many lines.
    Lines(usize),
}

/// A list of all changes, and what changed within texts.
pub(crate) fn show(changes: &Changes, shown: Shown) -> String {
    let mut list = String::new();
    let mut diffs = Vec::new();
    for change in &changes.all {
        let (word, more) = in_a_word(change);
        let mut line = format!("  {word:<8} {}", name(&change.path));
        if let What::Link { target } = &change.what {
            let _ = write!(line, " -> {}", name(target));
        }
        match within(changes, change) {
            Some(Within::Text(text)) => {
                let _ = write!(line, "  +{} -{}", text.added, text.removed);
                diffs.push((change, text));
            }
            Some(Within::Other(what)) => {
                let _ = write!(line, "  {what}");
            }
            None => line.push_str(&more),
        }
        if let Some(meanwhile) = &change.meanwhile {
            let _ = write!(line, "  {}", styled(AnsiColor::Yellow.on_default(), format!("({meanwhile})")));
        }
        let _ = writeln!(list, "{line}");
    }
    let mut room = match shown {
        Shown::Whole => usize::MAX,
        Shown::Lines(count) => count,
    };
    for (change, text) in diffs {
        let _ = writeln!(list, "\n{}", styled(BOLD, name(&change.path)));
        let mut lines = text.lines.into_iter();
        for line in lines.by_ref().take(room) {
            let _ = writeln!(list, "{line}");
            room -= 1;
        }
        let left = lines.count();
        if left > 0 {
            let _ = writeln!(list, "{}", styled(DIM, format!("… {left} more lines")));
        }
    }
    list
}

/// A name, with whatever is in it that could pass for something else written out.
pub(super) fn name(path: &[u8]) -> String {
    let mut text = String::new();
    for piece in path.utf8_chunks() {
        let doubled = piece.valid().replace('\\', "\\\\");
        text.push_str(&rampart_scan::visible(&doubled).replace('\n', "\\n").replace('\t', "\\t"));
        for byte in piece.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

fn in_a_word(change: &Change) -> (&'static str, String) {
    let is_new = change.before.is_none();
    match &change.what {
        What::Folder { .. } => ("made", "/".to_owned()),
        What::File { is_new: true, .. } => ("made", String::new()),
        What::File { is_new: false, .. } => ("changed", String::new()),
        What::Link { .. } => (if is_new { "linked" } else { "relinked" }, String::new()),
        What::Mode { from, to } => ("rights", format!("  {from:o} to {to:o}")),
        What::Removed { with: 0 } => ("removed", String::new()),
        What::Removed { with: 1 } => ("removed", "  with what is in it".to_owned()),
        What::Removed { with } => ("removed", format!("  with the {with} files and folders in it")),
        What::LeftOut => ("not kept", "  neither a file, a folder nor a link".to_owned()),
    }
}

/// What changed within a file.
enum Within {
    Text(Text),
    Other(String),
}

struct Text {
    lines: Vec<String>,
    added: usize,
    removed: usize,
}

fn within(changes: &Changes, change: &Change) -> Option<Within> {
    let What::File { is_new, mode, .. } = change.what else { return None };
    let other = |what: String| Some(Within::Other(what));
    let new = match changes.upper.read(&change.path, LONGEST) {
        Ok(Some(new)) => new,
        Ok(None) => return other("too long to be shown".to_owned()),
        Err(error) => return other(format!("cannot be read: {error}")),
    };
    let old = if is_new { Ok(Some(Vec::new())) } else { changes.project.read(&change.path, LONGEST) };
    let old = match old {
        Ok(Some(old)) => old,
        Ok(None) => return other(format!("{} bytes now", new.len())),
        Err(error) => return other(format!("cannot be read: {error}")),
    };
    let text = |content: Vec<u8>| String::from_utf8(content).ok().filter(|text| !text.contains('\0'));
    let mut sizes = format!("binary, {} bytes", new.len());
    if !is_new {
        let _ = write!(sizes, ", was {}", old.len());
    }
    let (Some(old), Some(new)) = (text(old), text(new)) else { return other(sizes) };
    let mut text = compare(&old, &new);
    if is_new && mode & 0o111 != 0 {
        text.lines.insert(0, styled(DIM, "a program"));
    }
    Some(Within::Text(text))
}

fn compare(old: &str, new: &str) -> Text {
    let (red, green) = (AnsiColor::Red.on_default(), AnsiColor::Green.on_default());
    let mut text = Text { lines: Vec::new(), added: 0, removed: 0 };
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(old, new);
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        text.lines.push(styled(DIM, hunk.header()));
        for change in hunk.iter_changes() {
            let (sign, style) = match change.tag() {
                ChangeTag::Equal => (' ', Style::new()),
                ChangeTag::Delete => ('-', red),
                ChangeTag::Insert => ('+', green),
            };
            text.added += usize::from(sign == '+');
            text.removed += usize::from(sign == '-');
            let line = change.value();
            let end = if line.ends_with('\n') { "" } else { " (no line end)" };
            text.lines.push(styled(style, format!("{sign}{}{end}", harmless(line.trim_end_matches('\n')))));
        }
    }
    text
}

fn harmless(line: &str) -> String {
    let whole = line.chars().count();
    let shown = rampart_scan::visible(&line.chars().take(LINE).collect::<String>());
    if whole > LINE { format!("{shown}… ({} more characters)", whole - LINE) } else { shown }
}
