//! What a browser is told to press.

use serde_json::{Map, Value};

use super::said::one_of;

/// Arguments that say in words what is pressed.
const PRESSED: &[&str] = &["action", "description", "element", "label", "name", "target", "text"];

/// Whether what is pressed says itself that nothing comes back.
pub(super) fn presses_for_good(tool: &[String], map: &Map<String, Value>) -> bool {
    let presses = rampart_shell::verbs::any(tool, &["act", "click", "press", "tap"]);
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
}
