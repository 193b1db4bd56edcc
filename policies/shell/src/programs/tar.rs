//! tar: bundled options without a dash, and options that run programs.

use rampart_call::{EffectKind, Target};

use crate::value::{Arg, Flow, Taint};
use crate::walk::{Use, Walk};

pub(super) fn tar(walk: &mut Walk<'_>, used: &mut Use<'_>, words: &[Arg]) -> bool {
    let mut letters = String::new();
    let mut archive: Option<Arg> = None;
    let mut members: Vec<(Arg, Option<String>)> = Vec::new();
    let mut directory: Option<String> = None;
    let mut codes: Vec<Arg> = Vec::new();
    let mut waiting: Vec<char> = Vec::new();
    let mut removes = false;
    let mut words = words.iter().enumerate();
    while let Some((at, word)) = words.next() {
        let text = word.text.as_str();
        if let Some(letter) = waiting.first().copied() {
            waiting.remove(0);
            value(letter, word, &mut archive, &mut directory, &mut codes, walk);
            continue;
        }
        if let Some(long) = text.strip_prefix("--") {
            let (name, attached) = long.split_once('=').map_or((long, None), |(n, v)| (n, Some(word.with_text(v))));
            let mut next = || attached.clone().or_else(|| words.next().map(|(_, w)| w.clone()));
            match name {
                "to-command"
                | "use-compress-program"
                | "checkpoint-action"
                | "rsh-command"
                | "info-script"
                | "new-volume-script"
                | "rmt-command" => codes.extend(next()),
                "file" => archive = next(),
                "directory" => directory = next().map(|d| d.text),
                "create" => letters.push('c'),
                "extract" | "get" => letters.push('x'),
                "list" => letters.push('t'),
                "append" | "update" => letters.push('r'),
                "remove-files" => removes = true,
                "absolute-names" => letters.push('P'),
                "exclude" | "transform" | "strip-components" | "files-from" | "owner" | "group" | "mode" | "mtime"
                | "exclude-from"
                    if attached.is_none() =>
                {
                    next();
                }
                _ => {}
            }
        } else if text.len() > 1 && text.starts_with('-') || at == 0 && !text.is_empty() {
            let bundled = !text.starts_with('-');
            for (offset, letter) in text.trim_start_matches('-').char_indices() {
                letters.push(letter);
                if !matches!(letter, 'f' | 'C' | 'I' | 'T' | 'X' | 'b' | 'F' | 'g' | 'H' | 'N' | 'V') {
                    continue;
                }
                let rest = text.trim_start_matches('-').get(offset + 1..).unwrap_or("").to_owned();
                if bundled || rest.is_empty() {
                    waiting.push(letter);
                    if !bundled {
                        break;
                    }
                } else {
                    value(letter, &word.with_text(&rest), &mut archive, &mut directory, &mut codes, walk);
                    break;
                }
            }
        } else {
            members.push((word.clone(), directory.clone()));
        }
    }
    for code in codes {
        let text = code.text.strip_prefix("exec=").unwrap_or(&code.text).to_owned();
        let harmless = [
            "gzip", "pigz", "zstd", "xz", "bzip2", "lz4", "lbzip2", "pbzip2", "pixz", "brotli", "lzip", "zstdmt",
            "dot", "echo", "totals", "sleep",
        ];
        let first = text.split([' ', '=']).next().unwrap_or("");
        if harmless.contains(&first) && !text.contains([';', '|', '&', '$', '`']) {
            continue;
        }
        walk.push(
            EffectKind::CodeLoad,
            Some(Target::Named { what: "option".to_owned(), name: text.clone() }),
            "option-code",
        );
        let word = Arg { shape: None, ..code.with_text(&text) };
        walk.nested("tar", |walk| walk.code_text(&word));
    }
    let creates = letters.contains('c') || letters.contains('r') || letters.contains('u');
    let mut content = Taint::NONE;
    if creates {
        for (member, directory) in &members {
            let path = directory
                .as_ref()
                .filter(|_| !crate::place::is_absolute(&member.text))
                .map(|d| format!("{d}/{}", member.text));
            let member = path.map_or_else(|| member.clone(), |p| Arg { text: p, ..member.clone() });
            content = content.with(walk.read(&member, true).taint);
            if removes {
                walk.delete(&member, true, "");
            }
        }
        match archive {
            Some(archive) if archive.text != "-" => {
                if archive.text.contains(':') && !archive.text.contains('/') {
                    walk.net_host(&archive, "");
                    walk.send(content, None);
                } else {
                    walk.write(&archive, "");
                    walk.remember(&archive, Flow::unknown(content));
                }
                used.stdout = Some(Flow::empty());
            }
            _ => used.stdout = Some(Flow::unknown(content)),
        }
    } else {
        if let Some(archive) = archive.filter(|a| a.text != "-") {
            content = walk.read(&archive, false).taint;
            if super::trees::came_from_elsewhere(&archive.text) {
                content = content.with(Taint::DOWNLOADED);
            }
        }
        if letters.contains('x') && !letters.contains('O') {
            let into = Arg::literal(
                directory.unwrap_or_else(|| if letters.contains('P') { "/".to_owned() } else { ".".to_owned() }),
                walk.span(),
            );
            walk.write_into(&into);
            if content.with(used.stdin.taint).has(Taint::DOWNLOADED) {
                walk.remember_tree(&into, Flow::unknown(Taint::DOWNLOADED));
            }
        }
        let out = if letters.contains('O') { content.with(used.stdin.taint).with(Taint::DECODED) } else { Taint::NONE };
        used.stdout = Some(Flow::unknown(out));
    }
    true
}

fn value(
    letter: char,
    word: &Arg,
    archive: &mut Option<Arg>,
    directory: &mut Option<String>,
    codes: &mut Vec<Arg>,
    walk: &mut Walk<'_>,
) {
    match letter {
        'f' => *archive = Some(word.clone()),
        // every `-C` starts at the one before
        'C' => *directory = Some(crate::place::join(directory.as_deref(), &word.text)),
        'I' | 'F' => codes.push(word.clone()),
        'T' | 'X' => {
            let _ = walk.read(word, false);
        }
        _ => {}
    }
}
