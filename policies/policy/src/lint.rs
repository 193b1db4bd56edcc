//! What a policy file says that its author can hardly mean: rules that never decide, allowances that hold nothing back,
//! conditions that cannot meet the policy's tools.

mod breadth;
mod cover;

use crate::{
    Diagnostic, Layer, Severity, SourceFile,
    condition::RuleBuilder,
    pattern::Reading,
    read::Reader,
    ruleset::compile,
    sets::SetsBuilder,
    source::{self, Action, Document, PolicySource, RuleSource},
    tool::Tools,
};

/// A rule with where it stands.
struct Entry<'d> {
    file: usize,
    layer: Layer,
    policy: &'d PolicySource,
    rule: &'d RuleSource,
    /// The conditions it has.
    keys: Vec<&'static str>,
    /// The tools its conditions can meet.
    reach: Tools,
    line: usize,
}

/// Looks the files over. What keeps them from loading comes first; the rest are warnings.
pub fn lint(files: &[SourceFile]) -> Vec<Diagnostic> {
    let mut notes = match compile(files) {
        Ok((loaded, _)) => loaded.warnings,
        Err(errors) => errors,
    };
    // That no file has a default is no fault of a file that is looked at by itself.
    notes.retain(|n| n.code != "no-default");
    let mut readers: Vec<Reader<'_>> = files.iter().map(|f| Reader::new(&f.name, &f.text)).collect();
    let documents: Vec<Document> =
        files.iter().zip(&mut readers).map(|(f, reader)| source::read(&f.text, f.layer, reader)).collect();
    for reader in &mut readers {
        reader.notes.clear();
    }
    let entries = entries(files, &documents, &mut readers);
    for reader in &mut readers {
        reader.notes.clear();
    }
    for (i, entry) in entries.iter().enumerate() {
        let Some(reader) = readers.get_mut(entry.file) else { continue };
        breadth::check(entry, reader);
        cover::check(
            entries.get(..i).unwrap_or_default(),
            entry,
            entries.get(i + 1..).unwrap_or_default(),
            files,
            reader,
        );
    }
    for policy in entries.chunk_by(|a, b| std::ptr::eq(a.policy, b.policy)) {
        if let Some(reader) = policy.first().and_then(|entry| readers.get_mut(entry.file)) {
            tools(policy, reader);
        }
    }
    notes.extend(readers.into_iter().flat_map(|r| r.notes));
    notes.sort_by_key(|n| (n.severity == Severity::Warning, n.file.clone(), n.line, n.column));
    notes.dedup();
    notes
}

fn entries<'d>(files: &[SourceFile], documents: &'d [Document], readers: &mut [Reader<'_>]) -> Vec<Entry<'d>> {
    let mut entries = Vec::new();
    for (file, (document, (source, reader))) in documents.iter().zip(files.iter().zip(readers)).enumerate() {
        for policy in document.policies.iter().filter(|p| p.enabled) {
            for rule in &policy.rules {
                let reading = if rule.action.value == Action::Allow { Reading::Exact } else { Reading::Broad };
                let mut sets = SetsBuilder::new();
                let mut builder = RuleBuilder::new(reading, &mut sets);
                rule.when.compile(&mut builder, reader);
                entries.push(Entry {
                    file,
                    layer: source.layer,
                    policy,
                    rule,
                    keys: builder.tests.iter().map(|t| t.key).collect(),
                    reach: builder.reach,
                    line: reader.line(rule.span.start),
                });
            }
        }
    }
    entries
}

/// A tool that is named beside others, and has nothing that any rule of the policy speaks of.
fn tools(policy: &[Entry<'_>], reader: &mut Reader<'_>) {
    let Some(first) = policy.first() else { return };
    for tool in first.policy.matching.tool.iter().flatten() {
        let Some((_, known)) = Tools::NAMED.iter().find(|(word, _)| *word == tool.value) else { continue };
        if policy.iter().any(|entry| entry.reach.meets(*known)) {
            continue;
        }
        let mut keys: Vec<&str> = policy.iter().flat_map(|entry| entry.keys.iter().copied()).collect();
        keys.sort_unstable();
        keys.dedup();
        let message = format!("no rule of `{}` ever meets `{}`", first.policy.name.value, tool.value);
        let help = format!("`{}` has nothing that {} speaks of", tool.value, keys.join(", "));
        reader.warn("cannot-meet-tool", &tool.span, message, help);
    }
}
