//! Path globs: `*` and `?` stay inside a segment, `**` crosses segments, `[a-z]` is a class, `{a,b}` are alternatives,
//! `~` is the home. A pattern without a slash, read broadly, means that name anywhere; read exactly, that name directly
//! in the project.

mod segment;

use segment::Segment;

use super::Reading;

/// One compiled path glob without alternatives.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PathGlob {
    steps: Vec<Step>,
    reading: Reading,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Step {
    /// `**`: any number of segments.
    Across,
    One(Segment),
}

/// What a path is like that a glob is tried on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The path is a pattern itself.
    pub(crate) glob: bool,
    /// Everything below the path is meant too.
    pub(crate) recursive: bool,
}

/// Where a walk through the pattern stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    at: usize,
    /// A segment was matched that the pattern names.
    named: bool,
    /// The last segment was matched by a segment of the pattern, not by `**`.
    direct: bool,
}

impl PathGlob {
    /// Compiles a pattern into one glob for each of its alternatives.
    ///
    /// # Errors
    /// What is wrong with the pattern, for its author.
    pub(crate) fn compile(pattern: &str, reading: Reading) -> Result<Vec<Self>, String> {
        if pattern.len() > MAX_PATTERN || pattern.matches('{').count() > MAX_BRACES {
            return Err(format!("the pattern is longer than {MAX_PATTERN} bytes or has more than {MAX_BRACES} braces"));
        }
        let mut alternatives = Vec::new();
        expand(pattern, &mut alternatives)?;
        alternatives.iter().map(|text| Self::new(text, reading)).collect()
    }

    fn new(pattern: &str, reading: Reading) -> Result<Self, String> {
        let unix = plain(pattern);
        let rooted = match unix.strip_prefix("$HOME").or_else(|| unix.strip_prefix("${HOME}")) {
            Some(rest) => format!("~{rest}"),
            None if unix == "./" => ".".to_owned(),
            None => unix.strip_prefix("./").map(str::to_owned).unwrap_or(unix),
        };
        let mut steps = Vec::new();
        if reading == Reading::Broad && !rooted.contains('/') && rooted != "~" {
            steps.push(Step::Across);
        }
        for text in rooted.strip_suffix('/').unwrap_or(&rooted).split('/') {
            let step = match text {
                "**" if steps.last() == Some(&Step::Across) => continue,
                "**" => Step::Across,
                // the project itself
                "." if rooted == "." => Step::One(Segment::new(text)?),
                ".." | "." => {
                    return Err(format!("`{pattern}` holds `{text}`, which a path never has when it is judged"));
                }
                _ if text.contains("**") => {
                    return Err(format!("`{pattern}`: `**` stands for whole segments, as in `a/**/b`"));
                }
                _ => Step::One(Segment::new(text).map_err(|why| format!("`{pattern}`: {why}"))?),
            };
            steps.push(step);
        }
        Ok(Self { steps, reading })
    }

    pub(crate) fn reading(&self) -> Reading {
        self.reading
    }

    /// Whether the path, given as one spelling, matches.
    pub(crate) fn is_match(&self, path: &str, extent: Extent) -> bool {
        let mut states = vec![State { at: 0, named: false, direct: false }];
        let path = if path == "/" { "" } else { path.strip_suffix('/').unwrap_or(path) };
        for text in path.split('/') {
            let mut next: Vec<State> = Vec::with_capacity(states.len() + 1);
            for state in &states {
                self.step(*state, text, extent.glob, &mut next);
            }
            if next.is_empty() {
                return false;
            }
            states = next;
        }
        states.iter().any(|s| self.accepts(*s, extent))
    }

    fn step(&self, state: State, text: &str, glob: bool, next: &mut Vec<State>) {
        let mut add = |state: State| {
            if !next.contains(&state) {
                next.push(state);
            }
        };
        match self.steps.get(state.at) {
            None => {}
            Some(Step::One(segment)) if segment.is_match(text) || (glob && segment.may_meet(text)) => {
                add(State { at: state.at + 1, named: state.named || segment.is_named(), direct: true });
            }
            Some(Step::One(_)) => {}
            Some(Step::Across) => {
                add(State { direct: false, ..state });
                if glob && text == "**" {
                    (state.at..self.steps.len()).for_each(|at| add(State { at: at + 1, ..state }));
                }
                // `**` may also stand for nothing at all.
                if let Some(Step::One(segment)) = self.steps.get(state.at + 1)
                    && (segment.is_match(text) || (glob && segment.may_meet(text)))
                {
                    add(State { at: state.at + 2, named: state.named || segment.is_named(), direct: true });
                }
            }
        }
    }

    fn accepts(&self, state: State, extent: Extent) -> bool {
        let rest = self.steps.get(state.at..).unwrap_or_default();
        match rest {
            [] => true,
            // `a/**` is what lies below `a`; read broadly, `a` too.
            [Step::Across] if !state.direct || self.reading == Reading::Broad => true,
            _ => extent.recursive && state.direct && state.named && self.reading == Reading::Broad,
        }
    }

    /// A text that every matching path contains, unless the path is a pattern or stands for what is below it.
    pub(crate) fn literal(&self) -> &str {
        let literals = self.steps.iter().map(|step| match step {
            Step::One(segment) => segment.literal(),
            Step::Across => "",
        });
        literals.max_by_key(|l| l.len()).unwrap_or_default()
    }

    /// It matches everything, or everything below the root or the home.
    pub(crate) fn is_sweeping(&self) -> bool {
        let fixed =
            self.steps.iter().filter(|s| matches!(s, Step::One(segment) if segment.is_named() && !segment.is_anchor()));
        fixed.count() == 0
    }
}

