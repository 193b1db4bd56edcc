//! Variables of builds and of infrastructure whose value is code, or options of the program that reads them.

use rampart_call::CommandLine;
use rampart_shell::verbs::{any, words};
use serde_json::{Map, Value};

use super::said::one_of;

/// Words of tools and places that keep variables.
const HELD: &[&str] = &["env", "environment", "envs", "variable", "variables", "vars"];

/// Arguments that name a variable, and those that hold its value.
const NAMES: &[&str] = &["key", "name", "variable", "variablename", "varname"];
const VALUES: &[&str] = &["value", "variablevalue", "newvalue"];

/// How deep arguments are looked at.
const MAX_DEPTH: usize = 6;

/// The commands that show what the variables do which a call sets.
pub(super) fn set(tool: &[String], arguments: &Value) -> Vec<CommandLine> {
    let sets = any(tool, &["add", "bulk", "create", "edit", "patch", "put", "set", "update", "upsert", "import"]);
    let mut found = Vec::new();
    if sets && any(tool, HELD) {
        collect(arguments, 0, &mut found);
    }
    found
}

fn collect(value: &Value, depth: usize, found: &mut Vec<CommandLine>) {
    match value {
        _ if depth > MAX_DEPTH || found.len() > 64 => {}
        Value::Object(map) => {
            found.extend(pair(map).and_then(|(name, value)| shown(name, value)));
            // `{"LD_PRELOAD": "/tmp/x.so"}`
            let plain = map.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)));
            found.extend(plain.filter_map(|(key, value)| shown(key, value)));
            map.values().for_each(|value| collect(value, depth + 1, found));
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, depth + 1, found)),
        _ => {}
    }
}

fn pair(map: &Map<String, Value>) -> Option<(&str, &str)> {
    let text = |keys: &[&str]| map.iter().find(|(key, _)| one_of(key, keys)).and_then(|(_, value)| value.as_str());
    Some((text(NAMES)?, text(VALUES)?))
}

/// What a program with that variable would do; none for a name that no variable of an environment has.
fn shown(name: &str, value: &str) -> Option<CommandLine> {
    // `TF_CLI_ARGS_apply: -destroy` of Terraform
    if name.starts_with("TF_CLI_ARGS") {
        let tears = value.split_whitespace().any(|word| word.trim_start_matches('-') == "destroy");
        return tears.then(|| CommandLine::Command(format!("terraform destroy {value}")));
    }
    let written = name.contains('_') && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    let quoted = || value.replace('\'', r"'\''");
    (written && !value.is_empty()).then(|| CommandLine::Command(format!("export {name}='{}'", quoted())))
}

/// Whether the name of a tool or place is one of variables, so that what it sets stands in its arguments.
pub(super) fn decides(tool: &[String], key: &str) -> bool {
    any(tool, HELD) && (one_of(key, NAMES) || one_of(key, VALUES) || any(&words(key), HELD))
}

#[cfg(test)]
mod tests {
    use rampart_shell::verbs::words;
    use serde_json::json;

    use super::set;

    #[test]
    fn variables_are_shown_as_what_they_do() {
        for (tool, arguments, expect) in [
            (
                "create_workspace_variable",
                json!({"key": "TF_CLI_ARGS_apply", "value": "-destroy"}),
                Some("terraform destroy -destroy"),
            ),
            ("create_workspace_variable", json!({"key": "TF_CLI_ARGS_plan", "value": "-parallelism=4"}), None),
            ("set_env_vars", json!({"vars": {"LD_PRELOAD": "/tmp/x.so"}}), Some("export LD_PRELOAD='/tmp/x.so'")),
            ("create_variable", json!({"name": "region", "value": "eu"}), None),
            ("list_variables", json!({"name": "LD_PRELOAD", "value": "x"}), None),
        ] {
            let found = set(&words(tool), &arguments);
            assert_eq!(found.first().map(rampart_call::CommandLine::to_line).as_deref(), expect, "{tool} {arguments}");
        }
    }
}
