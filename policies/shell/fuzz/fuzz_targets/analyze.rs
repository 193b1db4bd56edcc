//! Every text has an analysis, soon; what it points at is in the text; a command before it hides nothing.

#![no_main]

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use libfuzzer_sys::fuzz_target;
use rampart_call::{CommandLine, Span};
use rampart_shell::{Analysis, NOTES, Surroundings, analyze};

const AROUND: Surroundings<'_> =
    Surroundings { cwd: Some("/home/u/proj"), home: Some("/home/u"), workspace: None, rampart_home: None };

/// Many times what an instrumented build needs for the longest text, on a machine that is busy with other things.
const BOUND: Duration = Duration::from_secs(5);

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let start = Instant::now();
    let alone = analysis(text);
    assert!(start.elapsed() < BOUND, "took {:?}", start.elapsed());

    let effects = alone.effects.iter().filter_map(|e| e.span);
    let components = alone.components.iter().map(|c| c.span);
    let pipelines = alone.pipelines.iter().map(|p| p.span);
    for Span { start, end } in effects.chain(components).chain(pipelines) {
        assert!(text.get(start..end).is_some(), "{start}..{end} is no part of the text");
    }
    for effect in &alone.effects {
        assert!(effect.note.is_empty() || NOTES.iter().any(|(note, _)| *note == effect.note), "{}", effect.note);
    }

    // `$_` is the last word of the command before, and so means something else behind another one
    let looks_back = ["$_", "${_", "${!_"].iter().any(|name| text.contains(name));
    let behind = analysis(&format!("true; {text}"));
    if alone.complete && behind.complete && !looks_back {
        let lost: Vec<_> = kinds(&alone).difference(&kinds(&behind)).copied().collect();
        assert!(lost.is_empty(), "lost behind `true;`: {lost:?}");
    }
});

fn analysis(text: &str) -> Analysis {
    analyze(&CommandLine::Command(text.to_owned()), &AROUND)
}

fn kinds(analysis: &Analysis) -> BTreeSet<&'static str> {
    analysis.effects.iter().map(|e| e.kind.as_str()).collect()
}
