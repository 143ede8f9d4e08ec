"""Owns the form of a result: tables of figures, told in Markdown and kept as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

PATIENCE = "5s"  # instead of `op_timeout`: on a busy machine a slow answer is to be measured, and not to be given up


@dataclass(frozen=True)
class Size:
    """How much is measured. Tiny shows that it runs, within seconds, and measures nothing."""

    tiny: bool
    rounds: int

    def of(self, whole: int, tiny: int) -> int:
        return tiny if self.tiny else whole

    def seconds(self, whole: float, tiny: float) -> float:
        return tiny if self.tiny else whole


@dataclass
class Table:
    """`columns` name what stands in each line; numbers are rounded only when they are told."""

    title: str
    columns: Sequence[str]
    note: str = ""  # how it was measured, in a sentence
    lines: list[list[object]] = field(default_factory=list)

    def add(self, *cells: object) -> None:
        assert len(cells) == len(self.columns)
        self.lines.append(list(cells))

    def __str__(self) -> str:
        head = [f"### {self.title}", "", *([self.note, ""] if self.note else [])]
        rule = "|" + "---|" * len(self.columns)
        return "\n".join([*head, _line(self.columns), rule, *map(_line, self.lines), ""])


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join(map(_told, cells)) + " |"


def _told(cell: object) -> str:
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:.0f}" if abs(cell) >= 1000 else f"{cell:.2f}" if abs(cell) >= 1 else f"{cell:.3f}"
