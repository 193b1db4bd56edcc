//! Calls that give somebody rights, or open to everybody what few may reach.

use rampart_shell::verbs::{any, words};
use serde_json::{Map, Value};

use super::{
    LONGEST,
    said::{one_of, plain},
};

/// Words with which somebody is given something.
const GIVES: &[&str] = &[
    "add",
    "assign",
    "associate",
    "attach",
    "authorize",
    "bind",
    "change",
    "create",
    "edit",
    "generate",
    "grant",
    "insert",
    "invite",
    "issue",
    "make",
    "modify",
    "new",
    "patch",
    "promote",
    "put",
    "set",
    "share",
    "update",
    "upsert",
];

/// Words of names that only ask, or that take rights away.
const OTHER: &[&str] = &[
    "check", "count", "delete", "describe", "detach", "explain", "find", "get", "list", "preview", "remove", "revoke",
    "search", "show", "test", "unassign", "unshare", "validate",
];

/// Who has rights, and what says which.
const HOLDERS: &[&str] = &[
    "access",
    "account",
    "accounts",
    "acl",
    "acls",
    "admin",
    "badge",
    "badges",
    "binding",
    "bindings",
    "claim",
    "claims",
    "client",
    "collaborator",
    "collaborators",
    "entitlement",
    "entitlements",
    "grant",
    "group",
    "iam",
    "invitation",
    "invitations",
    "invite",
    "key",
    "keys",
    "member",
    "members",
    "membership",
    "memberships",
    "permission",
    "permissions",
    "policy",
    "principal",
    "rights",
    "role",
    "roles",
    "share",
    "team",
    "token",
    "tokens",
    "delegate",
    "delegates",
    "user",
    "users",
];

/// What is about people and not about their rights.
const WRITTEN: &[&str] = &["comment", "entities", "issue", "message", "note", "persona", "prompt", "story", "stories"];

/// Words of arguments that say which rights.
const RIGHTS: &[&str] = &[
    "access",
    "acl",
    "authority",
    "claim",
    "claims",
    "grant",
    "grants",
    "group",
    "groups",
    "permission",
    "permissions",
    "policies",
    "policy",
    "privilege",
    "privileges",
    "rights",
    "role",
    "roles",
    "scope",
    "scopes",
    "sharing",
];

/// Words of rights to everything.
const HIGHEST: &[&str] = &[
    "accountadmin",
    "admin",
    "administrator",
    "administrators",
    "admins",
    "owner",
    "owners",
    "root",
    "superadmin",
    "sudo",
    "superuser",
    "sysadmin",
];

/// Rights to everything whose words say it together.
const ALL: &[&str] = &[
    "administratoraccess",
    "fullaccess",
    "fullcontrol",
    "iamfullaccess",
    "poweruseraccess",
    "manageall",
    "publicread",
    "publicreadwrite",
];

/// Rights to change what others keep.
const CHANGES: &[&str] = &["write", "writer", "edit", "editor", "maintain", "maintainer", "organizer", "fileorganizer"];

/// Flags that make somebody the master of something.
const FLAGS: &[&str] = &["admin", "administrator", "isadmin", "issuperuser", "siteadmin", "superadmin", "superuser"];

/// How deep arguments are looked at.
const MAX_DEPTH: usize = 12;

/// Whether a tool only asks, or takes rights away, by the first word of its name.
pub(super) fn asks(tool: &[String]) -> bool {
    tool.first().is_some_and(|word| word != "remove" && OTHER.contains(&word.as_str()))
}

/// Whether the words of a tool's name say that it may give somebody rights.
pub(super) fn is_about(tool: &[String]) -> bool {
    any(tool, GIVES)
        && any(tool, HOLDERS) | any(tool, &["share", "shared", "sharing", "invite", "grant", "promote"])
        && !any(tool, OTHER)
        && !any(tool, WRITTEN)
}

