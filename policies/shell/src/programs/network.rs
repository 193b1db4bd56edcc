//! ssh, rsync, socat.

use rampart_call::{EffectKind, Target};

use crate::knowledge::Role;
use crate::service::Request;
use crate::value::{Arg, Flow, Taint};
use crate::walk::{Use, Walk, base_name};
use crate::{graphql, host};

pub(super) fn ssh(walk: &mut Walk<'_>, used: &mut Use<'_>) -> bool {
    // options may stand behind the host too
    let behind = used.usage.operands.get(1..).unwrap_or(&[]).to_vec();
    if behind.first().is_some_and(|word| word.text.starts_with('-') && word.text != "--") {
        let (_, more) = crate::knowledge::sort(used.program, &behind);
        used.usage.flags.extend(more.flags);
        used.usage.values.extend(more.values);
        used.usage.operands.truncate(1);
        used.usage.operands.extend(more.operands);
    }
    walk.option_values(used);
    let opens = |(option, _, value): &(String, Role, Arg)| match option.as_str() {
        "-R" | "-D" | "-w" => true,
        // a forward for everybody
        "-L" => value.text.starts_with("0.0.0.0:") || value.text.starts_with("*:") || value.text.starts_with("[::]:"),
        _ => false,
    };
    if used.usage.values.iter().any(opens) {
        walk.note(EffectKind::Listen, "tunnel");
    }
    let operands = used.usage.operands.clone();
    let Some((host, command)) = operands.split_first() else { return true };
    let command = match command.split_first() {
        Some((dashes, rest)) if dashes.text == "--" => rest,
        _ => command,
    };
    let word = host.with_text(host.text.trim_start_matches("ssh://"));
    walk.net_host(&word, "");
    let (name, port) = host::of_word(&word.text);
    used.host = Some(Target::Host { host: name, port, url: None });
    used.sent = used.stdin.taint;
    if command.is_empty() {
        // what comes in is run by the shell at the other end
        if let Some(text) = used.stdin.text.clone().filter(|t| !t.is_empty()) {
            let arg = Arg { taint: used.stdin.taint, ..Arg::literal(text, walk.span()) };
            walk.nested("ssh", |walk| walk.code_text(&arg));
        }
        return true;
    }
    walk.shell_words(command, true, used);
    used.stdout = Some(Flow::unknown(Taint::DOWNLOADED));
    true
}

/// `key=value` of `ssh -o`.
pub(crate) fn ssh_setting(walk: &mut Walk<'_>, arg: &Arg) {
    let Some((key, value)) = arg.text.split_once(['=', ' ']) else { return };
    let runs = matches!(
        key.to_ascii_lowercase().as_str(),
        "proxycommand"
            | "localcommand"
            | "knownhostscommand"
            | "remotecommand"
            | "pkcs11provider"
            | "securitykeyprovider"
            | "xauthlocation"
    );
    if runs && value != "none" {
        let (key, value) = (key.to_owned(), value.to_owned());
        walk.named(EffectKind::CodeLoad, "setting", &key, "option-code");
        let word = Arg { shape: None, ..arg.with_text(&value) };
        walk.nested("ssh", |walk| walk.code_text(&word));
    }
}

/// `sftp host:path` fetches the file into the working directory.
pub(super) fn sftp(walk: &mut Walk<'_>, used: &mut Use<'_>, words: &[Arg]) -> bool {
    // tftp: the words behind `-c` are the command, all of them (tftp(1))
    if let Some(at) = words.iter().position(|w| w.text == "-c").filter(|_| used.name == "tftp") {
        let rest = words.get(at + 1..).unwrap_or(&[]);
        // the host may stand among them
        let verb = rest.iter().position(|w| matches!(w.text.as_str(), "put" | "get")).unwrap_or(0);
        let line = rest.iter().skip(verb).map(|w| w.text.as_str()).collect::<Vec<_>>().join(" ");
        if let Some(first) = rest.first() {
            walk.word(Role::Code, &first.with_text(&line), "-c", used);
        }
        used.usage.values.retain(|(option, ..)| option != "-c");
    }
    let path =
        used.usage.operands.first().and_then(|a| a.text.split_once(':')).map(|(_, path)| base_name(path).to_owned());
    if let Some(name) = path.filter(|name| !name.is_empty()) {
        walk.remember(&Arg::literal(name, walk.span()), Flow::unknown(Taint::DOWNLOADED));
    }
    false
}

