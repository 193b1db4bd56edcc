//! What a call does that is told by the words of its tool together with some of its arguments.

use rampart_shell::verbs::any;
use serde_json::{Map, Value};

use super::said::{one_of, plain};

/// `git_reset` with `mode: hard`, `git_push` with `force: true`, `git_checkout` with `--` and a dot, `git_stash` with
/// `mode: clear`.
pub(super) fn discards(words: &[String], arguments: &Value) -> bool {
    let has = |word: &str| words.iter().any(|w| w == word);
    let Some(map) = arguments.as_object() else { return has("stash") && (has("clear") || has("drop")) };
    let given = |wanted: &str| {
        let says = |text: &str| text.trim_start_matches('-') == wanted;
        map.iter().any(|(key, value)| match value {
            Value::Bool(true) => plain(key) == wanted,
            Value::String(text) => says(text),
            Value::Array(list) => list.iter().filter_map(Value::as_str).any(says),
            _ => false,
        })
    };
    let forced = || ["force", "f", "d", "D", "forcedelete"].iter().any(|flag| given(flag));
    let everything =
        || map.values().filter_map(Value::as_array).any(|list| list.iter().any(|v| v.as_str() == Some(".")));
    // `+main` overwrites what is there, `:main` deletes it
    let moved = || {
        let refs = map.iter().filter(|(key, _)| one_of(key, &["refspec", "refspecs", "ref", "refs", "branch"]));
        let moves = |value: &Value| value.as_str().is_some_and(|text| text.starts_with(['+', ':']));
        refs.map(|(_, value)| value)
            .any(|value| moves(value) || value.as_array().is_some_and(|all| all.iter().any(moves)))
    };
    let over = has("checkout") || has("restore") || has("switch");
    let gone = || any(words, &["delete", "remove"]);
    has("reset") && given("hard")
        || (has("push") || has("clean") || over) && forced()
        || over && everything()
        || has("stash") && (has("clear") || has("drop"))
        || (has("branch") || has("worktree")) && gone() && forced()
        || has("push")
            && (given("forcewithlease") || given("delete") || given("deletebranch") || given("deleteremote") || moved())
}

/// `method: DELETE, path: /repos/a/b`: a request whose host the tool knows.
pub(super) fn asks_deletion(arguments: &Value) -> bool {
    const WHERE: &[&str] = &["apipath", "endpoint", "path", "resource", "route", "uri"];
    let Some(map) = arguments.as_object() else { return false };
    // `POST /loki/api/v1/delete`
    let ends = || {
        let places = map.iter().filter(|(key, _)| one_of(key, WHERE)).filter_map(|(_, value)| value.as_str());
        places.map(|place| place.rsplit('/').next().unwrap_or("")).any(|last| matches!(last, "delete" | "destroy"))
    };
    // a word in capitals is HTTP's, whatever the argument is called
    let deletes = |(key, value): (&String, &Value)| {
        let text = value.as_str().unwrap_or("");
        key == "method" && (text.eq_ignore_ascii_case("delete") || text == "POST" && ends())
            || one_of(key, &["httpmethod", "operation", "verb"]) && text == "DELETE"
    };
    let asked = || map.iter().any(|(key, value)| value.is_string() && one_of(key, WHERE));
    let local = || {
        let near = |text: &str| text.contains("localhost") || text.contains("127.0.0.1");
        map.values().filter_map(Value::as_str).any(near)
    };
    map.iter().any(deletes) && !map.contains_key("url") && asked() && !local()
}

/// `fun: cmd.run, arg: [LINE]` of Salt: what its minions run.
pub(super) fn salt(map: &Map<String, Value>) -> Option<String> {
    let function = map.get("fun")?.as_str()?;
    let words = match map.get("arg")? {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Value::String(line) => line.clone(),
        _ => return None,
    };
    match function {
        "cmd.run" | "cmd.shell" | "cmd.run_all" | "cmd.run_stdout" => Some(words),
        // a script that comes from an address
        "cmd.script" if words.contains("://") => Some(format!("curl {words} | sh")),
        _ => None,
    }
}

/// `mode: Complete` of a deployment: what its template leaves out is deleted (Azure Resource Manager).
pub(super) fn completes(arguments: &Value) -> bool {
    match arguments {
        Value::Object(map) => map.iter().any(|(key, value)| {
            key == "mode" && value.as_str().is_some_and(|mode| mode.eq_ignore_ascii_case("complete"))
                || key == "properties" && completes(value)
        }),
        _ => false,
    }
}

