//! RFC 5424: a header, the members of a record as structured data, and the record as a sentence.

use rampart_call::Outcome;

use super::{super::record::Kind, Seen};

/// Facility 13, "log audit" (section 6.2.1).
const FACILITY: u8 = 13;
/// The name of our structured data. 32473 is the number that IANA keeps for those who have none (RFC 5612).
const SD_ID: &str = "rampart@32473";
/// A message in UTF-8 begins with it (section 6.4).
const BOM: char = '\u{feff}';

/// Who sends.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) host: String,
    pub(super) pid: u32,
}

impl Sender {
    /// This process on this machine.
    pub(super) fn this() -> Self {
        let uname = rustix::system::uname();
        let host: String =
            uname.nodename().to_string_lossy().chars().filter(char::is_ascii_graphic).take(255).collect();
        Self { host: if host.is_empty() { "-".to_owned() } else { host }, pid: std::process::id() }
    }

    /// Everything before the structured data (section 6.2).
    pub(super) fn header(&self, record: &Seen) -> String {
        let priority = FACILITY * 8 + severity(record);
        let Self { host, pid } = self;
        format!("<{priority}>1 {} {host} rampart {pid} {}", record.at(), record.kind.as_str())
    }
}

/// Section 6.2.1: 3 is an error, 4 a warning, 5 a notice, 6 information.
fn severity(record: &Seen) -> u8 {
    match record.kind {
        Kind::Decision | Kind::Result if record.is_denial() => 4,
        Kind::Decision | Kind::Result if record.outcome("outcome") == Some(Outcome::Allow) => 6,
        Kind::Decision | Kind::Result | Kind::Approval | Kind::Open | Kind::Close | Kind::Retire => 5,
        Kind::Policy | Kind::Config | Kind::Auth => {
            if ["rejected", "refused"].contains(&record.text("event").as_str()) { 4 } else { 5 }
        }
        Kind::Recover | Kind::Lost | Kind::Gap => 3,
        Kind::Checkpoint => 6,
    }
}

pub(super) fn render(record: &Seen, sender: &Sender) -> String {
    let mut out = sender.header(record);
    out.push_str(&format!(" [{SD_ID}"));
    for (name, value) in record.values() {
        out.push_str(&format!(" {name}=\"{}\"", escape(&value)));
    }
    out.push_str("] ");
    let sentence = record.sentence();
    if !sentence.is_ascii() {
        out.push(BOM);
    }
    out.push_str(&sentence);
    out
}

/// Section 6.3.3: `"`, `\` and `]` are escaped in the value of a parameter.
fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '"' | '\\' | ']') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::audit::sinks) fn sender() -> Sender {
        Sender { host: "box.example".into(), pid: 42 }
    }

    /// A record with the members that all have, and these.
    pub(in crate::audit::sinks) fn seen(kind: Kind, members: &str) -> Seen {
        let kind_word = kind.as_str();
        let line = format!(
            r#"{{"v":"rampart.audit.v2","seq":7,"type":"{kind_word}","at":"2026-01-31T09:30:00.123Z","boot_ms":9,{members},"h":"ab12"}}"#
        );
        Seen::new(&line).unwrap()
    }

    pub(in crate::audit::sinks) const DENIAL: &str = r#""actor":{"agent":"claude-code","session":"s-1","surface":"hook","depth":0,"pid":77},"tool":"exec","action":{"type":"exec","command":"echo \"a\\b\" | grep x=1]\nrm -rf / \u202e\u001b[2K"},"outcome":"deny","verdict":"deny","reason":"rule","rule":{"policy":"block \"rm\"","index":1,"action":"deny","file":"p.yaml","line":3},"message":"Grüße\r\nno","ruleset":"cafe","mode":"enforce","micros":12"#;

    #[test]
    fn a_denial_in_the_words_of_rfc_5424() {
        insta::assert_snapshot!(render(&seen(Kind::Decision, DENIAL), &sender()));
    }

    #[test]
    fn severity_follows_what_happened() {
        for (kind, members, priority) in [
            (Kind::Decision, DENIAL, "<108>1 "),
            (Kind::Decision, r#""outcome":"allow","verdict":"allow""#, "<110>1 "),
            (Kind::Decision, r#""outcome":"deny","verdict":"allow","mode":"monitor""#, "<108>1 "),
            (Kind::Result, r#""outcome":"watch","verdict":"allow""#, "<109>1 "),
            (Kind::Policy, r#""event":"rejected""#, "<108>1 "),
            (Kind::Gap, r#""reason":"disk_full","refused":3"#, "<107>1 "),
            (Kind::Checkpoint, r#""size":6"#, "<110>1 "),
        ] {
            let line = render(&seen(kind, members), &sender());
            assert!(line.starts_with(priority), "{line}");
        }
    }

    #[test]
    fn a_checkpoint_carries_what_a_witness_needs() {
        let line =
            render(&seen(Kind::Checkpoint, r#""size":6,"head":"aa","root":"bb","key":"cc","sig":"dd""#), &sender());
        for param in [r#"size="6""#, r#"head="aa""#, r#"root="bb""#, r#"key="cc""#, r#"sig="dd""#, r#"h="ab12""#] {
            assert!(line.contains(param), "{line}");
        }
    }
}
