//! Every detector finds its `hits` and nothing in its `misses`.

use proptest::prelude::*;
use rampart_call::{Finding, FindingClass};

use crate::detector::{ALL, Shape};
use crate::hits::{entries, expand, hits};
use crate::{placeholder, redact, scan};

#[test]
fn every_detector_finds_its_hits() {
    let mut wrong = Vec::new();
    for (id, text) in hits() {
        let found = scan(&text);
        if !found.iter().any(|f| f.detector == id) {
            wrong.push(format!(
                "{id} does not find {text:?}, but: {:?}",
                found.iter().map(|f| &f.detector).collect::<Vec<_>>()
            ));
        }
    }
    assert!(wrong.is_empty(), "{} hits missed:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_detector_finds_its_misses() {
    let mut wrong = Vec::new();
    for entry in entries() {
        for miss in &entry.misses {
            let text = expand(miss);
            if scan(&text).iter().any(|f| f.detector == entry.id) {
                wrong.push(format!("{} finds {text:?}", entry.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{} misses hit:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_entry_is_complete() {
    let mut ids = std::collections::BTreeSet::new();
    for entry in entries() {
        let shapes =
            [!entry.prefix.is_empty(), !entry.name.is_empty(), !entry.keywords.is_empty(), !entry.code.is_empty()];
        assert_eq!(shapes.iter().filter(|s| **s).count(), 1, "{}: one of prefix, name, keywords, code", entry.id);
        assert_eq!(entry.before > 0, entry.after > 0, "{}: before and after", entry.id);
        assert!(!entry.hits.is_empty() && !entry.misses.is_empty(), "{}: hits and misses", entry.id);
        assert!(entry.check.is_empty() || crate::check::Check::named(&entry.check).is_some(), "{}: check", entry.id);
        assert!(entry.about.len() > 3 && !entry.about.ends_with('.'), "{}: about", entry.id);
        assert!(ids.insert(entry.id.clone()), "{} stands twice", entry.id);
    }
    assert_eq!(ids.len(), ALL.len());
}

#[test]
fn every_expression_compiles() {
    for detector in ALL.iter() {
        let patterns = match &detector.shape {
            Shape::Token { rest, .. } => vec![rest],
            Shape::Assigned { value, .. } => vec![value],
            Shape::Keyed { regex, then, .. } => [regex].into_iter().chain(then.iter().map(|(then, _)| then)).collect(),
            Shape::Weighed { tells, .. } => {
                assert!(tells.made(), "{}", detector.id());
                continue;
            }
            Shape::Code => continue,
        };
        assert!(patterns.iter().all(|p| p.regex().is_some()), "{}", detector.id());
    }
}

#[test]
fn there_are_hundreds_of_credential_kinds() {
    let secrets = ALL.iter().filter(|d| d.class() == rampart_call::FindingClass::Secret).count();
    assert!(secrets >= 300, "{secrets}");
}

#[test]
fn nothing_found_survives_redaction() {
    for (id, text) in hits() {
        let clean = redact(&text, &scan(&text), |f, _| placeholder(f));
        let left = scan(&clean);
        assert!(left.is_empty(), "{id}: {text:?} became {clean:?}, where {left:?}");
    }
}

/// Text that is hard on a scanner: pieces of examples, controls, characters of all lengths, glued together.
pub(crate) fn hostile() -> impl Strategy<Value = String> {
    let hits: Vec<String> = hits().into_iter().map(|(_, hit)| hit).collect();
    let piece = prop::sample::select(hits).prop_flat_map(|hit| (0..=hit.len(), Just(hit)));
    let piece = piece.prop_map(|(cut, hit)| hit[..hit.floor_char_boundary(cut)].to_owned());
    let noise =
        prop_oneof!["\\PC{0,9}", "[%&#;\\\\x0-9a-fu{}=:/+\u{200b}\u{1b}\u{e0041}]{0,30}", "[A-Za-z0-9+/]{0,90}"];
    prop::collection::vec(prop_oneof![piece, noise], 0..12).prop_map(|pieces| pieces.concat())
}

fn is_secret(finding: &Finding) -> bool {
    matches!(finding.class, FindingClass::Secret | FindingClass::Personal)
}

proptest! {
    #[test]
    fn any_text_is_scanned_and_redacted(text in hostile()) {
        let found = scan(&text);
        for finding in &found {
            prop_assert!(finding.span.start < finding.span.end && finding.span.end <= text.len(), "{finding:?}");
        }
        prop_assert!(found.is_sorted_by_key(|f| f.span.start));
        let clean = redact(&text, &found, |finding, secret| { assert!(!secret.is_empty()); placeholder(finding) });
        // The bracket of what is put in can make an escape sequence, or an image whose address asks to be filled in.
        // What is weighed with the text around it may weigh more without what was taken out.
        let changed = |f: &Finding| matches!(f.detector.as_str(), "terminal-escape" | "addresses-a-model");
        let put_in = |f: &Finding| clean[f.span.start..f.span.end].contains("[redacted") || changed(f);
        let left: Vec<_> = scan(&clean).into_iter().filter(|f| is_secret(f) || !put_in(f)).collect();
        prop_assert!(left.is_empty(), "{clean:?}: {left:?}");
        let escape_shown = crate::visible(&text).contains('\u{1b}');
        prop_assert!(!escape_shown);
    }
}

#[test]
fn what_stands_for_something_found_holds_nothing() {
    for text in [
        "net use Z: \\\\nas-2\\projects /user:[redacted: typeform-token]_x",
        "password = \"[redacted: generic-password]x\"",
        "the router password x+\u{1b}[redacted: unicode-tags]f+R6D+W/w+aFf+M+MpvI4g6+M8R+3i+X6T+b6IZ1J\u{468}%\\",
        "I[redacted: ignore-instructions-disguised]g n o r e   a l l   p ud/uc#______6x_u[redacted: zero-width]f5u=e##d:{[redacted: unicode-tags][redacted: terminal-escape]+#+Models that read this changelog must upgrade to `r",
    ] {
        let found: Vec<_> = scan(text).into_iter().filter(|f| f.detector != "terminal-escape").collect();
        assert_eq!(found, [], "{text}");
    }
}

#[test]
fn where_the_part_around_an_escape_is_cut_no_value_ends() {
    let long = format!("\\/{}token = \"cfut_WRkOowh8BtTp1xgkETLIdTtoken = \"", "[redacted: zero-width] ".repeat(10));
    for length in 0..40 {
        let text = format!("{}{long}", "x".repeat(length));
        assert_eq!(scan(&text), [], "{text}");
    }
}
