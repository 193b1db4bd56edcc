//! Statements that give somebody rights beyond those to a table.

/// Roles whose holder has the server, its files, or all that it keeps.
const ROLES: &[&str] = &[
    "accountadmin",
    "cloudsqlsuperuser",
    "db_owner",
    "orgadmin",
    "pg_execute_server_program",
    "pg_read_all_data",
    "pg_read_server_files",
    "pg_write_all_data",
    "pg_write_server_files",
    "rds_superuser",
    "securityadmin",
    "superuser",
    "sysadmin",
    "sysdba",
];

/// Names that are such roles where a role is granted, and anything elsewhere.
const GRANTED: &[&str] = &["admin", "dba", "root"];

/// Whether a statement gives a role away, all rights to everybody, or more than a database.
pub(super) fn gives(statement: &[String]) -> bool {
    let word = |at: usize| statement.get(at).map_or("", String::as_str);
    let has = |name: &str| statement.iter().any(|word| word == name);
    let known = || ROLES.iter().any(|role| has(role));
    let to = statement.iter().position(|word| word == "to");
    match word(0) {
        "grant" => {
            let public = to
                .and_then(|to| statement.get(to + 1))
                .is_some_and(|word| matches!(word.as_str(), "public" | "anon" | "anonymous"));
            let roles = statement.get(..to.unwrap_or(statement.len())).unwrap_or(statement);
            // where rights to a table are granted, its name may be any
            let role = || !has("on") && roles.iter().skip(1).any(|word| GRANTED.contains(&word.as_str()));
            matches!(word(1), "role" | "roles" | "ownership") && to.is_some()
                || word(1) == "all" && public
                || role()
                || known()
        }
        "alter" | "create" => known(),
        _ => has("sp_addsrvrolemember") && known(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::Words;
    use super::gives;

    #[test]
    fn roles_are_given_and_rights_to_tables_are_not() {
        for (text, expect) in [
            ("GRANT ROLE ACCOUNTADMIN TO USER svc_agent", true),
            ("grant role analyst to role reporting", true),
            ("GRANT ALL PRIVILEGES ON ALL TABLES IN SCHEMA public TO PUBLIC", true),
            ("grant all on all tables in schema public to anon", true),
            ("GRANT OWNERSHIP ON DATABASE prod TO ROLE x", true),
            ("grant dba to bob", true),
            ("grant rds_superuser to app", true),
            ("alter user app with superuser", true),
            ("ALTER ROLE db_owner ADD MEMBER [bob]", true),
            ("exec sp_addsrvrolemember 'bob', sysadmin", true),
            ("GRANT SELECT ON t TO app", false),
            ("grant all privileges on database app to app", false),
            ("grant select on admin to app", false),
            ("grant usage on schema public to app", false),
            ("alter table roles add column x int", false),
            ("select * from superuser", false),
        ] {
            assert_eq!(gives(&Words::of(text).words), expect, "{text}");
        }
    }
}
