"""Owns the fixtures every Python test may ask for, and the rule that a test is not skipped in silence.

`redis_server`   Debian's server, one for the whole run, emptied before each test
`fresh_redis`    the same, but the test's own: pause it, stop it, fill it
`any_server`     the test runs once against each kind of server, emptied before
`start_server`   a function: a server of any kind with any options, ended with the test
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from support.binaries import KINDS, MISSING_SERVER
from support.servers import Server, start


@pytest.fixture(scope="session")
def shared_servers() -> Iterator[Callable[[str], Server]]:
    """One server of each kind per run, started when first asked for."""
    running: dict[str, Server] = {}

    def of_kind(kind: str) -> Server:
        if kind not in running:
            running[kind] = start(kind)
        running[kind].flush()
        return running[kind]

    yield of_kind
    for server in running.values():
        server.close()


@pytest.fixture
def redis_server(shared_servers: Callable[[str], Server]) -> Server:
    return shared_servers("redis-7.0")


@pytest.fixture(params=KINDS)
def any_server(request: pytest.FixtureRequest, shared_servers: Callable[[str], Server]) -> Server:
    return shared_servers(request.param)


@pytest.fixture
def start_server() -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start_one(kind: str = "redis-7.0", **options: Any) -> Server:
        started.append(start(kind, **options))
        return started[-1]

    yield start_one
    for server in started:
        server.close()


@pytest.fixture
def fresh_redis(start_server: Callable[..., Server]) -> Server:
    return start_server("redis-7.0")


# A skipped test is a failed one unless it names the server it waits for.


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_silent_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_silent_skip(report)
    return report


def _refuse_silent_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.outcome != "skipped" or hasattr(report, "wasxfail"):
        return
    reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if MISSING_SERVER in reason:
        return
    report.outcome = "failed"
    report.longrepr = f"skipped without naming a missing server: {reason}"
