//! git: refs, settings that run programs, work that is thrown away.

use rampart_call::{EffectKind, Target};

use crate::value::{Arg, Flow, Taint};
use crate::walk::{Use, Walk};

pub(super) fn push(walk: &mut Walk<'_>, used: &mut Use<'_>) -> bool {
    walk.option_values(used);
    let usage = &used.usage;
    let lease = usage.flags.iter().any(|f| f.starts_with("--force-with-lease") || f.starts_with("--force-if-includes"));
    let forced = usage.has("-f") || usage.has("--force") || usage.has("--mirror") || usage.has("--prune");
    let deletes = usage.has("-d") || usage.has("--delete");
    let operands = usage.operands.clone();
    let remote = operands.first().cloned();
    let mut told = false;
    for refspec in operands.iter().skip(1) {
        let name = refspec.text.clone();
        if deletes || name.starts_with(':') && name.len() > 1 {
            walk.named(EffectKind::VcsHistory, "ref", name.trim_start_matches(':'), "delete-ref");
        } else if forced || name.starts_with('+') {
            told = true;
            walk.named(EffectKind::VcsHistory, "ref", name.trim_start_matches('+'), "force-push");
        }
    }
    if forced && !told && !deletes {
        walk.note(EffectKind::VcsHistory, "force-push");
    }
    if lease
        && operands
            .iter()
            .skip(1)
            .any(|r| matches!(r.text.rsplit(':').next(), Some("main" | "master" | "trunk" | "develop" | "production")))
    {
        walk.named(EffectKind::VcsHistory, "ref", "main", "force-push");
    }
    match remote {
        Some(remote) if remote.text.contains("://") || remote.text.contains('@') && remote.text.contains(':') => {
            let host = if remote.text.contains("://") {
                remote.clone()
            } else {
                remote.with_text(remote.text.split(':').next().unwrap_or(""))
            };
            walk.net_host(&host, "push-elsewhere");
        }
        Some(remote) if walk.has_added_remote(&remote.text) => {
            walk.named(EffectKind::Net, "remote", &remote.text, "push-elsewhere");
        }
        Some(remote) => {
            let target = Target::Named { what: "remote".to_owned(), name: remote.text };
            walk.push(EffectKind::RemoteMutate, Some(target), "push");
        }
        None if walk.has_added_remote("origin") => {
            walk.named(EffectKind::Net, "remote", "origin", "push-elsewhere");
        }
        None => walk.note(EffectKind::RemoteMutate, "push"),
    }
    used.stdout = Some(Flow::empty());
    true
}

/// `update-ref --stdin`: what to do with each ref comes in. Where it cannot be seen, refs may go.
pub(super) fn refs(walk: &mut Walk<'_>, used: &Use<'_>) -> bool {
    let deletes = |text: &str| text.split(['\n', '\0']).any(|line| line.trim_start().starts_with("delete"));
    if used.usage.has("--stdin") && used.stdin.text.as_deref().is_none_or(deletes) {
        walk.note(EffectKind::VcsHistory, "rewrite-history");
    }
    false
}

/// `remote add NAME URL` and `set-url NAME URL`: what is pushed there now goes to somebody new.
pub(super) fn remote(walk: &mut Walk<'_>, used: &mut Use<'_>) -> bool {
    walk.does(used);
    if let [name, url, ..] = &used.usage.operands[..]
        && (url.text.contains("://") || url.text.contains('@') || !url.is_literal())
        && !is_forge(&url.text)
    {
        walk.add_remote(&name.text);
    }
    used.stdout = Some(Flow::empty());
    true
}

/// `rev-parse --show-toplevel` says where the project lies.
pub(super) fn rev_parse(walk: &mut Walk<'_>, used: &mut Use<'_>, words: &[Arg]) -> bool {
    let top = walk.project().map_or(String::new(), |project| format!("{project}/"));
    let usage = &used.usage;
    let said = if usage.has("--show-toplevel") {
        walk.project().map(str::to_owned)
    } else if usage.has("--git-path") {
        usage.operands.first().filter(|a| a.is_literal()).map(|a| format!("{top}.git/{}", a.text))
    // git itself has an option of the first name, which takes a value
    } else if words.iter().any(|w| matches!(w.text.as_str(), "--git-dir" | "--git-common-dir" | "--absolute-git-dir")) {
        Some(format!("{top}.git"))
    } else {
        None
    };
    if let Some(said) = said {
        used.stdout = Some(Flow::known(said, Taint::NONE));
    }
    false
}

