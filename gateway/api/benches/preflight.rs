//! How long a preflight takes at a steady rate: 2,000 requests a second over eight connections to a gateway in another
//! process, as many agents at once would ask. `cargo bench -p rampart-api --bench preflight -- [PROGRAM]`, where PROGRAM is
//! the `rampart` to start; without it the one that `cargo build --release` made.
//!
//! Each request has its time, whether or not those before it were answered, and its latency counts from there: a gateway
//! that stalls is not asked less for that.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops at the first surprise and prints")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const RATE: u32 = 2_000;
const CONNECTIONS: u32 = 8;
const WARM_UP: Duration = Duration::from_secs(2);
const RUN: Duration = Duration::from_secs(10);
const TOKEN: &str = "a-token-for-this-bench-only-0123456789";

/// What is asked about, in turn: mostly what agents do all day.
const COMMANDS: [&str; 5] = [
    "git status",
    "cargo test --workspace -- --nocapture",
    "cd web && npm ci && npm run build 2>&1 | tail -20",
    "rg -n 'fn main' --type rust | head",
    "rm -rf /",
];

/// A gateway in a home of its own, gone when the bench ends.
struct Gateway {
    child: Child,
    dir: PathBuf,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn main() {
    let given = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/release/rampart");
    let program = given.map_or(built, PathBuf::from);
    let (gateway, address) = start(&program);
    let before = processor_time(&gateway);
    let begins = Instant::now() + Duration::from_millis(200);
    let every = Duration::from_secs(1) / RATE * CONNECTIONS;
    let asking: Vec<_> = (0..CONNECTIONS)
        .map(|nth| {
            let (address, first) = (address.clone(), begins + every / CONNECTIONS * nth);
            thread::spawn(move || ask(&address, first, every))
        })
        .collect();
    let all: Vec<(Duration, Duration)> = asking.into_iter().flat_map(|asking| asking.join().unwrap()).collect();
    println!("{} answers, of {} that were due", all.len(), RATE * u32::try_from(RUN.as_secs()).unwrap());
    let asked = RATE * u32::try_from((WARM_UP + RUN).as_secs()).unwrap();
    let each = (processor_time(&gateway) - before) / f64::from(asked) * 1e6;
    println!("{each:.0} us of the gateway's processor time each");
    row("from when it was due", all.iter().map(|(due, _)| *due).collect());
    row("from when it was sent", all.iter().map(|(_, sent)| *sent).collect());
}

/// Asks at its times, and gives how long each answer took from when it was due and from when it was sent.
fn ask(address: &str, first: Instant, every: Duration) -> Vec<(Duration, Duration)> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let (mut times, mut body) = (Vec::new(), Vec::new());
    let (counts_from, ends) = (first + WARM_UP, first + WARM_UP + RUN);
    let mut due = first;
    for command in COMMANDS.iter().cycle() {
        if due >= ends {
            return times;
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let question = format!(r#"{{"agent":"bench","session":"s","params":{{"command":"{command}"}}}}"#);
        let request = format!(
            "POST /v1/preflight/exec HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{question}",
            question.len()
        );
        let sent = Instant::now();
        stream.write_all(request.as_bytes()).unwrap();
        read_answer(&mut answers, &mut body);
        let now = Instant::now();
        if due >= counts_from {
            times.push((now - due, now - sent));
        }
        due += every;
    }
    times
}

fn read_answer(answers: &mut BufReader<TcpStream>, body: &mut Vec<u8>) {
    let (mut line, mut length, mut status) = (String::new(), 0, String::new());
    loop {
        line.clear();
        assert!(answers.read_line(&mut line).unwrap() > 0, "it hung up");
        if status.is_empty() {
            status.clone_from(&line);
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    body.resize(length, 0);
    answers.read_exact(body).unwrap();
    assert!(status.starts_with("HTTP/1.1 200"), "{status}{}", String::from_utf8_lossy(body));
}

/// Starts the program and waits until it tells where its API listens.
fn start(program: &Path) -> (Gateway, String) {
    let dir = std::env::temp_dir().join(format!("rampart-preflight-{}", std::process::id()));
    let home = dir.join("home");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&home).unwrap();
    fs::write(home.join("config.yaml"), "listen: 127.0.0.1:0\negress: {listen: '127.0.0.1:0'}\n").unwrap();
    let mut command = Command::new(program);
    command.arg("serve").env("RAMPART_HOME", &home).env("RAMPART_TOKEN", TOKEN);
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let gateway = Gateway { child, dir };
    loop {
        let mut line = String::new();
        assert!(lines.read_line(&mut line).unwrap() > 0, "{} ended", program.display());
        let Some((_, address)) = line.trim().split_once("http://").filter(|_| line.starts_with("api")) else {
            continue;
        };
        let address = address.to_owned();
        // What it says later is nobody's concern, and must not fill the pipe.
        thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        return (gateway, address);
    }
}

/// Seconds that the gateway has had a processor (`/proc/PID/stat`, fields 14 and 15, in hundredths).
fn processor_time(gateway: &Gateway) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", gateway.child.id())).unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn row(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() * part / 1000).min(times.len() - 1)].as_secs_f64() * 1e3;
    let (p50, p90, p99, p999) = (at(500), at(900), at(990), at(999));
    println!("{name:24} p50 {p50:.3} ms, p90 {p90:.3} ms, p99 {p99:.3} ms, p99.9 {p999:.3} ms");
}
