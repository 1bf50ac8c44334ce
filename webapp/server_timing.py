"""The header Server-Timing (https://www.w3.org/TR/server-timing/): how long an answer took, in which parts.

Browsers show it beside each request; `bench/latency.py` reads it.
"""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.stopwatch import Stopwatch, measured

MEASURED = frozenset({"/", "/api/v1/search"})
"""Searches. Of what somebody may not see, an answer must not differ from that about what is not there."""

FIRST_ERROR = 400  # status of the answers that say nothing of their time


class ServerTiming:
    """ASGI middleware that adds the header, in milliseconds, when an answer begins."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in MEASURED:
            await self.app(scope, receive, send)
            return
        with measured() as stopwatch:

            async def send_timed(message: Message) -> None:
                if message["type"] == "http.response.start" and message["status"] < FIRST_ERROR:
                    MutableHeaders(scope=message)["Server-Timing"] = header_of(stopwatch)
                await send(message)

            await self.app(scope, receive, send_timed)


def header_of(stopwatch: Stopwatch) -> str:
    """Return the parts in milliseconds, and the total, in which what has no name is, too."""
    parts = [*stopwatch.seconds.items(), ("total", stopwatch.total_seconds)]
    return ", ".join(f"{name};dur={1000 * seconds:.1f}" for name, seconds in parts)
