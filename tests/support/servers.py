"""Owns real Redis and Valkey servers for tests: each a child process on a free port of 127.0.0.1 with a folder of its own.

A server is ended by its process id when the test ends, and by the kernel when the test process dies (PR_SET_PDEATHSIG,
which follows the *thread* that started it: start servers on the main thread, or on one that outlives them).
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from support.binaries import find
from support.certificates import Certificates, make_certificates

START_SECONDS_MAX = 30.0
CLI_NAME = "test-cli"  # the CLIENT LIST name of our own connection


class Server:
    """One running server. `start` makes it; `stop` or the end of the `with` block ends it."""

    def __init__(
        self,
        kind: str = "redis-7.0",
        *,
        password: str | None = None,
        users: Sequence[str] = (),  # ACL lines, such as "alice on >secret ~* &* +@all"
        unixsocket: bool = False,
        tls: bool = False,
        config: Sequence[str] = (),  # further lines of redis.conf, such as "maxmemory 1mb"
        replicaof: Server | None = None,
    ) -> None:
        self.kind = kind
        self.password = password
        self.binary = find(kind)
        self.folder = Path(tempfile.mkdtemp(prefix="tiercel-server-"))
        self.host = "127.0.0.1"
        self.port = free_port()
        self.tls_port = free_port() if tls else 0
        self.unixsocket = self.folder / "socket" if unixsocket else None
        self.certificates: Certificates | None = make_certificates(self.folder) if tls else None
        self._extra = [*config, *(f"user {line}" for line in users)]
        if replicaof is not None:
            self._extra.append(f"replicaof {replicaof.host} {replicaof.port}")
        self._process: subprocess.Popen[bytes] | None = None
        self._client: redis.Redis | None = None

    # Addresses

    def url(
        self,
        database: int | None = None,
        *,
        user: str | None = None,
        password: str | None = None,
        tls: bool = False,
        unix: bool = False,
    ) -> str:
        """The URL an application would be given; user and password are percent-encoded into it."""
        password = self.password if password is None else password
        login = f"{quote(user or '', safe='')}:{quote(password, safe='')}@" if password is not None else ""
        if unix:
            return f"unix://{login}{self.unixsocket}" + (f"?db={database}" if database is not None else "")
        scheme, port = ("rediss", self.tls_port) if tls else ("redis", self.port)
        return f"{scheme}://{login}{self.host}:{port}" + (f"/{database}" if database is not None else "")

    # Life

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("this server is not running")
        return self._process.pid

    def start(self) -> Server:
        configuration = self.folder / "redis.conf"
        configuration.write_text("\n".join(self._configuration()) + "\n")
        # setpriv is part of every Debian (util-linux) and spares us a preexec_fn in a process with threads.
        command = ["setpriv", "--pdeathsig", "KILL", str(self.binary.path), str(configuration)]
        environment = {**os.environ, **self.binary.environment}
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                command, env=environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self._wait_until_ready()
        return self

    def stop(self, *, keep_data: bool = False) -> None:
        """End the process; its port stays its own for a later `start`. With keep_data it loses nothing it has acknowledged."""
        if self._process is None:
            return
        if keep_data:
            with contextlib.suppress(redis.exceptions.ConnectionError):  # the answer is the end of the connection
                self.cli("SHUTDOWN", "SAVE")  # SAVE and a kill would lose what is acknowledged between them
            self._process.wait()
        self._forget_client()
        self._process.kill()
        self._process.wait()
        self._process = None
        if not keep_data:
            (self.folder / "dump.rdb").unlink(missing_ok=True)

    def restart(self, *, keep_data: bool = False) -> None:
        self.stop(keep_data=keep_data)
        self.start()

    def pause(self) -> None:
        """Hang, as a server does in a stalled virtual machine: connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Stop for good and remove every trace."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Server:
        return self if self._process is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    # Looking in from outside, never through the code under test

    @property
    def client(self) -> redis.Redis:
        """A plain redis-py client, answering bytes."""
        if self._client is None:
            self._client = redis.Redis(
                host=self.host,
                port=self.port,
                password=self.password,
                client_name=CLI_NAME,
                protocol=2,
                socket_timeout=10,
                single_connection_client=True,
                retry=Retry(NoBackoff(), 0),  # its default waits for seconds where a test has ended the server
            )
        return self._client

    def cli(self, *words: Any) -> Any:
        """One command, as typed into redis-cli."""
        return self.client.execute_command(*words)

    def clients(self) -> list[dict[str, str]]:
        """CLIENT LIST without our own line."""
        listed = [client for client in self.client.client_list() if client.get("name") != CLI_NAME]
        return [{str(name): str(value) for name, value in client.items()} for client in listed]

    def calls(self, command: str) -> int:
        """How often that command was executed since the start or the last flush."""
        return int(self.client.info("commandstats").get(f"cmdstat_{command.lower()}", {}).get("calls", 0))

    def flush(self) -> None:
        """Back to empty: data, functions' statistics and foreign connections."""
        self.client.execute_command("FLUSHALL")
        self.client.execute_command("CONFIG", "RESETSTAT")

    def log(self) -> str:
        output = self.folder / "output"
        return output.read_text(errors="replace") if output.exists() else ""

    # Inside

    def _configuration(self) -> Iterator[str]:
        yield f"bind {self.host}"
        yield f"port {self.port}"
        yield f"dir {self.folder}"
        yield 'save ""'
        yield "appendonly no"
        yield "daemonize no"
        yield "enable-debug-command yes"
        if self.password is not None:
            quoted = self.password.replace("\\", "\\\\").replace('"', '\\"')
            yield f'requirepass "{quoted}"'
        if self.unixsocket is not None:
            yield f"unixsocket {self.unixsocket}"
        if self.certificates is not None:
            yield f"tls-port {self.tls_port}"
            yield f"tls-cert-file {self.certificates.certificate}"
            yield f"tls-key-file {self.certificates.key}"
            yield f"tls-ca-cert-file {self.certificates.authority}"
            yield "tls-auth-clients no"
        yield from self._extra

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                self.client.ping()
                return
            except redis.exceptions.ConnectionError:  # not listening yet; BusyLoadingError is one of these
                self._forget_client()
                time.sleep(0.01)
            except redis.exceptions.ResponseError:  # it answers, though not to us (ACL tests)
                return
        log = self.log()[-2000:]
        self.close()
        raise RuntimeError(f"{self.kind} did not start:\n{log}")

    def _forget_client(self) -> None:
        if self._client is not None:
            with contextlib.suppress(redis.exceptions.RedisError, OSError):
                self._client.close()
            self._client = None


def start(kind: str = "redis-7.0", **options: Any) -> Server:
    """A running server of that kind; the options are those of `Server`."""
    return Server(kind, **options).start()


def free_port() -> int:
    """A port nobody has, below the range the kernel gives to clients, so that a restarted server gets it again."""
    dice = random.SystemRandom()
    for _ in range(1000):
        port = dice.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port between 20000 and 32000 on 127.0.0.1")