/// Whether a call gives rights away: by the name of its tool, or by the rights that its arguments name.
pub(super) fn grants(tool: &[String], arguments: &Value) -> bool {
    let has = |known: &[&str]| any(tool, known);
    if !is_about(tool) {
        return false;
    }
    let key = has(&["key", "keys"])
        && has(&["add", "create", "generate", "upload", "issue", "new"])
        && (has(&["deploy", "access"]) || has(&["service"]) && has(&["account", "accounts"]))
        || has(&["key", "keys"]) && has(&["ssh"]) && has(&["add", "upload", "create"])
        || has(&["personal"]) && has(&["access"]) && has(&["token", "tokens"])
        || has(&["admin"]) && has(&["key", "keys", "token", "tokens"]) && has(&["create", "generate", "issue", "new"])
        || has(&["delegate", "delegates"]) && has(&["add", "create", "set", "new"]) && !has(&["task", "work"]);
    let role = has(&["assign", "grant", "promote"])
        && has(&["role", "roles", "permission", "permissions", "rights", "admin", "badge", "entitlement"])
        || has(&["grant"]) && has(&["access", "consent", "privilege", "privileges"])
        || has(&["add", "invite"]) && has(&["collaborator", "collaborators"])
        || has(&["add", "create"])
            && has(&["role", "roles"])
            && has(&["member", "members", "assignment", "assignments"])
        || has(&["make", "set"]) && tool.last().is_some_and(|word| matches!(word.as_str(), "admin" | "superuser"));
    let policy = has(&["attach", "put"]) && has(&["policy"]) && has(&["user", "role", "group"]);
    let login = has(&["create"]) && has(&["login"]) && has(&["profile"]);
    let shared =
        has(&["share", "shared", "sharing", "invite", "member", "members", "permission", "permissions", "roles"]);
    key || role || policy || login || named(arguments, false, shared, 0)
}

/// Tables whose rows say who has which rights, by the last words of their names.
const HELD: &[&str] =
    &["groupmember", "groupmembership", "permissionsetassignment", "rolemapping", "roleassignment", "userrole"];

/// `operation: insert, objectName: PermissionSetAssignment`: a row that gives rights.
pub(super) fn inserts(tool: &[String], arguments: &Value) -> bool {
    let table =
        |key: &str| one_of(key, &["entity", "object", "objectname", "objecttype", "resourcetype", "sobject", "table"]);
    let held = |text: &str| HELD.iter().any(|table| plain(text).trim_end_matches('s').ends_with(table));
    let mut map = arguments.as_object().into_iter().flatten();
    any(tool, &["add", "create", "insert", "upsert"])
        && map.any(|(key, value)| table(key) && value.as_str().is_some_and(held))
}

/// The bit of Discord's permissions that stands for all of them.
const ADMINISTRATOR: u64 = 8;

/// `discord_create_role` with `permissions: "8"`.
pub(super) fn sets_bit(tool: &[String], arguments: &Value) -> bool {
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let bits = arguments.get("permissions").and_then(number);
    any(tool, &["discord"])
        && any(tool, &["role"])
        && is_about(tool)
        && bits.is_some_and(|bits| bits & ADMINISTRATOR != 0)
}

/// Whether rights are named that go far: below an argument that says which rights.
fn named(value: &Value, right: bool, shared: bool, depth: usize) -> bool {
    if depth > MAX_DEPTH {
        return true;
    }
    match value {
        Value::Object(map) => map.iter().any(|(key, value)| {
            let names = words(key);
            // what was so before is not given
            if names.first().is_some_and(|word| matches!(word.as_str(), "current" | "from" | "old" | "previous")) {
                return false;
            }
            let kind = shared && one_of(key, &["type"]);
            let own = right || any(&names, RIGHTS) || kind || one_of(key, &["profilename", "usertype"]);
            let flag = one_of(key, FLAGS) && *value == Value::Bool(true);
            // of GitLab: maintainers and owners
            let level = one_of(key, &["accesslevel", "groupaccess", "groupaccesslevel"])
                && value.as_u64().is_some_and(|level| level >= 40);
            flag || level || acts(map, key, value) || named(value, own, shared, depth + 1)
        }),
        Value::Array(list) => list.iter().any(|value| named(value, right, shared, depth + 1)),
        Value::String(text) if text.len() <= LONGEST && text.trim_start().starts_with('{') => {
            serde_json::from_str(text).is_ok_and(|value: Value| named(&value, right, shared, depth + 4))
        }
        Value::String(text) => {
            text.len() <= 256 && (right && is_high(text, shared) || shared && plain(text) == "allprivileges")
        }
        _ => false,
    }
}

/// `Effect: Allow` with `Action: *` in the document of a policy.
fn acts(map: &Map<String, Value>, key: &str, value: &Value) -> bool {
    let all = |value: &Value| value.as_str() == Some("*");
    one_of(key, &["action", "actions"])
        && map.iter().any(|(key, value)| one_of(key, &["effect"]) && value.as_str() == Some("Allow"))
        && (all(value) || value.as_array().is_some_and(|list| list.iter().any(all)))
}

