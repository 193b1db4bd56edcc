#!/usr/bin/env python3
"""An MCP server over Streamable HTTP for tests: mcp_http.py LOG [SECRET [stateless]]. Prints its port and logs each message it gets.

The name of the tool that is called says how it answers: in JSON with odd spelling, with a secret, as a stream of events
with what should not be among them, with somebody else's id, or not at all. LOG.connections has the port that each came
from.
"""

import http.server
import itertools
import json
import pathlib
import sys

log = pathlib.Path(sys.argv[1])
begun = itertools.count(1)
stateless = sys.argv[3:] == ["stateless"]
secret = sys.argv[2] if len(sys.argv) > 2 else ""
INITIALIZED = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "fixture", "version": "1"}}


def text(what):
    return {"content": [{"type": "text", "text": what}]}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, kind="application/json", **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with log.open("ab") as file:
            file.write(body.strip() + b"\n")
        with log.with_suffix(".connections").open("a") as file:
            file.write(f"{self.client_address[1]}\n")
        message = json.loads(body)
        number, method = message.get("id"), message.get("method")
        if number is None or method is None:
            return self.answer(202, b"", kind=None)
        if method == "initialize":
            named = {} if stateless else {"Mcp_Session_Id": f"s-{next(begun)}"}
            return self.answer(200, {"jsonrpc": "2.0", "id": number, "result": INITIALIZED}, **named)
        self.call(number, message.get("params", {}).get("name"))

    def call(self, number, tool):
        told = json.dumps(number).encode()
        if tool == "odd":
            self.answer(200, b' {"result" : {"x":1.50,"content":[ ]},\n "id":' + told + b',"jsonrpc":"2.0","vendor":null}')
        elif tool == "secret":
            self.answer(200, {"jsonrpc": "2.0", "id": number, "result": text("the token is " + secret)})
        elif tool == "other-id":
            self.answer(200, {"jsonrpc": "2.0", "id": "not yours", "result": text("for somebody else")})
        elif tool == "error":
            self.answer(500, b"<h1>it broke</h1>", kind="text/html")
        elif tool == "stream":
            events = [
                b": hello\n\n",
                b"id: 1\ndata: \n\n",
                self.event(2, {"method": "notifications/message", "params": {"level": "info", "data": "fine"}}),
                self.event(3, {"id": 77, "method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}}),
                self.event(4, {"id": "nobody's", "result": {}}),
                b"id: 5\ndata: no message at all\n\n",
                self.event(6, {"id": number, "result": text("the token is " + secret)}),
            ]
            self.answer(200, b"".join(events), kind="text/event-stream")
        else:
            self.answer(200, {"jsonrpc": "2.0", "id": number, "result": text("done")})

    @staticmethod
    def event(number, message):
        return b"id: %d\ndata: %s\n\n" % (number, json.dumps({"jsonrpc": "2.0", **message}).encode())

    def do_GET(self):
        self.answer(405, b"a page about methods", kind="text/plain", Allow="POST")

    def do_DELETE(self):
        self.answer(200, b"", kind=None)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
