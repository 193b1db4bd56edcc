//! The program, built once.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// What BENCHMARKS.md promises.
const MOST_BYTES: u64 = 600_000;

/// The program under test; where Rust has not what a static one takes, the usual one.
pub(crate) fn shim() -> &'static Path {
    packaged().unwrap_or(Path::new(env!("CARGO_BIN_EXE_rampart-shim")))
}

/// The static program. None, and it is said, where it cannot be built.
fn packaged() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    BUILT.get_or_init(build).as_deref()
}

fn build() -> Option<PathBuf> {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let asked = Command::new("rustc").args(["--print", "target-libdir", "--target", &target]).output().unwrap();
    if !Path::new(String::from_utf8(asked.stdout).unwrap().trim()).is_dir() {
        let needs = format!("`rustup target add {target}`");
        // Not by `eprintln!`, which a test that passes keeps to itself.
        let _ = writeln!(std::io::stderr(), "skipped: the static program needs {needs}");
        return None;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "build",
        "--quiet",
        "--locked",
        "--profile",
        "small",
        "--package",
        "rampart-shim",
        "--target",
        &target,
    ]);
    assert!(cargo.arg("--target-dir").arg(folder).status().unwrap().success(), "it does not build");
    Some(folder.join(target).join("small/rampart-shim"))
}

#[test]
fn it_is_small_and_loads_nothing() {
    let Some(program) = packaged() else { return };
    let bytes = fs::read(program).unwrap();
    assert!((bytes.len() as u64) < MOST_BYTES, "{} bytes", bytes.len());
    let loader = b"/ld-";
    assert!(!bytes.windows(loader.len()).any(|part| part == loader), "it names a loader");
}
