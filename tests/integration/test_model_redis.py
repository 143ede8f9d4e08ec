"""The model of Redis that the C++ tests and the simulation stand on, held against real servers: random commands, the same
replies and the same pushes, to the writer and to others, in the same order.
"""

from __future__ import annotations

import hashlib
import random
import re
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from support.servers import Server

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = 3
STEPS = 1500
KEYS = [b"k0", b"k1"]
LIFE, LONGER = b"1000000", b"2000000"  # so long that no answer to PTTL depends on how quick the test is
Command = tuple[bytes, ...]


def program() -> Path:
    built = sorted(ROOT.glob("build/*/tests/model_replies"), key=lambda path: path.stat().st_mtime)
    assert built, "build/*/tests/model_replies is not built: cmake --preset dev && cmake --build --preset dev"
    return built[-1]


class Model:
    """The model in a child process."""

    def __init__(self) -> None:
        self._child = subprocess.Popen([program()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.communicate("")

    def _ask(self, line: str) -> list[bytes]:
        assert self._child.stdin and self._child.stdout
        self._child.stdin.write(line + "\n")
        self._child.stdin.flush()
        answer = self._child.stdout.readline().split()
        return [b"" if sent == "-" else bytes.fromhex(sent) for sent in answer]

    def run(self, client: int, commands: Sequence[Command]) -> list[bytes]:
        words = " | ".join(" ".join(word.hex() or "-" for word in command) for command in commands)
        return self._ask(f"{client} {words}")

    def pass_time(self, milliseconds: int) -> None:
        self._ask(f"+ {milliseconds}")


class Real:
    """A server, by sockets of our own: what arrives is compared byte by byte."""

    END = b"+the-end\r\n"

    def __init__(self, server: Server) -> None:
        self._sockets = [socket.create_connection((server.host, server.port), timeout=10) for _ in range(CLIENTS)]
        self._barrier = socket.create_connection((server.host, server.port), timeout=10)

    def __enter__(self) -> Real:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in [*self._sockets, self._barrier]:
            connection.close()

    def run(self, client: int, commands: Sequence[Command]) -> list[bytes]:
        self._sockets[client].sendall(b"".join(map(encoded, commands)))
        self._barrier.sendall(b"PING\r\n")  # sent later, so in no earlier pass of the server's: that pass is over then
        assert self._barrier.recv(64) == b"+PONG\r\n"
        sent = []
        for connection in [
            self._sockets[client],
            *self._sockets,
        ]:  # the writer's replies first: then all pushes are out
            connection.sendall(encoded((b"EVAL", b"return redis.status_reply('the-end')", b"0")))
            received = b""
            while not received.endswith(self.END):
                received += connection.recv(65536)
            sent.append(received.removesuffix(self.END))
        first, *rest = sent
        rest[client] = first + rest[client]
        return rest


def encoded(command: Command) -> bytes:
    return b"*%d\r\n" % len(command) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in command)


def comparable(sent: bytes) -> bytes:
    """Of errors the code alone, of long lives a rough value: they are of the server's version, and of the moment."""
    sent = re.sub(rb"-([A-Z]+) [^\r]*\r\n", rb"-\1\r\n", sent)
    sent = re.sub(rb":(9\d{5}|1000000)\r\n", rb":about 1000000\r\n", sent)
    return re.sub(rb":(19\d{5}|2000000)\r\n", rb":about 2000000\r\n", sent)


# ---- what is said


def record(dice: random.Random, stamps: Sequence[bytes], state: int | None = None) -> bytes:
    has_version = dice.random() < 0.5
    version = dice.choice([0, 1, 5, 1 << 32, (1 << 32) + 5]) if has_version else 0
    head = b"TL\1" + bytes([dice.randrange(5) if state is None else state, 0, int(has_version), 0, 0])
    return (head + dice.choice(stamps) + struct.pack(">Q", version)).ljust(64, b"\0")


def script_call(dice: random.Random, name: str, stamps: Sequence[bytes]) -> tuple[bytes, ...]:
    life = dice.choice([b"0", LIFE, LONGER])
    version = struct.pack(">Q", dice.choice([0, 1, 5, 1 << 32, (1 << 32) + 5]))
    token, now = dice.choice(stamps), struct.pack(">Q", dice.randrange(10))
    if name == "swap":
        return dice.choice([*stamps, b""]), dice.choice([b"", record(dice, stamps)]), life
    if name == "store":
        return record(dice, stamps), life, version
    if name == "floor":
        return record(dice, stamps, 4), LIFE, version
    if name == "intent_begin":
        mine, until = token + struct.pack(">Q", dice.randrange(10)), struct.pack(">Q", dice.randrange(10))
        return record(dice, stamps, 2), mine, dice.choice([LIFE, LONGER]), now, until, LONGER
    if name == "intent_end":
        return token, now, dice.choice([b"", record(dice, stamps)]), life, dice.choice(stamps)
    if name == "root":
        servers = [bytes(16), *stamps[:2]]
        root = dice.choice(stamps) + bytes(8) + dice.choice(servers) + dice.choice(servers)
        return root[: dice.choice([56, 56, 56, 24])], dice.choice(servers), dice.choice([b"0", b"1"])
    return dice.choice(stamps), dice.choice(stamps) + bytes(8), life


def one_command(dice: random.Random, scripts: dict[str, bytes], stamps: Sequence[bytes]) -> Command:
    key = dice.choice(KEYS)
    kind = dice.randrange(12)
    if kind < 3:
        return (b"GET", key)
    if kind == 3:
        return (b"GETRANGE", key, b"%d" % dice.randint(-70, 70), b"%d" % dice.randint(-70, 70))
    if kind == 4:
        options = dice.choice(
            [(), (b"NX",), (b"XX",), (b"PX", LIFE), (b"NX", b"PX", LIFE), (b"GET",), (b"PX", b"0"), (b"QX",)]
        )
        return (
            b"SET",
            key,
            dice.choice([record(dice, stamps), dice.choice(stamps) + bytes(8), b"", b"other"]),
            *options,
        )
    if kind == 5:
        return (dice.choice([b"DEL", b"UNLINK"]), *dice.choices(KEYS, k=dice.choice([1, 2])))
    if kind == 6:
        return dice.choice([(b"PTTL", key), (b"PEXPIRE", key, LIFE), (b"PEXPIRE", key, b"0"), (b"SCRIPT", b"FLUSH")])
    name = dice.choice(list(scripts))
    digest = hashlib.sha1(scripts[name], usedforsecurity=False).hexdigest().encode()
    called = (b"EVALSHA", digest) if dice.random() < 0.3 else (b"EVAL", scripts[name])
    return (*called, b"1", key, *script_call(dice, name, stamps))


def one_write(dice: random.Random, scripts: dict[str, bytes], stamps: Sequence[bytes]) -> list[Command]:
    commands: list[Command] = []
    for _ in range(dice.choice([1, 1, 2, 3])):
        if dice.random() < 0.5:
            commands.append((b"CLIENT", b"CACHING", b"YES"))
        commands.append(one_command(dice, scripts, stamps))
    return [*commands, *((b"PTTL", key) for key in KEYS)]


@pytest.fixture
def scripts() -> dict[str, bytes]:
    listed = subprocess.run([program(), "--scripts"], capture_output=True, text=True, check=True).stdout
    return {name: bytes.fromhex(text) for name, text in (line.split() for line in listed.splitlines())}


@pytest.fixture
def both(start_server: Callable[..., Server], kind: str) -> Iterator[tuple[Model, Real]]:
    server = start_server(kind, config=["enable-debug-command yes"])
    with Model() as model, Real(server) as real:
        real.run(0, [(b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0")])
        for client in range(CLIENTS):
            greeting: list[Command] = [(b"HELLO", b"3"), (b"CLIENT", b"TRACKING", b"ON", b"OPTIN")]
            model.run(client, greeting)
            real.run(client, greeting)
        yield model, real


KINDS = pytest.mark.parametrize("kind", ["redis-7.0", "redis-7.4", "valkey-9"])


@KINDS
def test_random_commands_are_answered_and_pushed_alike(both: tuple[Model, Real], scripts: dict[str, bytes]) -> None:
    model, real = both
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    stamps = [bytes([65 + index]) * 16 for index in range(3)]
    said: list[str] = []
    for _ in range(STEPS):
        client, commands = dice.randrange(CLIENTS), one_write(dice, scripts, stamps)
        said.append(f"{client}: {commands}")
        ours = list(map(comparable, model.run(client, commands)))
        theirs = list(map(comparable, real.run(client, commands)))
        assert ours == theirs, f"seed {seed}\n" + "\n".join(said[-12:])


# ---- broadcast: told at the end of the server's pass, so only what was told is compared, not where among the replies


PUSH = re.compile(rb">2\r\n\$10\r\ninvalidate\r\n\*(\d+)\r\n")
TRACKING: list[Command] = [
    (b"CLIENT", b"TRACKING", b"ON", b"OPTIN"),
    (b"CLIENT", b"TRACKING", b"ON", b"BCAST"),
    (b"CLIENT", b"TRACKING", b"ON", b"BCAST", b"PREFIX", b"k0", b"PREFIX", b"x"),
]


def apart(sent: bytes) -> tuple[bytes, set[bytes]]:
    """The replies, and the keys that were pushed among them."""
    replies, keys = b"", set()
    while (push := PUSH.search(sent)) is not None:
        replies += sent[: push.start()]
        sent = sent[push.end() :]
        for _ in range(int(push[1])):
            length, _, rest = sent.partition(b"\r\n")
            keys.add(rest[: int(length[1:])])
            sent = rest[int(length[1:]) + 2 :]
    return comparable(replies + sent), keys


@KINDS
def test_broadcast_tells_of_the_same_keys(both: tuple[Model, Real], scripts: dict[str, bytes]) -> None:
    model, real = both
    for client, mode in enumerate(TRACKING):
        for side in both:
            side.run(client, [(b"CLIENT", b"TRACKING", b"OFF"), mode])
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    stamps = [bytes([65 + index]) * 16 for index in range(3)]
    said: list[str] = []
    told: set[bytes] = set()
    for _ in range(STEPS // 3):
        client, commands = dice.randrange(CLIENTS), one_write(dice, scripts, stamps)
        said.append(f"{client}: {commands}")
        ours = list(map(apart, model.run(client, commands)))
        theirs = list(map(apart, real.run(client, commands)))
        assert ours == theirs, f"seed {seed}\n" + "\n".join(said[-12:])
        told |= theirs[2][1]
    assert told == {b"k0"}


@KINDS
def test_broadcast_tells_behind_the_replies_of_its_pass_and_before_those_of_the_next(both: tuple[Model, Real]) -> None:
    """What a watermark and a fill in that mode stand on."""
    for side in both:
        side.run(1, [(b"CLIENT", b"TRACKING", b"OFF"), TRACKING[1]])
        own = side.run(1, [(b"SET", b"k0", b"v"), (b"GET", b"k0")])[1]
        assert own == b"+OK\r\n$1\r\nv\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$2\r\nk0\r\n"
        other = side.run(0, [(b"SET", b"k0", b"w")])[1] + side.run(1, [(b"GET", b"k0")])[1]
        assert other == b">2\r\n$10\r\ninvalidate\r\n*1\r\n$2\r\nk0\r\n$1\r\nw\r\n"


@KINDS
def test_an_expiry_found_by_a_reader_is_told_alike(both: tuple[Model, Real]) -> None:
    for client in range(2):
        tracked = [(b"SET", b"k0", b"v", b"PX", b"20"), (b"CLIENT", b"CACHING", b"YES"), (b"GET", b"k0")]
        assert both[0].run(client, tracked) == both[1].run(client, tracked)
    both[0].pass_time(40)
    time.sleep(0.04)  # allowed: the server's own clock
    for said in ([(b"CLIENT", b"CACHING", b"YES"), (b"GET", b"k0")], [(b"SET", b"k0", b"new")]):
        assert both[0].run(0, said) == both[1].run(0, said)