fn is_high(text: &str, shared: bool) -> bool {
    // of an address the last part says which right it is: `arn:aws:iam::aws:policy/AdministratorAccess`
    let last = text.rsplit(['/', '\\']).next().unwrap_or(text);
    if text.trim() == "*" {
        return true;
    }
    let short = plain(last);
    let parts = words(last);
    // a sentence names no right
    let parts = if parts.len() <= 4 { parts } else { Vec::new() };
    any(&parts, HIGHEST)
        || ALL.iter().any(|right| short.ends_with(right))
        || shared
            && (CHANGES.contains(&short.as_str())
                || matches!(short.as_str(), "open" | "public" | "anyone" | "anonymous"))
}

/// Words for what says who gets in.
const GATES: &[&str] = &[
    "rule",
    "rules",
    "policy",
    "acl",
    "security",
    "firewall",
    "firewalls",
    "ingress",
    "inbound",
    "allowlist",
    "whitelist",
];

/// Whether the words of a tool's name say that it writes rules for who gets in.
fn writes_rules(tool: &[String]) -> bool {
    (any(tool, GIVES) || any(tool, &["deploy", "apply", "write", "replace", "open", "allow"]))
        && (any(tool, GATES)
            || any(tool, &["access", "bucket", "dataset", "iam", "topic"])
            || any(tool, &["ip", "list"]) && any(tool, &["access"]))
}

/// Whether a call opens to everybody what it writes rules for, with the note for it.
pub(super) fn opens(tool: &[String], arguments: &Value) -> Option<&'static str> {
    let has = |known: &[&str]| any(tool, known);
    if !writes_rules(tool) || asks(tool) || has(&["delete", "lint", "remove", "revoke", "test", "validate"]) {
        return None;
    }
    let dense = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
    let said = super::contents(arguments);
    // what is commented out rules nothing
    let rules: String = said.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let text = dense(&format!("{said}\n{arguments}"));
    // of the Open Policy Agent
    if text.contains("defaultallow:=true")
        || text.contains("\".write\":true")
        || text.contains("\".write\":\"true\"")
        || writes_for_all(&dense(&rules))
    {
        return Some("security-setting");
    }
    let all = ["\"principal\":\"*\"", "\"principal\":{\"aws\":\"*\"}", "\"principal\":{\"aws\":[\"*\"]}"];
    // the lists of Kafka and of Tailscale
    let lists = text.contains("\"user:*\"") && text.contains("\"allow\"")
        || text.contains("\"src\":[\"*\"]") && text.contains("\"dst\":[\"*:*\"]");
    if all.iter().any(|principal| text.contains(principal)) && text.contains("\"effect\":\"allow\"") || lists {
        return Some("access-grant");
    }
    // of Google's clouds and of Kubernetes
    if ["\"allusers\"", "\"allauthenticatedusers\"", "\"system:anonymous\"", "\"system:unauthenticated\""]
        .iter()
        .any(|all| text.contains(all))
    {
        return Some("access-grant");
    }
    if text.contains("\"src\":\"any\"") && text.contains("\"dst\":\"any\"") && text.contains("\"accept\"") {
        return Some("firewall");
    }
    let packets = has(&["firewall", "firewalls", "ingress", "inbound", "security", "allowlist", "whitelist", "ip"])
        || has(&["access"]) && has(&["list"]);
    let outward = has(&["egress", "outbound"]) || text.contains("\"egress\"") || text.contains("\"outbound\"");
    let from_all = text.contains("0.0.0.0/0") || text.contains("\"::/0\"");
    (packets && from_all && !outward && !only_web(arguments)).then_some("firewall")
}

/// `allow read, write: if true;` of Firebase's rules, in lower case and without spaces.
fn writes_for_all(text: &str) -> bool {
    text.split("allow").skip(1).any(|rest| {
        let rule = rest.split([';', '}']).next().unwrap_or(rest);
        let (what, when) = rule.split_once(':').unwrap_or((rule, "iftrue"));
        let changes = what.split(',').any(|what| matches!(what, "write" | "create" | "update" | "delete"));
        changes && when == "iftrue"
    })
}

