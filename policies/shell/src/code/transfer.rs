//! What transfer clients are told: `sftp`, `ftp`, `lftp`, `smbclient`.

use rampart_call::EffectKind;

use crate::value::{Arg, Flow, Taint};
use crate::walk::Walk;

/// Follows a batch of commands, one a line or between `;`.
pub(super) fn batch(walk: &mut Walk<'_>, arg: &Arg) -> Flow {
    for line in arg.text.split(['\n', ';']) {
        let line = line.trim().trim_start_matches(['-', '@']);
        if let Some(command) = line.strip_prefix('!') {
            walk.code_text(&Arg { shape: None, ..arg.with_text(command.trim()) });
            continue;
        }
        let mut words = line.split_whitespace();
        let Some(command) = words.next() else { continue };
        let names: Vec<Arg> =
            words.filter(|w| !w.starts_with('-')).map(|w| local_path(walk, arg, w.trim_matches(['"', '\'']))).collect();
        match command.to_ascii_lowercase().as_str() {
            // the first name is the file here, the second its name over there
            "put" | "send" | "append" | "reput" => leave(walk, names.get(..1).unwrap_or(&[]), false),
            "mput" => leave(walk, &names, false),
            "mirror" if line.split_whitespace().any(|w| w == "-R" || w == "--reverse") => {
                leave(walk, names.get(..1).unwrap_or(&[]), true);
            }
            "get" | "recv" | "reget" => {
                if let Some(to) = names.get(1) {
                    walk.write(to, "");
                }
            }
            "open" | "connect" => {
                if let Some(host) = names.first() {
                    walk.net_host(host, "");
                }
            }
            "shell" | "local" => {
                let command = line.split_once(char::is_whitespace).map_or("", |(_, rest)| rest).trim();
                walk.code_text(&Arg { shape: None, ..arg.with_text(command) });
            }
            "rm" | "mrm" | "rmdir" | "delete" | "mdelete" | "del" | "deltree" => {
                walk.note(EffectKind::RemoteMutate, "remote-delete");
            }
            _ => {}
        }
    }
    Flow::unknown(Taint::DOWNLOADED)
}

/// No client knows `~`, but who writes it means the home.
fn local_path(walk: &Walk<'_>, arg: &Arg, word: &str) -> Arg {
    let text = word.strip_prefix('~').map_or_else(|| word.to_owned(), |rest| format!("{}{rest}", walk.home()));
    Arg { shape: None, glob: text.contains('*'), ..arg.with_text(&text) }
}

fn leave(walk: &mut Walk<'_>, files: &[Arg], tree: bool) {
    for file in files {
        let flow = walk.read(file, tree);
        walk.send(flow.taint.with(Taint::LOCAL), None);
    }
}
