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
    // a name may have that of its schema in front
    let joined = text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').map(|word| word.trim_matches('.'));
    let words: Vec<String> = joined.filter(|word| !word.is_empty()).map(str::to_lowercase).take(64).collect();
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
                | "sync"
                | "settings"
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
            !word(at).is_empty() && (goes_on(at + 1) || has(&["cascade", "restart", "restrict"]))
        }
        "create" | "alter" => {
            KINDS.contains(&word(1)) && text.contains(['(', ';', '\''])
                || word(0) == "alter" && goes_on(3)
                || word(1) == "or" && word(2) == "replace" && has(&["as"])
        }
        "grant" | "revoke" => has(&["to", "from"]) && has(&["on", "all"]) || word(1) == "role" && word(3) == "to",
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
    "couchbase",
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
    "plsql",
    "redshift",
    "snowflake",
    "sql",
    "sqlite",
    "sqlserver",
    "supabase",
    "timescale",
    "trino",
    "tsql",
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
    changes && filter().is_some_and(|filter| filter.is_empty() || fits_all(filter))
}

/// A mutation of GraphQL whose variables make something public.
pub(super) fn mutates_to_public(document: &Value) -> bool {
    fn public(value: &Value, depth: usize) -> bool {
        match value {
            Value::Object(map) if depth < 6 => map.iter().any(|(key, value)| {
                key == "visibility" && value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("public"))
                    || public(value, depth + 1)
            }),
            _ => false,
        }
    }
    let query = document.get("query").and_then(Value::as_str).unwrap_or("");
    query.contains("mutation") && query.contains("update") && document.get("variables").is_some_and(|v| public(v, 0))
}

/// `{"_id": {"$exists": true}}`: nothing is without one.
fn fits_all(filter: &serde_json::Map<String, Value>) -> bool {
    let any = |value: &Value| {
        value.get("$exists") == Some(&Value::Bool(true)) || value.get("$ne").is_some_and(Value::is_null)
    };
    filter.iter().all(|(key, value)| key == "_id" && any(value))
}

/// The words of Cypher with its signs, in lower case, and without strings and comments.
fn cypher(text: &str) -> (Vec<String>, Vec<&str>) {
    let (mut found, mut strings) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        match c {
            '/' if rest.starts_with("//") => length = rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => length = rest.find("*/").map_or(rest.len(), |end| end + 2),
            '\'' | '"' => {
                let end = rest.get(1..).and_then(|inside| inside.find(c));
                strings.extend(rest.get(1..end.map_or(rest.len(), |end| end + 1)));
                length = end.map_or(rest.len(), |end| end + 2);
            }
            // a name in quotes may be any
            '`' => length = rest.get(1..).and_then(|name| name.find('`')).map_or(rest.len(), |end| end + 2),
            c if c.is_alphanumeric() || c == '_' => {
                length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                found.push(rest.get(..length).unwrap_or("").to_lowercase());
            }
            '{' | '}' | ':' | '.' | '(' | ')' | '$' | '=' => found.push(c.to_string()),
            _ => {}
        }
        rest = rest.get(length..).unwrap_or("");
    }
    (found, strings)
}

/// Whether Cypher deletes all that a pattern fits: no key of the pattern and no condition says which.
pub(super) fn cypher_deletes(text: &str) -> bool {
    deletes_all(text, 0)
}

fn deletes_all(text: &str, depth: usize) -> bool {
    let (words, strings) = cypher(text);
    let has = |known: &str| words.iter().any(|word| word == known);
    // `e.delete`, `:Delete` and `{delete: 1}` are names
    let clause = words.iter().enumerate().any(|(at, word)| {
        let before = at.checked_sub(1).and_then(|at| words.get(at)).map_or("", String::as_str);
        let behind = words.get(at + 1).map_or("", String::as_str);
        word == "delete" && !matches!(before, "." | ":" | "$") && !matches!(behind, ":" | "." | "" | ")" | "}")
    });
    // `(n:Person {id: 1})`
    let keyed = words.windows(4).any(|four| {
        matches!(four, [before, open, _, colon] if open == "{" && colon == ":"
            && !matches!(before.as_str(), "=" | "return" | "with" | "yield"))
    });
    let condition = words.iter().position(|word| word == "where").and_then(|at| words.get(at + 1..));
    let chosen = condition.is_some_and(|words| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        !matches!(words[..], ["true", ..] | ["1", "=", "1", ..])
    });
    let batches = words.windows(2).any(|two| matches!(two, [a, b] if a == "in" && b == "transactions"));
    let run = || has("apoc") && depth < 2 && strings.iter().any(|inner| inner.to_lowercase().contains("delete"));
    clause && (batches || depth > 0 || has("match") && !keyed && !chosen)
        || run() && strings.iter().any(|inner| deletes_all(inner, depth + 1))
}