/// A path with forward slashes: Windows paths are folded, others stay.
pub(crate) fn plain(path: &str) -> String {
    let windows = path.starts_with(r"\\") || path.get(1..3) == Some(r":\");
    if windows { path.replace('\\', "/") } else { path.to_owned() }
}

const MAX_ALTERNATIVES: usize = 256;
const MAX_PATTERN: usize = 4_096;
const MAX_BRACES: usize = 32;

/// Expands `{a,b}`; braces may be nested.
fn expand(pattern: &str, out: &mut Vec<String>) -> Result<(), String> {
    let Some(open) = pattern.find('{') else {
        if pattern.contains('}') {
            return Err(format!("`{pattern}`: `}}` without `{{`"));
        }
        if out.len() >= MAX_ALTERNATIVES {
            return Err(format!("the pattern has more than {MAX_ALTERNATIVES} alternatives"));
        }
        out.push(pattern.to_owned());
        return Ok(());
    };
    let (front, behind) = (pattern.get(..open).unwrap_or_default(), pattern.get(open + 1..).unwrap_or_default());
    let (mut depth, mut from, mut parts, mut close) = (0_usize, 0, Vec::new(), None);
    for (i, c) in behind.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(behind.get(from..i).unwrap_or_default());
                close = Some(i + 1);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(behind.get(from..i).unwrap_or_default());
                from = i + 1;
            }
            _ => {}
        }
    }
    let Some(close) = close else { return Err(format!("`{pattern}`: `{{` without `}}`")) };
    let tail = behind.get(close..).unwrap_or_default();
    parts.into_iter().try_for_each(|part| expand(&format!("{front}{part}{tail}"), out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, reading: Reading, path: &str, extent: Extent) -> bool {
        PathGlob::compile(pattern, reading).unwrap().iter().any(|g| g.is_match(path, extent))
    }

    #[test]
    fn stars_stay_in_a_segment_and_double_stars_do_not() {
        use Reading::{Broad, Exact};
        for (pattern, reading, path, expect) in [
            ("**/.ssh/id_*", Broad, "/home/u/.ssh/id_rsa", true),
            ("**/.ssh/id_*", Broad, "~/.ssh/id_rsa", true),
            ("**/.ssh/id_*", Broad, ".ssh/id_rsa", true),
            ("**/.ssh/id_*", Broad, "/home/u/.ssh/sub/id_rsa", false),
            ("**/.env", Exact, ".env", true),
            ("**/.env", Exact, "/p/.env", true),
            ("**/.env", Exact, "/p/.env.example", false),
            ("/etc/*", Exact, "/etc/passwd", true),
            ("/etc/*", Exact, "/etc/a/b", false),
            ("/etc/**", Exact, "/etc/a/b", true),
            ("/etc/**", Exact, "/etc", false),
            ("/etc/**", Broad, "/etc", true),
            ("/etc/**/x", Exact, "/etc/x", true),
            ("/", Broad, "/", true),
            ("~", Broad, "~", true),
            ("~/.aws/**", Broad, "~/.aws/credentials", true),
            ("$HOME/.aws/*", Broad, "~/.aws/credentials", true),
            ("*.pem", Broad, "/a/b/key.pem", true),
            ("*.pem", Exact, "/a/b/key.pem", false),
            ("*.pem", Exact, "key.pem", true),
            ("src/**", Exact, "src/a/b.rs", true),
            ("./src/**", Exact, "src/a/b.rs", true),
            ("src/**", Exact, "/other/src/a", false),
            ("**/[a-c]?.txt", Exact, "/b1.txt", true),
            ("**/[!a-c]?.txt", Exact, "/b1.txt", false),
            ("**/{id_rsa,*.key}", Broad, "/x/y.key", true),
            ("**", Exact, "/any/thing", true),
            (r"C:\Users\*\.aws\credentials", Broad, "C:/Users/Alice/.aws/credentials", true),
        ] {
            assert_eq!(matches(pattern, reading, path, Extent::default()), expect, "{pattern} on {path}");
        }
    }

    #[test]
    fn a_tree_or_a_pattern_is_met_where_it_names_what_the_glob_names() {
        let tree = Extent { recursive: true, glob: false };
        let glob = Extent { recursive: false, glob: true };
        for (pattern, path, extent, expect) in [
            ("**/.ssh/id_*", "/home/u/.ssh", tree, true),
            ("~/.ssh/**", "~", tree, true),
            ("/etc/shadow", "/", tree, true),
            ("**/.env", "/home/u/proj", tree, false),
            ("/**/.env", "/home/u/proj", tree, false),
            ("**/.ssh/id_*", "/home/u/.ssh/*", glob, true),
            ("**/.ssh/id_rsa", "/home/u/.ssh/id_rs?", glob, true),
            ("**/.ssh/id_rsa", "/home/u/.ssh/*.pub", glob, false),
            ("**/.ssh/id_rsa", "/home/*/.ssh/id_rsa", glob, true),
            ("/usr/*", "*.pyc", glob, false),
            ("~/.aws/**", "*", glob, false),
        ] {
            assert_eq!(matches(pattern, Reading::Broad, path, extent), expect, "{pattern} on {path}");
            if extent.recursive {
                assert!(!matches(pattern, Reading::Exact, path, extent), "{pattern} on {path}");
            }
        }
    }

    #[test]
    fn malformed_globs_are_refused() {
        for pattern in ["a/[b", "a/{b", "a}", "a**b", "../x", "a/./b", "[]"] {
            assert!(PathGlob::compile(pattern, Reading::Broad).is_err(), "{pattern}");
        }
        let deep = "{".repeat(4_000);
        assert!(PathGlob::compile(&deep, Reading::Broad).is_err());
        let many = "{a,b}".repeat(12);
        assert!(PathGlob::compile(&many, Reading::Broad).is_err());
    }
}
