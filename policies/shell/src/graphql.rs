//! GraphQL, as far as the names of a mutation's fields tell what it throws away.

use crate::verbs;

/// Most bytes of a document that are looked at.
const LONGEST: usize = 64 * 1024;

/// Whether a document holds a mutation with a field that destroys, such as `projectDelete`.
pub fn destroys(document: &str) -> bool {
    fields(document).any(|field| verbs::destroys(&verbs::words(field)))
}

/// The names of the fields that the mutations of a document ask for.
fn fields(document: &str) -> impl Iterator<Item = &str> {
    let mutation = document.len() <= LONGEST && document.contains("mutation");
    let mut found = Vec::new();
    let (mut braces, mut parentheses) = (0_usize, 0_usize);
    let mut in_mutation = false;
    let mut rest = if mutation { document } else { "" };
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        match c {
            '#' => length = rest.find('\n').unwrap_or(rest.len()),
            '"' => length = string(rest),
            '(' => parentheses += 1,
            ')' => parentheses = parentheses.saturating_sub(1),
            '{' if parentheses == 0 => braces += 1,
            '}' if parentheses == 0 => braces = braces.saturating_sub(1),
            c if c.is_alphabetic() || c == '_' => {
                length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                let (name, behind) = rest.split_at(length);
                if braces == 0 && parentheses == 0 && matches!(name, "mutation" | "query" | "subscription" | "fragment")
                {
                    in_mutation = name == "mutation";
                }
                // `fragment F on Mutation { .. }`
                in_mutation |= braces == 0 && parentheses == 0 && name == "Mutation";
                let behind = behind.trim_start();
                // one below is what came back, or an inline fragment: its fields have arguments
                let field = braces == 1 || braces == 2 && behind.starts_with('(');
                // what stands before a colon is another name for the field
                if in_mutation && field && parentheses == 0 && !behind.starts_with(':') {
                    found.push(name);
                }
            }
            _ => {}
        }
        rest = rest.get(length..).unwrap_or("");
    }
    found.into_iter()
}

/// The length of a string with its quotes.
fn string(text: &str) -> usize {
    if let Some(block) = text.strip_prefix("\"\"\"") {
        return block.find("\"\"\"").map_or(text.len(), |end| end + 6);
    }
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::destroys;

    #[test]
    fn a_mutation_is_known_by_its_fields() {
        for (document, expect) in [
            ("mutation { projectDelete(input:{fullPath:\"a/b\"}) { errors } }", true),
            ("mutation Drop($id: ID!) { x: deleteRef(input:{refId:$id}) { clientMutationId } }", true),
            ("query A { b } mutation M { a removeProject(id: 1) { id } }", true),
            ("mutation { createIssue(input:{title:\"delete me\"}) { issue { deleteUrl } } }", false),
            ("mutation { issueUpdate(id: 1, input: {deleteAfter: 3}) { ok } } # deleteAll", false),
            ("mutation { removeLabelsFromLabelable(input:{}) { ok } }", false),
            ("mutation { ...F } fragment F on Mutation { deleteRef(id: 1) { x } }", true),
            ("mutation { ... on Mutation { deleteRef(id: 1) { x } } }", true),
            ("query { deleteRef mutation }", false),
            ("{ searchDocs(query: \"mutation { deleteRef }\") { nodes { title } } }", false),
        ] {
            assert_eq!(destroys(document), expect, "{document}");
        }
    }
}
