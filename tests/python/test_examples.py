"""The examples run as their first lines say, on memory:// and on Redis, and the application passes its own check."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "fastapi"
PROGRAMS = ("cache_service.py", "cached_repository.py", "cache_middleware.py")
pytestmark = pytest.mark.child_process


@pytest.fixture(params=["memory", "redis"])
def environ(request: pytest.FixtureRequest) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TIERCEL_", "REDIS_"))}
    if request.param == "redis":
        clean["TIERCEL_URL"] = request.getfixturevalue("redis_server").url()
    return clean


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_program_runs_and_says_what_it_shows(name: str, environ: dict[str, str]) -> None:
    program = FOLDER / name
    done = subprocess.run([sys.executable, program], env=environ, cwd="/", capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Tiercel on {environ.get('TIERCEL_URL', 'memory://')}\n")
    assert len(done.stdout.splitlines()) > 8
    assert len(program.read_text().splitlines()) < 80


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cities")


def test_the_application_passes_its_own_check(environ: dict[str, str], filled: Path) -> None:
    environ["TIERCEL_DEMO_DATA"] = str(filled)
    command = [sys.executable, "-m", "examples.fastapi", "--check"]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^(\d{2,}) passed, 0 failed$", done.stdout, re.MULTILINE), done.stdout


def test_the_application_takes_the_next_port_and_says_so(filled: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        environ = {**os.environ, "TIERCEL_DEMO_DATA": str(filled)}
        command = [sys.executable, str(FOLDER), "--port", str(port)]
        with subprocess.Popen(command, env=environ, cwd="/", stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            try:
                said = ""
                while "Ctrl+C" not in said and server.poll() is None:
                    said += server.stdout.readline()
            finally:
                server.send_signal(signal.SIGINT)
            said += server.stdout.read()
        assert f"Port {port} is taken" in said
        assert re.search(r"curl -i http://127\.0\.0\.1:\d+/cities", said)
        assert server.returncode == 0


def test_a_missing_package_is_named_in_one_sentence() -> None:
    done = subprocess.run([sys.executable, "-I", "-S", str(FOLDER)], capture_output=True, text=True, timeout=50)
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert "sqlalchemy" in sentence
    assert "make build" in sentence
