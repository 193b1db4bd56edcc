//! Tells the linker how to make what is not built for debugging small.
#![expect(clippy::disallowed_methods, reason = "cargo tells its build scripts by variables")]

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).as_deref() == Ok(value);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        // With `strip = "symbols"` some symbols stay.
        println!("cargo:rustc-link-arg-bins=-Wl,--strip-all");
        // Packed (DT_RELR), relocations take next to nothing. glibc would have to be as new as 2.36 for that.
        if is("CARGO_CFG_TARGET_ENV", "musl") {
            println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
        }
    }
}
