#!/usr/bin/env python3
"""What `rampart watch` costs while decisions come: tests/bench/watch.py [DECISIONS A SECOND [FOLDER OF BINARIES]]

A gateway, `watch` on terminals of two sizes in each of its views, and callers that have calls judged at that rate over kept
connections, for twenty seconds each. Prints a table: the processor time of `watch` alone.
"""

import concurrent.futures
import fcntl
import http.client
import json
import os
import pathlib
import pty
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

from trail import processor, resident

RATE = int(sys.argv[1] if len(sys.argv) > 1 else 1000)
BIN = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else pathlib.Path(__file__).resolve().parent / "../../target/release").resolve()
SECONDS = 20
CALLERS = 4
COMMANDS = ["git status --short", "cargo test --workspace", "rg -n 'fn main' src", "ls -la", "cat ~/.ssh/id_rsa", "rm -rf /"]
# what is watched, the keys that lead there, columns and lines
VIEWS = [
    ("nothing (no decisions come)", "", (80, 24), 0),
    ("Live", "", (80, 24), RATE),
    ("Live, large", "", (200, 50), RATE),
    ("Live, only what was denied", "f", (80, 24), RATE),
    ("Approvals", "2", (80, 24), RATE),
    ("Sessions", "3", (200, 50), RATE),
]


class Terminal:
    """`watch` on a terminal of its own, of which everything is read."""

    def __init__(self, env, columns, lines):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.master, self.written = master, 0
        command = [BIN / "rampart", "watch"]
        self.watch = subprocess.Popen(command, env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        try:
            while data := os.read(self.master, 1 << 16):
                self.written += len(data)
        except OSError:
            pass  # it has ended

    def close(self):
        os.write(self.master, b"q")
        code = self.watch.wait(10)
        os.close(self.master)
        return code


def call(nth):
    origin = {"surface": "hook", "agent": f"agent-{nth % 5}", "session": f"s-{nth % 40}", "workspace": "/home/ann/shop", "home": "/home/ann"}
    action = {"type": "exec", "command": f"{COMMANDS[nth % len(COMMANDS)]} # {nth}", "cwd": "/home/ann/shop"}
    return json.dumps({"origin": origin, "phase": "before", "action": action})


class OnSocket(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def load(path, rate, began, which):
    """One caller's part of the calls, each when it is due."""
    connection = OnSocket(path)
    for nth in range(which, rate * SECONDS, CALLERS):
        time.sleep(max(0, began + nth / rate - time.monotonic()))
        connection.request("POST", "/v1/judge", call(nth), {"content-type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body


def watched(env, path, keys, size, rate):
    terminal = Terminal(env, *size)
    time.sleep(1.5)
    os.write(terminal.master, keys.encode())
    time.sleep(0.5)
    pid = terminal.watch.pid
    began, used, written = time.monotonic(), processor(pid), terminal.written
    with concurrent.futures.ThreadPoolExecutor(CALLERS) as callers:
        list(callers.map(lambda which: load(path, rate, began, which), range(CALLERS)))
    time.sleep(max(0, began + SECONDS - time.monotonic()))
    took = time.monotonic() - began
    share, bytes_a_second = (processor(pid) - used) / took, (terminal.written - written) / took
    memory = resident(pid)
    assert terminal.close() == 0
    return rate * SECONDS / took, share, bytes_a_second, memory


def main():
    home = pathlib.Path(tempfile.mkdtemp(prefix="rampart-bench-"))
    rampart_home = home / ".rampart"
    rampart_home.mkdir(mode=0o700)
    (rampart_home / "config.yaml").write_text("listen: 127.0.0.1:0\negress: {listen: '127.0.0.1:0'}\n")
    env = {"HOME": str(home), "RAMPART_HOME": str(rampart_home), "PATH": "/usr/bin:/bin", "TERM": "xterm-256color"}
    path = str(rampart_home / "run/gateway.sock")
    subprocess.run([BIN / "rampart", "init"], env=env, capture_output=True, check=True)
    gateway = subprocess.Popen([BIN / "rampart", "serve"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while subprocess.run([BIN / "rampart", "status"], env=env, capture_output=True).returncode != 0:
            time.sleep(0.05)
        print("| watched | terminal | decisions a second | of a processor | bytes to the terminal a second | resident, MB |\n|---|---|---|---|---|---|")
        for what, keys, size, rate in VIEWS:
            came, share, written, memory = watched(env, path, keys, size, rate)
            print(f"| {what} | {size[0]}x{size[1]} | {came:.0f} | {share * 100:.1f} % | {written:.0f} | {memory:.0f} |", flush=True)
    finally:
        gateway.terminate(), gateway.wait()
        shutil.rmtree(home, ignore_errors=True)


main()
