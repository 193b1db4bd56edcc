//! A loader that is started with a program as its argument (ld.so(8)): the kernel starts the loader, and that the program.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, path::Path};

/// Its options that take the next argument: glibc's and musl's.
const WITH_VALUE: [&[u8]; 7] = [
    b"--argv0",
    b"--audit",
    b"--glibc-hwcaps-mask",
    b"--glibc-hwcaps-prepend",
    b"--inhibit-rpath",
    b"--library-path",
    b"--preload",
];

/// Whether a file of this name is one.
pub(crate) fn is_loader(path: &Path) -> bool {
    let name = path.file_name().map(OsStr::as_bytes).unwrap_or_default();
    [&b"ld-linux"[..], b"ld-musl-", b"ld.so", b"ld64.so"].iter().any(|start| name.starts_with(start))
}

/// The program that it loads, and what that is told: everything from its name on.
pub(crate) fn loaded(argv: &[Vec<u8>]) -> Option<&[Vec<u8>]> {
    let mut at = 1;
    loop {
        match argv.get(at)?.as_slice() {
            b"--" => return argv.get(at + 1..).filter(|rest| !rest.is_empty()),
            option if WITH_VALUE.contains(&option) => at += 2,
            option if option.starts_with(b"--") => at += 1,
            _ => return argv.get(at..),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_stands_behind_the_options() {
        for (words, expected) in [
            ("ld.so /bin/touch x", Some("/bin/touch x")),
            ("ld.so --library-path /x --argv0 y --inhibit-cache /bin/touch -c", Some("/bin/touch -c")),
            ("ld.so --library-path=/x -- --odd", Some("--odd")),
            ("ld.so --list", None),
            ("ld.so --argv0", None),
            ("ld.so", None),
        ] {
            let split = |words: &str| words.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
            assert_eq!(loaded(&split(words)).map(<[_]>::to_vec), expected.map(split), "{words}");
        }
        for (path, is) in
            [("/lib64/ld-linux-x86-64.so.2", true), ("/lib/ld-musl-x86_64.so.1", true), ("/usr/bin/ld", false)]
        {
            assert_eq!(is_loader(Path::new(path)), is, "{path}");
        }
    }
}
