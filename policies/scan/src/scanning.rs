//! The scan itself: keyword hits are confirmed, numbers, phrases and encoded runs are looked at, and what an encoding
//! hides is scanned in turn.

use rampart_call::{Finding, Span};

use crate::detector::{ALL, Detector};
use crate::layers::{self, View};
use crate::{confirm, hidden, personal, prefilter, redact, seed};

/// How many encodings may lie on top of each other.
pub(crate) const DEPTH: usize = 3;

/// How often the parts around findings are looked at again with what was found masked.
const ROUNDS: usize = 8;

/// Finds everything in `bytes`, which need not be UTF-8.
pub(crate) fn scan_bytes(bytes: &[u8]) -> Vec<Finding> {
    let named = |f: &Finding| redact::in_placeholder(bytes, f.span.start);
    let mut findings = once(bytes);
    findings.retain(|f| !named(f));
    let mut masked: Option<Vec<u8>> = None;
    let mut seen = 0;
    // What is glued to something found may be recognised only when that has been taken out.
    for _ in 0..ROUNDS {
        let spans: Vec<Span> = findings.iter().map(|f| f.span).collect();
        if spans.len() == seen {
            break;
        }
        seen = spans.len();
        let masked = masked.get_or_insert_with(|| bytes.to_vec());
        for span in &spans {
            mask(masked, *span);
        }
        let apart = |f: &Finding| spans.iter().all(|s| f.span.end <= s.start || s.end <= f.span.start);
        for (start, end) in around(masked, &spans) {
            let mut more = once(masked.get(start..end).unwrap_or_default());
            for finding in &mut more {
                finding.span = Span { start: finding.span.start + start, end: finding.span.end + start };
            }
            findings.extend(more.into_iter().filter(|f| apart(f) && !named(f)));
        }
        tidy(&mut findings);
    }
    findings
}

/// Everything in `bytes` as they are.
fn once(bytes: &[u8]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut budget = bytes.len().saturating_mul(4).saturating_add(64 * 1024);
    look(&View::plain(bytes), &mut budget, &mut findings);
    tidy(&mut findings);
    findings
}

/// The parts of the text around `spans`, which are in order: enough to see what is glued to them.
fn around(bytes: &[u8], spans: &[Span]) -> Vec<(usize, usize)> {
    const AROUND: usize = 256;
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for span in spans {
        let near = (span.start.saturating_sub(AROUND), bytes.len().min(span.end + AROUND));
        let (start, end) = layers::whole_words(bytes, near.0, near.1);
        match parts.last_mut() {
            Some((_, last)) if start <= *last => *last = end.max(*last),
            _ => parts.push((start, end)),
        }
    }
    parts
}

/// Puts in its place what [`crate::placeholder`] begins and ends with.
fn mask(bytes: &mut [u8], span: Span) {
    if let Some([inside @ .., last]) = bytes.get_mut(span.start..span.end) {
        inside.fill(b'[');
        *last = b']';
    }
}

/// Scans one view, and the views that can be decoded from it until `budget` bytes have been decoded.
fn look(view: &View<'_>, budget: &mut usize, findings: &mut Vec<Finding>) {
    let bytes = view.bytes;
    let mut report = |detector: &Detector, start: usize, end: usize| {
        let (start, end) = view.locate(start, end);
        let layers = view.layers().into_iter().map(str::to_owned).collect();
        findings.push(Finding {
            detector: detector.id().to_owned(),
            class: detector.class(),
            span: Span { start, end },
            layers,
        });
    };
    let mut report_code = |id: &str, start: usize, end: usize| {
        if let Some(detector) = ALL.iter().find(|d| d.id() == id) {
            report(detector, start, end);
        }
    };
    let mut confirmed: Vec<(&Detector, usize, usize)> = Vec::new();
    prefilter::each_hit(bytes, |hit, detectors| {
        for detector in detectors.iter().filter_map(|number| ALL.get(*number)) {
            if let Some((start, end)) = confirm::confirm(detector, bytes, hit) {
                confirmed.push((detector, start, end));
            }
        }
    });
    // What is written as an escape hides nothing from who reads the text.
    if view.depth() == 0 {
        hidden::each(bytes, &mut report_code);
    }
    personal::numbers(bytes, &mut report_code);
    seed::phrases(bytes, &mut report_code);
    for (detector, start, end) in confirmed {
        report(detector, start, end);
    }
    if view.depth() < DEPTH {
        layers::each_inner(view, |inner| {
            if let Some(left) = budget.checked_sub(inner.bytes.len()) {
                *budget = left;
                look(inner, budget, findings);
            }
        });
    }
}

/// Sorts, and drops what says nothing new: the same thing found again under an encoding or by a less telling detector.
fn tidy(findings: &mut Vec<Finding>) {
    findings.sort_by(|a, b| {
        let key = |f: &Finding| (f.span.start, std::cmp::Reverse(f.span.end), f.layers.len());
        key(a).cmp(&key(b)).then_with(|| a.detector.cmp(&b.detector))
    });
    let mut kept: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings.drain(..) {
        let same = |k: &&Finding| k.span.end > finding.span.start;
        let covered = kept.iter().rev().take(16).filter(same).any(|k| {
            let inside = k.span.start <= finding.span.start && finding.span.end <= k.span.end;
            k.class == finding.class && inside && (k.detector == finding.detector || is_generic(&finding))
        });
        if !covered {
            if is_generic(kept.last().unwrap_or(&finding)) && kept.last().is_some_and(|k| covers(&finding, k)) {
                kept.pop();
            }
            kept.push(finding);
        }
    }
    *findings = kept;
}

/// Whether `outer` tells all that `generic` does.
fn covers(outer: &Finding, generic: &Finding) -> bool {
    outer.class == generic.class && outer.span == generic.span
}

fn is_generic(finding: &Finding) -> bool {
    finding.detector.starts_with("generic-")
}