/// Forges where people keep forks of their own.
fn is_forge(url: &str) -> bool {
    let host = match url.split_once("://") {
        Some((_, rest)) => rest.split('/').next().unwrap_or(""),
        None => url.split(':').next().unwrap_or(""),
    };
    matches!(
        host.rsplit('@').next().unwrap_or(host),
        "github.com"
            | "gitlab.com"
            | "bitbucket.org"
            | "codeberg.org"
            | "git.sr.ht"
            | "dev.azure.com"
            | "ssh.dev.azure.com"
    )
}

/// `branch -M` puts one branch in the place of another; with one name, as for a first commit, it only gives the branch that
/// is checked out its name.
pub(super) fn branch(walk: &mut Walk<'_>, used: &Use<'_>) -> bool {
    let usage = &used.usage;
    let replaces = usage.has("-M") && usage.operands.len() > 1 || usage.has("-f") || usage.has("--force");
    if let Some(last) = usage.operands.last().filter(|_| replaces) {
        walk.named(EffectKind::VcsHistory, "ref", &last.text.clone(), "rewrite-history");
    }
    false
}

/// `checkout`, `restore` and `switch`.
pub(super) fn checkout(walk: &mut Walk<'_>, used: &mut Use<'_>, words: &[Arg]) -> bool {
    let usage = &used.usage;
    let command = usage.path.last().map_or("", String::as_str).to_owned();
    let forced = usage.has("-f") || usage.has("--force") || usage.has("--discard-changes");
    let creates = usage.has("-b") || usage.has("-c") || usage.has("-B") || usage.has("-C") || usage.has("--orphan");
    let discards = match command.as_str() {
        "restore" => {
            (!usage.has("--staged") && !usage.has("-S") || usage.has("--worktree") || usage.has("-W"))
                && !usage.operands.is_empty()
        }
        // one side of a conflict, for named files
        "checkout" if usage.has("--ours") || usage.has("--theirs") => {
            usage.operands.iter().any(|a| matches!(a.text.as_str(), "." | "*" | ":/"))
        }
        "checkout" if !creates => {
            words.iter().rev().skip(1).any(|w| w.text == "--")
                || usage.operands.len() > 1
                || usage
                    .operands
                    .iter()
                    .any(|a| matches!(a.text.as_str(), "." | "*" | ":/") || a.text.starts_with("./"))
        }
        _ => false,
    };
    if forced || discards {
        let name = usage.operands.last().map_or(".", |a| a.text.as_str()).to_owned();
        walk.named(EffectKind::VcsHistory, "path", &name, "discard-changes");
    }
    used.stdout = Some(Flow::empty());
    true
}

/// `git config`: reading is harmless, and so is most writing.
pub(super) fn config(walk: &mut Walk<'_>, used: &mut Use<'_>) -> bool {
    walk.option_values(used);
    let usage = &used.usage;
    let reads = [
        "--get",
        "--get-all",
        "--get-regexp",
        "--list",
        "-l",
        "--unset",
        "--unset-all",
        "--get-urlmatch",
        "--show-origin",
    ];
    let mut operands = usage.operands.clone();
    if operands.first().is_some_and(|a| matches!(a.text.as_str(), "set" | "--add" | "--replace-all")) {
        operands.remove(0);
    }
    if reads.iter().any(|f| usage.has(f))
        || operands.first().is_some_and(|a| matches!(a.text.as_str(), "get" | "list" | "unset"))
    {
        used.stdout = Some(Flow::unknown(Taint::LOCAL));
        return true;
    }
    if let [key, _, ..] = &operands[..]
        && let Some(name) =
            key.text.strip_prefix("remote.").and_then(|k| k.strip_suffix(".url").or(k.strip_suffix(".pushurl")))
    {
        let name = name.to_owned();
        if !operands.get(1).is_some_and(|value| is_forge(&value.text)) {
            walk.add_remote(&name);
        }
    }
    if let [key, value, ..] = &operands[..]
        && weakens(&key.text, &value.text)
    {
        let key = key.text.clone();
        walk.named(EffectKind::Privilege, "setting", &key, "security-setting");
    }
    if let [key, value, ..] = &operands[..] {
        let setting = Arg { text: format!("{}={}", key.text, value.text), shape: None, ..value.clone() };
        let dangerous = runs_code(&key.text, &value.text);
        if dangerous {
            let key = key.text.clone();
            walk.named(EffectKind::Persist, "setting", &key, "git-hook");
            setting_value(walk, &setting);
        }
    }
    used.stdout = Some(Flow::empty());
    true
}

