#!/usr/bin/env python3
"""The egress proxy against its peers in one run: tests/bench/egress/run.py [--rounds 3] [--time 4s] [--only K,N,H2,B,1] [name=program ...]

Programs, each left out where it is not given: rampart (a release build; policy of the profile, audit and scanning on),
hudsucker (built from the folder beside this file), mitmdump, squid (with security_file_certgen); and oha, which sends the load.
nginx is the origin. Rounds are interleaved, medians are printed. Client, proxy and origin share the processors, so ratios
within one run are what counts, and the processor time a request is what holds on a busy machine.

K: 1 KB, keep-alive, 32 connections. N: the same, a new CONNECT and TLS each. H2: HTTP/2, 4 connections of 8 streams. B: 100 KB,
8 connections. 1: 1 KB, one connection. And: the first event of a stream, memory while 1 GB streams.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time

LOADS = {
    "K": (["-c", "32"], "/1k"),
    "N": (["-c", "32", "--disable-keepalive"], "/1k"),
    "H2": (["-c", "4", "-p", "8", "--http2"], "/1k"),
    "B": (["-c", "8"], "/100k"),
    "1": (["-c", "1"], "/1k"),
}
FIRST_PORT = 18100
ORIGIN = 19443
EVENTS = 19444


def openssl(folder, *args):
    subprocess.run(["openssl", *args], check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def authority(folder, name):
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key",
            "-out", f"{name}.pem", "-days", "30", "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")


def keys(folder):
    authority(folder, "origins")
    authority(folder, "proxies")
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "origin.key", "-out",
            "origin.csr", "-subj", "/CN=localhost")
    (folder / "ext").write_text("subjectAltName=DNS:localhost\n")
    openssl(folder, "x509", "-req", "-in", "origin.csr", "-CA", "origins.pem", "-CAkey", "origins.key", "-CAcreateserial", "-out",
            "origin.pem", "-days", "30", "-extfile", "ext")


def nginx(folder):
    (folder / "web").mkdir()
    (folder / "web/1k").write_bytes(b"k" * 1024)
    (folder / "web/100k").write_bytes(b"k" * 102400)
    subprocess.run(["truncate", "-s", "1G", str(folder / "web/1g")], check=True)
    (folder / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 4096; }}
http {{ access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000000; client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{ORIGIN} ssl http2; ssl_certificate {folder}/origin.pem; ssl_certificate_key {folder}/origin.key;
    root {folder}/web; default_type application/octet-stream; }} }}
""")
    return subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)], stderr=subprocess.DEVNULL)


def events(folder):
    """An origin whose second event comes two seconds after its first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "origin.pem", folder / "origin.key")
    listener = socket.create_server(("127.0.0.1", EVENTS))

    def serve(tcp):
        try:
            with context.wrap_socket(tcp, server_side=True) as tls:
                tls.recv(4096)
                tls.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\ndata: 1\n\n")
                time.sleep(2)
                tls.sendall(b"data: 2\n\n")
        except OSError:
            pass

    def accept():
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()


def wait_for(port, process):
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert process.poll() is None, process.args
            time.sleep(0.05)
    raise SystemExit(f"nothing listens on {port}: {process.args}")


def rampart(program, folder, port):
    home = folder / "home/.rampart"
    home.mkdir(parents=True, mode=0o700)
    env = {"HOME": str(folder / "home"), "RAMPART_HOME": str(home), "PATH": os.environ["PATH"]}
    (home / "config.yaml").write_text(
        f"listen: 127.0.0.1:0\negress:\n  listen: 127.0.0.1:{port}\n  resolve: ['localhost:127.0.0.1']\n"
        f"  upstream_ca: ['{folder}/origins.pem']\n")
    process = subprocess.Popen([program, "serve"], env=env, stdout=subprocess.DEVNULL, stderr=open(folder / "rampart.log", "w"))
    wait_for(port, process)
    exported = subprocess.run([program, "ca", "export"], env=env, capture_output=True, check=True)
    (folder / "rampart.pem").write_bytes(exported.stdout)
    return process, folder / "rampart.pem"


def hudsucker(program, folder, port):
    process = subprocess.Popen([program, str(port), "proxies.pem", "proxies.key", "origins.pem"], cwd=folder)
    return process, folder / "proxies.pem"


def mitmdump(program, folder, port):
    conf = folder / "mitm"
    conf.mkdir()
    both = (folder / "proxies.key").read_text() + (folder / "proxies.pem").read_text()
    (conf / "mitmproxy-ca.pem").write_text(both)
    process = subprocess.Popen([
        program, "-q", "--set", f"confdir={conf}", "--set", f"ssl_verify_upstream_trusted_ca={folder}/origins.pem",
        "--set", "flow_detail=0", "--set", "termlog_verbosity=error", "--listen-host", "127.0.0.1", "-p", str(port)])
    return process, folder / "proxies.pem"


def squid(program, folder, port):
    maker = "/usr/lib/squid/security_file_certgen"
    shutil.chown(folder, "proxy")  # whom it becomes when root starts it
    subprocess.run([maker, "-c", "-s", str(folder / "squid-db"), "-M", "16MB"], check=True, stdout=subprocess.DEVNULL)
    for file in [folder / "squid-db", *folder.rglob("*")]:
        shutil.chown(file, "proxy")
    (folder / "squid.conf").write_text(f"""
