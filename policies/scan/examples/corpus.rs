//! What the scanner says of the files below some folders: how much it read and how fast, and how often each detector
//! found something. On text that holds nothing, these are the false positives.
//!
//! `cargo run --release -p rampart-scan --example corpus -- [--show DETECTOR] [--ending .md]... FOLDER...`
#![allow(clippy::disallowed_methods, reason = "it reads what it measures")]
#![allow(clippy::print_stdout, reason = "it tells its numbers")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Longer files are left out: they are data, not text.
const LONGEST: u64 = 4 << 20;

#[derive(Default)]
struct Counts {
    files: usize,
    bytes: usize,
    seconds: f64,
    with_findings: usize,
    detectors: BTreeMap<String, (usize, usize)>,
}

fn main() {
    let mut show = Vec::new();
    let mut endings = Vec::new();
    let mut folders = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--show" => show.extend(arguments.next()),
            "--ending" => endings.extend(arguments.next()),
            _ => folders.push(PathBuf::from(argument)),
        }
    }
    rampart_scan::scan("warm");
    let mut counts = Counts::default();
    for folder in &folders {
        visit(folder, &endings, &mut |path, text| measure(path, text, &show, &mut counts));
    }
    let Counts { files, bytes, seconds, with_findings, detectors } = counts;
    let megabytes = bytes as f64 / 1e6;
    println!("{files} files, {megabytes:.1} MB, {:.0} MB/s", megabytes / seconds);
    println!("{with_findings} files with findings");
    for (detector, (findings, files)) in detectors {
        println!("{findings:6} in {files:5} files  {detector}");
    }
}

fn visit(path: &Path, endings: &[String], look: &mut impl FnMut(&Path, &str)) {
    let Ok(facts) = std::fs::symlink_metadata(path) else { return };
    if facts.is_dir() {
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(path).into_iter().flatten().flatten().map(|e| e.path()).collect();
        entries.sort();
        for entry in &entries {
            visit(entry, endings, look);
        }
        return;
    }
    let name = path.to_string_lossy();
    let wanted = endings.is_empty() || endings.iter().any(|e| name.ends_with(e.as_str()));
    if facts.is_file()
        && wanted
        && facts.len() <= LONGEST
        && let Ok(text) = std::fs::read_to_string(path)
    {
        look(path, &text);
    }
}

fn measure(path: &Path, text: &str, show: &[String], counts: &mut Counts) {
    let start = processor_seconds();
    let found = rampart_scan::scan(text);
    counts.seconds += processor_seconds() - start;
    counts.files += 1;
    counts.bytes += text.len();
    counts.with_findings += usize::from(!found.is_empty());
    let mut here: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in &found {
        *here.entry(&finding.detector).or_default() += 1;
        if show.contains(&finding.detector) {
            let line = text.bytes().take(finding.span.start).filter(|b| *b == b'\n').count() + 1;
            let from = text.floor_char_boundary(finding.span.start.saturating_sub(30));
            let to = text.ceil_char_boundary((finding.span.end + 10).min(finding.span.start + 160).min(text.len()));
            let shown = rampart_scan::visible(&text[from..to]).replace('\n', "⏎");
            println!("{}:{line}: {} {:?} {shown}", path.display(), finding.detector, finding.layers);
        }
    }
    for (detector, n) in here {
        let (findings, files) = counts.detectors.entry(detector.to_owned()).or_default();
        *findings += n;
        *files += 1;
    }
}

/// Seconds that this thread has had of a processor; on a busy machine the clock on the wall tells little.
fn processor_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
