"""Asks a real redis-server what its KEYS makes of many patterns, and writes the answers to globs_of_redis.txt, against
which tests/unit/entry_test.cpp holds glob_match. Run: `pip install redis; python ask_redis_globs.py [redis-server]`.

First line: the texts, in hex. Every further line: a pattern in hex, and for each text 1 if Redis says it matches.
"""

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import redis

LETTERS = b"ab*?[]^-\\\x80\xff"
PLAIN = b"aab*?[]^-\\\x80\xff:"


def word(dice: random.Random, letters: bytes, longest: int) -> bytes:
    return bytes(dice.choice(letters) for _ in range(dice.randint(1, longest)))


def ask(server: redis.Redis, patterns: list[bytes], texts: list[bytes]) -> list[str]:
    server.flushall()
    server.mset(dict.fromkeys(texts, b""))
    lines = [" ".join(text.hex() for text in texts)]
    for pattern in patterns:
        matching = set(server.keys(pattern))
        lines.append(pattern.hex() + " " + "".join("1" if text in matching else "0" for text in texts))
    return lines


def main() -> None:
    dice = random.Random(20)
    texts = sorted({word(dice, PLAIN, 6) for _ in range(120)} | {bytes([c]) for c in PLAIN})
    patterns = {word(dice, LETTERS, 8) for _ in range(1500)} | {b"[" + word(dice, LETTERS, 6) for _ in range(700)}
    with tempfile.TemporaryDirectory() as folder:
        socket = f"{folder}/redis.sock"
        options = ["--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder]
        process = subprocess.Popen([*(sys.argv[1:] or ["redis-server"]), *options], stdout=subprocess.DEVNULL)
        try:
            while not Path(socket).exists():
                time.sleep(0.01)
            lines = ask(redis.Redis(unix_socket_path=socket), sorted(patterns), texts)
        finally:
            process.terminate()
            process.wait()
    Path(__file__).with_name("globs_of_redis.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