/// `key=value` of `git -c`.
pub(crate) fn setting(walk: &mut Walk<'_>, arg: &Arg) {
    let (key, value) = arg.text.split_once('=').unwrap_or((&arg.text, ""));
    if key.to_ascii_lowercase().starts_with("alias.") && !value.starts_with('!') {
        // another spelling of what git does
        let line = Arg { shape: None, ..arg.with_text(&format!("git {value}")) };
        walk.nested("git", |walk| walk.code_text(&line));
        return;
    }
    if runs_code(key, value) {
        let key = key.to_owned();
        walk.named(EffectKind::CodeLoad, "setting", &key, "option-code");
        setting_value(walk, arg);
    }
}

/// Settings by which git trusts anybody, or sends everything through a stranger.
fn weakens(key: &str, value: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.starts_with("http.") && key.ends_with("sslverify") && matches!(value, "false" | "0" | "no" | "off")
        || matches!(key.as_str(), "http.proxy" | "https.proxy") && !value.is_empty()
        || key == "safe.directory" && value == "*"
}

/// Values that are shell text are followed.
fn setting_value(walk: &mut Walk<'_>, arg: &Arg) {
    let (_, value) = arg.text.split_once('=').unwrap_or((&arg.text, ""));
    let text = value.trim_start_matches('!').to_owned();
    if text.contains(' ') && !text.starts_with('-') {
        let word = Arg { shape: None, ..arg.with_text(&text) };
        walk.nested("git", |walk| walk.code_text(&word));
    }
}

/// Settings by which git runs a program (git-config documentation).
fn runs_code(key: &str, value: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let first = value.split_whitespace().next().unwrap_or("");
    let usual = matches!(
        first.rsplit('/').next().unwrap_or(""),
        "" | "cat"
            | "less"
            | "more"
            | "delta"
            | "bat"
            | "true"
            | "false"
            | "vim"
            | "vi"
            | "nvim"
            | "nano"
            | "emacs"
            | "code"
            | "diff-so-fancy"
            | "meld"
            | "hx"
            | ":"
            | "ssh"
            | "vimdiff"
            | "nvimdiff"
            | "kdiff3"
    ) && !value.contains([';', '|', '&', '$', '`'])
        && !value.contains("Command=");
    match key.as_str() {
        "core.pager"
        | "core.editor"
        | "sequence.editor"
        | "core.sshcommand"
        | "core.askpass"
        | "core.gitproxy"
        | "diff.external"
        | "gpg.program"
        | "gpg.ssh.program"
        | "core.alternaterefscommand"
        | "uploadpack.packobjectshook"
        | "interactive.difffilter" => !usual,
        "core.fsmonitor" => !matches!(value, "true" | "false" | ""),
        "core.hookspath" | "init.templatedir" | "include.path" | "protocol.ext.allow" => true,
        "core.attributesfile" | "core.worktree" => false,
        _ if key.starts_with("alias.") => value.starts_with('!'),
        _ if key.starts_with("pager.") => !usual && !matches!(value, "true" | "false"),
        _ if key.starts_with("credential.") && key.ends_with("helper") => !matches!(
            first,
            "" | "store"
                | "cache"
                | "osxkeychain"
                | "manager"
                | "manager-core"
                | "libsecret"
                | "wincred"
                | "!gh"
                | "!/usr/bin/gh"
                | "gh"
        ),
        _ if key.starts_with("filter.") => {
            (key.ends_with(".clean") || key.ends_with(".smudge") || key.ends_with(".process"))
                && !value.starts_with("git-lfs")
        }
        _ if key.starts_with("diff.")
            || key.starts_with("merge.")
            || key.starts_with("difftool.")
            || key.starts_with("mergetool.") =>
        {
            (key.ends_with(".command")
                || key.ends_with(".textconv")
                || key.ends_with(".driver")
                || key.ends_with(".cmd"))
                && !usual
        }
        _ if key.starts_with("includeif.") || key.starts_with("hook.") => true,
        _ if key.starts_with("remote.") => {
            key.ends_with(".uploadpack") || key.ends_with(".receivepack") || value.starts_with("ext::")
        }
        _ if key.starts_with("submodule.") => key.ends_with(".update") && value.starts_with('!'),
        _ if key.starts_with("url.") => key.ends_with("insteadof"),
        _ => false,
    }
}
