//! SQL statements: which ones destroy or change what is stored.

mod files;
mod guards;
mod inside;
mod rights;
mod words;

use rampart_call::EffectKind;

use crate::value::{Flow, Taint};
use crate::walk::{Walk, is_temporary, is_test};
use words::Words;

/// Looks at statements given to a database client.
pub(super) fn statements(walk: &mut Walk<'_>, text: &str) -> Flow {
    for line in text.lines() {
        files::client_command(walk, line.trim());
    }
    // what psql and mysql connect anew with
    if [r"\c ", r"\connect", r"\u "].iter().any(|command| text.contains(command)) {
        walk.leaves_tests();
    }
    look(walk, text, 0);
    Flow::unknown(Taint::LOCAL)
}

/// Looks at statements, and at those that stand in their strings where something runs them.
fn look(walk: &mut Walk<'_>, text: &str, depth: usize) {
    files::files(walk, text);
    let found = Words::of(text);
    let everything = text.contains("*.*");
    for statement in found.words.split(|w| w == ";") {
        let statement = inside::of_block(statement);
        one(walk, statement, everything);
        code(walk, statement, text);
        guards::look(walk, statement, text);
        hands_out(walk, statement, text);
    }
    if inside::runs_decoded(&found, text) {
        walk.note(EffectKind::Opaque, "computed-code");
    }
    if depth == 0 && sends_rows(&found, text) {
        walk.note(EffectKind::Net, "upload");
    }
    for inner in inside::run(&found, depth) {
        look(walk, inner, depth + 1);
    }
}

/// `net.http_post(url, (select jsonb_agg(u) from users u))`: the server sends rows to an address.
fn sends_rows(found: &Words, text: &str) -> bool {
    const POSTS: &[&str] = &["http_post", "http_put", "utl_http", "http_request"];
    const ROWS: &[&str] = &[
        "array_to_json",
        "json_agg",
        "json_arrayagg",
        "json_object_agg",
        "jsonb_agg",
        "listagg",
        "row_to_json",
        "string_agg",
    ];
    let lower = text.to_ascii_lowercase();
    let near = ["://localhost", "://127.0.0.1"].iter().any(|near| lower.contains(near));
    let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let has = |known: &[&str]| words.iter().any(|word| known.contains(word));
    !near && !found.words.is_empty() && has(POSTS) && has(ROWS) && has(&["from"])
}

/// What a statement does to what is stored, and to who may reach it.
fn one(walk: &mut Walk<'_>, statement: &[String], everything: bool) {
    let word = |at: usize| statement.get(at).map_or("", String::as_str);
    let has = |name: &str| statement.iter().any(|w| w == name);
    let note = match (word(0), word(1)) {
        ("drop", "index" | "view" | "trigger" | "function" | "procedure") => "database-change",
        ("drop" | "truncate" | "dropdb" | "flushall" | "flushdb", _) => "database-drop",
        ("delete" | "update", _) if takes_all(statement) => "database-drop",
        ("alter", "table") if has("drop") => "database-drop",
        // ClickHouse: `ALTER TABLE t DELETE WHERE ..`
        ("alter", "table") if (has("delete") || word(3) == "update") && takes_all(statement) => "database-drop",
        ("merge", _) if merges_away(statement) => "database-drop",
        ("create", "or") if replaces(statement) => "database-drop",
        ("alter" | "grant" | "revoke", _) => "database-change",
        ("create", "user" | "role" | "extension" | "login") => "database-change",
        ("with", _) if (has("delete") || has("update")) && !has("where") => "database-drop",
        _ => "",
    };
    // `USE name`: the statements behind it are about another database
    if word(0) == "use" {
        walk.leaves_tests();
    }
    let nothing = note.is_empty()
        || note == "database-drop"
            && (walk.is_for_tests() && stays(statement) || is_about_tests(statement, walk.is_near()));
    if !nothing {
        walk.note(EffectKind::RemoteMutate, note);
    }
    let everything = everything || has("option") && has("grant");
    let gives = matches!(word(0), "grant" | "alter" | "create");
    if everything && gives || rights::gives(statement) {
        walk.note(EffectKind::Privilege, "access-grant");
    }
}