http_port 127.0.0.1:{port} ssl-bump generate-host-certificates=on tls-cert={folder}/proxies.pem tls-key={folder}/proxies.key
sslcrtd_program {maker} -s {folder}/squid-db -M 16MB
acl step1 at_step SslBump1
ssl_bump peek step1
ssl_bump bump all
tls_outgoing_options cafile={folder}/origins.pem
http_access allow all
cache deny all
access_log none
cache_log {folder}/squid.log
pid_filename {folder}/squid.pid
coredump_dir {folder}
""")
    return subprocess.Popen([program, "-n", f"bench{os.getpid()}", "-N", "-f", str(folder / "squid.conf")], stderr=subprocess.DEVNULL), folder / "proxies.pem"


STARTERS = {"hudsucker": hudsucker, "mitmdump": mitmdump, "rampart": rampart, "squid": squid}


def family(pid):
    """A process and its children."""
    found = [pid]
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(stat[1]) == pid:
                found.append(int(entry.name))
    return found


def processor(pid):
    """Seconds of processor time."""
    total = 0
    for member in family(pid):
        try:
            stat = pathlib.Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(stat[11]) + int(stat[12])
    return total / os.sysconf("SC_CLK_TCK")


def resident(pid):
    """Megabytes of memory."""
    total = 0
    for member in family(pid):
        for line in pathlib.Path(f"/proc/{member}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total / 1024


def load(oha, kind, seconds, proxy):
    args, path = LOADS[kind]
    through = ["-x", f"http://127.0.0.1:{proxy['port']}"] if proxy["port"] else []
    command = [oha, "--no-tui", "--output-format", "json", "-z", seconds, "-w", "--cacert", str(proxy["trust"]), *args, *through,
               f"https://localhost:{ORIGIN}{path}"]
    before = processor(proxy["process"].pid) if proxy["process"] else 0
    said = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert said.returncode == 0, said.stderr
    used = (processor(proxy["process"].pid) if proxy["process"] else 0) - before
    told = json.loads(said.stdout)
    answers = told["statusCodeDistribution"].get("200", 0)
    assert answers, told["statusCodeDistribution"] | told["errorDistribution"]
    percentile = told["latencyPercentiles"]
    ms = lambda p: (percentile[p] or float("nan")) * 1000
    total = told["summary"]["total"]
    return answers / total, ms("p50"), ms("p99"), used / max(answers, 1) * 1e6


def first_event(proxy):
    began = time.perf_counter()
    through = ["-x", f"http://127.0.0.1:{proxy['port']}"] if proxy["port"] else []
    curl = subprocess.Popen(["curl", "-sSN", "--cacert", str(proxy["trust"]), *through, f"https://localhost:{EVENTS}/"],
                            stdout=subprocess.PIPE)
    curl.stdout.readline()
    took = (time.perf_counter() - began) * 1000
    curl.kill()
    curl.wait()
    return took


def gigabyte(proxy):
    """Megabytes by which the proxy grows at most."""
    before = most = resident(proxy["process"].pid)
    curl = subprocess.Popen(["curl", "-sS", "-o", "/dev/null", "--cacert", str(proxy["trust"]), "-x",
                             f"http://127.0.0.1:{proxy['port']}", f"https://localhost:{ORIGIN}/1g"])
    while curl.poll() is None:
        most = max(most, resident(proxy["process"].pid))
        time.sleep(0.02)
    return before, most - before


def main():
    options = {"--rounds": "3", "--time": "4s", "--only": ",".join(LOADS)}
    programs, rest = {"oha": "oha"}, sys.argv[1:]
    while rest:
        word = rest.pop(0)
        if word in options:
            options[word] = rest.pop(0)
        else:
            name, _, program = word.partition("=")
            programs[name] = program
    oha = programs.pop("oha")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="rampart-bench-"))
    folder.chmod(0o755)
    keys(folder)
    origin = nginx(folder)
    wait_for(ORIGIN, origin)
    events(folder)
    proxies = {"direct": {"port": None, "process": None, "trust": folder / "origins.pem"}}
    try:
        for number, (name, program) in enumerate(programs.items()):
            port = FIRST_PORT + number
            inside = folder / name
            inside.mkdir()
            for file in folder.glob("*.pem"), folder.glob("*.key"):
                for one in file:
                    shutil.copy(one, inside)
            process, trust = STARTERS[name.rstrip("0123456789")](program, inside, port)
            wait_for(port, process)
            proxies[name] = {"port": port, "process": process, "trust": trust}
        kinds = options["--only"].split(",")
        results = {(name, kind): [] for name in proxies for kind in kinds}
        for name, proxy in proxies.items():
            load(oha, "K", "1s", proxy)
        for _ in range(int(options["--rounds"])):
            for kind in kinds:
                for name, proxy in proxies.items():
                    if not (kind == "H2" and name.startswith("squid")):
                        results[name, kind].append(load(oha, kind, options["--time"], proxy))
        for kind in kinds:
            print(f"\n{kind}: {' '.join(LOADS[kind][0])} {LOADS[kind][1]}\n")
            print("| through | requests/s | p50 ms | p99 ms | processor us/request |\n|---|---|---|---|---|")
            for name in proxies:
                if results[name, kind]:
                    rate, p50, p99, used = (statistics.median(column) for column in zip(*results[name, kind]))
                    print(f"| {name} | {rate:,.0f} | {p50:.2f} | {p99:.1f} | {used:.1f} |")
        print("\n| through | first event ms | resident MB | grows by MB while 1 GB passes |\n|---|---|---|---|")
        for name, proxy in proxies.items():
            first = statistics.median(first_event(proxy) for _ in range(5))
            before, grown = gigabyte(proxy) if proxy["process"] else (0, 0)
            print(f"| {name} | {first:.1f} | {before:.0f} | {grown:+.0f} |")
    finally:
        for proxy in proxies.values():
            if proxy["process"]:
                proxy["process"].send_signal(signal.SIGTERM)
        origin.terminate()
        time.sleep(1)
        for proxy in proxies.values():
            if proxy["process"] and proxy["process"].poll() is None:
                proxy["process"].kill()
        shutil.rmtree(folder, ignore_errors=True)


main()
