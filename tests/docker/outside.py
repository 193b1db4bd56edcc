#!/usr/bin/env python3
"""The open internet of a test: outside.py FOLDER, in a network namespace where every address is local. Or, as
outside.py --names ADDRESS:PORT, only a server for names.

Says one line for each thing that reaches it: `dns NAME`, `tcp PORT`, `udp PORT`, `tls NAME`. Answers questions for names (all are
203.0.113.80), HTTP on port 80, TLS on 443 and 853 (its authority is FOLDER/origin-ca.pem), and packets on UDP port 443.
"""

import pathlib
import socket
import ssl
import struct
import subprocess
import sys
import threading

ANSWER = "203.0.113.80"


def say(*words):
    print(*words, flush=True)


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def certificate():
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "origin-ca.key", "-out", "origin-ca.pem", "-days", "2",
            "-subj", "/CN=test origin authority", "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", *key, "-keyout", "origin.key", "-out", "origin.csr", "-subj", "/CN=allowed.test")
    (folder / "origin.ext").write_text("subjectAltName=DNS:allowed.test\nbasicConstraints=CA:FALSE\n")
    openssl("x509", "-req", "-in", "origin.csr", "-CA", "origin-ca.pem", "-CAkey", "origin-ca.key",
            "-CAcreateserial", "-out", "origin.pem", "-days", "2", "-extfile", "origin.ext")


def reply(question):
    """An answer to a DNS question (RFC 1035): an address, or a text where that is asked for."""
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1:at + 1 + question[at]].decode())
        at += 1 + question[at]
    kind = struct.unpack(">H", question[at + 1:at + 3])[0]
    say("dns", ".".join(labels).lower())
    data = {1: socket.inet_aton(ANSWER), 16: b"\x03yes"}.get(kind)
    head = question[:2] + b"\x81\x80\x00\x01" + struct.pack(">HHH", 1 if data else 0, 0, 0)
    record = b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data if data else b""
    return head + question[12:at + 5] + record


def answer_as_it_came(server):
    """Packets are answered from the address that they were sent to, which a wildcard socket does not do by itself."""
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    server.setsockopt(socket.IPPROTO_IPV6, 78, 1)  # IPV6_FREEBIND: also from an address that no interface has
    while True:
        data, control, _, peer = server.recvmsg(4096, 256)
        info = next(c[2] for c in control if c[:2] == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO))
        port = server.getsockname()[1]
        if port == 53:
            data = reply(data)
        else:
            say("udp", port)
        to = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, info[:16] + b"\0\0\0\0")]
        server.sendmsg([data], to, 0, peer)


def packets(port):
    server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    server.bind(("::", port))
    threading.Thread(target=answer_as_it_came, args=(server,), daemon=True).start()


def connections(port, serve):
    server = socket.socket(socket.AF_INET6)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("::", port))
    server.listen()

    def accept():
        while True:
            connection, _ = server.accept()
            say("tcp", port)
            threading.Thread(target=served, args=(connection,), daemon=True).start()

    def served(connection):
        try:
            serve(connection)
        except OSError:
            pass  # clients that hang up or do not trust us are part of the test
        finally:
            connection.close()

    threading.Thread(target=accept, daemon=True).start()


def http(connection):
    head = b""
    while b"\r\n\r\n" not in head and (part := connection.recv(4096)):
        head += part
    body = b"the open internet\n"
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n"
                       b"Content-Length: %d\r\n\r\n%s" % (len(body), body))


def tls(connection):
    with context.wrap_socket(connection, server_side=True) as inside:
        http(inside)


def names(connection):
    length = struct.unpack(">H", connection.recv(2))[0]
    answer = reply(connection.recv(length))
    connection.sendall(struct.pack(">H", len(answer)) + answer)


def only_names(address, port):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, int(port)))
    say("ready")
    while True:
        question, peer = server.recvfrom(4096)
        server.sendto(reply(question), peer)


if sys.argv[1] == "--names":
    only_names(*sys.argv[2].split(":"))
folder = pathlib.Path(sys.argv[1])
certificate()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder / "origin.pem", folder / "origin.key")
context.sni_callback = lambda _, name, __: say("tls", name)
for port in (53, 443):
    packets(port)
for port, serve in ((53, names), (80, http), (443, tls), (853, tls)):
    connections(port, serve)
say("ready")
threading.Event().wait()
