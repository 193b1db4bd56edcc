"""The client for asyncio. Each question waits in a thread, so that the loop goes on."""

from __future__ import annotations

import asyncio
import functools
from typing import Any, Awaitable, Callable, Mapping, Optional, TypeVar

from .client import Rampart, arguments_of
from .decision import Decision

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])


class AsyncRampart:
    """The same as :class:`Rampart`, with ``await``."""

    def __init__(self, agent: str = "", session: str = "", **options: Any) -> None:
        self._blocking = Rampart(agent, session, **options)

    async def decide(self, tool: str, params: Optional[Mapping[str, Any]] = None, **more: Any) -> Decision:
        """See :meth:`Rampart.decide`."""
        return await self._wait(self._blocking.decide, tool, params, more)

    async def preflight(self, tool: str, params: Optional[Mapping[str, Any]] = None, **more: Any) -> Decision:
        """See :meth:`Rampart.preflight`."""
        return await self._wait(self._blocking.preflight, tool, params, more)

    async def require(self, tool: str, params: Optional[Mapping[str, Any]] = None, **more: Any) -> Decision:
        """See :meth:`Rampart.require`."""
        return await self._wait(self._blocking.require, tool, params, more)

    def guard(self, tool: str, params: Optional[Callable[..., Mapping[str, Any]]] = None) -> Callable[[F], F]:
        """See :meth:`Rampart.guard`; for coroutine functions."""

        def wrap(function: F) -> F:
            tell = params or arguments_of(function)

            @functools.wraps(function)
            async def guarded(*args: Any, **kwargs: Any) -> Any:
                await self.require(tool, tell(*args, **kwargs))
                return await function(*args, **kwargs)

            return guarded  # type: ignore[return-value]

        return wrap

    @staticmethod
    async def _wait(
        ask: Callable[..., Decision], tool: str, params: Optional[Mapping[str, Any]], more: Mapping[str, Any]
    ) -> Decision:
        return await asyncio.get_running_loop().run_in_executor(None, functools.partial(ask, tool, params, **more))
