//! Tells the linker to leave all symbols out of what is not built for debugging: with `strip = "symbols"` some stay.
#![expect(clippy::disallowed_methods, reason = "cargo tells its build scripts by variables")]

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).as_deref() == Ok(value);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        println!("cargo:rustc-link-arg-bins=-Wl,--strip-all");
    }
}
