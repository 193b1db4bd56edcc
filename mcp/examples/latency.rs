//! Measures what the relay adds: `cargo run --release -p rampart-mcp --example latency -- PROXY... ` times the test
//! server of this crate directly and behind the command PROXY, turn and turn about.
//!
//! Not a load test of a gate: with `allow_all` as PROXY, judging takes no time.

use std::{
    io::{self, BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

const ROUNDS: usize = 10;
const CALLS: usize = 2_000;
const BURST: usize = 50_000;

struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    id: usize,
}

impl Peer {
    fn start(command: &[String]) -> io::Result<Self> {
        let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { child, input, output: BufReader::new(output), id: 0 })
    }

    fn request(&mut self, text: &str) -> String {
        self.id += 1;
        let arguments = format!(r#"{{"name":"echo","arguments":{{"text":"{text}"}}}}"#);
        format!(r#"{{"jsonrpc":"2.0","id":{},"method":"tools/call","params":{arguments}}}"#, self.id) + "\n"
    }

    fn call(&mut self, text: &str) -> io::Result<Duration> {
        let request = self.request(text);
        let start = Instant::now();
        self.input.write_all(request.as_bytes())?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(start.elapsed())
    }

    /// Messages a second, requests and responses, with half as many under way as may be.
    fn burst(mut self, calls: usize) -> io::Result<f64> {
        let requests: Vec<String> = (0..calls).map(|_| self.request("hello")).collect();
        let Self { mut child, mut input, output, .. } = self;
        let (started, finished) = mpsc::sync_channel(500);
        let start = Instant::now();
        let writer = std::thread::spawn(move || {
            for request in requests {
                let _ = started.send(());
                input.write_all(request.as_bytes())?;
            }
            io::Result::Ok(input)
        });
        let mut answered = 0;
        for line in output.lines().take(calls) {
            let _ = finished.recv();
            answered += usize::from(line?.contains("hello"));
        }
        let rate = (2 * answered) as f64 / start.elapsed().as_secs_f64();
        drop(writer.join());
        child.wait()?;
        Ok(rate)
    }
}

fn main() -> io::Result<()> {
    let proxy: Vec<String> = std::env::args().skip(1).collect();
    let server = std::env::current_exe()?.with_file_name("../rampart-mcp-fixture").to_string_lossy().into_owned();
    let direct = vec![server.clone()];
    let through: Vec<String> = proxy.into_iter().chain([server]).collect();
    let mut out = io::stdout().lock();
    for size in [32, 1 << 10, 100 << 10] {
        let text = "x".repeat(size);
        let (mut a, mut b) = (Peer::start(&direct)?, Peer::start(&through)?);
        let (mut plain, mut relayed) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            for _ in 0..CALLS / ROUNDS {
                plain.push(a.call(&text)?);
            }
            for _ in 0..CALLS / ROUNDS {
                relayed.push(b.call(&text)?);
            }
        }
        for peer in [a, b] {
            let Peer { mut child, input, .. } = peer;
            drop(input);
            child.wait()?;
        }
        plain.sort_unstable();
        relayed.sort_unstable();
        let at = |times: &[Duration], share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
        for share in [50, 90, 99] {
            let (direct, through) = (at(&plain, share), at(&relayed, share));
            let added = through.saturating_sub(direct);
            writeln!(
                out,
                "{size:>6} bytes, p{share}: direct {direct:>9.1?}, through {through:>9.1?}, added {added:>9.1?}"
            )?;
        }
    }
    for (name, command) in [("direct", &direct), ("through", &through)] {
        writeln!(out, "burst {name}: {:.0} messages/s", Peer::start(command)?.burst(BURST)?)?;
    }
    Ok(())
}
