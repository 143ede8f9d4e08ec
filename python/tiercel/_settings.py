"""Owns: every setting of a cache: its name, default, reading and limits, and where a wrong one came from.

One setting is looked for in this order: keyword argument, `tiercel.configure(…)`, the URL's query, the variable
TIERCEL_<NAME>, the default. The URL itself: argument, configure, TIERCEL_URL, REDIS_URL, memory://. Table:
docs/reference/settings.md.
"""

from __future__ import annotations

import difflib
import functools
import logging
import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypedDict

from tiercel import _settings_read as read
from tiercel._errors import ConfigurationError
from tiercel._settings_url import Location, Scheme, parse_url

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Settings", "SettingsKeywords", "check_keywords"]

log = logging.getLogger("tiercel")

_Time: TypeAlias = float | str | timedelta
_Size: TypeAlias = int | str


class SettingsKeywords(TypedDict, total=False):
    """The settings as keyword arguments, for `Cache(url, **settings)` and `configure(url=…, **settings)`."""

    namespace: str
    user: str
    password: str
    client_name: str | None
    l1_bytes_max: _Size
    value_bytes_max: _Size
    op_timeout: _Time
    connect_timeout: _Time
    staleness: _Time
    outage_staleness: _Time | None
    after_restart: str
    breaker_overruns: int | str
    breaker_rest: _Time
    tracking: str
    max_connections: int | str
    pending_max: int | str
    enabled: bool | str
    strict: bool | str
    tls_ca_file: str | os.PathLike[str] | None
    tls_cert_file: str | os.PathLike[str] | None
    tls_key_file: str | os.PathLike[str] | None
    tls_verify: bool | str
    pickle_secret: str | bytes | None


