"""The driver over real servers: connections, addresses, pipelining, loops and threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from support.servers import Server
from support.waiting import eventually
from tiercel import AuthenticationError, Cache, RedisCache, Unavailable, _sync
from tiercel._types import Loaded


async def test_a_value_set_by_one_cache_is_got_by_another(any_server: Server) -> None:
    async with Cache(any_server.url(), op_timeout=5) as one, Cache(any_server.url(), op_timeout=5) as two:
        assert await one.set("user:42", {"name": "Ada"}, 300, tags=["users"])
        assert await two.get("user:42") == {"name": "Ada"}
        assert 299 < (await two.ttl("user:42") or 0) < 301  # the clocks differ by half a round trip
        assert await two.invalidate(tags=["users"])
        assert await one.get("user:42", fresh="now") is None
        assert await one.delete_pattern("user:*") in (0, 1)
        assert two.stats().redis["state"] == "ready"


async def test_a_change_by_another_process_leaves_memory_by_the_push(any_server: Server) -> None:
    async with Cache(any_server.url(), op_timeout=5) as cache, Cache(any_server.url(), op_timeout=5) as other:
        await cache.set("key", 1)
        assert await cache.get("key") == 1
        await other.set("key", 2)
        await eventually(lambda: cache._find("key") is None)
        assert await cache.get("key") == 2


def test_threads_that_begin_at_once_make_one_connection(redis_server: Server) -> None:
    cache = Cache(redis_server.url(), op_timeout=5)
    began = threading.Barrier(16)

    def read() -> None:
        began.wait()
        for n in range(50):
            _sync.wait(cache, cache._read(f"key{n}"))

    driver = cache._require_driver()
    opened: list[int] = []
    connect = driver._open
    driver._open = lambda connection: (opened.append(connection), connect(connection))  # type: ignore[assignment,return-value]
    threads = [threading.Thread(target=read) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == [0]
    asyncio.run(cache.disconnect())


def test_a_loop_relieves_the_background_thread_while_other_threads_go_on(redis_server: Server) -> None:
    cache = Cache(redis_server.url(), op_timeout=5)
    done = threading.Event()
    failures: list[BaseException] = []
    rounds = [0, 0, 0]

    def works(number: int) -> None:
        try:
            while not done.is_set():
                _sync.get_or_load(cache, f"key{number}", lambda: Loaded("value", b"\x01", cache._codecs.id, 60.0))
                _sync.wait(cache, cache._invalidate([f"key{number}"], ()))
                rounds[number] += 1
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=works, args=(number,), daemon=True) for number in range(3)]
    for thread in threads:
        thread.start()

    async def here(number: int) -> None:
        key = f"mine{number}"
        assert (
            await cache.get_or_load(key, lambda: number) == number
        )  # what is under way at the change ends as if Redis were away
        await eventually(lambda: cache._require_driver()._owner is asyncio.get_running_loop())
        assert await cache.set(key, number)
        assert await cache.get(key, fresh="now") == number

    try:
        for number in range(
            20
        ):  # a loop that ends gives the engine back to the background thread, and the next takes it
            while not all(rounds) and not failures:
                threading.Event().wait(0.001)
            asyncio.run(here(number))
            rounds[:] = [0, 0, 0]
    finally:
        done.set()
    for thread in threads:
        thread.join(20)
    assert not failures and not any(thread.is_alive() for thread in threads)
    asyncio.run(cache.disconnect())
    asyncio.run(eventually(lambda: not [client for client in redis_server.clients() if client["name"] == "tiercel"]))


async def test_a_leader_cancelled_as_its_load_begins_leaves_its_place_to_one_other(redis_server: Server) -> None:
    async with Cache(redis_server.url(), op_timeout=5) as cache:
        for round_ in range(20):
            calls: list[int] = []

            async def load(calls: list[int] = calls) -> int:
                calls.append(1)
                await asyncio.sleep(0.01)
                return 7

            async def cancels() -> None:
                await cache.get("other", fresh="now")
                leader.cancel()  # noqa: B023  (this round's)

            canceller = asyncio.create_task(cancels())
            await asyncio.sleep(0)
            leader = asyncio.create_task(cache.get_or_load(f"cold{round_}", load))
            joiners = [asyncio.create_task(cache.get_or_load(f"cold{round_}", load)) for _ in range(10)]
            assert await asyncio.gather(*joiners) == [7] * 10
            await asyncio.wait([leader, canceller])
            assert len(calls) == 1 and leader.cancelled()


async def test_a_command_that_waits_for_the_connection_ends_with_a_disconnect(redis_server: Server) -> None:
    cache = Cache(redis_server.url(), op_timeout=5)
    await cache.connect()
    client = cache.client
    await cache.disconnect()
    command = asyncio.create_task(client.execute("PING"))
    await asyncio.sleep(0)
    await cache.disconnect()
    with pytest.raises(Unavailable):
        await asyncio.wait_for(command, 4)


async def test_many_gets_in_one_tick_are_one_write(redis_server: Server) -> None:
    async with Cache(redis_server.url(), op_timeout=5) as cache:
        await cache.set_many({f"key{i}": i for i in range(100)})
        await cache.get("warm")
        for ask in (
            lambda: asyncio.gather(*(cache.get(f"key{i}", fresh="now") for i in range(100))),
            lambda: cache.get_many([f"cold{i}" for i in range(100)]),
        ):
            before = cache.stats().redis["writes"]
            await ask()
            assert cache.stats().redis["writes"] - before == 1


async def test_max_connections_bounds_what_the_server_sees(redis_server: Server) -> None:
    for allowed in (1, 2):
        async with Cache(redis_server.url(), max_connections=allowed, op_timeout=5) as cache:
            await asyncio.gather(*(cache.set(f"key{i}", i) for i in range(50)))
            await cache.client.execute("PING")
            await cache.delete_pattern("key*")
            assert len(redis_server.clients()) == allowed
        await eventually(lambda: redis_server.clients() == [])


async def test_an_operation_before_connect_connects_by_itself(redis_server: Server) -> None:
    cache = Cache(redis_server.url(), op_timeout=5)
    with pytest.raises(RuntimeError, match="Redis not connected"):
        _ = cache.client
    assert await cache.set("key", 1)
    assert await cache.get("key", fresh="now") == 1
    assert [client["name"] for client in redis_server.clients()] == ["tiercel"]
    await cache.disconnect()
    await eventually(lambda: redis_server.clients() == [])
    assert await cache.get("key") == 1  # and again after a disconnect
    await cache.disconnect()


async def test_the_mission_documents_cache_works_as_written(
    redis_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIERCEL_URL", raising=False)
    monkeypatch.setenv("REDIS_URL", redis_server.url())
    cache = RedisCache()
    await cache.connect()
    await cache.set("user:42", {"a": 1}, 300)
    assert await cache.get("user:42") == {"a": 1}
    assert await cache.exists("user:42")
    await cache.delete("user:42")
    await cache.delete_pattern("users_list:*")
    assert not await cache.exists("user:42")
    await cache.client.setex("raw", 60, "text")
    assert await cache.client.get("raw") == "text"
    await cache.disconnect()


# Addresses


async def test_a_unix_socket(start_server: Callable[..., Server]) -> None:
    server = start_server(unixsocket=True)
    async with Cache(server.url(3, unix=True), op_timeout=5) as cache:
        assert await cache.set("key", 1)
        assert server.clients()[0]["db"] == "3"
        assert server.clients()[0]["addr"].startswith(str(server.unixsocket))


async def test_a_user_and_a_password_with_every_sign_in_the_url(start_server: Callable[..., Server]) -> None:
    password = "p:ä@/s%? #[]"
    server = start_server(users=[f"ada on >{password.replace(' ', '')} ~* &* +@all"])
    async with Cache(server.url(user="ada", password=password.replace(" ", "")), op_timeout=5) as cache:
        assert await cache.set("key", 1)
        assert {client["user"] for client in server.clients()} == {"ada"}


async def test_tls_with_an_authority_of_ones_own(start_server: Callable[..., Server]) -> None:
    server = start_server(tls=True)
    assert server.certificates is not None
    url = server.url(tls=True)
    async with Cache(url, tls_ca_file=str(server.certificates.authority), op_timeout=5) as cache:
        assert await cache.set("key", "x" * 1_000_000)
        assert await cache.get("key", fresh="now") == "x" * 1_000_000
    async with Cache(url, tls_verify=False, op_timeout=5) as cache:
        assert await cache.get("key") == "x" * 1_000_000


async def test_an_unknown_authority_is_refused_and_said(
    start_server: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    server = start_server(tls=True)
    async with Cache(server.url(tls=True), op_timeout=0.5) as cache:
        assert not await cache.set("key", 1)
        await eventually(lambda: "certificate" in cache.stats().redis["error"])
    assert "tls_ca_file" in caplog.text


async def test_a_rejected_password_raises_at_connect_and_is_a_miss_elsewhere(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(password="right")
    cache = Cache(server.url(password="wrong"), op_timeout=1)
    with pytest.raises(AuthenticationError, match="password"):
        await cache.connect()
    assert await cache.get("key") is None
    assert await cache.get_or_load("key", lambda: 1) == 1
    assert "wrong" not in repr(cache) + str(cache.stats())
    await cache.disconnect()


# Loops and threads


def test_a_hundred_requests_each_in_a_loop_of_its_own_leave_no_connection_behind(redis_server: Server) -> None:
    cache = Cache(redis_server.url(), op_timeout=5)
    calls: list[int] = []

    async def request() -> int:
        return await cache.get_or_load("key", lambda: calls.append(1) or 7)

    for _ in range(100):
        assert asyncio.run(request()) == 7
        assert len(redis_server.clients()) <= 2
    assert len(calls) == 1
    asyncio.run(eventually(lambda: redis_server.clients() == []))


@pytest.mark.filterwarnings("ignore:Using .httpx.")  # older installations of the test client
def test_a_test_client_without_lifespan_hits_from_the_second_request_on(redis_server: Server) -> None:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    app, cache, calls = FastAPI(), Cache(redis_server.url(), op_timeout=5), []

    @app.get("/async")
    async def asynchronous() -> Any:
        return await cache.get_or_load("async", lambda: calls.append("async") or {"n": 1})

    @app.get("/plain")
    def plain() -> Any:
        def load() -> Loaded:
            calls.append("plain")
            return Loaded("value", cache._codecs.encode({"n": 2}), cache._codecs.id, 60.0)

        outcome = _sync.get_or_load(cache, "plain", load)
        return cache._codecs.decode(outcome.payload or b"")

    client = TestClient(app)
    for _ in range(100):
        assert client.get("/async").json() == {"n": 1}
        assert client.get("/plain").json() == {"n": 2}
    assert sorted(calls) == ["async", "plain"]
    assert len(redis_server.clients()) <= 2
    asyncio.run(cache.disconnect())
    asyncio.run(eventually(lambda: redis_server.clients() == []))


def test_another_loop_works_through_the_owners_connection(redis_server: Server) -> None:
    owner = asyncio.new_event_loop()
    thread = threading.Thread(target=owner.run_forever)
    thread.start()
    cache = Cache(redis_server.url(), op_timeout=5)
    asyncio.run_coroutine_threadsafe(cache.connect(), owner).result(10)

    async def here() -> None:
        await cache.set("key", 1)
        assert await cache.get("key", fresh="now") == 1
        assert await cache.get_or_load("cold", lambda: 2) == 2
        assert len(redis_server.clients()) == 1

    asyncio.run(here())
    asyncio.run_coroutine_threadsafe(cache.disconnect(), owner).result(10)
    owner.call_soon_threadsafe(owner.stop)
    thread.join()
    owner.close()


def test_it_works_under_uvloop(redis_server: Server) -> None:
    import uvloop

    async def main() -> Any:
        async with Cache(redis_server.url(), op_timeout=5) as cache:
            await cache.set_many({f"key{i}": "x" * 10_000 for i in range(100)})
            got = await asyncio.gather(*(cache.get(f"key{i}", fresh="now") for i in range(100)))
            assert got == ["x" * 10_000] * 100
            return await cache.get_or_load("cold", lambda: 2)

    assert uvloop.run(main()) == 2
    asyncio.run(eventually(lambda: redis_server.clients() == []))


async def test_large_values_arrive_whole_though_the_socket_takes_them_in_pieces(redis_server: Server) -> None:
    async with Cache(redis_server.url(), op_timeout=10) as cache:
        big = bytes(range(256)) * 4_000
        assert await cache.set_many({f"big{i}": big for i in range(5)}) == 5
        found = await cache.get_many([f"big{i}" for i in range(5)])
        assert len(found) == 5 and all(value == big for value in found.values())
