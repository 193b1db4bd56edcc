//! `read` and `mapfile`: what variables hold of standard input.

use super::Walk;
use crate::value::{Arg, Flow};

/// Most lines that are told apart.
const MAX_LINES: usize = 8;

/// What `read` and `mapfile` are told.
#[derive(Default)]
struct Told {
    names: Vec<String>,
    /// Up to another end than that of the line.
    whole: bool,
    array: bool,
    callback: Option<Arg>,
    descriptor: Option<String>,
}

fn told(args: &[Arg]) -> Told {
    let mut told = Told::default();
    let lines = args.first().is_some_and(|a| a.text != "read");
    let mut words = args.iter().skip(1);
    while let Some(word) = words.next() {
        let Some(letters) = word.text.strip_prefix('-').filter(|l| !l.is_empty()) else {
            told.names.push(word.text.clone());
            continue;
        };
        let Some(at) = letters.find(|c| if lines { "dnOsuCc".contains(c) } else { "adinNptu".contains(c) }) else {
            continue;
        };
        let (letter, rest) = (letters.get(at..=at).unwrap_or(""), letters.get(at + 1..).unwrap_or(""));
        let value = if rest.is_empty() { words.next().cloned() } else { Some(word.with_text(rest)) };
        match letter {
            "a" => {
                told.array = true;
                told.names.extend(value.map(|v| v.text));
            }
            "d" | "N" => told.whole = true,
            "u" => told.descriptor = value.map(|v| v.text),
            "C" => told.callback = value,
            _ => {}
        }
    }
    told.array |= lines;
    if told.names.is_empty() {
        told.names.push(if lines { "MAPFILE" } else { "REPLY" }.to_owned());
    }
    told
}

impl Walk<'_> {
    /// Puts standard input into the variables that the words name.
    pub(super) fn read_into(&mut self, args: &[Arg], stdin: &Flow) {
        let told = told(args);
        let from = told.descriptor.as_ref().and_then(|number| self.written_flow(&format!("/dev/fd/{number}")));
        let stdin = from.as_ref().unwrap_or(stdin);
        if let Some(callback) = &told.callback {
            let callback = callback.clone();
            self.nested("mapfile", |walk| walk.code_text(&callback));
        }
        let text = stdin.text.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let repeated = self.conditional || self.repeated;
        let listed = stdin.taint.has(crate::value::Taint::NAMES) && repeated;
        let lines: Option<Vec<&str>> = text.filter(|_| !listed).map(|text| match (told.whole, repeated) {
            (true, _) => vec![text],
            _ => text.lines().collect(),
        });
        let lines = lines.filter(|lines| lines.len() <= MAX_LINES || !repeated);
        let blanks = self.field_separators();
        for (number, name) in told.names.iter().enumerate() {
            let span = self.span;
            let unknown = Arg::unresolved(&format!("${name}"), stdin.taint, span);
            let held = |text: &str| Arg { taint: stdin.taint, ..Arg::literal(text, span) };
            let mut values: Vec<Arg> = match &lines {
                None => vec![unknown.clone()],
                // one name holds the line, and what stands behind it is not cut off
                Some(_) if told.names.len() == 1 && !told.array && !repeated => {
                    vec![held(text.unwrap_or(""))]
                }
                Some(lines) if told.array => {
                    lines.iter().flat_map(|l| fields(l, &blanks, usize::MAX)).take(64).map(held).collect()
                }
                Some(lines) => {
                    let count = told.names.len();
                    let lines = lines.iter().take(if repeated { MAX_LINES } else { 1 });
                    lines.filter_map(|line| fields(line, &blanks, count).get(number).copied()).map(held).collect()
                }
            };
            if stdin.taint.has(crate::value::Taint::NAMES)
                && values.iter().any(|v| v.text.starts_with('/') && !v.text.contains('*'))
            {
                // a name in the directory that was listed
                values.push(unknown);
            }
            if values.is_empty() {
                values.push(Arg::literal("", span));
            }
            self.env.variables.insert(name.clone(), values);
        }
    }
}

/// The fields of a line, the last of `count` with all that follows.
fn fields<'l>(line: &'l str, blanks: &str, count: usize) -> Vec<&'l str> {
    let is_blank = |c: char| blanks.contains(c);
    let mut out = Vec::new();
    let mut rest = line.trim_matches(is_blank);
    while !rest.is_empty() && out.len() < 64 {
        match rest.find(is_blank).filter(|_| out.len() + 1 < count) {
            Some(end) => {
                out.push(rest.get(..end).unwrap_or(""));
                rest = rest.get(end..).unwrap_or("").trim_start_matches(is_blank);
            }
            None => {
                out.push(rest);
                break;
            }
        }
    }
    out
}
