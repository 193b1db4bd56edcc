//! Statements and queries, told apart from the words that somebody searches for.

use rampart_shell::verbs::any;
use serde_json::Value;

/// What is made, changed and dropped.
const KINDS: &[&str] = &[
    "table",
    "database",
    "schema",
    "index",
    "view",
    "user",
    "role",
    "function",
    "trigger",
    "extension",
    "or",
    "if",
    "login",
    "procedure",
    "owned",
    "tablespace",
    "sequence",
    "type",
    "column",
    "keyspace",
    "collection",
    "materialized",
];

fn words_of(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty());
    words.map(str::to_ascii_lowercase)
}

/// Whether a text that is meant for a database begins as SQL does, or may be in its language otherwise.
pub(super) fn is_statement(text: &str) -> bool {
    let mut words = words_of(text);
    match words.next().as_deref() {
        Some("delete") => words.next().as_deref() == Some("from"),
        Some("update") => words.any(|word| word == "set"),
        Some("drop" | "create") => words.next().is_some_and(|kind| KINDS.contains(&kind.as_str())),
        Some("grant" | "revoke" | "alter" | "copy" | "load") => words.count() > 2,
        _ => true,
    }
}

/// Whether a text of which nobody says what it is for is SQL from its first word to its last.
pub(super) fn is_whole(text: &str) -> bool {
    let words: Vec<String> = words_of(text).take(64).collect();
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let has = |known: &[&str]| any(&words, known);
    // the words behind a name: nothing, or what SQL goes on with
    let goes_on = |at: usize| {
        let rest = text.trim_end().ends_with(';') || text.contains([';', '(', '\'', '=']);
        rest || matches!(
            word(at),
            "" | "where"
                | "using"
                | "returning"
                | "cascade"
                | "restrict"
                | "restart"
                | "limit"
                | "add"
                | "drop"
                | "rename"
                | "set"
                | "as"
                | "on"
        )
    };
    match word(0) {
        "delete" => word(1) == "from" && !word(2).is_empty() && goes_on(3),
        "update" => has(&["set"]) && text.contains('='),
        "drop" => {
            let at = if word(2) == "if" { 4 } else { 2 };
            KINDS.contains(&word(1)) && !word(at).is_empty() && goes_on(at + 1)
        }
        "truncate" => {
            let at = if word(1) == "table" { 2 } else { 1 };
            !word(at).is_empty() && goes_on(at + 1)
        }
        "create" | "alter" => {
            KINDS.contains(&word(1)) && text.contains(['(', ';', '\'']) || word(0) == "alter" && goes_on(3)
        }
        "grant" | "revoke" => has(&["to", "from"]) && has(&["on", "all"]),
        "select" | "with" | "merge" | "insert" | "replace" | "copy" | "attach" | "load" | "exec" | "execute"
        | "call" | "set" | "do" | "begin" | "declare" | "prepare" | "use" => {
            text.contains(['(', ';', '\'', '*', '=']) || has(&["from", "into"])
        }
        _ => false,
    }
}

/// Words for databases and what speaks to them.
pub(super) const DATABASES: &[&str] = &[
    "athena",
    "bigquery",
    "cassandra",
    "clickhouse",
    "cockroach",
    "cockroachdb",
    "cql",
    "d1",
    "database",
    "databases",
    "databricks",
    "db",
    "dbhub",
    "duckdb",
    "kusto",
    "mariadb",
    "motherduck",
    "mssql",
    "mysql",
    "neon",
    "oracle",
    "pg",
    "planetscale",
    "postgres",
    "postgresql",
    "presto",
    "psql",
    "redshift",
    "snowflake",
    "sql",
    "sqlite",
    "sqlserver",
    "supabase",
    "timescale",
    "trino",
    "turso",
];

/// Words for what finds texts by their words or sense.
pub(super) const FINDERS: &[&str] = &[
    "ask",
    "chroma",
    "context7",
    "doc",
    "docs",
    "document",
    "documentation",
    "documents",
    "find",
    "issues",
    "knowledge",
    "lookup",
    "mail",
    "messages",
    "nodes",
    "notes",
    "pinecone",
    "qdrant",
    "question",
    "rag",
    "retrieve",
    "search",
    "semantic",
    "similarity",
    "vector",
    "vectors",
    "weaviate",
    "web",
    "wiki",
];

/// Words for MongoDB and what speaks its language.
pub(super) const MONGO: &[&str] = &["atlas", "cosmosdb", "documentdb", "mongo", "mongodb", "mongosh"];

