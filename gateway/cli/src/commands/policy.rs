//! `rampart policy`: check, explain and list policies.

use std::collections::BTreeSet;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use rampart_call::Effect;
use rampart_client::wire::Decision;
use rampart_policy::{Explanation, History, Severity, explain, lint};
use rampart_scan::visible;
use serde_json::json;

use crate::{
    args::{PolicyVerb, Test},
    commands::{publish, registry, test},
    environment::Environment,
    exit::Exit,
    printer::{BOLD, DIM, Printer, outcome_style, styled},
    rules,
};

/// How many rules are told that nearly matched.
const MOST_NEAR: usize = 5;

pub(crate) fn run(verb: PolicyVerb, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    match verb {
        PolicyVerb::Lint { files, json } => check(&files, json, environment, printer),
        PolicyVerb::Explain(args) => explain_call(&args, environment, printer),
        PolicyVerb::Schema => {
            printer.out(rampart_policy::SCHEMA.trim_end());
            Ok(Exit::Yes)
        }
        PolicyVerb::Rules(args) => list_rules(args.json, environment, printer),
        PolicyVerb::List(args) => registry::list(&args, environment, printer),
        PolicyVerb::Fetch(args) => registry::fetch(&args, environment, printer),
        PolicyVerb::Publish(args) => publish::run(&args, printer),
    }
}

fn check(
    named: &[std::path::PathBuf],
    json: bool,
    environment: &Environment,
    printer: Printer,
) -> anyhow::Result<Exit> {
    let files = rules::files(environment, named)?;
    let found = lint(&files);
    let errors = found.iter().filter(|d| d.severity == Severity::Error).count();
    if json {
        for d in &found {
            printer.json(&json!({
                "severity": if d.severity == Severity::Error { "error" } else { "warning" }, "code": d.code,
                "message": d.message, "file": d.file, "line": d.line, "column": d.column, "help": d.help,
            }))?;
        }
    } else if found.is_empty() {
        let names: Vec<_> = files.iter().map(|f| f.name.as_str()).collect();
        printer.out(format!("no findings in {}", names.join(", ")));
    } else {
        rules::show(&found, &files, printer);
        let warnings = found.len() - errors;
        let s = |n| if n == 1 { "" } else { "s" };
        printer.note(format!("\n{errors} error{}, {warnings} warning{}", s(errors), s(warnings)));
    }
    Ok(if errors == 0 { Exit::Yes } else { Exit::No })
}

fn explain_call(args: &Test, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let files = rules::files(environment, &args.policy)?;
    let call = test::call(args, environment)?;
    let ruleset = rules::compile(&files, printer)?;
    let (labels, history) = (BTreeSet::new(), History::default());
    let told = explain(&ruleset, &call, &test::context(&labels, &history, environment));
    let judgement = &told.judgement;
    if args.json {
        printer.json(&facts(&told)?)?;
        return Ok(test::exit(judgement.outcome));
    }
    let heading = |text: &str| printer.out(format!("\n{}", styled(BOLD, text)));
    printer.hung(
        6,
        format!("{}  {}", styled(outcome_style(judgement.outcome), judgement.outcome), visible(&judgement.message)),
    );
    if let Some(shown) = underlined(&test::line_of(&call), judgement.effect.as_ref()) {
        printer.out(shown);
    }
    if !told.components.is_empty() {
        heading("Commands that would run");
        for component in &told.components {
            printer.hung(4, format!("  {}", visible(&component.text)));
        }
    }
    if !told.effects.is_empty() {
        heading("What they would do");
        for effect in &told.effects {
            printer.hung(19, format!("  {}", effect_line(effect)));
        }
    }
    if !told.complete {
        printer.out("  (the analysis ran out of its budget here)");
    }
    heading("Rules that match");
    if told.matched.is_empty() {
        printer.out(format!("  none; the default is {}", told.default_action));
    }
    for rule in &told.matched {
        let mark = if rule.decides { "→" } else { " " };
        let action = styled(outcome_style(rule.rule.action), format!("{:<7}", rule.rule.action));
        printer.hung(11, format!("{mark} {action}  {}  {}", rule.rule, styled(DIM, &rule.message)));
    }
    if !told.nearly.is_empty() {
        heading("Rules that one condition kept from matching");
        for near in told.nearly.iter().take(MOST_NEAR) {
            printer.hung(11, format!("  {:<7}  {}  {}", near.rule.action, near.rule, styled(DIM, near.missing)));
        }
        if let Some(more) = told.nearly.len().checked_sub(MOST_NEAR).filter(|more| *more > 0) {
            printer.out(styled(DIM, format!("  and {more} more; --json lists them")));
        }
    }
    if !judgement.suggestions.is_empty() {
        heading("To allow it");
        for suggestion in &judgement.suggestions {
            printer.hung(4, format!("  {suggestion}"));
        }
    }
    Ok(test::exit(judgement.outcome))
}

