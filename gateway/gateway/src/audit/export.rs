//! Records for other programs: as they are, as one JSON array, as a table, as CEF.

use std::io::{self, Write};

use rampart_call::Action;
use serde_json::Value;

use super::{
    read::{Record, hosts},
    sinks::Cef,
};

/// The columns of a table.
const COLUMNS: [&str; 17] = [
    "seq", "at", "type", "surface", "agent", "session", "tool", "subject", "hosts", "outcome", "verdict", "reason",
    "rule", "message", "mode", "micros", "h",
];

/// What a record becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The lines of the trail, byte for byte.
    Jsonl,
    /// One array of them.
    Json,
    /// RFC 4180, with a line of names first.
    Csv,
    /// The Common Event Format, each line with an RFC 5424 header, as the syslog sink sends it.
    Cef,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Jsonl, Self::Json, Self::Csv, Self::Cef];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Cef => "cef",
        }
    }

    /// Its media type (RFC 6838).
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jsonl => "application/jsonl",
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Cef => "text/plain; charset=utf-8",
        }
    }
}

/// Writes records in `format` to `out`, and returns how many.
///
/// # Errors
/// When they cannot be read or written.
pub fn export(
    records: impl Iterator<Item = io::Result<Record>>,
    format: Format,
    out: &mut impl Write,
) -> io::Result<u64> {
    let cef = Cef::this_machine();
    match format {
        Format::Json => out.write_all(b"[")?,
        Format::Csv => row(out, COLUMNS.into_iter().map(str::to_owned))?,
        Format::Jsonl | Format::Cef => {}
    }
    let mut count = 0;
    for record in records {
        let Record { line, .. } = record?;
        match format {
            Format::Jsonl => writeln!(out, "{line}")?,
            Format::Json => write!(out, "{}{line}", if count == 0 { "\n" } else { ",\n" })?,
            Format::Csv => row(out, cells(&serde_json::from_str(&line)?))?,
            Format::Cef => writeln!(out, "{}", cef.render(&line).unwrap_or_default())?,
        }
        count += 1;
    }
    if format == Format::Json {
        out.write_all(if count == 0 { b"]\n" } else { b"\n]\n" })?;
    }
    out.flush()?;
    Ok(count)
}

fn cells(record: &Value) -> impl Iterator<Item = String> {
    COLUMNS.into_iter().map(|column| {
        let text = |pointer: &str| match record.pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(other @ (Value::Number(_) | Value::Bool(_))) => other.to_string(),
            _ => String::new(),
        };
        match column {
            "surface" | "agent" | "session" => text(&format!("/actor/{column}")),
            "rule" => text("/rule/policy"),
            "hosts" => hosts(record).join(" "),
            "subject" => match record.get("action") {
                Some(action) => {
                    serde_json::from_value(action.clone()).map_or_else(|_| String::new(), |a: Action| a.subject())
                }
                None => text("/subject"),
            },
            "reason" if record.get("reason").is_none() => text("/event"),
            other => text(&format!("/{other}")),
        }
    })
}

/// One line of a table. What agents wrote stands in it, and a spreadsheet computes what begins like a formula; so that
/// gets an apostrophe in front.
fn row(out: &mut impl Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    let quoted = cells.map(|cell| {
        let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let cell = if formula { format!("'{cell}") } else { cell };
        if cell.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
    });
    write!(out, "{}\r\n", quoted.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::record::Kind;

    fn written(format: Format, lines: &[&str]) -> String {
        let record = |line: &&str| Ok(Record { seq: 1, kind: Kind::Decision, line: (*line).to_owned() });
        let mut out = Vec::new();
        export(lines.iter().map(record), format, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    const CALL: &str = r#"{"v":"rampart.audit.v2","seq":7,"type":"decision","at":"2026-01-31T09:30:00.123Z","actor":{"agent":"=1+1","session":"s"},"tool":"exec","action":{"type":"exec","command":"echo \"a\", b\n"},"outcome":"deny","verdict":"deny","reason":"rule","rule":{"policy":"p"},"micros":9,"h":"ab"}"#;
    const LOADED: &str = r#"{"v":"rampart.audit.v2","seq":8,"type":"policy","at":"2026-01-31T09:30:00.123Z","event":"loaded","subject":"custom.yaml","h":"cd"}"#;

    #[test]
    fn each_format_is_what_its_readers_expect() {
        assert_eq!(written(Format::Jsonl, &[CALL, LOADED]), format!("{CALL}\n{LOADED}\n"));
        let array: Value = serde_json::from_str(&written(Format::Json, &[CALL, LOADED])).unwrap();
        assert_eq!((array[0]["seq"].as_u64(), array[1]["subject"].as_str()), (Some(7), Some("custom.yaml")));
        assert_eq!(written(Format::Json, &[]), "[]\n");
        let table = written(Format::Csv, &[CALL, LOADED]);
        let lines: Vec<&str> = table.split("\r\n").collect();
        assert_eq!(lines[0], COLUMNS.join(","));
        assert_eq!(
            lines[1],
            "7,2026-01-31T09:30:00.123Z,decision,,'=1+1,s,exec,\"echo \"\"a\"\", b\n\",,deny,deny,rule,p,,,9,ab"
        );
        assert_eq!(lines[2], "8,2026-01-31T09:30:00.123Z,policy,,,,,custom.yaml,,,,loaded,,,,,cd");
        assert!(written(Format::Cef, &[CALL]).contains("CEF:0|Rampart|rampart|"));
    }
}
