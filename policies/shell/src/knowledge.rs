//! What programs do with their words, read from `commands/*.toml`.

mod options;

use std::collections::HashMap;
use std::sync::LazyLock;

use rampart_call::EffectKind;
use serde::Deserialize;

pub(crate) use options::{Usage, sort};

/// The files, by topic.
const FILES: &[(&str, &str)] = &[
    ("archives", include_str!("../commands/archives.toml")),
    ("build", include_str!("../commands/build.toml")),
    ("cloud", include_str!("../commands/cloud.toml")),
    ("containers", include_str!("../commands/containers.toml")),
    ("coreutils", include_str!("../commands/coreutils.toml")),
    ("databases", include_str!("../commands/databases.toml")),
    ("editors", include_str!("../commands/editors.toml")),
    ("git", include_str!("../commands/git.toml")),
    ("interpreters", include_str!("../commands/interpreters.toml")),
    ("net", include_str!("../commands/net.toml")),
    ("packages", include_str!("../commands/packages.toml")),
    ("secrets", include_str!("../commands/secrets.toml")),
    ("shells", include_str!("../commands/shells.toml")),
    ("system", include_str!("../commands/system.toml")),
    ("windows", include_str!("../commands/windows.toml")),
];

/// A program, or a sub-command of one. `commands/README.md` explains the keys.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Program {
    /// Other names.
    pub(crate) also: Vec<String>,
    /// Options that take a value, and what the value is.
    pub(crate) options: HashMap<String, Role>,
    /// What the operands are, in order; a repeating role takes what the ones after it leave.
    pub(crate) operands: Vec<Operand>,
    /// With one of these options the first role of `operands` is left out.
    pub(crate) given: Vec<String>,
    /// Options end at the first operand.
    pub(crate) posix: bool,
    /// `-name` is one option and not four.
    pub(crate) single_dash: bool,
    /// Options begin with a slash as well, as those of Windows do: `/s` is the option `-s`.
    pub(crate) slash: bool,
    /// Options that make operands mean whole trees.
    pub(crate) recursive: Vec<String>,
    /// Operands always mean whole trees.
    pub(crate) always_recursive: bool,
    /// With one of these nothing is done.
    pub(crate) harmless: Vec<String>,
    /// With one of these the output is decoded input.
    pub(crate) decodes: Vec<String>,
    /// With one of these the files that are read are written too.
    pub(crate) in_place: Vec<String>,
    /// With one of these the files that are read are deleted.
    pub(crate) consumes: Vec<String>,
    /// It runs code that lies in the project.
    pub(crate) runs_project: bool,
    /// What running it does, whatever its operands are.
    pub(crate) does: Vec<Does>,
    pub(crate) output: Output,
    pub(crate) input: Input,
    /// What its inline code, scripts and standard input are written in.
    pub(crate) language: Option<Language>,
    /// Sub-commands; a name may hold `*`.
    pub(crate) sub: HashMap<String, Program>,
    /// An irregular program's function in `src/programs`.
    pub(crate) rule: Option<Rule>,
}

/// What a word of a command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// Data that nothing is done to.
    Text,
    /// Text that is printed.
    Print,
    /// A file that is looked at from outside (`ls`, `stat`).
    Look,
    Read,
    Write,
    /// A directory that the operands are written into.
    Into,
    Append,
    Edit,
    Delete,
    Move,
    Chmod,
    /// A directory to work in.
    Dir,
    /// A directory that is shown to whoever asks.
    Serve,
    /// This and the following words are a command.
    Run,
    /// Text that a shell runs.
    Shell,
    /// This and the following words, joined, are text that a shell runs.
    ShellRest,
    /// Text that a shell of another machine or container runs, with the words that follow.
    RemoteRest,
    /// A file whose content is executed.
    Script,
    /// A file that is loaded as code.
    Load,
    /// Code in the program's language.
    Code,
    Url,
    Host,
    /// `host:path`, or a local path that is read.
    RemoteRead,
    /// `host:path`, or a local path that is written.
    RemoteWrite,
    /// `container:path` on this machine, or a path outside it that is read.
    ContainerRead,
    /// `container:path` on this machine, or a path outside it that is written.
    ContainerWrite,
    /// Data that is sent; `@file` names a file.
    Send,
    /// A file that is sent.
    SendFile,
    /// A header that is sent.
    Header,
    Package,
    /// A package that is not from the registry.
    PackageUrl,
    /// Where packages come from instead of the registry.
    PackageIndex,
    /// What is taken in and run from a URL or a repository of somebody's, if that is what it names.
    PackageIfUrl,
    /// Source text that is compiled: as good as run.
    Compile,
    /// A package whose program is run with the words that follow.
    RunPackage,
    /// A module that is run with the words that follow.
    Module,
    Process,
    Ref,
    /// `NAME=value` for the command that follows.
    Env,
    /// `key=value` of git's configuration.
    GitConfig,
    /// `key=value` of an option that may run a program (`ssh -o`).
    SshConfig,
    /// `key=value` of a program's own settings.
    Setting,
    /// `key=value`, where the value of a script's key is shell text.
    SettingText,
    /// A name that is looked up.
    NameLookup,
    /// A device or image that is formatted.
    Format,
    /// Encoded code.
    Encoded,
    /// A URL, if it is one.
    UrlIf,
    /// `source:target` of a container's mount.
    Mount,
    /// A name of something that is not a file.
    Name,
    /// What is searched for.
    Pattern,
    /// A pattern of the names of the files that a search looks into.
    FileName,
    /// A file that is overwritten beyond recovery.
    Shred,
}

