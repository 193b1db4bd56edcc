//! What calls that no list names may still do with what they are given: keys, stored data, secrets that leave.

use std::{cell::RefCell, collections::HashMap};

use rampart_call::EffectKind;

use super::names::{COUNTS, LOOKS, NETWORK, STORES};
use super::{Reader, Value};
use crate::code::languages::Does;
use crate::code::tokens::Token;
use crate::knowledge::Language;
use crate::value::{Arg, Taint};

/// Whether what a call gives back says nothing of what it was given.
pub(super) fn only_counts(name: &str) -> bool {
    COUNTS.contains(&name.rsplit('.').next().unwrap_or(name))
}

/// How many texts of the code are put together to paths.
const MOST_PIECES: usize = 24;

/// The words of all of the code.
pub(super) struct Words<'t> {
    tokens: &'t [Token],
    text: &'t str,
    /// Answers, by the first name of each list. Long code asks often.
    known: RefCell<HashMap<&'static str, bool>>,
}

impl<'t> Words<'t> {
    pub(super) fn of(tokens: &'t [Token], text: &'t str) -> Self {
        Self { tokens, text, known: RefCell::default() }
    }

    /// Whether the code names one of these, in a name or a text.
    fn name_one_of(&self, list: &'static [&'static str]) -> bool {
        let first = list.first().copied().unwrap_or_default();
        *self.known.borrow_mut().entry(first).or_insert_with(|| {
            let is = |word: &str| list.iter().any(|name| word == *name || word.contains(name) && name.len() > 4);
            self.tokens.iter().any(|token| match token {
                Token::Name(word) => is(word),
                Token::Text { text, .. } => text.len() < 64 && !text.contains([' ', ':']) && is(text),
                _ => false,
            }) || list.iter().any(|name| name.contains('.') && self.text.contains(name))
        })
    }
}

impl Reader<'_, '_> {
    /// A call that no list names.
    pub(super) fn unlisted(&mut self, name: &str, receiver: Option<&Value>, args: &[Value]) {
        let last = name.rsplit('.').next().unwrap_or(name);
        if LOOKS.contains(&last) {
            return;
        }
        let given = super::taint_of(args).with(receiver.map_or(Taint::NONE, |r| r.taint));
        self.handed_on = self.handed_on.with(given);
        self.keys_of(args.iter().chain(receiver));
        if given.has(Taint::TOKEN) && args.iter().any(is_screen) {
            self.walk.note(EffectKind::Secret, "secret-variable");
        }
        self.statement(last, args);
        self.container(last);
        if matches!(last, "kill" | "terminate" | "suspend" | "stop") && self.arg.text.contains("rampart") {
            self.walk.named(EffectKind::SelfTamper, "process", "rampart", "rampart-stop");
        }
        // `find(sub { unlink }, FOLDER)` of File::Find
        if self.language == Language::Perl && matches!(last, "find" | "finddepth") && self.arg.text.contains("unlink") {
            let span = self.arg.span;
            args.iter().filter(|a| a.text.is_some()).for_each(|a| self.walk.delete(&a.arg(span), true, ""));
        }
        // `User.objects.filter(..).delete()`
        let tables = [".objects.", "DB::table(", "::query(", "::where(", "session.query("];
        if last == "delete" && args.is_empty() && tables.iter().any(|table| self.arg.text.contains(table)) {
            self.walk.note(EffectKind::RemoteMutate, "database-drop");
        }
        if destroys(last) && self.words.name_one_of(STORES) {
            self.walk.note(EffectKind::RemoteMutate, "cloud-delete");
        }
        let deletes = |a: &Value| a.text.as_deref().is_some_and(|t| t.eq_ignore_ascii_case("delete"));
        if args.iter().any(deletes) && self.words.name_one_of(NETWORK) {
            self.walk.note(EffectKind::RemoteMutate, "remote-delete");
        }
    }

