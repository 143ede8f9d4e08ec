"""Owns: how the middleware carries the token of a write to the client, and heeds it on later requests: read-your-writes across processes.

Responses to unsafe methods give one. A request that brings one waits for one answer of Redis before anything is looked up: whatever was
invalidated before that has left this process' memory by then, because pushes come before later answers on the same connection. So stored
responses and the handler's own reads alike are of now. A forged token costs that round trip, as a valid one does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from tiercel._fresh import TOKEN_SECONDS
from tiercel.fastapi._policy import NO_RESPONSE

if TYPE_CHECKING:
    from tiercel._cache import Cache
    from tiercel.fastapi._middleware import Scope

__all__ = ["TokenCarrier", "carrier_of"]

NAME: Final = b"tiercel-fresh"  # of the header and of the cookie


class TokenCarrier:
    def __init__(self, cache: Cache, by: Literal["cookie", "header"]) -> None:
        self.cache = cache
        self.by_cookie = by == "cookie"

    async def heed(self, scope: Scope) -> None:
        """Before anything is looked up for this request."""
        if self.cache.fresh_of(self._brought(scope)) and not self.cache._settings.in_memory:
            self.cache._expect_changes()
            await self.cache._read(NO_RESPONSE, fresh="now")

    def given(self, scope: Scope) -> tuple[bytes, bytes]:
        """The header line for the answer to a confirmed write."""
        token = self.cache.token().encode()
        if not self.by_cookie:
            return (NAME, token)
        secure = b"; Secure" if scope.get("scheme") == "https" else b""
        line = b"%s=%s; Max-Age=%d; Path=/; HttpOnly; SameSite=Lax%s" % (NAME, token, TOKEN_SECONDS, secure)
        return (b"set-cookie", line)

    def _brought(self, scope: Scope) -> str | None:
        for name, value in scope["headers"]:
            if self.by_cookie and name.lower() == b"cookie":
                for pair in value.split(b";"):
                    key, _, text = pair.strip().partition(b"=")
                    if key == NAME:
                        return bytes(text).decode("latin-1")
            elif not self.by_cookie and name.lower() == NAME:
                return bytes(value).decode("latin-1")
        return None


def carrier_of(cache: Cache, freshness_token: Any) -> TokenCarrier | None:
    if freshness_token is None:
        return None
    if freshness_token not in ("cookie", "header"):
        raise ValueError(f'freshness_token: {freshness_token!r} is neither "cookie" nor "header" nor None')
    return TokenCarrier(cache, freshness_token)
