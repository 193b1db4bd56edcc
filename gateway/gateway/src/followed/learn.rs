//! Secrets that an agent gets to see on any road are followed from then on. One that came from a host may go back to that
//! host's site; one whose kind tells whose it is may go to whoever issued it.

use rampart_call::{Action, Call, Finding, FindingClass, Judgement, Outcome, Phase};

use super::{Followed, Kind, Value};
use crate::notify::Secret;

/// The longest secret that is followed, in bytes: private keys and tokens are shorter.
const LONGEST: usize = 8 * 1024;

impl Followed {
    /// Takes note of the secrets in what a call brought back. `found` is what detectors found in it, where they have looked.
    pub(crate) fn learn(&self, call: &Call, judgement: &Judgement, verdict: Outcome, found: Option<Vec<Finding>>) {
        let Some(response) = call.response.as_ref().filter(|r| call.phase == Phase::After && !r.text.is_empty()) else {
            return;
        };
        if !self.learns || verdict == Outcome::Deny {
            return;
        }
        // What is cut out of the answer nobody gets to see.
        let cut = |start: usize, end: usize| judgement.edits.iter().any(|e| e.span.start <= start && end <= e.span.end);
        let findings = found.unwrap_or_else(|| rampart_scan::scan(&response.text)).into_iter();
        let secret = |f: &Finding| f.class == FindingClass::Secret && !cut(f.span.start, f.span.end);
        let secrets: Vec<Finding> = findings.filter(secret).collect();
        if secrets.is_empty() {
            return;
        }
        let site = match &call.action {
            Action::Fetch { url, .. } => {
                url::Url::parse(url).ok().and_then(|u| u.host_str().map(site)).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        let seen: Vec<Value> = secrets
            .into_iter()
            .filter_map(|finding| {
                let text = response.text.get(finding.span.start..finding.span.end)?;
                let issuer = rampart_scan::detectors().find(|d| d.id() == finding.detector).map(|d| d.hosts().to_vec());
                (text.len() <= LONGEST).then(|| Value {
                    name: finding.detector.clone(),
                    text: Secret::new(text),
                    hosts: site.iter().cloned().chain(issuer.unwrap_or_default()).collect(),
                    kind: Kind::Seen,
                })
            })
            .collect();
        if !seen.is_empty() {
            self.add(seen);
        }
    }
}

/// The site of a host, as patterns: the name that somebody registered, and everything below it.
fn site(host: &str) -> Vec<String> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if host.parse::<std::net::IpAddr>().is_ok() || host.starts_with('[') {
        return vec![host];
    }
    let registered = psl::domain_str(&host).unwrap_or(&host).to_owned();
    vec![format!("*.{registered}"), registered]
}
