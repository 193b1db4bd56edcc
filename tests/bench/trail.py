#!/usr/bin/env python3
"""A long audit trail looked through: tests/bench/trail.py [RECORDS [FOLDER OF BINARIES [HOME WITH SUCH A TRAIL]]]

Writes a trail with the trail's own writer (`cargo build -p rampart-gateway --example trail`), has `rampart report` read it, and
asks the History page's questions of a gateway: the newest hundred that are so, five times each, once the closed segments are
summed up; then some of them of `rampart log` and `audit search`, which read the trail themselves. Prints tables.
"""

import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
RECORDS = int(sys.argv[1] if len(sys.argv) > 1 else 1_000_000)
TARGET = HERE / "../../target"
BIN = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else TARGET / "release").resolve()
# that program need not be quick
TRAIL = next((path for path in (BIN / "examples/trail", TARGET / "debug/examples/trail") if path.is_file()), None)
TIMES = 5

COMMANDS = [
    ["log"],
    ["log", "--agent", "night-owl"],
    ["log", "--text", "no such words"],
    ["audit", "tail", "--host", "nowhere.invalid"],
    ["audit", "search", "haystack"],
    ["audit", "search", "no such words"],
]

# what is looked for, and how often it is there
QUESTIONS = [
    ("nothing in particular", {}),
    ("decisions and answers", {"type": "decision,result,approval"}),
    ("tool `exec`, nearly half", {"tool": "exec"}),
    ("tool `create_issue`, an MCP tool", {"tool": "create_issue"}),
    ("agent `codex`, a sixth", {"agent": "codex"}),
    ("agent `night-owl`, ten", {"agent": "night-owl"}),
    ("agent that there is not", {"agent": "nobody"}),
    ("session, two hundred", {"session": "019a0007-7b1e-7c3a-9d55-2f1f0a5d8e11"}),
    ("session, ten", {"session": "s-rare"}),
    ("session that there is not", {"session": "s-none"}),
    ("decision `deny`", {"decision": "deny"}),
    ("decision `ask`", {"decision": "ask"}),
    ("decision `webhook`, none", {"decision": "webhook"}),
    ("rule that decides often", {"rule": None}),
    ("rule that there is not", {"rule": "no-such-rule"}),
    ("host `docs.rs`", {"host": "docs.rs"}),
    ("hosts below `example.org`, ten", {"host": "*.example.org"}),
    ("host that there is not", {"host": "nowhere.invalid"}),
    ("an hour four days ago", {"since": "4d", "until": "95h"}),
    ("that hour, denied", {"since": "4d", "until": "95h", "decision": "deny"}),
    ("before all records", {"until": "30d"}),
    ("text `pytest`, often", {"text": "pytest"}),
    ("text `haystack`, ten", {"text": "haystack"}),
    ("text that is nowhere", {"text": "no such words"}),
    ("text of two letters that is nowhere", {"text": "q~"}),
    ("text `items/345678`, a number of one call", {"text": "items/345678"}),
    ("text: the id of a session", {"text": "019A0007-7b1e"}),
    ("path `~/.ssh`", {"path": "~/.ssh"}),
    ("path of ten", {"path": "/home/ann/shop/needle.txt"}),
    ("path that there is not", {"path": "/opt/nowhere"}),
    ("type `gap`, none", {"type": "gap"}),
    ("the middle of the trail", {"before": str(RECORDS // 2)}),
]


def spent():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def processor(pid):
    """Seconds of processor that a process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def report(env):
    print("| `rampart report` | seconds | of a processor |\n|---|---|---|")
    found = None
    for form in ("--json", "--html"):
        began, used = time.perf_counter(), spent()
        done = subprocess.run([BIN / "rampart", "report", form, "--last", "8d"], env=env, capture_output=True)
        assert done.returncode == 0, done.stderr
        print(f"| {form} | {time.perf_counter() - began:.2f} | {spent() - used:.2f} |")
        found = found or json.loads(done.stdout)
    assert found["chain"]["ok"] and found["records"] >= RECORDS, found["records"]
    return found


def history(env, home, found):
    gateway = subprocess.Popen([BIN / "rampart", "serve"], env=env, stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            status = subprocess.run([BIN / "rampart", "status", "--json"], env=env, capture_output=True)
            if status.returncode == 0:
                break
            time.sleep(0.05)
        began = time.perf_counter()
        closed = sorted((home / "audit").glob("audit-*.jsonl"))[:-1]
        while not all(file.with_suffix(".summary").exists() for file in closed if file.stat().st_size > 256 << 10):
            time.sleep(0.1)
        sums = sum(file.stat().st_size for file in (home / "audit").glob("*.summary"))
        print(f"\n{len(closed)} segments summed up in {sums} bytes, {time.perf_counter() - began:.1f} s after the start; {processor(gateway.pid):.1f} s of a processor, {resident(gateway.pid):.0f} MB resident")
        address = json.loads(status.stdout)["listen"]
        token = (home / "token").read_text().strip()
        print("\n| History: the newest hundred | found | first, ms | median, ms | of a processor, ms |\n|---|---|---|---|---|")
        for what, query in QUESTIONS:
            query = {name: found["stopped"][0]["rule"] if value is None else value for name, value in query.items()}
            url = f"http://{address}/v1/audit/events?" + urllib.parse.urlencode({**query, "limit": "100"})
            request = urllib.request.Request(url, headers={"authorization": f"Bearer {token}"})
            took, used = [], processor(gateway.pid)
            for _ in range(TIMES):
                began = time.perf_counter()
                with urllib.request.urlopen(request) as answer:
                    body = answer.read()
                took.append((time.perf_counter() - began) * 1000)
            used = (processor(gateway.pid) - used) * 1000 / TIMES
            answer = json.loads(body)
            count = f"{len(answer['events'])}{' and more' if answer['more'] else ''}"
            print(f"| {what} | {count} | {took[0]:.0f} | {sorted(took)[TIMES // 2]:.0f} | {used:.0f} |", flush=True)
        print(f"\n{resident(gateway.pid):.0f} MB resident after that")
    finally:
        gateway.terminate(), gateway.wait()


def commands(env):
    print("\n| command | lines | median, ms |\n|---|---|---|")
    for words in COMMANDS:
        took = []
        for _ in range(TIMES):
            began = time.perf_counter()
            done = subprocess.run([BIN / "rampart", *words], env=env, capture_output=True)
            took.append((time.perf_counter() - began) * 1000)
        print(f"| `rampart {' '.join(words)}` | {len(done.stdout.splitlines())} | {sorted(took)[TIMES // 2]:.0f} |", flush=True)


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="rampart-bench-"))
    home = pathlib.Path(sys.argv[3]).resolve() if len(sys.argv) > 3 else folder / ".rampart"
    env = {"HOME": str(folder), "RAMPART_HOME": str(home), "PATH": os.environ["PATH"]}
    try:
        if not home.exists():
            assert TRAIL, "`cargo build -p rampart-gateway --example trail` makes what writes the trail"
            home.mkdir(mode=0o700)
            began = time.perf_counter()
            written = subprocess.run([TRAIL, home, str(RECORDS)], check=True, capture_output=True, text=True)
            print(f"{written.stdout.strip()}, written in {time.perf_counter() - began:.0f} s\n", flush=True)
        (home / "config.yaml").write_text("listen: 127.0.0.1:0\negress: { listen: 127.0.0.1:0 }\n")
        history(env, home, report(env))
        commands(env)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
