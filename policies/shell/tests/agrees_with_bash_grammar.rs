//! Our parser finds the simple commands that brush-parser, a full bash grammar, finds.

use brush_parser::ast::{self, Command, CommandPrefixOrSuffixItem, CompoundCommand, CompoundList};
use rampart_call::CommandLine;
use rampart_shell::{Surroundings, analyze};

fn list(list: &CompoundList, out: &mut Vec<String>) {
    for item in &list.0 {
        for (_, pipeline) in &item.0 {
            for command in &pipeline.seq {
                simple_commands(command, out);
            }
        }
    }
}

fn simple_commands(command: &Command, out: &mut Vec<String>) {
    match command {
        Command::Simple(simple) => {
            let Some(name) = &simple.word_or_name else { return };
            let mut words = vec![name.value.clone()];
            for item in simple.suffix.iter().flat_map(|s| &s.0) {
                if let CommandPrefixOrSuffixItem::Word(word) | CommandPrefixOrSuffixItem::AssignmentWord(_, word) = item
                {
                    words.push(word.value.clone());
                }
            }
            out.push(words.join(" "));
        }
        Command::Compound(compound, _) => match compound {
            CompoundCommand::BraceGroup(group) => list(&group.list, out),
            CompoundCommand::Subshell(shell) => list(&shell.list, out),
            CompoundCommand::ForClause(clause) => list(&clause.body.list, out),
            CompoundCommand::WhileClause(clause) | CompoundCommand::UntilClause(clause) => {
                list(&clause.0, out);
                list(&clause.1.list, out);
            }
            CompoundCommand::IfClause(clause) => {
                list(&clause.condition, out);
                list(&clause.then, out);
                for other in clause.elses.iter().flatten() {
                    if let Some(condition) = &other.condition {
                        list(condition, out);
                    }
                    list(&other.body, out);
                }
            }
            CompoundCommand::CaseClause(clause) => {
                clause.cases.iter().filter_map(|c| c.cmd.as_ref()).for_each(|c| list(c, out));
            }
            _ => {}
        },
        Command::Function(_) | Command::ExtendedTest(..) => {}
    }
}

#[test]
fn every_plain_command_of_the_lists_is_found() {
    let mut compared = 0;
    for line in include_str!("../fixtures/attacks.txt").lines().chain(include_str!("../fixtures/everyday.txt").lines())
    {
        let text = if line.contains("EOF") { line.replace("\\n", "\n") } else { line.to_owned() };
        let Ok(tokens) = brush_parser::uncached_tokenize_str(&text, &brush_parser::TokenizerOptions::default()) else {
            continue;
        };
        let Ok(program): Result<ast::Program, _> =
            brush_parser::parse_tokens(&tokens, &brush_parser::ParserOptions::default())
        else {
            continue;
        };
        let mut theirs = Vec::new();
        program.complete_commands.iter().for_each(|c| list(c, &mut theirs));
        let analysis = analyze(&CommandLine::Command(text.clone()), &Surroundings::default());
        let ours: Vec<String> = analysis.components.iter().map(|c| c.argv.join(" ")).collect();
        for command in theirs {
            // words that need no expansion are the same text in both
            let plain =
                command.chars().all(|c| c.is_alphanumeric() || " -_./:=@,+%".contains(c)) && !command.starts_with('[');
            // an alias or hashed name is followed and not run, a process substitution is no word to them
            if plain && !text.contains("alias") && !text.contains("hash -p") && !text.contains("<(") {
                compared += 1;
                assert!(ours.iter().any(|o| o.starts_with(&command)), "`{command}` of `{text}` is not in {ours:?}");
            }
        }
    }
    assert!(compared > 500, "{compared}");
}
