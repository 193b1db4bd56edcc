//! `rampart init --from-audit`: least privilege from what an agent was seen to do. Denies by default and allows what the
//! audit trail says was done, a little generalised; the draft is judged on all of that again before it is handed out.

mod draft;

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use rampart_call::{Action, Call, Origin};
use rampart_gateway::{
    Home,
    audit::{
        Kind,
        read::{Filter, backward},
    },
    recorded::Recorded,
};
use rampart_policy::{Context, History, Layer, Ruleset, SourceFile, load, parse_duration};

use self::draft::Seen;
use crate::{args::Init, environment::Environment, exit::Exit, printer::Printer, rules, user_overrides::replace};

pub(crate) fn run(args: &Init, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let (calls, skipped) = calls(args.last.as_deref(), environment)?;
    if calls.is_empty() {
        bail!(
            "the audit trail holds no call that was let pass; run the agent for a while first, in monitor mode if need be"
        );
    }
    // Judging explains: the commands in a line, and what they would do. What the rules are does not matter for that.
    let nothing = compile("version: \"1\"\ndefault_action: deny\npolicies: []\n", printer)?;
    let mut seen = Seen::default();
    for call in &calls {
        seen.add(call, &nothing);
    }
    // What the generalised rules do not cover is allowed as it was written.
    let draft = compile(&seen.policy(&[]), printer)?;
    for call in calls.iter().filter(|call| !passes(&draft, call)) {
        if let Action::Exec { command, .. } = &call.action {
            seen.allow_verbatim(command);
        }
    }
    let draft = compile(&seen.policy(&[]), printer)?;
    let uncovered: BTreeSet<String> = calls
        .iter()
        .filter(|call| !passes(&draft, call))
        .map(|c| format!("{} {}", c.action.tool(), c.action.subject()))
        .collect();
    let text = seen.policy(&uncovered.into_iter().collect::<Vec<_>>());
    let rules = compile(&text, printer)?.rule_count();
    match &args.output {
        None => printer.out_raw(&text),
        Some(path) => {
            if path.exists() && !args.force {
                bail!("{} exists already; give --force to replace it", path.display());
            }
            replace(&environment.cwd.join(path), &text, 0o600)?;
            printer.out(format!("{rules} rules from {} calls: {}", calls.len(), path.display()));
            printer.note("Read it, then try it with `rampart test --policy FILE \"COMMAND\"`, or put it into `policies/` of Rampart's home.");
        }
    }
    if skipped > 0 {
        printer.note(format!("{skipped} calls were left out because secrets in them are not in the trail"));
    }
    Ok(Exit::Yes)
}

/// The calls that were let pass, each once, and how many could not be read whole.
fn calls(last: Option<&str>, environment: &Environment) -> anyhow::Result<(Vec<Call>, usize)> {
    let since_ms = match last {
        None => None,
        Some(text) => {
            let ms = parse_duration(text).with_context(|| format!("`{text}` is not a time; write it as 12h or 7d"))?;
            u64::try_from(jiff::Timestamp::now().as_millisecond() - ms).ok()
        }
    };
    let sieve = Filter { since_ms, ..Filter::default() }.sieve();
    let home = Home::at(&environment.home);
    let user_home = environment.user_home.display().to_string();
    home.prepare()?;
    let (mut calls, mut lines, mut skipped): (Vec<Call>, BTreeSet<String>, usize) = (Vec::new(), BTreeSet::new(), 0);
    for record in backward(&home.audit())? {
        let record = record?;
        if record.kind != Kind::Decision {
            continue;
        }
        // Going backward, the first that is too old ends it.
        if !sieve.admits(&record) {
            break;
        }
        let Ok(Recorded { call, outcome, flaw, .. }) = Recorded::read(&record, &user_home) else { continue };
        if !outcome.passes() {
            continue;
        }
        if flaw.is_some() {
            skipped += 1;
        } else if lines.insert(serde_json::to_string(&call.action)?) {
            // whoever did it, another session may do it too
            let Origin { agent, workspace, home, .. } = call.origin;
            calls.push(Call { origin: Origin { agent, workspace, home, ..Origin::default() }, ..call });
        }
    }
    Ok((calls, skipped))
}

fn compile(text: &str, printer: Printer) -> anyhow::Result<Ruleset> {
    let file = SourceFile { name: "draft".to_owned(), text: text.to_owned(), layer: Layer::User };
    match load(std::slice::from_ref(&file)) {
        Ok(loaded) => Ok(loaded.ruleset),
        Err(wrong) => {
            rules::show(&wrong, &[file], printer);
            bail!("the draft does not load, because of a name in the trail that no rule can hold");
        }
    }
}

fn passes(ruleset: &Ruleset, call: &Call) -> bool {
    with_context(|context| ruleset.judge(call, context).outcome.passes())
}

fn with_context<T>(work: impl FnOnce(&Context<'_>) -> T) -> T {
    let (labels, history) = (BTreeSet::new(), History::default());
    work(&Context {
        now_ms: 0,
        headless: false,
        labels: &labels,
        confined: false,
        called: &[],
        history: &history,
        counted: false,
        rampart_home: None,
    })
}
