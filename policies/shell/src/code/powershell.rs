//! PowerShell, as far as it is like a shell: statements, pipes, and what parentheses run first.

use std::borrow::Cow;

use crate::value::{Arg, Flow};
use crate::walk::Walk;

/// Follows the text after the calls in parentheses have been put in front of the pipe that they feed.
pub(super) fn follow(walk: &mut Walk<'_>, arg: &Arg, stdin: Flow) -> Flow {
    let text = unfolded(&arg.text);
    walk.shell_text(&text, arg.span, stdin)
}

/// `iex (irm U)` as `irm U | invoke-expression`; other text as it is.
fn unfolded(text: &str) -> Cow<'_, str> {
    let lower = text.to_ascii_lowercase();
    let runs = ["iex", "invoke-expression", "&"].iter().any(|name| lower.trim_start().starts_with(name));
    match (text.find('('), text.rfind(')')) {
        (Some(open), Some(close)) if runs && open < close => {
            let inside = text.get(open + 1..close).unwrap_or("").trim_start_matches('$');
            Cow::Owned(format!("{} | invoke-expression", inside.replace(['(', ')'], " ")))
        }
        _ if lower.contains("iex") => {
            Cow::Owned(text.replace("| iex", "| invoke-expression").replace("|iex", "| invoke-expression"))
        }
        _ => Cow::Borrowed(text),
    }
}
