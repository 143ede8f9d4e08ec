"""Owns the rungs of the ladder as real servers and proxies make them: what is refused, by whom, and which rung a cache must then be on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# As docs/guides/consistency.md prints it.
PERMITTED = (
    "hello", "auth", "ping", "time", "info", "client|setname", "client|id", "client|kill", "client|tracking", "client|caching",
    "get", "getrange", "set", "del", "unlink", "pttl", "eval", "evalsha", "script|load", "scan",
)  # fmt: skip


def user_without(*commands: str) -> str:
    """An ACL line: user `app`, password `pw`, with what Tiercel needs but for these."""
    permitted = " ".join(f"+{name}" for name in PERMITTED if name not in commands)
    return f"app on >pw ~tiercel:* resetchannels -@all {permitted}"


@dataclass(frozen=True)
class Rung:
    name: str
    tracking: str = "optin"
    protocol: int = 3
    scripts: bool = True
    warns: tuple[str, ...] = ()  # words of the one warning; none: there is none
    users: tuple[str, ...] = ()  # ACL lines of the server
    login: str = ""  # of the cache
    refuses: tuple[str, ...] = ()  # by a proxy in between
    settings: Mapping[str, Any] = field(default_factory=dict)


RUNGS = (
    Rung("optin"),
    Rung("minimal", users=(user_without(),), login="app:pw@"),
    Rung("broadcast", "broadcast", settings={"tracking": "broadcast"}),
    Rung(
        "untracked", "off", warns=("NOPERM", "client|tracking", "`staleness`"),
        users=(user_without("client|tracking", "client|caching"),), login="app:pw@",
    ),
    Rung("resp2", "off", 2, warns=("RESP2", "unknown command", "HELLO"), refuses=("HELLO",)),
    Rung(
        "reticent", "off", 2, warns=("RESP2",),
        refuses=("HELLO", "INFO", "CLIENT", "SCRIPT"),
    ),
    Rung(
        "scriptless", "optin", scripts=False, warns=("EVAL", "NOPERM"),
        users=(user_without("eval", "evalsha", "script|load"),), login="app:pw@",
    ),
)  # fmt: skip
