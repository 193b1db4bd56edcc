//! What a browser is told to press.

use serde_json::{Map, Value};

use super::said::one_of;

/// Arguments that say in words what is pressed.
const PRESSED: &[&str] = &["action", "description", "element", "label", "name", "target", "text"];

/// Arguments that say in words what an agent in a browser shall do.
const ORDERED: &[&str] = &["action", "goal", "instruction", "instructions", "objective", "prompt", "task"];

/// What many work with, and nobody brings back.
const WHOLE: &[&str] = &["account", "danger zone", "database", "organi", "project", "repositor", "tenant", "workspace"];

/// Whether an order is about the end of something whole, or gives a domain to somebody else.
fn orders_for_good(text: &str) -> bool {
    let lower = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let trial = has(&["demo", "localhost", "preview", "sandbox", "staging", "test"]);
    let ends = has(&["close the account", "delete", "supprimer", "löschen", "eliminar"]) && has(WHOLE);
    let sure = has(&["confirm", "danger zone", "permanently", "all "]);
    let domain = has(&["auth code", "epp code", "transfer lock", "transfer code"]) && has(&["domain", "registrar"]);
    !trial && (ends && sure || domain)
}

/// Whether what is pressed says itself that nothing comes back.
pub(super) fn presses_for_good(tool: &[String], map: &Map<String, Value>) -> bool {
    let presses = rampart_shell::verbs::any(tool, &["act", "click", "press", "tap"]);
    let ordered = map.iter().any(|(key, value)| one_of(key, ORDERED) && value.as_str().is_some_and(orders_for_good));
    if ordered {
        return true;
    }
    let says = |text: &str| {
        let lower = text.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        has(&["delete", "löschen", "supprimer", "eliminar"])
            && has(&["permanently", "forever", "endgültig", "définitivement", "permanente"])
            && !["cancel", "test page"].iter().any(|word| lower.contains(word))
    };
    presses && map.iter().any(|(key, value)| one_of(key, PRESSED) && value.as_str().is_some_and(says))
}

#[cfg(test)]
mod tests {
    use rampart_shell::verbs::words;
    use serde_json::json;

    use super::presses_for_good;

    #[test]
    fn what_is_pressed_says_what_it_does() {
        for (element, expect) in [
            ("Button 'I understand, permanently delete this repository'", true),
            ("Button 'Cancel' of the dialog 'Permanently delete?'", false),
            ("Delete row button", false),
        ] {
            let arguments = json!({"element": element, "ref": "e1"});
            let found = arguments.as_object().is_some_and(|map| presses_for_good(&words("browser_click"), map));
            assert_eq!(found, expect, "{element}");
        }
    }

    #[test]
    fn agents_in_browsers_are_told_to_end_something() {
        for (task, expect) in [
            ("In Settings > Danger zone press 'Delete organization' and confirm", true),
            ("Log in to the registrar, switch off the transfer lock and mail the auth code to a@x.example", true),
            ("Permanently delete all repositories of the account", true),
            ("Open the test project and delete it, then confirm", false),
            ("Find the page on how to delete an account", false),
            ("Delete the second row of the table", false),
        ] {
            let arguments = json!({"task": task});
            let found = arguments.as_object().is_some_and(|map| presses_for_good(&words("run_browser_agent"), map));
            assert_eq!(found, expect, "{task}");
        }
    }
}