/// `replace_group` with `members: []`: nobody is left.
pub(super) fn empties(words: &[String], arguments: &Value) -> bool {
    fn none(value: &Value, depth: usize) -> bool {
        const WHO: &[&str] = &["items", "members", "owners", "principals", "users"];
        value.as_object().into_iter().flatten().any(|(key, value)| {
            let empty = value.as_array().is_some_and(Vec::is_empty);
            empty && one_of(key, WHO) || depth < 3 && none(value, depth + 1)
        })
    }
    any(words, &["overwrite", "put", "replace"]) && none(arguments, 0)
}

/// `update_repository` with `visibility: public` or `private: false`: what was seen by few is seen by all.
pub(super) fn publishes(words: &[String], arguments: &Value) -> bool {
    let has = |known: &[&str]| any(words, known);
    let changes = ["changes", "fields", "patch", "settings"].iter().find_map(|key| arguments.get(*key));
    let opens = [Some(arguments), changes].into_iter().flatten().filter_map(Value::as_object).any(|map| {
        map.get("private") == Some(&Value::Bool(false))
            || map.get("public") == Some(&Value::Bool(true))
            || map.get("visibility").and_then(Value::as_str).is_some_and(|v| v.eq_ignore_ascii_case("public"))
    });
    fn anyone(value: &Value, depth: usize) -> bool {
        match value {
            Value::String(text) => text == "anyone" || text == "anonymous",
            Value::Object(map) if depth < 6 => map.values().any(|value| anyone(value, depth + 1)),
            Value::Array(list) if depth < 6 => list.iter().any(|value| anyone(value, depth + 1)),
            _ => false,
        }
    }
    if anyone(arguments, 0) && has(&["link", "links", "share", "sharing", "permission", "permissions"]) {
        return true;
    }
    // `files_sharedPublicURL`: a link for everybody
    let link = has(&["public"])
        && has(&["dashboard", "dashboards", "link", "shared", "url"])
        && has(&["create", "enable", "make", "share", "shared"]);
    let made = has(&["make"]) && has(&["public"]);
    if (link || made) && !has(&["disable", "get", "list", "remove", "revoke", "search", "unshare"]) {
        return true;
    }
    opens && has(&["update", "edit", "set", "change", "patch", "modify", "visibility"]) && !has(&["create"])
}

/// `get_secret`, `read_password`: the tool hands out what a vault keeps.
pub(super) fn reveals(words: &[String], arguments: &Value) -> bool {
    const PLAINLY: &[&str] =
        &["decrypt", "includesecretvalues", "reveal", "showsecrets", "viewsecretvalue", "withdecryption"];
    let plainly =
        |map: &Map<String, Value>| map.iter().any(|(key, value)| one_of(key, PLAINLY) && *value == Value::Bool(true));
    if arguments.as_object().is_some_and(plainly) {
        return true;
    }
    let any = |known: &[&str]| any(words, known);
    any(&["get", "read", "show", "reveal", "fetch", "access", "retrieve", "export"])
        && any(&["secret", "password", "passwords", "credential", "credentials"])
        && !any(&["list", "scanning", "alert", "alerts", "names", "metadata", "policy", "reset", "rotation", "form"])
}

/// Words of servers whose variables hold the keys of what is built or run there.
const BUILDERS: &[&str] =
    &["bitbucket", "circleci", "gitlab", "heroku", "netlify", "railway", "render", "semaphore", "teamcity", "vercel"];

/// `list_project_variables` of GitLab: their values come with them.
pub(super) fn reads_variables(server: &[String], words: &[String]) -> bool {
    let held = any(words, &["variable", "variables"]) || any(words, &["config"]) && any(words, &["vars"]);
    any(words, &["export", "get", "list", "pull"]) && held && (any(server, BUILDERS) || any(words, BUILDERS))
}

/// Words of servers that keep passwords, and names of some whole.
const KEEPERS: &[&str] = &[
    "1password",
    "onepassword",
    "bitwarden",
    "bw",
    "dashlane",
    "doppler",
    "infisical",
    "keepass",
    "keepassxc",
    "keeper",
    "lastpass",
    "passbolt",
    "secretsmanager",
    "vault",
    "vaultwarden",
];

/// What those keep.
const ENTRIES: &[&str] = &[
    "attachment",
    "credential",
    "credentials",
    "entry",
    "field",
    "item",
    "items",
    "kv",
    "login",
    "notes",
    "otp",
    "password",
    "passwords",
    "secret",
    "secrets",
    "token",
    "totp",
];

