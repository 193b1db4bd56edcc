//! Every path lies somewhere; its normal form has no detours, and is its own normal form.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rampart_call::{Scope, Sensitivity, Target};
use rampart_shell::{Surroundings, locate};

const KNOWN: Surroundings<'_> = Surroundings {
    cwd: Some("/home/u/proj"),
    home: Some("/home/u"),
    workspace: Some("/home/u/proj"),
    rampart_home: Some("/opt/rampart"),
};
const UNKNOWN: Surroundings<'_> = Surroundings { cwd: None, home: None, workspace: None, rampart_home: None };

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let found = located(text, &KNOWN);
    let path = &found.0;
    let detour = path.split('/').any(|segment| matches!(segment, "." | ".."));
    assert!(!path.is_empty() && !detour, "{text:?} became {path:?}");

    assert_eq!(located(path, &KNOWN), found, "{text:?}");

    // Where nothing is known a path may begin above the directory it starts in, or be that directory.
    let (path, ..) = located(text, &UNKNOWN);
    let behind = path.trim_start_matches("../");
    let detour = behind.split('/').any(|segment| matches!(segment, "." | ".."));
    assert!(!path.is_empty() && (!detour || matches!(behind, "." | "..")), "{text:?} became {path:?}");
});

fn located(text: &str, around: &Surroundings<'_>) -> (String, Scope, Sensitivity) {
    match locate(text, around) {
        Target::Path { path, scope, sensitivity, .. } => (path, scope, sensitivity),
        other => panic!("{text:?} is no path: {other:?}"),
    }
}
