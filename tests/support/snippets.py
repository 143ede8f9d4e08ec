"""Owns reading and running the code blocks of a Markdown page.

A ```python block is run; the blocks of one page share their names, in order, and `await` works at the top level. A comment
line before the fence changes that:

    <!-- snippet: server -->          the page runs with TIERCEL_URL set to a real Redis instead of memory://
    <!-- snippet: new -->             forget the names of the blocks before
    <!-- snippet: skip: reason -->    not run; a reason must be given
    <!-- snippet: run -->             before a ```bash or ```console block: run it in a shell, in an empty folder

`python snippets.py PAGE.md` runs the Python blocks of a page, each traceback pointing at the page's own lines.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w+-]*)[^\n]*\n(?P<code>.*?)^(?P=indent)```\s*$", re.MULTILINE | re.DOTALL
)
MARK = re.compile(r"<!--\s*snippet:\s*(?P<word>server|new|run|skip)(?::\s*(?P<reason>[^>]*?))?\s*-->\s*$")


@dataclass(frozen=True)
class Snippet:
    page: Path
    line: int  # of the first line of code
    language: str
    code: str
    mark: str = ""
    reason: str = ""


def snippets_of(page: Path) -> Iterator[Snippet]:
    text = page.read_text(encoding="utf-8")
    for fence in FENCE.finditer(text):
        mark = MARK.search(text[: fence.start()])
        line = text.count("\n", 0, fence.start("code")) + 1
        indent = fence["indent"]
        code = re.sub(rf"^{indent}", "", fence["code"], flags=re.MULTILINE) if indent else fence["code"]
        word, reason = (mark["word"], mark["reason"] or "") if mark else ("", "")
        if word == "skip" and not reason:
            raise ValueError(f"{page}:{line}: a skipped snippet must give its reason")
        yield Snippet(page, line, fence["language"], code, word, reason)


def runnable(page: Path) -> list[Snippet]:
    return [one for one in snippets_of(page) if one.language in ("python", "py") and one.mark != "skip"]


def shell_lines(snippet: Snippet) -> list[str]:
    """The commands of a bash block, or what stands after the prompt in a console block."""
    lines = snippet.code.splitlines()
    if snippet.language == "console":
        lines = [line[2:] for line in lines if line.startswith(("$ ", "# "))]
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def fresh_names() -> dict[str, Any]:
    """The names of a module that can be found by its name, as dataclasses and annotations ask for."""
    module = sys.modules["snippet"] = ModuleType("snippet")
    return module.__dict__


async def run_page(page: Path) -> int:
    names = fresh_names()
    count = 0
    for snippet in runnable(page):
        if snippet.mark == "new":
            names = fresh_names()
        padded = "\n" * (snippet.line - 1) + snippet.code  # so that a traceback names the page's line
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        compiled = compile(padded, str(page), "exec", flags=flags, dont_inherit=True)  # not this file's __future__
        result = eval(compiled, names)
        if inspect.isawaitable(result):
            await result
        count += 1
    return count


if __name__ == "__main__":
    print(f"{asyncio.run(run_page(Path(sys.argv[1])))} snippets ran")
