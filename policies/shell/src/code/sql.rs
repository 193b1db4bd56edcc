//! SQL statements: which ones destroy or change what is stored.

use rampart_call::EffectKind;

use crate::value::{Arg, Flow, Taint};
use crate::walk::{Walk, is_test};

/// Looks at statements given to a database client.
pub(super) fn statements(walk: &mut Walk<'_>, text: &str) -> Flow {
    for line in text.lines() {
        client_command(walk, line.trim());
    }
    files(walk, text);
    // what psql and mysql connect anew with
    if [r"\c ", r"\connect", r"\u "].iter().any(|command| text.contains(command)) {
        walk.leaves_tests();
    }
    let everything = text.contains("*.*");
    for statement in words(text).split(|w| w == ";") {
        let word = |at: usize| statement.get(at).map_or("", String::as_str);
        let has = |name: &str| statement.iter().any(|w| w == name);
        let note = match (word(0), word(1)) {
            ("drop", "index" | "view" | "trigger" | "function" | "procedure") => "database-change",
            ("drop" | "truncate" | "dropdb" | "flushall" | "flushdb", _) => "database-drop",
            ("delete" | "update", _) if takes_all(statement) => "database-drop",
            ("alter", "table") if has("drop") => "database-drop",
            ("alter" | "grant" | "revoke", _) => "database-change",
            ("create", "user" | "role" | "extension" | "login") => "database-change",
            ("delete" | "update" | "insert" | "replace" | "merge" | "create" | "rename", _) => "",
            ("with", _) if (has("delete") || has("update")) && !has("where") => "database-drop",
            _ => "",
        };
        // `USE name`: the statements behind it are about another database
        if word(0) == "use" {
            walk.leaves_tests();
        }
        let nothing = note.is_empty() || note == "database-drop" && walk.is_for_tests() && stays(statement);
        if !nothing {
            walk.note(EffectKind::RemoteMutate, note);
        }
        let everything = everything || has("superuser") || has("option") && has("grant");
        if everything && matches!(word(0), "grant" | "alter" | "create") {
            walk.note(EffectKind::Privilege, "access-grant");
        }
        if has("program") && has("copy")
            || has("xp_cmdshell")
            || has("sys_exec")
            || has("load_extension")
            || has("shellfs")
            || has("sp_execute_external_script")
        {
            walk.note(EffectKind::CodeLoad, "option-code");
        }
        if has("lo_export") {
            walk.note(EffectKind::Write, "computed-path");
        }
        if has("pg_read_file") || has("load_file") || has("pg_shadow") || has("pg_authid") {
            walk.note(EffectKind::Secret, "token-shown");
        }
    }
    Flow::unknown(Taint::LOCAL)
}

/// The statement is about the database that the client is connected to, and not about another or the whole server.
fn stays(statement: &[String]) -> bool {
    let words: Vec<&str> = statement.iter().map(String::as_str).collect();
    // MySQL: `DATABASE.TABLE`; of PostgreSQL's schemas one is everywhere
    let elsewhere = words.windows(2).any(|pair| matches!(pair, [name, "."] if *name != "public"));
    !elsewhere
        && match words[..] {
            ["drop", "table" | "schema" | "sequence" | "type" | "materialized", ..] => true,
            ["drop", "database", .., name] => is_test(name),
            ["drop", ..] => false,
            _ => true,
        }
}

/// A statement without a condition, or with one that everything meets.
fn takes_all(statement: &[String]) -> bool {
    let condition = statement.iter().position(|word| word == "where").and_then(|at| statement.get(at + 1..));
    condition.is_none_or(|words| {
        matches!(words.iter().map(String::as_str).collect::<Vec<_>>()[..], ["true" | "1"] | ["1", "1"])
    })
}

/// Files and addresses in quotes, where they stand behind what reads or writes them.
fn files(walk: &mut Walk<'_>, text: &str) {
    const READS: &[&str] = &["from", "infile", "attach", "database", "bulk", "include", "source"];
    const READERS: &[&str] =
        &["read", "load", "file", "csv", "json", "parquet", "glob", "blob", "openrowset", "import", "ls"];
    const WRITES: &[&str] = &["to", "outfile", "dumpfile", "into", "backup", "disk", "writefile", "export"];
    let mut before = 0;
    for (number, inside) in text.split('\'').enumerate().take(512) {
        let start = before;
        before += inside.len() + 1;
        if number % 2 == 0 || !inside.contains(['/', '~']) || inside.contains('\n') || inside.len() > 512 {
            continue;
        }
        let lead = text.get(..start.saturating_sub(1)).unwrap_or("");
        let near = (lead.len().saturating_sub(64)..lead.len()).find(|at| lead.is_char_boundary(*at));
        let lead = lead.get(near.unwrap_or(lead.len())..).unwrap_or("").trim_end().to_ascii_lowercase();
        let called = lead.ends_with(['(', '[', ',']);
        let word = lead.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '_');
        let word = word.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("");
        let span = walk.span();
        let path = Arg { glob: inside.contains('*'), ..Arg::literal(inside, span) };
        if WRITES.contains(&word) {
            walk.write(&path, "");
        } else if READS.contains(&word) || called && READERS.iter().any(|r| word.contains(r)) {
            if inside.contains("://") {
                walk.net_url(&path, "");
            } else {
                let _ = walk.read(&path, false);
            }
        }
    }
}

