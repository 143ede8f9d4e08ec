"""What the documentation shows works: every Python block runs, every command and every link leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.servers import Server
from support.snippets import runnable, shell_lines, snippets_of

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
RUNNER = ROOT / "tests" / "support" / "snippets.py"
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def run_page(page: Path, folder: Path, url: str = "memory://") -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TIERCEL_", "REDIS_"))}
    environment = {**clean, "TIERCEL_URL": url, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(RUNNER), str(page)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=50, check=False)


@pytest.mark.parametrize("page", [page for page in PAGES if runnable(page)], ids=name_of)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path, start_server: Callable[..., Server]) -> None:
    wants_server = any(snippet.mark == "server" for snippet in snippets_of(page))
    url = start_server().url(0) if wants_server else "memory://"
    done = run_page(page, tmp_path, url)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert f"{len(runnable(page))} snippets ran" in done.stdout


def test_a_page_whose_python_fails_is_caught_at_its_line(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Page\n\n```python\nx = 1\n```\n\nText.\n\n```python\nimport asyncio\nawait asyncio.sleep(0)\nassert x == 2\n```\n"
    )
    done = run_page(page, tmp_path)
    assert done.returncode == 1
    assert 'page.md", line 12' in done.stderr


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    dead = []
    for link in LINK.findall(text):
        target, _, anchor = link.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        file = (page.parent / target).resolve() if target else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            dead.append(link)
    assert not dead


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+\s+(.*?)\s*$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_name_what_exists(page: Path) -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    wrong = []
    for snippet in snippets_of(page):
        if snippet.language not in ("bash", "console", "sh") or snippet.mark == "skip":
            continue
        for line in shell_lines(snippet):
            wrong += [f"make {name}" for name in re.findall(r"(?:^|&&\s*)make ([a-z]\w*)", line) if name not in targets]
            files = re.findall(r"(?:python3?|bash|sh) ((?:examples|scripts|benchmarks)/\S+)", line)
            wrong += [
                name for name in files if not (ROOT / name).exists() and not name.isupper() and "NAME" not in name
            ]
    assert not wrong


def test_shell_blocks_marked_to_run_run(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    for snippet in (one for page in PAGES for one in snippets_of(page) if one.mark == "run"):
        script = "\n".join(["set -eu", *shell_lines(snippet)])
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert done.returncode == 0, f"{name_of(snippet.page)}:{snippet.line}\n{done.stdout}\n{done.stderr}"
