//! A shell that asks first. Started under a shell's name it finds the text that the real shell would run, asks, and
//! then becomes the real shell with nothing changed.
//!
//! What it cannot see: commands typed into an interactive shell, startup files, and a script file that changes between
//! being read here and being run. The network road and the agent's hook stand behind it.

mod installed;
mod options;
mod real;
mod source;

use std::{
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use rampart_agents::Ruling;
use rampart_call::{
    Action, Call, CommandLine, Judgement, Origin, Permit, Phase, Reason, Refusal, Surface, Verdict, is_invisible,
};

use self::source::Source;
use crate::locate;

/// Exit status of a command that may not run; shells use it for a command that cannot be executed.
pub const REFUSED: u8 = 126;

/// The shells whose place we take.
pub const NAMES: [&str; 4] = ["sh", "bash", "zsh", "dash"];

/// The shell that a program was started as, if its name is that of one: `bash`, `/x/bash`, `-bash`.
pub fn name(argv0: &OsStr) -> Option<&'static str> {
    let name = Path::new(argv0).file_name()?.to_str()?;
    let name = name.strip_prefix('-').unwrap_or(name);
    NAMES.into_iter().find(|known| *known == name)
}

/// One start of a shell.
#[derive(Debug)]
pub struct Shell {
    /// Its name, one of [`NAMES`].
    pub name: &'static str,
    /// How it was called; the real shell is called the same.
    pub argv0: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// `PATH`, where the real shell is.
    pub path: OsString,
    /// Who starts it. The surface is filled in here, the project where it is not known.
    pub origin: Origin,
    /// Working directory; empty when it is gone.
    pub cwd: PathBuf,
}

/// What to tell on standard error, and the exit status.
#[derive(Debug, PartialEq, Eq)]
pub struct Ending {
    /// Whole lines.
    pub stderr: String,
    /// Exit status.
    pub exit: u8,
}

impl Ending {
    fn new(exit: u8, why: &str) -> Self {
        let mut stderr = "rampart: ".to_owned();
        // What was refused stands in here, and this may be a terminal.
        for c in why.chars() {
            if (c.is_control() && c != '\n') || is_invisible(c) {
                stderr.extend(c.escape_default());
            } else {
                stderr.push(c);
            }
        }
        stderr.push('\n');
        Self { stderr, exit }
    }
}

/// Asks about what the shell would run, and becomes the real shell. Comes back only when it must not, or cannot.
/// `notice` is shown what a human at a terminal should know.
pub fn run(shell: &Shell, judge: impl Fn(&Call) -> Verdict, notice: impl FnOnce(&str)) -> Ending {
    let Some(real) = real::find(shell.name, &shell.path) else {
        return Ending::new(127, &format!("there is no other `{}` on PATH than Rampart's own", shell.name));
    };
    let dialect = options::Dialect::of(&real, shell.name);
    let source = options::read(dialect, &shell.args)
        .map_err(|why| Ending::new(REFUSED, &format!("refused: cannot tell what this shell would run: {why}")))
        .and_then(|wanted| source::open(wanted, shell, dialect));
    let source = match source {
        Ok(source) => source,
        Err(ending) => return ending,
    };
    let calls = calls(shell, &source);
    match Ruling::of(calls.iter().map(judge)) {
        Ruling::Allow(permits) => {
            if source.is_interactive {
                notice(INTERACTIVE);
            }
            become_real(shell, &real, source, permits)
        }
        // A shell has no prompt of its own, and said so.
        Ruling::Ask(question) => {
            refused(&Refusal { judgement: Judgement { reason: Reason::NobodyToAsk, ..question.judgement } })
        }
        Ruling::Deny(refusal) => refused(&refusal),
    }
}

const INTERACTIVE: &str = "rampart: an interactive shell; what is typed into it is not judged line by line\n";

fn refused(refusal: &Refusal) -> Ending {
    let text = refusal.explain();
    Ending::new(REFUSED, &format!("refused: {}", text.strip_prefix("Rampart refused this: ").unwrap_or(&text)))
}

/// What to ask: each text that would run. A shell that runs no text is itself the command.
fn calls(shell: &Shell, source: &Source) -> Vec<Call> {
    let argv = |words: Vec<String>| CommandLine::Argv(std::iter::once(shell.name.to_owned()).chain(words).collect());
    let mut commands: Vec<CommandLine> = source.texts.iter().cloned().map(CommandLine::Command).collect();
    if let Some((text, parameters)) = source.command.as_ref().filter(|(text, _)| !text.trim().is_empty()) {
        commands.push(if parameters.is_empty() {
            CommandLine::Command(text.clone())
        } else {
            argv(["-c".to_owned(), text.clone()].into_iter().chain(parameters.iter().cloned()).collect())
        });
    }
    if commands.is_empty() || source.is_interactive {
        commands.push(argv(shell.args.iter().map(|word| word.to_string_lossy().into_owned()).collect()));
    }
    let mut origin = Origin { surface: Surface::Shell, can_ask: false, ..shell.origin.clone() };
    locate::place(&mut origin, Some(&shell.cwd));
    let call = |command| Call {
        origin: origin.clone(),
        phase: Phase::Before,
        action: Action::Exec { command, cwd: shell.cwd.to_str().filter(|cwd| !cwd.is_empty()).map(str::to_owned) },
        response: None,
    };
    commands.into_iter().map(call).collect()
}

/// Runs the real shell in place of this process. The permits are spent here.
fn become_real(shell: &Shell, real: &Path, source: Source, permits: Vec<Permit>) -> Ending {
    drop(permits);
    let Source { args, stdin, script: _open, .. } = source;
    let mut command = Command::new(real);
    command.arg0(&shell.argv0).args(args.as_ref().unwrap_or(&shell.args));
    if let Some(stdin) = stdin {
        command.stdin(stdin);
    }
    let error = command.exec();
    Ending::new(126, &format!("cannot run {}: {error}", real.display()))
}
