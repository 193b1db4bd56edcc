//! Programs whose output can be told.

use crate::knowledge::Role;
use crate::syntax::unescape;
use crate::value::{Arg, Flow, Taint};
use crate::walk::{Use, Walk};

fn taint_of(words: &[Arg]) -> Taint {
    words.iter().fold(Taint::NONE, |t, w| t.with(w.taint))
}

pub(super) fn echo(used: &mut Use<'_>, words: &[Arg]) -> bool {
    let options = words.iter().take_while(|w| matches!(w.text.as_str(), "-n" | "-e" | "-E" | "-ne" | "-en")).count();
    let escapes = words.iter().take(options).any(|w| w.text.contains('e'));
    let words = words.get(options..).unwrap_or(&[]);
    let taint = taint_of(words);
    if words.iter().all(Arg::is_literal) {
        let text = words.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join(" ");
        let text = if escapes { unescape(&text) } else { text };
        used.stdout = Some(Flow::known(format!("{text}\n"), taint));
    } else {
        used.stdout = Some(partly(words, taint));
    }
    true
}

/// Text of which some words are not known: they stand as their source, unless nothing else is there.
fn partly(words: &[Arg], taint: Taint) -> Flow {
    let known = words.iter().any(|w| w.shape.as_deref().is_none_or(|s| s.chars().any(|c| c != '*')));
    if !known {
        return Flow::unknown(taint);
    }
    let text = words.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join(" ");
    Flow::known(format!("{text}\n"), taint)
}

pub(super) fn printf(used: &mut Use<'_>, words: &[Arg]) -> bool {
    let words = if words.first().is_some_and(|w| w.text == "--") { words.get(1..).unwrap_or(&[]) } else { words };
    let taint = taint_of(words);
    let Some((format, values)) = words.split_first() else { return true };
    if !words.iter().all(Arg::is_literal) {
        used.stdout = Some(Flow::unknown(taint));
        return true;
    }
    let format = unescape(&format.text);
    let mut out = String::new();
    let mut values = values.iter();
    loop {
        let before = values.len();
        let mut chars = format.chars().peekable();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            while chars.peek().is_some_and(|c| c.is_ascii_digit() || matches!(c, '-' | '.' | '+' | '#')) {
                chars.next();
            }
            match chars.next() {
                Some('%') => out.push('%'),
                Some('b') => out.push_str(&values.next().map_or(String::new(), |v| unescape(&v.text))),
                Some(_) => out.push_str(values.next().map_or("", |v| &v.text)),
                None => break,
            }
        }
        if values.len() == 0 || values.len() == before || out.len() > 1 << 14 {
            break;
        }
    }
    used.stdout = Some(Flow::known(out, taint));
    true
}

pub(super) fn cat(walk: &mut Walk<'_>, used: &mut Use<'_>) -> bool {
    let operands = used.usage.operands.clone();
    let mut out = if operands.is_empty() { used.stdin.clone() } else { Flow::empty() };
    for operand in &operands {
        if operand.text == "-" || operand.text == "/dev/stdin" {
            out.append(used.stdin.clone());
        } else {
            let flow = walk.read(operand, false);
            out.append(flow);
        }
    }
    used.stdout = Some(out);
    true
}

/// `jq`: some options take a name and a value in front of the filter.
pub(super) fn jq(walk: &mut Walk<'_>, used: &mut Use<'_>, words: &[Arg]) -> bool {
    if !matches!(used.name, "jq" | "gojq" | "jaq") {
        return false;
    }
    let mut operands = Vec::new();
    let mut words = words.iter();
    let mut filter = true;
    while let Some(word) = words.next() {
        match word.text.as_str() {
            "--arg" | "--argjson" => {
                words.next();
                used.content.taint = used.content.taint.with(words.next().map_or(Taint::NONE, |w| w.taint));
            }
            "--slurpfile" | "--rawfile" => {
                words.next();
                if let Some(file) = words.next() {
                    let flow = walk.read(file, false);
                    used.content.append(flow);
                }
            }
            "--indent" | "-L" => drop(words.next()),
            "-f" | "--from-file" => {
                filter = false;
                if let Some(file) = words.next() {
                    let _ = walk.read(file, false);
                }
            }
            "--args" | "--jsonargs" => break,
            text if text.starts_with('-') && text.len() > 1 => {}
            _ => operands.push(word.clone()),
        }
    }
    let mut operands = operands.iter();
    if let Some(code) = operands.next().filter(|_| filter) {
        walk.word(Role::Code, code, "", used);
    }
    operands.for_each(|file| walk.word(Role::Read, file, "", used));
    true
}

/// What lists files prints their names.
pub(super) fn list(used: &mut Use<'_>) -> bool {
    let names: Vec<&str> = used.usage.operands.iter().filter(|a| a.is_literal()).map(|a| a.text.as_str()).collect();
    let text = if names.is_empty() { "./*".to_owned() } else { names.join("\n") };
    used.stdout = Some(Flow::known(text, Taint::NAMES));
    true
}