    /// Keys among what a call is given besides what it is known to use.
    pub(super) fn keys_among(&mut self, name: &str, does: Does, args: &[Value]) {
        if !matches!(
            does,
            Does::Print | Does::Same | Does::Join | Does::Below | Does::Environment | Does::Import | Does::Decode
        ) {
            let rest = match does {
                Does::Run | Does::Shell | Does::Eval => 2,
                // a database may be a file
                Does::Connect => 0,
                _ => 1,
            };
            self.keys_of(args.iter().skip(rest));
        }
        if does == Does::Print && name.ends_with(".write") {
            self.keys_of(args.iter());
        }
        if matches!(does, Does::Fetch | Does::Connect) {
            let deletes = |a: &Value| a.text.as_deref() == Some("DELETE");
            if args.iter().any(deletes) || name.ends_with(".delete") {
                let local = args
                    .iter()
                    .filter_map(|a| a.text.as_deref())
                    .any(|t| t.contains("localhost") || t.contains("127.0.0.1"));
                if !local {
                    self.walk.note(EffectKind::RemoteMutate, "remote-delete");
                }
            }
        }
    }

    /// Whatever is done with it, nobody names a key for nothing.
    fn keys_of<'v>(&mut self, values: impl Iterator<Item = &'v Value>) {
        let span = self.arg.span;
        let mut keys = Taint::NONE;
        for value in values {
            let inside = value.list.as_deref().unwrap_or(&[]);
            for value in std::iter::once(value).chain(inside) {
                let names = value.text.as_deref().is_some_and(|t| {
                    t.contains('/')
                        && t.len() < 512
                        && !t.contains('\n')
                        && (t.starts_with(['/', '~']) || !t.contains(' '))
                });
                if names && self.walk.read_if_key(&value.arg(span)) {
                    keys = Taint::SECRET;
                }
            }
        }
        self.handed_on = self.handed_on.with(keys);
    }

    /// Trees are walked for files with the names of keys, and what they hold is read.
    pub(super) fn hunts(&mut self) {
        const WALKS: [&str; 9] =
            ["rglob", "walk", "glob", "iglob", "scandir", "readdirSync", "readdir", "walkSync", "Find"];
        const READS: [&str; 9] =
            ["read_text", "read_bytes", "open", "readFileSync", "readFile", "read", "copy", "ZipFile", "make_archive"];
        let calls = |names: &[&str]| {
            self.tokens
                .iter()
                .any(|t| matches!(t, Token::Name(name) if names.contains(&name.rsplit('.').next().unwrap_or(name))))
        };
        if !calls(&WALKS) || !calls(&READS) {
            return;
        }
        let span = self.arg.span;
        let texts: Vec<&str> = self
            .tokens
            .iter()
            .filter_map(|t| if let Token::Text { text, .. } = t { Some(text.as_str()) } else { None })
            .filter(|text| !text.is_empty() && text.len() < 64)
            .take(64)
            .collect();
        let home = self.arg.text.contains("Path.home()") || self.arg.text.contains("homedir()");
        let starts = texts.iter().copied().filter(|text| text.starts_with(['/', '~'])).chain(home.then_some("~"));
        let starts: Vec<Arg> = starts.take(8).map(|text| Arg::literal(text, span)).collect();
        let names: Vec<Arg> =
            texts.iter().filter(|text| !text.contains(['/', ' '])).map(|text| Arg::literal(*text, span)).collect();
        for start in &starts {
            names.iter().for_each(|name| self.walk.hunted_name(start, name));
        }
    }

    /// The code opens files, knows the home, and its texts together name a store of keys there, which no call was seen to open.
    pub(super) fn stores(&mut self) {
        const HOMES: [&str; 8] =
            ["homedir", "Path.home", "expanduser", "Dir.home", "HOME\"", "HOME'", "env.HOME", "ENV{HOME"];
        const READS: [&str; 9] =
            ["open(", "open ", "read_text", "read_bytes", "readFile", ".read", "file_get_contents", "getline", "slurp"];
        let says = |parts: &[&str]| parts.iter().any(|part| self.arg.text.contains(part));
        if !says(&HOMES) || !says(&READS) {
            return;
        }
        let texts: Vec<String> = self
            .tokens
            .iter()
            .filter_map(
                |t| if let Token::Text { text, .. } = t { Some(text.trim_matches('/').to_owned()) } else { None },
            )
            .filter(|text| text.len() > 2 && text.len() < 40 && !text.contains([' ', '$', '*', ':']))
            .take(MOST_PIECES)
            .collect();
        let home = self.walk.home().to_owned();
        let (home, texts) = (&home, &texts);
        let hidden: Vec<&String> = texts.iter().filter(|text| text.starts_with('.')).collect();
        // in a folder of keys there is what is none
        let is_key = |path: &str| self.walk.is_key(&Arg::literal(path, self.arg.span));
        let alone = hidden.iter().map(|file| format!("{home}/{file}"));
        let alone = alone.filter(|path| !is_key(&format!("{path}/x")));
        let below = hidden.iter().flat_map(move |dir| {
            texts.iter().filter(move |file| file != dir).map(move |file| format!("{home}/{dir}/{file}"))
        });
        if let Some(path) = alone.chain(below).find(|path| is_key(path)) {
            let target = self.walk.target(&Arg::literal(path, self.arg.span), false);
            self.walk.push(EffectKind::Secret, Some(target), "secret-search");
        }
    }

    /// A container that is started with the rights of the machine.
    fn container(&mut self, last: &str) {
        if !matches!(last, "run" | "create" | "create_container" | "createContainer")
            || !self.words.name_one_of(&["docker", "dockerode"])
        {
            return;
        }
        let tight: String =
            self.arg.text.chars().filter(|c| !c.is_whitespace() && *c != '"' && *c != '\'').take(4096).collect();
        let tight = tight.to_lowercase();
        if ["privileged=true", "privileged:true", "{/:", "[/:", "pid_mode=host", "pidmode:host", "docker.sock"]
            .iter()
            .any(|s| tight.contains(s))
        {
            self.walk.note(EffectKind::Privilege, "privileged-container");
        }
    }

    /// A statement that is given to a database.
    fn statement(&mut self, last: &str, args: &[Value]) {
        let takes = ["execute", "query", "exec", "run", "raw", "prepare", "sql", "command", "do", "each"];
        if !takes.iter().any(|call| last.to_ascii_lowercase().contains(call)) {
            return;
        }
        let Some(text) = args.first().and_then(|a| a.text.as_deref()) else { return };
        // what is dropped there was never kept
        if ["connect(':memory:'", "connect(\":memory:\""].iter().any(|call| self.arg.text.contains(call))
            && self.arg.text.matches("connect(").count() == 1
        {
            return;
        }
        let lower = text.trim_start().get(..8).unwrap_or("").to_ascii_lowercase();
        if [
            "drop ", "truncate", "delete ", "alter ", "update ", "grant ", "copy ", "load ", "flushal", "flushdb",
            "select ",
        ]
        .iter()
        .any(|begin| lower.starts_with(begin))
        {
            crate::code::sql::statements(self.walk, text);
        }
    }

    /// Secrets that were given to calls of which nothing is known leave where the code talks to hosts.
    pub(super) fn leaves(&mut self) {
        // `@ARGV = PATH; <>` reads what it names
        if self.language == Language::Perl && self.arg.text.contains("@ARGV") {
            let texts: Vec<(String, Vec<String>)> = self
                .tokens
                .iter()
                .filter_map(|t| {
                    if let Token::Text { text, holes } = t { Some((text.clone(), holes.clone())) } else { None }
                })
                .take(64)
                .collect();
            for (text, holes) in texts {
                let value = self.text_value(text, &holes);
                self.keys_of(std::iter::once(&value));
            }
        }
        let secret = Taint::SECRET.with(Taint::TOKEN);
        if !self.handed_on.has(secret) {
            return;
        }
        let address = |t: &Token| matches!(t, Token::Text { text, .. } if text.contains("://") && !text.contains("://localhost") && !text.contains("://127."));
        let exact = |t: &Token| match t {
            Token::Name(word) => NETWORK.contains(&word.as_str()),
            Token::Text { text, .. } => {
                NETWORK.contains(&text.trim_start_matches("node:").trim_end_matches("/promises"))
            }
            _ => false,
        };
        if self.tokens.iter().any(|t| address(t) || exact(t)) {
            self.walk.send(self.handed_on, None);
        }
    }

    /// Raw packets, whatever the language calls them.
    pub(super) fn is_raw_socket(&self) -> bool {
        self.arg.text.contains("SOCK_RAW") || self.arg.text.contains("AF_PACKET") || self.arg.text.contains("PF_PACKET")
    }

    /// The text of a pack of numbers, a base64 or hex text, where it is a text.
    pub(super) fn decoded(&self, name: &str, args: &[Value]) -> Option<String> {
        let last = name.rsplit('.').next().unwrap_or(name).to_ascii_lowercase();
        let first = args.first()?;
        let format = args.iter().skip(1).find_map(|a| a.text.as_deref()).unwrap_or("");
        let text = first.text.as_deref();
        let numbers = |values: &[Value]| -> Option<String> {
            values
                .iter()
                .map(|v| v.text.as_deref()?.parse::<u32>().ok().and_then(char::from_u32))
                .take(4096)
                .collect::<Option<String>>()
                .filter(|s| !s.is_empty())
        };
        match last.as_str() {
            "chr" | "fromcharcode" | "fromcodepoint" | "bytes" | "bytearray" | "from" if first.list.is_some() => {
                numbers(first.list.as_deref()?)
            }
            "chr" | "fromcharcode" | "fromcodepoint" => numbers(args),
            "from" if format == "base64" => crate::decode::base64(text?),
            "from" if format == "hex" => crate::decode::hex(text?),
            "from" if self.language == Language::Js => Some(text?.to_owned()),
            "fromhex" | "unhexlify" | "hex2bin" | "a2b_hex" | "b16decode" => crate::decode::hex(text?),
            "pack" if text.is_some_and(|t| t.starts_with('H')) => crate::decode::hex(format),
            "pack" if text.is_some_and(|t| t.starts_with(['C', 'c', 'U'])) => numbers(args.get(1..)?),
            "reverse" | "strrev" => Some(text?.chars().rev().collect()),
            "str_rot13" => Some(crate::decode::rot13(text?)),
            "decode" if format.replace(['_', '-'], "").eq_ignore_ascii_case("rot13") => {
                Some(crate::decode::rot13(text?))
            }
            _ if last.contains("64") || last == "atob" => crate::decode::base64(text?),
            _ => None,
        }
    }
}

/// Whether a call's name says that it destroys: `delete_bucket`, `DeleteTableCommand`, `dropDatabase`.
fn destroys(last: &str) -> bool {
    let lower = last.to_ascii_lowercase();
    [
        "delete",
        "terminate",
        "destroy",
        "drop",
        "purge",
        "truncate",
        "flush",
        "empty_bucket",
        "remove_bucket",
        "removebucket",
    ]
    .iter()
    .any(|begin| lower.starts_with(begin))
        && lower != "dropna"
        && lower != "drop_duplicates"
        && lower != "flush"
}

/// The terminal, as something that is written to.
fn is_screen(value: &Value) -> bool {
    value
        .name
        .as_deref()
        .is_some_and(|n| n.contains("stdout") || n.contains("stderr") || n.eq_ignore_ascii_case("std.out"))
}
