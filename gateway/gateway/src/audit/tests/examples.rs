//! What the detectors say that they find, filled in. `policies/scan/detectors/README.md` tells how it is written.

use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    class: String,
    detector: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    class: Option<String>,
    hits: Vec<String>,
}

/// Texts that hold a secret or something personal.
pub(in crate::audit) fn hits() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/scan/detectors");
    let mut hits = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if path.extension().is_some_and(|e| e == "toml") {
            let file: File = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            let kept = |e: &Entry| ["secret", "personal"].contains(&e.class.as_deref().unwrap_or(&file.class));
            hits.extend(file.detector.iter().filter(|e| kept(e)).flat_map(|e| &e.hits).map(|hit| filled(hit)));
        }
    }
    assert!(hits.len() > 300, "{}", hits.len());
    hits
}

/// `{a:36}` becomes 36 letters and digits, `{}` nothing.
fn filled(template: &str) -> String {
    let mut state = template.len() as u32 + 7;
    let mut draw = |from: &str, count: usize| -> String {
        let pick = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(from.as_bytes()[state as usize / 65_536 % from.len()])
        };
        (0..count).map(pick).collect()
    };
    let (digits, lower, upper) = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (spec, tail) = after.split_once('}').unwrap_or((" ", after));
        let (kind, count) = spec.split_once(':').unwrap_or((spec, "0"));
        let from = match kind {
            "a" => [digits, lower, upper].concat(),
            "b" => [digits, lower, upper, "+/"].concat(),
            "w" => [digits, lower, upper, "-_"].concat(),
            "l" => [digits, lower].concat(),
            "u" => [digits, upper].concat(),
            "t" => ["234567", upper].concat(),
            "z" => lower.to_owned(),
            "Z" => upper.to_owned(),
            "d" => digits.to_owned(),
            "h" => [digits, "abcdef"].concat(),
            "H" => [digits, "ABCDEF"].concat(),
            "q" => "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".to_owned(),
            _ => String::new(),
        };
        rest = tail;
        match (count.parse(), spec) {
            (_, "") => {}
            (_, "uuid") => out.push_str(&[8, 4, 4, 4, 12].map(|n| draw("0123456789abcdef", n)).join("-")),
            (Ok(count), _) if !from.is_empty() => out.push_str(&draw(&from, count)),
            _ => {
                out.push('{');
                rest = after;
            }
        }
    }
    out + rest
}
