"""Prints what pip must install for the named extras, one requirement a line, and what a build without isolation needs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10: pip carries the same parser
    from pip._vendor import tomli as tomllib

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def requirements(pyproject: dict, extras: list[str]) -> list[str]:
    """The build's, the package's and the extras' requirements; an extra may name others as tiercel[other]."""
    project = pyproject["project"]
    found = [*pyproject["build-system"]["requires"], *project["dependencies"]]
    queue, seen = list(extras), set()
    while queue:
        extra = queue.pop()
        if extra in seen:
            continue
        seen.add(extra)
        if extra not in project["optional-dependencies"]:
            sys.exit(f"no extra {extra!r} in {PROJECT.name}")
        for requirement in project["optional-dependencies"][extra]:
            own = re.fullmatch(rf"{project['name']}\[(.+)\]", requirement)
            if own:
                queue += [name.strip() for name in own[1].split(",")]
            else:
                found.append(requirement)
    return sorted(set(found))


if __name__ == "__main__":
    print("\n".join(requirements(tomllib.loads(PROJECT.read_text()), sys.argv[1:])))
