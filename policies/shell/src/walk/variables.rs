//! Variables that carry code into the programs that see them.

use rampart_call::{Certainty, EffectKind, Target};

use super::Walk;
use super::env::is_secret_name;
use super::simple::base_name;
use crate::{
    host,
    knowledge::Language,
    place::is_own,
    value::{Arg, Flow, Taint},
};

enum Carries {
    /// A library or start-up file.
    Library,
    /// Options of Node.js, dangerous where they load what is not the project's.
    Modules,
    /// A command line.
    Command,
    /// A program of the build, perhaps with options.
    Tool,
    /// Options of a program, dangerous with one of these.
    Options(&'static [&'static str]),
    /// Options of a Java machine, dangerous where they load what anybody may have left.
    Machine,
    /// Text that a shell expands before it shows it.
    Prompt,
    /// Folders in which programs or libraries are looked for.
    Folders,
}

/// Where everybody may leave a program.
pub(super) const TEMPORARY: &[&str] = &["/tmp", "/var/tmp", "/dev/shm"];

/// Programs that such a variable usually names.
const HARMLESS_VALUES: &[&str] = &[
    "cat",
    "less",
    "more",
    "most",
    "bat",
    "delta",
    "head",
    "true",
    "false",
    ":",
    "vi",
    "vim",
    "nvim",
    "nano",
    "emacs",
    "code",
    "ssh",
    "echo",
    "diff-so-fancy",
    "hx",
    "micro",
    "ed",
    "ccache",
    "sccache",
    "xdg-open",
    "open",
    "firefox",
    "tail",
];

