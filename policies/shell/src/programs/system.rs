//! Processes, mounts, and Rampart itself.

use rampart_call::{EffectKind, Scope, Sensitivity, Target};

use crate::place;
use crate::value::{Arg, Flow};
use crate::walk::{Use, Walk, base_name};

/// Most ports of one command that are looked at.
const MAX_PORTS: usize = 8;

pub(super) fn kill(walk: &mut Walk<'_>, used: &mut Use<'_>, words: &[Arg]) -> bool {
    let by_user = words.iter().any(|w| matches!(w.text.as_str(), "-u" | "-U" | "--uid" | "--euid" | "--user"));
    let others = used.name == "pkill" && words.iter().any(|w| matches!(w.text.as_str(), "-v" | "--inverse"));
    if used.name == "killall5" || others || by_user && used.name != "kill" && used.usage.operands.len() < 2 {
        walk.note(EffectKind::Signal, "kill-all");
    }
    let lists = words.iter().any(|w| matches!(w.text.as_str(), "-l" | "-L" | "--list" | "-0"));
    if lists {
        return true;
    }
    // `Get-Process | Stop-Process`
    if used.usage.operands.is_empty() && used.usage.values.is_empty() && walk.pipes_everybody() {
        walk.note(EffectKind::Signal, "kill-all");
    }
    let mut signal_seen = false;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let text = word.text.as_str();
        match text {
            "-s" | "-n" | "--signal" | "-u" | "-U" | "-g" | "-G" | "-t" | "-P" | "--timeout" => {
                words.next();
                signal_seen = true;
            }
            "--" => signal_seen = true,
            // the first such word is the signal, the next a process group
            _ if text.starts_with('-') && used.name == "kill" => {
                if text == "-1" && signal_seen {
                    walk.named(EffectKind::Signal, "process", text, "kill-all");
                }
                signal_seen = true;
            }
            _ if text.starts_with('-') => {}
            _ => {
                // what patterns of names may reach
                let own = used.name != "kill" && names_rampart(text)
                    || text.contains("rampart")
                    || !word.is_literal() && walk.looked_for_rampart();
                if !word.is_literal() {
                    walk.signals_ports();
                }
                if own {
                    walk.named(EffectKind::SelfTamper, "process", text, "rampart-stop");
                } else {
                    let note = match text {
                        "1" => "shutdown",
                        _ if !word.is_literal() && walk.lists_everybody(word) => "kill-all",
                        // names of folders of /proc
                        _ if used.name == "kill" && word.glob && text.contains('*') => "kill-all",
                        _ if is_guard(text) => "service-stop",
                        _ => "",
                    };
                    walk.named(EffectKind::Signal, "process", text, note);
                }
            }
        }
    }
    used.stdout = Some(Flow::empty());
    true
}

/// `fuser -k 3000/tcp`, `kill-port 3000`: who listens there is ended.
pub(super) fn fuser(walk: &mut Walk<'_>, used: &mut Use<'_>, words: &[Arg]) -> bool {
    let kills = used.name != "fuser" || used.usage.has("-k") || used.usage.has("--kill");
    for word in words.iter().filter(|word| kills && !word.text.starts_with('-')) {
        let number = word.text.split('/').next().unwrap_or("").trim_start_matches(':');
        match number.parse() {
            Ok(port) => walk.signals_port(port),
            Err(_) => walk.named(EffectKind::Signal, "process", &word.text, ""),
        }
    }
    used.stdout = Some(Flow::empty());
    true
}

