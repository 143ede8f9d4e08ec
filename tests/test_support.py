"""The ground the other tests stand on holds: servers, faults, scripted peers, and the counting of results."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from support.proxy import Proxy
from support.scripted import garbage_server
from support.servers import Server

ROOT = Path(__file__).resolve().parents[1]


def test_each_kind_of_server_is_what_it_says(any_server: Server) -> None:
    told = any_server.client.info("server")
    version = told.get("valkey_version") or told["redis_version"]
    assert f"{'valkey' if 'valkey_version' in told else 'redis'}-{version}".startswith(any_server.kind)


def test_a_server_is_empty_at_the_start_of_each_test(redis_server: Server) -> None:
    assert redis_server.client.dbsize() == 0
    assert redis_server.calls("set") == 0
    redis_server.cli("SET", "left", "over")
    assert redis_server.calls("set") == 1
    redis_server.flush()
    assert redis_server.client.dbsize() == 0


def test_a_server_returns_on_its_own_port_with_or_without_its_data(fresh_redis: Server) -> None:
    port = fresh_redis.port
    fresh_redis.cli("SET", "a", "1")
    fresh_redis.restart(keep_data=True)
    assert fresh_redis.cli("GET", "a") == b"1"
    fresh_redis.restart()
    assert fresh_redis.cli("GET", "a") is None
    assert fresh_redis.port == port


def test_a_server_takes_every_way_in(start_server: Callable[..., Server]) -> None:
    server = start_server(password='p@"s s/', users=["alice on >secret ~* &* +@all"], unixsocket=True, tls=True)
    assert server.certificates is not None
    for url in (server.url(3), server.url(2, unix=True), server.url(user="alice", password="secret")):
        with redis.Redis.from_url(url) as client:
            assert client.ping()
    with redis.Redis.from_url(server.url(tls=True), ssl_ca_certs=str(server.certificates.authority)) as client:
        assert client.ping()
    with pytest.raises(redis.exceptions.AuthenticationError), redis.Redis(port=server.port, password="wrong") as client:
        client.ping()


def test_a_paused_server_hangs_and_comes_back(fresh_redis: Server) -> None:
    with redis.Redis(port=fresh_redis.port, socket_timeout=0.1, retry=None) as client:
        fresh_redis.pause()
        with pytest.raises(redis.exceptions.TimeoutError):
            client.ping()
        fresh_redis.resume()
        assert client.ping()


def test_a_server_dies_with_the_process_that_started_it() -> None:
    program = "from support.servers import start; import signal; print(start().pid, flush=True); signal.pause()"
    with subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(ROOT / "tests")}, stdout=subprocess.PIPE
    ) as starter:
        assert starter.stdout is not None
        server = int(starter.stdout.readline())
        os.kill(server, 0)
        starter.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and Path(f"/proc/{server}/cmdline").exists():
        if not Path(f"/proc/{server}/cmdline").read_bytes():  # dead, and waiting for init to notice
            break
        os.sched_yield()
    else:
        assert not Path(f"/proc/{server}/cmdline").exists()


def test_the_proxy_delays_cuts_swallows_and_refuses(redis_server: Server) -> None:
    with Proxy(redis_server.port) as proxy, redis.Redis(port=proxy.port, socket_timeout=0.5, retry=None) as client:
        client.set("a", "x" * 100)
        proxy.delay = 0.05
        began = time.monotonic()
        client.get("a")
        assert time.monotonic() - began >= 0.1  # once each way
        proxy.delay, proxy.cut_after = 0.0, 50
        with pytest.raises(redis.exceptions.ConnectionError):
            client.get("a")
        proxy.cut_after = None
        assert client.get("a")
        proxy.blackhole = True
        with pytest.raises(redis.exceptions.TimeoutError):
            client.get("a")
        proxy.blackhole = False
        proxy.refuse()
        with pytest.raises(redis.exceptions.ConnectionError):
            client.get("a")
        proxy.accept()
        assert client.get("a")
        assert proxy.bytes_down > 100


async def test_a_garbage_server_answers_the_same_bytes_and_closes() -> None:
    async with garbage_server(b"HTTP/1.1 400\r\n\r\n") as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"*1\r\n$4\r\nPING\r\n")
        assert await asyncio.wait_for(reader.read(), 5) == b"HTTP/1.1 400\r\n\r\n"
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(("reason", "failed"), [("no time", 1), ("missing server: redis-7.4", 0)])
def test_a_skip_fails_unless_it_names_a_missing_server(tmp_path: Path, reason: str, failed: int) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_it.py").write_text(f"import pytest\ndef test_it():\n    pytest.skip({reason!r})  # planted\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == failed, done.stdout


def test_the_sum_counts_tests_and_stages_that_died_without_one(tmp_path: Path) -> None:
    scripts, reports = tmp_path / "scripts", tmp_path / "build" / "reports"
    scripts.mkdir()
    reports.mkdir(parents=True)
    (scripts / "count_tests.py").write_text((ROOT / "scripts" / "count_tests.py").read_text())
    cases = '<testcase name="a"/><testcase name="b"><failure/></testcase><testcase name="c"><skipped/></testcase>'
    (reports / "python.xml").write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")

    def last_line(*stages: str) -> tuple[int, str]:
        command = [sys.executable, str(scripts / "count_tests.py"), *stages]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.splitlines()[-1]

    assert last_line() == (1, "1 passed, 1 failed")
    assert last_line("one", "two") == (1, "1 passed, 2 failed")
    (reports / "python.xml").write_text('<testsuite><testcase name="a"/></testsuite>')
    assert last_line() == (0, "1 passed, 0 failed")
    assert last_line("crashed") == (1, "1 passed, 1 failed")
    (reports / "python.xml").write_text("<testsuite/>")
    assert last_line() == (1, "0 passed, 0 failed")