/// Statements with which the server runs code: programs, libraries, languages without limits.
fn code(walk: &mut Walk<'_>, statement: &[String], text: &str) {
    const LANGUAGES: &[&str] =
        &["c", "internal", "plpythonu", "plpython2u", "plpython3u", "plperlu", "pltclu", "plsh", "plrubyu", "plphpu"];
    let word = |at: usize| statement.get(at).map_or("", String::as_str);
    let has = |name: &str| statement.iter().any(|w| w == name);
    let language = statement
        .windows(2)
        .any(|pair| matches!(pair, [first, second] if first == "language" && LANGUAGES.contains(&second.as_str())));
    let extension = word(0) == "create" && word(1) == "extension" && LANGUAGES.iter().any(|name| has(name));
    let library = has("soname") || word(0) == "create" && word(1) == "assembly" || statement == ["load"];
    let setting = word(0) == "alter"
        && word(1) == "system"
        && [
            "archive_command",
            "restore_command",
            "shared_preload_libraries",
            "session_preload_libraries",
            "ssl_passphrase_command",
        ]
        .iter()
        .any(|name| has(name));
    // programs that Oracle starts by itself, extensions of DuckDB that nobody signed
    let lower = || text.to_ascii_lowercase();
    let job = has("dbms_scheduler") && (lower().contains("'executable'") || lower().contains("'external_script'"));
    let unsigned = has("allow_unsigned_extensions")
        || has("install") && has("from") && lower().split("install").skip(1).any(|rest| rest.contains("://"));
    let calls = [
        "xp_cmdshell",
        "sys_exec",
        "sys_eval",
        "load_extension",
        "shellfs",
        "sp_execute_external_script",
        "sp_oacreate",
    ]
    .iter()
    .any(|name| has(name));
    if has("program") && has("copy") || job || unsigned || language || extension || library || setting || calls {
        walk.note(EffectKind::CodeLoad, "option-code");
    }
    if has("lo_export") {
        walk.note(EffectKind::Write, "computed-path");
    }
    if has("sp_configure") {
        let lower = text.to_ascii_lowercase();
        let opens = ["xp_cmdshell", "ole automation", "clr ", "external scripts", "show advanced"];
        if opens.iter().any(|setting| lower.contains(setting)) {
            walk.note(EffectKind::Privilege, "security-setting");
        }
    }
}

