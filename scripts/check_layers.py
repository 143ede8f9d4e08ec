"""Checks the includes of the C++ sources against layers.toml: none may go where its module's line does not allow, and no
two files may include each other, however long the way round. Prints each violation; exits 1 if there is one.

    python scripts/check_layers.py [FOLDER WITH layers.toml]
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10: pip carries the same parser
    from pip._vendor import tomli as tomllib

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
SUFFIXES = {".hpp", ".cpp", ".h"}


@dataclass(frozen=True)
class Module:
    name: str
    path: str
    level: int
    may_include: frozenset[str]


def read_modules(table: Path) -> list[Module]:
    rows = tomllib.loads(table.read_text())
    return [Module(name, row["path"], row["level"], frozenset(row["may_include"])) for name, row in rows.items()]


def violations(root: Path) -> list[str]:
    """Every sentence there is to say against the sources below root."""
    modules = read_modules(root / "layers.toml")
    found = _table_faults(modules)
    includes = _read_includes(root, modules)
    for file, targets in includes.items():
        for target in targets:
            found += _judge(file, target, root, modules)
    known = {file: [target for target in targets if target in includes] for file, targets in includes.items()}
    return found + [f"cycle: {' -> '.join(cycle)}" for cycle in find_cycles(known)]


def _table_faults(modules: list[Module]) -> list[str]:
    levels = {module.name: module.level for module in modules}
    faults = []
    for module in modules:
        for name in sorted(module.may_include):
            if name not in levels:
                faults.append(f"layers.toml: {module.name} may include {name}, which is no module")
            elif levels[name] >= module.level:
                faults.append(
                    f"layers.toml: {module.name} (level {module.level}) may include {name}: that is not below it"
                )
    return faults


def _read_includes(root: Path, modules: list[Module]) -> dict[str, list[str]]:
    """File -> the files it includes, all as paths from the root; what cannot be found stays as it was written."""
    sources = sorted(p for m in modules for p in (root / m.path).rglob("*") if p.suffix in SUFFIXES)
    stray = [p for p in (root / "src").rglob("*") if p.suffix in SUFFIXES and p not in sources]
    result: dict[str, list[str]] = {}
    for file in [*sources, *stray]:
        written = INCLUDE.findall(file.read_text(encoding="utf-8"))
        result[str(file.relative_to(root))] = [_resolve(name, file, root) for name in written]
    return result


def _resolve(name: str, file: Path, root: Path) -> str:
    for folder in (file.parent, root / "src", root / "include"):
        candidate = (folder / name).resolve()
        if candidate.is_file() and candidate.is_relative_to(root.resolve()):
            return str(candidate.relative_to(root.resolve()))
    return name


def _module_of(file: str, modules: list[Module]) -> Module | None:
    return next((module for module in modules if file.startswith(module.path + "/")), None)


def _judge(file: str, target: str, root: Path, modules: list[Module]) -> list[str]:
    owner, reached = _module_of(file, modules), _module_of(target, modules)
    if owner is None:
        return [f"{file}: belongs to no module of layers.toml"]
    if reached is None:
        return [] if target.startswith("include/") else [f'{file}: "{target}" is in no module of layers.toml']
    if reached == owner or reached.name in owner.may_include:
        return []
    direction = "upward" if reached.level > owner.level else "not allowed"
    return [f"{file}: includes {target}: {owner.name} may not include {reached.name} ({direction})"]


def find_cycles(graph: dict[str, list[str]]) -> list[list[str]]:
    """One cycle for each way back that a depth-first walk meets."""
    cycles: list[list[str]] = []
    done: set[str] = set()

    def walk(file: str, path: list[str]) -> None:
        if file in path:
            cycles.append([*path[path.index(file) :], file])
            return
        if file in done:
            return
        for target in graph[file]:
            walk(target, [*path, file])
        done.add(file)

    for file in graph:
        walk(file, [])
    return cycles


def main() -> int:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]
    found = violations(root)
    for sentence in found:
        print(sentence)
    print(f"layers: {len(found)} violations" if found else "layers: every include goes down, none goes round")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