/// Arguments of such a server that say what is asked for.
pub(super) const ENTRY: &[&str] = &["field", "fields", "object", "objecttype", "type"];

/// `get_item` of 1Password, `get` of Bitwarden with `object: password`: what a server that keeps passwords hands out.
pub(super) fn keeps(server: &[String], words: &[String], arguments: &Value) -> bool {
    // `obsidian-vault` is a folder of notes
    let keeper = (any(server, KEEPERS) || server == ["op"]) && !any(server, &["obsidian", "notes"]);
    let hands_out =
        any(words, &["get", "read", "show", "reveal", "fetch", "retrieve", "export", "view", "copy", "download"]);
    // `op://vault/item/field`, and the paths of Vault's engines
    let path = |text: &str| {
        let begins = ["op://", "secret/", "kv/"].iter().any(|start| text.trim_start_matches('/').starts_with(start));
        begins || text.contains("/data/") || text.contains("/creds/")
    };
    let kept = || {
        let says = |value: &Value| value.as_str().is_some_and(|text| ENTRIES.contains(&plain(text).as_str()));
        let map = arguments.as_object();
        let mut asked = map.into_iter().flatten().filter(|(key, value)| one_of(key, ENTRY) && value.is_string());
        let mut texts = map.into_iter().flatten().filter_map(|(_, value)| value.as_str());
        any(words, ENTRIES) || any(words, &["export"]) || texts.any(path) || asked.any(|(_, value)| says(value))
    };
    let other = ["list", "names", "metadata", "policy", "policies", "count", "template", "status", "history"];
    keeper && hands_out && kept() && !any(words, &other)
}

/// What everybody gets once it is published.
const PUBLISHED: &[&str] = &[
    "chart",
    "crate",
    "extension",
    "gem",
    "image",
    "library",
    "module",
    "package",
    "packages",
    "plugin",
    "provider",
    "release",
    "wheel",
];

/// Words for what packages are published with.
const REGISTRIES: &[&str] = &[
    "cargo",
    "crates",
    "jsr",
    "marketplace",
    "webstore",
    "maven",
    "npm",
    "nuget",
    "ovsx",
    "pnpm",
    "pypi",
    "rubygems",
    "vsce",
    "yarn",
];

/// Whether the words say that a package, image or release is published.
fn is_publishing(server: &[String], words: &[String]) -> bool {
    let known = any(words, REGISTRIES) || any(server, REGISTRIES);
    (any(words, &["publish"]) && (any(words, PUBLISHED) || known) || any(words, &["upload"]) && known)
        && !words.first().is_some_and(|word| matches!(word.as_str(), "get" | "list" | "check" | "can" | "validate"))
}

/// `npm_publish`, `publish_package`, unless it is only tried.
pub(super) fn publishes_package(server: &[String], words: &[String], arguments: &Value) -> bool {
    let tried = arguments
        .as_object()
        .is_some_and(|map| map.iter().any(|(key, value)| one_of(key, &["dryrun"]) && *value == Value::Bool(true)));
    is_publishing(server, words) && !tried
}

/// Whether what is published stands in an argument.
pub(super) fn says_publishing(server: &[String], words: &[String], key: &str) -> bool {
    is_publishing(server, words)
        && one_of(key, &["access", "dryrun", "name", "package", "packagename", "registry", "tag", "version"])
}

/// Arguments that name a module of Ansible, and those that hold its own.
pub(super) const MODULE: (&[&str], &[&str]) = (&["module", "modulename"], &["args", "moduleargs"]);

/// What a module of Ansible is told to do: a command, or that something is gone.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Module {
    Runs(String),
    Removes,
}

/// `module: shell, args: ..`: a module of Ansible, ad hoc.
pub(super) fn module(map: &Map<String, Value>) -> Option<Module> {
    let find = |keys: &[&str]| map.iter().find(|(key, _)| one_of(key, keys)).map(|(_, value)| value);
    let (name, told) = (find(MODULE.0)?.as_str()?, find(MODULE.1)?);
    let argument = |key: &str| {
        let line = told.as_str().unwrap_or("");
        let word = || line.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        told.get(key).and_then(Value::as_str).or_else(word)
    };
    match name.rsplit('.').next().unwrap_or(name) {
        "shell" | "command" | "raw" | "script" | "win_shell" | "win_command" => {
            let line =
                told.as_str().or_else(|| ["cmd", "_raw_params"].iter().find_map(|key| told.get(*key)?.as_str()))?;
            let line = line.trim();
            Some(Module::Runs(line.strip_prefix("cmd=").unwrap_or(line).to_owned()))
        }
        _ if argument("state") == Some("absent") => Some(Module::Removes),
        _ => None,
    }
}