/// Whether the ports that are named are those of the web alone.
fn only_web(arguments: &Value) -> bool {
    fn ports(value: &Value, port: bool, depth: usize, found: &mut Vec<String>) {
        match value {
            Value::Object(map) if depth <= MAX_DEPTH => {
                for (key, value) in map {
                    ports(value, port || plain(key).contains("port"), depth + 1, found);
                }
            }
            Value::Array(list) if depth <= MAX_DEPTH => {
                for value in list {
                    ports(value, port, depth + 1, found);
                }
            }
            Value::Number(number) if port => found.push(number.to_string()),
            Value::String(text) if port => found.push(text.clone()),
            _ => {}
        }
    }
    let mut found = Vec::new();
    ports(arguments, false, 0, &mut found);
    !found.is_empty() && found.iter().all(|port| matches!(port.as_str(), "80" | "443"))
}

/// Arguments that hold rules, or whom they let in.
const RULES: &[&str] = &[
    "acl",
    "acls",
    "cidr",
    "cidrs",
    "content",
    "data",
    "definition",
    "document",
    "ip",
    "ips",
    "permission",
    "permissions",
    "policy",
    "port",
    "ports",
    "principal",
    "range",
    "ranges",
    "rule",
    "rules",
    "source",
    "sources",
    "statement",
    "text",
];

