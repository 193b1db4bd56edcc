//! `command_matches`, `command_not_matches`: a text glob matches a simple command's words, or, where the pattern holds
//! an operator, a pipeline. `command_contains`, `command_not_contains`: a part of the command, whatever its case.

use super::{Fields, Pair, Reader, RuleBuilder, Trigger};
use crate::{
    facts::{Facts, Unit, UnitKind},
    pattern::{Ids, Reading, TextGlob},
    tool::Tools,
};

/// What is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    pub(crate) matches: Pair,
    pub(crate) contains: Pair,
}

impl Source {
    pub(super) fn read(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Self {
        Self {
            matches: Pair::read(fields, reader, "command_matches", "command_not_matches"),
            contains: Pair::read(fields, reader, "command_contains", "command_not_contains"),
        }
    }

    pub(super) fn compile(&self, into: &mut RuleBuilder<'_>) {
        let Self { matches, contains } = self;
        // With an exception beside it, each command is looked at by itself: text elsewhere neither makes nor breaks it.
        let alone = matches.no.is_some() || contains.no.is_some();
        if matches.is_set() || contains.is_set() {
            into.reaches(Tools::CARRIERS);
        }
        if let Some(patterns) = &matches.yes {
            let compiled = Patterns::add(patterns.iter().map(|p| p.value.as_str()), into.reading, into);
            let (commands, pipelines) = (compiled.commands.clone(), compiled.pipelines.clone());
            into.found_by(commands.iter().map(Trigger::Command).chain(pipelines.iter().map(Trigger::Pipeline)));
            into.unit("command_matches", move |unit| {
                unit.commands.meets(&commands) || unit.pipelines.meets(&pipelines)
            });
            if into.reading == Reading::Exact {
                let globs = patterns.iter().map(|p| TextGlob::new(&p.value)).collect();
                into.grant = Some(Grant { ids: compiled, globs });
            }
        }
        if let Some(patterns) = &matches.no {
            let not = Patterns::add(patterns.iter().map(|p| p.value.as_str()), into.exception(), into);
            let joined = matches.yes.is_some() || contains.yes.is_some();
            into.unit("command_not_matches", move |unit| {
                (joined || unit.kind == UnitKind::Component)
                    && !unit.commands.meets(&not.commands)
                    && !unit.pipelines.meets(&not.pipelines)
            });
        }
        if let Some(parts) = &contains.yes {
            let across = parts.iter().filter(|p| !alone || has_operator(&p.value));
            let across: Ids = across.map(|p| add_part(&p.value, into)).collect();
            let ids: Ids = parts.iter().map(|p| add_part(&p.value, into)).collect();
            into.found_by(ids.iter().map(Trigger::Contained));
            into.unit("command_contains", move |unit| match unit.kind {
                UnitKind::Component => unit.contained.meets(&ids),
                UnitKind::Pipeline | UnitKind::Whole => unit.contained.meets(&across),
            });
        }
        if let Some(parts) = &contains.no {
            let ids: Ids = parts.iter().map(|p| add_part(&p.value, into)).collect();
            let joined = matches.yes.is_some() || contains.yes.is_some();
            into.unit("command_not_contains", move |unit| {
                (joined || unit.kind == UnitKind::Component) && !unit.contained.meets(&ids)
            });
        }
    }
}

#[derive(Debug, Clone)]
struct Patterns {
    commands: Ids,
    pipelines: Ids,
}

impl Patterns {
    fn add<'p>(patterns: impl Iterator<Item = &'p str>, reading: Reading, into: &mut RuleBuilder<'_>) -> Self {
        let (operators, plain): (Vec<&str>, Vec<&str>) = patterns.partition(|p| has_operator(p));
        let glob = |text: &str| (TextGlob::new(text), reading);
        // A pattern with an operator may also stand for one quoted word.
        let commands = plain.iter().chain(&operators).map(|p| {
            let glob = glob(p);
            let literal = glob.0.literal().to_owned();
            into.sets.commands.add(glob, &literal)
        });
        let commands = commands.collect();
        let pipelines = operators.iter().map(|p| {
            let glob = glob(p);
            let literal = glob.0.literal().to_owned();
            into.sets.pipelines.add(glob, &literal)
        });
        Self { commands, pipelines: pipelines.collect() }
    }
}

fn add_part(part: &str, into: &mut RuleBuilder<'_>) -> u32 {
    let lower = part.to_lowercase();
    into.sets.contained.add(lower.clone(), &lower)
}

/// Whether a pattern holds an operator of the shell and so speaks of more than one simple command.
pub(crate) fn has_operator(pattern: &str) -> bool {
    pattern.contains(['|', '>', '<', '&', ';', '\n'])
}

/// How a rule that allows covers a command line by its patterns: every command in it, and every file it redirects.
#[derive(Debug)]
pub(crate) struct Grant {
    ids: Patterns,
    globs: Vec<TextGlob>,
}

impl Grant {
    /// The whole text is one of the patterns, letter for letter.
    pub(crate) fn is_verbatim(&self, facts: &Facts<'_>) -> bool {
        facts.verbatim.meets(&self.ids.commands) || facts.verbatim.meets(&self.ids.pipelines)
    }

    /// A pattern with operators has the shape of the whole line, command by command.
    pub(crate) fn has_shape(&self, facts: &Facts<'_>) -> bool {
        let Some(line) = facts.units.iter().find(|u| u.kind == UnitKind::Pipeline) else { return false };
        let count = facts.commands().count();
        let shape = Shape::of(&line.text);
        let plain = facts.commands().all(|u| u.via == 0 && u.assignments.is_empty());
        plain
            && shape.commands() == count
            && self.globs.iter().any(|glob| Shape::of(&glob.to_string()).is_shape_of(&shape))
    }

    /// A command that a wrapper runs is covered where the wrapper's pattern goes on to name it: `sudo npm install *`
    /// covers `npm install x` behind `sudo`, `sudo *` does not.
    pub(crate) fn covers_behind(&self, wrapper: &Unit, inner: &Unit) -> bool {
        let Some(front) = wrapper.text.strip_suffix(inner.text.as_str()) else { return false };
        let Some(front) = front.strip_suffix(' ') else { return false };
        self.globs.iter().any(|glob| {
            glob.splits()
                .any(|(first, rest)| first.is_match(front) && rest.starts_literally() && rest.is_match(&inner.text))
        })
    }
}

/// A joined command cut at its operators.
#[derive(Debug)]
struct Shape {
    parts: Vec<String>,
    operators: Vec<String>,
}

impl Shape {
    fn of(text: &str) -> Self {
        let mut shape = Self { parts: vec![String::new()], operators: Vec::new() };
        for word in text.split_whitespace() {
            let operator = word.trim_start_matches(|c: char| c.is_ascii_digit());
            if operator.starts_with(['|', '>', '<', '&', ';']) {
                shape.operators.push(word.to_owned());
                shape.parts.push(String::new());
            } else if let Some(last) = shape.parts.last_mut() {
                if !last.is_empty() {
                    last.push(' ');
                }
                last.push_str(word);
            }
        }
        shape
    }

    /// How many of the parts are commands, not files.
    fn commands(&self) -> usize {
        let files = self.operators.iter().filter(|o| o.contains(['<', '>'])).count();
        self.parts.len() - files
    }

    fn is_shape_of(&self, line: &Self) -> bool {
        self.operators == line.operators
            && self.parts.len() == line.parts.len()
            && self.parts.iter().zip(&line.parts).all(|(pattern, part)| TextGlob::new(pattern).is_match(part))
    }
}
