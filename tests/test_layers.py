"""The module table holds, and the checker that says so sees what it must."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TABLE = """
[base]
path = "src/base"
level = 0
may_include = []
[cache]
path = "src/cache"
level = 1
may_include = ["base"]
[http]
path = "src/http"
level = 2
may_include = ["base"]
"""


def check(root: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "check_layers.py"), str(root)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A small tree that obeys its table."""
    write(tmp_path, "layers.toml", TABLE)
    write(tmp_path, "src/base/time.hpp", "#include <chrono>\n")
    write(tmp_path, "src/cache/read.hpp", '#include "base/time.hpp"\n')
    write(tmp_path, "src/http/rules.cpp", '#include "rules.hpp"\n')
    write(tmp_path, "src/http/rules.hpp", "")
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_sources_obey_their_layers() -> None:
    status, said = check(ROOT)
    assert status == 0, said


def test_an_obedient_tree_passes(planted: Path) -> None:
    assert check(planted)[0] == 0


@pytest.mark.parametrize(
    ("file", "text", "complaint"),
    [
        ("src/base/bad.hpp", '#include "cache/read.hpp"', "base may not include cache (upward)"),
        ("src/http/bad.cpp", '  #  include "cache/read.hpp"', "http may not include cache (not allowed)"),
        ("src/http/bad.cpp", '#include "../cache/read.hpp"', "http may not include cache (not allowed)"),
        ("src/stray/bad.cpp", '#include "base/time.hpp"', "belongs to no module"),
        ("src/cache/bad.cpp", '#include "nowhere/at_all.hpp"', "is in no module"),
    ],
)
def test_a_forbidden_include_is_named(planted: Path, file: str, text: str, complaint: str) -> None:
    write(planted, file, text + "\n")
    status, said = check(planted)
    assert status == 1
    assert complaint in said
    assert file in said


def test_files_that_include_each_other_are_named(planted: Path) -> None:
    write(planted, "src/cache/a.hpp", '#include "cache/b.hpp"\n')
    write(planted, "src/cache/b.hpp", '#include "c.hpp"\n')
    write(planted, "src/cache/c.hpp", '#include "cache/a.hpp"\n')
    status, said = check(planted)
    assert status == 1
    assert "cycle: src/cache/a.hpp -> src/cache/b.hpp -> src/cache/c.hpp -> src/cache/a.hpp" in said


def test_a_table_that_allows_upward_is_refused(planted: Path) -> None:
    write(planted, "layers.toml", TABLE.replace("may_include = []", 'may_include = ["cache"]', 1))
    assert "that is not below it" in check(planted)[1]
