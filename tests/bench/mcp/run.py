#!/usr/bin/env python3
"""The MCP road against going directly, and against supergateway and both mcp-proxies, in one run:
tests/bench/mcp/run.py [FOLDER OF RELEASE BINARIES] [--quick]

`install` puts the others into target/bench-mcp. Each way gets the same calls in turn, so all see the same machine. Times
are milliseconds. What is compared does not judge: the others forward, Rampart asks its gateway twice a call.
"""

import contextlib
import http.client
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
WORDS = [word for word in sys.argv[1:] if not word.startswith("--")]
BIN = pathlib.Path(WORDS[0] if WORDS else HERE / "../../../target/release").resolve()
OTHERS = pathlib.Path(os.environ.get("RAMPART_BENCH_MCP", HERE / "../../../target/bench-mcp")).resolve()
QUICK = "--quick" in sys.argv
CALLS = 200 if QUICK else 2000
MESSAGES = 20_000 if QUICK else 1_000_000
SESSIONS = 500 if QUICK else 10_000
SERVER = [sys.executable, str(HERE / "server.py")]
POLICY = 'version: "1"\ndefault_action: allow\npolicies: []\n'
INITIALIZE = {
    "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"},
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def message(number, method, params):
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode()


def call(number, text="hi"):
    return message(number, "tools/call", {"name": "echo", "arguments": {"text": text}})


class Stdio:
    def __init__(self, *prefix):
        self.process = subprocess.Popen([*prefix, *SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.number = 0
        self.ask(message(0, "initialize", INITIALIZE))

    def ask(self, line):
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def call(self):
        self.number += 1
        assert b'"result"' in self.ask(call(self.number))

    def pipelined(self, count, ahead=64):
        """Messages a second with some on their way."""
        begun = time.perf_counter()
        sent = 0
        for done in range(count):
            while sent < count and sent < done + ahead:
                sent += 1
                self.process.stdin.write(call(sent) + b"\n")
            self.process.stdin.flush()
            assert self.process.stdout.readline()
        return count / (time.perf_counter() - begun)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Http:
    """One connection that is kept, in a session."""

    def __init__(self, port, path="/mcp"):
        self.port, self.path, self.number = port, path, 0
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.session = {}
        self.session = {"mcp-session-id": name} if (name := self.post(message(0, "initialize", INITIALIZE))[1]) else {}
        self.post(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}).encode())

    def post(self, body):
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream", **self.session}
        self.connection.request("POST", self.path, body, headers)
        if self.connection.sock:
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        response = self.connection.getresponse()
        answer = response.read()
        assert response.status < 300, (response.status, answer)
        return answer, response.headers.get("mcp-session-id")

    def call(self):
        self.number += 1
        assert b'"result"' in self.post(call(self.number))[0]

    def close(self):
        self.connection.close()


def timed(work):
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def in_turn(ways, count, pause=0):
    """The times of each way, whose calls come in turn."""
    for way in ways.values():
        for _ in range(20):
            way.call()
    times = {name: [] for name in ways}
    for _ in range(count):
        for name, way in ways.items():
            times[name].append(timed(way.call))
            if pause:
                time.sleep(pause)
    return times


def table(title, times, base):
    print(f"\n{title}\n")
    print(f"| {'':28} | p50 | p99 | added p50 | added p99 |\n|---|---|---|---|---|")
    percentile = lambda values, p: sorted(values)[min(len(values) - 1, int(len(values) * p))]
    p50, p99 = statistics.median(times[base]), percentile(times[base], 0.99)
    for name, values in times.items():
        own, high = statistics.median(values), percentile(values, 0.99)
        print(f"| {name:28} | {own:.3f} | {high:.3f} | {own - p50:+.3f} | {high - p99:+.3f} |")


