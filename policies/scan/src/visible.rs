//! Text of agents and servers made safe to show to people.

pub(crate) use rampart_call::is_invisible;

/// `text` with what people cannot see written as escapes: control characters (but line feed and tab), bidi controls,
/// zero-width and tag characters, variation selectors. What it gives never moves a cursor or reorders a line.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            _ if c.is_control() || is_invisible(c) => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out
}

/// The runs of bytes above 127, and where they stand. What is ASCII is skipped quickly.
pub(crate) fn wide_runs(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    const STRIDE: usize = 32;
    let mut at = 0;
    std::iter::from_fn(move || {
        while bytes.get(at..at + STRIDE).is_some_and(<[u8]>::is_ascii) {
            at += STRIDE;
        }
        let rest = bytes.get(at..)?;
        let start = at + rest.iter().position(|b| !b.is_ascii())?;
        let run = bytes.get(start..)?;
        let run = run.split(u8::is_ascii).next()?;
        at = start + run.len();
        Some((start, run))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_written_as_an_escape() {
        for (text, shown) in [
            ("plain\n\ttext é 日本", "plain\n\ttext é 日本"),
            ("a\u{1b}[2Jb\r", "a\\u{1b}[2Jb\\u{d}"),
            ("x\u{202e}y\u{2066}z", "x\\u{202e}y\\u{2066}z"),
            ("ig\u{200b}nore", "ig\\u{200b}nore"),
            ("\u{e0041}\u{fe0f}\u{9b}", "\\u{e0041}\\u{fe0f}\\u{9b}"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }
}