/// Statements that show files of the server, or the passwords that the server keeps.
fn hands_out(walk: &mut Walk<'_>, statement: &[String], text: &str) {
    const FILES: &[&str] = &["pg_read_file", "pg_read_binary_file", "load_file"];
    const KEPT: &[&str] =
        &["pg_shadow", "pg_authid", "pg_user_mapping", "pg_user_mappings", "decrypted_secrets", "sql_logins"];
    let has = |name: &str| statement.iter().any(|w| w == name);
    // the names in MySQL's table of users are everyday, the hashes beside them are not
    let users = || {
        let named =
            statement.windows(3).any(|three| matches!(three, [a, dot, b] if a == "mysql" && dot == "." && b == "user"));
        let shown = has("authentication_string") || has("password") || text.to_ascii_lowercase().contains("select *");
        named && shown
    };
    // `INSERT INTO messages .. SELECT access_token FROM ..`: where more people may read them
    let copied = || {
        statement.first().is_some_and(|word| word == "insert")
            && has("select")
            && ["access_token", "refresh_token", "api_key", "secret_key", "private_key", "client_secret"]
                .iter()
                .any(|name| has(name))
    };
    if copied() || FILES.iter().chain(KEPT).any(|name| has(name)) || has("mysql") && users() {
        walk.note(EffectKind::Secret, "token-shown");
    }
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

/// The statement names the database of tests that its table stands in, or on this machine a table that is there for a moment.
fn is_about_tests(statement: &[String], near: bool) -> bool {
    let words: Vec<&str> = statement
        .iter()
        .map(String::as_str)
        .filter(|word| !matches!(*word, "if" | "exists" | "only" | "table"))
        .collect();
    match words[..] {
        ["drop" | "truncate", database, ".", table] => is_test(database) || near && is_temporary(table),
        ["drop" | "truncate", table] => near && is_temporary(table),
        ["delete", "from", database, ".", ..] => is_test(database),
        _ => false,
    }
}

/// A statement without a condition, or with one that everything meets.
fn takes_all(statement: &[String]) -> bool {
    let condition = statement.iter().position(|word| word == "where").and_then(|at| statement.get(at + 1..));
    condition.is_none_or(|words| {
        let ends = |word: &&str| matches!(*word, "settings" | "returning" | "option");
        let condition: Vec<_> = words.iter().map(String::as_str).take_while(|word| !ends(word)).collect();
        // one of several that everything meets is enough
        if condition.contains(&"or") && condition.split(|word| *word == "or").any(is_always_true) {
            return true;
        }
        // nothing is left where two strings are compared; a key is never null
        let key = |word: &&str| matches!(*word, "id" | "_id" | "key" | "pk" | "rowid");
        matches!(condition[..], [] | ["true" | "1"] | ["1", "1"])
            || matches!(condition[..], [.., "is", "not", "null" | "missing"])
                && !condition.contains(&"and")
                && condition.iter().any(key)
    })
}

/// `1 = 1`, `true`, `a = a`, and two strings, of which nothing is left.
fn is_always_true(condition: &[&str]) -> bool {
    match condition {
        [] | ["true" | "1"] => true,
        [a, b] => a == b,
        _ => false,
    }
}

/// `CREATE OR REPLACE TABLE t AS SELECT .. FROM t`: the table that is there is written over with what a query leaves of it;
/// `CREATE OR REPLACE SCHEMA s`, `CREATE OR REPLACE TABLE t (..)`: an empty one stands where one with tables or rows stood.
fn replaces(statement: &[String]) -> bool {
    let words: Vec<&str> = statement.iter().map(String::as_str).collect();
    match words[..] {
        ["create", "or", "replace", "database" | "schema", ..] => true,
        ["create", "or", "replace", "table", ref rest @ ..]
        | ["create", "or", "replace", "transient", "table", ref rest @ ..] => {
            let end = rest.iter().position(|word| matches!(*word, "as" | "clone" | "like")).unwrap_or(rest.len());
            let (name, query) = rest.split_at(end);
            let empty =
                matches!(query, [] | ["like", ..]) && !rest.iter().any(|word| is_temporary(word) || is_test(word));
            !name.is_empty() && empty
                || !name.is_empty()
                    && query.windows(name.len() + 1).any(|words| {
                        words
                            .split_first()
                            .is_some_and(|(before, words)| matches!(*before, "from" | "join") && words == name)
                    })
        }
        _ => false,
    }
}

/// `MERGE .. WHEN MATCHED THEN DELETE`: no condition says which rows go.
fn merges_away(statement: &[String]) -> bool {
    statement.windows(3).any(|three| {
        matches!(three, [when, then, delete] if matches!(when.as_str(), "matched" | "source" | "target") && then == "then" && delete == "delete")
    })
}

#[cfg(test)]
mod tests {
    use super::{is_about_tests, merges_away, replaces, stays, takes_all, words::Words};

    fn words(text: &str) -> Vec<String> {
        Words::of(text).words
    }

    #[test]
    fn a_condition_that_everything_meets_is_none() {
        for (text, all) in [
            ("delete from t", true),
            ("delete from t where true", true),
            ("update t set a = 1 where 1=1", true),
            ("delete from t where 'a' = 'a'", true),
            ("alter table t delete where 1 settings mutations_sync = 2", true),
            ("delete from t where id is not null", true),
            ("delete from m where meta(m).id is not missing returning raw 1", true),
            ("delete from t where 1=1 or id = 4", true),
            ("delete from t where id = 4 or 'a' = 'a'", true),
            ("update t set a = 1 where id = 4 or true", true),
            ("delete from t where id = id or id = 4", true),
            ("delete from t where id = 4 or id = 5", false),
            ("delete from t where a = 'x' or b = 'y'", false),
            ("delete from t where deleted_at is not null", false),
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
    fn a_statement_may_name_the_database_of_tests() {
        for (text, near, expect) in [
            ("drop table if exists test.events", false, true),
            ("truncate table app_test.users", false, true),
            ("drop table tmp_import", true, true),
            ("drop table prod.events_tmp", true, true),
            ("drop table tmp_import", false, false),
            ("drop table users", true, false),
            ("drop table test.events, prod.events", true, false),
            ("drop table prod.events", true, false),
            ("drop database test", true, false),
        ] {
            assert_eq!(is_about_tests(&words(text), near), expect, "{text}");
        }
    }

    #[test]
    fn what_stands_there_is_replaced() {
        for (text, expect) in [
            ("create or replace table prod.public.orders as select * from prod.public.orders limit 0", true),
            ("create or replace schema raw", true),
            ("create or replace table daily as select day, sum(n) from orders group by day", false),
            ("create or replace table orders_copy as select * from orders", false),
            ("create or replace table prod.core.customers like prod.core.template", true),
            ("create or replace table orders (id int, name text)", true),
            ("create or replace transient table orders (id int)", true),
            ("create or replace table tmp_orders (id int)", false),
            ("create or replace table dev.orders clone prod.orders", false),
            ("create or replace view v as select * from v1", false),
            ("create or replace table", false),
        ] {
            assert_eq!(replaces(&words(text)), expect, "{text}");
        }
    }

    #[test]
    fn a_merge_deletes_what_a_condition_names() {
        for (text, expect) in [
            ("merge into u using o on u.id = o.id when matched then delete", true),
            ("merge into u using o on u.id = o.id when not matched by source then delete", true),
            ("merge into u using o on u.id = o.id when matched and o.gone then delete", false),
            ("merge into u using o on u.id = o.id when matched then update set a = 1", false),
        ] {
            assert_eq!(merges_away(&words(text)), expect, "{text}");
        }
    }
}
