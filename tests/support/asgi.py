"""Owns: a client that speaks ASGI to an application in this loop, message by message: what a server would see, and nothing hidden."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

__all__ = ["Answer", "App", "Headers", "ask", "responding"]

Scope = MutableMapping[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]
Headers = Iterable[tuple[str, str]]


@dataclass
class Answer:
    messages: list[Any] = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(bytes(message.get("body", b"")) for message in self.messages[1:])

    def lines(self, name: str) -> list[str]:
        return [value.decode("latin-1") for key, value in self.messages[0]["headers"] if key.lower() == name.encode()]

    def header(self, name: str) -> str | None:
        lines = self.lines(name)
        assert len(lines) <= 1, f"{name} came {len(lines)} times"
        return lines[0] if lines else None

    @property
    def x_cache(self) -> str | None:
        return self.header("x-cache")


def scope_of(path: str, method: str, headers: Headers, host: str | None, extra: dict[str, Any]) -> dict[str, Any]:
    raw, _, query = path.partition("?")
    lines = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    if host is not None:
        lines.insert(0, (b"host", host.encode()))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw),
        "raw_path": raw.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": lines,
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
        **extra,
    }


async def ask(
    app: App, path: str = "/", method: str = "GET", headers: Headers = (), *, host: str | None = "test", body: bytes = b"",
    disconnect: asyncio.Event | None = None, on_message: Callable[[Any], None] | None = None, **extra: Any,
) -> Answer:  # fmt: skip
    """One request. `disconnect`: the client leaves when it is set. `on_message` sees each message as it is sent."""
    answer = Answer()
    sent_body = False
    gone = disconnect or asyncio.Event()

    async def receive() -> Any:
        nonlocal sent_body
        if not sent_body:
            sent_body = True
            return {"type": "http.request", "body": body, "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        answer.messages.append(message)
        if on_message is not None:
            on_message(message)

    await app(scope_of(path, method, headers, host, extra), receive, send)
    return answer


def responding(
    body: bytes | Callable[[], bytes] = b"hello",
    *,
    status: int = 200,
    headers: Headers = (),
    calls: list[Any] | None = None,
) -> App:
    """A bare ASGI application; `calls` gets each scope it was asked with."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if calls is not None:
            calls.append(scope)
        content = body() if callable(body) else body
        lines = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": content})

    return app
