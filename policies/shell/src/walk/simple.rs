//! Simple commands: assignments, words, and what the first word means.

use rampart_call::{EffectKind, Scope, Span, Target};

use super::{Base, Walk};
use crate::analysis::Component;
use crate::knowledge;
use crate::syntax::{Assigned, Assignment, Part, Redirect, Word};
use crate::value::{Arg, Flow, Taint};

/// Most programs that one command may come through.
const MAX_WRAPPERS: usize = 12;

/// Most programs that a variable may name.
const MAX_PROGRAMS: usize = 8;

/// A program's name without directories, and `.exe`.
pub(crate) fn base_name(text: &str) -> &str {
    let name = text.rsplit(['/', '\\']).next().unwrap_or(text);
    name.strip_suffix(".exe").or_else(|| name.strip_suffix(".EXE")).unwrap_or(name)
}

impl Walk<'_> {
    pub(super) fn simple(
        &mut self,
        assignments: &[Assignment<'_>],
        words: &[Word<'_>],
        redirects: &[Redirect<'_>],
        span: Span,
        stdin: Flow,
    ) -> Flow {
        if let Some((name, values)) = words.first().and_then(|word| self.programs_of(word)) {
            let mut out = Flow::empty();
            for value in &values {
                self.env.variables.insert(name.clone(), vec![value.clone()]);
                out.append(self.simple(assignments, words, redirects, span, stdin.clone()));
            }
            self.env.variables.insert(name, values);
            return out;
        }
        let mut args = Vec::with_capacity(words.len());
        for word in words {
            self.expand(word, &mut args);
        }
        let mut assigned = Vec::with_capacity(assignments.len());
        for assignment in assignments {
            if let Some(subscript) = assignment.subscript {
                self.substituted(subscript);
            }
            let values = match &assignment.value {
                Assigned::One(word) => vec![self.expand_whole(word)],
                Assigned::Array(words) => {
                    let mut values = Vec::new();
                    words.iter().for_each(|w| self.expand(w, &mut values));
                    values
                }
            };
            assigned.push((assignment.name, assignment.append, values));
        }
        self.span = span;
        let redirected = if redirects.is_empty() { None } else { Some(self.redirects(redirects, stdin.clone())) };
        let stdin = redirected.as_ref().map_or(stdin, |r| r.stdin.clone());
        for (name, _, values) in &assigned {
            let text = values.first().map_or("", |v| v.text.as_str());
            self.render_text(&format!("{name}={text} "));
        }
        self.render(&args);
        let tail = std::mem::take(&mut self.tail);
        self.render_text(&tail);
        for (name, _, values) in &assigned {
            self.variable_carries_code(name, values.first());
        }
        let out = if args.is_empty() {
            for (name, append, values) in assigned {
                self.assign(name, append, values);
            }
            Flow::empty()
        } else {
            let first = args.first().map_or("", |a| a.text.as_str());
            if matches!(base_name(first), "declare" | "typeset" | "local" | "export" | "readonly") {
                assigned.iter().cloned().for_each(|(name, append, values)| self.assign(name, append, values));
            }
            let assigned = assigned
                .into_iter()
                .map(|(name, _, values)| (name.to_owned(), values.into_iter().next().unwrap_or(Arg::literal("", span))))
                .collect();
            self.run(args, assigned, stdin)
        };
        self.span = span;
        let out = match redirected {
            Some(redirected) => self.redirected(redirected, out),
            None => out,
        };
        if out.taint.has(Taint::TOKEN) && !self.captured {
            self.note(EffectKind::Secret, "secret-variable");
        }
        out
    }

    /// The variable that names the program, and its values where there are several: one command for each of them.
    fn programs_of(&self, word: &Word<'_>) -> Option<(String, Vec<Arg>)> {
        let [Part::Variable(variable)] = word.parts.as_slice() else { return None };
        let plain = variable.operator.is_empty() && !variable.indirect && !variable.source.contains('[');
        let values = self.env.variables.get(variable.name).filter(|_| plain)?;
        // `$(which a || which b)` names one of them
        if let [only] = &values[..]
            && only.is_literal()
            && only.text.contains('\n')
            && only.text.lines().all(|line| knowledge::program(base_name(line)).is_some())
        {
            let each = only.text.lines().take(MAX_PROGRAMS).map(|line| only.with_text(line)).collect();
            return Some((variable.name.to_owned(), each));
        }
        let values = Some(values).filter(|values| values.len() > 1)?;
        let known = values.iter().all(Arg::is_literal);
        (known && values.len() <= MAX_PROGRAMS).then(|| (variable.name.to_owned(), values.clone()))
    }

    /// Sets a variable. Where it is not sure that the assignment happens, the variable may have either value.
    pub(super) fn assign(&mut self, name: &str, append: bool, mut values: Vec<Arg>) {
        let referred = self.env.references.get(name).cloned();
        let name = referred.as_deref().unwrap_or(name);
        let before = self.env.variables.remove(name);
        if let Some(mut before) = before {
            match (append, &before[..], &values[..]) {
                (true, [old], [new]) if values.len() == 1 => {
                    let text = format!("{}{}", old.text, new.text);
                    let shape = match (&old.shape, &new.shape) {
                        (None, None) => None,
                        (a, b) => {
                            Some(format!("{}{}", a.as_deref().unwrap_or(&old.text), b.as_deref().unwrap_or(&new.text)))
                        }
                    };
                    values = vec![Arg { text, shape, taint: old.taint.with(new.taint), ..new.clone() }];
                }
                (true, ..) => {
                    before.append(&mut values);
                    values = before;
                }
                (false, ..) if (self.conditional || self.skipped) && before != values => {
                    before.append(&mut values);
                    before.truncate(8);
                    values = before;
                }
                _ => {}
            }
        }
        if values.is_empty() {
            values.push(Arg::literal("", self.span));
        }
        self.env.variables.insert(name.to_owned(), values);
    }

    /// Runs a command whose words are expanded. Returns its standard output.
    pub(super) fn run(&mut self, args: Vec<Arg>, assigned: Vec<(String, Arg)>, stdin: Flow) -> Flow {
        let before = self.given.len();
        self.given.extend(assigned.iter().cloned());
        let out = self.command_of(args, assigned, stdin);
        self.given.truncate(before);
        out
    }

    fn command_of(&mut self, mut args: Vec<Arg>, assigned: Vec<(String, Arg)>, stdin: Flow) -> Flow {
        if self.steps == 0 {
            self.out_of_budget();
            return Flow::unknown(stdin.taint);
        }
        self.steps -= 1;
        self.for_tests &= !self.via.is_empty();
        self.near &= !self.via.is_empty();
        let Some(first) = args.first() else { return Flow::empty() };
        let name = base_name(first.shape.as_deref().unwrap_or(&first.text)).to_owned();
        if first.is_literal()
            && !first.quoted
            && let Some(alias) = self.env.aliases.remove(&name)
        {
            // an alias is not expanded inside itself
            let mut line = alias.clone();
            for arg in args.iter().skip(1) {
                line.push(' ');
                line.push_str(&quote(&arg.text));
            }
            let span = self.span;
            let out = self.text(&line, span, stdin);
            self.env.aliases.insert(name, alias);
            return out;
        }
        self.component(&args, &assigned);
        if name == "[" {
            return self.builtin("[", &args, &stdin).unwrap_or(Flow::empty());
        }
        if first.glob && first.is_literal() && self.is_own_program(&first.text) {
            return self.unknown(&name, &args, stdin);
        }
        if name.contains('*') || name.is_empty() && !first.is_literal() || first.glob && name.contains(['?', '[']) {
            return self.computed(&args, stdin);
        }
        if first.taint.has(Taint::DOWNLOADED.with(Taint::DECODED)) {
            let note = if first.taint.has(Taint::DOWNLOADED) { "download-run" } else { "decode-run" };
            self.push(EffectKind::Exec, None, note);
        }
        if let Some(function) = self.env.functions.get(&name).cloned() {
            return self.call(&name, function, args, stdin);
        }
        for (variable, value) in &assigned {
            self.environment_of(&name, variable, value);
        }
        let path = first.text.clone();
        let by_path = path.contains('/');
        if by_path && ["/tmp/.", "/var/tmp/.", "/dev/shm/"].iter().any(|root| path.starts_with(root)) {
            self.note(EffectKind::Opaque, "hidden-program");
        }
        if by_path && self.written_here(&path) {
            let copy = self.written.get(&self.absolute(&path)).and_then(|w| w.program.clone());
            let Some(program) = copy else { return self.run_written(&path, &args, stdin) };
            // a shell or interpreter under the name of something else
            let language = knowledge::program(&program).and_then(|p| p.language);
            let own_name = knowledge::program(&name).is_some_and(|p| p.language == language);
            if language.is_some() && !own_name && super::TEMPORARY.iter().any(|root| path.starts_with(root)) {
                self.note(EffectKind::Opaque, "hidden-program");
            }
            if let Some(first) = args.first_mut() {
                first.text = program;
            }
            return self.nested(&name, |walk| walk.run(args, assigned, stdin));
        }
        // a program that was fetched into a folder of programs, by its name
        if !by_path
            && knowledge::program(&name).is_none()
            && let Some(path) = self.fetched_program(&name)
        {
            return self.run_written(&path, &args, stdin);
        }
        // `IFS=, read ..`
        let separators =
            assigned.iter().find(|(variable, _)| variable == "IFS" && name == "read").map(|(_, v)| v.clone());
        let before = separators.map(|value| self.env.variables.insert("IFS".to_owned(), vec![value]));
        let out = self.builtin(&name, &args, &stdin);
        match before {
            Some(Some(values)) => drop(self.env.variables.insert("IFS".to_owned(), values)),
            Some(None) => drop(self.env.variables.remove("IFS")),
            None => {}
        }
        if let Some(out) = out {
            return out;
        }
        // `/etc/init.d/NAME stop` is `service NAME stop`
        if path.starts_with("/etc/init.d/")
            && let Some(service) = knowledge::program("service")
        {
            return self.program("service", service, &args, stdin);
        }
        match knowledge::program(&name) {
            Some(program) => self.program(&name, program, &args, stdin),
            None => self.unknown(&name, &args, stdin),
        }
    }

    /// A pattern of programs in a folder of the project into which this command line wrote nothing.
    fn is_own_program(&self, pattern: &str) -> bool {
        let Some((folder, _)) = pattern.rsplit_once('/').filter(|(folder, _)| !folder.contains(['*', '?', '['])) else {
            return false;
        };
        let folder = self.absolute(folder);
        let arg = Arg::literal(folder.clone(), self.span);
        matches!(self.target(&arg, false), Target::Path { scope: Scope::Project, .. })
            && !self.written.keys().any(|path| path.starts_with(&folder))
    }

    fn component(&mut self, args: &[Arg], assigned: &[(String, Arg)]) {
        let component = Component {
            argv: args.iter().map(|a| a.text.clone()).collect(),
            literal: args.iter().all(Arg::is_literal),
            assignments: assigned.iter().map(|(n, v)| (n.clone(), v.text.clone())).collect(),
            via: self.via.clone(),
            span: self.span,
        };
        self.out.components.push(component);
    }

    /// Which program runs is not known.
    fn computed(&mut self, args: &[Arg], stdin: Flow) -> Flow {
        let taint = args.first().map_or(Taint::NONE, |a| a.taint);
        let note = if taint.has(Taint::DOWNLOADED) {
            "download-run"
        } else if taint.has(Taint::DECODED) {
            "decode-run"
        } else {
            "computed-program"
        };
        // `for tool in ..; do $tool --version; done`
        let asked = |arg: &Arg| arg.is_literal() && matches!(arg.text.as_str(), "--version" | "--help");
        let looks = note == "computed-program" && matches!(args, [_, only] if asked(only));
        let named = note == "computed-program"
            && args.first().is_some_and(|program| self.is_tool_of_environment(&program.text));
        if !looks && !named {
            self.note(EffectKind::Opaque, note);
        }
        self.delicate_words(args);
        Flow::unknown(stdin.taint)
    }

    /// `$CHROME_BIN`, `${UNITY_PATH}`: by such a variable whoever set up the machine says where a program is, unless this
    /// command line gives it a value.
    fn is_tool_of_environment(&self, text: &str) -> bool {
        let Some(name) = text.strip_prefix('$') else { return false };
        let name = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name);
        let ends = ["_BIN", "_CLI", "_EXE", "_EXECUTABLE", "_PATH", "_PROGRAM"];
        ends.iter().any(|end| name.len() > end.len() && name.ends_with(end))
            && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
            && !self.env.variables.contains_key(name)
    }

    fn call(&mut self, name: &str, function: super::env::Function, args: Vec<Arg>, stdin: Flow) -> Flow {
        if self.depth == 0 || self.calls.iter().filter(|c| *c == name).count() > 1 {
            if self.depth == 0 {
                self.out_of_budget();
            }
            return Flow::unknown(stdin.taint);
        }
        let positional = std::mem::replace(&mut self.env.positional, args);
        self.calls.push(name.to_owned());
        let (base, span, conditional) = (self.base, self.span, self.conditional);
        let line = std::mem::take(&mut self.line);
        self.depth -= 1;
        let inner = if matches!(base, Base::At(_)) { Base::At(function.start) } else { base };
        let out = self.parsed(&function.body, inner, stdin);
        self.depth += 1;
        self.line = line;
        (self.base, self.span, self.conditional) = (base, span, conditional);
        self.calls.pop();
        self.env.positional = positional;
        out
    }

    /// Runs `f` as something that came through `wrapper`.
    pub(crate) fn nested(&mut self, wrapper: &str, f: impl FnOnce(&mut Self) -> Flow) -> Flow {
        if self.depth == 0 || self.via.len() >= MAX_WRAPPERS {
            self.out_of_budget();
            return Flow::unknown(Taint::NONE);
        }
        self.depth -= 1;
        self.via.push(wrapper.to_owned());
        let span = self.span;
        let line = std::mem::take(&mut self.line);
        let out = f(self);
        self.line = line;
        self.span = span;
        self.via.pop();
        self.depth += 1;
        out
    }
}

/// Quotes a word so that it is read back as it is.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