impl Walk<'_> {
    /// Processes are signalled whose numbers something found: by the ports that are named, where any are.
    fn signals_ports(&mut self) {
        let numbers = self.source().split(|c: char| !c.is_ascii_digit());
        let mut ports: Vec<u16> =
            numbers.filter(|n| (4..=5).contains(&n.len())).filter_map(|n| n.parse().ok()).collect();
        ports.dedup();
        ports.into_iter().take(MAX_PORTS).for_each(|port| self.signals_port(port));
    }

    /// An earlier command of the pipeline looked for Rampart's process, so that the numbers may be its.
    fn looked_for_rampart(&self) -> bool {
        let name = |argv: &[String]| argv.first().map_or("", |first| base_name(first)).to_owned();
        let lists = self.piped().any(|argv| matches!(name(argv).as_str(), "ps" | "top" | "lsof"));
        self.piped().any(|argv| {
            let words = argv.get(1..).unwrap_or(&[]);
            match name(argv).as_str() {
                "pgrep" | "pidof" => words.iter().any(|word| names_rampart(word)),
                "grep" | "egrep" | "rg" | "awk" | "gawk" | "sed" => {
                    lists && words.iter().any(|w| w.replace(['[', ']'], "").contains("rampart"))
                }
                _ => false,
            }
        })
    }

    /// The numbers are those of every process, of the machine or a user: nothing picks some by their name.
    fn lists_everybody(&self, word: &Arg) -> bool {
        let inner = word.text.strip_prefix("$(").and_then(|t| t.strip_suffix(')'));
        let inner = inner.or_else(|| word.text.strip_prefix('`').and_then(|t| t.strip_suffix('`')));
        match inner {
            Some(text) => keeps_all(&text.split('|').map(words_of).collect::<Vec<_>>()),
            None => self.pipes_everybody(),
        }
    }

    fn pipes_everybody(&self) -> bool {
        keeps_all(&self.piped().map(<[String]>::to_vec).collect::<Vec<_>>())
    }

    fn signals_port(&mut self, port: u16) {
        let target = Target::Host { host: "localhost".to_owned(), port: Some(port), url: None };
        self.push(EffectKind::Signal, Some(target), "");
    }
}

fn keeps_all(stages: &[Vec<String>]) -> bool {
    stages.split_first().is_some_and(|(first, rest)| lists_all(first) && !rest.iter().any(|stage| picks(stage)))
}

fn words_of(text: &str) -> Vec<String> {
    text.split_whitespace().map(|word| word.trim_matches(['"', '\'']).to_owned()).collect()
}

/// `ps -e`, `ps aux`, `pgrep -u USER`, `ls /proc`: no process is left out.
fn lists_all(argv: &[String]) -> bool {
    let Some((name, words)) = argv.split_first() else { return false };
    let any = |fits: &dyn Fn(&str) -> bool| words.iter().any(|word| fits(word));
    match base_name(name) {
        "ps" => {
            let all = any(&|w| match w.strip_prefix('-') {
                Some(letters) => !letters.starts_with('-') && letters.starts_with(['e', 'A', 'u', 'U', 'a']),
                None => w.len() < 6 && w.contains('a') && w.contains('x'),
            });
            all && !any(&|w| matches!(w, "-C" | "-p" | "-q" | "-t" | "-g") || w.starts_with("--p"))
        }
        "pgrep" => {
            let by_user = any(&|w| matches!(w, "-u" | "-U" | "--euid" | "--uid"));
            any(&|w| matches!(w, "." | ".*")) || by_user && words.iter().filter(|w| !w.starts_with('-')).count() < 2
        }
        "Get-Process" | "gps" => words.is_empty(),
        "ls" | "echo" => any(&|w| w.trim_end_matches('/') == "/proc" || w.starts_with("/proc/[")),
        _ => false,
    }
}

/// A filter leaves processes of some name, or the first ones.
fn picks(argv: &[String]) -> bool {
    let Some((name, words)) = argv.split_first() else { return false };
    match base_name(name) {
        "grep" | "egrep" | "fgrep" | "rg" => {
            let inverts =
                |w: &String| w == "--invert-match" || w.starts_with('-') && !w.starts_with("--") && w.contains('v');
            // a pattern without letters picks numbers
            let named = words.iter().any(|w| !w.starts_with('-') && w.contains(char::is_alphabetic));
            named && !words.iter().any(inverts)
        }
        "awk" | "gawk" | "mawk" => words.iter().any(|w| {
            let plain: String = w.chars().filter(|c| !c.is_whitespace()).collect();
            plain.replace("NR>1", "").contains(['/', '~', '>', '<']) || plain.contains("==")
        }),
        "sed" => words.iter().any(|w| w.contains('/') && !w.starts_with('s')),
        "head" | "fzf" | "sk" | "gum" | "comm" | "join" => true,
        _ => false,
    }
}

