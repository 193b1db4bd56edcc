//! Which records are wanted. Most lines are refused by their bytes; JSON is parsed only where the words that are looked
//! for stand somewhere in the line.

use memchr::{memchr, memmem, memmem::Finder, memrchr};
use rampart_call::Outcome;
use regex::bytes::{Regex, RegexBuilder};
use serde_json::Value;

use super::{Record, marks, summary::Gist};
use crate::audit::{ledger::Stamp, record::Kind};

/// What records must be like. An empty filter admits all; every condition that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Types of records; empty for all.
    pub kinds: Vec<Kind>,
    /// What policy said.
    pub decision: Option<Outcome>,
    /// The action's word (`exec`, `mcp`, ...), or the name of the MCP or host tool.
    pub tool: Option<String>,
    /// The agent.
    pub agent: Option<String>,
    /// The session.
    pub session: Option<String>,
    /// The policy whose rule decided, or the reason where none did.
    pub rule: Option<String>,
    /// A host that would be reached; `*.x.io` for every host below `x.io`.
    pub host: Option<String>,
    /// A file that is concerned, or a folder above it.
    pub path: Option<String>,
    /// Something that stands in one of the record's texts, whatever the case of its ASCII letters.
    pub text: Option<String>,
    /// Wall clock, milliseconds since 1970 UTC: nothing from before.
    pub since_ms: Option<u64>,
    /// The same: nothing from then on.
    pub until_ms: Option<u64>,
}

/// A filter made ready to look at many records.
#[derive(Debug)]
pub struct Sieve {
    filter: Filter,
    /// Bytes that stand in every wanted line.
    words: Vec<Finder<'static>>,
    /// The same, whatever the case of their letters.
    loose: Vec<Regex>,
    /// Types, where only some are wanted.
    types: Option<Regex>,
    since: Option<String>,
    until: Option<String>,
    /// Marks that every wanted line leaves in a summary.
    marks: Vec<u16>,
    /// Those of types, of which it leaves one.
    kind_marks: Vec<[u16; 3]>,
    /// Time and type tell all.
    by_bytes: bool,
}

