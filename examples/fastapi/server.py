"""Owns: starting the application: a free port, uvicorn, and the lines a newcomer reads first."""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import sys
from typing import Any

import uvicorn

HOST = "127.0.0.1"
TRIES = 50


def listen(port: int) -> socket.socket:
    """A socket on `port`, or on the next free one. 0: any."""
    for candidate in range(port, port + TRIES) if port else [0]:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, candidate))
            listener.listen(128)  # here, for on Linux two may bind with SO_REUSEADDR, but only one may listen
            return listener
        except OSError:
            listener.close()
    sys.exit(f"The ports {port} to {port + TRIES - 1} of {HOST} are all taken: give another with --port.")


class Server(uvicorn.Server):
    """uvicorn, which says where to look once it answers."""

    def __init__(self, config: uvicorn.Config, greeting: str) -> None:
        super().__init__(config)
        self.greeting = greeting

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            print(self.greeting, flush=True)


def greeting(url: str, wanted: int, port: int) -> str:
    taken = f"Port {wanted} is taken, so this is {port}.\n" if wanted not in (0, port) else ""
    where = "in this process (memory://); set TIERCEL_URL=redis://… for a Redis"
    if os.environ.get("TIERCEL_URL"):
        where = "as TIERCEL_URL says"
    return f"""
{taken}The world's cities: {url}
  try them out       {url}/docs
  statistics         {url}/cache/stats
  the cache          {where}
Try the first two twice, then the third, then the first two again, and look at X-Cache:
  curl -i {url}/cities/2759794
  curl -i '{url}/cities?country=NL&skip=0&limit=5'
  curl -i -X PUT {url}/cities/2759794 -H 'Content-Type: application/json' -d '{{"population": 1000000}}'
Stop with Ctrl+C.
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.fastapi", description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="the first port to try (default 8000)")
    parser.add_argument("--check", action="store_true", help="try every feature and say what was seen")
    options = parser.parse_args()
    if options.check:
        from .check import check

        return check()
    serve(options.port)
    return 0


def serve(wanted: int) -> None:
    listener = listen(wanted)
    port = listener.getsockname()[1]
    config = uvicorn.Config("examples.fastapi.main:app", log_level="warning", lifespan="on")
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn shuts down, then raises it again
        Server(config, greeting(f"http://{HOST}:{port}", wanted, port)).run(sockets=[listener])
