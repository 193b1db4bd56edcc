#!/usr/bin/env python3
"""A server that costs as little as Python can: server.py [--http]. It answers each call with a short text."""

import json
import re
import selectors
import socket
import sys

ID = re.compile(rb'"id":\s*(\d+)')
RESULT = b'"result":{"content":[{"type":"text","text":"hi"}]}}'
INFO = json.dumps({
    "protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "bench", "version": "1"},
}).encode()


def answer(body):
    found = ID.search(body[:200]) or ID.search(body)
    if found is None:
        return None
    head = b'{"jsonrpc":"2.0","id":' + found.group(1) + b","
    return head + (b'"result":' + INFO + b"}" if b'"initialize"' in body[:200] else RESULT)


def stdio():
    out = sys.stdout.buffer
    for line in sys.stdin.buffer:
        told = answer(line)
        if told is not None:
            out.write(told + b"\n")
            out.flush()


def serve():
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    listener.setblocking(False)
    print(listener.getsockname()[1], flush=True)
    ready = selectors.DefaultSelector()
    ready.register(listener, selectors.EVENT_READ, None)
    sessions = 0
    while True:
        for key, _ in ready.select():
            if key.data is None:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                ready.register(connection, selectors.EVENT_READ, bytearray())
                continue
            piece = key.fileobj.recv(1 << 20)
            if not piece:
                ready.unregister(key.fileobj)
                key.fileobj.close()
                continue
            buffer = key.data
            buffer += piece
            while (end := buffer.find(b"\r\n\r\n")) >= 0:
                length = re.search(rb"content-length: (\d+)", buffer[:end], re.I)
                whole = end + 4 + (int(length.group(1)) if length else 0)
                if len(buffer) < whole:
                    break
                body = bytes(buffer[end + 4:whole])
                del buffer[:whole]
                told = answer(body)
                if told is None:
                    key.fileobj.sendall(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
                    continue
                session = b""
                if b'"initialize"' in body[:200]:
                    sessions += 1
                    session = b"mcp-session-id: s-%d\r\n" % sessions
                head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n%scontent-length: %d\r\n\r\n" % (session, len(told))
                key.fileobj.sendall(head + told)


serve() if "--http" in sys.argv else stdio()
