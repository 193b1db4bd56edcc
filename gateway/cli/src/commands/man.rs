//! `rampart man`: manual pages, made from what can be typed.

use std::{fs, path::Path};

use anyhow::Context as _;
use clap::Command;
use clap_mangen::Man;

use crate::{args::command, exit::Exit, printer::Printer};

pub(crate) fn run(verb: &[String], output: Option<&Path>, printer: Printer) -> anyhow::Result<Exit> {
    let mut program = command();
    program.build();
    if let Some(folder) = output {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut count = 0;
        write_all(&program, "rampart", folder, &mut count)?;
        printer.note(format!("{count} pages in {}; `man -l FILE` shows one", folder.display()));
        return Ok(Exit::Yes);
    }
    let words: Vec<&str> = verb.iter().flat_map(|words| words.split_whitespace()).collect();
    let mut wanted = &program;
    for word in &words {
        wanted = wanted
            .find_subcommand(word)
            .with_context(|| format!("there is no verb `{}`; `rampart help` lists them", words.join(" ")))?;
    }
    printer.out_raw(String::from_utf8(page(wanted)?)?);
    Ok(Exit::Yes)
}

/// The page of this command and those of all below it.
fn write_all(command: &Command, name: &str, folder: &Path, count: &mut usize) -> anyhow::Result<()> {
    let path = folder.join(format!("{name}.1"));
    fs::write(&path, page(command)?).with_context(|| format!("cannot write {}", path.display()))?;
    *count += 1;
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
        write_all(verb, &format!("{name}-{}", verb.get_name()), folder, count)?;
    }
    Ok(())
}

fn page(command: &Command) -> anyhow::Result<Vec<u8>> {
    // The groups of the help are made for terminals; a page lists its verbs by itself.
    let command = command.clone().after_help("");
    let mut text = Vec::new();
    Man::new(command).manual("Rampart").render(&mut text)?;
    Ok(text)
}