/// Whether a pipeline or command of MongoDB writes over a collection or drops what is stored.
pub(super) fn mongo_drops(value: &Value) -> bool {
    mongo(value, 0)
}

fn mongo(value: &Value, depth: usize) -> bool {
    match value {
        Value::Object(map) if depth < 16 => map.iter().any(|(key, value)| match key.as_str() {
            // what has a name of something passing is made anew each time
            "$out" => !value.as_str().or_else(|| value.get("coll")?.as_str()).is_some_and(is_passing),
            "$merge" => value.get("whenMatched").and_then(Value::as_str) == Some("replace"),
            "dropDatabase" | "dropAllUsersFromDatabase" | "dropUser" | "dropRole" => true,
            "drop" => value.is_string(),
            _ => mongo(value, depth + 1),
        }),
        Value::Array(list) if depth < 16 => list.iter().any(|value| mongo(value, depth + 1)),
        Value::String(text) if text.contains("$out") || text.contains("$merge") || text.contains("drop") => {
            depth < 16
                && serde_json::from_str(text).is_ok_and(|value: Value| !value.is_string() && mongo(&value, depth + 8))
        }
        _ => false,
    }
}

fn is_passing(name: &str) -> bool {
    name.starts_with("tmp")
        || name.starts_with("temp")
        || name.starts_with("test")
        || name.ends_with("_tmp")
        || name.ends_with("_test")
}

/// `update-many` and its like with a filter that everything fits.
pub(super) fn takes_all(words: &[String], arguments: &Value) -> bool {
    let changes = any(words, &["update", "replace"]) && any(words, &["many", "all"]);
    let filter = || ["filter", "query"].iter().find_map(|key| arguments.get(*key)?.as_object());
    changes && filter().is_some_and(serde_json::Map::is_empty)
}

/// Whether Apex, the language of Salesforce, deletes records.
pub(super) fn apex_deletes(code: &str) -> bool {
    let lower = code.to_ascii_lowercase();
    let statement = |text: &str| text.trim_start().starts_with("delete ") || text.trim_start().starts_with("delete[");
    lower.split([';', '{', '}', '\n', ')']).any(statement)
        || lower.contains("database.delete(")
        || lower.contains("database.emptyrecyclebin(")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn statements_are_told_from_words_that_begin_as_they_do() {
        for (text, expect) in [
            ("delete account flow", false),
            ("DELETE FROM users", true),
            ("drop shadow on cards", false),
            ("drop table users", true),
            ("update docs", false),
            ("update users set x = 1", true),
            ("select 1", true),
            ("truncate users", true),
        ] {
            assert_eq!(is_statement(text), expect, "{text}");
        }
        for (text, expect) in [
            ("drop table", false),
            ("drop table users", true),
            ("DROP TABLE IF EXISTS users CASCADE", true),
            ("drop table vs truncate", false),
            ("drop index and reindex in postgres", false),
            ("delete from list python", false),
            ("delete from users", true),
            ("delete from users where id = 1", true),
            ("truncate table in postgres?", false),
            ("truncate orders", true),
            ("select the best option", false),
            ("select load_extension('/tmp/x.so')", true),
            ("how do I reset a password", false),
        ] {
            assert_eq!(is_whole(text), expect, "{text}");
        }
    }

    #[test]
    fn other_languages_drop_too() {
        for (value, expect) in [
            (json!({"pipeline": [{"$match": {}}, {"$out": "orders"}]}), true),
            (json!({"pipeline": [{"$out": "tmp_report"}]}), false),
            (json!({"pipeline": "[{\"$out\": \"orders\"}]"}), true),
            (json!({"pipeline": [{"$merge": {"into": "users", "whenMatched": "replace"}}]}), true),
            (json!({"pipeline": [{"$merge": {"into": "daily"}}]}), false),
            (json!({"command": {"dropDatabase": 1}}), true),
            (json!({"documents": [{"text": "drop off laundry"}]}), false),
        ] {
            assert_eq!(mongo_drops(&value), expect, "{value}");
        }
        for (code, expect) in [
            ("delete [SELECT Id FROM Account];", true),
            ("List<Account> a = [SELECT Id FROM Account];\n  delete a;", true),
            ("Database.delete(ids, false);", true),
            ("System.debug('delete me');", false),
        ] {
            assert_eq!(apex_deletes(code), expect, "{code}");
        }
    }
}
