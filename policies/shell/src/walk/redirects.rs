//! Redirects are reads and writes.

use rampart_call::{EffectKind, Target};

use super::Walk;
use super::env::Written;
use super::simple::base_name;
use crate::syntax::{Redirect, RedirectKind};
use crate::value::{Arg, Flow, Taint};

/// Most links that a path is looked for behind.
const MAX_LINKS: usize = 32;

/// What a command's redirects make of its input and output.
pub(super) struct Redirected {
    pub(super) stdin: Flow,
    /// Files that standard output goes to, and whether it is put behind what is in them.
    outputs: Vec<(Arg, bool)>,
    /// Standard output does not reach the pipe.
    away: bool,
}

impl Walk<'_> {
    pub(super) fn redirects(&mut self, redirects: &[Redirect<'_>], stdin: Flow) -> Redirected {
        let mut out = Redirected { stdin, outputs: Vec::new(), away: false };
        let whole = self.span;
        for redirect in redirects {
            self.span = self.span_of(redirect.span.start, redirect.span.end);
            let stdout = redirect.fd.is_none_or(|fd| fd == 1);
            let stdin_before = redirect.fd.filter(|fd| *fd > 2).map(|fd| (fd, out.stdin.clone()));
            match &redirect.kind {
                RedirectKind::Read(word) => {
                    let arg = self.expand_whole(word);
                    if self.socket(&arg, Taint::NONE) {
                        out.stdin = Flow::unknown(Taint::DOWNLOADED);
                        continue;
                    }
                    out.stdin = match &arg.content {
                        Some(flow) => (**flow).clone(),
                        // a terminal is what it would be without a redirection
                        None if arg.text == "/dev/tty" => Flow::empty(),
                        None => self.read_as_flow(&arg),
                    };
                }
                RedirectKind::HereString(word) => {
                    let arg = self.expand_whole(word);
                    out.stdin = if arg.is_literal() {
                        Flow::known(format!("{}\n", arg.text), arg.taint)
                    } else {
                        Flow::unknown(arg.taint)
                    };
                }
                RedirectKind::HereDoc(word) => {
                    let arg = self.expand_whole(word);
                    // what could not be resolved stands in the text as its source, which is as good as can be had
                    out.stdin = Flow::known(arg.text, arg.taint);
                }
                RedirectKind::Duplicate(word) => {
                    let arg = self.expand_whole(word);
                    let number = arg.text.trim_end_matches('-');
                    if number.bytes().all(|b| b.is_ascii_digit()) {
                        if let Some(flow) = self.written.get(&format!("/dev/fd/{number}")) {
                            out.stdin = flow.flow.clone();
                        }
                        if redirect.fd.is_none_or(|fd| fd == 1) && arg.text == "2" {
                            out.away = true;
                        }
                        continue;
                    }
                    self.redirect_to(arg, stdout, false, &mut out);
                }
                RedirectKind::Write(word) | RedirectKind::Append(word) | RedirectKind::WriteAll(word) => {
                    let arg = self.expand_whole(word);
                    let behind = matches!(redirect.kind, RedirectKind::Append(_));
                    self.redirect_to(arg, stdout, behind, &mut out);
                }
                RedirectKind::ReadWrite(word) => {
                    let arg = self.expand_whole(word);
                    if !self.socket(&arg, Taint::NONE) {
                        self.write(&arg, "");
                    }
                }
            }
            // what another descriptor brings can be read by its number
            if let Some((fd, before)) = stdin_before
                && out.stdin != before
            {
                let flow = std::mem::replace(&mut out.stdin, before);
                self.written.insert(format!("/dev/fd/{fd}"), Written { flow, program: None });
            }
        }
        self.span = whole;
        self.render_redirects(redirects);
        out
    }

    fn redirect_to(&mut self, arg: Arg, stdout: bool, behind: bool, out: &mut Redirected) {
        if arg.text == "/dev/null" {
            out.away |= stdout;
            return;
        }
        if arg.content.is_some() || arg.text.starts_with("/dev/fd/") || arg.text.starts_with(">(") {
            return;
        }
        if !self.socket(&arg, Taint::NONE) {
            self.write(&arg, "");
        }
        if stdout {
            out.outputs.push((arg, behind));
            out.away = true;
        }
    }

    /// Sends a command's output where its redirects say. Returns what is left for the pipe.
    pub(super) fn redirected(&mut self, redirected: Redirected, out: Flow) -> Flow {
        for (arg, behind) in &redirected.outputs {
            if arg.text.starts_with("/dev/tcp/") || arg.text.starts_with("/dev/udp/") {
                self.socket(arg, out.taint);
            } else if *behind {
                self.remember_behind(arg, out.clone());
            } else {
                self.remember(arg, out.clone());
            }
        }
        if redirected.away { Flow::empty() } else { out }
    }

    /// Bash's own sockets. False for any other path.
    fn socket(&mut self, arg: &Arg, taint: Taint) -> bool {
        let Some(rest) = arg.text.strip_prefix("/dev/tcp/").or_else(|| arg.text.strip_prefix("/dev/udp/")) else {
            return false;
        };
        let (host, port) = rest.split_once('/').unwrap_or((rest, ""));
        let target = Target::Host { host: host.to_lowercase(), port: port.parse().ok(), url: None };
        if taint.has(Taint::SECRET.with(Taint::TOKEN)) {
            self.push(EffectKind::Secret, Some(target), "secret-to-net");
        } else {
            let note = if crate::host::is_loopback(host) { "" } else { "raw-socket" };
            self.push(EffectKind::Net, Some(target), note);
        }
        true
    }

    /// Keeps what was written to a file, for a later command that runs or sends it.
    pub(crate) fn remember(&mut self, arg: &Arg, flow: Flow) {
        let path = self.absolute(&arg.text);
        self.written.insert(path, Written { flow, program: None });
    }

    /// Keeps what was put behind what this command line wrote to a file before.
    pub(crate) fn remember_behind(&mut self, arg: &Arg, flow: Flow) {
        let path = self.absolute(&arg.text);
        match self.written.get_mut(&path) {
            Some(written) => {
                written.flow.append(flow);
                written.program = None;
            }
            None => drop(self.written.insert(path, Written { flow, program: None })),
        }
    }

    /// What was written to the file of that name.
    pub(crate) fn written_flow(&self, path: &str) -> Option<Flow> {
        if self.written.is_empty() {
            return None;
        }
        let path = self.absolute(path);
        let path = path.strip_prefix("/proc/self/").map_or(path.clone(), |rest| format!("/dev/{rest}"));
        let found = self.written.get(&path).or_else(|| self.unpacked(&path));
        found.map(|w| w.flow.clone())
    }

    /// What a file below the directory holds is of one origin: an archive was unpacked there.
    pub(crate) fn remember_tree(&mut self, directory: &Arg, flow: Flow) {
        let path = format!("{}/*", self.absolute(&directory.text).trim_end_matches("/."));
        self.written.insert(path, Written { flow, program: None });
    }

    fn unpacked(&self, path: &str) -> Option<&Written> {
        let ends = path.match_indices('/').map(|(at, _)| at);
        ends.rev().find_map(|at| self.written.get(&format!("{}/*", path.get(..at)?)))
    }

    pub(super) fn written_here(&self, path: &str) -> bool {
        if self.written.is_empty() {
            return false;
        }
        let path = self.absolute(path);
        self.written.contains_key(&path) || self.unpacked(&path).is_some()
    }

    /// A folder that this command line made and put nothing into.
    pub(crate) fn is_made_empty(&self, folder: &Arg) -> bool {
        let path = self.absolute(&folder.text).trim_end_matches("/.").to_owned();
        let makes = |argv: &[String]| argv.first().is_some_and(|name| matches!(base_name(name), "mkdir" | "mktemp"));
        let named = |argv: &[String]| {
            // a wrapper names what it runs
            argv.iter().skip(1).any(|word| self.absolute(word).starts_with(&path))
                && !argv.iter().any(|word| base_name(word) == "rsync")
        };
        let earlier = self.out.components.iter().rev().skip(1).map(|component| component.argv.as_slice());
        let mut made = path.starts_with("/tmp/tmp.XX") || path == "/var/empty";
        for argv in earlier.filter(|argv| named(argv)) {
            if !makes(argv) {
                return false;
            }
            made = true;
        }
        made && !self.written.keys().any(|file| file.starts_with(&path))
    }

    /// Where a program of that name lies that this command line brought into a `bin`.
    pub(super) fn fetched_program(&self, name: &str) -> Option<String> {
        let fetched = |(path, written): &(&String, &Written)| {
            written.flow.taint.has(Taint::DOWNLOADED)
                && path.strip_suffix(name).is_some_and(|folder| folder.ends_with("/bin/"))
        };
        self.written.iter().find(fetched).map(|(path, _)| path.clone())
    }

    /// A file is copied or renamed: the copy of a program is that program.
    pub(crate) fn remember_copy(&mut self, to: &Arg, flow: Flow, source: &Arg) {
        let name = base_name(&source.text);
        let path = self.absolute(&to.text);
        let from = self.written.get(&self.absolute(&source.text));
        let program = from.and_then(|w| w.program.clone()).or_else(|| {
            let binary = source.text.contains("bin/") && crate::knowledge::program(name).is_some();
            binary.then(|| name.to_owned())
        });
        self.written.insert(path, Written { flow, program });
    }

    /// A path through a link, as the path that it leads to.
    pub(super) fn through_link(&self, path: &str) -> Option<String> {
        let below = |link: &str| path.strip_prefix(link).filter(|rest| rest.starts_with('/')).map(str::to_owned);
        self.links
            .iter()
            .rev()
            .take(MAX_LINKS)
            .find_map(|(link, to)| Some(format!("{}{}", to.trim_end_matches('/'), below(link)?)))
    }

    /// A link stands for what it points to.
    pub(crate) fn remember_link(&mut self, to: &Arg, source: &Arg) {
        let (link, path) = (self.absolute(&to.text), self.absolute(&source.text));
        self.links.push((link, path));
    }

    fn render_redirects(&mut self, redirects: &[Redirect<'_>]) {
        if redirects.is_empty() {
            return;
        }
        let mut text = String::new();
        for redirect in redirects {
            let (sign, word) = match &redirect.kind {
                RedirectKind::Read(word) => ("<", word),
                RedirectKind::Write(word) => (">", word),
                RedirectKind::Append(word) => (">>", word),
                RedirectKind::ReadWrite(word) => ("<>", word),
                RedirectKind::WriteAll(word) => ("&>", word),
                RedirectKind::HereString(word) => ("<<<", word),
                RedirectKind::Duplicate(_) | RedirectKind::HereDoc(_) => continue,
            };
            text.push(' ');
            text.extend(redirect.fd.filter(|fd| *fd > 1).map(|fd| fd.to_string()));
            text.push_str(sign);
            text.push(' ');
            for part in &word.parts {
                match part {
                    crate::syntax::Part::Text { text: piece, .. } => text.push_str(piece),
                    crate::syntax::Part::Variable(variable) => text.push_str(variable.source),
                    crate::syntax::Part::Command { source, .. }
                    | crate::syntax::Part::Backquoted { source, .. }
                    | crate::syntax::Part::Process { source, .. }
                    | crate::syntax::Part::Arithmetic { source, .. } => text.push_str(source),
                }
            }
        }
        self.tail = text;
    }
}