fn carrier(name: &str) -> Option<Carries> {
    Some(match name {
        "LD_PRELOAD"
        | "LD_AUDIT"
        | "LD_LIBRARY_PATH_64"
        | "DYLD_INSERT_LIBRARIES"
        | "DYLD_FRAMEWORK_PATH"
        | "BASH_ENV"
        | "ENV"
        | "PYTHONSTARTUP"
        | "PYTHONHOME"
        | "PERL5OPT"
        | "PERL5DB"
        | "NODE_REPL_EXTERNAL_MODULE"
        | "ZDOTDIR"
        | "GCONV_PATH"
        | "GIT_TEMPLATE_DIR"
        | "GIT_EXEC_PATH"
        | "GIT_CONFIG_GLOBAL"
        | "GIT_CONFIG_SYSTEM"
        | "INPUTRC"
        | "CARGO_BUILD_RUSTC_WRAPPER"
        | "RUBYSHELL"
        | "OPENSSL_CONF"
        | "OPENSSL_ENGINES"
        | "VIMINIT"
        | "EXINIT"
        | "SUDO_ASKPASS"
        | "SSH_ASKPASS_CODE"
        | "DOTNET_STARTUP_HOOKS"
        | "LUA_INIT" => Carries::Library,
        "PAGER"
        | "GIT_PAGER"
        | "MANPAGER"
        | "SYSTEMD_PAGER"
        | "AWS_PAGER"
        | "GH_PAGER"
        | "PSQL_PAGER"
        | "EDITOR"
        | "VISUAL"
        | "GIT_EDITOR"
        | "GIT_SEQUENCE_EDITOR"
        | "GIT_SSH"
        | "GIT_SSH_COMMAND"
        | "GIT_PROXY_COMMAND"
        | "GIT_ASKPASS"
        | "SSH_ASKPASS"
        | "GIT_EXTERNAL_DIFF"
        | "RSYNC_RSH"
        | "CVS_RSH"
        | "LESSOPEN"
        | "LESSCLOSE"
        | "BROWSER"
        | "PROMPT_COMMAND"
        | "FCEDIT"
        | "RUSTC_WRAPPER"
        | "RUSTC"
        | "TAR_RSH"
        | "PYTHONBREAKPOINT"
        | "MAKE_SHELL"
        | "NPM_CONFIG_SCRIPT_SHELL"
        | "npm_config_script_shell"
        | "KUBE_EDITOR"
        | "HGEDITOR"
        | "SVN_EDITOR"
        | "SVN_SSH" => Carries::Command,
        "CC" | "CXX" | "CPP" | "LD" | "AR" | "AS" | "RANLIB" | "STRIP" | "HOSTCC" | "MAKE" | "LINKER"
        | "CMAKE_C_COMPILER" => Carries::Tool,
        "GOFLAGS" => Carries::Options(&["-toolexec", "-exec", "-vettool"]),
        "NODE_OPTIONS" => Carries::Modules,
        "JAVA_TOOL_OPTIONS" | "_JAVA_OPTIONS" | "JDK_JAVA_OPTIONS" => {
            Carries::Options(&["-javaagent", "-agentlib", "-agentpath", "OnOutOfMemoryError", "OnError"])
        }
        "RUBYOPT" => Carries::Options(&["-r", "-I", "-e"]),
        "PHP_INI_SCAN_DIR" | "TAR_OPTIONS" => {
            Carries::Options(&["/", "--checkpoint", "--to-command", "-I", "--use-compress"])
        }
        "LESS" => Carries::Options(&["+!", "-k"]),
        "PS4" | "PS1" | "PS0" => Carries::Prompt,
        "MAKEFLAGS" => Carries::Options(&["--eval", "SHELL="]),
        "RUSTFLAGS" => Carries::Options(&["linker=/tmp/", "linker=/var/tmp/", "linker=/dev/shm/"]),
        "PATH"
        | "LD_LIBRARY_PATH"
        | "DYLD_LIBRARY_PATH"
        | "PYTHONPATH"
        | "PERL5LIB"
        | "RUBYLIB"
        | "LUA_PATH"
        | "LUA_CPATH"
        | "R_PROFILE"
        | "R_PROFILE_USER"
        | "BUNDLE_GEMFILE"
        | "CORECLR_PROFILER_PATH"
        | "COR_PROFILER_PATH" => Carries::Folders,
        _ if name.starts_with("GIT_CONFIG_VALUE_") => Carries::Command,
        // `CARGO_TARGET_<triple>_RUNNER` (the Cargo book, Environment Variables), `CMAKE_<LANG>_COMPILER`
        _ if name.starts_with("CARGO_TARGET_") && (name.ends_with("_RUNNER") || name.ends_with("_LINKER")) => {
            Carries::Tool
        }
        _ if name.starts_with("CMAKE_") && (name.ends_with("_COMPILER") || name.ends_with("_LAUNCHER")) => {
            Carries::Tool
        }
        _ if name.starts_with("BASH_FUNC_") => Carries::Library,
        // `MAVEN_OPTS`, `GRADLE_OPTS`, `SBT_OPTS` and what start scripts of Java programs read beside them
        _ if ["_OPTS", "_JAVA_OPTIONS", "_JVM_ARGS", "MAVEN_ARGS"].iter().any(|end| name.ends_with(end)) => {
            Carries::Machine
        }
        _ => return None,
    })
}

/// A word that is no path: `prod`, `us-east-1`, `${STAGE}` is none.
fn is_bare(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
}

/// The modules that options of Node.js load (Node.js, "Command-line API").
fn loaded(options: &str) -> impl Iterator<Item = &str> {
    const LOADS: &[&str] = &["--require", "-r", "--import", "--loader", "--experimental-loader"];
    let mut words = options.split_whitespace();
    std::iter::from_fn(move || {
        loop {
            let word = words.next()?;
            match word.split_once('=') {
                Some((option, module)) if LOADS.contains(&option) => return Some(module),
                None if LOADS.contains(&word) => return words.next(),
                _ => {}
            }
        }
    })
    .map(|module| module.trim_matches(['"', '\'']))
}

/// It says where packages come from.
fn names_index(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    matches!(
        upper.as_str(),
        "PIP_INDEX_URL"
            | "PIP_EXTRA_INDEX_URL"
            | "PIP_FIND_LINKS"
            | "UV_INDEX"
            | "UV_INDEX_URL"
            | "UV_EXTRA_INDEX_URL"
            | "UV_DEFAULT_INDEX"
            | "UV_FIND_LINKS"
            | "NPM_CONFIG_REGISTRY"
            | "YARN_REGISTRY"
            | "YARN_NPM_REGISTRY_SERVER"
            | "BUN_CONFIG_REGISTRY"
            | "COREPACK_NPM_REGISTRY"
            | "GOPROXY"
            | "RUBYGEMS_HOST"
            | "CPANM_MIRROR"
    ) || upper.starts_with("CARGO_REGISTRIES_") && upper.ends_with("_INDEX")
        || upper.starts_with("POETRY_REPOSITORIES_") && upper.ends_with("_URL")
        || upper.starts_with("BUNDLE_MIRROR__")
}