/// `\! cmd` of psql and mysql, `.shell cmd` of sqlite.
fn client_command(walk: &mut Walk<'_>, line: &str) {
    let command = [r"\!", "\\system ", ".shell ", ".system ", "system "].iter().find_map(|p| line.strip_prefix(p));
    if let Some(command) = command {
        let span = walk.span();
        walk.code_text(&Arg::literal(command.trim(), span));
    } else if let Some(path) = [".output ", ".once ", r"\o "].iter().find_map(|p| line.strip_prefix(p)) {
        let span = walk.span();
        walk.write(&Arg::literal(path.trim(), span), "");
    } else if let Some(path) =
        [".import ", ".restore ", ".open ", r"\lo_import "].iter().find_map(|p| line.strip_prefix(p))
    {
        let path = path.split_whitespace().find(|w| !w.starts_with("--")).unwrap_or("");
        let span = walk.span();
        let word = Arg::literal(path.trim_matches(['"', '\'']), span);
        let command = path.trim_matches(['"', '\'']).strip_prefix('|').map(str::to_owned);
        match command {
            Some(_) => walk.note(EffectKind::CodeLoad, "option-code"),
            None => drop(walk.read(&word, false)),
        }
    } else if let Some(path) = [".read ", r"\i ", r"\ir ", r"\. ", "source "].iter().find_map(|p| line.strip_prefix(p))
    {
        let span = walk.span();
        let word = Arg::literal(path.trim().trim_matches(['"', '\'']), span);
        walk.nested("source", |walk| walk.file_of_code(crate::knowledge::Language::Sql, &word, Vec::new()));
    } else if line.starts_with(".load ") {
        walk.note(EffectKind::CodeLoad, "option-code");
    }
}

/// Words in lower case, without strings and comments; `;` stands alone, and so does a dot behind a name.
fn words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    let mut chars = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let last = std::mem::replace(&mut before, c);
        if c.is_alphanumeric() || c == '_' {
            word.extend(c.to_lowercase());
            continue;
        }
        if !word.is_empty() {
            out.push(std::mem::take(&mut word));
        }
        match c {
            '\'' => while chars.next().is_some_and(|n| n != '\'') {},
            '-' if chars.peek() == Some(&'-') => while chars.next().is_some_and(|n| n != '\n') {},
            '/' if chars.peek() == Some(&'*') => {
                let mut last = ' ';
                for n in chars.by_ref() {
                    if last == '*' && n == '/' {
                        break;
                    }
                    last = n;
                }
            }
            ';' => out.push(";".to_owned()),
            '.' if last.is_alphanumeric() || matches!(last, '_' | '`' | '"' | ']') => out.push(".".to_owned()),
            _ => {}
        }
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{stays, takes_all, words};

    #[test]
    fn a_condition_that_everything_meets_is_none() {
        for (text, all) in [
            ("delete from t", true),
            ("delete from t where true", true),
            ("update t set a = 1 where 1=1", true),
            ("delete from t where id = 1", false),
            ("delete from t where 1 = 1 and id = 2", false),
        ] {
            assert_eq!(takes_all(&words(text)), all, "{text}");
        }
    }

    #[test]
    fn a_statement_in_a_database_of_tests_may_be_about_another() {
        for (text, expect) in [
            ("drop table users", true),
            ("TRUNCATE public.users cascade", true),
            ("drop database app_test", true),
            ("drop database if exists prod", false),
            ("drop role app", false),
            ("drop table prod.users", false),
            ("delete from `prod`.`users`", false),
        ] {
            assert_eq!(stays(&words(text)), expect, "{text}");
        }
    }

    #[test]
    fn strings_and_comments_are_no_words() {
        assert_eq!(words("select 'drop table t' -- drop\n; /* x */ DROP"), ["select", ";", "drop"]);
    }
}
