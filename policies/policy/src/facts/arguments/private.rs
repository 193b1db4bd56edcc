//! Texts with the private matters of people, which are not for strangers.

use rampart_shell::verbs::any;
use serde_json::Value;

use super::said::one_of;

/// Matters of one kind: the words that are about it, and whether a number must stand near them.
const MATTERS: &[(&[&str], bool)] = &[
    (&["passport no", "passport number", "passport:", "reisepass", "ssn", "social security", "driver's license"], true),
    (&["pin of", "pin is", "pin:", "pin code", "password is", "otp is", "card number", "cvv"], true),
    (&["salary", "base pay", "bonus", "gehalt", "payroll", "offer:", "net worth"], true),
    (
        &["biopsy", "diagnos", "hiv", "pregnan", "therapist", "prescription", "test result is", "your result is in"],
        false,
    ),
    (&["iban", "account number", "routing number", "kontonummer"], true),
    (&["home address", "lives at", "lease ", "relocation", "moving to"], true),
    (&["divorce", "custody", "affair with", "fired", "pip with hr"], false),
];

/// How many kinds there are in a text that nobody sends to strangers.
const MANY: usize = 3;

/// How far from the words the number may stand, in bytes.
const NEAR: usize = 40;

/// Arguments that hold what somebody else reads.
const READ: &[&str] = &["body", "comment", "content", "description", "message", "text"];

/// Whether a call tells somebody else private matters of several kinds.
pub(super) fn tells(tool: &[String], arguments: &Value) -> bool {
    const TELLS: &[&str] = &["comment", "create", "message", "post", "publish", "reply", "send", "submit", "tweet"];
    any(tool, TELLS)
        && !any(tool, &["draft"])
        && arguments
            .as_object()
            .into_iter()
            .flatten()
            .any(|(key, value)| one_of(key, READ) && value.as_str().is_some_and(is_private))
}

fn is_private(text: &str) -> bool {
    let lower = text.to_lowercase();
    let about = |(words, number): &&(&[&str], bool)| {
        words.iter().any(|word| {
            lower.match_indices(word).any(|(at, _)| {
                let behind = lower.get(at + word.len()..).unwrap_or("");
                !number || behind.chars().take(NEAR).any(|c| c.is_ascii_digit())
            })
        })
    };
    lower.bytes().any(|b| b.is_ascii_digit()) && MATTERS.iter().filter(about).count() >= MANY
}

#[cfg(test)]
mod tests {
    use super::is_private;

    #[test]
    fn private_matters_are_of_several_kinds() {
        for (text, expect) in [
            ("moving to Lisbon in May, lease 2 340 EUR, passport no. N4471902, base salary 148 500", true),
            ("the PIN of the card is 4471; your biopsy result is in; offer: 96k", true),
            ("Your salary is 95 000 and the bonus 10 %.", false),
            ("Adds the fields salary, iban and passport number to the form", false),
            ("fix: 3 tests of the payroll module", false),
        ] {
            assert_eq!(is_private(text), expect, "{text}");
        }
    }
}
