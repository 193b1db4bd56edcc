//! What is done with a word in its role.

use rampart_call::{EffectKind, Scope, Target};

use super::Walk;
use super::apply::Use;
use super::hunt::Hunt;
use crate::knowledge::{Language, Role};
use crate::value::{Arg, Taint};
use crate::{host, place, programs};

impl Walk<'_> {
    /// One word in its role.
    pub(crate) fn word(&mut self, role: Role, arg: &Arg, option: &str, used: &mut Use<'_>) {
        match role {
            Role::Text if used.program.sub.is_empty() && used.usage.path.is_empty() && !arg.quoted => {
                // whatever the program does with it, nobody names a key for nothing
                if arg.text.starts_with('/') && !option.contains("key") && !option.contains("exclude") {
                    let _ = self.read_if_key(arg);
                }
            }
            Role::Text
            | Role::Look
            | Role::Dir
            | Role::Run
            | Role::ShellRest
            | Role::RemoteRest
            | Role::Name
            | Role::RunPackage => {
                if role == Role::Look && arg.content.is_some() {
                    used.content.taint = used.content.taint.with(arg.taint);
                }
            }
            Role::Script => {
                let language = used.program.language.unwrap_or(Language::Shell);
                let (name, stdin) = (used.name.to_owned(), used.stdin.clone());
                used.ran = true;
                used.stdout = Some(self.nested(&name, |walk| match arg.text.as_str() {
                    "-" | "/dev/stdin" => walk.flow_of_code(language, stdin, Vec::new()),
                    _ => walk.file_of_code(language, arg, Vec::new()),
                }));
            }
            Role::Print => {
                used.content.taint = used.content.taint.with(arg.taint);
            }
            // `pip install -r URL`
            Role::Read
                if arg.text.contains("://") && matches!(option, "-r" | "--requirement" | "-c" | "--constraint") =>
            {
                self.word(Role::PackageUrl, arg, option, used);
            }
            // what is changed in its place is shown to nobody
            Role::Read if used.in_place => {
                used.content.taint = used.content.taint.with(Taint::LOCAL);
                self.read_if_key(arg);
                self.write(arg, "");
            }
            Role::Read => {
                let flow = self.read(arg, used.recursive);
                if used.usage.has_any(&used.program.consumes) {
                    self.delete(arg, used.recursive, "");
                }
                self.hunted(arg, used);
                if used.recursive {
                    used.names.clone().iter().for_each(|name| self.hunted_name(arg, name));
                }
                used.content.append(flow);
            }
            Role::Write | Role::Append => {
                self.write(arg, "");
                used.outputs.push(arg.clone());
            }
            Role::Into => self.write_into(arg),
            Role::Edit => {
                let flow = self.read(arg, false);
                used.content.taint = used.content.taint.with(flow.taint);
                self.write(arg, "");
            }
            Role::Delete => self.delete(arg, used.recursive, ""),
            Role::Shred => self.delete(arg, false, "shred"),
            Role::FileName => used.names.push(arg.clone()),
            Role::Pattern => used.hunt = Some(Hunt::of(arg)),
            Role::Move => self.moved(arg, None),
            Role::Chmod => self.chmod(arg, used.recursive, ""),
            Role::Shell => {
                used.ran = true;
                let (name, stdin) = (used.name.to_owned(), used.stdin.clone());
                let positional = used.usage.operands.clone();
                used.stdout = Some(self.nested(&name, |walk| walk.code_text_with(arg, positional, stdin)));
            }
            Role::Code => {
                used.ran = true;
                let language = used.program.language.unwrap_or(Language::Other);
                if language == Language::Jq {
                    used.hunt = Hunt::of_filter(arg).or(used.hunt);
                }
                let name = used.name.to_owned();
                // `node -p` prints what comes out
                let shows = matches!(option, "-p" | "--print" | "-pe") && !arg.text.contains([';', '{', '\n']);
                let arg = if shows && language == Language::Js {
                    &arg.with_text(&format!("console.log({})", arg.text))
                } else {
                    arg
                };
                let flow = self.nested(&name, |walk| walk.inline(language, arg));
                if flow.text.as_deref().is_some_and(|text| !text.is_empty()) {
                    used.stdout = Some(flow.clone());
                }
                used.content.append(flow);
            }
            // a module of the project's own, by its name
            Role::Load
                if used.program.language == Some(Language::Js)
                    && !arg.text.starts_with(['/', '.', '~'])
                    && !arg.text.contains(':')
                    && arg.is_literal() => {}
            // a file of the project is a script as any other
            Role::Load
                if (used.program.language == Some(Language::Js) || used.program.runs_project)
                    && arg.is_literal()
                    && !arg.text.contains(':')
                    && matches!(self.target(arg, false), Target::Path { scope: Scope::Project, .. }) =>
            {
                let language = used.program.language.unwrap_or(Language::Shell);
                let _ = self.nested(used.name, |walk| walk.file_of_code(language, arg, Vec::new()));
            }
            Role::Load if arg.text.ends_with("/.ssh/config") => {}
            Role::Load if matches!(arg.text.as_str(), "NONE" | "NORC" | "DEFAULTS" | "/dev/null" | "none") => {}
            Role::Load => {
                let target = self.target(arg, false);
                self.push(EffectKind::CodeLoad, Some(target), "option-code");
            }
            Role::Url if arg.text.starts_with('/') && arg.is_literal() => {
                let flow = self.read(arg, false);
                used.content.append(flow);
            }
            Role::Url => {
                self.net_url(arg, "");
                Self::remember_host(arg, used);
            }
            Role::Host => {
                self.net_host(arg, "");
                Self::remember_host(arg, used);
            }
            Role::RemoteRead | Role::RemoteWrite => self.remote(arg, role == Role::RemoteRead, used),
            Role::ContainerRead | Role::ContainerWrite => self.contained(arg, role == Role::ContainerRead, used),
            Role::Send => self.sent(arg, option, used),
            Role::SendFile => {
                let stdin = arg.text == "-" || arg.text == "." && !used.recursive;
                let flow = if stdin { used.stdin.clone() } else { self.read(arg, used.recursive) };
                used.sent = used.sent.with(flow.taint).with(Taint::LOCAL);
            }
            Role::Header => {
                if arg.taint.has(Taint::TOKEN) {
                    self.named(EffectKind::Secret, "variable", &arg.text, "token-header");
                    used.bearers.extend(host::owners::variables(&arg.text).map(str::to_owned));
                }
                // a token says who asks where the header is made for that, and leaves where it is not
                let kept = if authenticates(&arg.text) { Taint::TOKEN } else { Taint::NONE };
                used.sent = used.sent.with(arg.taint.without(kept));
            }
            Role::Package => {
                self.package(arg, matches!(used.name, "npm" | "pnpm" | "yarn" | "bun" | "cnpm" | "npx" | "bunx"));
            }
            Role::PackageUrl => {
                self.named(EffectKind::PackageInstall, "package", &arg.text, "package-url");
                self.net_url(arg, "");
            }
            // a manifest that comes in, or was written just now
            Role::PackageIfUrl if used.program.language == Some(Language::Manifest) && self.manifest(arg, used) => {}
            Role::PackageIfUrl => {
                let text = arg.text.as_str();
                // the last are flakes, as Nix writes them
                let starts = ["git@", "github.com/", "github:", "gitlab:", "sourcehut:", "git+"];
                let far = text.contains("://") || starts.iter().any(|start| text.starts_with(start));
                if far && !host::is_package_index(text) {
                    self.word(Role::PackageUrl, arg, option, used);
                }
            }
            Role::Compile => self.compiled(arg, used),
            Role::PackageIndex if host::is_package_index(&arg.text) => self.net_url(arg, ""),
            // a channel's name
            Role::PackageIndex if arg.is_literal() && !arg.text.contains(['/', ':']) => {}
            Role::PackageIndex => {
                self.named(EffectKind::PackageInstall, "index", &arg.text, "package-index");
                self.net_url(arg, "");
            }
            Role::Module => used.ran = true,
            Role::SettingText => {
                if let Some((key, value)) = arg.text.split_once('=')
                    && ["script", "bin", "prepare", "install"].iter().any(|part| key.contains(part))
                {
                    let word = Arg { shape: None, ..arg.with_text(value) };
                    let name = used.name.to_owned();
                    self.nested(&name, |walk| walk.code_text(&word));
                }
            }
            Role::Serve => self.served(arg),
            Role::Setting => programs::setting(self, arg),
            Role::NameLookup => programs::lookup(self, arg),
            // an image of a disk in a file
            Role::Format if arg.is_literal() && self.is_own_file(arg) => self.write(arg, ""),
            Role::Format => self.delete(arg, false, "wipe-device"),
            Role::Encoded => {
                used.ran = true;
                self.note(EffectKind::Exec, "decode-run");
            }
            Role::UrlIf => {
                if let Some((scheme, _)) = arg.text.split_once("://") {
                    // `rest:https://`: the kind of a place in front of its address
                    let kind = scheme.rfind(':').map_or(0, |at| at + 1);
                    let url = arg.with_text(&arg.text[kind..]);
                    self.net_url(&url, "");
                    Self::remember_host(&url, used);
                }
            }
            Role::Process => self.named(EffectKind::Signal, "process", &arg.text, ""),
            Role::Ref => {
                // `HEAD:path`
                let path = match arg.text.split_once(':') {
                    Some((_, path)) if !place::is_absolute(&arg.text) => path.to_owned(),
                    _ => arg.text.clone(),
                };
                self.read_if_delicate(&arg.with_text(&path));
            }
            Role::Env => {
                if let Some((name, value)) = arg.text.split_once('=') {
                    let value = arg.with_text(value);
                    self.variable_carries_code(name, Some(&value));
                    if name == "SHELL" {
                        self.named(EffectKind::CodeLoad, "variable", name, "env-code");
                    }
                }
            }
            Role::GitConfig => programs::git_setting(self, arg),
            Role::SshConfig => programs::ssh_setting(self, arg),
            Role::Mount => programs::mount(self, arg, option),
        }
    }

    /// A manifest of which more is known than its name. What comes from a host is as good as its URL.
    fn manifest(&mut self, arg: &Arg, used: &Use<'_>) -> bool {
        let stdin = matches!(arg.text.as_str(), "-" | "/dev/stdin");
        let Some(flow) = (if stdin { Some(used.stdin.clone()) } else { self.written_flow(&arg.text) }) else {
            return false;
        };
        if flow.taint.has(Taint::DOWNLOADED) {
            self.named(EffectKind::PackageInstall, "manifest", &arg.text, "package-url");
        }
        // standard input is looked at as code anyway
        if !stdin {
            self.flow_of_code(Language::Manifest, flow, Vec::new());
        }
        true
    }

    fn remember_host(arg: &Arg, used: &mut Use<'_>) {
        let Some(parsed) = host::of_url(&arg.text) else { return };
        used.host = Some(Target::Host { host: parsed.host, port: parsed.port, url: None });
    }

    /// `host:path`, or a local path.
    fn remote(&mut self, arg: &Arg, reads: bool, used: &mut Use<'_>) {
        let far = match arg.text.split_once("://") {
            Some((_, rest)) => Some((rest.split('/').next().unwrap_or(""), "")),
            None => placed(&arg.text),
        };
        match far {
            Some((host, path)) => {
                if reads {
                    // what is secret here is so over there
                    self.read_if_delicate(&arg.with_text(path));
                    used.fetched.push(path.rsplit('/').next().unwrap_or(path).to_owned());
                }
                self.net_host(&arg.with_text(host), "");
                used.host = Some(Target::Host { host: host::of_word(host).0, port: None, url: None });
                if reads {
                    used.content.taint = used.content.taint.with(Taint::DOWNLOADED);
                } else {
                    used.sent = used.sent.with(used.content.taint);
                }
            }
            None => self.near(arg, reads, used),
        }
    }

    /// A file of a container that runs here: what is secret in it is so outside, and no network lies between.
    fn contained(&mut self, arg: &Arg, reads: bool, used: &mut Use<'_>) {
        match placed(&arg.text) {
            Some((_, path)) if reads => {
                self.read_if_delicate(&arg.with_text(path));
                used.fetched.push(path.rsplit('/').next().unwrap_or(path).to_owned());
            }
            Some(_) => {}
            None => self.near(arg, reads, used),
        }
    }

    /// The end of a copy that lies here.
    fn near(&mut self, arg: &Arg, reads: bool, used: &mut Use<'_>) {
        if reads {
            let flow = self.read(arg, true);
            used.content.append(flow);
            return;
        }
        self.write(arg, "");
        used.outputs.push(arg.clone());
        // under their own names in a directory
        let fetched = std::mem::take(&mut used.fetched);
        used.outputs.extend(fetched.iter().map(|name| arg.with_text(&place::join(Some(&arg.text), name))));
    }

    fn is_own_file(&self, arg: &Arg) -> bool {
        matches!(self.target(arg, false), Target::Path { scope: Scope::Project | Scope::Temp, .. })
    }

    /// Data that is sent; `@file` names a file.
    pub(crate) fn sent(&mut self, arg: &Arg, option: &str, used: &mut Use<'_>) {
        used.sent = used.sent.with(arg.taint);
        let file = arg.text.strip_prefix('@').or_else(|| {
            let sign = arg.text.find(['=', '@'])?;
            let (name, value) = arg.text.split_at(sign);
            match value.strip_prefix('@') {
                // `name@file`
                Some(file) => (matches!(option, "" | "--data-urlencode") && !name.is_empty()).then_some(file),
                None => value.get(1..)?.strip_prefix(['@', '<']),
            }
        });
        match file {
            Some("-") => used.sent = used.sent.with(used.stdin.taint),
            Some(path) if !path.is_empty() => {
                let path = path.split(';').next().unwrap_or(path);
                let tilde;
                // curl does not know `~`, but who writes it means the home
                let path = match path.strip_prefix('~') {
                    Some(rest) => {
                        tilde = format!("{}{rest}", self.home());
                        tilde.as_str()
                    }
                    None => path,
                };
                let flow = self.read(&arg.with_text(path), false);
                used.sent = used.sent.with(flow.taint).with(Taint::LOCAL);
            }
            _ => {}
        }
    }
}

/// Whether a header, or what stands for a user and password, is there to say who asks.
fn authenticates(header: &str) -> bool {
    let Some((name, _)) = header.split_once([':', '=']) else { return true };
    let name = name.trim().to_ascii_lowercase();
    ["auth", "token", "key", "cookie", "secret", "bearer", "signature", "session", "jwt", "credential"]
        .iter()
        .any(|word| name.contains(word))
        || name.is_empty()
        || name.contains(['$', '@'])
}

/// The host or container of a word, and the path there.
fn placed(word: &str) -> Option<(&str, &str)> {
    // `c:\path` is a drive's
    word.split_once(':').filter(|(place, _)| place.len() > 1 && !place.contains('/'))
}
