//! What a tool does, as far as the words of its name and the shape of its arguments tell.

use rampart_call::EffectKind;
use rampart_shell::verbs::{any, destroys, is_kept};
use serde_json::{Map, Value};

use super::{
    deeds, files, guards, interpreters::interpreter, masses, pages, payments, queries, relays, rights, said, slight,
    tongues::words, variables,
};

/// Arguments that hold code, of a tool that runs code.
const CODE: [&str; 8] = ["apex", "code", "source", "snippet", "program", "expression", "function", "js"];

/// Arguments that hold what a request sends.
pub(super) const SENT: [&str; 4] = ["body", "data", "json", "payload"];

/// Arguments that hold what is typed, of a tool that types into a terminal.
const TYPED: [&str; 5] = ["input", "keys", "text", "data", "chars"];

/// Arguments that hold the words behind a program's name.
const WORDS: [&str; 4] = ["args", "arguments", "argv", "parameters"];

/// Servers that hand their commands to a program, which the commands leave out: the server's or tool's word, and the program.
const PROGRAMS: [(&str, &str); 19] = [
    ("aws", "aws"),
    ("terraform", "terraform"),
    ("opentofu", "tofu"),
    ("kubectl", "kubectl"),
    ("kubernetes", "kubectl"),
    ("k8s", "kubectl"),
    ("helm", "helm"),
    ("docker", "docker"),
    ("redis", "redis-cli"),
    ("valkey", "redis-cli"),
    ("keydb", "redis-cli"),
    ("pulumi", "pulumi"),
    ("terragrunt", "terragrunt"),
    ("flyctl", "flyctl"),
    ("doctl", "doctl"),
    ("gcloud", "gcloud"),
    ("az", "az"),
    ("git", "git"),
    ("gh", "gh"),
];

/// Words for browsers, whose code is of the page.
pub(super) const BROWSERS: &[&str] = &[
    "browser",
    "browserbase",
    "cdp",
    "chrome",
    "chromium",
    "cypress",
    "devtools",
    "firefox",
    "page",
    "playwright",
    "puppeteer",
    "selenium",
    "stagehand",
    "webdriver",
];

/// Words for what speaks to a cluster.
const CLUSTERS: &[&str] = &["kubectl", "kubernetes", "k8s", "kube", "cluster", "resources", "openshift"];

/// Words for what keeps things under paths of its own, which are no files.
const REMOTE: &[&str] = &[
    "bucket",
    "collection",
    "consul",
    "cosmos",
    "cosmosdb",
    "couchbase",
    "database",
    "etcd",
    "firebase",
    "firestore",
    "dbfs",
    "kv",
    "kw",
    "mount",
    "s3",
    "secret",
    "secrets",
    "storage",
    "table",
    "vault",
    "zookeeper",
];

/// A tool, by its name, the name of its server, and what its arguments say is done.
pub(super) struct Tool {
    name: Vec<String>,
    server: Vec<String>,
    /// What the arguments say is done, each with the words of the name in front.
    said: Vec<Vec<String>>,
    /// What it does to the files it is given.
    pub(super) kinds: Vec<EffectKind>,
    /// It is told names and sizes of files, and no content.
    pub(super) looks: bool,
    /// It finds text in files, in all of a folder.
    pub(super) searches: bool,
    /// It sends the request that its arguments describe.
    requests: bool,
    program: Option<&'static str>,
    browser: bool,
    cluster: bool,
    /// How it runs code, if it does.
    pub(super) interpreter: Option<[&'static str; 2]>,
}

impl Tool {
    /// What the arguments say only adds to what the name says: whoever calls writes them.
    pub(super) fn new(server: &str, name: &str, arguments: &Value) -> Self {
        let (name, server) = (words(name), words(server));
        let said = said::done(arguments, &name);
        let all: Vec<String> = name.iter().chain(said.iter().flatten()).cloned().collect();
        let has = |known: &[&str]| any(&name, known);
        Self {
            // the path of a repository is not what is deleted in it
            kinds: file_effects(if any(&name, &["git"]) || any(&server, &["git"]) { &name } else { &all }),
            looks: has(&["info", "stat", "stats", "exists", "metadata", "size"])
                && !has(&["read", "content", "contents", "cat", "view", "open", "load", "show"])
                && said.is_empty(),
            searches: any(&all, &["grep"])
                || has(&["search", "find"]) && any(&all, &["within", "content", "contents", "text", "inside", "regex"]),
            program: PROGRAMS
                .iter()
                .find(|(word, _)| any(&name, &[*word]) || any(&server, &[*word]))
                .map(|(_, program)| *program),
            browser: any(&name, BROWSERS) || any(&server, BROWSERS),
            cluster: any(&name, CLUSTERS) || any(&server, CLUSTERS),
            requests: arguments.as_object().is_some_and(|map| request(map).is_some()),
            interpreter: interpreter(&name, &server).or_else(|| interpreter(&all, &server)),
            said: said.into_iter().map(|said| name.iter().cloned().chain(said).collect()).collect(),
            name,
            server,
        }
    }

