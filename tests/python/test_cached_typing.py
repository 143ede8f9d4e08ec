"""Type checkers: `mypy --strict` and pyright's strict mode find every line of typing_sample.py right but those marked WRONG."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = Path(__file__).with_name("typing_sample.py")
PACKAGE = SAMPLE.parents[2] / "python"


def marked_lines() -> set[int]:
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith("# WRONG")}


@pytest.mark.timeout(300)
def test_mypy_strict_agrees(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path}", "--python-version=3.10",
         "--follow-imports=silent", str(SAMPLE)],
        env={**os.environ, "MYPYPATH": str(PACKAGE)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = {int(number) for number in re.findall(rf"{SAMPLE.name}:(\d+): error", run.stdout)}
    assert found == marked_lines(), run.stdout + run.stderr


@pytest.mark.timeout(300)
def test_pyright_strict_agrees(tmp_path: Path) -> None:
    settings = tmp_path / "pyrightconfig.json"
    # What is unknown is the sample's own lambda, whose parameters nobody annotates.
    settings.write_text(
        json.dumps(
            {"include": [str(SAMPLE)], "extraPaths": [str(PACKAGE)], "typeCheckingMode": "strict", "reportMissingModuleSource": False,
             "reportUnknownLambdaType": False, "reportUnknownArgumentType": False, "reportUnusedCoroutine": False, "pythonVersion": "3.10"}
        )
    )  # fmt: skip
    run = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--outputjson", "--level=error", "-p", str(settings), "--pythonpath", sys.executable],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    problems = json.loads(run.stdout)["generalDiagnostics"]
    found = {problem["range"]["start"]["line"] + 1 for problem in problems}
    assert found == marked_lines(), json.dumps(problems, indent=1)