impl Filter {
    /// Makes it ready.
    pub fn sieve(mut self) -> Sieve {
        let fold = |host: String| host.trim_end_matches('.').to_ascii_lowercase();
        self.host = self.host.map(fold);
        self.path = self.path.map(|path| if path.len() > 1 { path.trim_end_matches('/').to_owned() } else { path });
        let Self { kinds, decision, tool, agent, session, rule, host, path, text, since_ms, until_ms } = &self;
        let by_bytes = [tool, agent, session, rule, host, path, text].iter().all(|o| o.is_none()) && decision.is_none();
        let exact = [tool, agent, session, rule].into_iter().flatten().map(|word| inner(word));
        let exact: Vec<_> = exact.chain(decision.map(|outcome| inner(outcome.as_str()))).collect();
        // With the quote before: the string of a path begins with the folder.
        let path = path.as_deref().map(|path| format!("\"{}", inner(path)));
        let hosts = host.as_deref().map(|host| inner(host.trim_start_matches("*.")));
        let loose: Vec<_> = hosts.into_iter().chain(text.as_deref().map(inner)).collect();
        let strings: Vec<_> = exact.iter().map(|word| format!("\"{word}\"")).collect();
        let parts = strings.iter().chain(&path).chain(&loose).flat_map(|text| marks::of_text(text.as_bytes()));
        let marks = exact.iter().flat_map(|word| marks::of_string(word.as_bytes())).chain(parts).collect();
        let kind_marks = kinds.iter().map(|kind| marks::of_string(kind.as_str().as_bytes())).collect();
        let words = strings.into_iter().chain(path);
        let words = words.map(|word| Finder::new(&word).into_owned()).collect();
        let search =
            |word: String| RegexBuilder::new(&regex::escape(&word)).case_insensitive(true).unicode(false).build().ok();
        let loose: Vec<_> = loose.into_iter().filter_map(search).collect();
        let types = kinds.iter().map(|kind| format!(r#""{}","#, kind.as_str())).collect::<Vec<_>>().join("|");
        let types = if kinds.is_empty() { None } else { Regex::new(&types).ok() };
        // both are UTC with milliseconds, so that the order of the texts is the order in time
        let stamp = |ms: Option<u64>| ms.map(|wall_ms| Stamp { wall_ms, boot_ms: 0 }.rfc3339());
        let (since, until) = (stamp(*since_ms), stamp(*until_ms));
        Sieve { words, loose, types, since, until, marks, kind_marks, by_bytes, filter: self }
    }
}

impl Sieve {
    /// Whether this record is wanted.
    pub fn admits(&self, record: &Record) -> bool {
        let line = record.line.as_bytes();
        (self.filter.kinds.is_empty() || self.filter.kinds.contains(&record.kind))
            && self.is_of_that_time(line)
            && (self.by_bytes
                || (self.words.iter().all(|word| word.find(line).is_some())
                    && self.loose.iter().all(|word| word.is_match(line))
                    && serde_json::from_slice(line).is_ok_and(|members| self.agrees(&members))))
    }

    /// The lines of a text that may be wanted. Whole blocks of it are passed over where a word of which every wanted line
    /// has one is nowhere.
    pub(super) fn candidates<'t>(&self, text: &'t [u8], mut each: impl FnMut(&'t [u8])) {
        let longest = self.words.iter().max_by_key(|word| word.needle().len());
        let find = |text: &[u8]| match (longest, self.loose.first(), &self.types) {
            (Some(word), ..) => word.find(text),
            (None, Some(loose), _) => loose.find(text).map(|found| found.start()),
            (None, None, Some(types)) => types.find(text).map(|found| found.start()),
            (None, None, None) => Some(0),
        };
        let mut rest = text;
        while let Some(at) = find(rest).filter(|_| !rest.is_empty()) {
            let (before, after) = rest.split_at(at);
            let begin = memrchr(b'\n', before).map_or(0, |newline| newline + 1);
            let end = memchr(b'\n', after).map_or(rest.len(), |newline| at + newline);
            let line = rest.get(begin..end).unwrap_or_default();
            if self.is_of_that_time(line) {
                each(line);
            }
            rest = rest.get(end + 1..).unwrap_or_default();
        }
    }

    /// False where none of the lines that were summed up is wanted.
    pub(super) fn may_admit_one_of(&self, gist: &Gist<'_>) -> bool {
        let (since, until) = (self.since.as_deref(), self.until.as_deref());
        gist.is_between(since.map(str::as_bytes), until.map(str::as_bytes))
            && self.marks.iter().all(|mark| gist.has(*mark))
            && (self.kind_marks.is_empty()
                || self.kind_marks.iter().any(|marks| marks.iter().all(|mark| gist.has(*mark))))
    }

    fn is_of_that_time(&self, line: &[u8]) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        let Some(at) = time_of(line) else { return false };
        self.since.as_ref().is_none_or(|since| at >= since.as_bytes())
            && self.until.as_ref().is_none_or(|until| at < until.as_bytes())
    }

    fn agrees(&self, members: &Value) -> bool {
        let Filter { decision, tool, agent, session, rule, host, path, text, .. } = &self.filter;
        let at = |pointer: &str| members.pointer(pointer).and_then(Value::as_str);
        let is = |wanted: &Option<String>, found: &[Option<&str>]| {
            wanted.as_deref().is_none_or(|wanted| found.contains(&Some(wanted)))
        };
        let deciding = at("/rule/policy").or(at("/reason"));
        decision.is_none_or(|decision| at("/outcome") == Some(decision.as_str()))
            && is(agent, &[at("/actor/agent")])
            && is(session, &[at("/actor/session")])
            && is(tool, &[at("/tool"), at("/action/tool"), at("/action/name")])
            && is(rule, &[deciding])
            && host.as_deref().is_none_or(|wanted| hosts(members).iter().any(|host| is_host(host, wanted)))
            && path.as_deref().is_none_or(|wanted| paths(members).iter().any(|path| is_below(path, wanted)))
            && text.as_deref().is_none_or(|wanted| stands_in(members, &wanted.to_ascii_lowercase()))
    }
}

/// When a record was written, as it says.
pub(super) fn time_of(line: &[u8]) -> Option<&[u8]> {
    let rest = memmem::find(line, br#","at":""#).and_then(|i| line.get(i + 7..))?;
    rest.get(..memchr(b'"', rest)?)
}

/// The hosts that a call would reach, in lower case.
pub(in crate::audit) fn hosts(members: &Value) -> Vec<String> {
    let url = |text: &str| text.parse::<http::Uri>().ok().and_then(|url| url.host().map(str::to_owned));
    let mut all = Vec::new();
    all.extend(members.pointer("/action/host").and_then(Value::as_str).map(str::to_owned));
    all.extend(members.pointer("/action/url").and_then(Value::as_str).and_then(url));
    all.extend(targets(members).filter_map(|target| Some(target.get("host")?.as_str()?.to_owned())));
    all.iter().map(|host| host.trim_end_matches('.').to_ascii_lowercase()).collect()
}

/// The files that a call concerns, however they were written.
fn paths(members: &Value) -> Vec<&str> {
    let located = members.pointer("/action/paths").and_then(Value::as_array).into_iter().flatten();
    let places = located.chain(targets(members));
    places
        .flat_map(|place| ["path", "resolved", "written"].map(|name| place.get(name).and_then(Value::as_str)))
        .flatten()
        .collect()
}

fn targets(members: &Value) -> impl Iterator<Item = &Value> {
    let effects = members.get("effects").and_then(Value::as_array).into_iter().flatten();
    effects.filter_map(|effect| effect.get("target"))
}

fn is_host(host: &str, wanted: &str) -> bool {
    match wanted.strip_prefix("*.") {
        Some(apex) => host.strip_suffix(apex).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        None => host == wanted,
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || folder == "/")
}

fn stands_in(value: &Value, wanted: &str) -> bool {
    match value {
        Value::String(text) => text.to_ascii_lowercase().contains(wanted),
        Value::Array(list) => list.iter().any(|item| stands_in(item, wanted)),
        Value::Object(members) => members.iter().any(|(name, member)| name != "h" && stands_in(member, wanted)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A text as it stands in JSON, without the quotes.
fn inner(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(&quoted).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: Kind, members: &str) -> Record {
        let line = format!(
            r#"{{"v":"rampart.audit.v2","seq":7,"type":"{}","at":"2026-01-31T09:30:00.123Z","boot_ms":9,{members},"h":"ab12"}}"#,
            kind.as_str()
        );
        Record { seq: 7, kind, line }
    }

    #[test]
    fn filters_admit_what_they_name() {
        let call = record(
            Kind::Decision,
            r#""actor":{"agent":"claude-code","session":"s-1"},"tool":"exec","action":{"type":"exec","command":"curl \"x\" Grüße"},"effects":[{"kind":"net","target":{"is":"host","host":"api.x.io"}},{"kind":"read","target":{"is":"path","path":"/home/a/.ssh/id_rsa","written":"~/.ssh/id_rsa"}}],"outcome":"deny","verdict":"allow","reason":"rule","rule":{"policy":"keys"}"#,
        );
        let fetch = record(
            Kind::Result,
            r#""tool":"fetch","action":{"type":"fetch","method":"GET","url":"https://API.x.io./a"},"outcome":"allow","reason":"default""#,
        );
        let asked = record(Kind::Approval, r#""id":"q1","event":"asked","decision":7,"by":"claude-code""#);
        let some = |text: &str| Some(text.to_owned());
        type Set = fn(&mut Filter, Option<String>);
        let table: [(Set, &str, [bool; 3]); 23] = [
            (|f, v| f.tool = v, "exec", [true, false, false]),
            (|f, v| f.tool = v, "exe", [false; 3]),
            (|f, v| f.agent = v, "claude-code", [true, false, false]),
            (|f, v| f.session = v, "s-1", [true, false, false]),
            (|f, v| f.session = v, "claude-code", [false; 3]),
            (|f, v| f.rule = v, "keys", [true, false, false]),
            (|f, v| f.rule = v, "rule", [false; 3]),
            (|f, v| f.rule = v, "default", [false, true, false]),
            (|f, v| f.host = v, "api.X.io", [true, true, false]),
            (|f, v| f.host = v, "*.x.io", [true, true, false]),
            (|f, v| f.host = v, "x.io", [false; 3]),
            (|f, v| f.host = v, "*.api.x.io", [false; 3]),
            (|f, v| f.path = v, "/home/a/.ssh/id_rsa", [true, false, false]),
            (|f, v| f.path = v, "/home/a/", [true, false, false]),
            (|f, v| f.path = v, "~/.ssh", [true, false, false]),
            (|f, v| f.path = v, "/home/a/.s", [false; 3]),
            (|f, v| f.path = v, "/", [true, false, false]),
            (|f, v| f.text = v, "CURL \"X\"", [true, false, false]),
            (|f, v| f.text = v, "Grüße", [true, false, false]),
            (|f, v| f.text = v, "ab12", [false; 3]),
            (|f, v| f.text = v, "command", [false; 3]),
            (|f, _| f.decision = Some(Outcome::Deny), "", [true, false, false]),
            (|f, _| f.kinds = vec![Kind::Approval, Kind::Result], "", [false, true, true]),
        ];
        for (nth, (set, value, wanted)) in table.into_iter().enumerate() {
            let mut filter = Filter::default();
            set(&mut filter, some(value));
            let sieve = filter.sieve();
            assert_eq!([&call, &fetch, &asked].map(|r| sieve.admits(r)), wanted, "{nth}: {value}");
        }
        let at = 1_769_851_800_123;
        for (since_ms, until_ms, wanted) in [
            (None, None, true),
            (Some(at), None, true),
            (Some(at + 1), None, false),
            (None, Some(at), false),
            (Some(0), Some(at + 1), true),
        ] {
            let sieve = Filter { since_ms, until_ms, ..Filter::default() }.sieve();
            assert_eq!(sieve.admits(&call), wanted, "{since_ms:?} {until_ms:?}");
        }
    }
}
