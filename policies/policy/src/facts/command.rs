//! Commands as rules see them.

use rampart_call::CommandLine;
use rampart_shell::{Component, Pipeline, Surroundings};

use super::{Known, Unit, UnitKind};
use crate::{
    pattern::{Ids, Reading},
    sets::Sets,
};

impl Known<'_> {
    pub(super) fn add_command(&mut self, command: &CommandLine, around: &Surroundings<'_>, sets: &Sets) {
        let analysis = rampart_shell::analyze(command, around);
        self.complete &= analysis.complete;
        for effect in analysis.effects {
            self.add_effect(effect, around, sets);
        }
        for component in analysis.components {
            self.units.push(simple(component, sets));
        }
        for pipeline in analysis.pipelines {
            self.redirected |= redirects(&pipeline.text);
            self.units.push(joined(pipeline, sets));
        }
        let line = command.to_line();
        let line = line.trim();
        sets.commands.find(line, &mut self.verbatim, |(glob, _)| glob.is_literal() && glob.is_match(line));
        sets.pipelines.find(line, &mut self.verbatim, |(glob, _)| glob.is_literal() && glob.is_match(line));
        self.units.push(whole(line, sets));
    }
}

fn unit(kind: UnitKind, text: String) -> Unit {
    Unit {
        kind,
        text,
        commands: Ids::default(),
        pipelines: Ids::default(),
        contained: Ids::default(),
        assignments: Vec::new(),
        via: 0,
        span: None,
    }
}

fn simple(component: Component, sets: &Sets) -> Unit {
    let words = component.argv.join(" ");
    let mut unit = unit(UnitKind::Component, words);
    unit.span = Some(component.span);
    unit.via = component.via.len();
    let look = |text: &str, reading: Reading, found: &mut Ids| {
        sets.commands.find(text, found, |(glob, r)| *r == reading && glob.is_match(text));
    };
    look(&unit.text, Reading::Broad, &mut unit.commands);
    // `/bin/rm` is `rm`, but only where that makes a rule stricter.
    let program = component.argv.first().map(String::as_str).unwrap_or_default();
    if let Some((_, name)) = program.rsplit_once(['/', '\\']) {
        let rest = unit.text.get(program.len()..).unwrap_or_default();
        look(&format!("{name}{rest}"), Reading::Broad, &mut unit.commands);
    }
    if component.assignments.is_empty() {
        look(&unit.text, Reading::Exact, &mut unit.commands);
    } else {
        let set: Vec<String> = component.assignments.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let full = format!("{} {}", set.join(" "), unit.text);
        look(&full, Reading::Broad, &mut unit.commands);
        look(&full, Reading::Exact, &mut unit.commands);
        contained(&full, sets, &mut unit.contained);
    }
    contained(&unit.text, sets, &mut unit.contained);
    unit.assignments = component.assignments;
    unit
}

fn joined(pipeline: Pipeline, sets: &Sets) -> Unit {
    let mut unit = unit(UnitKind::Pipeline, pipeline.text);
    unit.span = Some(pipeline.span);
    let text = &unit.text;
    sets.pipelines.find(text, &mut unit.pipelines, |(glob, _)| glob.is_match(text));
    contained(&unit.text, sets, &mut unit.contained);
    unit
}

fn whole(line: &str, sets: &Sets) -> Unit {
    let mut unit = unit(UnitKind::Whole, line.to_owned());
    if !sets.pipelines.is_empty() {
        let spaced = line.split_whitespace().collect::<Vec<_>>().join(" ");
        for text in [line, &spaced] {
            let verify = |(glob, reading): &crate::sets::CommandGlob| *reading == Reading::Broad && glob.is_match(text);
            sets.pipelines.find(text, &mut unit.pipelines, verify);
        }
    }
    contained(line, sets, &mut unit.contained);
    unit
}

fn contained(text: &str, sets: &Sets, found: &mut Ids) {
    if !sets.contained.is_empty() {
        // The automaton folds ASCII; what it finds is in the text.
        let lower = text.to_lowercase();
        sets.contained.find(&lower, found, |part| lower.contains(part.as_str()));
    }
}

/// Whether a joined command opens files, other than to throw output away or to join it with another stream.
fn redirects(text: &str) -> bool {
    let mut words = text.split(' ').peekable();
    while let Some(word) = words.next() {
        let operator = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '&');
        if !operator.starts_with(['<', '>']) {
            continue;
        }
        let behind = operator.trim_start_matches(['<', '>', '|']);
        let target = if behind.is_empty() { words.peek().copied().unwrap_or_default() } else { behind };
        if !target.starts_with('&') && target != "/dev/null" {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::redirects;

    #[test]
    fn output_that_is_thrown_away_is_no_redirect() {
        for (text, expect) in [
            ("make | tee", false),
            ("make 2>&1 | less", false),
            ("make > /dev/null 2>&1", false),
            ("make >/dev/null", false),
            ("make > out.log", true),
            ("make 2>err.log", true),
            ("sort < in", true),
            ("make &> x", true),
        ] {
            assert_eq!(redirects(text), expect, "{text}");
        }
    }
}
