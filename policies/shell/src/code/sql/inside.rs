//! SQL inside of SQL: blocks of code, and strings that something runs.

use super::words::Words;

/// How deep statements may stand in each other's strings.
const MAX_DEPTH: usize = 3;

/// Words that run a string: dynamic SQL, connections from inside of a database.
const RUNNERS: &[&str] = &[
    "execute",
    "exec",
    "prepare",
    "immediate",
    "sp_executesql",
    "dblink",
    "dblink_exec",
    "dblink_send_query",
    "dblink_open",
    "query_to_xml",
    "query_to_xmlschema",
    "query_to_xml_and_xmlschema",
    "openquery",
    "openrowset",
    "postgres_execute",
    "postgres_query",
    "mysql_execute",
    "mysql_query",
    "exec_ddl_statement",
    "dbms_sql",
];

/// What is dropped, altered and made, where it is not a word of everyday.
const KINDS: &[&str] = &[
    "table",
    "database",
    "schema",
    "view",
    "materialized",
    "role",
    "user",
    "function",
    "extension",
    "owned",
    "sequence",
    "type",
    "index",
    "procedure",
    "tablespace",
    "column",
    "if",
    "or",
    "system",
    "server",
    "trigger",
    "policy",
];

/// A statement without the words of a block in front of it: `BEGIN DELETE FROM t` in `DO $$ .. $$`, `IF .. BEGIN ..`.
pub(super) fn of_block(statement: &[String]) -> &[String] {
    let frame =
        |word: &&String| matches!(word.as_str(), "begin" | "declare" | "then" | "else" | "loop" | "atomic" | "not");
    let conditional = statement.first().is_some_and(|word| word == "if" || word == "while");
    let begin = statement.iter().position(|word| word == "begin").filter(|_| conditional);
    let statement = begin.and_then(|at| statement.get(at..)).unwrap_or(statement);
    let words = statement.iter().take_while(frame).count();
    let statement = statement.get(words..).unwrap_or_default();
    executed(statement).unwrap_or(statement)
}

/// `EXPLAIN (ANALYZE) DELETE ..`: what is explained is done.
fn executed(statement: &[String]) -> Option<&[String]> {
    let (first, rest) = statement.split_first()?;
    let changes = |word: &String| matches!(word.as_str(), "delete" | "update" | "insert" | "merge" | "with");
    let at = rest.iter().position(changes).filter(|_| first == "explain")?;
    let (options, done) = rest.split_at_checked(at)?;
    options.iter().any(|word| word == "analyze" || word == "analyse").then_some(done)
}

/// Words that make a text out of a code or of numbers.
const DECODERS: &[&str] = &[
    "base64_decode_string",
    "from_base64",
    "base64_decode_binary",
    "unhex",
    "hex_decode_string",
    "utl_encode",
    "unbase64",
];

/// Whether a statement is run that is decoded first: nobody sees what it says.
pub(super) fn runs_decoded(found: &Words, text: &str) -> bool {
    let has = |known: &[&str]| found.words.iter().any(|word| known.contains(&word.as_str()));
    let runs = has(&["execute", "exec", "prepare", "immediate", "sp_executesql", "query_to_xml"]);
    let lower = || text.to_ascii_lowercase().split_whitespace().collect::<String>();
    // `CHAR(84,82,85,78)`, `CHR(68)||CHR(82)||CHR(79)`
    let spelled = |text: &str| {
        text.split("char(").skip(1).any(|rest| {
            let numbers = rest.split(')').next().unwrap_or("");
            numbers.split(',').filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())).count() > 3
        }) || text.matches("chr(").count() > 3
            || text.matches("char(").count() > 3
    };
    // `CAST(0x44524F50.. AS varchar(99))`
    let number = || found.words.iter().any(|word| word.starts_with("0x") && word.len() > 20);
    runs && (has(DECODERS)
        || number() && has(&["cast", "convert"])
        || lower().contains("'base64')") && has(&["decode"])
        || spelled(&lower()))
}