@dataclass(frozen=True)
class Settings:
    """All settings of one cache, checked. Times are seconds, sizes bytes."""

    scheme: Scheme = "memory"
    host: str = ""
    port: int = 0
    path: str = ""  # of the unix socket
    database: int = 0
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    url_source: str = "default"  # argument, configure, TIERCEL_URL, REDIS_URL or default
    namespace: str = "tiercel"
    client_name: str | None = None
    l1_bytes_max: int = 64 << 20
    value_bytes_max: int = 8 << 20
    op_timeout: float = 0.1
    connect_timeout: float = 2.0
    staleness: float = 1.0
    outage_staleness: float | None = None  # None: staleness
    after_restart: str = "trust"
    breaker_overruns: int = 3
    breaker_rest: float = 1.0
    tracking: str = "auto"
    max_connections: int = 2
    pending_max: int = 10_000
    enabled: bool = True
    strict: bool = False
    tls_ca_file: str | None = None
    tls_cert_file: str | None = None
    tls_key_file: str | None = None
    tls_verify: bool = True
    pickle_secret: bytes | None = field(default=None, repr=False)

    @property
    def in_memory(self) -> bool:
        """No Redis behind it: memory://."""
        return self.scheme == "memory"

    @property
    def address(self) -> str:
        """Where Redis is, for logs: no user name, no password."""
        if self.scheme == "memory":
            return "memory://"
        if self.scheme == "unix":
            return f"unix://{self.path}?db={self.database}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}/{self.database}"

    def tls_context(self) -> ssl.SSLContext | None:
        """The context for rediss://, None for the others."""
        if self.scheme != "rediss":
            return None
        context = ssl.create_default_context(cafile=self.tls_ca_file)
        if not self.tls_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.tls_cert_file:
            context.load_cert_chain(self.tls_cert_file, self.tls_key_file)
        return context

    @classmethod
    def resolve(
        cls,
        url: str | None = None,
        keywords: Mapping[str, Any] | None = None,
        *,
        configured: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Self:
        """The settings of one cache from all the places they may stand in. `configured` may hold a `url` of its own."""
        environ = os.environ if environ is None else environ
        keywords, configured = keywords or {}, dict(configured or {})
        _refuse_unknown(keywords, "Cache")
        url, source = _find_url(url, configured.pop("url", None), environ)
        _refuse_unknown(configured, "configure")
        _notice_misspelt(environ)
        where = parse_url(url, _URL_NAMES[source])
        values: dict[str, Any] = {}
        for name, reader in READERS.items():
            found = _find(name, keywords, configured, where, _URL_NAMES[source], environ)
            if found is not None:
                values[name] = reader(*found)
        return cls(**_together(where, values, source))


_URL_NAMES: Final[Mapping[str, str]] = {
    "argument": "url", "configure": "configure(url=…)", "TIERCEL_URL": "variable TIERCEL_URL",
    "REDIS_URL": "variable REDIS_URL", "default": "url",
}  # fmt: skip

# How each setting is read: from the value and the name under which it was found to what Settings holds, or an error
# that says that name.
READERS: Final[Mapping[str, Callable[[Any, str], Any]]] = {
    "namespace": read.namespace,
    "user": read.text,
    "password": read.text,
    "client_name": read.client_name,
    "l1_bytes_max": functools.partial(read.size, least=0),
    "value_bytes_max": functools.partial(read.size, least=1, most=512 << 20),
    "op_timeout": read.time,
    "connect_timeout": read.time,
    "staleness": read.time,
    "outage_staleness": read.time_or_none,
    "after_restart": functools.partial(read.choice, among=("trust", "distrust")),
    "breaker_overruns": functools.partial(read.count, least=1),
    "breaker_rest": read.time,
    "tracking": functools.partial(read.choice, among=("auto", "optin", "broadcast", "off")),
    "max_connections": functools.partial(read.count, least=1, most=1_024),
    "pending_max": functools.partial(read.count, least=1, most=10_000_000),
    "enabled": read.flag,
    "strict": read.flag,
    "tls_ca_file": read.file,
    "tls_cert_file": read.file,
    "tls_key_file": read.file,
    "tls_verify": read.flag,
    "pickle_secret": read.secret,
}


def check_keywords(keywords: Mapping[str, Any]) -> None:
    """`tiercel.configure(…)`: refuses at the call what `resolve` would refuse at first use. `url` is among the
    keywords.
    """
    settings = dict(keywords)
    url = settings.pop("url", None)
    _refuse_unknown(settings, "configure")
    if url is not None:
        parse_url(url, _URL_NAMES["configure"])
    for name, value in settings.items():
        READERS[name](value, f"configure({name}=…)")


def _find_url(argument: str | None, configured: str | None, environ: Mapping[str, str]) -> tuple[str, str]:
    if argument is not None:
        return argument, "argument"
    if configured is not None:
        return configured, "configure"
    for name in ("TIERCEL_URL", "REDIS_URL"):
        if environ.get(name):
            return environ[name], name
    _notice_no_url()
    return "memory://", "default"


@functools.cache
def _notice_no_url() -> None:
    log.warning(
        "No URL for the cache: using memory://, in this process alone. Give Cache(url), tiercel.configure(url=…), "
        "or one of the variables TIERCEL_URL and REDIS_URL; memory:// says that it is meant."
    )


def _find(
    name: str,
    keywords: Mapping[str, Any],
    configured: Mapping[str, Any],
    where: Location,
    url_name: str,
    environ: Mapping[str, str],
) -> tuple[Any, str] | None:
    """A setting's value and the name to blame, or None: nobody set it."""
    if name in keywords:
        return keywords[name], name
    if name in configured:
        return configured[name], f"configure({name}=…)"
    if name in where.options:
        return where.options[name], f"{url_name}: option {name}"
    variable = f"TIERCEL_{name.upper()}"
    if environ.get(variable):  # an empty variable is an unset one, as Compose and Kubernetes hand them out
        return environ[variable], f"variable {variable}"
    return None


def _together(where: Location, values: dict[str, Any], source: str) -> dict[str, Any]:
    """What only shows in several settings at once."""
    user, password = values.pop("user", None), values.pop("password", None)
    user, password = where.user if user is None else user, where.password if password is None else password
    if user and not password:
        raise ConfigurationError("user: a user name without a password; set password, or leave both out")
    outage, staleness = values.get("outage_staleness"), values.get("staleness", Settings.staleness)
    if outage is not None and outage < staleness:
        raise ConfigurationError(
            f"outage_staleness: {outage:g} s is below the staleness of {staleness:g} s; take that or more, or leave it out"
        )
    if bool(values.get("tls_key_file")) and not values.get("tls_cert_file"):
        raise ConfigurationError("tls_key_file: a key without a certificate; set tls_cert_file")
    if values.get("tls_ca_file") and where.scheme in ("redis", "unix"):
        raise ConfigurationError(f"tls_ca_file: {where.scheme}:// has no TLS; write rediss://")
    return values | {
        "scheme": where.scheme, "host": where.host, "port": where.port, "path": where.path, "database": where.database,
        "user": user, "password": password, "url_source": source,
    }  # fmt: skip


def _refuse_unknown(keywords: Mapping[str, Any], what: str) -> None:
    for name in keywords:
        if name not in READERS:
            near = difflib.get_close_matches(name, READERS, 1)
            raise TypeError(f"{what}: no setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


def _notice_misspelt(environ: Mapping[str, str]) -> None:
    known = {f"TIERCEL_{name.upper()}" for name in READERS} | {"TIERCEL_URL"}
    for name in environ:
        if name.startswith("TIERCEL_") and name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.85)
            if near:
                _notice_variable(name, near[0])


@functools.cache
def _notice_variable(name: str, near: str) -> None:
    log.warning("The variable %s is not a setting; did you mean %s?", name, near)