pub(super) fn rsync(walk: &mut Walk<'_>, used: &mut Use<'_>) -> bool {
    walk.does(used);
    walk.option_values(used);
    let mut operands = used.usage.operands.clone();
    let is_remote = |text: &str| {
        text.starts_with("rsync://") || text.split_once(':').is_some_and(|(h, _)| !h.is_empty() && !h.contains('/'))
    };
    let to = if operands.len() > 1 { operands.pop() } else { None };
    let mut content = Taint::NONE;
    let mut fetched = Vec::new();
    for source in &operands {
        if is_remote(&source.text) {
            walk.net_host(&source.with_text(source.text.split(':').next().unwrap_or("")), "");
            walk.read_if_delicate(&source.with_text(source.text.split_once(':').map_or("", |(_, path)| path)));
            content = content.with(Taint::DOWNLOADED);
            fetched.push(base_name(&source.text).to_owned());
        } else {
            let flow = walk.read(source, true);
            content = content.with(flow.taint);
            if used.usage.has("--remove-source-files") {
                walk.delete(source, true, "");
            }
        }
    }
    let Some(to) = to else { return true };
    // only what would be done is shown
    if used.usage.has("-n") || used.usage.has("--dry-run") {
        if is_remote(&to.text) {
            walk.net_host(
                &to.with_text(to.text.trim_start_matches("rsync://").split([':', '/']).next().unwrap_or("")),
                "",
            );
        }
        return true;
    }
    let deletes = used.usage.flags.iter().any(|f| f.starts_with("--delete") || f == "--del");
    // what an empty folder is compared with goes, all of it
    let empties = deletes && !operands.is_empty() && operands.iter().all(|source| walk.is_made_empty(source));
    if is_remote(&to.text) {
        let word = to.with_text(to.text.trim_start_matches("rsync://").split([':', '/']).next().unwrap_or(""));
        walk.net_host(&word, "");
        if empties {
            walk.note(EffectKind::RemoteMutate, "remote-delete");
        }
        used.host = Some(Target::Host { host: host::of_word(&word.text).0, port: None, url: None });
        used.sent = content.with(Taint::LOCAL);
    } else {
        walk.write_into(&to);
        if deletes {
            walk.delete(&to, true, if empties { "" } else { "sync-delete" });
        }
        walk.remember(&to, Flow::unknown(content));
        for name in fetched {
            let here = to.with_text(&crate::place::join(Some(&to.text), &name));
            walk.remember_tree(&here, Flow::unknown(content));
            walk.remember(&here, Flow::unknown(content));
        }
    }
    true
}

pub(super) fn socat(walk: &mut Walk<'_>, used: &mut Use<'_>) -> bool {
    let operands = used.usage.operands.clone();
    let mut far = None;
    let mut runs = false;
    let mut sent = used.stdin.taint;
    for address in &operands {
        let text = address.text.clone();
        let (kind, rest) = text.split_once(':').unwrap_or((&text, ""));
        let kind = kind.to_ascii_uppercase();
        match kind.as_str() {
            k if k.contains("LISTEN") || k.contains("RECV") => {
                let local = rest.contains("bind=127.") || rest.contains("bind=localhost");
                walk.note(EffectKind::Listen, if local { "" } else { "tunnel" });
                far = Some(None);
            }
            "TCP" | "TCP4" | "TCP6" | "TCP-CONNECT" | "UDP" | "UDP4" | "UDP-CONNECT" | "OPENSSL" | "SSL" | "SOCKS4"
            | "PROXY" | "SCTP" | "OPENSSL-CONNECT" => {
                let place = rest.split(',').next().unwrap_or("").to_owned();
                let (name, port) = host::of_word(&place);
                let target = Target::Host { host: name.clone(), port, url: None };
                let note = if host::is_loopback(&name) { "" } else { "raw-socket" };
                walk.push(EffectKind::Net, Some(target.clone()), note);
                far = Some(Some(target));
            }
            "EXEC" | "SYSTEM" | "SHELL" => {
                runs = true;
                let command = rest.split(',').next().unwrap_or("").to_owned();
                let word = Arg { shape: None, ..address.with_text(&command) };
                walk.nested("socat", |walk| walk.code_text(&word));
            }
            "OPEN" | "FILE" | "GOPEN" | "CREATE" => {
                let path = rest.split(',').next().unwrap_or("").to_owned();
                let word = address.with_text(&path);
                if rest.contains("creat") || rest.contains("wronly") || kind == "CREATE" {
                    walk.write(&word, "");
                } else {
                    let flow = walk.read(&word, false);
                    sent = sent.with(flow.taint);
                }
            }
            _ => {}
        }
    }
    if runs && far.is_some() {
        walk.note(EffectKind::Exec, "reverse-shell");
    }
    if let Some(host) = far {
        walk.send(sent, host.as_ref());
        used.stdout = Some(Flow::unknown(Taint::DOWNLOADED));
    }
    true
}

