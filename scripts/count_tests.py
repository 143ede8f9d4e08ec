"""Adds up the test reports and prints the last line of `make test`: N passed, N failed.

Reads JUnit XML: pytest's in build/reports, GoogleTest's and ctest's in build/*/reports. The names of stages that failed
are arguments: one that failed without a failed test in any report counts as one failure.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as xml
from collections.abc import Iterator
from pathlib import Path

BUILD = Path(__file__).resolve().parents[1] / "build"


def cases(report: Path) -> Iterator[tuple[str, str]]:
    """Each test of a report with its end: passed, failed or skipped."""
    for case in xml.parse(report).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            yield name, "failed"
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            yield name, "skipped"
        else:
            yield name, "passed"


def reports() -> Iterator[Path]:
    yield from sorted((BUILD / "reports").glob("*.xml"))
    for folder in sorted(BUILD.glob("*/reports")):
        yield from sorted(folder.glob("*.xml"))


def main(failed_stages: list[str]) -> int:
    ends: dict[str, list[str]] = {"passed": [], "failed": [], "skipped": []}
    for report in reports():
        for name, end in cases(report):
            if report.name == "ctest.xml" and name.endswith(".unit_tests") and end == "passed":
                continue  # GoogleTest's own report counts what is inside
            ends[end].append(name)
    failures = max(len(ends["failed"]), len(failed_stages))
    print()
    for end in ("skipped", "failed"):
        for name in ends[end]:
            print(f"{end}: {name}")
    for stage in failed_stages:
        print(f"stage failed: {stage}")
    print(f"{len(ends['passed'])} passed, {failures} failed")
    return 1 if failures or not ends["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
