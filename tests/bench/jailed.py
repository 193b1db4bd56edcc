#!/usr/bin/env python3
"""What work costs below `rampart run`, against the same outside of it, in turn: tests/bench/jailed.py [FOLDER OF RELEASE BINARIES]

`git status` of this repository, 300 times a round, and `npm test` of 200 small tests, this also where Node gets outside what it is
told in the jail. What starting the jail takes is measured by `true` and taken off. Needs git, node and npm.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE / "../../target/release").resolve()
TIMES = 300
LOOP = f"i=0; while [ $i -lt {TIMES} ]; do git status >/dev/null; i=$((i+1)); done"
TESTS = """import test from "node:test"; import assert from "node:assert"
for (let i = 0; i < 200; i++) test(`adds ${i}`, () => assert.equal(i + 1, 1 + i))
"""


def took(command, where, env):
    began = time.perf_counter()
    ran = subprocess.run(command, cwd=where, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert ran.returncode == 0, f"{command}: {ran.stdout[-2000:]}"
    return (time.perf_counter() - began) * 1000


def main():
    with tempfile.TemporaryDirectory(prefix="rampart-bench-") as folder:
        folder = pathlib.Path(folder)
        (folder / "home").mkdir()
        (folder / "project").mkdir()
        (folder / "project/package.json").write_text('{"name":"t","type":"module","scripts":{"test":"node --test t.mjs"}}')
        (folder / "project/t.mjs").write_text(TESTS)
        env = {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "npm_config_update_notifier": "false",
               "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
        jail = [str(BIN / "rampart"), "run", "--"]
        serve = subprocess.Popen([str(BIN / "rampart"), "serve"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(1)
            start = statistics.median(took([*jail, "true"], folder / "project", env) for _ in range(9))
            print(f"`rampart run -- true`: {start:.1f} ms\n\n| what | outside, ms | in the jail, ms | more |\n|---|---|---|---|")
            inside = subprocess.run([*jail, "env"], cwd=folder / "project", env=env, stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL, text=True, check=True)
            told = dict(line.split("=", 1) for line in inside.stdout.splitlines() if line.startswith(("NODE_", "HTTP")))
            for what, command, where, rounds, times, more in [
                ("`git status`", ["sh", "-c", LOOP], HERE.parents[1], 5, TIMES, {}),
                ("`npm test`", ["npm", "test"], folder / "project", 25, 1, {}),
                ("`npm test`, Node told the same outside", ["npm", "test"], folder / "project", 25, 1, told),
            ]:
                pairs = [(took(command, where, env | more), took([*jail, *command], where, env) - start) for _ in range(rounds)]
                outside, inside = (statistics.median(column) / times for column in zip(*pairs))
                print(f"| {what} | {outside:.2f} | {inside:.2f} | {inside / outside - 1:+.0%} |")
        finally:
            serve.terminate()
            serve.wait()


if __name__ == "__main__":
    sys.exit(main())
