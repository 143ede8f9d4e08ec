"""Owns: one client that asks, prints a line for what it saw, and counts what differs from what was to be seen."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPResponse
from typing import Any


class Visitor:
    def __init__(self, address: str) -> None:
        self.address = address
        self.right = self.wrong = 0
        self.user = ""  # the path of the user whom one feature makes and the next ones change

    def see(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        status: int | None = None,
        cache: str | None = None,
        statements: int | None = None,
        **fields: Any,
    ) -> Any:
        """Asks, and compares what is named: status (else any 2xx), X-Cache, statements, fields of the answer."""
        before = self._statements()
        response, raw = self._ask(method, path, body)
        took = self._statements() - before
        answer = json.loads(raw) if raw else None
        x_cache = response.headers.get("X-Cache", "-")
        seen: dict[str, Any] = {"status": response.status, "X-Cache": x_cache, "statements": took}
        right = 200 <= response.status < 300 if status is None else response.status == status
        wanted: dict[str, Any] = {"status": response.status if right else status or "2xx"}
        if cache is not None:
            wanted["X-Cache"] = cache
        if statements is not None:
            wanted["statements"] = statements
        for name, value in fields.items():
            seen[name] = answer.get(name) if isinstance(answer, dict) else None
            wanted[name] = value
        self._note(f"{method} {path}", seen, wanted)
        return answer

    def text(self, path: str) -> str:
        """The page at `path`, which must be there."""
        response, raw = self._ask("GET", path, None)
        self._note(f"GET {path}", {"status": response.status, "bytes": len(raw)}, {"status": 200})
        return raw.decode(errors="replace")

    def compare(self, what: str, seen: Any, wanted: Any) -> None:
        self._note(what, {"": seen}, {"": wanted})

    def _note(self, what: str, seen: dict[str, Any], wanted: dict[str, Any]) -> None:
        differs = {name: value for name, value in wanted.items() if seen[name] != value}
        self.wrong, self.right = self.wrong + bool(differs), self.right + (not differs)
        text = "  ".join(f"{name} {value}".strip() for name, value in seen.items())
        print(f"  {'WRONG' if differs else 'ok   '} {what:<58} {text}")
        for name, value in differs.items():
            print(f"        wanted {name} {value!r}")

    def _statements(self) -> int:
        return int(json.loads(self._ask("GET", "/database", None)[1])["statements"])

    def _ask(self, method: str, path: str, body: Any) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection(self.address, timeout=30)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()
