#!/usr/bin/env python3
"""Instructions a decision, a load and a scan take, counted by callgrind: tests/bench/instructions.py

Runs each piece of work N and 2N times under valgrind; the difference is what N times cost, whatever start-up costs. The
counts do not depend on what else the machine does, so they show a regression that times would hide.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = {  # name: how often
    "decide-git-status": 500,
    "decide-compound": 200,
    "decide-denied-read": 100,
    "decide-fetch": 500,
    "decide-fetched": 500,
    "load-standard": 2,
    "scan-1kb-json": 200,
}


def count(program, name, times):
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, name, str(times)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(re.search(r"Collected\s*:\s*(\d+)", done.stderr)[1])


def main():
    build = ["cargo", "build", "--release", "--locked", "-p", "rampart-policy", "--example", "workload"]
    subprocess.run(build, cwd=ROOT, check=True)
    program = ROOT / "target/release/examples/workload"
    print("| work | instructions each |\n|---|---|")
    for name, times in WORK.items():
        each = (count(program, name, 2 * times) - count(program, name, times)) // times
        print(f"| {name} | {each:,} |")


if __name__ == "__main__":
    sys.exit(main())
