#!/usr/bin/env python3
"""A TLS origin for tests: origin.py FOLDER [WEB_ROOT].  Makes its own authority FOLDER/origin-ca.pem, prints its port.

/1k is 1,024 bytes, /zeros/N so many, /headers shows the request's headers as JSON, /digest the SHA-256 of Authorization and the
query, or of what is posted, /events is a server-sent event stream, /ws a WebSocket
that says everything again, /packed a text in gzip, and POST anywhere says how much came. /git/NAME is a repository of
WEB_ROOT, spoken to by git's own protocol; anything else is a file of WEB_ROOT.
"""

import base64
import gzip
import hashlib
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
        elif self.path.startswith("/zeros/"):
            left = int(self.path.removeprefix("/zeros/"))
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(left))
            self.end_headers()
            while left > 0:
                self.wfile.write(bytes(min(left, 1 << 20)))
                left -= 1 << 20
        elif self.path == "/headers":
            self.answer(json.dumps(dict(self.headers)).encode(), "application/json")
        elif self.path.startswith("/digest"):
            # What came, without saying it: so that a proxy cannot take it out again.
            said = self.headers.get("Authorization", "") + self.path.removeprefix("/digest")
            self.answer(hashlib.sha256(said.encode()).hexdigest().encode())
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
        elif self.path == "/ws":
            self.websocket()
        elif self.path == "/packed":
            body = gzip.compress(b"the word is sesame, and more\n" * 20)
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        elif self.path.startswith("/git/"):
            self.git(b"")
        else:
            super().do_GET()

    def websocket(self):
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.close_connection = True
        while len(head := self.rfile.read(2)) == 2:
            length = head[1] & 0x7F
            if length == 126:
                length = int.from_bytes(self.rfile.read(2), "big")
            mask = self.rfile.read(4)
            payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(self.rfile.read(length)))
            size = bytes([length]) if length < 126 else bytes([126]) + length.to_bytes(2, "big")
            self.wfile.write(head[:1] + size + payload)
            if head[0] & 0x0F == 8:
                return

    def git(self, body):
        path, _, query = self.path.removeprefix("/git").partition("?")
        said = subprocess.run(["git", "http-backend"], input=body, stdout=subprocess.PIPE, env=os.environ | {
            "GIT_PROJECT_ROOT": web_root, "GIT_HTTP_EXPORT_ALL": "1", "REMOTE_USER": "tester", "PATH_INFO": path,
            "QUERY_STRING": query, "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }).stdout
        head, _, answer = said.partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in head.decode().split("\r\n") if line]
        status = [value for name, value in fields if name == "Status"]
        self.send_response(int(status[0].split()[0]) if status else 200)
        for name, value in fields:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def whole_body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def do_POST(self):
        if self.path.startswith("/git/"):
            self.git(self.whole_body())
            return
        if self.path == "/digest":
            self.answer(hashlib.sha256(self.whole_body()).hexdigest().encode())
            return
        if self.headers.get("Transfer-Encoding") == "chunked":
            count = len(self.whole_body())
        else:
            count = left = int(self.headers.get("Content-Length", 0))
            while left > 0 and (part := self.rfile.read(min(left, 1 << 20))):
                left -= len(part)
        self.answer(f"{count} bytes".encode())


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
