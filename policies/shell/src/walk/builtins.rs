//! The shell's own commands that change what later commands mean.

use rampart_call::{EffectKind, Target};

use super::Walk;
use super::env::is_secret_name;
use super::simple::base_name;
use crate::knowledge::Language;
use crate::place;
use crate::value::{Arg, Flow, Taint};

/// `set +o` and `shopt -u`.
fn is_off(option: &str) -> bool {
    option.starts_with('+') && option.contains('o') || option.starts_with('-') && option.contains('u')
}

/// What stands for a new temporary file or directory.
pub(crate) const NEW_FILE: &str = "/tmp/tmp.XXXXXXXXXX";

impl Walk<'_> {
    /// Runs a builtin. None where the name is none of them.
    pub(super) fn builtin(&mut self, name: &str, args: &[Arg], stdin: &Flow) -> Option<Flow> {
        match name {
            "cd" | "chdir" | "pushd" => {
                if name == "pushd" {
                    let cwd = self.env.cwd.clone();
                    self.env.directories.push(cwd);
                }
                let operand = args.iter().skip(1).find(|a| !a.text.starts_with('-') || a.text == "-");
                match operand {
                    None => self.env.cwd = Some(self.around.home.unwrap_or("~").to_owned()),
                    Some(arg) if arg.text == "-" => self.env.cwd = self.around.cwd.map(str::to_owned),
                    Some(arg) => {
                        let arg = arg.clone();
                        let text = arg.shape.as_deref().filter(|s| *s != "*").unwrap_or(&arg.text);
                        self.env.cwd = Some(self.absolute(text));
                    }
                }
                Some(Flow::empty())
            }
            "popd" => {
                if let Some(cwd) = self.env.directories.pop() {
                    self.env.cwd = cwd;
                }
                Some(Flow::empty())
            }
            "pwd" => Some(match &self.env.cwd {
                Some(cwd) => Flow::known(cwd.clone(), Taint::NONE),
                None => Flow::known(".".to_owned(), Taint::NONE),
            }),
            "export" | "declare" | "typeset" | "local" | "readonly" => {
                let named = |a: &Arg| !a.text.starts_with('-') && !a.text.contains('=') && is_secret_name(&a.text);
                if args.get(1).is_some_and(|a| a.text.starts_with("-p")) && args.iter().skip(2).any(named) {
                    self.note(EffectKind::Secret, "secret-variable");
                    return Some(Flow::unknown(Taint::TOKEN));
                }
                let shown = name != "local"
                    && args.iter().skip(1).all(|a| matches!(a.text.as_str(), "-p" | "-x" | "-px" | "-xp"));
                if shown {
                    self.note(EffectKind::Secret, "environment");
                    return Some(Flow::unknown(Taint::TOKEN));
                }
                self.subscripts(args);
                let option = |letter: char| args.iter().any(|a| a.text.starts_with('-') && a.text.contains(letter));
                let (references, numbers) = (option('n') && name != "export", option('i') && name != "export");
                for arg in args.iter().skip(1) {
                    let Some((variable, value)) = arg.text.split_once('=') else { continue };
                    if references {
                        self.env.references.insert(variable.to_owned(), value.to_owned());
                        continue;
                    }
                    if numbers {
                        let text = value.to_owned();
                        self.substituted(&text);
                    }
                    let append = variable.ends_with('+');
                    let variable = variable.trim_end_matches('+');
                    let value = arg.with_text(value);
                    self.variable_carries_code(variable, Some(&value));
                    self.protected_variable(variable);
                    // `local a=(x y)` is split at the parenthesis, which is harmless: the values follow as words
                    self.assign(variable, append, vec![value]);
                }
                Some(Flow::empty())
            }
            "unset" => {
                self.subscripts(args);
                for arg in args.iter().skip(1) {
                    self.env.variables.remove(&arg.text);
                    self.env.functions.remove(&arg.text);
                    self.given.retain(|(name, _)| *name != arg.text);
                    self.protected_variable(&arg.text);
                }
                Some(Flow::empty())
            }
            "printf" if args.get(1).is_some_and(|a| a.text == "-v") => {
                self.subscripts(args.get(2..3).unwrap_or(&[]));
                let target = args.get(2)?.text.clone();
                let words = args.get(3..).unwrap_or(&[]);
                let text = words.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join(" ");
                let literal = words.len() == 1 && words.iter().all(Arg::is_literal);
                let value = if literal {
                    Arg::literal(text, self.span)
                } else {
                    Arg::unresolved(&text, Taint::NONE, self.span)
                };
                self.env.variables.insert(target, vec![value]);
                Some(Flow::empty())
            }
            "read" | "mapfile" | "readarray" => {
                self.subscripts(args);
                self.read_into(args, stdin);
                Some(Flow::empty())
            }
            "alias" => {
                for arg in args.iter().skip(1) {
                    if let Some((name, text)) = arg.text.split_once('=') {
                        self.env.aliases.insert(name.to_owned(), text.to_owned());
                    }
                }
                Some(Flow::empty())
            }
            "unalias" => {
                for arg in args.iter().skip(1) {
                    self.env.aliases.remove(&arg.text);
                }
                Some(Flow::empty())
            }
            "set" | "shopt" if args.iter().any(|a| a.text == "history") && args.iter().any(|a| is_off(&a.text)) => {
                self.note(EffectKind::Privilege, "security-setting");
                Some(Flow::empty())
            }
            "set" => {
                if args.len() == 1 {
                    self.note(EffectKind::Secret, "environment");
                    return Some(Flow::unknown(Taint::TOKEN));
                }
                let from = args.iter().position(|a| a.text == "--").map_or_else(
                    || {
                        args.iter()
                            .position(|a| !a.text.starts_with(['-', '+']))
                            .filter(|at| *at > 0 && args.get(1).is_some_and(|a| !a.text.starts_with('-')))
                    },
                    |at| Some(at + 1),
                );
                if let Some(from) = from {
                    let mut positional = vec![Arg::literal("sh", self.span)];
                    positional.extend(args.iter().skip(from).cloned());
                    self.env.positional = positional;
                }
                Some(Flow::empty())
            }
            "shift" => {
                let by = args.get(1).and_then(|a| a.text.parse().ok()).unwrap_or(1_usize);
                let end = (1 + by).min(self.env.positional.len());
                if end > 1 {
                    self.env.positional.drain(1..end);
                }
                Some(Flow::empty())
            }
            "trap" => {
                if let Some(arg) =
                    args.get(1).filter(|a| !a.text.is_empty() && !a.text.starts_with('-') && args.len() > 2).cloned()
                {
                    self.nested("trap", |walk| walk.code_text(&arg));
                }
                Some(Flow::empty())
            }
            "eval" => {
                let mut line = String::new();
                let mut taint = Taint::NONE;
                let mut literal = true;
                for arg in args.iter().skip(1) {
                    if !line.is_empty() {
                        line.push(' ');
                    }
                    line.push_str(&arg.text);
                    taint = taint.with(arg.taint);
                    literal &= arg.is_literal();
                }
                let shape = (!literal).then(|| "*".to_owned());
                let arg = Arg { shape, taint, ..Arg::literal(line, self.span) };
                // the text sees the positional parameters that `eval` sees
                let positional = self.env.positional.clone();
                Some(self.nested("eval", |walk| walk.code_text_with(&arg, positional, Flow::empty())))
            }
            "source" | "." => {
                let arg = args.get(1).cloned()?;
                let positional: Vec<Arg> = args.iter().skip(1).cloned().collect();
                if matches!(arg.text.as_str(), "/dev/stdin" | "-") {
                    let stdin = stdin.clone();
                    return Some(self.nested("source", |walk| walk.flow_of_code(Language::Shell, stdin, positional)));
                }
                Some(self.nested("source", |walk| walk.script(&arg, positional)))
            }
            "compgen" | "complete" if args.iter().any(|a| matches!(a.text.as_str(), "-W" | "-C")) => {
                for pair in args.windows(2) {
                    let [option, value] = pair else { continue };
                    match option.text.as_str() {
                        "-W" => {
                            self.substituted(&value.text);
                        }
                        "-C" => {
                            let value = value.clone();
                            self.nested("compgen", |walk| walk.code_text(&value));
                        }
                        _ => {}
                    }
                }
                Some(Flow::unknown(Taint::NONE))
            }
            // `hash -p PATH NAME`: the name is that program from now on
            "hash" if args.get(1).is_some_and(|a| a.text == "-p") => {
                if let (Some(path), Some(name)) = (args.get(2), args.get(3)) {
                    self.env.aliases.insert(name.text.clone(), path.text.clone());
                }
                Some(Flow::empty())
            }
            "[" | "test" | "let" => {
                self.subscripts(args);
                if name == "let"
                    || args
                        .iter()
                        .any(|a| matches!(a.text.as_str(), "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" | "-v"))
                {
                    args.iter().skip(1).for_each(|arg| self.evaluated(&arg.text));
                }
                Some(Flow::empty())
            }
            ":" | "true" | "false" | "exit" | "return" | "break" | "continue" | "wait" | "jobs" | "fg" | "bg"
            | "disown" | "shopt" | "umask" | "ulimit" | "hash" | "times" | "getopts" | "bind" | "complete"
            | "compgen" | "compopt" | "dirs" | "enable" | "fc" | "logout" | "suspend" | "setopt" | "unsetopt"
            | "autoload" => {
                // A script that loads what lies beside it (pyenv, rbenv) brings nothing that is not as trusted as itself.
                let loaded = args.iter().skip_while(|a| a.text != "-f").nth(1);
                let beside = |file: &Arg| file.text.starts_with("${BASH_SOURCE%/*}/");
                if name == "enable" && args.iter().any(|a| a.text == "-f") && !loaded.is_some_and(beside) {
                    self.note(EffectKind::CodeLoad, "option-code");
                }
                Some(Flow::empty())
            }
            "history" if args.iter().any(|a| matches!(a.text.as_str(), "-c" | "-d" | "-w")) => {
                self.note(EffectKind::Privilege, "security-setting");
                Some(Flow::empty())
            }
            // a shell that runs one command has nothing to tell
            "history" => Some(Flow::unknown(Taint::SETTINGS.with(Taint::LOCAL))),
            // Windows' `type` shows a file
            "type" => {
                args.iter().skip(1).filter(|a| a.text.contains(['\\', ':', '%'])).for_each(|a| {
                    let _ = self.read(a, false);
                });
                Some(Flow::unknown(Taint::NONE))
            }
            "which" | "whereis" | "command"
                if name != "command" || args.get(1).is_some_and(|a| matches!(a.text.as_str(), "-v" | "-V")) =>
            {
                let name = args.iter().skip(1).find(|a| !a.text.starts_with('-'));
                Some(match name {
                    Some(arg) if arg.is_literal() => {
                        Flow::known(format!("/usr/bin/{}\n", base_name(&arg.text)), Taint::NONE)
                    }
                    _ => Flow::unknown(Taint::NONE),
                })
            }
            "tty" => Some(Flow::known("/dev/tty".to_owned(), Taint::NONE)),
            "mktemp" => {
                let named = args.iter().skip(1).rfind(|a| a.text.contains('/') && a.text.contains("XX"));
                let path = named.map_or_else(|| NEW_FILE.to_owned(), |a| a.text.clone());
                Some(Flow::known(path, Taint::NONE))
            }
            "dirname" => {
                let operand = args.get(1).filter(|a| a.is_literal())?;
                let (parent, _) = operand.text.trim_end_matches('/').rsplit_once('/').unwrap_or((".", ""));
                Some(Flow::known(if parent.is_empty() { "/" } else { parent }.to_owned(), operand.taint))
            }
            "basename" => {
                let operand = args.get(1).filter(|a| a.is_literal())?;
                Some(Flow::known(base_name(&operand.text).to_owned(), operand.taint))
            }
            "realpath" | "readlink" => {
                let operand = args.iter().skip(1).find(|a| !a.text.starts_with('-'))?;
                if operand.is_literal() {
                    return Some(Flow::known(self.absolute(&operand.text), operand.taint));
                }
                Some(Flow::unknown(operand.taint))
            }
            "rev" => {
                let text = stdin.text.as_ref().filter(|_| args.len() == 1)?;
                let back: Vec<String> = text.lines().map(|l| l.chars().rev().collect()).collect();
                // the reversal of what can be read can be read
                Some(Flow::known(back.join("\n"), stdin.taint.with(Taint::DECODED)))
            }
            _ => None,
        }
    }

    pub(crate) fn protected_variable(&mut self, name: &str) {
        if matches!(name, "HISTFILE" | "HISTSIZE" | "HISTCONTROL" | "HISTFILESIZE") {
            // nothing of what follows would be remembered
            self.named(EffectKind::Privilege, "variable", name, "security-setting");
        } else if name.starts_with("RAMPART_") {
            let target = Target::Named { what: "variable".to_owned(), name: name.to_owned() };
            self.push(EffectKind::SelfTamper, Some(target), "rampart-command");
        }
    }

    /// A path as it is seen from the working directory.
    pub(super) fn absolute(&self, path: &str) -> String {
        match place::find(path, path, &self.around, self.env.cwd.as_deref(), false, false) {
            Target::Path { path, .. } => path,
            _ => path.to_owned(),
        }
    }
}
