#!/usr/bin/env python3
"""Wall-clock cost of each road against going directly, in one run: tests/bench/run.py [FOLDER OF RELEASE BINARIES]

Direct and guarded calls alternate, so both see the same machine. Prints a table; medians in milliseconds.
"""

import http.client
import json
import os
import pathlib
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE / "../../target/release").resolve()
ROWS = []


def row(what, direct, guarded, budget):
    """Adds a line: medians and 99th percentiles of both, and what was added at the median."""
    d, g = statistics.median(direct), statistics.median(guarded)
    p99 = sorted(guarded)[int(len(guarded) * 0.99)]
    ROWS.append((what, f"{d:.3f}", f"{g:.3f}", f"{g - d:+.3f}", f"{p99:.3f}", budget))


def timed(work):
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def alternate(first, second, count, warm=20):
    """Times two pieces of work in turn."""
    for _ in range(warm):
        first(), second()
    pairs = [(timed(first), timed(second)) for _ in range(count)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def hook(env):
    payload = json.dumps({
        "session_id": "bench", "cwd": "/tmp", "hook_event_name": "PreToolUse",
        "tool_name": "Bash", "tool_input": {"command": "git status"}, "tool_use_id": "t",
    }).encode()

    def run(*command):
        done = subprocess.run(command, input=payload, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 0, done
    true = shutil.which("true")
    small, whole = str(BIN / "rampart-shim"), str(BIN / "rampart")
    row("hook, `rampart-shim hook`, against `true`",
        *alternate(lambda: run(true), lambda: run(small, "hook", "claude-code"), 400), "5 ms")
    row("hook, `rampart hook`, against `true`",
        *alternate(lambda: run(true), lambda: run(whole, "hook", "--format", "claude-code"), 400), "5 ms")


ECHO = """
import sys
for line in sys.stdin.buffer:
    at = line.index(b'"id":') + 5
    number = line[at:line.index(b',', at)]
    sys.stdout.buffer.write(b'{"jsonrpc":"2.0","id":' + number + b',"result":{"content":[{"type":"text","text":"hi"}]}}\\n')
    sys.stdout.buffer.flush()
"""


def mcp(env):
    def start(*prefix):
        command = [*prefix, sys.executable, "-c", ECHO]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, cwd="/tmp")
    direct, guarded = start(), start(str(BIN / "rampart"), "mcp", "--")
    number = 0

    def call(process):
        nonlocal number
        number += 1
        request = {"jsonrpc": "2.0", "id": number, "method": "tools/call",
                   "params": {"name": "echo", "arguments": {"message": "hi"}}}
        process.stdin.write(json.dumps(request, separators=(",", ":")).encode() + b"\n")
        process.stdin.flush()
        assert b'"result"' in process.stdout.readline()
    row("MCP stdio `tools/call`", *alternate(lambda: call(direct), lambda: call(guarded), 2000, 200), "0.2 ms")
    for process in (direct, guarded):
        process.stdin.close()
        process.wait()


def egress(env, proxy, authority, origin_port, origin_ca):
    def connection(through):
        context = ssl.create_default_context(cafile=authority if through else origin_ca)
        if through:
            made = http.client.HTTPSConnection(proxy[0], proxy[1], context=context)
            made.set_tunnel("origin.test", origin_port)
        else:
            made = http.client.HTTPSConnection("localhost", origin_port, context=context)
        made.connect()
        made.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made
    direct, guarded = connection(False), connection(True)

    def get(made):
        made.request("GET", "/1k")
        response = made.getresponse()
        assert response.status == 200 and len(response.read()) == 1024, response.status
    row("HTTPS GET 1 KB, keep-alive", *alternate(lambda: get(direct), lambda: get(guarded), 2000, 200), "0.3 ms")


def main():
    home = pathlib.Path(tempfile.mkdtemp(prefix="rampart-bench-"))
    rampart_home = home / ".rampart"
    rampart_home.mkdir(mode=0o700)
    env = {"HOME": str(home), "RAMPART_HOME": str(rampart_home), "PATH": os.environ["PATH"]}
    origin = subprocess.Popen([sys.executable, str(HERE.parent / "clients/origin.py"), str(home)], stdout=subprocess.PIPE, text=True)
    port = int(origin.stdout.readline())
    (rampart_home / "config.yaml").write_text(
        "listen: 127.0.0.1:0\n"
        "egress:\n"
        "  listen: 127.0.0.1:0\n"
        f"  resolve: ['origin.test:{port}:127.0.0.1']\n"
        f"  upstream_ca: ['{home}/origin-ca.pem']\n")
    gateway = subprocess.Popen([str(BIN / "rampart"), "serve"], env=env, stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            status = subprocess.run([str(BIN / "rampart"), "status", "--json"], env=env, capture_output=True)
            if status.returncode == 0:
                break
            time.sleep(0.05)
        address, _, number = json.loads(status.stdout)["egress"].rpartition(":")
        hook(env)
        mcp(env)
        authority = subprocess.run([str(BIN / "rampart"), "ca", "export"], env=env, capture_output=True, check=True)
        (home / "ca.pem").write_bytes(authority.stdout)
        egress(env, (address, int(number)), str(home / "ca.pem"), port, str(home / "origin-ca.pem"))
    finally:
        gateway.terminate(), gateway.wait(), origin.kill()
        shutil.rmtree(home, ignore_errors=True)
    print("| what | direct p50 | guarded p50 | added p50 | guarded p99 | budget for the addition |")
    print("|---|---|---|---|---|---|")
    for line in ROWS:
        print("| " + " | ".join(line) + " |")


main()
