//! `response_matches`, `response_not_matches`: a regular expression finds something in what came back. A rule with one
//! of them is about responses.

use regex::Regex;

use super::{Pair, Placed, Reader, RuleBuilder};

/// The most memory one compiled expression may take, in bytes.
const MAX_SIZE: usize = 2 << 20;

pub(super) fn compile(source: &Pair, into: &mut RuleBuilder<'_>, reader: &mut Reader<'_>) {
    for (key, source, wanted) in [("response_matches", &source.yes, true), ("response_not_matches", &source.no, false)]
    {
        let Some(patterns) = source else { continue };
        into.after = true;
        let regexes = regexes(patterns, reader);
        into.call(key, move |facts| {
            let text = facts.call.response.as_ref().map(|r| r.text.as_str());
            text.is_some_and(|t| regexes.iter().any(|r| r.is_match(t)) == wanted)
        });
    }
}

/// Compiles regular expressions; what does not compile is reported.
pub(super) fn regexes(patterns: &[Placed<String>], reader: &mut Reader<'_>) -> Vec<Regex> {
    let mut compiled = Vec::with_capacity(patterns.len());
    for pattern in patterns {
        match regex::RegexBuilder::new(&pattern.value).size_limit(MAX_SIZE).build() {
            Ok(regex) => compiled.push(regex),
            Err(error) => {
                let text = error.to_string();
                let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                let message = format!("`{}` is not a regular expression: {why}", pattern.value);
                reader.error("bad-regex", &pattern.span, message);
            }
        }
    }
    compiled
}

/// The expressions of a condition that was compiled without complaint.
pub(crate) fn compiled(source: &Pair) -> Vec<Regex> {
    source
        .yes
        .iter()
        .flatten()
        .filter_map(|p| regex::RegexBuilder::new(&p.value).size_limit(MAX_SIZE).build().ok())
        .collect()
}

/// Where the expressions of a rule find something in a text.
pub(crate) fn spans(regexes: &[Regex], text: &str) -> Vec<std::ops::Range<usize>> {
    regexes.iter().flat_map(|r| r.find_iter(text)).map(|m| m.range()).filter(|r| !r.is_empty()).collect()
}