    /// Whether something holds of the words of its name, with or without one of those that its arguments say.
    pub(super) fn is(&self, holds: impl Fn(&[String]) -> bool) -> bool {
        holds(&self.name) || self.said.iter().any(|words| holds(words))
    }

    /// The words of its server's name, and those of its own.
    pub(super) fn names(&self) -> (&[String], &[String]) {
        (&self.server, &self.name)
    }

    /// It throws away what others keep.
    pub(super) fn destroys(&self, arguments: &Value) -> bool {
        if slight::is_slight(&self.server, &self.name, arguments) {
            return false;
        }
        // copies of pages are made again
        if self.is_near() || self.is_of_sites() && any(&self.name, &["purge"]) {
            return false;
        }
        // the agent may take its own notes out again (the protocol's reference server `memory`), and files have rules of
        // their own
        let elsewhere = || self.any(REMOTE) && !files::names_a_local_path(arguments);
        let other = || !self.any(&["memory"]) && (!files::names_a_path(arguments) || elsewhere());
        let name = self.name.len();
        let said = !self.is_local_git()
            && !slight::describes(&self.name)
            && self.said.iter().any(|words| {
                let said = words.get(name..).unwrap_or_default();
                // the verb first, so that a name which asks excuses nothing
                let all = || said.iter().chain(&self.name).cloned().collect::<Vec<_>>();
                // `op: rm` of a store of keys, `method: unlink` of a table's rows
                let short = || matches!(said, [word] if matches!(word.as_str(), "rm" | "remove" | "del" | "unlink"));
                let stored = || short() && self.any(REMOTE) && !files::names_a_local_path(arguments);
                said.len() > 1 && destroys(said) || destroys(&all()) && other() || stored()
            });
        // a path beside it makes no file of a repository or table
        said || destroys(&self.name) && (other() || is_kept(&self.name) && !self.is_local_git())
    }

    /// What it does to a repository is said by [`deeds::discards`]: a branch that is merged may go.
    fn is_local_git(&self) -> bool {
        self.any(&["git"])
    }

    /// Whether one of the words of its name or its server's is known.
    pub(super) fn any(&self, known: &[&str]) -> bool {
        any(&self.name, known) || any(&self.server, known)
    }

    /// It acts in a browser.
    pub(super) const fn is_browser(&self) -> bool {
        self.browser
    }

    /// It speaks to a cluster.
    pub(super) const fn is_of_cluster(&self) -> bool {
        self.cluster
    }

    /// It sends a file of this machine somewhere.
    pub(super) fn sends(&self) -> bool {
        any(&self.name, &["upload", "send", "attach", "push", "share", "import"])
    }

    /// It puts what it gets into files.
    pub(super) fn downloads(&self) -> bool {
        any(&self.name, &["download", "downloads"])
    }

    /// It takes folders with all that is in them.
    pub(super) fn takes_trees(&self) -> bool {
        self.is(|words| {
            any(
                words,
                &["move", "rename", "mv", "copy", "cp", "duplicate", "zip", "archive", "compress", "tar", "sync"],
            )
        })
    }

