//! What the exec check itself costs, without a gateway: `cargo run --release -p rampart-supervisor --example cost`. A shell starts
//! `/bin/true` again and again, in turn without the check, with it and a gate that lets everything go on, and the same without
//! the comparison at the end of each exec. Prints the median time and the mean processor time, of everybody together.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "it is no part of the program"
)]

#[cfg(target_os = "linux")]
fn main() {
    use std::{process::Command, time::Instant};

    use rampart_call::{Call, Judgement, Origin, Permit, Reason, Verdict};
    use rampart_supervisor::{Supervision, run};

    const EXECS: u32 = 1000;
    const ROUNDS: u32 = 7;
    let gate = |_: Call| Verdict::Allow(Permit::mint(Judgement::allowed(Reason::Default)));
    let command = || {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("i=0; while [ $i -lt {EXECS} ]; do /bin/true; i=$((i+1)); done")]);
        command
    };
    // Ticks of 10 ms, of this process and of those it has seen end (proc_pid_stat(5)).
    let processor = || -> f64 {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let fields = stat.rsplit(')').next().unwrap_or_default().split(' ').skip(12).take(4);
        fields.map(|field| field.parse::<f64>().unwrap() * 1e4).sum()
    };
    let mut times: [(Vec<f64>, f64); 3] = Default::default();
    for _ in 0..ROUNDS {
        for (kind, (times, busy)) in times.iter_mut().enumerate() {
            let before = processor();
            let began = Instant::now();
            let status = if kind == 0 {
                command().status()
            } else {
                run(command(), Supervision { verified: kind == 1, ..Supervision::new(&gate, Origin::default()) })
            };
            assert!(status.unwrap().success());
            times.push(began.elapsed().as_secs_f64() * 1e6 / f64::from(EXECS));
            *busy += (processor() - before) / f64::from(EXECS * ROUNDS);
        }
    }
    for (what, (mut times, busy)) in ["without", "with", "not verified"].into_iter().zip(times) {
        times.sort_by(f64::total_cmp);
        println!(
            "{what}: {:.1} us an exec, {busy:.1} us of processor",
            times.get(times.len() / 2).copied().unwrap_or_default()
        );
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {}