impl Walk<'_> {
    /// A variable set for any command that makes programs load or run code.
    pub(crate) fn variable_carries_code(&mut self, name: &str, value: Option<&Arg>) {
        let Some(value) = value else { return };
        if name == "HISTFILE" && value.text == "/dev/null"
            || matches!(name, "HISTSIZE" | "HISTFILESIZE") && value.text == "0"
        {
            self.named(EffectKind::Privilege, "variable", name, "security-setting");
        }
        let text = value.text.as_str();
        if names_index(name)
            && text.split([',', '|', ' ']).any(|one| one.contains("://") && !host::is_package_index(one))
        {
            self.named(EffectKind::PackageInstall, "index", text, "package-index");
        }
        match carrier(name) {
            None => {}
            Some(Carries::Library) if text.is_empty() => {}
            // `ENV=prod`: the name of a surrounding, where only interactive shells look for a file (POSIX, sh)
            Some(Carries::Library) if name == "ENV" && value.is_literal() && is_bare(text) => {}
            // no compiler lies where everybody may leave a program
            Some(Carries::Tool)
                if TEMPORARY.iter().any(|place| text.starts_with(&format!("{place}/")))
                    && !is_own(text, &self.around) =>
            {
                self.named(EffectKind::CodeLoad, "variable", name, "env-code");
            }
            // a compiler with its options is no question, what else the text runs is
            Some(Carries::Tool) if value.is_literal() && text.contains(' ') => {
                let span = value.span;
                self.nested(name, |walk| walk.text(text, span, Flow::empty()));
            }
            Some(Carries::Tool) => {}
            Some(Carries::Library) => {
                let target = Target::Named { what: "variable".to_owned(), name: name.to_owned() };
                self.push(EffectKind::CodeLoad, Some(target), "env-code");
            }
            Some(Carries::Folders)
                if name == "PATH" && (text == "." || text.starts_with(".:") || text.starts_with(':')) =>
            {
                self.named(EffectKind::CodeLoad, "variable", name, "env-code");
            }
            Some(Carries::Folders) => {
                let unknown = !value.is_literal() && value.taint != Taint::NONE;
                // a project that lies there is one as any other
                let foreign = |folder: &str| {
                    let own = || !folder.contains("..") && is_own(folder, &self.around);
                    TEMPORARY.iter().any(|place| folder.contains(place)) && !own()
                };
                if unknown || text.split(':').any(foreign) {
                    self.named(EffectKind::CodeLoad, "variable", name, "env-code");
                }
            }
            // what a command printed is text by now; what came from elsewhere is expanded again
            Some(Carries::Prompt) => {
                let written = value.shape.as_deref().unwrap_or(text);
                let foreign = value.taint.has(Taint::DOWNLOADED.with(Taint::DECODED));
                if foreign || ["$(", "`"].iter().any(|code| written.contains(code)) {
                    self.named(EffectKind::CodeLoad, "variable", name, "env-code");
                }
            }
            Some(Carries::Machine) if text.split_whitespace().any(|option| self.loads_into_java(option)) => {
                self.named(EffectKind::CodeLoad, "variable", name, "env-code");
            }
            Some(Carries::Machine) => {}
            Some(Carries::Options(dangerous)) => {
                let unknown = !value.is_literal() && value.taint != Taint::NONE;
                if unknown || dangerous.iter().any(|d| text.contains(d)) {
                    self.named(EffectKind::CodeLoad, "variable", name, "env-code");
                }
            }
            Some(Carries::Modules) => {
                let unknown = !value.is_literal() && value.taint != Taint::NONE;
                if unknown || text.contains("--inspect=0") || loaded(text).any(|module| self.is_foreign_module(module))
                {
                    self.named(EffectKind::CodeLoad, "variable", name, "env-code");
                }
                // what was written just now is known
                for module in loaded(text).filter(|module| module.starts_with('.')) {
                    let file = value.with_text(module);
                    let _ = self.nested(name, |walk| walk.file_of_code(Language::Js, &file, Vec::new()));
                }
            }
            Some(Carries::Command) => {
                let first = text.split_whitespace().next().unwrap_or("");
                if text.is_empty()
                    || HARMLESS_VALUES.contains(&base_name(first)) && !text.contains([';', '|', '&', '`', '$'])
                {
                    // the program is a usual one, and what it is given may not be
                    if value.is_literal() && text.contains(' ') {
                        let span = value.span;
                        self.nested(name, |walk| walk.text(text, span, Flow::empty()));
                    }
                    return;
                }
                let target = Target::Named { what: "variable".to_owned(), name: name.to_owned() };
                self.push(EffectKind::CodeLoad, Some(target), "env-code");
                if value.is_literal() && text.contains(' ') {
                    let span = value.span;
                    self.nested(name, |walk| walk.text(text, span, Flow::empty()));
                }
            }
        }
    }

    /// A module from elsewhere than the project and its packages: `/tmp/x.js`, `data:..`.
    fn is_foreign_module(&self, module: &str) -> bool {
        module.contains([':', '$', '`', '*'])
            || module.starts_with(['/', '~']) && !is_own(module, &self.around)
            || module.split('/').any(|part| part == "..")
    }

    /// An agent, library or class of a temporary folder, or a command for when the machine fails.
    fn loads_into_java(&self, option: &str) -> bool {
        const LOADS: &[&str] = &[
            "-javaagent:",
            "-agentpath:",
            "-Xbootclasspath/a:",
            "-Xbootclasspath/p:",
            "-Dmaven.ext.class.path=",
            "-Djava.library.path=",
        ];
        let runs = ["-XX:OnOutOfMemoryError=", "-XX:OnError="];
        let option = option.trim_matches(['"', '\'']);
        let place = LOADS.iter().find_map(|load| option.strip_prefix(load));
        let temporary = |path: &str| TEMPORARY.iter().any(|root| path.starts_with(&format!("{root}/")));
        place.is_some_and(|path| temporary(path) && !is_own(path, &self.around))
            || runs
                .iter()
                .any(|run| option.strip_prefix(run).is_some_and(|c| !c.trim_matches(['"', '\'']).starts_with("kill")))
    }

    /// A variable set for one command only.
    pub(super) fn environment_of(&mut self, program: &str, name: &str, value: &Arg) {
        if name == "DOCKER_HOST"
            && let Some((_, place)) = value.text.split_once("://").filter(|(scheme, _)| *scheme == "tcp")
        {
            let near = host::of_url(&value.text).is_some_and(|url| host::is_loopback(&url.host));
            self.net_host(&value.with_text(place), if near { "" } else { "raw-socket" });
        }
        if matches!(
            name,
            "RAMPART_HOME" | "RAMPART_URL" | "RAMPART_TOKEN" | "RAMPART_NO_PROJECT_POLICY" | "RAMPART_MODE"
        ) {
            let target = Target::Named { what: "variable".to_owned(), name: name.to_owned() };
            self.push(EffectKind::SelfTamper, Some(target), "rampart-command");
        }
        if value.text.starts_with("() {") {
            self.named(EffectKind::CodeLoad, "variable", name, "env-code");
        }
        if name == "SSH_AUTH_SOCK" && value.text.starts_with("/tmp/ssh-") {
            // the keys of whoever's agent that is
            self.named(EffectKind::Secret, "variable", name, "keychain");
        }
        if matches!(name, "RAILS_ENV" | "RACK_ENV" | "APP_ENV" | "MIX_ENV") {
            self.for_tests = value.is_literal() && value.text.starts_with("test");
        }
        if name == "DISABLE_DATABASE_ENVIRONMENT_CHECK" {
            self.note(EffectKind::RemoteMutate, "database-drop");
        }
        if is_secret_name(name) && value.taint.has(Taint::SECRET) {
            let target = Target::Program { name: program.to_owned(), argv: Vec::new() };
            self.push_with(EffectKind::Secret, Some(target), "secret-variable", Certainty::Possible);
        }
    }
}