/// A role, and whether it repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Operand {
    pub(crate) role: Role,
    pub(crate) repeats: bool,
}

impl TryFrom<String> for Operand {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (word, repeats) = text.strip_suffix('*').map_or((text.as_str(), false), |word| (word, true));
        let role = Role::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(word))
            .map_err(|e| e.to_string())?;
        Ok(Self { role, repeats })
    }
}

/// An effect of running a program.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Does {
    pub(crate) effect: EffectKind,
    #[serde(default)]
    pub(crate) note: String,
    /// Only with one of these options or words; a word may hold `*`.
    #[serde(default)]
    pub(crate) when: Vec<String>,
    /// Only with one of these too.
    #[serde(default)]
    pub(crate) with: Vec<String>,
    /// Not with one of these.
    #[serde(default)]
    pub(crate) unless: Vec<String>,
    /// Only where there is at least one operand.
    #[serde(default)]
    pub(crate) with_operand: bool,
    /// Only where there is none.
    #[serde(default)]
    pub(crate) without_operand: bool,
    /// What the first operand names.
    #[serde(default)]
    pub(crate) what: Option<String>,
    /// It can be undone.
    #[serde(default)]
    pub(crate) undo: bool,
}

/// What comes out of standard output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Output {
    /// What went in, and the content of what was read.
    #[default]
    Through,
    /// What went in, unchanged.
    Verbatim,
    /// What the network answered.
    Download,
    /// Decoded input.
    Decode,
    /// A digest, a count, a listing: nothing of the input.
    Digest,
    /// Shell code of the program's own, meant for `eval`.
    ShellCode,
    /// A secret.
    Secret,
    /// A token that another program is meant to take.
    Token,
    /// Data of this machine.
    Local,
    /// Settings of something that runs.
    Settings,
}

/// What is done with standard input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Input {
    /// It is read as data.
    #[default]
    Data,
    /// It is run as code where no operand says what to run.
    Code,
    /// It is sent to the host.
    Send,
    /// Its lines are operands, where none is given.
    Names,
}

/// Languages whose calls are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Language {
    Shell,
    Python,
    Js,
    Perl,
    Ruby,
    Php,
    Lua,
    R,
    Awk,
    Sed,
    Vim,
    Sql,
    Mongo,
    Powershell,
    Applescript,
    /// The commands of `sftp` and its like.
    Transfer,
    /// What a cluster is told to apply.
    Manifest,
    C,
    Go,
    Rust,
    /// And what is like it: Kotlin, Scala, C#.
    Java,
    /// Filters of `jq`.
    Jq,
    /// Text in which variables are filled in.
    Template,
    /// Documents of TeX.
    Tex,
    /// And what `expect` adds to it.
    Tcl,
    /// One whose calls are not known: its inline code is opaque.
    Other,
}

/// Programs whose words follow no common grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Rule {
    Bin,
    Cat,
    Checkout,
    Chmod,
    Chown,
    Cmake,
    Container,
    Copy,
    Curl,
    Dd,
    Direnv,
    Echo,
    Env,
    Fd,
    Find,
    Fuser,
    GitBranch,
    GitCheckout,
    GitConfig,
    GitPush,
    GitRefs,
    Httpie,
    Jq,
    Kill,
    Link,
    List,
    Make,
    Move,
    Nix,
    Parallel,
    Printenv,
    Printf,
    Rampart,
    Remote,
    RevParse,
    Rsync,
    Sftp,
    Socat,
    Ssh,
    Tar,
    Unpack,
    Watch,
    Wget,
    Xargs,
}

static PROGRAMS: LazyLock<HashMap<&'static str, &'static Program>> = LazyLock::new(|| {
    let mut index = HashMap::new();
    for (file, text) in FILES {
        let programs: HashMap<String, Program> = crate::embedded(file, text);
        for (name, program) in programs {
            let program: &'static Program = Box::leak(Box::new(program));
            for other in &program.also {
                index.insert(other.as_str(), program);
            }
            index.insert(&*Box::leak(name.into_boxed_str()), program);
        }
    }
    index
});

pub(crate) fn ready() {
    LazyLock::force(&PROGRAMS);
}

