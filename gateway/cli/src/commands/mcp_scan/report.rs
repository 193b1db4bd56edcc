//! What a scan found, for people, for scripts and for code scanning services.

use std::path::Path;

use anstyle::{AnsiColor, Style};
use rampart_mcp::scan::{Drift, Kind, Risk, Section, Severity, Walk};
use rampart_scan::visible;
use serde_json::{Value, json};

use super::told;
use crate::printer::{BOLD, DIM, styled};

/// Columns of a line of names.
const WIDTH: usize = 88;

pub(super) struct Report<'a> {
    pub(super) name: &'a str,
    pub(super) walk: &'a Walk,
    pub(super) risks: &'a [Risk],
    pub(super) drift: &'a [Drift],
}

impl Report<'_> {
    /// For people. Whatever the server wrote is made visible.
    pub(super) fn text(&self) -> String {
        let catalogue = &self.walk.catalogue;
        let counts = Section::LISTS.map(|s| format!("{} {}", catalogue.section(s).count(), s.as_str()));
        let mut lines = vec![
            styled(BOLD, line(self.name)) + &format!("  {}", counts.join(", ")),
            styled(DIM, format!("speaks {}", self.walk.revisions.join(" and "))),
        ];
        for kind in [Kind::Read, Kind::Write, Kind::Destroy, Kind::Run, Kind::Unclear] {
            let names = catalogue.section(Section::Tools).filter(|tool| Kind::of(tool) == kind);
            let names: Vec<String> = names.map(|tool| line(&tool.name)).collect();
            for (nth, row) in rows(&names).iter().enumerate() {
                lines.push(format!("  {:<10} {row}", if nth == 0 { kind.as_str() } else { "" }));
            }
        }
        if !self.walk.differing.is_empty() {
            let names: Vec<String> = self.walk.differing.iter().map(|name| line(name)).collect();
            lines.push(format!("  not the same in both revisions: {}", names.join(", ")));
        }
        if !self.risks.is_empty() {
            lines.push(String::new());
            lines.push(styled(BOLD, "Risks"));
        }
        for risk in self.risks {
            let place = format!("{} {} {}", risk.section.as_str(), line(&risk.item), line(&risk.pointer));
            lines.push(format!(
                "  {} {}  {}",
                styled(style(risk.severity), risk.severity.as_str()),
                risk.id,
                place.trim()
            ));
            lines.push(format!("    {}", line(&risk.message)));
            if !risk.evidence.is_empty() {
                lines.push(format!("    {}", styled(DIM, line(&risk.evidence))));
            }
        }
        if !self.drift.is_empty() {
            lines.push(String::new());
            lines.push(styled(BOLD, "Changed since it was locked"));
            lines.extend(self.drift.iter().map(|drift| format!("  {}", told(drift))));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// For scripts.
    pub(super) fn json(&self, policy: &str) -> Value {
        let item = |item: &rampart_mcp::scan::Item| {
            let mut shown = json!({"section": item.section.as_str(), "name": item.name, "sha256": item.hash()});
            if item.section == Section::Tools {
                shown["kind"] = Kind::of(item).as_str().into();
            }
            shown
        };
        let risk = |risk: &Risk| {
            json!({
                "id": risk.id, "severity": risk.severity.as_str(), "section": risk.section.as_str(), "item": risk.item,
                "pointer": risk.pointer, "message": risk.message, "evidence": risk.evidence,
            })
        };
        json!({
            "schema": "rampart.mcp-scan.v1",
            "server": self.name,
            "revisions": self.walk.revisions,
            "items": self.walk.catalogue.items.iter().map(item).collect::<Vec<_>>(),
            "differing": self.walk.differing,
            "risks": self.risks.iter().map(risk).collect::<Vec<_>>(),
            "drift": self.drift,
            "policy": policy,
        })
    }

    /// SARIF 2.1.0. Places are in the lock file, where the definitions can be reviewed.
    pub(super) fn sarif(&self, lock: &Path) -> Value {
        let mut rules: Vec<&str> = self.risks.iter().map(|risk| risk.id).collect();
        if !self.drift.is_empty() {
            rules.push("drift");
        }
        rules.sort_unstable();
        rules.dedup();
        let place = |name: String| {
            json!([{
                "physicalLocation": {"artifactLocation": {"uri": lock.to_string_lossy()}},
                "logicalLocations": [{"fullyQualifiedName": name}],
            }])
        };
        let risks = self.risks.iter().map(|risk| {
            let name = format!("{}/{}/{}{}", self.name, risk.section.as_str(), risk.item, risk.pointer);
            let text = if risk.evidence.is_empty() {
                risk.message.clone()
            } else {
                format!("{}: {}", risk.message, line(&risk.evidence))
            };
            json!({
                "ruleId": risk.id, "level": risk.severity.as_str(), "message": {"text": text}, "locations": place(line(&name)),
            })
        });
        let drift = self.drift.iter().map(|drift| {
            json!({
                "ruleId": "drift", "level": "error", "message": {"text": told(drift)},
                "locations": place(line(self.name)),
            })
        });
        json!({
            "version": "2.1.0",
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "runs": [{
                "tool": {"driver": {
                    "name": "rampart", "version": env!("CARGO_PKG_VERSION"),
                    "rules": rules.iter().map(|id| json!({"id": id})).collect::<Vec<_>>(),
                }},
                "results": risks.chain(drift).collect::<Vec<_>>(),
            }],
        })
    }
}

/// Foreign text on one line.
fn line(text: &str) -> String {
    visible(text).replace('\n', "\\n").replace('\t', " ")
}

fn style(severity: Severity) -> Style {
    let color = match severity {
        Severity::Error => AnsiColor::Red,
        Severity::Warning => AnsiColor::Yellow,
        Severity::Note => AnsiColor::Cyan,
    };
    color.on_default().bold()
}

/// Names in rows of a bounded width.
fn rows(names: &[String]) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for name in names {
        match rows.last_mut() {
            Some(row) if row.len() + name.len() + 2 <= WIDTH => row.push_str(&format!(", {name}")),
            Some(row) => {
                row.push(',');
                rows.push(name.clone());
            }
            None => rows.push(name.clone()),
        }
    }
    rows
}
