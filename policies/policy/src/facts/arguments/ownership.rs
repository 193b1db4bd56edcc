//! Calls that hand over what is owned, or what proves who owns it: applications, domains, and the keys of wallets.

use rampart_shell::verbs::any;
use serde_json::Value;

use super::{rights, said::one_of};

/// What has one owner.
const OWNED: &[&str] = &[
    "account",
    "app",
    "application",
    "apps",
    "doc",
    "document",
    "domain",
    "drive",
    "file",
    "folder",
    "org",
    "organisation",
    "organization",
    "owner",
    "ownership",
    "project",
    "projects",
    "repo",
    "repos",
    "repositories",
    "repository",
    "server",
    "site",
    "store",
    "subscription",
    "team",
    "workspace",
    "zone",
];

/// Arguments that say who owns it from now on.
const HEIRS: &[&str] = &[
    "destinationaccount",
    "email",
    "namespace",
    "neworganization",
    "newowner",
    "newowneremail",
    "newownerid",
    "owner",
    "owneremail",
    "recipient",
    "targetaccount",
    "targetowner",
    "targetuser",
    "toaccount",
    "touser",
    "transferownership",
];

/// Whether something is handed to another owner.
pub(super) fn hands_over(tool: &[String], arguments: &Value) -> bool {
    if rights::asks(tool) || any(tool, &["list", "cancel", "status", "accept", "reject", "lock"]) {
        return false;
    }
    let heir = |name: &[&str]| {
        arguments.as_object().into_iter().flatten().any(|(key, value)| one_of(key, name) && !value.is_null())
    };
    // `POST /repos/a/b/transfer`, `transfer_app`
    let moved = any(tool, &["transfer", "transfers", "handover", "reassign"]) && any(tool, OWNED);
    let owner = any(tool, &["ownership", "owner"]) && any(tool, &["change", "set", "update", "transfer", "give"]);
    moved && heir(HEIRS) || owner && heir(HEIRS) || heir(&["transferownership"]) && arguments.get("role").is_some()
}

/// Whether somebody signs what binds people, in whoever's name.
pub(super) fn signs(server: &[String], tool: &[String]) -> bool {
    const SIGNED: &[&str] = &["agreement", "behalf", "contract", "document", "envelope", "lease"];
    const DESKS: &[&str] = &["adobesign", "docusign", "dropboxsign", "hellosign", "pandadoc", "signnow"];
    let last = tool.last().is_some_and(|word| word == "sign");
    any(tool, &["countersign", "sign"])
        && !rights::asks(tool)
        && (any(tool, SIGNED) || any(server, DESKS) || last && any(server, SIGNED))
}

/// Whether a wallet shows with what its coins are spent, or a registrar with what a domain leaves.
pub(super) fn shows_keys(server: &[String], tool: &[String], arguments: &Value) -> bool {
    const PLAINLY: &[&str] = &[
        "exportprivatekey",
        "includemnemonic",
        "includeprivatekey",
        "includeprivatekeys",
        "includeseed",
        "revealprivatekey",
        "showmnemonic",
        "showprivatekey",
        "showseed",
    ];
    let plainly = arguments
        .as_object()
        .into_iter()
        .flatten()
        .any(|(key, value)| one_of(key, PLAINLY) && *value == Value::Bool(true));
    let shows = any(tool, &["backup", "dump", "export", "get", "reveal", "show", "view", "read"]);
    let named = any(tool, &["mnemonic", "privkey"])
        || any(tool, &["private"]) && any(tool, &["key", "keys"])
        || any(tool, &["seed", "recovery"]) && any(tool, &["phrase", "words"])
        || any(server, &["wallet", "ethereum", "solana", "bitcoin", "metamask"])
            && any(tool, &["secret", "keystore", "seed"]);
    // with it anybody takes a domain to another registrar (EPP, RFC 5731)
    let leaves = any(tool, &["transfer", "epp"])
        && any(tool, &["auth", "authorization", "authcode"])
        && any(tool, &["code", "authcode", "key"]);
    plainly || shows && (named || leaves) || any(tool, &["dumpprivkey", "dumpwallet"])
}

#[cfg(test)]
mod tests {
    use rampart_shell::verbs::words;
    use serde_json::json;

    use super::*;

    #[test]
    fn owners_change() {
        for (tool, arguments, expect) in [
            ("transfer_app", json!({"app": "api", "recipient": "a@x.example"}), true),
            ("transfer_repository", json!({"repo": "a", "new_owner": "x"}), true),
            ("set api v4 projects 1 transfer", json!({"namespace": "x"}), true),
            ("create repos a b transfer", json!({"new_owner": "x"}), true),
            ("change_document_owner", json!({"id": "1", "email": "a@x.example"}), true),
            ("share_file", json!({"role": "owner", "transferOwnership": true}), true),
            ("transfer_file", json!({"source": "a", "destination": "b"}), false),
            ("get_transfer_project", json!({"new_owner": "x"}), false),
            ("create_app", json!({"name": "api", "owner": "team"}), false),
            ("update_project", json!({"owner": "x"}), false),
        ] {
            assert_eq!(hands_over(&words(tool), &arguments), expect, "{tool} {arguments}");
        }
    }

    #[test]
    fn wallets_show_their_keys() {
        for (server, tool, arguments, expect) in [
            ("solana", "export_wallet", json!({"includePrivateKey": true}), true),
            ("x", "export_private_key", json!({}), true),
            ("x", "get_seed_phrase", json!({}), true),
            ("x", "dumpprivkey", json!({}), true),
            ("solana", "export_wallet", json!({"includePrivateKey": false}), false),
            ("x", "get_public_key", json!({}), false),
            ("faker", "get_seed", json!({}), false),
            ("x", "create_private_channel", json!({"key": "a"}), false),
        ] {
            assert_eq!(shows_keys(&words(server), &words(tool), &arguments), expect, "{server} {tool} {arguments}");
        }
    }
}
