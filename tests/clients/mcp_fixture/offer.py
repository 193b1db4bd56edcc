"""What the fixture server offers: the tools, prompts and resources that the official conformance suite asks for, in
both eras. A `peer` is whoever asked: it can be notified, and in the legacy era be asked something."""

import hashlib
import hmac
import json
import time

import tasks
from fault import Fault, needs

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
KEY = b"a key of the fixture's"


def text(what, **more):
    return {"content": [{"type": "text", "text": what}], **more}


def image():
    return {"type": "image", "data": PNG, "mimeType": "image/png"}


def embedded(uri, kind, what):
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": what}}


def schema(required=(), **properties):
    whole = {"type": "object", "properties": properties}
    return {**whole, "required": list(required)} if required else whole


STRING = {"type": "string"}
DRAFT_2020 = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {"$anchor": "addressDef", "type": "object", "properties": {"street": STRING, "city": STRING}}
    },
    "properties": {
        "name": STRING,
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": STRING,
        "email": STRING,
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
DEFAULTS = schema(
    name={"type": "string", "default": "John Doe"},
    age={"type": "integer", "default": 30},
    score={"type": "number", "default": 95.5},
    status={"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    verified={"type": "boolean", "default": True},
)
ENUMS = schema(
    untitledSingle={"type": "string", "enum": ["option1", "option2", "option3"]},
    titledSingle={
        "type": "string",
        "oneOf": [{"const": f"value{n}", "title": f"{word} Option"} for n, word in ((1, "First"), (2, "Second"), (3, "Third"))],
    },
    legacyEnum={"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option One", "Option Two", "Option Three"]},
    untitledMulti={"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
    titledMulti={
        "type": "array",
        "items": {
            "anyOf": [{"const": f"value{n}", "title": f"{word} Choice"} for n, word in ((1, "First"), (2, "Second"), (3, "Third"))]
        },
    },
)


def form(message, wanted):
    return {"method": "elicitation/create", "params": {"message": message, "requestedSchema": wanted}}


def sampling(prompt, tokens):
    messages = [{"role": "user", "content": {"type": "text", "text": prompt}}]
    return {"method": "sampling/createMessage", "params": {"messages": messages, "maxTokens": tokens}}


ROOTS = {"method": "roots/list", "params": {}}
NAME = form("What is your name?", schema(["name"], name=STRING))


def signed(what):
    return what + "." + hmac.new(KEY, what.encode(), hashlib.sha256).hexdigest()


def verified(state):
    what, _, _ = str(state).rpartition(".")
    if not hmac.compare_digest(signed(what).encode(), str(state).encode()):
        raise Fault(-32602, "requestState was not made here", status=400)
    return what


def wanted(requests, state=None):
    whole = {"resultType": "input_required", "inputRequests": requests}
    return whole if state is None else {**whole, "requestState": signed(state)}


def accepted(params, key, field):
    """What a person filled in; none where they did not, or nothing that the form allows."""
    answer = (params.get("inputResponses") or {}).get(key)
    content = answer.get("content") if isinstance(answer, dict) and answer.get("action") == "accept" else None
    return content.get(field) if isinstance(content, dict) and isinstance(content.get(field), str) else None


def asks_name(peer, params, arguments):
    name = accepted(params, "user_name", "name")
    return wanted({"user_name": NAME}) if name is None else text(f"Hello, {name}!")


def asks_model(peer, params, arguments):
    answer = (params.get("inputResponses") or {}).get("capital_question")
    if answer is None:
        return wanted({"capital_question": sampling("What is the capital of France?", 100)})
    return text("The model says: " + json.dumps(answer.get("content")))


def asks_roots(peer, params, arguments):
    answer = (params.get("inputResponses") or {}).get("client_roots")
    return wanted({"client_roots": ROOTS}) if answer is None else text("Roots: " + json.dumps(answer.get("roots")))


def asks_with_state(peer, params, arguments):
    if "requestState" not in params:
        confirm = form("Please confirm", schema(["ok"], ok={"type": "boolean"}))
        return wanted({"confirm": confirm}, "confirming")
    verified(params["requestState"])
    return text("state-ok")


def asks_several(peer, params, arguments):
    requests = {"user_name": NAME, "greeting": sampling("Generate a greeting", 50), "client_roots": ROOTS}
    if "requestState" not in params or not set(requests) <= set(params.get("inputResponses") or {}):
        return wanted(requests, "several")
    verified(params["requestState"])
    return text("All three were answered.")


def asks_twice(peer, params, arguments):
    if "requestState" not in params:
        return wanted({"step1": form("Step 1: What is your name?", schema(["name"], name=STRING))}, "one")
    if verified(params["requestState"]) == "one":
        return wanted({"step2": form("Step 2: What is your favorite color?", schema(["color"], color=STRING))}, "two")
    return text("Both steps are done.")


def asks_what_it_may(peer, params, arguments):
    may = {"elicitation": ("user_name", NAME), "sampling": ("greeting", sampling("Generate a greeting", 50))}
    return wanted(dict(request for capability, request in may.items() if capability in peer.capabilities))


def logs(peer, params, arguments):
    for step, what in enumerate(("Tool execution started", "Tool processing data", "Tool execution completed")):
        peer.log("info", what)
        time.sleep(0.05 if step < 2 else 0)
    return text("It has logged.")


def progresses(peer, params, arguments):
    token = (params.get("_meta") or {}).get("progressToken")
    for done in (0, 50, 100):
        if token is not None:
            peer.notify("notifications/progress", {"progressToken": token, "progress": done, "total": 100})
        time.sleep(0.05)
    return text("It is done.")


def samples(peer, params, arguments):
    answer = peer.ask(sampling(arguments.get("prompt", ""), 100), "sampling")
    return text("LLM response: " + answer.get("content", {}).get("text", ""))


def elicits(wanted_schema, saying):
    def tool(peer, params, arguments):
        answer = peer.ask(form(arguments.get("message", "Please fill this in"), wanted_schema), "elicitation")
        return text(f"{saying}: action={answer.get('action')}, content={json.dumps(answer.get('content'))}")

    return tool


def requires_sampling(peer, params, arguments):
    if "sampling" not in peer.capabilities:
        raise needs({"sampling": {}})
    return text("It may sample.")


def reconnects(peer, params, arguments):
    peer.hang_up()
    time.sleep(0.1)
    return text("Reconnection test completed successfully")


def changes(what):
    def tool(peer, params, arguments):
        peer.changed(what)
        return text(f"The {what} have changed.")

    return tool


USER = schema(["username", "email"], username={**STRING, "description": "User's response"}, email={**STRING, "description": "User's email address"})
FAILED = text("This tool intentionally returns an error for testing", isError=True)
MIXED = {
    "content": [
        {"type": "text", "text": "Multiple content types test:"},
        image(),
        embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ]
}


def always(result):
    return lambda peer, params, arguments: result


# name: (input schema, what it does)
TOOLS = {
    "test_simple_text": (schema(), always(text("This is a simple text response for testing."))),
    "test_image_content": (schema(), always({"content": [image()]})),
    "test_audio_content": (schema(), always({"content": [{"type": "audio", "data": WAV, "mimeType": "audio/wav"}]})),
    "test_embedded_resource": (
        schema(),
        always({"content": [embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]}),
    ),
    "test_multiple_content_types": (schema(), always(MIXED)),
    "test_tool_with_logging": (schema(), logs),
    "test_logging_tool": (schema(), logs),
    "test_error_handling": (schema(), always(FAILED)),
    "test_tool_with_progress": (schema(), progresses),
    "test_sampling": (schema(["prompt"], prompt=STRING), samples),
    "test_elicitation": (schema(["message"], message=STRING), elicits(USER, "User response")),
    "test_elicitation_sep1034_defaults": (schema(), elicits(DEFAULTS, "Elicitation completed")),
    "test_elicitation_sep1330_enums": (schema(), elicits(ENUMS, "Elicitation completed")),
    "json_schema_2020_12_tool": (DRAFT_2020, always(text("It is valid."))),
    "test_reconnection": (schema(), reconnects),
    "test_missing_capability": (schema(), requires_sampling),
    "test_streaming_elicitation": (schema(), asks_name),
    "test_input_required_result_elicitation": (schema(), asks_name),
    "test_input_required_result_sampling": (schema(), asks_model),
    "test_input_required_result_list_roots": (schema(), asks_roots),
    "test_input_required_result_request_state": (schema(), asks_with_state),
    "test_input_required_result_tampered_state": (schema(), asks_with_state),
    "test_input_required_result_multiple_inputs": (schema(), asks_several),
    "test_input_required_result_multi_round": (schema(), asks_twice),
    "test_input_required_result_capabilities": (schema(), asks_what_it_may),
    "test_trigger_tool_change": (schema(), changes("tools")),
    "test_trigger_prompt_change": (schema(), changes("prompts")),
    "test_x_mcp_header": (
        schema(["region"], region={**STRING, "x-mcp-header": "Region"}),
        lambda peer, params, arguments: text("In " + str(arguments.get("region"))),
    ),
    "greet": (schema(["name"], name=STRING), lambda peer, params, arguments: text(f"Hello, {arguments.get('name')}!")),
    "slow_compute": (schema(seconds={"type": "number"}, label=STRING), tasks.slow_compute),
    "failing_job": (schema(), tasks.failing_job),
    "protocol_error_job": (schema(), tasks.protocol_error_job),
    "confirm_delete": (schema(filename=STRING), tasks.confirm_delete),
    "multi_input": (schema(), tasks.multi_input),
    "test_tool_with_task": (schema(), tasks.with_task),
}


def says(*contents):
    return {"messages": [{"role": "user", "content": content} for content in contents]}


def said(what):
    return {"type": "text", "text": what}


def prompt_that_asks(peer, params, arguments):
    context = accepted(params, "user_context", "context")
    if context is None:
        question = form("What context should the prompt use?", schema(["context"], context=STRING))
        return wanted({"user_context": question})
    return says(said(f"Use this context: {context}"))


# name: (arguments, what it says)
PROMPTS = {
    "test_simple_prompt": ([], lambda peer, params, a: says(said("This is a simple prompt for testing."))),
    "test_prompt_with_arguments": (
        ["arg1", "arg2"],
        lambda peer, params, a: says(said(f"Prompt with arguments: arg1='{a.get('arg1')}', arg2='{a.get('arg2')}'")),
    ),
    "test_prompt_with_embedded_resource": (
        ["resourceUri"],
        lambda peer, params, a: says(
            embedded(a.get("resourceUri"), "text/plain", "Embedded resource content for testing."),
            said("Please process the embedded resource above."),
        ),
    ),
    "test_prompt_with_image": ([], lambda peer, params, a: says(image(), said("Please analyze the image above."))),
    "test_input_required_result_prompt": ([], prompt_that_asks),
}
RESOURCES = {
    "test://static-text": ("text/plain", {"text": "This is the content of the static text resource."}),
    "test://static-binary": ("image/png", {"blob": PNG}),
    "test://watched-resource": ("text/plain", {"text": "This one is watched."}),
}
TEMPLATE = ("test://template/", "/data")


def read(uri):
    if uri in RESOURCES:
        kind, content = RESOURCES[uri]
        return {"contents": [{"uri": uri, "mimeType": kind, **content}]}
    before, after = TEMPLATE
    if isinstance(uri, str) and uri.startswith(before) and uri.endswith(after):
        name = uri[len(before) : -len(after)]
        content = json.dumps({"id": name, "templateTest": True, "data": f"Data for ID: {name}"})
        return {"contents": [{"uri": uri, "mimeType": "application/json", "text": content}]}
    raise Fault(-32602, "Resource not found", {"uri": uri})