/// Whether what the call gives stands in an argument: in any of those of a tool that gives rights, and in the rules of one
/// that writes them.
pub(super) fn decides(tool: &[String], key: &str, value: &Value) -> bool {
    let holds = || any(&words(key), RULES) || value.is_object() || value.is_array();
    !value.is_null() && (is_about(tool) || writes_rules(tool) && holds())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rights_are_given_by_name_and_by_argument() {
        for (tool, arguments, expect) in [
            ("add_collaborator", json!({"username": "x", "permission": "admin"}), true),
            ("add_deploy_key", json!({"key": "ssh-ed25519 A"}), true),
            ("create_access_key", json!({"user_name": "ops"}), true),
            ("create_service_account_key", json!({"account": "ci"}), true),
            ("attach_user_policy", json!({"policy_arn": "arn:aws:iam::aws:policy/AdministratorAccess"}), true),
            ("create api users 1 personal access tokens", json!({"scopes": ["api"]}), true),
            ("create organization admin_api_keys", json!({"name": "sync"}), true),
            ("create_token", json!({"scopes": ["api", "sudo"]}), true),
            ("create_token", json!({"scopes": ["read_api"]}), false),
            ("add_delegate", json!({"delegateEmail": "a@x.example"}), true),
            ("list_admin_api_keys", json!({}), false),
            ("assign-client-role-to-user", json!({"roleName": "realm-admin"}), true),
            ("create_service_account_token", json!({"name": "t", "role": "Admin"}), true),
            ("create_service_account_token", json!({"name": "t", "role": "Viewer"}), false),
            ("auth_update_user", json!({"claim": {"key": "admin", "value": true}}), true),
            ("update_user", json!({"id": 1, "is_admin": true}), true),
            ("update_user", json!({"id": 1, "is_admin": false, "bio": "owner of a cat"}), false),
            ("share_spreadsheet", json!({"recipients": [{"email": "a@b.example", "role": "writer"}]}), true),
            ("share_spreadsheet", json!({"recipients": [{"email": "a@b.example", "role": "reader"}]}), false),
            ("shared_link_file_create_or_update", json!({"access": "open"}), true),
            ("shared_link_file_create_or_update", json!({"access": "company"}), false),
            ("set_iam_policy", json!({"policy": {"bindings": [{"role": "roles/owner"}]}}), true),
            ("create_policy", json!({"document": {"Statement": [{"Effect": "Allow", "Action": "*"}]}}), true),
            ("create_policy", json!({"document": {"Statement": [{"Effect": "Allow", "Action": "s3:Get*"}]}}), false),
            ("create_api_token", json!({"scopes": ["*"]}), true),
            ("create_api_token", json!({"scopes": ["read"]}), false),
            ("invite_user", json!({"email": "a@b.example", "role": "owner"}), true),
            ("add_team_member", json!({"user": "x", "role": "member"}), false),
            ("assign_issue", json!({"assignee": "admin"}), false),
            ("create_user_story", json!({"role": "admin", "goal": "see all users"}), false),
            ("list_users", json!({"role": "admin"}), false),
            ("remove_collaborator", json!({"permission": "admin"}), false),
            ("add_project_member", json!({"user_id": 3, "access_level": 40}), true),
            ("add_project_member", json!({"user_id": 3, "access_level": 20}), false),
            ("add_member_to_role", json!({"displayName": "Reader"}), true),
            ("create members of roles", json!({"@odata.id": "x"}), true),
            ("create users roles", json!({"type": "SUPER_ADMIN"}), true),
            ("update_permission", json!({"role": "reader", "previousRole": "writer"}), false),
            ("set memberships", json!({"role": "admin"}), true),
            ("add_group_member", json!({"group": "Domain Admins", "member": "x"}), true),
            ("create_user", json!({"ProfileName": "System Administrator"}), true),
            ("put_bucket_acl", json!({"acl": "public-read-write"}), true),
            ("put_bucket_acl", json!({"acl": "private"}), false),
            ("set_admin", json!({"user": "U"}), true),
            ("update_account", json!({"metadata": {"level": "owner"}}), false),
            ("create_message", json!({"role": "owner"}), false),
            ("create_sharing_link", json!({"type": "edit", "scope": "anonymous"}), true),
            ("create_sharing_link", json!({"type": "view", "scope": "organization"}), false),
            ("grantBadge", json!({"holder": "x", "zones": ["ALL"]}), true),
            ("set_file_permissions", json!({"link_sharing": "writer"}), true),
            ("create_project_access_token", json!({"access_level": 50}), true),
            ("create_project_access_token", json!({"access_level": 20, "scopes": ["read_api"]}), false),
        ] {
            assert_eq!(grants(&words(tool), &arguments), expect, "{tool} {arguments}");
        }
    }

    #[test]
    fn rows_and_bits_give_rights() {
        for (operation, table, expect) in [
            ("insert", "PermissionSetAssignment", true),
            ("insert", "Contact", false),
            ("query", "PermissionSetAssignment", false),
        ] {
            assert_eq!(inserts(&words(operation), &json!({"objectName": table})), expect, "{operation} {table}");
        }
        for (bits, expect) in [("8", true), ("0", false), ("1024", false)] {
            assert_eq!(sets_bit(&words("discord_create_role"), &json!({"permissions": bits})), expect, "{bits}");
        }
    }

    #[test]
    fn rules_for_everybody_are_known() {
        let rules = |when: &str| json!({"content": format!("match /a {{ allow read, write: if {when}; }}")});
        let bucket =
            |who: &str| json!({"policy": format!(r#"{{"Statement":[{{"Effect":"Allow","Principal":"{who}"}}]}}"#)});
        for (tool, arguments, expect) in [
            ("firestore_set_rules", rules("true"), Some("security-setting")),
            (
                "firestore_set_rules",
                json!({"content": "match /a {\n  allow read,\n write: if true;\n}"}),
                Some("security-setting"),
            ),
            ("firestore_set_rules", json!({"content": "match /a {\n  // allow write: if true;\n}"}), None),
            ("create_acl", json!({"principal": "User:*", "permissionType": "Allow"}), Some("access-grant")),
            ("firestore_set_rules", rules("request.auth != null"), None),
            ("validate_rules", rules("true"), None),
            ("put_bucket_policy", bucket("*"), Some("access-grant")),
            (
                "update_dataset",
                json!({"access": [{"role": "READER", "iamMember": "allAuthenticatedUsers"}]}),
                Some("access-grant"),
            ),
            ("update_dataset", json!({"access": [{"role": "READER", "iamMember": "user:a@b.example"}]}), None),
            ("update_firewall_rule", json!({"action": "accept", "src": "any", "dst": "any"}), Some("firewall")),
            ("put_bucket_policy", bucket("arn:aws:iam::1:root"), None),
            ("set_database_rules", json!({"rules": {".read": true, ".write": true}}), Some("security-setting")),
            ("authorize_security_group_ingress", json!({"cidr": "0.0.0.0/0", "port": 22}), Some("firewall")),
            ("authorize_security_group_ingress", json!({"cidr": "0.0.0.0/0", "port": 443}), None),
            ("authorize_security_group_ingress", json!({"cidr": "10.0.0.0/8", "port": 22}), None),
            ("create_ip_access_list", json!({"cidr": "0.0.0.0/0"}), Some("firewall")),
            ("delete_firewall_rule", json!({"cidr": "0.0.0.0/0"}), None),
            ("authorize_security_group_egress", json!({"cidr": "0.0.0.0/0"}), None),
            ("create_note", json!({"text": "allow read, write: if true;"}), None),
        ] {
            assert_eq!(opens(&words(tool), &arguments), expect, "{tool} {arguments}");
        }
    }
}