/// Arguments that name the kind of a cluster's object.
pub(super) const KIND: &[&str] = &["kind", "resource", "resourcekind", "resourcetype"];

/// `resources_get` with `kind: Secret`: the object is shown with what it holds, unless only its name is asked for.
pub(super) fn reveals_kind(words: &[String], arguments: &Value) -> bool {
    let gets = any(words, &["get", "read", "show", "view", "fetch", "export"]);
    let Some(map) = arguments.as_object().filter(|_| gets) else { return false };
    let text = |keys: &[&str]| map.iter().filter(|(key, _)| one_of(key, keys)).find_map(|(_, value)| value.as_str());
    let secret = text(KIND).is_some_and(|kind| {
        let kind = kind.to_ascii_lowercase();
        kind.split(['/', '.', ',']).any(|part| part == "secret" || part == "secrets")
    });
    secret
        && !text(&["output", "outputformat", "format"])
            .is_some_and(|output| matches!(output, "name" | "wide" | "table"))
}

/// `compose_down` with `volumes: true`: what containers kept goes with them.
pub(super) fn prunes(words: &[String], arguments: &Value) -> bool {
    let given = |key: &str| arguments.get(key) == Some(&Value::Bool(true));
    any(words, &["down", "prune"]) && (given("volumes") || given("remove_volumes"))
}

/// Words for what mail goes through.
pub(super) const FILTERS: &[&str] = &["filter", "filters", "rule", "rules", "forwarding"];

/// `create_filter` with `forward: a@b.example`: from now on somebody else gets a mailbox's mail.
pub(super) fn forwards(words: &[String], arguments: &Value) -> bool {
    let sets = any(words, &["add", "create", "enable", "new", "set", "update"]);
    sets && any(words, FILTERS) && hands_on(arguments, false, 0)
}

fn hands_on(value: &Value, forward: bool, depth: usize) -> bool {
    match value {
        Value::Object(map) if depth < 8 => map.iter().any(|(key, value)| {
            let key = key.to_ascii_lowercase();
            hands_on(value, forward || key.contains("forward") || key.contains("redirect"), depth + 1)
        }),
        Value::Array(list) if depth < 8 => list.iter().any(|value| hands_on(value, forward, depth + 1)),
        Value::String(text) => forward && text.contains('@'),
        _ => false,
    }
}

/// Arguments that name a setting, and those that give it a value.
pub(super) const SETTING: (&[&str], &[&str]) =
    (&["configkey", "key", "name", "setting"], &["configvalue", "newvalue", "value"]);

/// `git_set_config` with `key: core.sshCommand`: the words behind `git`.
pub(super) fn sets_git(words: &[String], arguments: &Value) -> Option<Vec<String>> {
    let map = arguments.as_object().filter(|_| any(words, &["config", "setting", "settings"]))?;
    let text = |keys: &[&str]| map.iter().filter(|(key, _)| one_of(key, keys)).find_map(|(_, value)| value.as_str());
    let (key, value) = (text(SETTING.0)?, text(SETTING.1)?);
    Some(["config", "--", key, value].map(str::to_owned).to_vec())
}

/// Options of browsers that name a program which the browser starts.
const STARTS: &[&str] = &[
    "--browser-subprocess-path",
    "--gpu-launcher",
    "--plugin-launcher",
    "--ppapi-plugin-launcher",
    "--renderer-cmd-prefix",
    "--utility-cmd-prefix",
    "--zygote-cmd-prefix",
];

/// Whether the options of a browser make it start a program.
pub(super) fn starts_programs(map: &Map<String, Value>) -> bool {
    let lists =
        map.iter().filter(|(key, _)| key.to_ascii_lowercase().contains("arg")).filter_map(|(_, v)| v.as_array());
    lists.flatten().filter_map(Value::as_str).any(|option| {
        let name = option.split(['=', ' ']).next().unwrap_or(option);
        STARTS.contains(&name)
    })
}

#[cfg(test)]
mod tests {
    use rampart_shell::verbs::words;
    use serde_json::json;

    use super::*;

