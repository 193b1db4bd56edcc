#!/usr/bin/env python3
"""An MCP server of both eras for tests, with what the official conformance suite asks for: server.py [--stdio].

Over HTTP it prints its port. It is a server as the specification wants it, and no model of one otherwise.
"""

import base64
import binascii
import http.server
import itertools
import json
import queue
import sys
import threading
import uuid

import offer
from fault import Fault
from protocol import MODERN, VERSION, Peer, Session, answer, says_everything

RETRY = 300
NAMED = {
    **dict.fromkeys(("tools/call", "prompts/get"), "name"),
    **dict.fromkeys(("tasks/get", "tasks/update", "tasks/cancel"), "taskId"),
    "resources/read": "uri",
}
LOCAL = ("localhost", "127.0.0.1", "[::1]")


def stdio():
    session, writing = Session(), threading.Lock()

    def say(message):
        with writing:
            sys.stdout.write(json.dumps(message) + "\n")
            sys.stdout.flush()

    def serve(message):
        params = message.get("params") or {}
        modern = says_everything(params) or message["method"] == "server/discover"
        say(answer(Peer(session, params, say, modern), message)[0])

    for line in sys.stdin:
        message = json.loads(line)
        if "method" not in message:
            session.answered(message)
        elif "id" in message:
            threading.Thread(target=serve, args=(message,), daemon=True).start()


class Streams:
    """The events of one session, kept so that a client can come back for them."""

    def __init__(self):
        self.session = Session()
        self.kept = {}
        self.numbers = itertools.count(1)

    def open(self):
        stream = f"s{next(self.numbers)}"
        self.kept[stream] = queue.Queue()
        return stream


SESSIONS = {}


def decoded(value):
    """A header of SEP-2243: a literal, or base64 between `=?base64?` and `?=`."""
    if not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    try:
        return base64.b64decode(value[9:-2], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise Fault(-32020, "A header is not base64", status=400) from None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    streaming = False

    def log_message(self, *_):
        pass

    def setup(self):
        super().setup()
        self.connection.setsockopt(6, 1, 1)

    def reply(self, status, body=None, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if body is not None:
            self.send_header("Content-Type", "application/json")
        data = b"" if body is None else json.dumps(body).encode()
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def event(self, text):
        if not self.streaming:
            self.streaming = True
            self.send_response(200)
            for name, value in (("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache"), ("Transfer-Encoding", "chunked")):
                self.send_header(name, value)
            self.end_headers()
        data = (text + "\n\n").encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def end_stream(self):
        if self.streaming:
            self.wfile.write(b"0\r\n\r\n")
            self.streaming = False

    def is_local(self):
        def local(authority):
            return authority.rpartition(":")[0] in LOCAL or authority in LOCAL

        origin = self.headers.get("Origin")
        return local(self.headers.get("Host", "")) and (origin is None or local(origin.partition("://")[2]))

    def fails(self, status, code, why, number=None):
        self.reply(status, {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": why}})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.is_local():
            return self.fails(403, -32600, "This host is not served here")
        try:
            message = json.loads(body)
        except ValueError:
            return self.fails(400, -32700, "That is no JSON")
        if not isinstance(message, dict):
            return self.fails(400, -32600, "That is no message")
        params = message.get("params") or {}
        legacy = self.headers.get("Mcp-Session-Id") is not None or message.get("method") == "initialize"
        modern = says_everything(params) or (self.headers.get("MCP-Protocol-Version", "") >= MODERN and not legacy)
        if modern and "method" in message and "id" in message:
            return self.modern(message, params)
        self.legacy(message, params)

    def modern(self, message, params):
        emit = lambda told: self.event("data: " + json.dumps(told))
        try:
            self.check_headers(message, params)
        except Fault as fault:
            return self.reply(fault.status, {"jsonrpc": "2.0", "id": message["id"], "error": fault.error})
        told, status = answer(Peer(Session(), params, emit, True), message)
        if self.streaming or (message["method"] == "tools/call" and status == 200):
            emit(told)
            return self.end_stream()
        self.reply(status, told)

    def check_headers(self, message, params):
        def same(name, value):
            told = self.headers.get(name)
            if told is None or decoded(told.strip()) != value:
                raise Fault(-32020, f"{name} is not what the body says", status=400)

        version = (params.get("_meta") or {}).get(VERSION)
        if version is not None:
            same("MCP-Protocol-Version", version)
        method = message["method"]
        same("Mcp-Method", method)
        if (key := NAMED.get(method)) and isinstance(params.get(key), str):
            same("Mcp-Name", params[key])
        if method == "tools/call" and params.get("name") in offer.TOOLS:
            for name, schema in offer.TOOLS[params["name"]][0].get("properties", {}).items():
                value = (params.get("arguments") or {}).get(name)
                if "x-mcp-header" in schema and value is not None:
                    same("Mcp-Param-" + schema["x-mcp-header"], value)

    def legacy(self, message, params):
        number, method = message.get("id"), message.get("method")
        if method == "initialize":
            name, streams = uuid.uuid4().hex, Streams()
            SESSIONS[name] = streams
            return self.reply(200, answer(Peer(streams.session, params, None, False), message)[0], Mcp_Session_Id=name)
        streams = self.known(number)
        if streams is None:
            return
        if number is None or method is None:
            if method is None:
                streams.session.answered(message)
            return self.reply(202)
        if method != "tools/call":
            return self.reply(200, answer(Peer(streams.session, params, None, False), message)[0])
        stream = streams.open()
        gone = threading.Event()
        numbers = itertools.count(1)

        def emit(told):
            event = f"id: {stream}-{next(numbers)}\ndata: {json.dumps(told)}"
            if gone.is_set():
                streams.kept[stream].put(event)
            else:
                self.event(event)

        def hang_up():
            self.end_stream()
            self.wfile.flush()
            gone.set()

        self.event(f"id: {stream}-0\nretry: {RETRY}\ndata: ")
        emit(answer(Peer(streams.session, params, emit, False, hang_up), message)[0])
        self.end_stream()

    def known(self, number):
        name = self.headers.get("Mcp-Session-Id")
        if name is None:
            self.fails(400, -32600, "There is no session", number)
        elif name not in SESSIONS:
            self.fails(404, -32600, "There is no such session", number)
        else:
            return SESSIONS[name]

    def do_GET(self):
        if not self.is_local():
            return self.fails(403, -32600, "This host is not served here")
        if self.headers.get("Mcp-Session-Id") is None:
            return self.reply(405, Allow="POST")
        streams = self.known(None)
        if streams is None:
            return
        stream = (self.headers.get("Last-Event-ID") or "").rpartition("-")[0]
        kept = streams.kept.get(stream)
        self.event(f"id: {stream or streams.open()}-0\nretry: {RETRY}\ndata: ")
        try:
            self.event(kept.get(timeout=5) if kept else queue.Queue().get(timeout=5))
        except queue.Empty:
            pass
        self.end_stream()

    def do_DELETE(self):
        if self.known(None) is not None:
            del SESSIONS[self.headers["Mcp-Session-Id"]]
            self.reply(200)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        # A client that has left its stream is no error.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


if "--stdio" in sys.argv:
    stdio()
else:
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