/// A name that is looked up; data inside it leaves with the question.
pub(crate) fn lookup(walk: &mut Walk<'_>, arg: &Arg) {
    if arg.text.starts_with('+') {
        return;
    }
    let computed = !arg.is_literal() && arg.shape.as_deref().is_some_and(|s| s.trim_matches('*').contains('.'));
    // `xargs dig`: names that a file lists; what is put in front of a domain goes to that domain
    let listed = arg.text == "{}" && arg.shape.as_deref() == Some("*");
    let carries = arg.taint.has(Taint::SECRET.with(Taint::TOKEN)) || arg.taint.has(Taint::LOCAL) && !listed;
    walk.net_host(
        &arg.with_text(arg.text.trim_start_matches('@')),
        if computed || carries { "name-lookup" } else { "" },
    );
}

/// `curl -O` saves under the name that the URL has; `-K` brings options; `--resolve` says where the host really is.
pub(super) fn curl(walk: &mut Walk<'_>, used: &mut Use<'_>) -> bool {
    deletes_by_query(walk, used);
    let values = used.usage.values.clone();
    for (option, _, value) in &values {
        match option.as_str() {
            "-K" | "--config" => configured(walk, used, value),
            // a file of cookies, where it is no `name=value` (curl(1))
            "-b" | "--cookie" if !value.text.contains('=') && !value.text.is_empty() => {
                let flow = walk.read(value, false);
                used.sent = used.sent.with(flow.taint.without(Taint::LOCAL));
            }
            "--resolve" | "--connect-to" => {
                let mut parts = value.text.rsplitn(if option == "--resolve" { 2 } else { 3 }, ':');
                let address = if option == "--resolve" { parts.next() } else { parts.nth(1) };
                if let Some(address) = address.filter(|a| !a.is_empty()) {
                    walk.net_host(&value.with_text(address), "");
                }
            }
            _ => {}
        }
    }
    if used.usage.has("-O")
        || used.usage.has("--remote-name")
        || used.usage.has("--remote-name-all")
        || used.usage.has("-J")
    {
        save_by_name(used);
    }
    asks(walk, used);
    false
}

/// What the request does beside what its method and host say.
fn asks(walk: &mut Walk<'_>, used: &Use<'_>) {
    let (mut method, mut body) = (None, None);
    let mut headers = Vec::new();
    for (option, _, value) in &used.usage.values {
        match option.as_str() {
            "-X" | "--request" => method = Some(value.text.to_ascii_uppercase()),
            "-d" | "--data" | "--data-raw" | "--data-ascii" | "--data-binary" | "--data-urlencode" | "--json" => {
                let before: String = body.map(|before| format!("{before}&")).unwrap_or_default();
                body = Some(before + &value.text);
            }
            "-H" | "--header" => {
                headers.extend(value.text.split_once(':').map(|(name, value)| (name.to_owned(), value.to_owned())));
            }
            "-T" | "--upload-file" => method = method.or_else(|| Some("PUT".to_owned())),
            "-F" | "--form" | "--form-string" => method = method.or_else(|| Some("POST".to_owned())),
            _ => {}
        }
    }
    let method = method.unwrap_or_else(|| if body.is_some() { "POST" } else { "GET" }.to_owned());
    let urls = used.usage.operands.iter().filter(|url| url.is_literal());
    let more = used.usage.values.iter().filter(|(option, _, url)| option == "--url" && url.is_literal());
    for url in urls.chain(more.map(|(.., url)| url)) {
        let request = Request { method: &method, url: &url.text, headers: &headers, body: body.as_deref() };
        for (kind, note) in crate::service::does(&request) {
            walk.note(kind, note);
        }
    }
}

/// A file of options: they are read where its text is known, and are code carried in an option where it is not.
fn configured(walk: &mut Walk<'_>, used: &mut Use<'_>, file: &Arg) {
    let flow = match (&file.content, file.text.as_str()) {
        (Some(flow), _) => Some((**flow).clone()),
        (None, "-") => Some(used.stdin.clone()),
        (None, path) => walk.written_flow(path),
    };
    let Some(text) = flow.and_then(|flow| flow.text) else {
        let target = walk.target(file, false);
        return walk.push(EffectKind::CodeLoad, Some(target), "option-code");
    };
    let mut words = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (key, value) = line.split_once(['=', ':', ' ', '\t']).unwrap_or((line, ""));
        let key = key.trim();
        words.push(file.with_text(&if key.starts_with('-') { key.to_owned() } else { format!("--{key}") }));
        let value = value.trim_matches([' ', '\t', '=', '"']);
        if !value.is_empty() {
            words.push(file.with_text(value));
        }
    }
    let words: Vec<Arg> = words.into_iter().map(|word| Arg { shape: None, ..word }).collect();
    let (_, more) = crate::knowledge::sort(used.program, &words);
    used.usage.flags.extend(more.flags);
    used.usage.values.extend(more.values);
    used.usage.operands.extend(more.operands);
}

