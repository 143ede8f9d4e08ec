"""Owns: the URL of a cache: redis, rediss, unix or memory, taken apart and checked. No message ever holds a part of its
credentials.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote_to_bytes

from tiercel._errors import ConfigurationError

__all__ = ["Location", "Scheme", "parse_url"]

Scheme = Literal["redis", "rediss", "unix", "memory"]

PORT: Final = 6379
DATABASE_MAX: Final = 2**31 - 1
# Options of a URL's query, and the setting each one sets. The ssl_* names are redis-py's, so its URLs go on working.
QUERY_OPTIONS: Final[Mapping[str, str]] = {
    "namespace": "namespace",
    "op_timeout": "op_timeout",
    "connect_timeout": "connect_timeout",
    "max_connections": "max_connections",
    "client_name": "client_name",
    "tls_ca_file": "tls_ca_file",
    "tls_cert_file": "tls_cert_file",
    "tls_key_file": "tls_key_file",
    "tls_verify": "tls_verify",
    "ssl_ca_certs": "tls_ca_file",
    "ssl_certfile": "tls_cert_file",
    "ssl_keyfile": "tls_key_file",
    "ssl_cert_reqs": "tls_verify",
}
_SCHEMES: Final[Mapping[str, Scheme]] = {
    "redis": "redis", "rediss": "rediss", "unix": "unix", "memory": "memory", "valkey": "redis", "valkeys": "rediss",
}  # fmt: skip
_CERT_REQS: Final[Mapping[str, str]] = {"required": "1", "cert_required": "1", "none": "0", "cert_none": "0"}
_FORMS: Final = "redis://[user:password@]host[:port][/database], rediss://… for TLS, unix:///path?db=0, or memory://"
_HOST: Final = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+(?:%25[\w.-]+)?)\]|(?P<name>[^\[\]:@]*))(?::(?P<port>[^:]*))?", re.DOTALL
)


@dataclass(frozen=True)
class Location:
    """Where the store is. `options`: settings given in the query, by the settings' names."""

    scheme: Scheme
    host: str = ""
    port: int = 0
    path: str = ""
    database: int = 0
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    options: Mapping[str, str] = field(default_factory=dict, repr=False)


def parse_url(url: str, source: str) -> Location:
    """Takes a URL apart by hand: urllib's messages quote the part they stumble over, and that may be a password."""
    if not isinstance(url, str):
        raise TypeError(f"{source}: expected a str, not {type(url).__name__}")
    if not url.isprintable() or " " in url:
        raise ConfigurationError(f"{source}: the URL has spaces or control characters; percent-encode them")
    scheme, separator, rest = url.partition("://")
    known = _SCHEMES.get(scheme.lower()) if separator else None
    if known is None:
        named = f"scheme {scheme!r} is not known" if separator and scheme.isalnum() else "no scheme"
        raise ConfigurationError(f"{source}: {named}; write {_FORMS}")
    if "#" in rest:
        raise ConfigurationError(f"{source}: the URL has a '#'; in a user name or password write %23")
    rest, _, query = rest.partition("?")
    options, database = _query(query, source)
    if known == "memory":
        if rest:
            raise ConfigurationError(
                f"{source}: memory:// is followed by nothing; every Cache of it is a store of its own"
            )
        return Location("memory", options=options)
    authority, slash, path = rest.partition("/")
    credentials, at, where = authority.rpartition("@")
    user, password = _credentials(credentials, source) if at else ("", "")
    if known == "unix":
        return _unix(where, slash + path, database, user, password, options, source)
    host, port = _host(where, "@" in path, source)
    if path:
        if database is not None:
            raise ConfigurationError(f"{source}: the database stands twice, in the path and as ?db=")
        database = _database(path, source)
    return Location(known, host, port, "", database or 0, user, password, options)


def _unix(
    where: str, path: str, database: int | None, user: str, password: str, options: Mapping[str, str], source: str
) -> Location:
    if where or len(path) < 2:
        raise ConfigurationError(f"{source}: unix:// needs an absolute path, as in unix:///run/redis.sock?db=0")
    decoded = _decoded(path, "path", source)
    if "\0" in decoded:
        raise ConfigurationError(f"{source}: the path has a NUL")
    return Location("unix", "", 0, decoded, database or 0, user, password, options)


def _credentials(text: str, source: str) -> tuple[str, str]:
    user, colon, password = text.partition(":")
    if user and not colon:
        raise ConfigurationError(
            f"{source}: a user name without a password; write user:password@, or :password@ for the default user"
        )
    if user and not password:
        raise ConfigurationError(f"{source}: the password after the user name is empty")
    return _decoded(user, "user name", source), _decoded(password, "password", source)


def _host(where: str, at_in_path: bool, source: str) -> tuple[str, int]:
    parts = _HOST.fullmatch(where)
    if parts is None or at_in_path:
        # Most often a password with a raw "/" or ":" in it, so what was read as the host is not shown.
        raise ConfigurationError(
            f"{source}: host and port are malformed; "
            "percent-encode / ? # @ : in user name and password, write IPv6 as [::1]"
        )
    host = parts["six"].replace("%25", "%") if parts["six"] else _decoded(parts["name"], "host", source)
    port = parts["port"]
    if not port:
        return host or "localhost", PORT
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65_536):
        raise ConfigurationError(f"{source}: the port is not a number from 1 to 65535")
    return host or "localhost", int(port)


def _query(query: str, source: str) -> tuple[dict[str, str], int | None]:
    options: dict[str, str] = {}
    database: int | None = None
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict", max_num_fields=32)
    except ValueError:
        raise ConfigurationError(f"{source}: what follows '?' is not a list of name=value") from None
    for name, value in pairs:
        if name == "db" and database is None:
            database = _database(value, source)
            continue
        setting = QUERY_OPTIONS.get(name)
        if setting is None:
            shown = name if name.isidentifier() and len(name) <= 32 else "(unreadable)"
            raise ConfigurationError(
                f"{source}: option {shown} of the URL is not known; known are db, {', '.join(QUERY_OPTIONS)}"
            )
        if setting in options:
            raise ConfigurationError(f"{source}: option {name} of the URL stands twice")
        options[setting] = _CERT_REQS.get(value.lower(), value) if name == "ssl_cert_reqs" else value
    return options, database


def _database(text: str, source: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= DATABASE_MAX):
        raise ConfigurationError(f"{source}: the database is not a number; write redis://host:6379/0")
    return int(text)


def _decoded(text: str, what: str, source: str) -> str:
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise ConfigurationError(f"{source}: the {what} is not UTF-8 when percent-decoded") from None