    /// It speaks of places on the web by their paths alone.
    pub(super) fn is_of_sites(&self) -> bool {
        const SITES: &[&str] = &[
            "akamai",
            "cdn",
            "cloudfront",
            "fastly",
            "invalidate",
            "invalidation",
            "redirect",
            "redirects",
            "route",
            "routes",
            "sitemap",
        ];
        self.any(SITES)
    }

    /// Whether the argument is code that the tool runs.
    pub(super) fn is_code(&self, key: &str) -> bool {
        let typed = || key == "input" && self.any(&["python", "ipython", "jupyter", "notebook", "repl", "interpreter"]);
        self.interpreter.is_some() && (is_code(key) || key == "script" && self.is_browser() || typed())
    }

    /// Whether the argument is typed into a terminal or a program: `send_keys`, `interact_with_process`.
    pub(super) fn is_typed(&self, key: &str) -> bool {
        let terminal = || self.any(&["terminal", "tmux", "shell", "bash", "pty", "iterm"]);
        let running = || {
            any(&self.name, &["send", "interact", "write", "input", "feed"])
                && any(&self.name, &["process", "stdin", "input", "repl", "session", "console"])
        };
        TYPED.contains(&key) && (terminal() || running()) && !self.is_browser()
    }

    /// Whether what is done stands in the argument, so that an allowance is one for what it says.
    pub(super) fn decides(&self, key: &str, value: &Value) -> bool {
        let (name, whole) = (key.to_ascii_lowercase(), value.is_object() || value.is_array());
        let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        let words = WORDS.contains(&key) && value.is_array() || key == "stdin";
        let request = || self.requests && (SENT.contains(&key) || key == "headers");
        let manifest = || value.as_str().is_some_and(|text| text.contains("kind"));
        let cluster = || self.is_of_cluster() && (said::one_of(key, deeds::KIND) || whole || manifest());
        let (settings, values) = deeds::SETTING;
        let setting = || any(&self.name, &["config"]) && (said::one_of(key, settings) || said::one_of(key, values));
        let mongo = || self.is_mongo() && (whole || has(&["command", "pipeline", "code"]));
        let filter = || any(&self.name, deeds::FILTERS) && (whole || has(&["forward", "redirect"]));
        let browser = || self.is_browser() && (value.is_object() || has(&["arg"]));
        let entry = || said::one_of(key, deeds::ENTRY) && deeds::keeps(&self.server, &self.name, &object(key, value));
        let published = || deeds::says_publishing(&self.server, &self.name, key);
        let (modules, told) = deeds::MODULE;
        let module = || self.is_of_ansible() && (said::one_of(key, modules) || said::one_of(key, told));
        let guard = || guards::decides(&self.name, key, value);
        let moved = || payments::decides(&self.name, key, value) || relays::decides(&self.name, value);
        let moved = || moved() || masses::decides(&self.name, key) || variables::decides(&self.name, key);
        let given =
            || rights::decides(&self.name, key, value) || guard() || entry() || published() || module() || moved();
        let other = || given() || cluster() || setting() || mongo() || filter() || browser();
        words || said::decides(key, value) || self.is_code(key) || self.is_typed(key) || request() || other()
    }

    /// It hands out what a keeper of passwords keeps.
    pub(super) fn reveals(&self, arguments: &Value) -> bool {
        self.is(|words| deeds::reveals(words, arguments))
            || self.is(|words| deeds::reads_variables(&self.server, words))
            || self.is(|words| deeds::keeps(&self.server, words, arguments))
    }

    /// Rights that it gives are to what others keep, and not to the camera of a page or of a simulated telephone.
    pub(super) fn may_grant(&self) -> bool {
        const DEVICES: &[&str] =
            &["adb", "android", "device", "emulator", "ios", "mobile", "sim", "simctl", "simulator", "xcodebuild"];
        !self.any(DEVICES) && !self.any(&["browser", "chrome", "memory", "playwright", "puppeteer", "webdriver"])
    }