/// Whether a text drops what is stored, in a language that the words of a tool and its server say is spoken.
pub(super) fn drops(text: &str, is: impl Fn(&[&str]) -> bool) -> bool {
    let text = text.trim();
    let kusto = || {
        let command = text.strip_prefix('.').and_then(|rest| rest.split_whitespace().next()).unwrap_or("");
        matches!(command, "drop" | "purge" | "clear" | "delete" | "set-or-replace")
    };
    // Elasticsearch: a script that turns an update into a deletion
    let painless = || text.contains("ctx.op") && (text.contains("delete") || text.contains("params"));
    is(&["kusto", "adx", "kql"]) && kusto()
        || is(&["elasticsearch", "opensearch", "elastic"]) && painless()
        || is(&["gremlin", "neptune", "janusgraph", "tinkerpop"]) && text.contains(".drop()")
        || is(&["splunk", "spl"]) && text.rsplit('|').next().is_some_and(|last| last.trim() == "delete")
        || is(&["sparql", "fuseki", "graphdb", "blazegraph", "stardog", "virtuoso"]) && sparql_clears(text)
}

/// Whether SPARQL 1.1 Update empties graphs (section 3.2), or deletes all that a pattern without any constant fits.
fn sparql_clears(text: &str) -> bool {
    let (mut plain, mut quote) = (String::new(), None);
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '{' | '}' | ';' | '.') => plain.push_str(&format!(" {c} ")),
            (None, c) => plain.push(c),
        }
    }
    let words: Vec<String> =
        plain.split_whitespace().map(str::to_ascii_lowercase).filter(|word| word != "silent").collect();
    let clears = words.windows(2).any(|two| {
        matches!(two, [verb, what] if matches!(verb.as_str(), "clear" | "drop")
            && matches!(what.as_str(), "all" | "default" | "named" | "graph"))
    });
    let pattern = words.iter().position(|word| word == "where").and_then(|at| words.get(at + 1..));
    let anything = pattern.is_some_and(|pattern| {
        let free = |word: &String| word.starts_with('?') || matches!(word.as_str(), "{" | "}" | "." | ";" | "graph");
        pattern.iter().all(free)
    });
    clears || anything && words.iter().any(|word| word == "delete")
}

/// The addresses that `LOAD CSV FROM '..'` of Cypher reads.
pub(super) fn cypher_loads(text: &str) -> Vec<&str> {
    let (words, strings) = cypher(text);
    let loads = words.windows(2).any(|two| matches!(two, [a, b] if a == "load" && b == "csv"))
        || words.iter().any(|word| word == "apoc");
    strings.into_iter().filter(|text| loads && text.contains("://")).collect()
}

/// The commands that a script of Redis calls; nothing is known if one of them is computed.
pub(super) fn redis_commands(script: &str) -> Option<Vec<String>> {
    // `local r = redis; r.call(..)`
    let whole = script
        .match_indices("redis")
        .all(|(at, name)| script.get(at + name.len()..).is_some_and(|rest| rest.starts_with('.')));
    let own = script.match_indices("call").all(|(at, _)| {
        let before = script.get(..at).unwrap_or("");
        before.ends_with("redis.") || before.ends_with("redis.p")
    });
    if script.contains("loadstring") || !whole || !own {
        return None;
    }
    let mut found = Vec::new();
    for rest in script.split("redis.").skip(1) {
        let Some(rest) = rest.strip_prefix("call").or_else(|| rest.strip_prefix("pcall")) else { continue };
        let rest = rest.strip_prefix('(')?.trim_start();
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let (word, behind) = rest.get(1..)?.split_once(quote)?;
        behind.trim_start().starts_with([',', ')']).then_some(())?;
        found.push(word.to_owned());
    }
    Some(found)
}