    #[test]
    fn work_is_thrown_away() {
        for (tool, arguments, expect) in [
            ("git_reset", json!({"mode": "hard"}), true),
            ("git_reset", json!({"args": ["--hard", "HEAD"]}), true),
            ("git_push", json!({"force": true}), true),
            ("git_push", json!({"force": false}), false),
            ("git_push", json!({"refspec": "+main"}), true),
            ("git_push", json!({"refspecs": ["+HEAD:refs/heads/main"]}), true),
            ("git_push", json!({"refspecs": ["HEAD:refs/heads/topic"]}), false),
            ("git_push", json!({"branch": "main", "deleteBranch": true}), true),
            ("git_reset", json!({"repo_path": "."}), false),
            ("git_checkout", json!({"args": ["--", "."]}), true),
            ("git_checkout", json!({"repo_path": ".", "branch_name": "x"}), false),
            ("git_stash clear", json!({"path": "."}), true),
            ("git_stash push", json!({"path": "."}), false),
            ("git_branch delete", json!({"name": "x", "forceDelete": true}), true),
            ("git_branch delete", json!({"name": "x"}), false),
        ] {
            assert_eq!(discards(&words(tool), &arguments), expect, "{tool} {arguments}");
        }
    }

    #[test]
    fn keepers_of_passwords_hand_them_out() {
        for (server, tool, arguments, expect) in [
            ("1password", "get_item", json!({"item": "prod db"}), true),
            ("bitwarden", "get", json!({"object": "password", "id": "1"}), true),
            ("bitwarden", "get", json!({"object": "folder", "id": "1"}), false),
            ("doppler", "secrets_get", json!({"name": "K"}), true),
            ("doppler", "secrets_list_names", json!({}), false),
            ("hashicorp-vault", "list_mounts", json!({}), false),
            ("obsidian-vault", "get_item", json!({"path": "a"}), false),
            ("dynamodb", "get_item", json!({"key": "a"}), false),
            ("lastpass", "export_vault", json!({"format": "csv"}), true),
            ("op", "read_item", json!({}), true),
            ("vault", "vault_read", json!({"path": "secret/data/prod"}), true),
            ("vault", "vault_read", json!({"path": "sys/health"}), false),
            ("1password", "resolve_and_read", json!({"reference": "op://prod/db/password"}), true),
        ] {
            assert_eq!(keeps(&words(server), &words(tool), &arguments), expect, "{server} {tool} {arguments}");
        }
    }

    #[test]
    fn packages_are_published() {
        for (tool, arguments, expect) in [
            ("npm publish", json!({"path": "."}), true),
            ("publish_package", json!({}), true),
            ("publish_release", json!({"tag": "v1"}), true),
            ("npm_publish", json!({"dryRun": true}), false),
            ("publish_wheel", json!({}), true),
            ("pypi upload_package", json!({}), true),
            ("upload_file", json!({}), false),
            ("publish_message", json!({"topic": "a"}), false),
            ("get_publish_package_status", json!({}), false),
            ("unpublish_package", json!({}), false),
        ] {
            assert_eq!(publishes_package(&[], &words(tool), &arguments), expect, "{tool} {arguments}");
        }
    }

    #[test]
    fn modules_are_told_what_to_do() {
        for (arguments, expect) in [
            (json!({"module": "shell", "args": "rm -rf /"}), Some(Module::Runs("rm -rf /".to_owned()))),
            (
                json!({"module": "ansible.builtin.command", "args": {"cmd": "uptime"}}),
                Some(Module::Runs("uptime".to_owned())),
            ),
            (json!({"module": "file", "args": "path=/var/lib/x state=absent"}), Some(Module::Removes)),
            (json!({"module": "file", "args": {"path": "/var/lib/x", "state": "absent"}}), Some(Module::Removes)),
            (json!({"module": "file", "args": "path=/var/lib/x state=directory"}), None),
            (json!({"module": "setup"}), None),
            (json!({"module": "ping", "args": ""}), None),
        ] {
            assert_eq!(arguments.as_object().and_then(module), expect, "{arguments}");
        }
    }

    #[test]
    fn requests_without_a_host_are_known() {
        for (arguments, expect) in [
            (json!({"method": "DELETE", "path": "/repos/a/b"}), true),
            (json!({"method": "delete", "endpoint": "projects/1"}), true),
            (json!({"method": "POST", "endpoint": "/loki/api/v1/delete"}), true),
            (json!({"operation": "DELETE", "path": "/v1/customers/1"}), true),
            (json!({"operation": "delete", "path": "src/a.rs"}), false),
            (json!({"method": "GET", "path": "/repos/a/b"}), false),
            (json!({"method": "DELETE", "path": "/items/1", "baseUrl": "http://localhost:3000"}), false),
            (json!({"method": "DELETE", "url": "https://x.example/"}), false),
        ] {
            assert_eq!(asks_deletion(&arguments), expect, "{arguments}");
        }
    }