    /// It publishes a package, image or release.
    pub(super) fn publishes(&self, arguments: &Value) -> bool {
        self.is(|words| deeds::publishes_package(&self.server, words, arguments))
    }

    /// It opens to everybody what it writes rules for.
    pub(super) fn is_opening(&self, arguments: &Value) -> Option<&'static str> {
        let said = || self.said.iter().find_map(|words| rights::opens(words, arguments));
        rights::opens(&self.name, arguments).or_else(said)
    }

    /// It pays or moves money, or changes where it goes.
    pub(super) fn pays(&self, arguments: &Value) -> bool {
        self.is(|words| payments::pays(words, arguments))
    }

    /// It gives rights by a row of a table or by a number.
    pub(super) fn gives_otherwise(&self, arguments: &Value) -> bool {
        let all: Vec<String> = self.server.iter().chain(&self.name).cloned().collect();
        self.is(|words| rights::inserts(words, arguments)) || rights::sets_bit(&all, arguments)
    }

    /// It starts what tears something down.
    pub(super) fn tears_down(&self, arguments: &Value) -> bool {
        self.is(|words| masses::tears_down(words, arguments))
    }

    /// Somebody else gets what happens there from now on.
    pub(super) fn relays(&self, arguments: &Value) -> bool {
        relays::relays(&self.server, &self.name, arguments)
    }

    /// It puts away, shuts out or tears down much at once.
    pub(super) fn clears(&self, arguments: &Value) -> bool {
        masses::clear(&self.server, &self.name, arguments)
    }

    /// It presses what cannot be undone.
    pub(super) fn presses_for_good(&self, map: &Map<String, Value>) -> bool {
        self.browser && pages::presses_for_good(&self.name, map)
    }

    /// It turns off what protects others or watches over them.
    pub(super) fn weakens(&self, arguments: &Value) -> bool {
        self.is(|words| guards::weakens(&self.server, words, arguments))
    }

    /// A text in the language of what it speaks to drops what is stored there.
    pub(super) fn drops(&self, text: &str) -> bool {
        queries::drops(text, |known| self.any(known))
    }

    /// It arranges for something to run.
    pub(super) fn runs_later(&self) -> bool {
        any(&self.name, &["cron", "job", "run", "schedule", "task", "workflow"])
    }

    /// What it speaks to is of this machine or of a test, as whoever set up the server called it.
    pub(super) fn is_near(&self) -> bool {
        any(&self.server, &["emulator", "local", "localhost", "localstack", "testcontainers"])
    }

    /// It only reads statements, and gives them back in another form.
    pub(super) fn rewrites(&self) -> bool {
        let verb = |word: &String| {
            matches!(word.as_str(), "beautify" | "format" | "lint" | "parse" | "tokenize" | "transpile")
        };
        self.name.iter().any(verb) && !any(&self.name, &["apply", "execute", "run"])
    }

    /// It makes a picture or document of a page.
    pub(super) fn draws(&self) -> bool {
        self.any(&["convert", "pdf", "render", "renderer", "screenshot"])
    }

    /// It asks for addresses of names.
    pub(super) fn looks_up(&self) -> bool {
        self.any(&["dns", "nslookup", "dig", "doh"])
    }

    /// It runs what it is given inside of a server that may do everything (Jenkins).
    pub(super) fn is_console(&self, arguments: &Value) -> bool {
        self.any(&["jenkins"])
            && arguments
                .as_object()
                .is_some_and(|map| map.keys().any(|key| said::one_of(key, &["groovy", "script", "scripttext"])))
    }

    /// It speaks to machines through modules of Ansible.
    pub(super) fn is_of_ansible(&self) -> bool {
        self.any(&["ansible", "adhoc"])
    }

    /// It speaks Cypher, the language of graphs.
    pub(super) fn is_graph(&self) -> bool {
        self.any(&["neo4j", "cypher", "memgraph", "falkordb", "kuzu", "neptune", "arcadedb"])
    }

