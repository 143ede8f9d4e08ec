"""Owns: `--check`: starts the application, tries every feature over HTTP, says what it saw and what differs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

from .database import data_folder
from .visitor import Visitor

AMSTERDAM = 2759794  # GeoNames' number
ROOT = Path(__file__).resolve().parents[2]


def check() -> int:
    with tempfile.TemporaryDirectory() as folder:
        cities = data_folder() / "cities.db"
        if cities.exists():  # a copy: what is changed here is not to stay
            shutil.copy(cities, folder)
        # A namespace of its own: in a Redis that others use, the first request must be a miss.
        environ = {**os.environ, "TIERCEL_DEMO_DATA": folder, "TIERCEL_NAMESPACE": f"check-{uuid.uuid4().hex[:8]}"}
        command = [sys.executable, "-m", "examples.fastapi", "--port", "0"]
        with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as server:
            try:
                return _visit(_address(server))
            finally:
                server.terminate()


def _address(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None
    for line in server.stdout:
        if found := re.search(r"http://(127\.0\.0\.1:\d+)", line):
            return found[1]
    sys.exit(f"The application did not start (exit code {server.wait()}).")


def _visit(address: str) -> int:
    visitor = Visitor(address)
    for feature in FEATURES:
        print(f"{feature.__doc__}")
        feature(visitor)
    print(f"{visitor.right} passed, {visitor.wrong} failed")
    return 1 if visitor.wrong else 0


def cached_function(visitor: Visitor) -> None:
    """A cached function: miss, hit, update, miss with the new value"""
    path = f"/cities/{AMSTERDAM}"
    before = visitor.see("GET", path, cache="MISS", statements=1)["population"]
    visitor.see("GET", path, cache="HIT", statements=0, population=before)
    # Another URL of the same city: its response is not stored yet, but the function's result is.
    visitor.see("GET", f"{path}?another=url", cache="MISS", statements=0, population=before)
    visitor.see("PUT", path, body={"population": before + 1}, population=before + 1)
    visitor.see("GET", path, cache="MISS", statements=1, population=before + 1)
    visitor.see("GET", path, cache="HIT", statements=0, population=before + 1)


def list_by_pattern(visitor: Visitor) -> None:
    """Lists with skip and limit, dropped by pattern"""
    first, second = "/cities?country=NL&skip=0&limit=3", "/cities?country=NL&skip=3&limit=3"
    largest, runner_up, _ = visitor.see("GET", first, cache="MISS", statements=1)
    visitor.see("GET", first, cache="HIT", statements=0)
    visitor.see("GET", second, cache="MISS", statements=1)
    visitor.see("PUT", f"/cities/{runner_up['id']}", body={"population": largest["population"] + 1})
    after = [city["name"] for city in visitor.see("GET", first, cache="MISS", statements=1)]
    visitor.compare("the first two have changed places", after[:2], [runner_up["name"], largest["name"]])
    visitor.see("GET", second, cache="MISS", statements=1)


def tag_of_a_country(visitor: Visitor) -> None:
    """What was computed from many cities, dropped by a tag"""
    before = visitor.see("GET", "/countries/NL", cache="MISS")
    visitor.see("GET", "/countries/NL", cache="HIT", statements=0, population=before["population"])
    city = visitor.see("GET", f"/cities/{AMSTERDAM}")
    visitor.see("PUT", f"/cities/{AMSTERDAM}", body={"population": city["population"] + 100})
    visitor.see("GET", "/countries/NL", cache="MISS", population=before["population"] + 100)


def create_and_delete(visitor: Visitor) -> None:
    """Create and delete"""
    before = visitor.see("GET", "/countries/NL")
    new = {"name": "Tiercel", "country": "NL", "population": 20_000_000, "latitude": 52.0, "longitude": 4.0}
    city = visitor.see("POST", "/cities", body=new, status=201, name="Tiercel")
    visitor.see("GET", "/countries/NL", cache="MISS", cities=before["cities"] + 1, largest="Tiercel")
    visitor.see("DELETE", f"/cities/{city['id']}", status=204)
    visitor.see("GET", f"/cities/{city['id']}", status=404, statements=1)
    visitor.see("GET", f"/cities/{city['id']}", status=404, statements=0)  # that it is not there is cached as well
    visitor.see("GET", "/countries/NL", cache="MISS", cities=before["cities"], largest=before["largest"])


def users_service(visitor: Visitor) -> None:
    """The users service: cached methods, a Decimal and a datetime in the values"""
    ada = {"name": "Ada", "email": "ada@example.org", "balance": "12.30"}
    user = visitor.see("POST", "/users", body=ada, status=201, balance="12.30")
    same = {"balance": "12.30", "joined": user["joined"]}
    visitor.user = f"/users/{user['id']}"
    visitor.see("GET", "/users?skip=0&limit=10", cache="MISS", statements=1)
    visitor.see("GET", "/users?skip=0&limit=10", cache="HIT", statements=0)
    visitor.see("GET", visitor.user, cache="MISS", statements=1, **same)
    visitor.see("GET", f"{visitor.user}?another=url", cache="MISS", statements=0, **same)
    visitor.see("PUT", visitor.user, body={"name": "Ada L."})
    visitor.see("GET", visitor.user, cache="MISS", statements=1, name="Ada L.")
    (listed,) = visitor.see("GET", "/users?skip=0&limit=10", cache="MISS", statements=1)
    visitor.compare("the list says", listed["name"], "Ada L.")


def cached_repository(visitor: Visitor) -> None:
    """The cached repository (cache-aside): it shares its keys with the service"""
    visitor.see("GET", f"/cache-aside{visitor.user}", cache="MISS", statements=0, name="Ada L.")
    visitor.see("PUT", f"/cache-aside{visitor.user}", body={"name": "Ada M."})
    visitor.see("GET", f"/cache-aside{visitor.user}", cache="MISS", statements=1, name="Ada M.")
    visitor.see("GET", visitor.user, cache="MISS", statements=0, name="Ada M.")


def write_through_repository(visitor: Visitor) -> None:
    """The write-through repository: the value is there before anybody asks"""
    visitor.see("PUT", f"/write-through{visitor.user}", body={"name": "Ada N."})
    visitor.see("GET", visitor.user, cache="MISS", statements=0, name="Ada N.")


def event_invalidator(visitor: Visitor) -> None:
    """The event invalidator: a row written behind the cache's back, and the event that tells it"""
    visitor.see("GET", visitor.user, cache="HIT", name="Ada N.")
    visitor.see("PUT", f"/behind-the-back{visitor.user}", body={"name": "Ada O."})
    visitor.see("GET", visitor.user, cache="HIT", name="Ada N.")
    visitor.see("POST", f"/events/user_updated?user_id={visitor.user.rpartition('/')[2]}", status=204)
    visitor.see("GET", visitor.user, cache="MISS", statements=1, name="Ada O.")


def documentation(visitor: Visitor) -> None:
    """/docs works offline"""
    page = visitor.text("/docs")
    linked = re.findall(r"""(?:src|href)\s*=\s*["']([^"']+)["']""", page)
    visitor.compare("files that the page loads", len(linked) >= 2, True)
    addresses = set(re.findall(r"(?:https?:)?//[\w.:-]+", page)) - {f"http://{visitor.address}"}
    visitor.compare("other hosts in the page", sorted(addresses), [])
    for url in linked:
        visitor.text(url.removeprefix(f"http://{visitor.address}"))
    visitor.see("GET", "/openapi.json", status=200)


def statistics(visitor: Visitor) -> None:
    """Statistics"""
    counted = visitor.see("GET", "/cache/stats")
    visitor.compare("hits are counted", counted["hits"] > 0, True)
    visitor.compare("misses are counted", counted["misses"] > 0, True)


FEATURES = (
    cached_function,
    list_by_pattern,
    tag_of_a_country,
    create_and_delete,
    users_service,
    cached_repository,
    write_through_repository,
    event_invalidator,
    documentation,
    statistics,
)
