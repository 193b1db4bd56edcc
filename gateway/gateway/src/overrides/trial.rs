//! A rule that is tried before it is written: does what it is about come to what it is for?

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use rampart_call::{Action, Call, Judgement, Origin, Outcome, Phase};
use rampart_policy::{Context, Diagnostic, History, Override, OverrideAction, Ruleset, SourceFile, lint, load};
use serde_json::{Value, json};

use super::OverrideError;
use crate::{Home, clock, rules::project_file};

/// Stands for the stars of a pattern where a call is made up from it.
const ANY: &str = "example";

/// Where the call would be made that a rule is tried with.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// Working directory.
    pub cwd: Option<PathBuf>,
    /// The project, whose own policy counts.
    pub workspace: Option<PathBuf>,
    /// What `~` means.
    pub home: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Tried {
    /// How many rules there are with it.
    pub rules: usize,
    /// What is doubtful with it and was not before.
    pub warnings: Vec<Diagnostic>,
    /// What people should know.
    pub notes: Vec<String>,
}

impl Place {
    /// What the project adds to the policies.
    pub(super) fn project(&self) -> Result<Option<SourceFile>, OverrideError> {
        let workspace = self.workspace.as_ref().filter(|path| path.is_absolute());
        workspace.map_or(Ok(None), |workspace| project_file(workspace).map_err(OverrideError::Policies))
    }
}

/// Loads the files as they are and as they would be with the rule, and judges by both what it is about.
///
/// # Errors
/// When they do not load, or the rule would change nothing.
pub fn try_out(
    rule: &Override,
    files: &[SourceFile],
    planned: &[SourceFile],
    home: &Home,
    place: &Place,
) -> Result<Tried, OverrideError> {
    let compile = |files: &[SourceFile]| load(files).map(|loaded| loaded.ruleset).map_err(OverrideError::Policies);
    let (old, new) = (compile(files)?, compile(planned)?);
    let known = lint(files);
    let warnings = lint(planned).into_iter().filter(|d| !known.contains(d)).collect();
    let mut tried = Tried { rules: new.rule_count(), warnings, notes: Vec::new() };
    let Some(action) = example(rule)? else { return Ok(tried) };
    let (before, after) = (judge(&old, &action, home, place), judge(&new, &action, home, place));
    let (wanted, done) = match rule.action {
        OverrideAction::Allow => (Outcome::Allow, after.outcome.passes()),
        OverrideAction::Deny => (Outcome::Deny, after.outcome == Outcome::Deny),
        OverrideAction::Ask => (Outcome::Ask, after.outcome == Outcome::Ask || after.outcome == Outcome::Deny),
    };
    let subject = rampart_scan::visible(&action.subject());
    if !done {
        let by = after.rule.as_ref().map_or_else(|| after.reason.to_string(), ToString::to_string);
        let above = after.rule.as_ref().and_then(|place| new.rule(place)).is_some_and(|r| r.locked);
        let why = if above { ", which is locked and stands above all overrides" } else { "" };
        let text = format!("`{subject}` would still come to `{}`, by {by}{why}", after.outcome);
        // An example made up from a pattern with stars is not all the pattern is about.
        if !rule.pattern.contains('*') && !rule.params.values().flatten().any(|p| p.contains('*')) {
            return Err(OverrideError::NoEffect(text));
        }
        tried.notes.push(text);
    } else if before.outcome == wanted {
        tried.notes.push(format!("`{subject}` comes to `{wanted}` without this rule too"));
    }
    Ok(tried)
}

fn judge(ruleset: &Ruleset, action: &Action, home: &Home, place: &Place) -> Judgement {
    let (labels, history) = (BTreeSet::new(), History::default());
    let context = Context {
        now_ms: i64::try_from(clock::wall_ms()).unwrap_or(i64::MAX),
        headless: false,
        labels: &labels,
        confined: false,
        called: &[],
        history: &history,
        counted: false,
        rampart_home: home.root().to_str(),
    };
    ruleset.judge(&call(action.clone(), place), &context)
}

fn call(mut action: Action, place: &Place) -> Call {
    let text = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    match &mut action {
        Action::Exec { cwd: cwd @ None, .. } => *cwd = text(&place.cwd),
        Action::Read { paths } | Action::Write { paths, .. } | Action::Edit { paths, .. } => {
            for located in paths {
                let path = place.cwd.as_deref().unwrap_or(Path::new("/")).join(&located.path);
                located.resolved = fs::canonicalize(path).ok().map(|p| p.display().to_string());
            }
        }
        _ => {}
    }
    let origin = Origin { workspace: text(&place.workspace), home: text(&place.home), ..Origin::default() };
    Call { origin, phase: Phase::Before, action, response: None }
}

/// A call that the rule is about; none where none can be made up.
fn example(rule: &Override) -> Result<Option<Action>, OverrideError> {
    let tool = rule.tool.as_deref().unwrap_or("exec");
    let text = meant(&rule.pattern);
    let params = match tool {
        "read" | "write" | "edit" if text.contains(['?', '[', '{']) => return Ok(None),
        "fetch" if !text.contains("://") => json!({ "url": format!("https://{text}/") }),
        _ => {
            let mut made = params(tool, &text);
            let named = rule.params.iter().filter(|(name, _)| !name.starts_with('/'));
            let arguments: serde_json::Map<String, Value> =
                named.filter_map(|(name, all)| Some((name.clone(), meant(all.first()?).into()))).collect();
            if let Some(map) = made.as_object_mut() {
                match tool {
                    "mcp" => drop(map.insert("arguments".to_owned(), arguments.into())),
                    _ => map.extend(arguments),
                }
            }
            made
        }
    };
    let made = Action::from_tool(tool, &params);
    made.map(Some).map_err(|e| OverrideError::Senseless(format!("`{}` cannot be a rule: {e}", rule.pattern)))
}

/// A text that a pattern matches.
fn meant(pattern: &str) -> String {
    const STAR: &str = "\u{1}";
    pattern.replace(r"\*", STAR).replace("**", "*").replace('*', ANY).replace(STAR, "*")
}

/// The parameters of a tool that is about one thing.
pub fn params(tool: &str, subject: &str) -> Value {
    match tool {
        "exec" => json!({ "command": subject }),
        "read" | "write" | "edit" => json!({ "path": subject }),
        "fetch" => json!({ "url": subject }),
        "connect" => match subject.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?))) {
            Some((host, port)) => json!({ "host": host, "port": port }),
            None => json!({ "host": subject }),
        },
        "mcp" => match subject.split_once('/') {
            Some((server, tool)) => json!({ "server": server, "tool": tool }),
            None => json!({ "tool": subject }),
        },
        _ => json!({ "input": subject }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_keeps_the_stars_that_are_meant() {
        let subject = |tool: Option<&str>, pattern: &str| {
            let rule = Override { tool: tool.map(str::to_owned), pattern: pattern.into(), ..Override::default() };
            example(&rule).unwrap().map(|a| a.subject())
        };
        assert_eq!(subject(None, r"ls \*.rs *").as_deref(), Some("ls *.rs example"));
        assert_eq!(subject(Some("read"), "~/a/**").as_deref(), Some("~/a/example"));
        assert_eq!(subject(Some("read"), "~/a/[ab]"), None);
        assert_eq!(subject(Some("fetch"), "*.x.io").as_deref(), Some("GET https://example.x.io/"));
        assert_eq!(subject(Some("mcp"), "github/*").as_deref(), Some("github/example"));
    }
}