/// What `rampart test --json` and the API say of the call, and how that came about.
fn facts(told: &Explanation) -> anyhow::Result<serde_json::Value> {
    let outcome = told.judgement.outcome;
    let mut facts = serde_json::to_value(Decision::of(told.judgement.clone(), outcome.passes(), None))?;
    let matched = told.matched.iter().map(|m| {
        json!({
            "rule": m.rule, "message": m.message, "decides": m.decides, "locked": m.locked, "effect": m.effect,
            "component": m.component,
        })
    });
    let components = told.components.iter().map(|c| json!({ "text": c.text, "span": c.span }));
    let nearly = told.nearly.iter().map(|n| json!({ "rule": n.rule, "missing": n.missing }));
    let more = json!({
        "matched": matched.collect::<Vec<_>>(), "components": components.collect::<Vec<_>>(),
        "nearly": nearly.collect::<Vec<_>>(), "complete": told.complete, "default_action": told.default_action,
        "effect": told.judgement.effect,
    });
    if let (Some(facts), serde_json::Value::Object(more)) = (facts.as_object_mut(), more) {
        facts.extend(more);
    }
    Ok(facts)
}

/// The call's text with what the rule matched underlined.
fn underlined(text: &str, effect: Option<&Effect>) -> Option<String> {
    let span = effect?.span?;
    // Offsets must fit the text that is shown, so nothing is escaped where the original holds only plain characters.
    if visible(text) != text || text.get(span.start..span.end).is_none_or(str::is_empty) {
        return None;
    }
    let snippet = Snippet::source(text).line_start(1).annotation(AnnotationKind::Primary.span(span.start..span.end));
    let report = Level::INFO.no_name().secondary_title("").element(snippet);
    let shown = Renderer::styled().render(&[report]);
    Some(shown.lines().skip(1).collect::<Vec<_>>().join("\n"))
}

fn effect_line(effect: &Effect) -> String {
    let (target, about) = effect.in_words();
    let about = if about.is_empty() { about } else { format!("  {}", styled(DIM, about)) };
    format!("{:<16} {}{about}", effect.kind.as_str(), visible(&target))
}

fn list_rules(json: bool, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let files = rules::files(environment, &[])?;
    let ruleset = rules::compile(&files, printer)?;
    let longest = ruleset.policies().iter().map(|policy| policy.name.chars().count()).max().unwrap_or_default().min(42);
    for policy in ruleset.policies() {
        if json {
            printer.json(&json!({
                "name": policy.name, "description": policy.description, "file": policy.file,
                "priority": policy.priority, "enabled": policy.enabled, "rules": policy.rules,
            }))?;
        } else {
            let rules = if policy.rules == 1 { "rule " } else { "rules" };
            printer.hung(
                2,
                format!("{:<longest$}  {:>3} {rules}  {}", policy.name, policy.rules, styled(DIM, &policy.file)),
            );
        }
    }
    if !json {
        printer.note(format!("{} rules; what no rule matches: {}", ruleset.rule_count(), ruleset.default_action()));
    }
    Ok(Exit::Yes)
}
