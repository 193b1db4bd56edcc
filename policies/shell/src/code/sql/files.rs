//! Files and addresses in the quotes of SQL, and the commands of its clients.

use rampart_call::EffectKind;

use crate::value::Arg;
use crate::walk::Walk;

/// Files and addresses in quotes, where they stand behind what reads or writes them.
pub(super) fn files(walk: &mut Walk<'_>, text: &str) {
    const READS: &[&str] = &["from", "infile", "attach", "database", "bulk", "include", "source"];
    const READERS: &[&str] =
        &["read", "load", "file", "csv", "json", "parquet", "glob", "blob", "openrowset", "import", "ls", "scan"];
    // what takes a URL: table functions of ClickHouse and DuckDB, `http` and `pg_net` of PostgreSQL, `UTL_HTTP` of Oracle
    const FETCHERS: &[&str] =
        &["url", "urlcluster", "s3", "s3cluster", "gcs", "azureblobstorage", "hdfs", "iceberg", "deltalake", "hudi"];
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
        let named = lead.ends_with(":=") || lead.ends_with("=>");
        let word = lead.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '_');
        let word = word.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("");
        let span = walk.span();
        let path = Arg { glob: inside.contains('*'), ..Arg::literal(inside, span) };
        let address = inside.contains("://");
        let fetches =
            lead.ends_with('(') && (FETCHERS.contains(&word) || word.starts_with("http_")) || named && word == "url";
        if address && (fetches || WRITES.contains(&word)) {
            walk.net_url(&path, "");
            // `INSERT INTO FUNCTION url('..')`, `COPY INTO 's3://..'`: rows of tables go there
            let into = fetches && (lead.contains("into function") || lead.contains("into table function"));
            if into || WRITES.contains(&word) {
                walk.sends_rows(inside);
            }
        } else if WRITES.contains(&word) {
            walk.write(&path, "");
        } else if READS.contains(&word) || called && READERS.iter().any(|r| word.contains(r)) {
            if address {
                walk.net_url(&path, "");
            } else {
                let _ = walk.read(&path, false);
            }
        }
    }
}

/// `\! cmd` of psql and mysql, `.shell cmd` of sqlite.
pub(super) fn client_command(walk: &mut Walk<'_>, line: &str) {
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
