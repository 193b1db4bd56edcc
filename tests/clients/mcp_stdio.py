#!/usr/bin/env python3
"""An MCP server on standard input and output for tests: mcp_stdio.py LOG [TOOL...]. Logs `PID LINE` for each line it gets.

The name of the tool that is called says what it does: answers in odd spelling, reports progress, asks the client
something, says that its tools have changed, waits for the next call, leaves a daemon behind, or ends. It lists the tools that it was started with, if any. A notification has it reach out by itself.
"""

import json
import os
import subprocess
import sys
import urllib.request

waiting = []
asked = {}


def say(message):
    print(message if isinstance(message, str) else json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def text(number, what):
    say({"id": number, "result": {"content": [{"type": "text", "text": what}]}})


def call(number, tool, arguments, meta):
    if tool == "odd":
        say('{"result" : {"x":1.50,"content":[ ]}, "id":%s,"jsonrpc":"2.0","vendor":null}' % json.dumps(number))
    elif tool == "progress":
        for step in (1, 2):
            say({"method": "notifications/progress", "params": {"progressToken": meta["progressToken"], "progress": step}})
        text(number, "done")
    elif tool == "ask":
        asked["question-" + str(number)] = number
        say({"id": "question-" + str(number), "method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}})
    elif tool == "elicit":
        asked["question-" + str(number)] = number
        say({"id": "question-" + str(number), "method": "elicitation/create", "params": arguments})
    elif tool == "elicit-inside":
        inside = {"form": {"method": "elicitation/create", "params": arguments}}
        say({"id": number, "result": {"resultType": "input_required", "inputRequests": inside, "requestState": "s"}})
    elif tool == "elicit-first":
        say({"id": number, "error": {"code": -32042, "message": "open this", "data": {"elicitations": [arguments]}}})
    elif tool == "changed":
        say({"method": "notifications/tools/list_changed"})
        text(number, "done")
    elif tool == "wait":
        waiting.append(number)
    elif tool == "release":
        for other in waiting:
            text(other, "waited")
        waiting.clear()
        text(number, "done")
    elif tool == "daemon":
        left = subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
        text(number, str(left.pid))
    elif tool == "crash":
        sys.exit(3)
    else:
        text(number, str(os.getpid()))


def reach(url):
    try:
        urllib.request.urlopen(url, timeout=5)
    except OSError:
        pass


for line in sys.stdin:
    with open(sys.argv[1], "a") as log:
        log.write(f"{os.getpid()} {line.strip()}\n")
    message = json.loads(line)
    number, method, params = message.get("id"), message.get("method"), message.get("params") or {}
    if method is None:
        text(asked.pop(number), json.dumps(message.get("result") or message.get("error")))
    elif method == "notifications/reach":
        reach(f"http://reached.invalid/{params['number']}")
    elif number is None:
        pass
    elif method == "tools/call":
        call(number, params["name"], params.get("arguments") or {}, params.get("_meta") or {})
    elif method == "initialize":
        told = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "fixture", "version": "1"}}
        say({"id": number, "result": told})
    elif method == "tools/list" and sys.argv[2:]:
        tools = [{"name": tool, "inputSchema": {"type": "object"}} for tool in sys.argv[2:]]
        say({"id": number, "result": {"tools": tools}})
    else:
        say({"id": number, "error": {"code": -32601, "message": "no such method"}})
