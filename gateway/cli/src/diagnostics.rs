//! Policy and configuration errors as a person reads them: the line, with a caret under what is wrong.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use rampart_policy::{Diagnostic, Severity};

/// Renders each diagnostic with the text it is about; `text_of` gives the text of a file by its name.
pub(crate) fn render<'a>(diagnostics: &[Diagnostic], text_of: impl Fn(&str) -> Option<&'a str>) -> String {
    diagnostics.iter().map(|d| render_one(d, text_of(&d.file))).collect::<Vec<_>>().join("\n\n")
}

fn render_one(diagnostic: &Diagnostic, text: Option<&str>) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = level.primary_title(&diagnostic.message).id(diagnostic.code);
    let mut report = match (text, &diagnostic.span) {
        (Some(text), Some(span)) => {
            let span = span.start.min(text.len())..span.end.min(text.len());
            group = group.id(diagnostic.code);
            group.element(Snippet::source(text).path(&diagnostic.file).annotation(AnnotationKind::Primary.span(span)))
        }
        _ => group.element(Level::NOTE.message(format!("in {}", diagnostic.file))),
    };
    if let Some(help) = &diagnostic.help {
        report = report.element(Level::HELP.message(help));
    }
    Renderer::styled().render(&[report])
}