    #[test]
    fn minions_run_what_they_are_told() {
        let line = |arguments: Value| arguments.as_object().and_then(salt);
        assert_eq!(line(json!({"fun": "cmd.run", "arg": ["uptime", "-p"]})), Some("uptime -p".to_owned()));
        assert!(
            line(json!({"fun": "cmd.script", "arg": ["http://x.example/a"]})).is_some_and(|line| line.contains("| sh"))
        );
        assert_eq!(line(json!({"fun": "test.ping", "arg": []})), None);
    }

    #[test]
    fn what_is_left_out_is_gone() {
        assert!(completes(&json!({"properties": {"mode": "Complete"}})) && completes(&json!({"mode": "complete"})));
        assert!(!completes(&json!({"properties": {"mode": "Incremental"}})));
        for (tool, arguments, expect) in [
            ("replace_resource", json!({"body": {"members": []}}), true),
            ("replace_resource", json!({"body": {"members": [{"value": "1"}]}}), false),
            ("search_groups", json!({"members": []}), false),
        ] {
            assert_eq!(empties(&words(tool), &arguments), expect, "{tool} {arguments}");
        }
    }

    #[test]
    fn what_few_saw_is_shown() {
        for (tool, arguments, expect) in [
            ("update_repository", json!({"visibility": "public"}), true),
            ("update_repository", json!({"changes": {"private": false}}), true),
            ("update_repository", json!({"private": true}), false),
            ("create_repository", json!({"private": false}), false),
            ("files_sharedPublicURL", json!({"file": "F1"}), true),
            ("files_revokePublicURL", json!({"file": "F1"}), false),
            ("make_public", json!({"file": "F1"}), true),
            ("get_public_url", json!({"path": "a"}), false),
            ("create_public_dashboard", json!({"uid": "a"}), true),
            ("create_sharing_link", json!({"type": "edit", "scope": "anonymous"}), true),
            ("create_sharing_link", json!({"type": "view", "scope": "organization"}), false),
        ] {
            assert_eq!(publishes(&words(tool), &arguments), expect, "{tool} {arguments}");
        }
        for (tool, expect) in [
            ("get_secret", true),
            ("keyvault keyvault_secret_get", true),
            ("read_password", true),
            ("list_secrets", false),
            ("get_secret_scanning_alert", false),
        ] {
            assert_eq!(reveals(&words(tool), &json!({})), expect, "{tool}");
        }
        for (server, tool, expect) in [
            ("gitlab", "list_project_variables", true),
            ("gitlab", "create_project_variable", false),
            ("figma", "get_variable_defs", false),
        ] {
            assert_eq!(reads_variables(&words(server), &words(tool)), expect, "{server} {tool}");
        }
        assert!(reveals(&words("projects_env"), &json!({"decrypt": true})));
        assert!(!reveals(&words("projects_env"), &json!({"decrypt": false})));
        for (tool, arguments, expect) in [
            ("resources_get", json!({"kind": "Secret"}), true),
            ("kubectl_get", json!({"resourceType": "secrets", "output": "yaml"}), true),
            ("kubectl_get", json!({"resourceType": "secrets", "output": "name"}), false),
            ("resources_get", json!({"kind": "ConfigMap"}), false),
            ("resources_list", json!({"kind": "Secret"}), false),
            ("explain_resource", json!({"resource": "secrets"}), false),
        ] {
            assert_eq!(reveals_kind(&words(tool), &arguments), expect, "{tool} {arguments}");
        }
        for (tool, arguments, expect) in [
            ("create_filter", json!({"action": {"forward": "a@b.example"}}), true),
            ("create_inbox_rule", json!({"actions": {"redirectTo": [{"address": "a@b.example"}]}}), true),
            ("create_filter", json!({"criteria": {"from": "a@b.example"}, "action": {"addLabelIds": ["X"]}}), false),
            ("create_firewall_rule", json!({"forward": true}), false),
            ("forward_email", json!({"forward_to": "a@b.example"}), false),
        ] {
            assert_eq!(forwards(&words(tool), &arguments), expect, "{tool} {arguments}");
        }
    }
}