/// `http METHOD URL ..`: the method is no address.
pub(super) fn httpie(walk: &mut Walk<'_>, used: &mut Use<'_>) -> bool {
    let is_method = |a: &Arg| a.text.len() > 2 && a.text.bytes().all(|b| b.is_ascii_uppercase());
    if used.usage.operands.first().is_some_and(is_method) {
        used.usage.operands.rotate_left(1);
    }
    // `:3000/path` and `/path` are on this machine
    if let Some(url) = used.usage.operands.first_mut().filter(|url| url.text.starts_with([':', '/'])) {
        let text = format!("http://localhost{}", url.text);
        *url = url.with_text(&text);
    }
    deletes_by_query(walk, used);
    if used.usage.has("--download") || used.usage.has("-d") {
        let body = used.usage.operands.split_off(1.min(used.usage.operands.len()));
        save_by_name(used);
        used.usage.operands.extend(body);
    }
    false
}

/// wget saves under the name that the URL has, unless it is told otherwise.
pub(super) fn wget(walk: &mut Walk<'_>, used: &mut Use<'_>) -> bool {
    deletes_by_query(walk, used);
    // `-i -`: the addresses come in
    if used
        .usage
        .values
        .iter()
        .any(|(option, _, value)| matches!(option.as_str(), "-i" | "--input-file") && value.text == "-")
    {
        let text = used.stdin.text.clone().unwrap_or_default();
        let span = walk.span();
        used.usage.operands.extend(text.lines().take(32).map(|line| Arg::literal(line.trim(), span)));
    }
    if !used.usage.has("-O") && !used.usage.has("--output-document") && !used.usage.has("--spider") {
        save_by_name(used);
    }
    false
}

/// A GraphQL mutation that destroys: the name of one of its fields says so. What is on this machine is left to it.
fn deletes_by_query(walk: &mut Walk<'_>, used: &Use<'_>) {
    let local = |url: &Arg| host::of_url(&url.text).is_some_and(|parsed| host::is_loopback(&parsed.host));
    if used.usage.operands.iter().any(local) {
        return;
    }
    let sent = used.usage.values.iter().filter(|(_, role, _)| *role == Role::Send).map(|(_, _, value)| value);
    if sent.chain(used.usage.operands.iter().skip(1)).any(|text| mutates_away(&text.text)) {
        walk.note(EffectKind::RemoteMutate, "remote-delete");
    }
}

/// Whether a mutation of GraphQL destroys that stands in a text: as it is, behind `query=`, or in JSON.
fn mutates_away(text: &str) -> bool {
    let from = text.find("mutation").and_then(|at| text.get(at..));
    from.is_some_and(|document| graphql::destroys(&document.replace("\\\"", "\"")))
}

fn save_by_name(used: &mut Use<'_>) {
    let directory = used
        .usage
        .values
        .iter()
        .find(|(option, ..)| matches!(option.as_str(), "-P" | "--directory-prefix" | "--output-dir"));
    let directory = directory.map(|(_, _, v)| v.text.clone());
    for url in &used.usage.operands {
        let name = url.text.split(['?', '#']).next().unwrap_or("").rsplit('/').next().unwrap_or("").to_owned();
        if !name.is_empty() && !name.contains(':') {
            used.outputs.push(url.with_text(&crate::place::join(directory.as_deref(), &name)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::mutates_away;

    #[test]
    fn a_mutation_destroys_where_a_field_of_it_says_so() {
        for (query, destroys) in [
            ("mutation{deleteProject(id:1){id}}", true),
            ("mutation($id:String!){ serviceDelete(id:$id) }", true),
            ("mutation { purgeAll }", true),
            ("mutation { createIssue(input:{title:\"delete (old) code\"}) { id } }", false),
            ("{ deletedProjects { id } }", false),
            ("mutation { updateUser(id: 1) { deletedAt } }", false),
            ("query=mutation { volumeDelete(id: 1) }", true),
            (r#"{"query": "mutation { a(x: \"y\") { id } deleteVolume(id: \"b\") { id } }"}"#, true),
            (r#"{"query": "mutation { createIssue(title: \"delete (old) code\") { id } }"}"#, false),
        ] {
            assert_eq!(mutates_away(query), destroys, "{query}");
        }
    }
}
