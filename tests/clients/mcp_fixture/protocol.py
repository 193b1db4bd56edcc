"""The methods of both eras, without a transport."""

import itertools
import queue
import threading

import offer
import tasks
from fault import Fault, needs

MODERN = "2026-07-28"
LEGACY = ["2025-11-25", "2025-06-18", "2025-03-26"]
VERSION, CAPABILITIES, LOG_LEVEL, SUBSCRIPTION, SERVER = (
    "io.modelcontextprotocol/" + name
    for name in ("protocolVersion", "clientCapabilities", "logLevel", "subscriptionId", "serverInfo")
)
INFO = {"name": "conformance-fixture", "version": "1.0.0"}
LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
HINTS = {"ttlMs": 60_000, "cacheScope": "public"}
OFFERED = {"tools": {"listChanged": True}, "prompts": {"listChanged": True}, "resources": {}, "completions": {}}
listeners = []


class Session:
    """What is known of a client between its requests: nothing in the modern era."""

    def __init__(self):
        self.capabilities = {}
        self.level = "debug"
        self.waiting = {}
        self.numbers = itertools.count(1)

    def answered(self, message):
        waits = self.waiting.pop(message.get("id"), None)
        if waits is not None:
            waits.put(message)


class Peer:
    """Whoever made this request; `emit` sends a message on the stream that belongs to it."""

    def __init__(self, session, params, emit, modern, hang_up=lambda: None):
        meta = params.get("_meta") or {}
        self.session, self.emit, self.modern, self.hang_up = session, emit, modern, hang_up
        self.capabilities = meta.get(CAPABILITIES, {}) if modern else session.capabilities
        self.level = meta.get(LOG_LEVEL) if modern else session.level

    def notify(self, method, params):
        self.emit({"jsonrpc": "2.0", "method": method, "params": params})

    def log(self, level, what):
        if self.level is not None and LEVELS.index(level) >= LEVELS.index(self.level):
            self.notify("notifications/message", {"level": level, "logger": "fixture", "data": what})

    def ask(self, request, capability):
        if self.modern or capability not in self.capabilities:
            raise needs({capability: {}})
        number = f"of-the-server-{next(self.session.numbers)}"
        waits = self.session.waiting[number] = queue.Queue()
        self.emit({"jsonrpc": "2.0", "id": number, **request})
        try:
            answer = waits.get(timeout=20)
        except queue.Empty:
            raise Fault(-32603, "The client did not answer") from None
        if "error" in answer:
            raise Fault(-32603, "The client refused: " + str(answer["error"].get("message")))
        return answer["result"]

    def changed(self, what):
        for wanted, number, emit in list(listeners):
            if wanted.get(what + "ListChanged"):
                tagged = {"_meta": {SUBSCRIPTION: number}}
                emit({"jsonrpc": "2.0", "method": f"notifications/{what}/list_changed", "params": tagged})


def listed(params):
    tools = [{"name": name, "description": f"The tool {name}.", "inputSchema": schema} for name, (schema, _) in offer.TOOLS.items()]
    prompts = [
        {
            "name": name,
            "description": f"The prompt {name}.",
            "arguments": [{"name": one, "description": one, "required": True} for one in arguments],
        }
        for name, (arguments, _) in offer.PROMPTS.items()
    ]
    resources = [
        {"uri": uri, "name": uri.removeprefix("test://"), "description": "A resource.", "mimeType": kind}
        for uri, (kind, _) in offer.RESOURCES.items()
    ]
    template = {"uriTemplate": "{id}".join(offer.TEMPLATE), "name": "template", "description": "A template.", "mimeType": "application/json"}
    return {
        "tools/list": {"tools": tools},
        "prompts/list": {"prompts": prompts},
        "resources/list": {"resources": resources},
        "resources/templates/list": {"resourceTemplates": [template]},
    }


def called(table, peer, params):
    if params.get("name") not in table:
        raise Fault(-32602, f"There is no {params.get('name')}")
    return table[params["name"]][1](peer, params, params.get("arguments") or {})


def result_of(peer, method, params):
    """What a method answers in either era; a fault where there is no such method."""
    lists = listed(params)
    if method in lists:
        return lists[method]
    if method == "tools/call":
        return called(offer.TOOLS, peer, params)
    if method == "prompts/get":
        return called(offer.PROMPTS, peer, params)
    if method == "resources/read":
        return offer.read(params.get("uri"))
    if method == "completion/complete":
        return {"completion": {"values": ["paris", "park", "party"], "total": 3, "hasMore": False}}
    raise Fault(-32601, "Method not found", status=404)


def answer_modern(peer, number, method, params):
    if method == "server/discover":
        capabilities = {**OFFERED, "extensions": {tasks.EXTENSION: {}}}
        return finished({"supportedVersions": [MODERN, *LEGACY], "capabilities": capabilities, **HINTS})
    if method in ("tasks/get", "tasks/update", "tasks/cancel"):
        return tasks.method(peer, method, params)
    if method == "subscriptions/listen":
        return listen(peer, number, params.get("notifications") or {})
    result = result_of(peer, method, params)
    return finished({**result, **HINTS} if method.endswith("/list") or method == "resources/read" else result)


def finished(result):
    return {"resultType": "complete", **result, "_meta": {**result.get("_meta", {}), SERVER: INFO}}


def listen(peer, number, wanted):
    """Lasts until the stream is closed, which `emit` tells by raising."""
    peer.notify("notifications/subscriptions/acknowledged", {"notifications": wanted, "_meta": {SUBSCRIPTION: number}})
    over = threading.Event()

    def emit(message):
        try:
            peer.emit(message)
        except OSError:
            over.set()

    entry = (wanted, number, emit)
    listeners.append(entry)
    over.wait(30)
    listeners.remove(entry)
    return finished({"_meta": {SUBSCRIPTION: number}})


def answer_legacy(peer, method, params):
    if method == "initialize":
        peer.session.capabilities = params.get("capabilities") or {}
        asked = params.get("protocolVersion")
        version = asked if asked in LEGACY else LEGACY[0]
        capabilities = {**OFFERED, "resources": {"subscribe": True}, "logging": {}}
        return {"protocolVersion": version, "capabilities": capabilities, "serverInfo": INFO}
    if method == "logging/setLevel":
        if params.get("level") not in LEVELS:
            raise Fault(-32602, "There is no such level")
        peer.session.level = params["level"]
        return {}
    if method in ("ping", "resources/subscribe", "resources/unsubscribe"):
        return {}
    return result_of(peer, method, params)


def answer(peer, message):
    """The answer to a request, and the status that it has over HTTP."""
    number, method, params = message["id"], message["method"], message.get("params") or {}
    try:
        if peer.modern:
            check(params)
            result = answer_modern(peer, number, method, params)
        else:
            result = answer_legacy(peer, method, params)
        return {"jsonrpc": "2.0", "id": number, "result": result}, 200
    except Fault as fault:
        return {"jsonrpc": "2.0", "id": number, "error": fault.error}, fault.status if peer.modern else 200


def check(params):
    """What every request of the modern era says."""
    meta = params.get("_meta")
    if not isinstance(meta, dict) or VERSION not in meta or CAPABILITIES not in meta:
        raise Fault(-32602, "The request needs _meta with the protocol's version and the client's capabilities", status=400)
    if meta[VERSION] != MODERN:
        told = {"supported": [MODERN, *LEGACY], "requested": meta[VERSION]}
        raise Fault(-32022, "This version is not supported", told, 400)


def says_everything(params):
    return VERSION in (params.get("_meta") or {})
