//! Statements that turn off what records or protects, or with which what could be brought back is gone.

use rampart_call::EffectKind;

use crate::walk::Walk;

/// Settings by which a server records what is done, or keeps rows from those whose they are not.
const RECORDS: &[&str] = &[
    "audit_log_policy",
    "audit_trail",
    "general_log",
    "log_connections",
    "log_statement",
    "logging_collector",
    "pgaudit.log",
    "row_security",
    "server_audit_logging",
    "sql_log_bin",
];

/// What a statement does of that.
pub(super) fn look(walk: &mut Walk<'_>, statement: &[String], text: &str) {
    if let Some((kind, note)) = of(statement, text) {
        walk.note(kind, note);
    }
}

fn of(statement: &[String], text: &str) -> Option<(EffectKind, &'static str)> {
    let word = |at: usize| statement.get(at).map_or("", String::as_str);
    let together = |words: &[&str]| statement.windows(words.len()).any(|found| found == words);
    let gone = match word(0) {
        "purge" => matches!(word(1), "binary" | "master") && word(2) == "logs",
        "reset" => word(1) == "master" || word(1) == "binary" && word(2) == "logs",
        "vacuum" => together(&["retain", "0"]),
        "alter" => ["data_retention_time_in_days", "max_time_travel_hours"].iter().any(|name| together(&[name, "0"])),
        _ => false,
    };
    if gone {
        return Some((EffectKind::RemoteMutate, "database-drop"));
    }
    let off = match word(0) {
        "set" | "alter" if matches!(word(1), "global" | "persist" | "system" | "session") || word(0) == "set" => {
            turned_off(statement, text)
        }
        _ => false,
    };
    let weaker = off
        || match (word(0), word(1)) {
            ("alter", "table") => {
                together(&["disable", "row", "level", "security"])
                    || together(&["no", "force", "row", "level", "security"])
            }
            ("alter", "server" | "database") => {
                word(2) == "audit" && together(&["state", "off"])
                    || together(&["flashback", "off"])
                    || statement.iter().any(|word| word == "noarchivelog")
            }
            ("drop", "server" | "database") => word(2) == "audit",
            ("drop", "audit") | ("noaudit", _) => true,
            _ => false,
        };
    weaker.then_some((EffectKind::Privilege, "security-setting"))
}

/// `SET GLOBAL general_log = 'OFF'`: the value may stand in quotes, so that it is none of the words.
fn turned_off(statement: &[String], text: &str) -> bool {
    let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
    let named = RECORDS.iter().filter(|name| statement.contains(&last(name)));
    let mut named = named.peekable();
    if named.peek().is_none() {
        return false;
    }
    let dense: String = text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '\'' | '"' | '`')).collect();
    let dense = dense.to_ascii_lowercase().replace("to", "=");
    named.any(|name| ["off", "0", "false", "none"].iter().any(|value| dense.contains(&format!("{name}={value}"))))
}

#[cfg(test)]
mod tests {
    use super::super::words::Words;
    use super::of;

    #[test]
    fn records_are_turned_off_and_kept_data_is_gone() {
        for (text, expect) in [
            ("SET GLOBAL general_log = 'OFF'", "security-setting"),
            ("set sql_log_bin = 0", "security-setting"),
            ("ALTER SYSTEM SET log_statement TO 'none'", "security-setting"),
            ("alter table accounts disable row level security", "security-setting"),
            ("ALTER SERVER AUDIT prod WITH (STATE = OFF)", "security-setting"),
            ("NOAUDIT ALL", "security-setting"),
            ("PURGE BINARY LOGS BEFORE NOW()", "database-drop"),
            ("RESET MASTER", "database-drop"),
            ("ALTER DATABASE PROD SET DATA_RETENTION_TIME_IN_DAYS = 0", "database-drop"),
            ("VACUUM events RETAIN 0 HOURS", "database-drop"),
            ("SET GLOBAL general_log = 'ON'", ""),
            ("ALTER SYSTEM SET log_statement = 'all'", ""),
            ("alter table accounts enable row level security", ""),
            ("ALTER DATABASE PROD SET DATA_RETENTION_TIME_IN_DAYS = 7", ""),
            ("set statement_timeout = 0", ""),
            ("vacuum analyze events", ""),
            ("reset all", ""),
        ] {
            let found = of(&Words::of(text).words, text).map_or("", |(_, note)| note);
            assert_eq!(found, expect, "{text}");
        }
    }
}