/// The strings that are run as statements: behind a word that does so, and the bodies of functions that the same text calls.
pub(super) fn run(found: &Words, depth: usize) -> impl Iterator<Item = &str> {
    let words = &found.words;
    let some = depth < MAX_DEPTH && !found.strings.is_empty();
    let defines = words.first().is_some_and(|word| word == "create")
        && words.iter().take(8).any(|word| word == "function" || word == "procedure");
    let runs = some && if defines { calls(words) } else { runs(words) };
    found.strings.iter().filter(move |(_, text)| runs && is_statement(text)).map(|(_, text)| text.as_str())
}

fn runs(words: &[String]) -> bool {
    words.iter().any(|word| RUNNERS.contains(&word.as_str()))
        || words.split(|word| word == ";").any(|statement| statement.first().is_some_and(|word| word == "do"))
        || words.windows(3).any(|three| matches!(three, [a, _, b] if a == "cron" && b == "schedule"))
}

/// Something is called behind what is defined.
fn calls(words: &[String]) -> bool {
    let call = |word: &String| matches!(word.as_str(), "select" | "call" | "perform" | "exec");
    // a trigger calls it whenever it comes to that
    let triggers = |statement: &[String]| {
        statement.first().is_some_and(|word| word == "create")
            && statement.iter().any(|word| word == "trigger")
            && statement.iter().any(|word| word == "execute")
    };
    words.split(|word| word == ";").skip(1).any(|statement| statement.first().is_some_and(call) || triggers(statement))
}

/// Whether a string begins as a statement that does something.
fn is_statement(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    let mut next = || words.next().unwrap_or("").to_ascii_lowercase();
    let (first, second) = (next(), next());
    match first.as_str() {
        "drop" | "alter" | "create" => KINDS.contains(&second.as_str()),
        "delete" => second == "from",
        "begin" | "declare" | "truncate" | "merge" | "copy" | "with" | "do" | "execute" | "call" | "exec" | "grant"
        | "insert" | "update" | "revoke" => !second.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::Words;
    use super::{of_block, run, runs_decoded};

    #[test]
    fn strings_are_statements_where_something_runs_them() {
        for (text, expect) in [
            ("do $$ begin drop table t; end $$", vec![" begin drop table t; end "]),
            ("set @s = 'drop table t'; prepare p from @s; execute p", vec!["drop table t"]),
            ("select * from dblink('dbname=app', 'drop table t') as t(x text)", vec!["drop table t"]),
            ("insert into notes values ('drop table t')", vec![]),
            ("select $$drop table t$$ as note", vec![]),
            ("exec log_line 'dropped'", vec![]),
            ("insert into kv values (1, 'drop table t') on conflict do update set v = 'drop table t'", vec![]),
            ("create function f() returns void as $$ delete from t $$ language sql", vec![]),
            (
                "create function f() returns void as $$ delete from t $$ language sql; select f()",
                vec![" delete from t "],
            ),
            ("create trigger t before update on u for each row execute function f('drop off')", vec![]),
        ] {
            assert_eq!(run(&Words::of(text), 0).collect::<Vec<_>>(), expect, "{text}");
        }
        for (text, expect) in [
            ("execute immediate base64_decode_string('RFJPUA==')", true),
            ("set @q = concat(char(84,82,85,78), ' t'); prepare s from @q; execute s", true),
            ("declare @s varchar(9) = cast(0x44524f50205441424c452075 as varchar(9)); exec(@s)", true),
            ("prepare p from 'select 1'; execute p", false),
            ("select from_base64('YQ==')", false),
            ("execute p('a', char(10))", false),
        ] {
            assert_eq!(runs_decoded(&Words::of(text), text), expect, "{text}");
        }
        for text in [
            "begin delete from t",
            "if exists (select 1) begin delete from t",
            "explain (analyze, buffers) delete from t",
            "explain analyze delete from t",
        ] {
            assert_eq!(of_block(&Words::of(text).words), ["delete", "from", "t"]);
        }
    }
}
