#!/usr/bin/env python3
"""An MCP server (Streamable HTTP, port 8000) with two tools: `read_file`, which says what it was asked, and `delete_file`."""

import http.server
import json

TOOLS = [{"name": name, "inputSchema": {"type": "object"}} for name in ("read_file", "delete_file")]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        results = {
            "initialize": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                           "serverInfo": {"name": "files", "version": "1"}},
            "tools/list": {"tools": TOOLS},
            "tools/call": {"content": [{"type": "text", "text": json.dumps(asked.get("params"))}]},
        }
        body = b""
        if "id" in asked:
            answer = {"jsonrpc": "2.0", "id": asked["id"], "result": results[asked["method"]]}
            body = json.dumps(answer).encode()
        self.send_response(200 if body else 202)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
