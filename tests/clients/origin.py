#!/usr/bin/env python3
"""A TLS origin for tests: origin.py FOLDER [WEB_ROOT].  Makes its own authority FOLDER/origin-ca.pem, prints its port.

/1k is 1,024 bytes, /headers shows the request's headers as JSON, /events is a server-sent event stream, POST anywhere
says how much came; anything else is a file of WEB_ROOT.
"""

import http.server
import json
import os
import pathlib
import ssl
import subprocess
import sys
import time

folder = pathlib.Path(sys.argv[1])
web_root = sys.argv[2] if len(sys.argv) > 2 else str(folder)


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def certificate():
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "origin-ca.key", "-out", "origin-ca.pem", "-days", "2",
            "-subj", "/CN=test origin authority", "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", *key, "-keyout", "origin.key", "-out", "origin.csr", "-subj", "/CN=origin.test")
    (folder / "origin.ext").write_text(
        "subjectAltName=DNS:origin.test,DNS:denied.test,DNS:localhost\nbasicConstraints=CA:FALSE\n")
    openssl("x509", "-req", "-in", "origin.csr", "-CA", "origin-ca.pem", "-CAkey", "origin-ca.key",
            "-CAcreateserial", "-out", "origin.pem", "-days", "2", "-extfile", "origin.ext")


class Origin(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, *args):
        super().__init__(*args, directory=web_root)

    def log_message(self, *_):
        pass

    def finish(self):
        super().finish()
        try:
            self.connection.unwrap()  # an orderly end: close_notify
        except (OSError, ValueError):
            pass

    def answer(self, body, kind="text/plain"):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/1k":
            self.answer(b"k" * 1024, "application/octet-stream")
        elif self.path == "/headers":
            self.answer(json.dumps(dict(self.headers)).encode(), "application/json")
        elif self.path == "/events":
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            for number in range(3):
                self.wfile.write(f"data: {number}\n\n".encode())
                self.wfile.flush()
                time.sleep(0.2)
            self.close_connection = True
        else:
            super().do_GET()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(f"{len(body)} bytes".encode())


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        pass  # clients that hang up or do not trust us are part of the tests


certificate()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder / "origin.pem", folder / "origin.key")
server = Server(("127.0.0.1", 0), Origin)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