/// The program of that name, without directories.
pub(crate) fn program(name: &str) -> Option<&'static Program> {
    if let Some(program) = PROGRAMS.get(name) {
        return Some(program);
    }
    let plain = name.strip_suffix(".exe").unwrap_or(name).to_ascii_lowercase();
    if let Some(program) = PROGRAMS.get(plain.as_str()) {
        return Some(program);
    }
    // `python3.11`, `gcc-12`, `clang-format-15`
    let bare = plain.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').trim_end_matches('-');
    if bare.is_empty() || bare == plain {
        return None;
    }
    PROGRAMS.get(bare).copied()
}

impl Program {
    /// It runs what its operands name or hold: a script, a package, code.
    pub(crate) fn runs_its_words(&self) -> bool {
        use Role::{Code, Load, RunPackage, Script, Shell, ShellRest};
        self.operands.iter().any(|o| matches!(o.role, Code | Load | RunPackage | Script | Shell | ShellRest))
    }

    /// The sub-command of that name.
    pub(crate) fn sub_command(&self, name: &str) -> Option<&Self> {
        self.sub.get(name).or_else(|| {
            let mut best: Option<(&String, &Self)> = None;
            for (pattern, sub) in &self.sub {
                let longer = best.is_none_or(|(other, _)| pattern.len() > other.len());
                if pattern.contains('*') && longer && crate::glob::matches(pattern, name) {
                    best = Some((pattern, sub));
                }
            }
            best.map(|(_, sub)| sub)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_read_and_every_name_is_given_once() {
        let mut names: HashMap<String, &str> = HashMap::new();
        for (file, text) in FILES {
            let programs: HashMap<String, Program> = toml::from_str(text).unwrap_or_else(|e| panic!("{file}: {e}"));
            for (name, program) in programs {
                for name in std::iter::once(name).chain(program.also) {
                    let before = names.insert(name.clone(), file);
                    assert_eq!(before, None, "`{name}` of {file} is known already");
                }
            }
        }
        assert!(names.len() > 150, "{}", names.len());
    }

    #[test]
    fn every_note_has_its_meaning() {
        fn check(name: &str, program: &Program) {
            for does in &program.does {
                let known = does.note.is_empty() || crate::NOTES.iter().any(|(note, _)| *note == does.note);
                assert!(known, "`{}` of {name}", does.note);
            }
            program.sub.iter().for_each(|(sub, program)| check(&format!("{name} {sub}"), program));
        }
        for (_, text) in FILES {
            let programs: HashMap<String, Program> = toml::from_str(text).unwrap();
            programs.iter().for_each(|(name, program)| check(name, program));
        }
    }

    #[test]
    fn versions_and_spellings_of_a_name_are_the_program() {
        for name in ["python3.11", "gcc-12", "CURL.exe", "Remove-Item"] {
            assert!(program(name).is_some(), "{name}");
        }
        assert!(program("12").is_none());
    }

    /// The programs that the lines of a fixture run, wherever in the line.
    fn run_by(fixture: &str) -> impl Iterator<Item = String> {
        let around = crate::Surroundings {
            cwd: Some("/home/u/proj"),
            home: Some("/home/u"),
            workspace: None,
            rampart_home: None,
        };
        fixture.lines().filter(|line| !line.starts_with("# ")).flat_map(move |line| {
            let line = rampart_call::CommandLine::Command(line.replace("\\n", "\n"));
            let components = crate::analyze(&line, &around).components.into_iter();
            components.filter_map(|c| c.argv.first().map(|name| crate::walk::base_name(name).to_owned()))
        })
    }

    #[test]
    fn every_entry_has_a_line_that_shows_it() {
        let fixtures = [include_str!("../fixtures/attacks.txt"), include_str!("../fixtures/everyday.txt")];
        let mut shown: std::collections::HashSet<*const Program> = std::collections::HashSet::new();
        for name in fixtures.into_iter().flat_map(run_by) {
            shown.extend(program(&name).map(std::ptr::from_ref));
        }
        let mut without: Vec<&str> =
            PROGRAMS.iter().filter(|(_, p)| !shown.contains(&std::ptr::from_ref(**p))).map(|(name, _)| *name).collect();
        without.sort_unstable();
        assert!(without.is_empty(), "write a line into fixtures/attacks.txt or everyday.txt for one of: {without:?}");
    }

    #[test]
    fn a_broken_file_is_not_passed_over() {
        let read = std::panic::catch_unwind(|| crate::embedded::<HashMap<String, Program>>("x", "[a]\nopreands = []"));
        let said = read.unwrap_err().downcast::<String>().unwrap();
        assert!(said.contains("`x`") && said.contains("opreands"), "{said}");
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<HashMap<String, Program>>("[x]\noperand = [\"read\"]").is_err());
        assert!(toml::from_str::<HashMap<String, Program>>("[x]\noperands = [\"reed\"]").is_err());
    }
}
