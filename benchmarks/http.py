"""Whole requests under uvicorn with uvloop and httptools: CPU of the server process per request, read from the kernel.

The client is raw bytes over a few keep-alive connections in this process; what it costs is not counted.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

from benchmarks.measure import Row, cpu_clock_of

APPLICATIONS = {
    "bare ASGI": "bare",
    "tiercel, hit in memory": "memory",
    "tiercel, hit in Redis": "redis",
    "FastAPI with a Pydantic model, no cache": "uncached",
}
REQUEST = b"GET /users/42 HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: */*\r\nuser-agent: benchmark\r\n\r\n"
CONNECTIONS = 8


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    port: int

    def cpu_seconds(self) -> float:
        return cpu_clock_of(self.process.pid)()


async def run(redis_url: str, *, rounds: int, scale: float) -> list[Row]:
    requests = max(CONNECTIONS, int(20_000 * scale))
    servers = {name: _start(module, redis_url) for name, module in APPLICATIONS.items()}
    try:
        taken: dict[str, list[float]] = {name: [] for name in servers}
        for turn in range(rounds + 1):
            for name, server in servers.items():
                before = server.cpu_seconds()
                await _load(server.port, requests)
                spent = (server.cpu_seconds() - before) * 1e6 / requests
                if turn > 0:
                    taken[name].append(spent)
        return [Row("HTTP, uvicorn", name, statistics.median(t), min(t), max(t)) for name, t in taken.items()]
    finally:
        for server in servers.values():
            server.process.terminate()
            server.process.wait()


def _start(name: str, redis_url: str) -> Running:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", f"benchmarks.http_apps:{name}", "--port", str(port)]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    process = subprocess.Popen(command, env={**os.environ, "BENCHMARK_REDIS": redis_url})
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError(f"uvicorn for {name} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 0.1).close()
            return Running(process, port)
        except OSError:
            time.sleep(0.05)
    process.kill()
    raise RuntimeError(f"uvicorn for {name} did not listen within 30 seconds")


async def _load(port: int, requests: int) -> None:
    await asyncio.gather(*(_client(port, requests // CONNECTIONS) for _ in range(CONNECTIONS)))


async def _client(port: int, requests: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(requests):
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"not a 200: {head[:100]!r}")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()
