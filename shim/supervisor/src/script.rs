//! The first line of a script, read as the kernel reads it (fs/binfmt_script.c, execve(2)).

/// So much of a file the kernel looks at.
pub(crate) const HEAD: usize = 256;

/// What a script is run by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interpreter {
    /// Its path as it stands in the line.
    pub(crate) path: Vec<u8>,
    /// Everything behind that, which is one argument.
    pub(crate) argument: Option<Vec<u8>>,
}

impl Interpreter {
    /// None where the kernel finds none.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        // Zeros stand behind what a short file has.
        let mut buffer = [0; HEAD];
        buffer.iter_mut().zip(head).for_each(|(place, byte)| *place = *byte);
        let line = buffer.strip_prefix(b"#!")?;
        let line = match line.iter().position(|byte| matches!(byte, b'\n' | 0)) {
            Some(end) if line.get(end) == Some(&b'\n') => line.get(..end)?,
            // Without an end of line the name must have one, or it may be cut short.
            _ => {
                let line = line.split_last()?.1;
                let name = line.trim_start_blank();
                name.iter().any(|byte| is_end(*byte)).then_some(line)?
            }
        };
        let line = line.trim_end_blank().trim_start_blank();
        let (path, rest) = match line.iter().position(|byte| is_end(*byte)) {
            Some(end) => line.split_at(end),
            None => (line, &[][..]),
        };
        // A NUL ends all that is copied.
        let rest = if rest.first() == Some(&0) { &[][..] } else { rest.trim_start_blank() };
        let argument = rest.split(|byte| *byte == 0).next().filter(|argument| !argument.is_empty());
        (!path.is_empty()).then(|| Self { path: path.to_vec(), argument: argument.map(<[u8]>::to_vec) })
    }

    /// The arguments that it is run with, where the script was started as `script` with `argv`.
    pub(crate) fn argv(&self, script: &[u8], argv: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let own = [Some(self.path.clone()), self.argument.clone(), Some(script.to_vec())];
        own.into_iter().flatten().chain(argv.iter().skip(1).cloned()).collect()
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_end(byte: u8) -> bool {
    is_blank(byte) || byte == 0
}

trait Blank {
    fn trim_start_blank(&self) -> &Self;
    fn trim_end_blank(&self) -> &Self;
}

impl Blank for [u8] {
    fn trim_start_blank(&self) -> &Self {
        self.get(self.iter().take_while(|byte| is_blank(**byte)).count()..).unwrap_or_default()
    }

    fn trim_end_blank(&self) -> &Self {
        let blanks = self.iter().rev().take_while(|byte| is_blank(**byte)).count();
        self.get(..self.len() - blanks).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_line_is_read_as_the_kernel_reads_it() {
        let long = "x".repeat(300);
        for (head, expected) in [
            ("#!/bin/sh\n", Some(("/bin/sh", None))),
            ("#! /bin/sh -e \t\nrest", Some(("/bin/sh", Some("-e")))),
            ("#!/usr/bin/env -S a b  c\n", Some(("/usr/bin/env", Some("-S a b  c")))),
            ("#!/bin/sh", Some(("/bin/sh", None))),
            ("#!/bin/sh\r\n", Some(("/bin/sh\r", None))),
            ("#!/bin/sh\0x\n", Some(("/bin/sh", None))),
            ("#!/bin/sh -a\0b\n", Some(("/bin/sh", Some("-a")))),
            ("#!relative\n", Some(("relative", None))),
            ("#!\n", None),
            ("#!   \n", None),
            ("#!", None),
            ("\x7fELF", None),
            ("", None),
            (" #!/bin/sh\n", None),
            // The name is cut, so it is none; cut behind the name, it is one.
            (&format!("#!/{long}"), None),
            (&format!("#!/a {long}"), Some(("/a", Some(&long[..HEAD - 6])))),
        ] {
            let expected = expected.map(|(path, argument)| Interpreter {
                path: path.into(),
                argument: argument.map(|argument: &str| argument.into()),
            });
            assert_eq!(Interpreter::of(head.as_bytes()), expected, "{head}");
        }
    }

    #[test]
    fn the_scripts_own_name_is_replaced() {
        let words = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
        let interpreter = Interpreter::of(b"#!/bin/sh -e\n").unwrap();
        assert_eq!(interpreter.argv(b"./x", &words(&["name", "a"])), words(&["/bin/sh", "-e", "./x", "a"]));
        assert_eq!(interpreter.argv(b"./x", &[]), words(&["/bin/sh", "-e", "./x"]));
    }
}
