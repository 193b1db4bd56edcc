#!/usr/bin/env python3
"""Wall-clock cost of the exec road, beside hooks in Python and Node that do nothing, in one run:

    cargo build --release -p rampart-cli
    cargo build --profile small -p rampart-shim [--target x86_64-unknown-linux-musl]
    tests/bench/exec.py [RAMPART] [RAMPART-SHIM]

Each kind of call alternates with the others, so all see the same machine. Prints a table; medians and 99th percentiles in
milliseconds, and how much more than the first of its group.
"""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TARGET = pathlib.Path(__file__).resolve().parent / "../../target"
RAMPART = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else TARGET / "release/rampart").resolve())
# The one that loads nothing, where it was built, as packages have it.
SHIMS = [TARGET / f"{os.uname().machine}-unknown-linux-musl/small/rampart-shim", TARGET / "small/rampart-shim"]
SHIM = str(pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else next(filter(pathlib.Path.exists, SHIMS), SHIMS[-1])).resolve())
PAYLOAD = json.dumps({
    "session_id": "bench", "cwd": "/tmp", "hook_event_name": "PreToolUse",
    "tool_name": "Bash", "tool_input": {"command": "git status"}, "tool_use_id": "t",
}).encode()
# So many that what starting takes is nothing beside them.
EXECS = 2000


def compare(kinds, count, env, each=1):
    """Times the commands in turn. With `each`, one run is so many calls."""
    times = {name: [] for name, _ in kinds}
    for turn in range(count + 5):
        for name, command in kinds:
            begun = time.perf_counter()
            done = subprocess.run(command, input=PAYLOAD, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            took = (time.perf_counter() - begun) * 1000 / each
            assert done.returncode == 0, (command, done)
            if turn >= 5:
                times[name].append(took)
    first = statistics.median(times[kinds[0][0]])
    for name, all_of in times.items():
        median, p99 = statistics.median(all_of), sorted(all_of)[int(len(all_of) * 0.99)]
        print(f"| {name} | {median:.3f} | {p99:.3f} | {median - first:+.3f} |")


def main():
    home = pathlib.Path(tempfile.mkdtemp(prefix="rampart-bench-"))
    rampart_home = home / ".rampart"
    rampart_home.mkdir(mode=0o700)
    (rampart_home / "config.yaml").write_text("listen: 127.0.0.1:0\negress: {listen: '127.0.0.1:0'}\n")
    env = {"HOME": str(home), "RAMPART_HOME": str(rampart_home), "PATH": "/usr/bin:/bin"}
    gateway = subprocess.Popen([RAMPART, "serve"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while subprocess.run([RAMPART, "status"], env=env, capture_output=True).returncode != 0:
            time.sleep(0.05)
        print(f"`rampart-shim`: {os.stat(SHIM).st_size / 1000:.0f} kB\n")
        print("| what | p50 ms | p99 ms | more than the first |\n|---|---|---|---|")
        node = shutil.which("node")
        hooks = [
            ("`true`", ["/bin/true"]),
            ("a hook in Python that does nothing", ["/usr/bin/python3", "-c", "import sys; sys.stdin.read()"]),
            *([("a hook in Node that does nothing", [node, "-e", "process.stdin.resume()"])] if node else []),
            ("`rampart-shim hook`", [SHIM, "hook", "claude-code"]),
            ("`rampart hook`", [RAMPART, "hook", "--format", "claude-code"]),
        ]
        compare(hooks, 300, env)
        compare([("`dash -c :`", ["/bin/dash", "-c", ":"]), ("the same through the shell that asks", [SHIM, "--shell", "dash", "-c", ":"])], 300, env)
        loop = f"i=0; while [ $i -lt {EXECS} ]; do /bin/true; i=$((i+1)); done"
        preload = [
            (f"{name}, an exec of {EXECS}", [RAMPART, "preload", "--mode", mode, "--", "/bin/dash", "-c", loop])
            for name, mode in (("without the library", "disabled"), ("with it", "enforce"))
        ]
        check = ("below the exec check of `rampart run`", [RAMPART, "run", "-q", "--", "/bin/dash", "-c", loop])
        compare([*preload, check], 5, env, EXECS)
    finally:
        gateway.terminate(), gateway.wait()
        shutil.rmtree(home, ignore_errors=True)


main()
