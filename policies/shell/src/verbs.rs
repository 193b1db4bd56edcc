//! The words of names that programs give, and which of them say that something is thrown away.

/// The words of a name in snake, kebab or camel case, in lower case.
pub fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower_before = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && lower_before) {
            words.push(String::new());
        }
        if let (true, Some(last)) = (c.is_alphanumeric(), words.last_mut()) {
            last.extend(c.to_lowercase());
        }
        lower_before = c.is_lowercase() || c.is_numeric();
    }
    words.retain(|w| !w.is_empty());
    words
}

/// Whether one of the words is known.
pub fn any(words: &[String], known: &[&str]) -> bool {
    words.iter().any(|word| known.contains(&word.as_str()))
}

/// Verbs that throw away whatever they are about.
const VERBS: &[&str] = &[
    "delete",
    "deletes",
    "destroy",
    "drop",
    "purge",
    "truncate",
    "wipe",
    "flush",
    "flushall",
    "flushdb",
    "terminate",
    "erase",
    "uninstall",
    "unpublish",
    "nuke",
    "obliterate",
    "refund",
];

/// What is made again, or can be put on again where it was taken off.
const SMALL: &[&str] = &[
    "label",
    "labels",
    "reaction",
    "draft",
    "drafts",
    "emoji",
    "pending",
    "cache",
    "session",
    "bookmark",
    "breakpoint",
    "cell",
    "cells",
    "line",
    "lines",
    "tab",
    "tabs",
    "todo",
    "todos",
];

/// What others keep, and what is gone where it is removed.
const KEPT: &[&str] = &[
    "project",
    "repository",
    "repo",
    "user",
    "member",
    "database",
    "table",
    "bucket",
    "collection",
    "server",
    "deployment",
    "environment",
    "domain",
    "volume",
    "namespace",
    "branch",
    "index",
    "account",
    "instance",
];

/// What holds data, which goes where it is emptied or put back to what it was.
const STORES: &[&str] = &[
    "database",
    "databases",
    "db",
    "branch",
    "table",
    "tables",
    "schema",
    "bucket",
    "collection",
    "collections",
    "index",
    "backup",
    "snapshot",
    "queue",
    "topic",
    "volume",
    "datastore",
    "calendar",
    "keyspace",
];

/// Machines, which lose their disks where they are set up anew.
const MACHINES: &[&str] =
    &["droplet", "host", "instance", "instances", "linode", "machine", "node", "server", "servers", "vm"];

/// What belongs to one and is another's once it is given up.
const GIVEN_UP: &[&str] = &["address", "addresses", "eip", "handle", "ip", "number", "numbers", "username"];

/// What lost data comes back from.
const RESTORE: &[&str] = &["backup", "backups", "recovery", "restore", "snapshot", "snapshots"];

/// Words with which a name begins that only asks.
const ASKS: &[&str] = &["get", "list", "describe", "search", "find", "count", "show", "preview", "explain", "check"];

/// Whether a name is of something that others keep, and of no file.
pub fn is_kept(words: &[String]) -> bool {
    any(words, KEPT) && !any(words, &["file", "files", "folder", "directory", "project", "index"])
}

/// Whether a name says that what others keep is thrown away.
pub fn destroys(words: &[String]) -> bool {
    let asks = words.first().is_some_and(|word| ASKS.contains(&word.as_str())) && !any(words, &["and", "or"]);
    let empties = || any(words, &["empty", "clear"]) && (any(words, STORES) || any(words, &["trash"]));
    let puts_back = || {
        any(words, &["reset", "restore", "rollback", "revert"]) && any(words, STORES)
            || any(words, &["reset"]) && any(words, &["parent", "migrate", "migration", "migrations"])
    };
    let anew = || any(words, &["rebuild", "reimage", "reinstall"]) && any(words, MACHINES);
    // `remove_user_from_group`: the user stays
    let leaves = || any(words, &["from"]) && any(words, &["user", "member", "members", "users"]);
    let removes = any(words, &["remove", "rm"]) && any(words, KEPT) && !leaves();
    // what is given up goes to whoever takes it next
    let gives_up = || any(words, &["release", "relinquish"]) && any(words, GIVEN_UP);
    let restores = || any(words, &["expire", "prune", "remove", "rm"]) && any(words, RESTORE);
    let destroys = any(words, VERBS) && !any(words, SMALL) || removes;
    !asks && (destroys || empties() || puts_back() || anew() || gives_up() || restores())
}

#[cfg(test)]
mod tests {
    use super::{destroys, words};

    #[test]
    fn names_are_read_word_by_word() {
        assert_eq!(words("getUserInformation"), ["get", "user", "information"]);
        assert_eq!(words("read_text_file"), ["read", "text", "file"]);
        for (name, expect) in [
            ("delete_branch", true),
            ("flushall", true),
            ("removeProject", true),
            ("TerminateInstances", true),
            ("reset_branch", true),
            ("reset_from_parent", true),
            ("migrate-reset", true),
            ("migrate-status", false),
            ("restore_database", true),
            ("empty_bucket", true),
            ("clear_table", true),
            ("remove_label", false),
            ("remove_user", true),
            ("remove_user_from_group", false),
            ("p4_obliterate", true),
            ("undelete_user", false),
            ("list_delete_markers", false),
            ("get_and_delete_message", true),
            ("reset_password", false),
            ("restore_from_trash", false),
            ("clear_cache", false),
            ("rollback_deployment", false),
            ("rebuild_server", true),
            ("rebuild_search", false),
            ("release_phone_number", true),
            ("release_lock", false),
            ("remove_restore_points", true),
            ("delete_cell", false),
            ("clear_calendar", true),
            ("delete_award_emoji", false),
        ] {
            assert_eq!(destroys(&words(name)), expect, "{name}");
        }
    }
}
