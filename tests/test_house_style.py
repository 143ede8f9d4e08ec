"""The rules of the house that a machine can check: banned words and calls, each with what to write instead."""

from __future__ import annotations

import io
import re
import subprocess
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NATIVE = r"^(src|include|python/bindings)/.*\.(cpp|hpp)$"
PACKAGE = r"^python/tiercel/.*\.py$"
TESTS = r"^tests/(python/|integration/|reality/|test_).*\.py$"
ENGINE = r"^src/.*\.(cpp|hpp)$"

# pattern, where, instead
BANNED = [
    (r"catch \(\.\.\.\)", NATIVE, "name the exception"),
    (r"using namespace std\b", NATIVE, "write std::, or the one name"),
    (r"\b(system_clock|steady_clock)::now\(", ENGINE, "time is an argument"),
    (r"std::random_device|\brand\(\)|\bmt19937", ENGINE, "dice are an argument (base/dice.hpp)"),
    (r"std::(thread|jthread|async)\b|\bsocket\(", ENGINE, "the engine does no I/O and starts no thread"),
    (r"\bgetenv\(", NATIVE, "settings are read in Python"),
    (r"\bpickle\.loads?\(", PACKAGE, "nothing is unpickled by default: only _codec_pickle.py may, signed"),
    (r"\bexcept:|except BaseException:\s*pass", PACKAGE, "name the exception"),
    (r"\bprint\(", PACKAGE, "the standard logging"),
    (r"\b(eval|exec)\(", PACKAGE, "no code from text"),
    (r"\btime\.sleep\(", TESTS, "virtual time, or wait for the event (tests/support)"),
    (
        r"^\s*pytest\.skip\(|mark\.skip\b|importorskip",
        TESTS,
        "only a missing server skips, by tests/support/binaries.py",
    ),
]
ALLOWED = {  # (file, pattern's number in BANNED): each with its reason beside it in the file
    ("python/tiercel/_codec_pickle.py", 6),
}


def tracked_files() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    found = (p for top in ("src", "include", "python", "tests") for p in (ROOT / top).rglob("*") if p.is_file())
    return [str(p.relative_to(ROOT)) for p in found]  # an unpacked archive has no git


def breaches(text: str, pattern: str, *, python: bool) -> list[int]:
    """The numbers of the lines that hold the pattern in code, but for those that say `allowed: ` and why."""
    code = python_code(text) if python else re.sub(r"//.*", "", text)
    pairs = zip(code.splitlines(), text.splitlines(), strict=False)
    return [
        number for number, (line, raw) in enumerate(pairs, 1) if re.search(pattern, line) and "allowed: " not in raw
    ]


def python_code(text: str) -> str:
    """The same lines with comments and strings blanked: what a child program in a string does is its own affair."""
    lines = [list(line) for line in text.splitlines()]
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.STRING, tokenize.COMMENT):
            (first, begin), (last, end) = token.start, token.end
            for number in range(first - 1, last):
                line = lines[number]
                until = end if number == last - 1 else len(line)
                since = begin if number == first - 1 else 0
                line[since:until] = " " * (until - since)
    return "\n".join("".join(line) for line in lines)


@pytest.mark.parametrize("rule", range(len(BANNED)), ids=[instead for _, _, instead in BANNED])
def test_nothing_banned_is_written(rule: int) -> None:
    pattern, where, instead = BANNED[rule]
    found = [
        f"{name}:{number}"
        for name in tracked_files()
        if re.search(where, name) and (name, rule) not in ALLOWED and name != "tests/test_house_style.py"
        for number in breaches((ROOT / name).read_text(encoding="utf-8"), pattern, python=name.endswith(".py"))
    ]
    assert not found, f"instead: {instead}"


def test_a_planted_breach_is_found_and_a_comment_is_not_one() -> None:
    native = "int a;\ntry {} catch (...) {}\n// never catch (...)\ncatch (...)  // allowed: the C boundary\n"
    assert breaches(native, BANNED[0][0], python=False) == [2]
    python = 'x = "time.sleep(1)"\ntime.sleep(1)\n"""\ntime.sleep(2)\n"""\n# time.sleep(3)\n'
    assert breaches(python, r"\btime\.sleep\(", python=True) == [2]


def test_every_source_file_opens_with_what_it_owns() -> None:
    silent = []
    for name in tracked_files():
        beside_its_header = name.endswith(".cpp") and (ROOT / name).with_suffix(".hpp").is_file()
        if beside_its_header or not re.search(rf"{NATIVE}|{PACKAGE}", name):
            continue  # a .cpp beside its header need not say it twice
        text = (ROOT / name).read_text(encoding="utf-8")
        if text and not text.startswith("//" if name.endswith("pp") else '"""'):
            silent.append(name)
    assert not silent
