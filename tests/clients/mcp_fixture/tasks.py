"""The extension `io.modelcontextprotocol/tasks`: tools that answer later."""

import datetime
import threading
import uuid

from fault import Fault, needs

EXTENSION = "io.modelcontextprotocol/tasks"
TASKS = {}


def text(what, **more):
    return {"content": [{"type": "text", "text": what}], **more}


def question(field):
    wanted = {"type": "object", "properties": {field: {"type": "string"}}, "required": [field]}
    return {"method": "elicitation/create", "params": {"message": f"Which {field}?", "requestedSchema": wanted}}


class Task:
    """One that works in a thread of its own; `work` gets it and returns a result."""

    def __init__(self, work):
        self.id = uuid.uuid4().hex
        self.status = "working"
        self.more = {}
        self.wanted = {}
        self.answers = {}
        self.moved = threading.Condition()
        self.begun = self.updated = now()
        TASKS[self.id] = self
        threading.Thread(target=self.run, args=(work,), daemon=True).start()

    def run(self, work):
        try:
            result = work(self)
            self.settle("completed", result={**result, "resultType": "complete"})
        except Fault as fault:
            self.settle("failed", error=fault.error)

    def settle(self, status, **more):
        with self.moved:
            if self.status not in ("completed", "failed", "cancelled"):
                self.status, self.more, self.wanted, self.updated = status, more, {}, now()
            self.moved.notify_all()

    def sleep(self, seconds):
        with self.moved:
            self.moved.wait_for(lambda: self.status == "cancelled", seconds)

    def ask(self, requests):
        """Waits until each is answered."""
        with self.moved:
            self.wanted = dict(requests)
            self.status = "input_required"
            self.moved.wait_for(lambda: not self.wanted or self.status == "cancelled", 60)
            if self.status != "cancelled":
                self.status = "working"
            return self.answers

    def update(self, answers):
        with self.moved:
            for key in [key for key in answers if key in self.wanted]:
                del self.wanted[key]
                self.answers[key] = answers[key]
            self.updated = now()
            self.moved.notify_all()

    def head(self):
        return {
            "taskId": self.id,
            "status": self.status,
            "createdAt": self.begun,
            "lastUpdatedAt": self.updated,
            "ttlMs": 300_000,
            "pollIntervalMs": 100,
        }

    def told(self):
        with self.moved:
            asked = {"inputRequests": self.wanted} if self.status == "input_required" else {}
            return {"resultType": "complete", **self.head(), **asked, **self.more}


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def negotiated(peer):
    return EXTENSION in (peer.capabilities.get("extensions") or {})


def begun(peer, work):
    if not negotiated(peer):
        raise needs({"extensions": {EXTENSION: {}}})
    return {"resultType": "task", **Task(work).head()}


def slow_compute(peer, params, arguments):
    seconds = arguments.get("seconds", 0)

    def work(task):
        if task is not None:
            task.sleep(seconds)
        return text(f"Computed for {seconds} s")

    return begun(peer, work) if seconds and negotiated(peer) else work(None)


def failing_job(peer, params, arguments):
    def work(task):
        task.sleep(1)
        return text("The job failed", isError=True)

    return begun(peer, work)


def protocol_error_job(peer, params, arguments):
    def work(task):
        raise Fault(-32603, "The job broke")

    return begun(peer, work)


def confirm_delete(peer, params, arguments):
    def work(task):
        return text("Answered: " + str(task.ask({"confirm-1": question("confirmation")}).get("confirm-1")))

    return begun(peer, work)


def multi_input(peer, params, arguments):
    def work(task):
        return text("Answered: " + ", ".join(sorted(task.ask({"first-1": question("first"), "second-1": question("second")}))))

    return begun(peer, work)


def with_task(peer, params, arguments):
    if not negotiated(peer):
        raise needs({"extensions": {EXTENSION: {}}})
    answer = (params.get("inputResponses") or {}).get("user_name")
    if answer is None:
        return {"resultType": "input_required", "inputRequests": {"user_name": question("name")}}
    name = (answer.get("content") or {}).get("name")
    return begun(peer, lambda task: text(f"For {name}"))


def method(peer, name, params):
    """`tasks/get`, `tasks/update`, `tasks/cancel`."""
    if not negotiated(peer):
        raise needs({"extensions": {EXTENSION: {}}})
    task = TASKS.get(params.get("taskId"))
    if task is None:
        raise Fault(-32602, "There is no such task")
    if name == "tasks/get":
        return task.told()
    if name == "tasks/update":
        task.update(params.get("inputResponses") or {})
    else:
        task.settle("cancelled")
    return {"resultType": "complete"}
