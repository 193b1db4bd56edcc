"""The blocking client."""

from __future__ import annotations

import functools
import http.client
import inspect
import json
import os
import socket
import stat
import uuid
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, TypeVar
from urllib.parse import quote, urlsplit

from .decision import Decision, Refused, Unreachable

F = TypeVar("F", bound=Callable[..., Any])

LONGEST_ANSWER = 4 << 20


class _Socket(http.client.HTTPConnection):
    """HTTP over the gateway's socket, which must be one that only its owner could make."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        found = os.stat(self._path, follow_symlinks=False)
        if not stat.S_ISSOCK(found.st_mode) or found.st_uid not in (0, os.geteuid()):
            raise OSError(f"{self._path} is not a socket of this user")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Rampart:
    """Asks the gateway. Safe to use from several threads: each question has a connection of its own."""

    def __init__(
        self,
        agent: str = "",
        session: str = "",
        *,
        url: Optional[str] = None,
        token: Optional[str] = None,
        home: Optional[str] = None,
        timeout: float = 150.0,
    ) -> None:
        """``url`` and ``token`` go by the port; without them the socket in ``home`` is asked, which is ``RAMPART_HOME`` or
        ``~/.rampart``. ``timeout`` is in seconds and includes a human's answer."""
        env = os.environ
        self.agent = agent or env.get("RAMPART_AGENT", "")
        self.session = session or env.get("RAMPART_SESSION", "") or str(uuid.uuid4())
        self._url = urlsplit(url) if url else None
        self._token = token or env.get("RAMPART_CREDENTIAL") or (env.get("RAMPART_TOKEN") if url else None)
        self._home = Path(home or env.get("RAMPART_HOME") or Path.home() / ".rampart")
        self._timeout = timeout

    def decide(self, tool: str, params: Optional[Mapping[str, Any]] = None, **more: Any) -> Decision:
        """Has a call decided and recorded, and waits for a human where the policy asks one."""
        return self._ask("tool", tool, {**(params or {}), **more})

    def preflight(self, tool: str, params: Optional[Mapping[str, Any]] = None, **more: Any) -> Decision:
        """What would be decided. Nobody is asked and nothing recorded."""
        return self._ask("preflight", tool, {**(params or {}), **more})

    def require(self, tool: str, params: Optional[Mapping[str, Any]] = None, **more: Any) -> Decision:
        """Like :meth:`decide`, and raises :class:`Refused` unless the call may happen."""
        decision = self.decide(tool, params, **more)
        if not decision.allowed:
            raise Refused(decision)
        return decision

    def guard(self, tool: str, params: Optional[Callable[..., Mapping[str, Any]]] = None) -> Callable[[F], F]:
        """A decorator: the function is called only when the gateway allows it. What it would be called with is told by
        ``params``, which gets the same arguments, or is the function's arguments by their names."""

        def wrap(function: F) -> F:
            tell = params or arguments_of(function)

            @functools.wraps(function)
            def guarded(*args: Any, **kwargs: Any) -> Any:
                self.require(tool, tell(*args, **kwargs))
                return function(*args, **kwargs)

            return guarded  # type: ignore[return-value]

        return wrap

    def _ask(self, route: str, tool: str, params: Mapping[str, Any]) -> Decision:
        body: Dict[str, Any] = {
            "agent": self.agent,
            "session": self.session,
            "params": dict(params),
            "workspace": os.getcwd(),
            "home": str(Path.home()),
        }
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        connection = self._connection()
        try:
            connection.request("POST", f"/v1/{route}/{quote(tool, safe='')}", json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read(LONGEST_ANSWER)
            told = json.loads(text)
            if answer.status != 200:
                error = told["error"]
                raise Unreachable(f"the gateway says {error['code']}: {error['message']}")
            return Decision.of(told)
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            if isinstance(error, Refused):
                raise
            raise Unreachable(f"no Rampart gateway answers ({error}); start one with `rampart serve`") from error
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._url is None:
            return _Socket(self._home / "run" / "gateway.sock", self._timeout)
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        return kind(self._url.hostname or "", self._url.port, timeout=self._timeout)


def arguments_of(function: Callable[..., Any]) -> Callable[..., Mapping[str, Any]]:
    """The arguments of a call by their names, defaults included; that of a method is not told itself."""
    signature = inspect.signature(function)

    def tell(*args: Any, **kwargs: Any) -> Mapping[str, Any]:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return {name: value for name, value in bound.arguments.items() if name not in ("self", "cls")}

    return tell
