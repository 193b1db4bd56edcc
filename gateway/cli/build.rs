//! Builds the preload library, which is a workspace of its own, so that the program can carry it along.
#![expect(clippy::disallowed_methods, reason = "cargo tells its build scripts by variables")]

use std::{env, error::Error, fs, path::PathBuf, process::Command};

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let library = out.join("preload.so");
    let shim = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo sets it")?).join("../../shim");
    for watched in ["preload/src", "preload/build.rs", "preload/exports.map", "preload/Cargo.toml", "frame/src"] {
        println!("cargo:rerun-if-changed={}", shim.join(watched).display());
    }
    let target_is = |part: &str, what: &str| env::var(format!("CARGO_CFG_TARGET_{part}")).as_deref() == Ok(what);
    // With musl a program is one file that loads no library, and the system around it has another libc.
    if !target_is("OS", "linux") || target_is("ENV", "musl") {
        fs::write(library, [])?;
        return Ok(());
    }
    let target = env::var("TARGET")?;
    let folder = out.join("preload");
    let mut build = Command::new(env::var_os("CARGO").ok_or("cargo sets it")?);
    build.args(["build", "--quiet", "--release", "--locked", "--target", &target, "--manifest-path"]);
    build.arg(shim.join("preload/Cargo.toml")).arg("--target-dir").arg(&folder);
    // What was meant for the build of this program.
    for variable in
        ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_TARGET_DIR"]
    {
        build.env_remove(variable);
    }
    if !build.status()?.success() {
        return Err("the preload library does not build".into());
    }
    fs::copy(folder.join(target).join("release/librampart_preload.so"), library)?;
    Ok(())
}
