//! Options, their values, and operands, as getopt tells them apart.

use super::{Program, Role};
use crate::value::Arg;

/// A command's words, sorted.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// Options in the order of the text, short ones one by one: `-f`, `--force`.
    pub(crate) flags: Vec<String>,
    /// Options with a value: the option, its role, the value.
    pub(crate) values: Vec<(String, Role, Arg)>,
    /// The other words.
    pub(crate) operands: Vec<Arg>,
    /// The sub-commands that led here.
    pub(crate) path: Vec<String>,
    /// Where the operands begin in the words that were given.
    pub(crate) first_operand: Option<usize>,
}

impl Usage {
    /// Whether one of the options or operands is among `names`.
    pub(crate) fn has_any(&self, names: &[String]) -> bool {
        names.iter().any(|name| self.has(name))
    }

    /// Whether the option, the option with that value (`--cascade=orphan`), or the operand stands here.
    pub(crate) fn has(&self, name: &str) -> bool {
        if !name.starts_with(['-', '+']) {
            return self.operands.iter().any(|a| crate::glob::matches(name, &a.text));
        }
        if let Some((option, value)) = name.split_once('=') {
            return self.values.iter().any(|(o, _, v)| o == option && crate::glob::matches(value, &v.text))
                || self.flags.iter().any(|f| crate::glob::matches(name, f));
        }
        if name.contains('*') {
            return self.flags.iter().any(|f| crate::glob::matches(name, f));
        }
        self.flags.iter().any(|f| f == name || f.split_once('=').is_some_and(|(f, _)| f == name))
            || self.values.iter().any(|(o, ..)| o == name)
    }
}

/// Sorts the words after a program's name. Returns the program or sub-command they belong to.
pub(crate) fn sort<'p>(program: &'p Program, words: &[Arg]) -> (&'p Program, Usage) {
    let mut chain: Vec<&'p Program> = vec![program];
    let mut usage = Usage::default();
    let mut only_operands = false;
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let position = at;
        at += 1;
        let current = chain.last().copied().unwrap_or(program);
        let text = word.text.as_str();
        let is_option = !only_operands && text.len() > 1 && text.starts_with('-');
        // `vim +COMMAND`
        if let (false, Some(value), Some(role)) = (only_operands, text.strip_prefix('+'), current.options.get("+")) {
            usage.values.push(("+".to_owned(), *role, word.with_text(value)));
            continue;
        }
        if let Some(switch) = text.strip_prefix('/').filter(|switch| current.slash && is_switch(switch)) {
            usage.flags.push(format!("-{}", switch.to_ascii_lowercase()));
            continue;
        }
        if !is_option {
            if !only_operands
                && usage.operands.is_empty()
                && !current.sub.is_empty()
                && let Some(sub) = current.sub_command(text)
            {
                usage.path.push(text.to_owned());
                chain.push(sub);
                continue;
            }
            usage.first_operand.get_or_insert(position);
            usage.operands.push(word.clone());
            only_operands |= current.posix;
            continue;
        }
        if text == "--" {
            // behind `sh -c TEXT` it is the name that the text is given
            if current.language == Some(super::Language::Shell) && usage.values.iter().any(|(o, ..)| o == "-c") {
                usage.operands.push(word.clone());
            }
            only_operands = true;
            if usage.first_operand.is_none() && at < words.len() {
                usage.first_operand = Some(at);
            }
            continue;
        }
        let role_of = |name: &str| chain.iter().rev().find_map(|p| p.options.get(name)).copied();
        if let Some((name, value)) = text.split_once('=')
            && (text.starts_with("--") || current.single_dash)
        {
            match role_of(name) {
                Some(role) => usage.values.push((name.to_owned(), role, word.with_text(value))),
                None => usage.flags.push(text.to_owned()),
            }
            continue;
        }
        if text.starts_with("--") || current.single_dash || role_of(text).is_some() {
            match role_of(text) {
                Some(role) => {
                    if let Some(value) = words.get(at) {
                        usage.values.push((text.to_owned(), role, value.clone()));
                        at += 1;
                    }
                    // a command that runs to the end, as `find -exec`, `su -c` and `docker --` have it, is a rule's matter
                }
                None => usage.flags.push(text.to_owned()),
            }
            continue;
        }
        // a cluster of short options, the last of which may take a value
        let mut letters = text.char_indices().skip(1);
        while let Some((offset, letter)) = letters.next() {
            let name = format!("-{letter}");
            let Some(role) = role_of(&name) else {
                usage.flags.push(name);
                continue;
            };
            let attached = text.get(offset + letter.len_utf8()..).unwrap_or("");
            if !attached.is_empty() && !current.takes_next(&name) {
                usage.values.push((name, role, word.with_text(attached)));
                break;
            }
            if !attached.is_empty() {
                // `bash -ce TEXT`: the letters after `c` are options too
                for (_, letter) in letters.by_ref() {
                    usage.flags.push(format!("-{letter}"));
                }
            }
            if let Some(value) = words.get(at) {
                usage.values.push((name, role, value.clone()));
                at += 1;
            }
            break;
        }
    }
    (chain.last().copied().unwrap_or(program), usage)
}

/// `s`, `mir`, `a:h`, as they stand behind a slash.
fn is_switch(text: &str) -> bool {
    let name = text.split(':').next().unwrap_or(text);
    (1..=3).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphabetic())
}

impl Program {
    /// Whether an option's value is always the next word, even where letters follow it in a cluster.
    fn takes_next(&self, option: &str) -> bool {
        self.options.get(option) == Some(&Role::Shell) && self.language == Some(super::Language::Shell)
    }
}