def memory(process):
    """Resident kilobytes."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


@contextlib.contextmanager
def running(command, port=None, **more):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **more)
    try:
        if port is None:
            port = int(process.stdout.readline().rsplit(":", 1)[-1].split("/")[0])
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert time.monotonic() < deadline, f"{command} does not listen"
                time.sleep(0.05)
        yield process, port
    finally:
        process.terminate()
        process.wait()


def others():
    """The bridges that are installed: the name and the command, with PORT for the port."""
    node = ["node", "--require", str(HERE / "loopback.cjs")]
    quoted = " ".join(SERVER)
    for name, marker, command in [
        ("supergateway", OTHERS / "node_modules/supergateway/dist/index.js",
         [*node, "FILE", "--stdio", quoted, "--outputTransport", "streamableHttp", "--stateful", "--logLevel", "none", "--port", "PORT"]),
        ("mcp-proxy (npm)", OTHERS / "node_modules/.bin/mcp-proxy",
         [*node, "FILE", "--host", "127.0.0.1", "--server", "stream", "--port", "PORT", "--", *SERVER]),
        ("mcp-proxy (PyPI)", OTHERS / "python/bin/mcp-proxy",
         ["FILE", "--host", "127.0.0.1", "--port", "PORT", "--", *SERVER]),
    ]:
        if marker.exists():
            yield name, [str(marker.resolve()) if word == "FILE" else word for word in command]
        else:
            print(f"{name} is not installed: run {HERE / 'install'}")


def stdio(rampart):
    direct, guarded = Stdio(), Stdio(rampart, "mcp", "--pins", "off", "--")
    table("Standard input and output, one call after the other", in_turn({"direct": direct, "rampart": guarded}, CALLS), "direct")
    print(f"\n64 on their way: direct {direct.pipelined(CALLS * 5):,.0f} a second, rampart {guarded.pipelined(CALLS * 5):,.0f}")
    before = memory(guarded.process)
    for _ in range(4):
        guarded.pipelined(MESSAGES // 4)
        print(f"after {MESSAGES // 4:,} messages more: {memory(guarded.process):,} kB (before: {before:,} kB)")
    before, large = memory(guarded.process), call(1, "x" * (3 << 20))
    guarded.ask(large)
    peak = pathlib.Path(f"/proc/{guarded.process.pid}/status").read_text().split("VmHWM:")[1].split()[0]
    print(f"a message of {len(large):,} bytes: at most {int(peak) - before:,} kB more, both directions")
    direct.close(), guarded.close()


def front(rampart):
    with running([*SERVER, "--http"]) as (_, port), contextlib.ExitStack() as stack:
        serve = [rampart, "mcp", "serve", "--pins", "off", "--listen", "127.0.0.1:0", "--upstream", f"http://127.0.0.1:{port}/mcp"]
        process, guarded = stack.enter_context(running(serve))
        ways = {"direct": Http(port), "rampart": Http(guarded)}
        table("A server with a URL, connections kept", in_turn(ways, CALLS), "direct")
        table("The same at about 1,000 calls a second", in_turn(ways, CALLS, pause=0.0005), "direct")
        before = memory(process)
        print()
        for quarter in range(1, 6):
            for _ in range(SESSIONS // 4):
                client = Http(guarded)
                client.call()
                client.close()
            print(f"after {quarter * SESSIONS // 4:,} sessions: {memory(process):,} kB (before: {before:,} kB)")
        large = call(1, "x" * (15 << 20))
        # The one from before was idle too long meanwhile.
        ways["rampart"] = Http(guarded)
        before = memory(process)
        ways["rampart"].post(large)
        peak = pathlib.Path(f"/proc/{process.pid}/status").read_text().split("VmHWM:")[1].split()[0]
        print(f"a message of {len(large):,} bytes: at most {int(peak) - before:,} kB more, both directions")


def bridges(rampart):
    with contextlib.ExitStack() as stack:
        direct = Stdio()
        ways = {"direct, stdio": direct}
        serve = [rampart, "mcp", "serve", "--pins", "off", "--listen", "127.0.0.1:0", "--", *SERVER]
        processes = {"rampart": stack.enter_context(running(serve))}
        for name, command in others():
            port = free_port()
            command = [str(port) if word == "PORT" else word for word in command]
            processes[name] = stack.enter_context(running(command, port))
        ways.update({name: Http(port) for name, (_, port) in processes.items()})
        table("A server on standard output, over HTTP", in_turn(ways, CALLS), "direct, stdio")
        print("\nmemory after that: " + ", ".join(f"{name} {memory(process):,} kB" for name, (process, _) in processes.items()))
        direct.close()


def main():
    rampart = str(BIN / "rampart")
    with tempfile.TemporaryDirectory() as home:
        policies = pathlib.Path(home, ".rampart/policies")
        policies.mkdir(parents=True)
        policies.parent.chmod(0o700)
        (policies / "custom.yaml").write_text(POLICY)
        (policies.parent / "config.yaml").write_text("listen: 127.0.0.1:0\negress: {listen: '127.0.0.1:0'}\n")
        os.environ.update({"HOME": home, "RAMPART_HOME": str(policies.parent)})
        gateway = subprocess.Popen([rampart, "serve"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 20
            while not (policies.parent / "run/gateway.sock").exists():
                assert time.monotonic() < deadline, "the gateway does not start"
                time.sleep(0.05)
            print(f"load before: {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores")
            stdio(rampart)
            front(rampart)
            bridges(rampart)
            print(f"\nload after: {os.getloadavg()[0]:.2f}")
        finally:
            gateway.terminate()
            gateway.wait()


main()