/// Whether all keys are looked for, and keys are deleted.
pub(super) fn redis_empties(commands: &[String]) -> bool {
    let has =
        |known: [&str; 2]| commands.iter().any(|command| known.iter().any(|word| command.eq_ignore_ascii_case(word)));
    has(["SCAN", "KEYS"]) && has(["DEL", "UNLINK"])
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
            ("truncate accounts, invoices restart identity cascade", true),
            ("select the best option", false),
            ("select load_extension('/tmp/x.so')", true),
            ("how do I reset a password", false),
        ] {
            assert_eq!(is_whole(text), expect, "{text}");
        }
    }

    #[test]
    fn graphs_are_emptied() {
        for (text, expect) in [
            ("MATCH (n) DETACH DELETE n", true),
            ("MATCH (a:A)-[r:OWNS]->() CALL { WITH r DELETE r } IN TRANSACTIONS OF 1000 ROWS", true),
            ("MATCH (n:Person) WHERE n.id = 1 CALL { WITH n DELETE n } IN TRANSACTIONS", true),
            ("CALL apoc.periodic.iterate('MATCH (n) RETURN n', 'DETACH DELETE n', {batchSize: 100})", true),
            ("MATCH (n) WHERE true DETACH DELETE n", true),
            ("MATCH (n) SET n = {a: 1} DELETE n", true),
            ("MATCH (n:Person {id: $id}) DETACH DELETE n", false),
            ("MATCH (n:Person) WHERE n.id = 1 DETACH DELETE n", false),
            ("MATCH (e:Event) WHERE e.kind = 'DETACH DELETE' RETURN e", false),
            ("MATCH (e:Event) RETURN e.delete // DELETE e", false),
            ("MATCH (e:Delete) RETURN e", false),
            ("MERGE (p:Person {id: $id}) SET p.name = 'x'", false),
        ] {
            assert_eq!(cypher_deletes(text), expect, "{text}");
        }
        assert_eq!(
            cypher_loads("LOAD CSV WITH HEADERS FROM \"file:///etc/passwd\" AS l RETURN l"),
            ["file:///etc/passwd"]
        );
        assert!(cypher_loads("MATCH (p {url: 'https://x.example/'}) RETURN p").is_empty());
    }

    #[test]
    fn each_language_has_its_own_words_for_dropping() {
        for (server, text, expect) in [
            ("kusto", ".drop tables (A, B) ifexists", true),
            ("kusto", ".set-or-replace T <| T | take 0", true),
            ("kusto", ".show tables", false),
            ("kusto", "T | where action == 'drop' | take 10", false),
            ("opensearch", "ctx.op = params.k", true),
            ("opensearch", "ctx._source.n += 1", false),
            ("neptune", "g.V().hasLabel('a').drop().iterate()", true),
            ("neptune", "g.V().hasLabel('drop').count()", false),
            ("splunk", "search index=a | delete", true),
            ("splunk", "search index=a action=delete | stats count", false),
            ("graphdb", "DELETE { GRAPH ?g { ?s ?p ?o } } WHERE { GRAPH ?g { ?s ?p ?o } }", true),
            ("graphdb", "DELETE { ?s ex:old ?o } WHERE { ?s ex:old ?o }", false),
            ("fuseki", "CLEAR SILENT GRAPH <http://x.example/g>", true),
            ("fuseki", "INSERT DATA { <urn:a> rdfs:comment \"CLEAR ALL must never run\" }", false),
            ("mail", "drop all of it", false),
        ] {
            assert_eq!(drops(text, |known| known.contains(&server)), expect, "{server} {text}");
        }
    }

    #[test]
    fn a_script_of_redis_says_its_commands() {
        let words = redis_commands;
        let script = "-- never deletes\nlocal n = redis.call('INCR', KEYS[1])\nif n == 1 then redis.pcall(\"EXPIRE\", KEYS[1]) end";
        assert_eq!(words(script), Some(vec!["INCR".to_owned(), "EXPIRE".to_owned()]));
        assert_eq!(words("return redis.call('FLUSH' .. 'ALL')"), None);
        assert_eq!(words("return redis.call(ARGV[1])"), None);
        assert!(redis_empties(&["scan".to_owned(), "UNLINK".to_owned()]) && !redis_empties(&["DEL".to_owned()]));
        assert_eq!(words("redis.log(1, 'x') local r = redis r.call('FLUSHALL')"), None);
        assert_eq!(words("return server.call('FLUSHALL') or redis.call('GET', 'a')"), None);
        assert_eq!(words("local c = redis.call; return c('FLUSHALL')"), None);
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
