//! What a program is called that was named by a link.

use std::path::Path;

/// Programs that are many, and do what their name says.
const MANY: [&str; 4] = ["busybox", "coreutils", "toybox", "rampart-shim"];

/// Whether a program that was named `asked`, and really is the file `real`, has to be judged under that name as well.
pub fn is_named_otherwise(asked: &Path, real: &Path) -> bool {
    let (Some(name), Some(own)) = (asked.file_name(), real.file_name()) else { return asked != real };
    let is_many = own.to_str().is_some_and(|own| MANY.contains(&own));
    name != own && !is_many && !(name == "sh" && own == "dash")
}

/// Whether such a program, named `named`, does what its first argument `told` says.
#[cfg(target_os = "linux")]
pub(crate) fn also_by_argument(real: &Path, named: &Path, told: &Path) -> bool {
    let is_many = real.file_name().and_then(|name| name.to_str()).is_some_and(|name| MANY.contains(&name));
    is_many && told.file_name().is_some_and(|told| Some(told) != named.file_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_of_another_name_is_judged_under_both() {
        for (asked, real, otherwise) in [
            ("/tmp/harmless", "/usr/bin/env", true),
            ("/bin/env", "/usr/bin/env", false),
            ("/bin/sh", "/usr/bin/dash", false),
            ("/bin/ls", "/usr/bin/busybox", false),
            ("/bin/awk", "/usr/bin/mawk", true),
            ("/proc/7/fd/3", "/memfd:x (deleted)", true),
            ("/", "/", false),
        ] {
            assert_eq!(is_named_otherwise(Path::new(asked), Path::new(real)), otherwise, "{asked}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_program_that_is_many_is_what_it_is_told() {
        for (real, named, told, also) in [
            ("/bin/busybox", "/bin/busybox", "rm", true),
            ("/bin/busybox", "/bin/ls", "/bin/rm", true),
            ("/bin/busybox", "/bin/ls", "ls", false),
            ("/bin/env", "/bin/env", "rm", false),
        ] {
            assert_eq!(also_by_argument(Path::new(real), Path::new(named), Path::new(told)), also, "{told}");
        }
    }
}