    /// It speaks to a database.
    pub(super) fn is_database(&self) -> bool {
        self.any(queries::DATABASES)
    }

    /// It speaks the language of MongoDB.
    pub(super) fn is_mongo(&self) -> bool {
        self.any(queries::MONGO)
    }

    /// It finds texts by words or by their sense.
    pub(super) fn finds_texts(&self) -> bool {
        any(&self.name, queries::FINDERS)
    }

    /// The program that its commands are for.
    pub(super) const fn program(&self) -> Option<&'static str> {
        self.program
    }

    /// The tool's own words behind that program: `kubectl_delete` is `kubectl delete`.
    pub(super) fn sub_command(&self) -> Vec<String> {
        let named = |word: &&String| !PROGRAMS.iter().any(|(known, _)| known == word);
        self.name.iter().filter(named).cloned().collect()
    }
}

/// An argument alone.
fn object(key: &str, value: &Value) -> Value {
    Value::Object([(key.to_owned(), value.clone())].into_iter().collect())
}

fn names_program(key: &str) -> bool {
    matches!(key, "command" | "cmd" | "program" | "executable" | "binary")
}

/// `command: bash, args: [-c, ..]`: a program and its words in two arguments, and the key of the first.
pub(super) fn invocation(map: &Map<String, Value>) -> Option<(&str, Vec<String>)> {
    let (key, program) =
        map.iter().find_map(|(key, value)| Some((key, value.as_str()?)).filter(|_| names_program(key)))?;
    let words = WORDS.iter().find_map(|key| map.get(*key)?.as_array())?;
    if words.is_empty() || !words.iter().all(Value::is_string) {
        return None;
    }
    let words = words.iter().filter_map(Value::as_str).map(str::to_owned);
    Some((key, std::iter::once(program.to_owned()).chain(words).collect()))
}

/// The words for a program that only the tool or its server names.
pub(super) fn bare_words(map: &Map<String, Value>) -> Option<Vec<String>> {
    let words = WORDS.iter().find_map(|key| map.get(*key)?.as_array())?;
    let words: Option<Vec<String>> = words.iter().map(|word| word.as_str().map(str::to_owned)).collect();
    words.filter(|words| !words.is_empty() && !map.keys().any(|key| names_program(key)))
}

/// `method: DELETE, url: ..`
pub(super) fn request(map: &Map<String, Value>) -> Option<(&str, &str)> {
    let method = map.get("method")?.as_str()?;
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].iter().any(|m| m.eq_ignore_ascii_case(method));
    let url = map.get("url")?.as_str()?.trim();
    (known && url.contains("://")).then_some((method, url))
}

/// Whether an argument of a tool that runs code is the code.
fn is_code(key: &str) -> bool {
    any(&words(key), &CODE)
}