/// Whether a process pattern names what watches the system.
fn is_guard(pattern: &str) -> bool {
    const GUARDS: &[&str] = &[
        "auditd",
        "rsyslog",
        "syslog",
        "journald",
        "falco",
        "sysdig",
        "osquery",
        "crowdstrike",
        "falcon-sensor",
        "wazuh",
        "ossec",
        "clamd",
        "clamav",
        "tripwire",
        "aide",
        "sshd",
        "fail2ban",
        "apparmor",
        "firewalld",
        "ufw",
        "cbagent",
        "sentinel",
        "snort",
        "suricata",
        "mdatp",
        "auditbeat",
        "filebeat",
        "systemd",
        "launchd",
        "littlesnitch",
    ];
    GUARDS.iter().any(|guard| pattern.contains(guard))
}

/// Whether a process pattern finds Rampart.
fn names_rampart(pattern: &str) -> bool {
    let plain = pattern.trim_matches(['^', '$', '.', '*']);
    plain.len() >= 3 && ("rampart".contains(plain) || plain.contains("rampart")) || pattern == "." || pattern == ".*"
}

/// Commands of Rampart that only show.
const SHOWS: &[&str] = &[
    "status",
    "doctor",
    "test",
    "version",
    "help",
    "log",
    "logs",
    "explain",
    "lint",
    "scan",
    "audit",
    "report",
    "man",
    "preflight",
    "hook",
    "bench",
    "completion",
    "completions",
    "docs",
    "env",
];

pub(super) fn rampart(walk: &mut Walk<'_>, used: &mut Use<'_>, words: &[Arg]) -> bool {
    if words.iter().any(|w| matches!(w.text.as_str(), "--help" | "-h" | "--version" | "-V")) {
        return true;
    }
    let named: Vec<&str> = words.iter().map(|w| w.text.as_str()).filter(|w| !w.starts_with('-')).collect();
    let shows = match &named[..] {
        [] => true,
        ["policy", "lint" | "explain" | "list" | "show" | "schema", ..] => true,
        ["rules" | "policy"] | ["rules", "list"] | ["config" | "ca", "show"] => true,
        ["mcp", "pins", "approve" | "reset", ..] => false,
        ["mcp", "scan" | "pins", ..] => true,
        [first, ..] => SHOWS.contains(first),
    };
    if !shows {
        let name = named.join(" ");
        let note = if matches!(named.first(), Some(&("stop" | "disable" | "uninstall" | "serve"))) {
            "rampart-stop"
        } else {
            "rampart-command"
        };
        walk.named(EffectKind::SelfTamper, "command", &name, note);
    }
    used.stdout = Some(Flow::empty());
    true
}

/// `source:target` of a container's mount, or `type=bind,source=..`.
pub(crate) fn mount(walk: &mut Walk<'_>, arg: &Arg, option: &str) {
    let text = arg.text.as_str();
    let source = text
        .split(',')
        .find_map(|part| part.strip_prefix("source=").or_else(|| part.strip_prefix("src=")))
        .or_else(|| text.split_once(':').map(|(source, _)| source))
        .or_else(|| (option == "--device").then_some(text));
    let Some(source) = source.filter(|s| s.starts_with(['/', '~', '.', '$'])) else { return };
    let word = arg.with_text(source);
    let target = walk.target(&word, true);
    let Target::Path { scope, sensitivity, path, .. } = &target else { return };
    let socket = place::is_container_socket(path);
    let delicate = matches!(scope, Scope::SystemRoot | Scope::HomeRoot | Scope::Rampart)
        || *scope == Scope::System
            && ![
                "/usr/share/",
                "/etc/localtime",
                "/etc/ssl/certs",
                "/etc/timezone",
                "/opt/",
                "/srv/",
                "/mnt/",
                "/media/",
                "/var/lib/docker/volumes",
            ]
            .iter()
            .any(|p| path.starts_with(p))
        || *scope == Scope::Device && path != "/dev/dri" && !path.starts_with("/dev/nvidia")
        || *sensitivity == Sensitivity::Credential;
    if socket {
        walk.push(EffectKind::Privilege, Some(target), "privileged-container");
    } else if delicate {
        walk.push(EffectKind::Privilege, Some(target), "host-mount");
    }
}
