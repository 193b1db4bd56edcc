//! Compiles the functions that take any number of arguments.
#![expect(clippy::disallowed_methods, reason = "cargo tells its build scripts by variables")]

fn main() {
    println!("cargo:rerun-if-changed=src/variadic.c");
    let mut build = cc::Build::new();
    build
        .file("src/variadic.c")
        .opt_level_str("s")
        .flag("-fno-stack-protector")
        .flag("-fvisibility=default")
        .warnings(true);
    // The objects themselves, so that the linker keeps functions that nothing here calls.
    for object in build.compile_intermediates() {
        println!("cargo:rustc-cdylib-link-arg={}", object.display());
    }
    // Without a list of its own the linker would keep C's functions to itself.
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo:rustc-cdylib-link-arg=-Wl,--version-script={folder}/exports.map");
    println!("cargo:rerun-if-changed=exports.map");
}