/// What a tool does to the files it is given, by the words of its name. A name that does not say it may do both.
fn file_effects(words: &[String]) -> Vec<EffectKind> {
    const READS: &[&str] = &[
        "read", "get", "list", "search", "view", "cat", "head", "tail", "show", "stat", "info", "find", "grep", "tree",
        "open", "fetch", "load", "download", "glob",
    ];
    const WRITES: &[&str] = &[
        "write", "create", "edit", "update", "append", "put", "save", "insert", "replace", "patch", "set", "make",
        "mkdir", "upload", "modify", "download",
    ];
    const DELETES: &[&str] = &["delete", "remove", "rm", "unlink", "erase", "purge"];
    const MOVES: &[&str] = &["move", "rename", "mv"];
    let mut kinds = Vec::new();
    for (known, kind) in [
        (DELETES, EffectKind::Delete),
        (MOVES, EffectKind::Move),
        (WRITES, EffectKind::Write),
        (READS, EffectKind::Read),
    ] {
        if any(words, known) {
            kinds.push(kind);
        }
    }
    if kinds.is_empty() {
        kinds = vec![EffectKind::Read, EffectKind::Write];
    }
    kinds
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_tool_does_to_files_is_in_its_name() {
        for (name, expect) in [
            ("get_user_information", vec![EffectKind::Read]),
            ("move_file", vec![EffectKind::Move]),
            ("frobnicate", vec![EffectKind::Read, EffectKind::Write]),
            ("download_file", vec![EffectKind::Write, EffectKind::Read]),
        ] {
            assert_eq!(file_effects(&words(name)), expect, "{name}");
        }
    }

    #[test]
    fn what_is_destroyed_is_told_by_name_and_arguments() {
        for (server, tool, arguments, expect) in [
            ("x", "delete_branch", json!({"name": "x"}), true),
            ("x", "manage_database", json!({"action": "drop"}), true),
            ("docker", "manage_volume", json!({"action": "remove"}), true),
            ("github", "actions_run_trigger", json!({"method": "delete_workflow_run_logs"}), true),
            ("github", "label_write", json!({"method": "delete"}), false),
            ("github", "pull_request_review_write", json!({"method": "delete_pending"}), false),
            ("files", "edit_file", json!({"operation": "delete", "path": "a.txt"}), false),
            ("memory", "manage", json!({"action": "delete"}), false),
            ("firebase", "firestore_delete_document", json!({"paths": ["users/u_1"]}), true),
            ("vault", "delete_mount", json!({"path": "secret"}), true),
            ("x", "delete_secret", json!({"path": "prod/db"}), true),
            ("docs", "delete_document", json!({"path": "docs/a.md"}), false),
            ("x", "delete_secret", json!({"path": "./secrets/a"}), false),
            ("prisma", "migrate-reset", json!({"projectCWD": "/home/u/proj"}), true),
            ("git", "git_branch", json!({"mode": "delete"}), false),
            ("x", "get_project", json!({"action": "delete"}), true),
            ("x", "delete_project", json!({"mode": "draft"}), true),
        ] {
            assert_eq!(Tool::new(server, tool, &arguments).destroys(&arguments), expect, "{server} {tool} {arguments}");
        }
    }

    #[test]
    fn a_tool_is_known_by_its_name_and_its_server() {
        for (server, tool, interpreter) in [
            ("", "run_python", Some("python3")),
            ("", "executeJavascript", Some("node")),
            ("playwright", "evaluate", Some("node")),
            ("", "browser_run_code", Some("node")),
            ("mongodb", "eval", Some("mongosh")),
            ("", "lookup_country", None),
        ] {
            assert_eq!(Tool::new(server, tool, &Value::Null).interpreter.map(|i| i[0]), interpreter, "{server} {tool}");
        }
        for (server, tool, key, typed) in [
            ("tmux", "send_keys", "keys", true),
            ("", "write_to_terminal", "text", true),
            ("slack", "post_message", "text", false),
            ("x", "interact_with_process", "input", true),
            ("x", "create_process", "input", false),
            ("browser", "type_in_shell", "text", false),
        ] {
            assert_eq!(Tool::new(server, tool, &Value::Null).is_typed(key), typed, "{server} {tool}");
        }
        for (server, tool, program) in [
            ("aws", "call_aws", Some("aws")),
            ("x", "run_terraform_command", Some("terraform")),
            ("github", "get", None),
        ] {
            assert_eq!(Tool::new(server, tool, &Value::Null).program(), program, "{server} {tool}");
        }
    }

    #[test]
    fn a_program_and_its_words_are_one_command() {
        for (arguments, expect) in [
            (json!({"command": "bash", "args": ["-c", "ls"]}), Some("bash -c ls")),
            (json!({"args": ["x"], "executable": "rm"}), Some("rm x")),
            (json!({"command": "ls", "args": []}), None),
            (json!({"command": ["ls"], "args": ["x"]}), None),
            (json!({"name": "x", "args": ["y"]}), None),
            (json!({"command": "delete", "args": ["ns", "x"]}), Some("delete ns x")),
        ] {
            let found = arguments.as_object().and_then(invocation).map(|(_, argv)| argv.join(" "));
            assert_eq!(found.as_deref(), expect, "{arguments}");
        }
    }
}
